//! What somebody may see of the documents in a list or in a feed.

use std::sync::Arc;

use matchbook_access::policy::{Action, Needs, View as Decided};
use matchbook_core::feed::{Content, Cursor, View};
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Version;
use matchbook_store::{Only, Scope};

use super::Asker;

/// What somebody may see. What holds for all documents alike is decided once.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// All documents.
    All,
    /// None of them; the view stands for that.
    None(View),
    /// It depends.
    Some(Arc<Partial>),
}

/// What is decided for each document.
#[derive(Debug)]
pub(crate) struct Partial {
    asker: Asker,
    view: View,
    needs_content: bool,
}

impl Sight {
    /// What can be seen of what is in `scope`. Settings of the server's own are shown to
    /// whoever may ask for them.
    pub(crate) fn of(asker: Option<&Asker>, scope: &Scope) -> Self {
        let Some(asker) = asker else {
            return Self::All;
        };
        let policies = &asker.rights.policies;
        let of_collection = |path| policies.view(&asker.caller, Action::Read, path);
        let decided = match scope {
            Scope::Collection(path) if path.is_own() => Decided::All,
            Scope::Document(path) if path.is_own() => Decided::All,
            Scope::Collection(path) => of_collection(path.as_str()),
            Scope::Document(path) => of_collection(path.collection()),
            // It may be another decision in each collection.
            Scope::All | Scope::Log => Decided::Some(policies.needs(Action::Read)),
        };
        match decided {
            Decided::All => Self::All,
            Decided::None => Self::None(asker.view()),
            Decided::Some(needs) => Self::Some(Arc::new(Partial {
                asker: asker.clone(),
                view: asker.view(),
                needs_content: needs == Needs::Document,
            })),
        }
    }

    /// What stands for it in cursors and tags; `None` for all.
    pub(crate) fn view(&self) -> Option<View> {
        match self {
            Self::All => None,
            Self::None(view) => Some(*view),
            Self::Some(partial) => Some(partial.view),
        }
    }

    /// A position, for one who sees this.
    pub(crate) fn cursor(&self, at: Version) -> Cursor {
        Cursor {
            view: self.view(),
            ..Cursor::from(at)
        }
    }

    /// Whether what a document holds makes a difference.
    pub(crate) fn needs_content(&self) -> bool {
        matches!(self, Self::Some(partial) if partial.needs_content)
    }

    /// Whether a document can be seen.
    pub(crate) fn sees(&self, path: &DocumentPath, content: &Content<'_>) -> bool {
        match self {
            Self::All => true,
            Self::None(_) => false,
            Self::Some(partial) => {
                let members = content.json().unwrap_or_default().as_bytes();
                partial.asker.may(Action::Read, path, Some(members))
            }
        }
    }

    /// Whether the document with this path can be seen, where what it holds makes no
    /// difference.
    pub(crate) fn sees_path(&self, path: &DocumentPath) -> bool {
        let nothing = Content::Json("".into());
        self.sees(path, &nothing)
    }

    /// The same for what a store reads.
    pub(crate) fn only(&self) -> Option<Only> {
        if matches!(self, Self::All) {
            return None;
        }
        let sight = self.clone();
        Some(Only::new(move |path, content| sight.sees(path, content)))
    }
}

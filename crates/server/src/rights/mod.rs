//! What callers may do: the policies in force (contract §11).
//!
//! A request is seen with the document that stands (line 7 of §3), a write with the one
//! that would result too (line 19). Who may not read what is there learns nothing of it.
//! Without policies nothing here is asked, and good credentials are enough.

mod sight;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use matchbook_access::Principal;
use matchbook_access::policy::{Action, Caller, Place, Policies};
use matchbook_core::decide::{Circumstances, Credentials};
use matchbook_core::feed::View;
use matchbook_core::field::media_type::MediaType;
use matchbook_core::name::{CollectionPath, DocumentPath, Target};
use matchbook_core::precondition::{Access, Validators, Verdict};
use matchbook_core::problem::Problem;
use matchbook_core::request::{Method, PatchForm};
use matchbook_store::{Document, Effect};
use quick_cache::sync::Cache;

use crate::app::Call;
use crate::auth::anonymous;
use crate::operations;
use crate::representation::Representation;
pub(crate) use sight::Sight;

/// Callers that are remembered: as many as tokens are. To prepare one takes longer than
/// to decide.
const CALLERS: usize = 4_096;

/// What stands for the collection of all collections.
const ROOT: &str = "/";

/// The policies in force.
#[derive(Debug)]
pub(crate) struct Rights {
    policies: Policies,
    callers: Cache<Same, Arc<Caller>>,
}

/// A principal, told from others by where it is: credentials that are remembered lead to
/// the same one. Whoever has it keeps the place from being used for another.
#[derive(Debug)]
struct Same(Arc<Principal>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Same {}

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Rights {
    pub(crate) fn new(policies: Policies) -> Self {
        Self {
            policies,
            callers: Cache::new(CALLERS),
        }
    }

    /// Somebody, under these policies.
    pub(crate) fn asker(self: &Arc<Self>, principal: &Arc<Principal>) -> Asker {
        let key = Same(Arc::clone(principal));
        let caller = self.callers.get(&key).unwrap_or_else(|| {
            let caller = Arc::new(self.policies.caller(principal));
            self.callers.insert(key, Arc::clone(&caller));
            caller
        });
        Asker {
            rights: Arc::clone(self),
            caller,
        }
    }

    /// Whether others decide alike in all that was and will be asked.
    pub(crate) fn are_like(&self, others: &Self) -> bool {
        let mark = |rights: &Self| {
            let nobody = rights.policies.caller(&anonymous());
            rights.policies.view_hash(&nobody)
        };
        mark(self) == mark(others)
    }
}

/// Somebody who asks, under the policies in force.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    rights: Arc<Rights>,
    caller: Arc<Caller>,
}

impl Asker {
    /// Whether something may be done to a document with these members; `None` where there is
    /// none.
    fn may(&self, action: Action, path: &DocumentPath, members: Option<&[u8]>) -> bool {
        let place = Place::Document(path.as_str());
        let policies = &self.rights.policies;
        policies.permits(&self.caller, action_at(action, path), place, members)
    }

    /// Whether a collection may be listed; one of the server's own, by admins.
    pub(crate) fn may_list(&self, collection: &CollectionPath) -> bool {
        let action = if collection.is_own() {
            Action::Admin
        } else {
            Action::List
        };
        self.may_at(action, collection.as_str())
    }

    /// Whether something may be done that concerns no document.
    fn may_at(&self, action: Action, path: &str) -> bool {
        let policies = &self.rights.policies;
        policies.permits(&self.caller, action, Place::Collection(path), None)
    }

    /// Whether settings of the server's own at this path may be changed.
    pub(crate) fn may_administer(&self, path: &DocumentPath) -> bool {
        self.may_at(Action::Admin, path.as_str())
    }

    /// What stands in cursors and tags for what the caller can see.
    fn view(&self) -> View {
        let hash = self.rights.policies.view_hash(&self.caller);
        View::from_bits(u64::from_be_bytes(hash))
    }
}

impl Call<'_> {
    /// What is known of the caller where this document stands.
    pub(crate) fn at_document(
        &self,
        path: &DocumentPath,
        current: Option<&Arc<Document>>,
    ) -> Circumstances {
        if operations::is_operation(path) {
            return self.at_operation(path, current);
        }
        self.asking(|asker| {
            let is_new = current.is_none();
            let action = match self.facts.method {
                Method::Put if is_new => Action::Create,
                Method::Post if matches!(self.target, Target::Collection(_)) => Action::Create,
                // A form is a patch.
                Method::Put | Method::Patch | Method::Post => Action::Update,
                Method::Delete => Action::Delete,
                _ => Action::Read,
            };
            let document = current.map(|document| members(&document.content_type, &document.body));
            let permits = asker.may(action, path, document);
            let reads = match action {
                Action::Read => permits,
                _ if self.is_plain_save(current) => false,
                _ => asker.may(Action::Read, path, document),
            };
            (action_at(action, path), permits, reads)
        })
    }

    /// Whether the caller may read a document.
    pub(crate) fn reads(&self, path: &DocumentPath, document: Option<&Arc<Document>>) -> bool {
        let asker = self.asker.as_ref();
        let document = document.map(|document| members(&document.content_type, &document.body));
        asker.is_none_or(|asker| asker.may(Action::Read, path, document))
    }

    /// Whether a save is answered alike for those who may read the document and for those
    /// who may not: its preconditions hold, it compares with nothing, and no
    /// representation comes back. Nearly all are such, and cost one decision less.
    fn is_plain_save(&self, current: Option<&Arc<Document>>) -> bool {
        let facts = &self.facts;
        let compares = facts.patch_form() == Some(PatchForm::JsonPatch);
        if compares || self.rules.is_some() || facts.wants_representation() {
            return false;
        }
        let representation = current.map(|document| Representation::of(document));
        let present = representation.as_ref().map(Representation::present);
        let current = present.as_ref().map(|present| Validators {
            opaque: present.opaque,
            weak: false,
            modified_secs: Some(present.modified_secs),
        });
        let is_guarded = current.is_none() || facts.preconditions.guard_a_write();
        is_guarded && facts.preconditions.evaluate(Access::Unsafe, current) == Verdict::Hold
    }

    /// What is known of a caller who wants something of an operation: it is for whoever
    /// started it, and for admins.
    fn at_operation(&self, path: &DocumentPath, current: Option<&Arc<Document>>) -> Circumstances {
        self.asking(|asker| {
            let is_theirs = current.is_some_and(|current| operations::is_of(&self.caller, current));
            let permits = is_theirs || asker.may_administer(path);
            (Action::Admin, permits, true)
        })
    }

    /// What is known of a caller who has work done on a whole collection, or on all: it is
    /// done with the rights of the server.
    pub(crate) fn at_work(&self, collection: Option<&str>) -> Circumstances {
        let path = collection.map_or_else(|| self.path(), str::to_owned);
        self.asking(|asker| (Action::Admin, asker.may_at(Action::Admin, &path), true))
    }

    /// What is known of a caller who wants to see what a collection holds.
    pub(crate) fn at_collection(&self, path: &CollectionPath) -> Circumstances {
        let action = if path.is_own() {
            Action::Admin
        } else {
            Action::List
        };
        self.asking(|asker| (action, asker.may_list(path), true))
    }

    /// What is known of a caller who wants to follow all changes.
    pub(crate) fn at_all_changes(&self) -> Circumstances {
        self.asking(|asker| (Action::List, asker.may_at(Action::List, ROOT), true))
    }

    /// What is known of a caller who wants something of the server itself.
    pub(crate) fn at_server(&self) -> Circumstances {
        let path = self.path();
        self.asking(|asker| (Action::Admin, asker.may_at(Action::Admin, &path), true))
    }

    /// What is known of a caller who is shown what they may see, or for whom each part is
    /// decided by itself.
    pub(crate) fn at_parts(&self) -> Circumstances {
        self.asking(|_| (Action::List, true, true))
    }

    fn asking(&self, ask: impl FnOnce(&Asker) -> (Action, bool, bool)) -> Circumstances {
        let mut circumstances = self.circumstances;
        let bad = matches!(circumstances.credentials, Credentials::Bad(_));
        let Some(asker) = self.asker.as_ref().filter(|_| !bad) else {
            return circumstances;
        };
        let (action, permits, reads) = ask(asker);
        circumstances.reads = reads;
        match circumstances.credentials {
            Credentials::Missing if permits => circumstances.credentials = Credentials::Good,
            Credentials::Good if !permits => circumstances.forbidden = Some(action.name()),
            _ => {}
        }
        circumstances
    }

    /// Line 19: whether the caller may make this of a document; and whether they may read
    /// what comes of it, if it is to be shown.
    ///
    /// # Errors
    /// 403 with the action that is missing.
    pub(crate) fn may_result(
        &self,
        path: &DocumentPath,
        is_new: bool,
        effect: &Effect,
        is_shown: bool,
    ) -> Result<bool, Problem> {
        let (
            Some(asker),
            Effect::Put {
                content_type, body, ..
            },
        ) = (&self.asker, effect)
        else {
            return Ok(true);
        };
        let document = members(content_type, body);
        let action = if is_new {
            Action::Create
        } else {
            Action::Update
        };
        if !asker.may(action, path, Some(document)) {
            let action = action_at(action, path).name();
            let what = "with the document that would result";
            return Err(Problem::forbidden(action, what));
        }
        Ok(is_shown && asker.may(Action::Read, path, Some(document)))
    }
}

/// The text whose members policies look at: what is not JSON has none.
fn members<'a>(content_type: &str, body: &'a [u8]) -> &'a [u8] {
    let is_json = MediaType::read(content_type).is_some_and(|media_type| media_type.is_json());
    if is_json { body } else { &[] }
}

/// What concerns the server itself is for admins.
fn action_at(action: Action, path: &DocumentPath) -> Action {
    if path.is_own() { Action::Admin } else { action }
}

//! What a caller may do in a collection, before it is known to which document.

use std::borrow::Cow;
use std::sync::Arc;

use cedar_policy::PolicyId;

use super::caller::Caller;
use super::evaluate::{Evaluator, Question};
use super::needs::Needs;
use super::place::{Action, Kind, Place};
use super::prepared::{Group, Loose, Rules};
use super::types::Record;

/// Longest path and members by which a decision is remembered: names and numbers are
/// shorter, and texts are hardly ever the same twice.
const FACTS_BYTES: usize = 512;

/// What a caller may do in a collection, before it is known to which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// It is permitted for every document, whatever is in it.
    All,
    /// It is permitted for none.
    None,
    /// It depends on this.
    Some(Needs),
}

/// A view, and what is left to be evaluated.
#[derive(Clone)]
pub(super) enum Seen {
    All,
    None,
    Rest(Arc<Rest>),
}

/// The policies whose guards hold, which alone are left to be evaluated.
pub(super) struct Rest {
    /// Whether other policies permit it, if none of these forbids it.
    permitted: bool,
    group: Group,
}

impl Seen {
    pub(super) fn view(&self) -> View {
        match self {
            Self::All => View::All,
            Self::None => View::None,
            Self::Rest(rest) => View::Some(rest.group.needs),
        }
    }

    const fn decided(permitted: bool) -> Self {
        if permitted { Self::All } else { Self::None }
    }
}

impl Rest {
    /// All that the decision about a place depends on, beside who wants what in which
    /// collection; `None` if that is too long to be worth remembering.
    pub(super) fn facts<'a>(
        &self,
        place: Place<'a>,
        document: Option<&[u8]>,
    ) -> Option<Cow<'a, str>> {
        let group = &self.group;
        if group.needs != Needs::Document {
            return Some(Cow::Borrowed(place.path()));
        }
        let path = if group.needs_path {
            place.path()
        } else {
            place.collection()
        };
        let mut facts = path.to_owned();
        facts.push('\0');
        if let Some(document) = document {
            facts.push('{');
            group.wanted.spell_into(&mut facts, document);
        }
        (facts.len() <= FACTS_BYTES).then_some(Cow::Owned(facts))
    }

    /// What is left to be decided for one document.
    pub(super) fn permits(&self, evaluator: &Evaluator, question: Question<'_>) -> bool {
        let said = evaluator.ask(&self.group, question);
        said.is_some_and(|said| said.permits() || (self.permitted && !said.forbids()))
    }
}

/// Evaluates what needs no document.
pub(super) fn see(
    evaluator: &Evaluator,
    rules: &Rules,
    members: &Record,
    caller: &Caller,
    action: Action,
    (kind, collection): (Kind, &str),
) -> Seen {
    // Any document of the collection stands for all: what is evaluated cannot tell.
    let path = match kind {
        Kind::Collection => collection.to_owned(),
        Kind::Document => format!("{collection}/-"),
    };
    let place = match kind {
        Kind::Collection => Place::Collection(&path),
        Kind::Document => Place::Document(&path),
    };
    let question = Question {
        caller,
        action,
        place,
        document: None,
    };
    let ask = |group: &Group| evaluator.ask(group, question);
    if kind == Kind::Collection {
        return Seen::decided(ask(&rules.all).is_some_and(|said| said.permits()));
    }
    let (Some(fixed), Some(guards)) = (ask(&rules.fixed), ask(&rules.guards)) else {
        return Seen::None;
    };
    if fixed.forbids() {
        return Seen::None;
    }
    let applying: Vec<&PolicyId> = guards.because().collect();
    let loose = rules
        .loose
        .iter()
        .filter(|loose| applying.contains(&loose.policy.id()));
    rest(fixed.permits(), loose.collect(), members)
}

fn rest(permitted: bool, mut loose: Vec<&Loose>, members: &Record) -> Seen {
    // A `permit` adds nothing to what is permitted, nor a `forbid` to what is not.
    let changes = |loose: &&Loose| loose.permits() != permitted || loose.may_err(members);
    if permitted {
        loose.retain(changes);
    } else if !loose.iter().any(changes) {
        loose.clear();
    }
    if loose.is_empty() {
        return Seen::decided(permitted);
    }
    match Group::of_loose(&loose, members) {
        Ok(group) => Seen::Rest(Arc::new(Rest { permitted, group })),
        Err(_) => Seen::None,
    }
}

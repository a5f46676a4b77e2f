//! One evaluation by Cedar, with no more entities and attributes than policies look at.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entity, EntityUid, PolicyId, Request, Response,
    RestrictedExpression,
};

use super::caller::Caller;
use super::conform::{members_of, string, value};
use super::look::Look;
use super::place::{Action, Place};
use super::prepared::Group;
use super::schema::Names;
use super::types::{Record, Type};

/// What policies look at, ready to be taken from a place and a document.
#[derive(Clone)]
pub(super) struct Wanted {
    path: bool,
    id: bool,
    collection: bool,
    above: bool,
    document: bool,
    members: BTreeMap<String, WantedMember>,
}

#[derive(Clone)]
struct WantedMember {
    /// For `resource.owner`.
    is_owner: bool,
    /// For `resource.document`, with this type.
    declared: Option<Type>,
}

impl Wanted {
    pub(super) fn new(look: &Look, document: &Record) -> Self {
        let first_names = look.members.iter().filter_map(|names| names.first());
        let all = document.members.keys().filter(|_| look.all_members);
        let mut members = BTreeMap::new();
        for name in first_names.chain(all) {
            if let Some(member) = document.members.get(name) {
                let declared = Some(member.value.clone());
                members.insert(
                    name.clone(),
                    WantedMember {
                        is_owner: false,
                        declared,
                    },
                );
            }
        }
        if look.owner {
            let owner = members.entry(OWNER.to_owned());
            let fresh = WantedMember {
                is_owner: true,
                declared: None,
            };
            owner
                .and_modify(|owner| owner.is_owner = true)
                .or_insert(fresh);
        }
        Self {
            path: look.path,
            id: look.id,
            collection: look.collection,
            above: look.above,
            document: look.document,
            members,
        }
    }

    /// Appends what policies look at of a document, such that it is the same text only for
    /// documents that look the same to them.
    pub(super) fn spell_into(&self, text: &mut String, document: &[u8]) {
        for (name, raw) in members_of(document, &self.members) {
            let mut names = self.members.keys();
            let place = names.position(|other| other == name).unwrap_or_default();
            // No JSON holds this character, so that it ends both.
            let _infallible = write!(text, "{place}\0{raw}\0");
        }
    }

    /// The types of the members, as far as they make a difference.
    pub(super) fn types(&self) -> impl Iterator<Item = (&str, String)> {
        self.members.iter().map(|(name, wanted)| {
            let declared = wanted.declared.as_ref().map(Type::cedar);
            (name.as_str(), declared.unwrap_or_default().to_string())
        })
    }
}

/// The member of a document that says whose it is.
const OWNER: &str = "owner";

/// Who asks for what, where.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) caller: &'a Caller,
    pub(super) action: Action,
    pub(super) place: Place<'a>,
    pub(super) document: Option<&'a [u8]>,
}

/// What policies say if none of them fails.
pub(super) struct Said(Response);

impl Said {
    /// Whether something permits it, and nothing forbids it.
    pub(super) fn permits(&self) -> bool {
        self.0.decision() == Decision::Allow
    }

    /// Whether something forbids it.
    pub(super) fn forbids(&self) -> bool {
        !self.permits() && self.because().next().is_some()
    }

    /// The policies that decided.
    pub(super) fn because(&self) -> impl Iterator<Item = &PolicyId> {
        self.0.diagnostics().reason()
    }
}

/// Asks Cedar.
pub(super) struct Evaluator {
    authorizer: Authorizer,
    names: Names,
    actions: [EntityUid; Action::ALL.len()],
}

impl Evaluator {
    pub(super) fn new(names: Names) -> Self {
        Self {
            authorizer: Authorizer::new(),
            actions: Action::ALL.map(|action| names.action(action)),
            names,
        }
    }

    /// What the policies say; `None` if evaluating one of them failed. Cedar would leave
    /// such a policy out, which for a `forbid` means to permit.
    pub(super) fn ask(&self, group: &Group, question: Question<'_>) -> Option<Said> {
        let Question {
            caller,
            action,
            place,
            document,
        } = question;
        let uid = self.names.place(place.kind(), place.path());
        let attributes = attributes(place, &group.wanted, document)?;
        let action = self.actions.get(action.index())?.clone();
        let (context, entities) = if group.in_context {
            let context = Context::from_pairs(attributes).ok()?;
            (context, Cow::Borrowed(&caller.entities))
        } else {
            let above = self.above(place, &group.wanted);
            let resource = Entity::new(uid.clone(), attributes, above).ok()?;
            let entities = caller.entities.clone().add_entities([resource], None);
            (Context::empty(), Cow::Owned(entities.ok()?))
        };
        let request = Request::new(caller.uid.clone(), action, uid, context, None).ok()?;
        let response = self
            .authorizer
            .is_authorized(&request, &group.policies, &entities);
        let failed = response.diagnostics().errors().next().is_some();
        (!failed).then_some(Said(response))
    }

    fn above(&self, place: Place<'_>, wanted: &Wanted) -> HashSet<EntityUid> {
        let places = place.above().filter(|_| wanted.above);
        places
            .map(|place| self.names.place(place.kind(), place.path()))
            .collect()
    }
}

/// The attributes of a place that policies look at.
fn attributes(
    place: Place<'_>,
    wanted: &Wanted,
    document: Option<&[u8]>,
) -> Option<HashMap<String, RestrictedExpression>> {
    let mut attributes = HashMap::new();
    let mut named = |name: &str, value: &str| {
        attributes.insert(name.into(), RestrictedExpression::new_string(value.into()));
    };
    if wanted.path {
        named("path", place.path());
    }
    if wanted.id {
        named("id", place.id());
    }
    if wanted.collection {
        named("collection", place.collection());
    }
    if let (Place::Document(_), Some(document)) = (place, document) {
        let mut members = Vec::with_capacity(wanted.members.len());
        for (name, raw) in members_of(document, &wanted.members) {
            let wish = wanted.members.get(name)?;
            if wish.is_owner
                && let Some(owner) = string(raw)
            {
                named(OWNER, &owner);
            }
            let declared = wish.declared.as_ref();
            if let Some(value) = declared.and_then(|declared| value(raw, declared)) {
                members.push((name.to_owned(), value));
            }
        }
        if wanted.document {
            let record = RestrictedExpression::new_record(members).ok()?;
            attributes.insert("document".into(), record);
        }
    }
    Some(attributes)
}

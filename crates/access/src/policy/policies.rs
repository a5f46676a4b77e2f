//! Policies in force, and the decisions that they make.

use std::fmt;
use std::hash::Hash;

use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::caller::{Caller, CallerDigest, feed};
use super::evaluate::{Evaluator, Question};
use super::fault::Fault;
use super::needs::Needs;
use super::parse;
use super::place::{Action, Kind, Place};
use super::prepared::Rules;
use super::schema::Schema;
use super::view::{Seen, View, see};
use crate::Principal;

/// Views that are remembered: a few kilobytes each, so that they take some megabytes.
const VIEWS: usize = 2_048;

/// Decisions about paths and documents that are remembered; each holds some hundred bytes.
const DECIDED: usize = 16_384;

/// Policies that were validated, and what was decided by them lately.
///
/// Nothing here is ever changed: other policies, or another schema, are another value.
pub struct Policies {
    schema: Schema,
    evaluator: Evaluator,
    /// In the order of [`Action::ALL`].
    rules: Vec<Rules>,
    /// Of the texts, and of the types that they rely on.
    digest: [u8; 32],
    views: Cache<Key, Seen>,
    decided: Cache<Key, bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    caller: CallerDigest,
    action: Action,
    kind: Kind,
    /// Where, with what else makes a difference.
    path: Box<str>,
}

/// A [`Key`] to look for. Its fields are those of `Key`, in the same order, so that their
/// hashes are the same.
#[derive(Clone, Copy, Hash)]
struct KeyRef<'a> {
    caller: CallerDigest,
    action: Action,
    kind: Kind,
    path: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.caller == key.caller
            && self.action == key.action
            && self.kind == key.kind
            && *self.path == *key.path
    }
}

impl KeyRef<'_> {
    fn owned(self) -> Key {
        let Self {
            caller,
            action,
            kind,
            path,
        } = self;
        Key {
            caller,
            action,
            kind,
            path: path.into(),
        }
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").finish_non_exhaustive()
    }
}

impl Policies {
    /// Reads and validates texts, each with a name for its faults.
    ///
    /// # Errors
    /// All that is wrong with them, in the order of the sources' names and of lines.
    pub fn parse(sources: &[(&str, &str)], schema: &Schema) -> Result<Self, Vec<Fault>> {
        let prepared = parse::parse(sources, schema)?;
        let rules: Result<Vec<Rules>, _> = Action::ALL
            .into_iter()
            .map(|action| Rules::new(action, &prepared, &schema.document))
            .collect();
        let rules = rules.map_err(|error| {
            let source = sources.first().copied().unwrap_or_default();
            vec![Fault::at(source, 0, error.to_string())]
        })?;
        let mut hash = Sha256::new();
        for (_, text) in sources {
            feed(&mut hash, text);
        }
        for (name, declared) in rules.iter().flat_map(|rules| rules.all.wanted.types()) {
            feed(&mut hash, name);
            feed(&mut hash, &declared);
        }
        Ok(Self {
            evaluator: Evaluator::new(schema.names.clone()),
            schema: schema.clone(),
            rules,
            digest: hash.finalize().into(),
            views: Cache::new(VIEWS),
            decided: Cache::new(DECIDED),
        })
    }

    /// Prepares a principal for decisions by these policies. It is worth keeping with the
    /// credentials: preparing takes longer than deciding.
    #[must_use]
    pub fn caller(&self, principal: &Principal) -> Caller {
        Caller::new(principal, &self.schema)
    }

    /// Whether the caller may do this there. `document` is the document as it is, or as it
    /// would be; empty if it is not JSON; `None` if there is none, or if
    /// [`Self::needs`] or [`Self::view`] tell that it makes no difference.
    #[must_use]
    pub fn permits(
        &self,
        caller: &Caller,
        action: Action,
        place: Place<'_>,
        document: Option<&[u8]>,
    ) -> bool {
        let rest = match self.seen(caller, action, place.kind(), place.collection()) {
            Seen::All => return true,
            Seen::None => return false,
            Seen::Rest(rest) => rest,
        };
        let question = Question {
            caller,
            action,
            place,
            document,
        };
        let Some(facts) = rest.facts(place, document) else {
            return rest.permits(&self.evaluator, question);
        };
        let key = KeyRef {
            caller: caller.digest,
            action,
            kind: place.kind(),
            path: &facts,
        };
        if let Some(permitted) = self.decided.get(&key) {
            return permitted;
        }
        let permitted = rest.permits(&self.evaluator, question);
        self.decided.insert(key.owned(), permitted);
        permitted
    }

    /// What must be known to decide whether somebody may do this to a document, or in the
    /// case of [`Action::List`] to a collection.
    #[must_use]
    pub fn needs(&self, action: Action) -> Needs {
        let rules = self.rules.get(action.index());
        rules.map_or(Needs::Nothing, |rules| rules.needs(action))
    }

    /// What is decided already for all documents of a collection, or in the case of
    /// [`Action::List`] for the collection.
    #[must_use]
    pub fn view(&self, caller: &Caller, action: Action, collection: &str) -> View {
        let kind = if action == Action::List {
            Kind::Collection
        } else {
            Kind::Document
        };
        self.seen(caller, action, kind, collection).view()
    }

    /// Stands for what the caller can see: it is another one if the policies change, or
    /// what they can know of the caller. It is the same in each run of the server.
    #[must_use]
    pub fn view_hash(&self, caller: &Caller) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(self.digest);
        hash.update(caller.digest);
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        short
    }

    fn seen(&self, caller: &Caller, action: Action, kind: Kind, collection: &str) -> Seen {
        let key = KeyRef {
            caller: caller.digest,
            action,
            kind,
            path: collection,
        };
        if let Some(seen) = self.views.get(&key) {
            return seen;
        }
        let Some(rules) = self.rules.get(action.index()) else {
            return Seen::None;
        };
        let place = (kind, collection);
        let seen = see(
            &self.evaluator,
            rules,
            &self.schema.document,
            caller,
            action,
            place,
        );
        self.views.insert(key.owned(), seen.clone());
        seen
    }

    /// All policies at once, with nothing remembered.
    #[cfg(test)]
    pub(super) fn permits_by_all(
        &self,
        caller: &Caller,
        action: Action,
        place: Place<'_>,
        document: Option<&[u8]>,
    ) -> bool {
        let group = &self.rules[action.index()].all;
        let question = Question {
            caller,
            action,
            place,
            document,
        };
        let said = self.evaluator.ask(group, question);
        said.is_some_and(|said| said.permits())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Kind as Credentials;

    fn schema(required: bool) -> Schema {
        let names: &[&str] = if required { &["count"] } else { &[] };
        let members = json!({
            "required": names, "properties": {"count": {"type": "integer"}}
        });
        Schema::new(
            &[("notes", &members)],
            &[("role", super::super::Type::String)],
        )
        .unwrap()
    }

    fn policies(text: &str, schema: &Schema) -> Policies {
        Policies::parse(&[("test", text)], schema).unwrap()
    }

    fn user(id: &str, claims: &Value) -> Principal {
        Principal {
            kind: Credentials::User,
            id: id.into(),
            claims: claims.as_object().cloned().unwrap_or_default().into(),
            expires_secs: None,
        }
    }

    fn reads(policies: &Policies, principal: &Principal, document: &str) -> bool {
        let caller = policies.caller(principal);
        let place = Place::Document("/notes/1");
        policies.permits(&caller, Action::Read, place, Some(document.as_bytes()))
    }

    #[test]
    fn section_11_what_cannot_be_evaluated_denies() {
        let permit = "permit (principal, action, resource);";
        let huge = r#"{"count": 9223372036854775807}"#;
        for (effect, fine) in [("forbid", true), ("permit", true)] {
            let text = format!(
                "{permit} {effect} (principal, action == Action::\"read\", resource) \
                 when {{ resource has document.count && resource.document.count + 1 == 0 }};"
            );
            let policies = policies(&text, &schema(false));
            let anybody = Principal::anonymous();
            assert_eq!(
                reads(&policies, &anybody, r#"{"count": 1}"#),
                fine,
                "{effect}"
            );
            assert!(!reads(&policies, &anybody, huge), "{effect}");
        }
    }

    #[test]
    fn a_member_that_all_schemas_require_denies_where_it_is_missing() {
        let text = "permit (principal, action == Action::\"read\", resource) \
                    when { resource has document && resource.document.count == 1 };";
        let anybody = Principal::anonymous();
        let required = policies(text, &schema(true));
        assert!(reads(&required, &anybody, r#"{"count": 1}"#));
        assert!(!reads(&required, &anybody, "{}"));
        let refused = Policies::parse(&[("test", text)], &schema(false));
        assert_eq!(refused.err().map(|faults| faults.len()), Some(1));
    }

    #[test]
    fn what_is_remembered_is_not_mistaken_for_somebody_elses() {
        let text = "permit (principal, action, resource) \
                    when { principal has claims.role && principal.claims.role == \"x\" };";
        let policies = policies(text, &schema(false));
        for _ in 0..2 {
            assert!(reads(&policies, &user("ann", &json!({"role": "x"})), "{}"));
            assert!(!reads(&policies, &user("ann", &json!({"role": "y"})), "{}"));
            assert!(!reads(&policies, &user("ann", &json!({})), "{}"));
            assert!(!reads(&policies, &Principal::anonymous(), "{}"));
        }
    }

    #[test]
    fn section_7_another_view_has_another_hash() {
        let hash = |text: &str, schema: &Schema, principal: &Principal| {
            let policies = policies(text, schema);
            policies.view_hash(&policies.caller(principal))
        };
        let (schema_now, text) = (schema(false), "permit (principal, action, resource);");
        let ann = user("ann", &json!({"role": "x", "iat": 1}));
        let first = hash(text, &schema_now, &ann);
        let later = user("ann", &json!({"iat": 2, "role": "x"}));
        assert_eq!(hash(text, &schema_now, &later), first);
        // A type on which no policy relies makes no difference.
        assert_eq!(hash(text, &schema(true), &ann), first);
        let key = Principal {
            kind: Credentials::Key,
            ..ann.clone()
        };
        for other in [
            user("bob", &json!({"role": "x"})),
            user("ann", &json!({})),
            key,
        ] {
            assert_ne!(hash(text, &schema_now, &other), first);
        }
        assert_ne!(hash(&format!("{text} "), &schema_now, &ann), first);
        // It is written into cursors, and must outlast a restart.
        assert_eq!(first, [151, 181, 255, 213, 219, 178, 104, 78]);
    }
}

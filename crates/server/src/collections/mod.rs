//! What holds for each collection (contract §12): its settings are documents below
//! `/_/collections/`, and this is what they come to.

mod described;
mod fields;
pub(crate) mod indexes;
mod instance;
mod pattern;
mod quota;
mod schema;
mod settings;
pub(crate) mod violations;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::Policy;
use matchbook_core::field::media_type::MediaType;
use matchbook_core::form::FieldType;
use matchbook_core::json::{self, text::quote_into};
use matchbook_core::problem::{Kind, Problem, Violation};
use matchbook_store::{Effect, Index};
use serde_json::Value;

use fields::Fields;
use pattern::Pattern;
pub(crate) use quota::full;
use schema::Schema;
use settings::{Preconditions, Settings, Source};

/// Why a document is not allowed that is not JSON.
const JSON_ONLY: &str = "the collection has a schema, and takes JSON only";

/// What holds for the members of a collection.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The operator's policy, with what the collection says otherwise.
    pub(crate) policy: Policy,
    schema: Option<Schema>,
    set: Vec<(String, Source)>,
    max_documents: Option<u64>,
    max_bytes: Option<u64>,
    /// What forms need to know; nothing where they may not save.
    fields: Fields,
    indexes: Vec<Index>,
    /// How long changes are kept at least.
    kept: Duration,
}

/// The rules of all collections that have settings.
#[derive(Debug, Default)]
pub(crate) struct Collections {
    /// In the order in which they are looked through.
    all: Vec<(Pattern, Arc<Rules>)>,
    /// The schema of each pattern that has one.
    schemas: Vec<(String, Value)>,
}

impl Collections {
    /// The rules of this collection, given as a canonical path; `None` if it has no
    /// settings.
    pub(crate) fn rules(&self, collection: &str) -> Option<Arc<Rules>> {
        let mut found = self
            .all
            .iter()
            .filter(|(pattern, _)| pattern.matches(collection));
        found.next().map(|(_, rules)| Arc::clone(rules))
    }

    /// The rules that are written for this pattern.
    fn written(&self, pattern: &Pattern) -> Option<&Arc<Rules>> {
        let mut all = self.all.iter();
        all.find_map(|(other, rules)| (other == pattern).then_some(rules))
    }

    /// How long the log of changes is kept at least: it is one log for all.
    pub(crate) fn kept(&self) -> Duration {
        let kept = self.all.iter().map(|(_, rules)| rules.kept);
        kept.max().unwrap_or_default()
    }

    /// Adds the settings of a document below `/_/collections`.
    ///
    /// # Errors
    /// 400, 415 or 422 for what cannot hold.
    pub(crate) fn add(
        &mut self,
        policy: &Policy,
        id: &str,
        content_type: &str,
        text: &[u8],
    ) -> Result<(), Problem> {
        if !is_json(content_type) {
            let detail = format!("settings are application/json, not {content_type}");
            return Err(Kind::UnsupportedContent.because(detail));
        }
        let pattern = Pattern::read(id).map_err(|why| Kind::BadTarget.because(why))?;
        let (settings, schema) = Settings::read(text)
            .map_err(|violation| Problem::invalid("these settings cannot hold", vec![violation]))?;
        if let Some(schema) = &settings.schema {
            self.schemas.push((pattern.to_string(), schema.clone()));
        }
        let rules = Arc::new(Rules::new(policy, settings, schema));
        let precedence = pattern.precedence();
        let place = self
            .all
            .partition_point(|(other, _)| other.precedence() <= precedence);
        self.all.insert(place, (pattern, rules));
        Ok(())
    }

    /// Whether any has such an index.
    fn any_index(&self, such: impl Fn(&Index) -> bool) -> bool {
        let mut indexes = self.all.iter().flat_map(|(_, rules)| rules.indexes.iter());
        indexes.any(such)
    }

    /// The schemas, each with the pattern that it is of.
    pub(crate) fn schemas(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.schemas
            .iter()
            .map(|(pattern, schema)| (pattern.as_str(), schema))
    }
}

fn is_json(content_type: &str) -> bool {
    MediaType::read(content_type).is_some_and(|media_type| media_type.is_json())
}

impl Rules {
    fn new(policy: &Policy, settings: Settings, schema: Option<Schema>) -> Self {
        let mut policy = policy.clone();
        if let Some(preconditions) = settings.preconditions {
            policy.preconditions_required = preconditions == Preconditions::Required;
        }
        if let Some(most) = settings.max_document_bytes {
            policy.max_document_bytes = most;
        }
        policy.forms = settings.forms;
        let typed = settings.schema.as_ref().filter(|_| settings.forms);
        Self {
            policy,
            schema,
            fields: typed.map(fields::fields).unwrap_or_default(),
            indexes: settings.wanted().unwrap_or_default(),
            set: settings.set.into_iter().collect(),
            max_documents: settings.max_documents,
            max_bytes: settings.max_bytes,
            kept: Duration::from_secs(settings.retention.map_or(0, |kept| kept.seconds)),
        }
    }

    /// What of a document the schema does not allow.
    fn violations(&self, content_type: &str, body: &[u8]) -> Vec<Violation> {
        match &self.schema {
            None => Vec::new(),
            Some(schema) if is_json(content_type) => schema.violations(body),
            Some(_) => vec![Violation {
                pointer: String::new(),
                detail: JSON_ONLY.to_owned(),
            }],
        }
    }

    /// What the member of this name is, if the schema says so.
    pub(crate) fn field_type(&self, name: &str) -> Option<FieldType> {
        self.fields.get(name).copied()
    }

    /// What a write comes to under the rules: the members set that the server sets, and
    /// checked by the schema. Says whether anything was set.
    ///
    /// # Errors
    /// 422 with what is not valid.
    pub(crate) fn apply(
        &self,
        effect: Effect,
        before: Option<&[u8]>,
        at: Timestamp,
        principal: &str,
    ) -> Result<(Effect, bool), Problem> {
        let Effect::Put {
            content_type,
            body,
            patch,
        } = effect
        else {
            return Ok((effect, false));
        };
        if !is_json(&content_type) {
            return match self.schema {
                None => Ok((put(content_type, body, patch), false)),
                Some(_) => Err(Problem::invalid(JSON_ONLY, Vec::new())),
            };
        }
        let (body, patch, is_set) = match self.set(&body, at, principal)? {
            None => (body, patch, false),
            Some(body) => {
                let patch = before.and_then(|before| short_patch(before, &body));
                (body, patch, true)
            }
        };
        let violations = self.schema.as_ref().map(|schema| schema.violations(&body));
        match violations {
            Some(violations) if !violations.is_empty() => Err(Problem::invalid(
                "the collection's schema does not allow this document",
                violations,
            )),
            _ => Ok((put(content_type, body, patch), is_set)),
        }
    }

    /// The document with what the server sets; `None` if that is nothing.
    fn set(&self, body: &Bytes, at: Timestamp, principal: &str) -> Result<Option<Bytes>, Problem> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        if self.set.is_empty() || !text.trim_start().starts_with('{') {
            return Ok(None);
        }
        let mut patch = String::from("{");
        for (index, (name, source)) in self.set.iter().enumerate() {
            if index > 0 {
                patch.push(',');
            }
            quote_into(&mut patch, name);
            patch.push(':');
            match source {
                Source::Now => quote_into(&mut patch, &at.to_string()),
                Source::Principal if principal.is_empty() => patch.push_str("\"\""),
                Source::Principal => quote_into(&mut patch, principal),
            }
        }
        patch.push('}');
        let set = json::merge(text, &patch, self.policy.max_document_bytes);
        let set = set.map_err(|_| Kind::ContentTooLarge.because("with what the server sets"))?;
        Ok(Some(Bytes::from(set)).filter(|set| set != body))
    }
}

fn put(content_type: Arc<str>, body: Bytes, patch: Option<Bytes>) -> Effect {
    Effect::Put {
        content_type,
        body,
        patch,
    }
}

fn short_patch(before: &[u8], after: &[u8]) -> Option<Bytes> {
    let before = std::str::from_utf8(before).ok()?;
    let text = std::str::from_utf8(after).ok()?;
    json::check(before.as_bytes()).ok()?;
    let patch = json::diff(before, text);
    (patch.len() < after.len()).then(|| Bytes::from(patch))
}

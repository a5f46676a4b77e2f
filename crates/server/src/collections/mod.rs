//! What holds for each collection (contract §12): its settings are documents below
//! `/_/collections/`, and this is what they come to.

pub(crate) mod indexes;
mod pattern;
mod schema;
mod settings;

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::Policy;
use matchbook_core::field::media_type::MediaType;
use matchbook_core::json::{self, text::quote_into};
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::{Effect, Index, ReadError, Scan, Store};

use indexes::Saves;
pub(crate) use indexes::Saving;
use pattern::Pattern;
use schema::Schema;
use settings::{Preconditions, Settings, Source};

/// Where the settings are.
const SETTINGS: &str = "/_/collections";

/// Settings that are read at a time.
const PIECE: usize = 256;

/// And their bytes.
const PIECE_BYTES: usize = 4 * 1_024 * 1_024;

/// What holds for the members of a collection.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The operator's policy, with what the collection says otherwise.
    pub(crate) policy: Policy,
    schema: Option<Schema>,
    set: Vec<(String, Source)>,
    indexes: Vec<Index>,
}

/// The rules of all collections that have settings.
#[derive(Debug, Default)]
pub(crate) struct Collections {
    known: RwLock<Known>,
    saves: Saves,
}

#[derive(Clone, Debug, Default)]
struct Known {
    all: Arc<All>,
    /// All settings up to here are in it.
    position: Revision,
}

/// In the order in which they are looked through.
#[derive(Clone, Debug, Default)]
struct All(Vec<(Pattern, Arc<Rules>)>);

impl All {
    fn rules(&self, collection: &str) -> Option<&Arc<Rules>> {
        let mut found = self
            .0
            .iter()
            .filter(|(pattern, _)| pattern.matches(collection));
        found.next().map(|(_, rules)| rules)
    }

    fn any_index(&self, is_one: impl Fn(&Index) -> bool) -> bool {
        let mut indexes = self.0.iter().flat_map(|(_, rules)| rules.indexes.iter());
        indexes.any(is_one)
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|(pattern, _)| pattern.precedence());
    }
}

impl Collections {
    /// The rules of this collection, given as a canonical path; `None` if it has no
    /// settings.
    pub(crate) fn rules(&self, collection: &str) -> Option<Arc<Rules>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.all.rules(collection).cloned()
    }

    /// Those of all collections.
    fn all(&self) -> Arc<All> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known.all)
    }

    /// Whether any collection has indexes.
    fn is_indexed(&self) -> bool {
        self.all().any_index(|_| true)
    }

    /// Reads all settings.
    ///
    /// # Errors
    /// [`ReadError`]; what held before still does.
    pub(crate) async fn load<S: Store>(&self, store: &S, policy: &Policy) -> Result<(), ReadError> {
        let settings = CollectionPath::parse(SETTINGS)
            .map_err(|fault| ReadError::Failed(fault.to_string()))?;
        let mut all = All::default();
        let mut after = None;
        let mut position = None;
        loop {
            let scan = Scan::members(settings.clone(), after, PIECE, PIECE_BYTES);
            let page = store.scan(scan).await?;
            position = position.or(Some(page.position.revision));
            for (path, document) in &page.items {
                match read(path, &document.body) {
                    Ok((pattern, settings, schema)) => {
                        all.0
                            .push((pattern, Arc::new(Rules::new(policy, settings, schema))));
                    }
                    // They were checked when they were saved.
                    Err(problem) => tracing::error!(%path, %problem, "settings cannot be read"),
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        all.sort();
        let position = position.unwrap_or(Revision::ZERO);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Two may read at a time, and the one that began later has all that the other has.
        if position >= known.position {
            let all = Arc::new(all);
            *known = Known { all, position };
        }
        Ok(())
    }
}

fn read(path: &DocumentPath, text: &[u8]) -> Result<(Pattern, Settings, Option<Schema>), Problem> {
    let pattern = Pattern::read(path.id()).map_err(|why| Kind::BadTarget.because(why))?;
    let (settings, schema) = Settings::read(text)
        .map_err(|violation| Problem::invalid("these settings cannot hold", vec![violation]))?;
    Ok((pattern, settings, schema))
}

/// Whether a write to this document changes what holds for a collection.
pub(crate) fn is_settings(path: &DocumentPath) -> bool {
    path.collection() == SETTINGS
}

impl Collections {
    /// Line 18 for settings themselves. What is returned is to be held until they are saved.
    ///
    /// # Errors
    /// 400 or 422 for what cannot hold, for its own sake or that of stored documents.
    pub(crate) async fn save<S: Store>(
        &self,
        store: &S,
        policy: &Policy,
        path: &DocumentPath,
        effect: &Effect,
    ) -> Result<Saving, Problem> {
        let pattern = Pattern::read(path.id()).map_err(|why| Kind::BadTarget.because(why))?;
        let mut unique = Vec::new();
        let new = match effect {
            Effect::Delete => None,
            Effect::Put {
                content_type, body, ..
            } if is_json(content_type) => {
                let (pattern, settings, schema) = read(path, body)?;
                unique.clone_from(&settings.unique);
                Some((pattern, Arc::new(Rules::new(policy, settings, schema))))
            }
            Effect::Put { content_type, .. } => {
                let detail = format!("settings are application/json, not {content_type}");
                return Err(Kind::UnsupportedContent.because(detail));
            }
        };
        let saving = self.saves.begin().await;
        let mut all = All::clone(&self.all());
        all.0.retain(|(known, _)| *known != pattern);
        all.0.extend(new);
        all.sort();
        if all.any_index(|index| index.unique) {
            let wanted = |collection: &str| {
                let concerned = Some(collection).filter(|name| pattern.matches(name));
                let rules = concerned.and_then(|name| all.rules(name));
                rules.map_or(Vec::new(), |rules| rules.indexes.clone())
            };
            let duplicates = self.build_unique(store, pattern.only(), wanted).await;
            indexes::refuse(duplicates, &unique)?;
        }
        Ok(saving)
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
        Self {
            policy,
            schema,
            indexes: settings.wanted().unwrap_or_default(),
            set: settings.set.into_iter().collect(),
        }
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
                Some(_) => Err(Problem::invalid(
                    "the collection has a schema, and takes JSON only",
                    Vec::new(),
                )),
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

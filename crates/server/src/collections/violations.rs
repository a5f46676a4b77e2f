//! Stored documents that a collection's schema does not allow: a schema binds what is written
//! later, and what was there before is counted and reported (contract §12).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Response;
use matchbook_core::decide::Resource;
use matchbook_core::json::text::quote_into;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::problem::Violation;
use matchbook_core::query::Place;
use matchbook_core::request::ListForm;
use matchbook_store::{Document, ReadError, Scan, Store};
use tokio::sync::{Notify, mpsc};

use super::indexes::all_with_members;
use super::pattern::Pattern;
use super::{Collections, Rules};
use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::pages;
use crate::setup::{COLLECTIONS, Setup};

/// Documents that are looked at at a time: few enough to hold no transaction long.
const PIECE: usize = 256;

/// Bodies that are looked at at a time.
const PIECE_BYTES: usize = 1_024 * 1_024;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 1;

/// The pattern whose violations are meant by what follows `/_/`.
pub(crate) fn pattern(name: &str) -> Option<Pattern> {
    let id = name.strip_prefix("collections/")?;
    let id = id.strip_suffix("/violations")?;
    let settings = DocumentPath::parse(&format!("{COLLECTIONS}/{id}")).ok()?;
    Pattern::read(settings.id()).ok()
}

/// One line for each document that is not allowed, and a last one that counts them.
pub(crate) fn page<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    pattern: &Pattern,
) -> Response<Body> {
    let Some(search) = Search::new(app.in_force.current(), pattern) else {
        return pages::missing(app, call);
    };
    if let Some(answer) = pages::decided(app, call, &Resource::Page) {
        return answer;
    }
    let (pieces, body) = mpsc::channel(PIECES_AHEAD);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        if let Err(error) = send_all(&app.store, search, &pieces).await {
            tracing::error!(%error, "a report of violations broke off");
            // The client is gone if this fails.
            let _ = pieces.send(Err(io::Error::other(error))).await;
        }
    });
    answer::page(ListForm::NdJson.media_type(), Body::Stream(body))
}

async fn send_all<S: Store>(
    store: &S,
    mut search: Search,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), ReadError> {
    while let Some(text) = search.next(store).await? {
        if !text.is_empty() && pieces.send(Ok(Bytes::from(text))).await.is_err() {
            return Ok(());
        }
    }
    let Counted {
        violations,
        documents,
    } = search.counted;
    let last = format!("{{\"violations\":{violations},\"documents\":{documents}}}\n");
    // A client that is gone does not want it.
    let _ = pieces.send(Ok(Bytes::from(last))).await;
    Ok(())
}

/// How many documents were looked at, and how many of them are not allowed.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    violations: u64,
    documents: u64,
}

/// A search through all that one pattern is about.
struct Search {
    setup: Arc<Setup>,
    rules: Arc<Rules>,
    /// The collections that are left, the next one last; `None` before they are known.
    left: Option<Vec<CollectionPath>>,
    /// Where it goes on in the next collection.
    after: Option<Place>,
    counted: Counted,
}

impl Search {
    /// `None` if no settings are written for the pattern.
    fn new(setup: Arc<Setup>, pattern: &Pattern) -> Option<Self> {
        let rules = Arc::clone(setup.collections.written(pattern)?);
        Some(Self {
            setup,
            rules,
            left: None,
            after: None,
            counted: Counted::default(),
        })
    }

    /// Looks at some more documents, and tells of those that are not allowed; `None` when
    /// all were looked at.
    ///
    /// # Errors
    /// What the store says.
    async fn next<S: Store>(&mut self, store: &S) -> Result<Option<String>, ReadError> {
        let left = match &mut self.left {
            Some(left) => left,
            none => none.insert(bound(store, &self.setup.collections, &self.rules).await?),
        };
        let Some(collection) = left.last() else {
            return Ok(None);
        };
        let after = self.after.take();
        let scan = Scan::members(collection.clone(), after, PIECE, PIECE_BYTES);
        let page = store.scan(scan).await?;
        self.after = page.next;
        if self.after.is_none() {
            left.pop();
        }
        self.counted.documents += page.items.len() as u64;
        let rules = Arc::clone(&self.rules);
        let items = page.items;
        let told = tokio::task::spawn_blocking(move || tell(&rules, &items)).await;
        let (text, violations) = told.map_err(|error| ReadError::Failed(error.to_string()))?;
        self.counted.violations += violations;
        Ok(Some(text))
    }
}

/// The collections with members that these rules hold for, rather than others.
async fn bound<S: Store>(
    store: &S,
    collections: &Collections,
    rules: &Arc<Rules>,
) -> Result<Vec<CollectionPath>, ReadError> {
    let mut all = all_with_members(store).await?;
    all.retain(|collection| {
        let held = collections.rules(collection.as_str());
        held.is_some_and(|held| Arc::ptr_eq(&held, rules))
    });
    all.reverse();
    Ok(all)
}

fn tell(rules: &Rules, items: &[(DocumentPath, Arc<Document>)]) -> (String, u64) {
    let mut text = String::new();
    let mut count = 0;
    for (path, document) in items {
        let violations = rules.violations(&document.content_type, &document.body);
        if !violations.is_empty() {
            line_into(&mut text, path, document, &violations);
            count += 1;
        }
    }
    (text, count)
}

fn line_into(
    text: &mut String,
    path: &DocumentPath,
    document: &Document,
    violations: &[Violation],
) {
    text.push_str("{\"path\":");
    quote_into(text, path.as_str());
    text.push_str(",\"etag\":");
    quote_into(text, &document.version.etag());
    for (index, Violation { pointer, detail }) in violations.iter().enumerate() {
        let open = if index == 0 { ",\"errors\":[" } else { "," };
        let _infallible = write!(text, "{open}{{\"pointer\":");
        quote_into(text, pointer);
        text.push_str(",\"detail\":");
        quote_into(text, detail);
        text.push('}');
    }
    text.push_str("]}\n");
}

/// Settings that were saved, and whose collections are yet to be searched.
#[derive(Debug, Default)]
pub(crate) struct Unchecked {
    /// Each once, so that there are never more than settings.
    ids: Mutex<BTreeSet<String>>,
    changed: Notify,
}

impl Unchecked {
    /// Notes those of these documents that are settings.
    pub(crate) fn note(&self, saved: &[DocumentPath]) {
        let settings = saved.iter().filter(|path| path.collection() == COLLECTIONS);
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extend(settings.map(|path| path.id().to_owned()));
        drop(ids);
        self.changed.notify_one();
    }

    async fn next(&self) -> String {
        loop {
            let first = {
                let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
                ids.pop_first()
            };
            match first {
                Some(id) => return id,
                None => self.changed.notified().await,
            }
        }
    }
}

impl<S: Store> App<S> {
    /// Counts the documents that settings do not allow when they were saved, and logs how
    /// many they are, for ever.
    pub async fn count_violations(&self) {
        loop {
            let id = self.unchecked.next().await;
            let pattern = Pattern::read(&id).ok();
            let setup = self.in_force.current();
            let search = pattern.and_then(|pattern| Search::new(setup, &pattern));
            let Some(mut search) = search.filter(|search| search.rules.schema.is_some()) else {
                continue;
            };
            let counted = loop {
                match search.next(&self.store).await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(search.counted),
                    Err(error) => break Err(error),
                }
            };
            match counted {
                Ok(Counted { violations: 0, .. }) => {}
                Ok(Counted {
                    violations,
                    documents,
                }) => tracing::warn!(
                    violations,
                    documents,
                    "stored documents that the schema does not allow: GET {COLLECTIONS}/{id}/violations"
                ),
                Err(error) => tracing::warn!(%error, "violations cannot be counted"),
            }
        }
    }
}

//! `import`: each line of a file becomes a document of a collection, under the rules of
//! that.
//!
//! Some hundred lines are one commit. A line that cannot be saved is told with its number,
//! and the rest goes on.

mod line;
mod place;

use std::collections::HashSet;
use std::sync::Arc;

use matchbook_core::json::Pointer;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::problem::{Kind, Violation};
use matchbook_core::tag::Revision;
use matchbook_store::Store;
use serde::{Deserialize, Serialize};

use super::id::Id;
use super::lines::{self, Bounds};
use super::start::source_id;
use super::step::{Piece, Stop, Tried, with_files};
use super::work::{collection, refuse, violation};
use crate::app::{App, now};
use crate::collections::Rules;
use crate::feed::is_followed;
use line::{Candidate, Found, Outcome, Reading, Saving};
pub(super) use place::Place;

/// Lines of a piece: their commit holds up others for some milliseconds.
const PIECE: usize = 256;

/// Bytes of a piece, after which no further line is begun.
const PIECE_BYTES: usize = 1_024 * 1_024;

/// Bytes of the documents that stand where a piece writes, after which it ends.
const STANDING_BYTES: usize = 8 * 1_024 * 1_024;

/// Bytes of a line besides its document, where there are any: path, tag and time.
const AROUND_BYTES: usize = 8 * 1_024;

/// How often one line is tried while other writes come between.
const ATTEMPTS: u32 = 16;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) collection: String,
    /// The export whose result it is; without, the content is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// Where in each document its id is; without, the server makes ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Whether a line is an item of a list, with the path that has the id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) items: bool,
    /// Whether documents that differ are overwritten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    replace: bool,
}

impl Asked {
    pub(super) fn check(&self) -> Vec<Violation> {
        let mut violations: Vec<_> = collection(&self.collection).err().into_iter().collect();
        let mut refuse = |is_bad, pointer: &str, detail: &str| {
            if is_bad {
                violations.push(violation(pointer, detail));
            }
        };
        let is_source = |source: &String| source_id(source).is_some();
        refuse(
            self.source
                .as_ref()
                .is_some_and(|source| !is_source(source)),
            "/source",
            "a source is an operation, such as /_/operations/{id}",
        );
        let is_pointer = |id: &String| Pointer::parse(id).is_ok();
        refuse(
            self.id.as_ref().is_some_and(|id| !is_pointer(id)),
            "/id",
            "a JSON Pointer is empty or begins with '/', such as /id",
        );
        refuse(
            self.items && self.id.is_some(),
            "/items",
            "the path of an item has its id: leave one of 'id' and 'items' out",
        );
        let has_ids = self.items || self.id.is_some() || self.source.is_some();
        refuse(
            self.replace && !has_ids,
            "/replace",
            "ids that the server makes name nothing that could be replaced: say where the id is",
        );
        violations
    }
}

/// An import, at one moment.
pub(super) struct Import<'a, S> {
    pub(super) app: &'a App<S>,
    pub(super) id: Id,
    pub(super) asked: &'a Asked,
    pub(super) principal: &'a str,
    /// What is known of this piece.
    pub(super) tried: Tried<'a>,
}

impl<S: Store> Import<'_, S> {
    /// The next piece.
    pub(super) async fn step(
        &self,
        place: &mut Place,
        (done, total): (&mut u64, &mut Option<u64>),
    ) -> Result<Piece, Stop> {
        self.fetch(place, total).await?;
        let into = collection(&self.asked.collection);
        let into = into.map_err(|fault| refuse(vec![fault]))?;
        let setup = self.app.in_force.current();
        let rules = setup.collections.rules(into.as_str());
        let policy = rules
            .as_ref()
            .map_or(&self.app.policy, |rules| &rules.policy);
        let max_bytes = policy.max_document_bytes;
        let (candidates, is_end) = self.candidates(into, place, max_bytes).await?;
        let (found, is_all) = self.find(candidates).await?;
        let count = found.len() as u64;
        if let Some(last) = found.last() {
            (place.offset, place.line) = (last.candidate.end, last.candidate.number);
        }
        let outcomes = self.outcomes(found, rules, max_bytes).await?;
        let mut writes = Vec::new();
        for (number, outcome) in outcomes {
            writes.extend(place.count(number, self.given_up(outcome)));
        }
        *done += count;
        let result = (is_end && is_all).then(|| place.result());
        Ok(Piece { writes, result })
    }

    /// Makes the result of an export the content.
    async fn fetch(&self, place: &mut Place, total: &mut Option<u64>) -> Result<(), Stop> {
        if let Some(received) = &place.content {
            *total = Some(received.lines);
            return Ok(());
        }
        if place.is_shared {
            return Ok(());
        }
        let source = self.asked.source.as_deref().and_then(source_id);
        let source = source.ok_or_else(|| Kind::Internal.because("an import without content"))?;
        let (files, id) = (self.app.operations.files.clone(), self.id);
        let shared = with_files(move || match files.share(source, id) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            done => done.map(|()| true),
        });
        if !shared.await? {
            let detail = "the result of the export is gone: it was kept for a day";
            return Err(refuse(vec![violation("/source", detail)]).into());
        }
        place.is_shared = true;
        Ok(())
    }

    /// The next lines, with the documents that they name: no document twice, because each
    /// line is to find what the one before it has made.
    async fn candidates(
        &self,
        into: CollectionPath,
        place: &Place,
        max_bytes: usize,
    ) -> Result<(Vec<Candidate>, bool), Stop> {
        let bounds = Bounds {
            // Where others write too, less at a time gets through, and what never does is
            // found.
            lines: (PIECE >> (2 * self.tried.attempts).min(8)).max(1),
            bytes: PIECE_BYTES,
            line_bytes: max_bytes + AROUND_BYTES,
        };
        let reading = Reading::new(into, self.asked)?;
        let (files, id) = (self.app.operations.files.clone(), self.id);
        let (offset, number) = (place.offset, place.line);
        with_files(move || {
            let file = files.read(&files.content(id), offset)?;
            let (lines, is_end) = lines::read(file, offset, number, bounds)?;
            let mut named: HashSet<DocumentPath> = HashSet::new();
            let mut candidates = Vec::with_capacity(lines.len());
            for line in lines {
                let candidate = reading.read(line);
                if let Ok((path, _)) = &candidate.document
                    && !named.insert(path.clone())
                {
                    return Ok((candidates, false));
                }
                candidates.push(candidate);
            }
            Ok((candidates, is_end))
        })
        .await
    }

    /// Loads the documents that stand, and leaves the rest for the next piece when these
    /// are large. Tells whether that is nothing.
    async fn find(&self, candidates: Vec<Candidate>) -> Result<(Vec<Found>, bool), Stop> {
        let mut found = Vec::with_capacity(candidates.len());
        let mut bytes = 0;
        let mut candidates = candidates.into_iter();
        for candidate in candidates.by_ref() {
            let (current, followed) = match &candidate.document {
                Ok((path, _)) => (
                    self.app.store.load(path, Revision::ZERO).await?,
                    is_followed(self.app, path),
                ),
                Err(_) => (None, false),
            };
            bytes += current.as_ref().map_or(0, |current| current.body.len());
            found.push(Found {
                candidate,
                current,
                followed,
            });
            if bytes > STANDING_BYTES {
                break;
            }
        }
        let is_all = candidates.next().is_none();
        Ok((found, is_all))
    }

    /// What becomes of each line.
    async fn outcomes(
        &self,
        found: Vec<Found>,
        rules: Option<Arc<Rules>>,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Outcome)>, Stop> {
        let saving = Saving {
            rules,
            max_bytes,
            replace: self.asked.replace,
            at: now(),
            principal: self.principal.to_owned(),
        };
        with_files(move || {
            let outcomes = found
                .into_iter()
                .map(|found| (found.candidate.number, saving.save(found)));
            Ok(outcomes.collect())
        })
        .await
    }

    /// A line that cannot be saved, or that was tried alone and too often.
    fn given_up(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Write { write, .. } if self.tried.taken.contains_key(&write.path) => {
                let why = self.tried.taken.get(&write.path);
                Outcome::Refused(why.cloned().unwrap_or_default())
            }
            Outcome::Write { .. } if self.tried.attempts >= ATTEMPTS => {
                Outcome::Refused("other writes came between, again and again".to_owned())
            }
            outcome => outcome,
        }
    }
}

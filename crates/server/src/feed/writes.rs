//! From entries of the log to events.

use std::sync::Arc;

use matchbook_core::feed::{Change, Content, Cursor, Effect as Seen, Event, Lens, Write};
use matchbook_store::{ChangesError, Document, Effect, Entry, Store};

use super::spec::Spec;

/// An entry, and the document before it where that was needed.
pub(super) struct Known {
    pub(super) entry: Arc<Entry>,
    pub(super) before: Option<Arc<Document>>,
}

impl Known {
    /// Loads what came before, if `needed`.
    ///
    /// # Errors
    /// [`ChangesError::Compacted`] if the log was trimmed meanwhile.
    pub(super) async fn of<S: Store>(
        store: &S,
        entry: Arc<Entry>,
        needed: impl FnOnce(&Write<'_>) -> bool,
    ) -> Result<Self, ChangesError> {
        let before = match entry.previous {
            Some(previous) if needed(&write(&entry)) => {
                let before = store.load_version(&entry.path, previous).await?;
                // Not known is not the same as not there: a `leave` would be lost.
                Some(before.ok_or(ChangesError::Compacted)?)
            }
            _ => None,
        };
        Ok(Self { entry, before })
    }

    /// The content before.
    pub(super) fn content_before(&self) -> Option<Content<'_>> {
        let before = self.before.as_ref()?;
        Some(Content::of(&before.content_type, &before.body))
    }
}

/// An entry as the feed sees it.
pub(super) fn write(entry: &Entry) -> Write<'_> {
    Write {
        path: &entry.path,
        version: entry.version,
        previous: entry.previous,
        modified: entry.modified,
        effect: match &entry.effect {
            Effect::Delete => Seen::Delete,
            Effect::Put {
                content_type,
                body,
                patch,
            } => Seen::Put {
                content: Content::of(content_type, body),
                patch: patch
                    .as_ref()
                    .and_then(|patch| std::str::from_utf8(patch).ok()),
            },
        },
    }
}

/// Where the events of a batch stand in the log.
pub(super) struct Place {
    /// Before the batch.
    pub(super) before: Cursor,
    /// With all of the batch.
    pub(super) end: Cursor,
}

/// Appends what a batch means to readers, to an event stream. Returns how
/// many events that were.
pub(super) fn blocks_into<'a>(
    stream: &mut String,
    batch: impl Iterator<Item = &'a Known>,
    spec: &Spec,
    place: &Place,
) -> usize {
    each(batch, spec, |change| {
        // Whoever has not seen the batch's end resumes before it.
        let id = if change.more {
            &place.before
        } else {
            &place.end
        };
        Event::Change(change).block_into(stream, id, None);
    })
}

/// Appends the same as entries of a page, each with what `separate` writes before it.
pub(super) fn entries_into<'a>(
    json: &mut String,
    batch: impl Iterator<Item = &'a Known>,
    spec: &Spec,
    separate: impl Fn(&mut String),
) -> usize {
    each(batch, spec, |change| {
        separate(json);
        change.entry_into(json);
    })
}

fn each<'a>(
    batch: impl Iterator<Item = &'a Known>,
    spec: &Spec,
    mut write_out: impl FnMut(Change<'_>),
) -> usize {
    let seen = batch.map(|known| (write(&known.entry), known.content_before()));
    // The batches of nearly all writes hold one.
    let seen: Vec<_> = seen.collect();
    let changes = seen
        .iter()
        .filter_map(|(write, before)| seen_by(spec, write, before.as_ref()));
    let mut changes = changes.peekable();
    let mut count = 0;
    while let Some(mut change) = changes.next() {
        change.more = changes.peek().is_some();
        write_out(change);
        count += 1;
    }
    count
}

/// What a write means to a reader.
fn seen_by<'w>(
    spec: &Spec,
    write: &'w Write<'_>,
    before: Option<&Content<'_>>,
) -> Option<Change<'w>> {
    let sees = |content: &Content<'_>| spec.sight.sees(write.path, content);
    let needs_content = spec.sight.needs_content();
    if !needs_content && !spec.sight.sees_path(write.path) {
        return None;
    }
    let lens = Lens {
        query: &spec.query,
        sees: needs_content.then_some(&sees),
    };
    write.seen_by(lens, before)
}

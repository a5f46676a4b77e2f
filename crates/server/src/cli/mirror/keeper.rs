//! Keeps files equal to what a feed tells.
//!
//! Invariants, whatever moment the process is killed at:
//! 1. A file is written or removed only if the journal says that it is the mirror's. The
//!    claim to a new file is on the disk before the file is.
//! 2. The journal's cursor is never ahead of the files.
//! 3. What the journal says of a file is either true, or does not fit the file's
//!    checksum: then [`Keeper::repair`] gets the document anew.

use std::io;

use bytes::Bytes;
use matchbook_core::json::Patch;
use matchbook_core::tag::Version;

use super::super::exit::{Exit, Failure};
use super::super::stream::{Change, EVENT_BYTES, Event, Kind, Told};
use super::decide::{Action, Has, decide};
use super::journal::{FORMAT, Held, Holdings, Print, Step};
use super::name::file_of;

/// Where files and journal are.
pub(super) trait Disk {
    /// The content of a file; `None` if there is none.
    fn read(&mut self, id: &str) -> io::Result<Option<Vec<u8>>>;

    /// Writes a file: all of it, or nothing.
    fn write(&mut self, id: &str, content: &[u8]) -> io::Result<()>;

    /// Removes a file, if there is one.
    fn remove(&mut self, id: &str) -> io::Result<()>;

    /// Whether something has the name of the file.
    fn is_taken(&self, id: &str) -> io::Result<bool>;

    /// Appends to the journal; with `is_synced` it is on the disk then.
    fn append(&mut self, lines: &str, is_synced: bool) -> io::Result<()>;

    /// Puts another journal in the place of the present one: all of it, or nothing.
    fn rewrite(&mut self, journal: &str) -> io::Result<()>;
}

/// Where single documents are got from.
pub(super) trait Source {
    /// The document as it is now; `None` if there is none, or none to be read.
    async fn get(&mut self, id: &str) -> Result<Option<(Version, Bytes)>, Failure>;
}

/// A mirror at work.
pub(super) struct Keeper<D, S> {
    pub(super) disk: D,
    source: S,
    holdings: Holdings,
    /// There may be files that the last snapshot did not bring.
    is_unswept: bool,
    /// Lines of steps that were taken and are not in the journal yet.
    unwritten: String,
    /// The number of files that were written or removed.
    pub(super) done: u64,
    /// The collection of all that is told.
    collection: Option<String>,
    /// The last segment of what was asked for: the feed of anything else is a mistake.
    expected: String,
}

impl<D: Disk, S: Source> Keeper<D, S> {
    /// Goes on where a journal ends. With `exact`, each file is made of what the server
    /// gives for it, byte for byte, instead of what the feed tells.
    ///
    /// # Errors
    /// The disk's. The journal is of another collection, unless `is_moved` says that
    /// this one is in its place now.
    pub(super) fn new(
        disk: D,
        source: S,
        journal: &str,
        of: &str,
        exact: bool,
        is_moved: bool,
    ) -> Result<Self, Failure> {
        let (holdings, is_torn) = Holdings::read(journal);
        let mut keeper = Self {
            disk,
            source,
            holdings,
            is_unswept: true,
            unwritten: String::new(),
            done: 0,
            collection: None,
            expected: of.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        keeper.settle(of, exact, is_moved)?;
        if is_torn || !keeper.unwritten.is_empty() {
            keeper.unwritten.clear();
            keeper.disk.rewrite(&keeper.holdings.journal())?;
        }
        Ok(keeper)
    }

    /// Sees to it that the journal is one of what is wanted.
    fn settle(&mut self, of: &str, exact: bool, is_moved: bool) -> Result<(), Failure> {
        let present = self.holdings.of.clone();
        let is_other = present.as_deref().is_some_and(|present| present != of);
        if let Some(present) = &present
            && is_other
            && !is_moved
        {
            return Err(Failure::usage(format!(
                "the directory is a mirror of {present}; --force makes it one of {of}"
            )));
        }
        if present.is_some() && self.holdings.format != FORMAT {
            return Err(Failure::usage("a later program has made this mirror"));
        }
        if is_other {
            self.take(Step::Reset);
        }
        if exact && !self.holdings.exact {
            for id in self.holdings.ids(|_| true) {
                self.take(Step::Claim(id));
            }
        }
        if present.as_deref() != Some(of) || self.holdings.exact != exact {
            self.take(Step::Mirror {
                format: FORMAT,
                of: of.to_owned(),
                exact,
            });
        }
        Ok(())
    }

    /// Where the feed is to go on; empty at the beginning.
    pub(super) fn cursor(&self) -> &str {
        &self.holdings.cursor
    }

    /// The number of documents.
    pub(super) fn len(&self) -> usize {
        self.holdings.len()
    }

    /// Gets each document whose file is not what the journal says: because the process
    /// was killed between the two, or because somebody else has changed the file.
    /// Returns how many.
    ///
    /// # Errors
    /// The disk's and the source's.
    pub(super) async fn repair(&mut self) -> Result<usize, Failure> {
        let ids = self.holdings.ids(|_| true);
        let mut broken = 0;
        for id in ids {
            let held = self.holdings.get(&id).and_then(|entry| entry.held);
            if self.content(&id, held)?.is_none() {
                self.renew(&id).await?;
                broken += 1;
            }
        }
        self.flush()?;
        Ok(broken)
    }

    /// Gets each document anew of which something is known that the cursor is behind of:
    /// when a line is come back to, that may be of a history that was lost.
    ///
    /// # Errors
    /// The disk's and the source's.
    pub(super) async fn come_back(&mut self) -> Result<(), Failure> {
        for id in self.holdings.doubtful() {
            self.renew(&id).await?;
        }
        self.flush()
    }

    async fn renew(&mut self, id: &str) -> Result<(), Failure> {
        self.take(Step::Claim(id.to_owned()));
        self.fetch(id, None).await
    }

    /// Takes what was heard in. Returns whether the files now are what the server has.
    ///
    /// # Errors
    /// The disk's and the source's; the feed is none of a collection. What was done is
    /// in the journal, and the cursor is still that before the events.
    pub(super) async fn hear(&mut self, events: &[Event]) -> Result<bool, Failure> {
        let heard = self.hear_all(events).await;
        if heard.is_ok()
            && let Some(last) = events.last()
            && *last.id != *self.holdings.cursor
        {
            self.take(Step::Cursor(last.id.to_string()));
        }
        self.flush()?;
        if self.holdings.is_long() {
            self.disk.rewrite(&self.holdings.journal())?;
            self.holdings = Holdings::read(&self.holdings.journal()).0;
        }
        heard
    }

    /// Writes the journal down.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let lines = std::mem::take(&mut self.unwritten);
        if !lines.is_empty() {
            self.disk.append(&lines, false)?;
        }
        Ok(())
    }

    async fn hear_all(&mut self, events: &[Event]) -> Result<bool, Failure> {
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            let of = |fault| Failure::new(Exit::Refused, fault);
            told.push(event.told().map_err(of)?);
        }
        for told in &told {
            if let Told::Change(change) = told {
                self.check(change)?;
            }
        }
        let puts = told.iter().filter_map(|told| match told {
            Told::Change(change) if is_put(change) => Some(change.path.id()),
            _ => None,
        });
        // All at once: a sync is what costs.
        self.claim(puts)?;
        let mut is_synced = false;
        for told in &told {
            match told {
                Told::Change(change) => self.change(change).await?,
                Told::Reset(_) => {
                    self.take(Step::Reset);
                    self.is_unswept = true;
                }
                Told::Synced => self.sweep()?,
                Told::End(_) | Told::Nothing => {}
            }
            is_synced = matches!(told, Told::Synced);
        }
        Ok(is_synced)
    }

    /// A mirror is of one collection: its files would share names otherwise.
    fn check(&mut self, change: &Change<'_>) -> Result<(), Failure> {
        let collection = change.path.collection();
        if self.collection.as_deref() == Some(collection) {
            return Ok(());
        }
        let is_first = self.collection.is_none();
        if is_first && collection.rsplit('/').next() == Some(&self.expected) {
            self.collection = Some(collection.to_owned());
            return Ok(());
        }
        let path = &change.path;
        Err(Failure::usage(format!(
            "only a collection can be mirrored, and what was told is about {path}"
        )))
    }

    /// Claims the files of new documents.
    fn claim<'a>(&mut self, ids: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let mut is_new = false;
        for id in ids {
            if self.holdings.get(id).is_some() {
                continue;
            }
            if self.disk.is_taken(id)? {
                return Err(Failure::usage(format!(
                    "{} is there already, and none of the mirror's: move it away",
                    file_of(id).display()
                )));
            }
            self.take(Step::Claim(id.to_owned()));
            is_new = true;
        }
        if is_new {
            let lines = std::mem::take(&mut self.unwritten);
            self.disk.append(&lines, true)?;
        }
        Ok(())
    }

    async fn change(&mut self, change: &Change<'_>) -> Result<(), Failure> {
        let id = change.path.id();
        match decide(self.has(id), change, self.holdings.exact) {
            Action::Skip => {}
            Action::Confirm(held) => self.take(Step::hold(id, held)),
            Action::Write(version, text) => self.write(id, version, text.as_bytes())?,
            Action::Patch(held, version, patch) => match self.patched(id, held, patch)? {
                Some(text) => self.write(id, version, text.as_bytes())?,
                None => self.fetch(id, Some(version)).await?,
            },
            Action::Fetch(version) => self.fetch(id, Some(version)).await?,
            Action::Remove => self.remove(id)?,
        }
        Ok(())
    }

    fn has(&self, id: &str) -> Has {
        let Some(entry) = self.holdings.get(id) else {
            return Has::Nothing;
        };
        match entry.held {
            None => Has::Something,
            Some(held) if self.holdings.is_confirmed(entry) => Has::Now(held),
            Some(held) => Has::Old(held),
        }
    }

    /// The content of a file, if it is what is held.
    fn content(&mut self, id: &str, held: Option<Held>) -> Result<Option<Vec<u8>>, Failure> {
        let content = self.disk.read(id)?;
        Ok(content.filter(|content| held.is_some_and(|held| held.print == Print::of(content))))
    }

    fn patched(&mut self, id: &str, held: Held, patch: &str) -> Result<Option<String>, Failure> {
        let content = self.content(id, Some(held))?;
        let text = content.and_then(|content| String::from_utf8(content).ok());
        Ok(text.and_then(|text| Patch::parse(patch).ok()?.apply(&text, EVENT_BYTES).ok()))
    }

    /// Gets a document, of this version or a later one.
    async fn fetch(&mut self, id: &str, version: Option<Version>) -> Result<(), Failure> {
        match self.source.get(id).await? {
            Some((found, _)) if version.is_some_and(|v| v.revision > found.revision) => {
                let why = format!("the server gave {found} of {id}, which is too old");
                Err(Failure::unreachable(why))
            }
            Some((found, content)) => self.write(id, found, &content),
            None => {
                // Until the feed tells that it has gone, and when, that is not settled.
                self.disk.remove(id)?;
                self.take(Step::Claim(id.to_owned()));
                Ok(())
            }
        }
    }

    fn write(&mut self, id: &str, version: Version, content: &[u8]) -> Result<(), Failure> {
        self.claim(std::iter::once(id))?;
        self.disk.write(id, content)?;
        self.done += 1;
        let print = Print::of(content);
        self.take(Step::hold(id, Held { version, print }));
        Ok(())
    }

    fn remove(&mut self, id: &str) -> Result<(), Failure> {
        if self.holdings.get(id).is_some() {
            self.disk.remove(id)?;
            self.done += 1;
            self.take(Step::Drop(id.to_owned()));
        }
        Ok(())
    }

    /// A snapshot is complete: what it did not bring is no more.
    fn sweep(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.is_unswept) {
            return Ok(());
        }
        let holdings = &self.holdings;
        for id in holdings.ids(|entry| !holdings.is_confirmed(entry)) {
            self.remove(&id)?;
        }
        Ok(())
    }

    fn take(&mut self, step: Step) {
        self.holdings.take(&step);
        step.line_into(&mut self.unwritten);
    }
}

/// Whether there is a document after the change.
fn is_put(change: &Change<'_>) -> bool {
    matches!(change.kind, Kind::Put { .. } | Kind::Patch { .. })
}

#[cfg(test)]
mod tests;

//! The thread that reads documents and hands them to the connections.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use matchbook_core::name::CollectionPath;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::super::exit::Failure;
use super::super::pointer::Pointer;
use super::super::split::{Piece, SplitFault, Splitter};
use super::{Shared, input};

/// Bytes of documents that are read and not yet saved. What bounds the memory of an
/// import of any size.
pub(super) const READ_AHEAD_BYTES: usize = 32 * 1_024 * 1_024;

/// A document to save.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) path: String,
    /// The path is a collection: the server makes the id.
    pub(super) is_post: bool,
    pub(super) text: Bytes,
    /// Its share of [`READ_AHEAD_BYTES`].
    pub(super) _memory: OwnedSemaphorePermit,
}

/// Everything that the thread needs.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) collection: String,
    pub(super) id: Option<Pointer>,
    pub(super) from: u64,
    pub(super) queues: Vec<mpsc::Sender<Job>>,
}

impl Reader {
    /// Starts the thread. It ends with the input, or when the workers have gone;
    /// nobody waits for it, since a read of stdin may never end.
    pub(super) fn spawn(self, splitter: Splitter<input::Reader>) -> io::Result<()> {
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("import reader".to_owned())
            .spawn(move || self.read(splitter, &runtime))
            .map(|_| ())
    }

    fn read(self, mut splitter: Splitter<input::Reader>, runtime: &Handle) {
        while !self.shared.is_stopping() {
            let piece = match splitter.next_piece() {
                Ok(Some(piece)) => piece,
                Ok(None) => return,
                Err(SplitFault::TooLong(number)) => {
                    self.shared.refuse(number, "longer than any server takes");
                    continue;
                }
                Err(SplitFault::Broken(why)) => return self.shared.refuse_rest(&why),
                Err(SplitFault::Io(error)) => {
                    return self
                        .shared
                        .give_up(Failure::usage(format!("cannot read on: {error}")));
                }
            };
            if piece.number >= self.from && !self.hand_over(piece, runtime) {
                return;
            }
        }
    }

    /// Queues one document. False if nobody takes documents any more.
    fn hand_over(&self, piece: Piece, runtime: &Handle) -> bool {
        let (path, place) = match self.place(&piece) {
            Ok(place) => place,
            Err(why) => {
                self.shared.refuse(piece.number, why);
                return true;
            }
        };
        let Some(queue) = self.queues.get(place) else {
            return false;
        };
        self.shared.ledger.begin(piece.number);
        let size = piece.text.len().min(READ_AHEAD_BYTES);
        let memory = Arc::clone(&self.shared.memory);
        let Some(memory) = take_memory(memory, size, runtime) else {
            return false;
        };
        let job = Job {
            number: piece.number,
            path,
            is_post: self.id.is_none(),
            text: piece.text,
            _memory: memory,
        };
        queue.blocking_send(job).is_ok()
    }

    /// The path that the document goes to, and the queue that takes it.
    fn place(&self, piece: &Piece) -> Result<(String, usize), String> {
        let Some(pointer) = &self.id else {
            return Ok((self.collection.clone(), 0));
        };
        let id = pointer.id_in(&piece.text)?;
        let segment = encode_segment(&id).map_err(|why| format!("the id {id:?}: {why}"))?;
        let path = format!("{}/{segment}", self.collection);
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let place = hasher.finish() % self.queues.len().max(1) as u64;
        Ok((path, usize::try_from(place).unwrap_or(0)))
    }
}

impl Shared {
    /// Reports that the input cannot be understood from here on.
    fn refuse_rest(&self, why: &str) {
        self.tally
            .failed
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.progress.say(why);
    }
}

/// An id as a path's segment, by the rules of names.
fn encode_segment(id: &str) -> Result<String, matchbook_core::name::NameFault> {
    // The name of the collection makes no difference to the segment.
    let member = CollectionPath::parse("/c")?.member(id)?;
    Ok(member.id().to_owned())
}

fn take_memory(
    memory: Arc<tokio::sync::Semaphore>,
    size_bytes: usize,
    runtime: &Handle,
) -> Option<OwnedSemaphorePermit> {
    let permits = u32::try_from(size_bytes).unwrap_or(u32::MAX);
    match Arc::clone(&memory).try_acquire_many_owned(permits) {
        Ok(permit) => Some(permit),
        Err(_) => runtime.block_on(memory.acquire_many_owned(permits)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_1_ids_become_segments() {
        assert_eq!(encode_segment("a/b").ok(), None);
        assert_eq!(encode_segment("").ok(), None);
        assert_eq!(encode_segment("né b").unwrap(), "n%C3%A9%20b");
        assert_eq!(encode_segment("50%").unwrap(), "50%25");
    }
}

//! Where documents are kept: one narrow trait, [`Store`], and its engines.
//!
//! A store is a change log with an index to the latest entry of each document. It
//! knows revisions and bytes; it never knows a status code, a header field or the
//! text of an event.
//!
//! What every engine guarantees (the numbers are cited where they are kept):
//! 1. **Durable**: a commit that answers `Ok` survives the loss of power.
//! 2. **Compare and set**: a batch applies only if, for each of its writes and each
//!    document that it leaves as it is, the document stands at the expected revision at
//!    that very moment; all of the batch applies or none of it.
//! 3. **One number**: each write that applies gets a revision larger than all before;
//!    the revision is its position in the log. Revisions are not dense.
//! 4. **Epochs**: each opening begins a new epoch, and a [`Version`] names the epoch
//!    under which its revision was written, for ever.
//! 5. **Fresh reads**: a read sees every write that was acknowledged before it began,
//!    and none that is not yet durable.
//! 6. **Log and documents agree**: an entry and the document that it makes are one
//!    atomic commit.
//! 7. **Fail stop**: after a commit whose fate is unknown nothing is acknowledged
//!    until the store is opened again.
//! 8. **Indexes change nothing**: a page is the same with an index as without, but for the
//!    time that it takes. While a unique one is ready, no write gives a second member of
//!    the collection an equal value.
//! 9. **Quotas**: no write makes a collection hold more than its batch says that it may.
//!
//! Applying a batch is pure: everything that could differ from one machine to the
//! next (time, ids, validation) is decided before [`Store::commit`], so that a
//! replicated log of batches applies the same way everywhere.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod faulty;
mod index;
mod observer;
mod quota;
mod scan;
#[cfg(any(test, feature = "testing"))]
pub mod simulated;
pub mod sqlite;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Epoch, Revision, Version};
use tokio::sync::watch;

pub use error::{ChangesError, CommitError, ReadError, Rejection, Taken};
pub use index::{Built, Duplicates, Index, IndexState};
pub use observer::{Observer, Unobserved};
pub use quota::{Excess, Measure, Quota};
pub use scan::{Only, Page, Scan};

/// The version of [`Batch`]'s meaning. A replicated log holds it beside each batch, so
/// that a node never applies what it would read differently.
pub const BATCH_FORMAT: u16 = 3;

/// Keeps documents and the log of their changes.
pub trait Store: Send + Sync + 'static {
    /// Where the store stands. Never blocks.
    fn status(&self) -> Status;

    /// The applied position, as it grows: for those who follow the log.
    fn applied(&self) -> watch::Receiver<Revision>;

    /// The document as it stands, if that is known at once; otherwise [`Store::load`]
    /// tells. Never blocks.
    fn peek(&self, path: &DocumentPath) -> Option<Arc<Document>>;

    /// The document as it stands, at `at_least` or later; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadError`].
    fn load(
        &self,
        path: &DocumentPath,
        at_least: Revision,
    ) -> impl Future<Output = Result<Option<Arc<Document>>, ReadError>> + Send;

    /// Several documents, each as it stands: of the first of these paths, as many as have
    /// `max_bytes` together, and at least one of them.
    ///
    /// # Errors
    /// [`ReadError`].
    fn load_all(
        &self,
        paths: Vec<DocumentPath>,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Option<Arc<Document>>>, ReadError>> + Send;

    /// The document as it stood at exactly this version; `None` if that was never
    /// this document's, belongs to another history, or is no longer in the log.
    ///
    /// # Errors
    /// [`ReadError`].
    fn load_version(
        &self,
        path: &DocumentPath,
        version: Version,
    ) -> impl Future<Output = Result<Option<Arc<Document>>, ReadError>> + Send;

    /// One piece of a collection.
    ///
    /// # Errors
    /// [`ReadError`].
    fn scan(&self, scan: Scan) -> impl Future<Output = Result<Page, ReadError>> + Send;

    /// The collections that have members, but for the server's own, in order of path,
    /// after `after`, at most `limit` of them.
    ///
    /// # Errors
    /// [`ReadError`].
    fn collections(
        &self,
        after: Option<CollectionPath>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<CollectionPath>, ReadError>> + Send;

    /// A version not earlier than the last acknowledged write that touched a member of
    /// the collection, deletions included. It never goes back, and mostly stays the
    /// same until the next such write or opening; it may move on without one. Never
    /// blocks and never scans. To be read before the members that it is to stand for.
    fn touched(&self, collection: &CollectionPath) -> Version;

    /// A piece of the log: the entries after `from` that are in the scope, oldest first.
    ///
    /// A piece ends when it holds `limit` entries (at least 1), or many bytes, or when
    /// many entries outside of the scope were passed over, so that it may be empty
    /// although more follows. It ends between batches only, and exceeds its limits
    /// rather than split one. Who asks again from its [`Changes::position`] for as long
    /// as there is [`Changes::more`] gets each entry of the scope once, in order of
    /// revision. Where nothing in the scope was written since `from`, the answer comes
    /// without a look at the log, mostly.
    ///
    /// # Errors
    /// [`ChangesError`].
    fn changes(
        &self,
        from: Version,
        scope: &Scope,
        limit: usize,
    ) -> impl Future<Output = Result<Changes, ChangesError>> + Send;

    /// Commits a batch and waits until it is durable. Answers the versions of its
    /// writes, in their order.
    ///
    /// # Errors
    /// [`CommitError`].
    fn commit(
        &self,
        operation: OperationId,
        batch: Batch,
    ) -> impl Future<Output = Result<Vec<Version>, CommitError>> + Send;

    /// How far to trim a log that is to keep what was written at this time and later,
    /// and at least `keep` entries: to the last entry that is neither, or to the horizon
    /// if there is none. Times do not order writes: where a clock was set back, the
    /// answer may be off, by no more than the clock was.
    ///
    /// # Errors
    /// [`ReadError`].
    fn before(
        &self,
        at: Timestamp,
        keep: u64,
    ) -> impl Future<Output = Result<Revision, ReadError>> + Send;

    /// Moves the horizon to `before`, or to the end if that is earlier:
    /// [`Store::changes`] from before it answers [`ChangesError::Compacted`]. Drops the
    /// deletions before it and what was superseded before it; what an entry after it
    /// superseded is kept, as are the documents as they stand. Does its work in pieces
    /// that do not hold up commits.
    ///
    /// # Errors
    /// [`CommitError`].
    fn trim(&self, before: Revision) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// The indexes of a collection, ready or not. Never blocks.
    fn indexes(&self, collection: &CollectionPath) -> Vec<IndexState>;

    /// The collections that have indexes, ready or not. Never blocks.
    fn indexed(&self) -> Vec<CollectionPath>;

    /// Those with work left for [`Store::build_indexes`]. Never blocks.
    fn unfinished(&self) -> Vec<CollectionPath>;

    /// Gives a collection these indexes besides those that it has, and takes these away.
    /// Those of a collection without members are ready at once; others, and what is taken
    /// away, are work for [`Store::build_indexes`].
    ///
    /// # Errors
    /// [`CommitError`].
    fn alter_indexes(
        &self,
        collection: &CollectionPath,
        add: Vec<Index>,
        take: Vec<Index>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Does one piece of the work on a collection's indexes, which does not hold up
    /// commits, and goes on where the last one ended, be it before this opening. An index
    /// is ready when its last piece is done.
    ///
    /// # Errors
    /// [`CommitError`].
    fn build_indexes(
        &self,
        collection: &CollectionPath,
    ) -> impl Future<Output = Result<Built, CommitError>> + Send;
}

/// Where a store stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The epoch that this opening began.
    pub epoch: Epoch,
    /// The last applied write, or the position before the first.
    pub applied: Version,
    /// [`Store::changes`] can answer from here on.
    pub horizon: Revision,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// How many of them trimming has freed: the next writes use them again. Counted now
    /// and then.
    pub free_bytes: u64,
    /// False once a commit's fate was unknown (guarantee 7).
    pub writable: bool,
}

/// A document as it stood at one version.
#[derive(Debug)]
pub struct Document {
    /// The write that made it so.
    pub version: Version,
    /// When that was.
    pub modified: Timestamp,
    /// Its media type, as the writer sent it.
    pub content_type: Arc<str>,
    /// Its bytes, as the writer sent them.
    pub body: Bytes,
    /// What a reader derived from this version.
    pub derived: Derived,
}

/// A place where a reader keeps what it derives from a version of a document, so that
/// it lives exactly as long as the version stays in memory. A store never looks in.
#[derive(Default)]
pub struct Derived(OnceLock<Box<dyn Any + Send + Sync>>);

impl Derived {
    /// What was derived before, or else what `derive` makes now. `None` if the place
    /// is taken by something of another type.
    pub fn get_or_init<T: Any + Send + Sync>(&self, derive: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(derive())).downcast_ref()
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Derived")
    }
}

/// Names one commit for ever; kept beside each log entry that it made, so that the
/// fate of a commit whose answer was lost can be looked up. A UUID's 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OperationId(pub u128);

/// Writes that apply together or not at all.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The `modified` of everything in it.
    pub at: Timestamp,
    /// Who asked for it, where that is known.
    pub principal: Option<Arc<str>>,
    /// In order; each sees its predecessors.
    pub writes: Vec<Write>,
    /// What the collections may hold that it writes to; those that are not named, anything.
    pub quotas: Vec<Quota>,
    /// Documents that it leaves as they are, and what must stand there for it to apply: what
    /// was found of them is part of what was decided.
    pub untouched: Vec<(DocumentPath, Expected)>,
    /// What is kept of it for whoever asks again.
    pub receipt: Option<Receipt>,
}

/// A document that comes into being with a batch, and tells which versions the batch made:
/// these are not known before it applies. Who finds it knows that the batch has applied,
/// and as what.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its path. A document that is there already rejects the batch; the rejection's
    /// index is then that of the write after the last.
    pub path: DocumentPath,
    /// Its bytes but for the versions. Behind them stand a line feed and the version of
    /// each write, in order, each ended by a line feed.
    pub content: Bytes,
}

impl Receipt {
    /// The media type of receipts: bytes of the server's own.
    pub const CONTENT_TYPE: &'static str = "application/octet-stream";

    /// The document's bytes, once the versions are known.
    #[must_use]
    pub fn body(&self, versions: impl Iterator<Item = Version>) -> Bytes {
        use std::io::Write as _;

        let mut body = Vec::with_capacity(self.content.len() + 32);
        body.extend_from_slice(&self.content);
        body.push(b'\n');
        for version in versions {
            // To write to memory never fails.
            let _ = writeln!(body, "{version}");
        }
        body.into()
    }
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The document.
    pub path: DocumentPath,
    /// What must stand there for the write to apply.
    pub expected: Expected,
    /// What becomes of it.
    pub effect: Effect,
}

/// What must stand at a write's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No document.
    Absent,
    /// The document at this revision.
    At(Revision),
    /// What the write at this place in the same batch made of it, which must be the last
    /// before this one that has the same path. Where a batch has a path more than once, all
    /// but the first have to say so.
    After(usize),
}

impl From<Option<Revision>> for Expected {
    fn from(standing: Option<Revision>) -> Self {
        standing.map_or(Self::Absent, Self::At)
    }
}

/// What a write makes of a document.
#[derive(Clone, Debug)]
pub enum Effect {
    /// It is this from now on.
    Put {
        /// Its media type.
        content_type: Arc<str>,
        /// Its bytes.
        body: Bytes,
        /// A JSON Patch from the version before to this one, where it is at hand and
        /// smaller than the body.
        patch: Option<Bytes>,
    },
    /// It is no more.
    Delete,
}

/// Which entries of the log to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All, those of the server's own documents too.
    Log,
    /// All but those of the server's own documents.
    All,
    /// Those of a collection's direct members.
    Collection(CollectionPath),
    /// Those of one document.
    Document(DocumentPath),
}

impl Scope {
    /// Whether an entry about this document is in it.
    #[must_use]
    pub fn holds(&self, path: &DocumentPath) -> bool {
        match self {
            Self::Log => true,
            Self::All => !path.is_own(),
            Self::Collection(collection) => collection.as_str() == path.collection(),
            Self::Document(document) => document == path,
        }
    }

    /// The collection that all in it are members of, if that is one.
    fn collection(&self) -> Option<&str> {
        match self {
            Self::Log | Self::All => None,
            Self::Collection(collection) => Some(collection.as_str()),
            Self::Document(document) => Some(document.collection()),
        }
    }
}

/// A piece of the log.
#[derive(Debug)]
pub struct Changes {
    /// Those in the scope, in order of revision.
    pub entries: Vec<Arc<Entry>>,
    /// The last position that was looked at, in the scope or not: where to go on.
    pub position: Version,
    /// Whether the log goes on after `position` already.
    pub more: bool,
}

/// One accepted write, as the log keeps it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its position.
    pub version: Version,
    /// The commit that it was part of.
    pub operation: OperationId,
    /// The document.
    pub path: DocumentPath,
    /// The version that it took the place of; `None` if it came into being.
    pub previous: Option<Version>,
    /// When.
    pub modified: Timestamp,
    /// Who, where that is known.
    pub principal: Option<Arc<str>>,
    /// What became of the document.
    pub effect: Effect,
}

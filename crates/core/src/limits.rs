//! Every bound that a client can run into, with its reason.
//!
//! Sizes are in bytes and times in the unit that the name ends with.

/// Longest segment of a path, after percent-decoding: what file systems allow,
/// so that a mirror of a collection as files is always possible (contract §1).
pub const SEGMENT_BYTES: usize = 255;

/// Longest path, after percent-decoding (contract §1).
pub const PATH_BYTES: usize = 1_024;

/// Longest request target. A path of [`PATH_BYTES`], all percent-encoded, with
/// room for the query of a list (RFC 9112 §3 asks for at least 8,000).
pub const TARGET_BYTES: usize = 16 * 1_024;

/// Most bytes in all header fields of a request together (contract §3, line 1).
pub const FIELDS_BYTES: usize = 32 * 1_024;

/// Most header fields in a request: parsing cost grows with their number.
pub const FIELDS: usize = 100;

/// Largest document, decoded, unless its collection says otherwise (contract §2).
pub const DOCUMENT_BYTES: usize = 4 * 1_024 * 1_024;

/// Deepest nesting of arrays and objects in a JSON document. Recursion is bounded
/// by it, so a body of nothing but `[` cannot exhaust the stack (contract §2).
pub const JSON_DEPTH: usize = 128;

/// Most operations in one JSON Patch (contract §4.2).
pub const PATCH_OPERATIONS: usize = 10_000;

/// Bytes that the `test`s of one JSON Patch may read where the text in the document is
/// far longer than the one in the patch. Equal values are about as long as each other;
/// only padding (a million spaces in an empty array) makes a short test cost a long
/// read, and ten thousand of them seconds.
pub const TEST_BYTES: usize = 256 * 1_024 * 1_024;

/// Items on a page of a list when the request does not say (contract §6).
pub const PAGE_DEFAULT: usize = 100;

/// Most items on a page of a list (contract §6).
pub const PAGE_MAX: usize = 1_000;

/// Changes on a page when the request does not say (contract §7).
pub const CHANGES_DEFAULT: usize = 1_000;

/// Most changes on a page (contract §7): more than a list's items, because a change is
/// mostly a patch, and who catches up has many of them before it.
pub const CHANGES_MAX: usize = 10_000;

/// Most filter conditions, sort keys or projected fields in one query: each is
/// evaluated for each row that is examined.
pub const QUERY_TERMS: usize = 32;

/// Bytes of a document's values that take part in sorting, all sort keys together.
/// Documents that agree so far are ordered by path; without the bound a page token
/// could be as large as a document.
pub const SORT_KEY_BYTES: usize = 1_024;

/// Most fields of a collection that are indexed, unique ones included: each write keeps
/// all of them up to date (contract §12).
pub const INDEXED_FIELDS: usize = 16;

/// Most requests in one batch (contract §8).
pub const BATCH_REQUESTS: usize = 1_000;

/// Largest batch, decoded: some documents of the largest size, or the most requests of a
/// usual one.
pub const BATCH_BYTES: usize = 16 * 1_024 * 1_024;

/// Largest request that starts an operation: names, and the query of a list.
pub const OPERATION_BYTES: usize = 64 * 1_024;

/// Largest content that an operation takes, decoded: it lies on the disk until all of it
/// is imported, and `matchbook import` has no limit.
pub const IMPORT_BYTES: usize = 1_024 * 1_024 * 1_024;

/// Operations that have not ended, at most: what waits for its turn is kept, and a client
/// that starts one after the other must not fill the disk with them.
pub const OPERATIONS: usize = 256;

/// Lines of an import that are told as refused, one by one; the others are counted.
pub const IMPORT_ERRORS: usize = 100;

/// Largest `changes` in the problem of a stale write (contract §5.3).
pub const CHANGES_BYTES: usize = 64 * 1_024;

/// Most ranges of a representation in one answer. A request that asks for more gets
/// the whole: overlapping ranges could multiply the size of the answer (RFC 9110
/// §17.15).
pub const RANGES: usize = 1;

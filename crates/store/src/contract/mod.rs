//! The suite that every engine passes: each numbered guarantee of the
//! [trait](crate::Store), seen from outside.
//!
//! An engine's tests implement [`Engine`] and call [`contract_suite!`](crate::contract_suite),
//! which makes a test of each case.

// A case that fails panics: that is its report.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod batches;
mod changes;
mod commits;
mod epochs;
mod indexes;
mod lists;
mod log;
mod quotas;
mod reads;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Revision, Version};

use crate::{Batch, CommitError, Document, Effect, Expected, OperationId, Store, Write};

pub use batches::*;
pub use changes::*;
pub use commits::*;
pub use epochs::*;
pub use indexes::*;
pub use lists::*;
pub use log::*;
pub use quotas::*;
pub use reads::*;

/// How the suite gets at an engine.
pub trait Engine: Send + Sync + 'static {
    /// The engine.
    type Store: Store;
    /// Where its data are; they live as long as this.
    type Place: Send + Sync;

    /// A place without data.
    fn place(&self) -> Self::Place;

    /// Opens what is there. Dropping the store closes it.
    fn open(&self, place: &Self::Place) -> Self::Store;

    /// Copies what is on disk just now, as a machine that crashes would leave it. No
    /// commit is under way, but the store may be open.
    fn copy(&self, place: &Self::Place) -> Self::Place;
}

/// Makes a test of each case, for the engine that the expression gives; for one that keeps
/// no indexes, of each case but theirs.
#[macro_export]
macro_rules! contract_suite {
    ($engine:expr) => {
        $crate::contract_suite!($engine, without indexes);
        $crate::contract_suite! { @each $engine;
            pages_are_the_same_with_indexes
            an_index_is_built_while_writes_go_on
            a_unique_value_is_given_once
            a_batch_gives_a_unique_value_once
            one_of_many_gets_a_unique_value
            values_that_are_there_twice_are_counted
        }
    };
    ($engine:expr, without indexes) => {
        $crate::contract_suite! { @each $engine;
            a_commit_is_read_back
            a_commit_survives_a_reopening_and_a_crash
            a_write_whose_expectation_fails_changes_nothing
            a_batch_applies_whole_or_not_at_all
            a_path_that_occurs_twice_unknowingly_is_rejected
            a_batch_builds_on_what_it_made
            a_receipt_tells_the_versions_of_its_batch
            a_receipt_that_is_there_rejects_the_batch
            one_of_many_who_expect_the_same_wins
            increments_by_compare_and_set_are_all_there
            an_empty_batch_changes_nothing
            a_collection_holds_no_more_documents_than_its_quota
            a_collection_holds_no_more_bytes_than_its_quota
            a_stale_write_is_rejected_before_it_is_counted
            a_batch_over_a_quota_changes_nothing
            quotas_are_exact_among_many_writers
            revisions_grow_and_are_never_given_twice
            each_opening_begins_an_epoch
            a_copy_put_back_never_repeats_a_version
            the_log_tells_what_was_done
            the_log_is_read_in_pieces
            a_position_of_another_history_is_refused
            a_trimmed_log_says_so_and_keeps_the_documents
            a_superseded_version_can_be_read
            what_is_young_or_to_be_kept_is_not_trimmed
            changes_from_anywhere_are_what_was_done
            a_rare_entry_is_found_among_many
            followers_miss_nothing_while_others_write_and_trim
            the_position_grows_with_each_commit
            a_read_waits_for_its_position
            several_documents_are_read_as_each_alone
            readers_never_go_back
            a_batch_is_seen_whole
            what_a_batch_leaves_as_it_is_must_stand
            collections_are_those_with_members
            touched_moves_with_each_write_to_the_collection
            pages_join_to_the_whole_list
            a_page_tells_documents_position_and_count
            a_page_is_bounded_in_bytes
        }
    };
    (@each $engine:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::contract::run($crate::contract::$case(&$engine));
            }
        )*
    };
}

/// Runs one case on a runtime of its own.
pub fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(case);
}

/// The document of this name.
fn path(text: &str) -> DocumentPath {
    DocumentPath::parse(text).unwrap()
}

fn collection(text: &str) -> CollectionPath {
    CollectionPath::parse(text).unwrap()
}

pub(crate) fn put(name: &str, expected: Option<Version>, body: impl Into<Bytes>) -> Write {
    Write {
        path: path(name),
        expected: expected.map(|version| version.revision).into(),
        effect: Effect::Put {
            content_type: "application/json".into(),
            body: body.into(),
            patch: None,
        },
    }
}

fn delete(name: &str, expected: Version) -> Write {
    Write {
        path: path(name),
        expected: Expected::At(expected.revision),
        effect: Effect::Delete,
    }
}

pub(crate) fn batch(writes: Vec<Write>) -> Batch {
    Batch {
        at: Timestamp::from_millis(1_700_000_000_123),
        principal: Some("ada".into()),
        writes,
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt: None,
    }
}

pub(crate) fn operation() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    OperationId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64 | 7)
}

/// Commits one write, which must apply.
pub(crate) async fn write(store: &impl Store, write: Write) -> Version {
    try_write(store, write).await.unwrap()
}

pub(crate) async fn try_write(store: &impl Store, write: Write) -> Result<Version, CommitError> {
    let versions = store.commit(operation(), batch(vec![write])).await?;
    assert_eq!(versions.len(), 1);
    Ok(versions[0])
}

pub(crate) async fn load(store: &impl Store, name: &str) -> Option<Arc<Document>> {
    store.load(&path(name), Revision::ZERO).await.unwrap()
}

/// The body of a document that must exist.
async fn body(store: &impl Store, name: &str) -> Bytes {
    load(store, name).await.unwrap().body.clone()
}

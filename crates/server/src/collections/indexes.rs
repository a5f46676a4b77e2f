//! The indexes that collections are set to have (contract §12), and those that the store
//! has.
//!
//! What settings ask for and the store lacks is built in the background, and what they no
//! longer ask for is taken away. Unique fields are first built and then saved: who gets a
//! 204 for settings knows that they hold. So a unique index refuses values from the moment
//! that it is whole, a little before the settings say so, and until it is taken away again
//! if these come to nothing. While any settings are being saved, nothing is taken away.

use std::sync::Arc;

use matchbook_core::limits::INDEXED_FIELDS;
use matchbook_core::name::CollectionPath;
use matchbook_core::problem::{Kind, Problem, Violation};
use matchbook_core::query::{field, spelled};
use matchbook_store::{
    Built, CommitError, Duplicates, Index, ReadError, Scan, Store, Taken, Write,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::Collections;
use super::settings::Settings;
use crate::app::App;

/// More than can be saved at a time, so that nobody who saves waits for another.
const SAVES: u32 = 1 << 24;

/// Collections whose names are read at a time.
const NAMES: usize = 1_000;

/// Who is saving settings, and that something has changed.
#[derive(Debug)]
pub(super) struct Saves {
    places: Arc<Semaphore>,
    /// Those who take away do so one after the other.
    takers: Semaphore,
    changed: Arc<Notify>,
}

impl Default for Saves {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(SAVES as usize)),
            takers: Semaphore::new(1),
            changed: Arc::default(),
        }
    }
}

/// Settings are being saved, until this is dropped.
#[derive(Debug)]
pub(crate) struct Saving {
    place: Option<OwnedSemaphorePermit>,
    changed: Arc<Notify>,
}

impl Drop for Saving {
    fn drop(&mut self) {
        drop(self.place.take());
        self.changed.notify_one();
    }
}

impl Saves {
    pub(super) async fn begin(&self) -> Saving {
        Saving {
            place: Arc::clone(&self.places).acquire_owned().await.ok(),
            changed: Arc::clone(&self.changed),
        }
    }
}

/// How far building is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Members that are in an index, once for each index that is built.
    pub(crate) done: u64,
    /// How many there were at the beginning.
    pub(crate) total: u64,
}

/// Builds the indexes that a collection has and that are not ready, in pieces that hold up
/// no commits; it can be broken off after each, and goes on from there the next time. Tells
/// the unique ones in which members have equal values.
///
/// # Errors
/// What the store says.
pub(crate) async fn build<S: Store>(
    store: &S,
    collection: &CollectionPath,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Duplicates>, CommitError> {
    let states = store.indexes(collection);
    let unready = states.iter().filter(|state| !state.ready).count();
    let mut total = 0;
    if unready > 0 {
        let mut scan = Scan::members(collection.clone(), None, 1, 1);
        scan.count = true;
        let page = store.scan(scan).await.map_err(unread)?;
        total = page.count.unwrap_or_default() * unready as u64;
    }
    let mut done = 0;
    loop {
        match store.build_indexes(collection).await? {
            Built::Part { members } => done += members,
            Built::All(duplicates) => return Ok(duplicates),
        }
        progress(Progress {
            done: done.min(total),
            total,
        });
    }
}

fn unread(error: ReadError) -> CommitError {
    CommitError::Unavailable(error.to_string())
}

/// What a collection lacks.
fn missing<S: Store>(store: &S, collection: &CollectionPath, wanted: &[Index]) -> Vec<Index> {
    let states = store.indexes(collection);
    let is_there = |index: &Index| states.iter().any(|state| state.index == *index);
    let missing = wanted.iter().filter(|index| !is_there(index));
    missing.cloned().collect()
}

/// All collections that have members.
async fn all_with_members<S: Store>(store: &S) -> Result<Vec<CollectionPath>, ReadError> {
    let mut all = Vec::new();
    loop {
        let piece = store.collections(all.last().cloned(), NAMES).await?;
        let is_last = piece.len() < NAMES;
        all.extend(piece);
        if is_last {
            return Ok(all);
        }
    }
}

impl Settings {
    /// The indexes that they ask for, a unique field being one.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn wanted(&self) -> Result<Vec<Index>, Violation> {
        let mut wanted: Vec<Index> = Vec::new();
        for (list, names, unique) in [
            ("unique", &self.unique, true),
            ("indexes", &self.indexes, false),
        ] {
            for (at, name) in names.iter().enumerate() {
                let field = field(name).map_err(|fault| Violation {
                    pointer: format!("/{list}/{at}"),
                    detail: fault.to_string(),
                })?;
                if wanted.iter().all(|index| index.field != field) {
                    wanted.push(Index { field, unique });
                }
            }
        }
        if wanted.len() > INDEXED_FIELDS {
            return Err(Violation {
                pointer: String::new(),
                detail: format!("a collection has at most {INDEXED_FIELDS} indexed fields"),
            });
        }
        Ok(wanted)
    }
}

/// Line 18 for settings whose unique fields have been built; `unique` is how they name
/// them.
///
/// # Errors
/// 422 if stored documents have equal values; what the store says.
pub(super) fn refuse(
    built: Result<Vec<Duplicates>, CommitError>,
    unique: &[String],
) -> Result<(), Problem> {
    let duplicates = built.map_err(|error| {
        tracing::error!(%error, "unique indexes cannot be built");
        match error {
            CommitError::Full => Kind::StorageFull.because("nothing was changed"),
            _ => Kind::StoreUnavailable.because("the indexes of unique fields cannot be built"),
        }
    })?;
    if duplicates.is_empty() {
        return Ok(());
    }
    let violations = duplicates.into_iter().map(
        |Duplicates {
             field: found,
             members,
         }| {
            let mut names = unique.iter();
            let at = names.position(|name| field(name).is_ok_and(|field| field == found));
            Violation {
                pointer: at.map_or(String::new(), |at| format!("/unique/{at}")),
                detail: format!(
                    "stored documents with a value in '{}' that another has: {members}",
                    spelled(&found)
                ),
            }
        },
    );
    Err(Problem::invalid(
        "stored documents have equal values in unique fields",
        violations.collect(),
    ))
}

impl Collections {
    /// Builds the unique indexes that are about to be asked for, as `wanted` says of each
    /// collection; the fields in which stored documents have equal values. `named` gets its
    /// own before it has members.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn build_unique<S: Store>(
        &self,
        store: &S,
        named: Option<CollectionPath>,
        wanted: impl Fn(&str) -> Vec<Index>,
    ) -> Result<Vec<Duplicates>, CommitError> {
        let mut found = Vec::<Duplicates>::new();
        let mut all = all_with_members(store).await.map_err(unread)?;
        let named = named.filter(|named| !all.contains(named));
        all.extend(named);
        for collection in all {
            let mut unique = wanted(collection.as_str());
            unique.retain(|index| index.unique);
            if unique.is_empty() {
                continue;
            }
            let add = missing(store, &collection, &unique);
            if !add.is_empty() {
                store.alter_indexes(&collection, add, Vec::new()).await?;
            }
            let mut duplicates = build(store, &collection, |_| {}).await?;
            duplicates.retain(|found| unique.iter().any(|index| index.field == found.field));
            for Duplicates { field, members } in duplicates {
                match found.iter_mut().find(|found| found.field == field) {
                    Some(found) => found.members += members,
                    None => found.push(Duplicates { field, members }),
                }
            }
        }
        Ok(found)
    }

    /// Gives collections that are about to get their first members their indexes, and sees
    /// to it that unique ones hold.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn prepare<S: Store>(
        &self,
        store: &S,
        writes: &[Write],
    ) -> Result<(), CommitError> {
        if !self.is_indexed() {
            return Ok(());
        }
        let mut last = None;
        for write in writes {
            let name = write.path.collection();
            if last == Some(name) {
                continue;
            }
            last = Some(name);
            let rules = self.rules(name).filter(|rules| !rules.indexes.is_empty());
            let Some((rules, collection)) = rules.zip(CollectionPath::parse(name).ok()) else {
                continue;
            };
            if self.give(store, &collection).await? {
                self.saves.changed.notify_one();
            }
            // The settings may have come while the first members were on their way.
            let states = store.indexes(&collection).into_iter();
            let mut unready = states.filter(|state| state.index.unique && !state.ready);
            if unready.any(|state| rules.indexes.contains(&state.index)) {
                build(store, &collection, |_| {}).await?;
            }
        }
        Ok(())
    }

    /// The problems of writes to whose documents unique fields do not allow their values;
    /// `None` if settings do not ask for that, and the indexes are gone now.
    pub(crate) async fn taken<S: Store>(
        &self,
        store: &S,
        taken: &[Taken],
    ) -> Option<Vec<(usize, Problem)>> {
        let mut is_gone = false;
        for Taken { path, field, .. } in taken {
            let rules = self.rules(path.collection());
            let mut indexes = rules.iter().flat_map(|rules| rules.indexes.iter());
            let is_wanted = indexes.any(|index| index.unique && index.field == *field);
            if !is_wanted && let Ok(collection) = CollectionPath::parse(path.collection()) {
                is_gone |= self.take(store, &collection).await;
            }
        }
        if is_gone {
            return None;
        }
        let problems = taken.iter().map(|Taken { index, path, field }| {
            let detail = format!(
                "another document of {} has an equal value in '{}'; nothing was changed",
                path.collection(),
                spelled(field)
            );
            (*index, Kind::Taken.because(detail))
        });
        Some(problems.collect())
    }

    /// Gives a collection the indexes that it is set to have; whether it lacked any.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn give<S: Store>(
        &self,
        store: &S,
        collection: &CollectionPath,
    ) -> Result<bool, CommitError> {
        let Some(rules) = self.rules(collection.as_str()) else {
            return Ok(false);
        };
        let add = missing(store, collection, &rules.indexes);
        if add.is_empty() {
            return Ok(false);
        }
        let added = store.alter_indexes(collection, add, Vec::new()).await;
        added.map(|()| true)
    }

    /// Takes away the indexes that a collection is not set to have, unless settings are
    /// being saved; whether it has none such now.
    async fn take<S: Store>(&self, store: &S, collection: &CollectionPath) -> bool {
        let Ok(_turn) = self.saves.takers.acquire().await else {
            return false;
        };
        // Who comes to save waits, so that what it finds is what stays.
        let Ok(_alone) = self.saves.places.try_acquire_many(SAVES) else {
            return false;
        };
        let rules = self.rules(collection.as_str());
        let wanted = rules.as_ref().map_or(&[][..], |rules| &rules.indexes);
        let states = store.indexes(collection).into_iter();
        let mut unwanted: Vec<_> = states.map(|state| state.index).collect();
        unwanted.retain(|index| !wanted.contains(index));
        if unwanted.is_empty() {
            return true;
        }
        let taken = store.alter_indexes(collection, Vec::new(), unwanted).await;
        if let Err(error) = &taken {
            tracing::warn!(%error, %collection, "indexes cannot be taken away");
        }
        taken.is_ok()
    }

    /// Gives all collections the indexes that they are set to have, and no others.
    async fn settle<S: Store>(&self, store: &S) -> Result<(), CommitError> {
        let mut all = store.indexed();
        if self.is_indexed() {
            all.extend(all_with_members(store).await.map_err(unread)?);
        }
        all.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        all.dedup();
        for collection in &all {
            self.give(store, collection).await?;
            self.take(store, collection).await;
        }
        for collection in store.unfinished() {
            match build(store, &collection, |_| {}).await {
                Ok(duplicates) => {
                    tracing::info!(%collection, "built the indexes");
                    for Duplicates { field, members } in duplicates {
                        let field = spelled(&field);
                        tracing::warn!(%collection, field, members, "equal values in a unique field");
                    }
                }
                // The others are not to wait for it.
                Err(error) => tracing::error!(%error, %collection, "indexes cannot be built"),
            }
        }
        Ok(())
    }
}

impl<S: Store> App<S> {
    /// Builds and takes away indexes as settings change, for ever.
    pub async fn keep_indexes(&self) {
        let changed = Arc::clone(&self.collections.saves.changed);
        loop {
            if let Err(error) = self.collections.settle(&self.store).await {
                tracing::warn!(%error, "indexes cannot be built");
            }
            changed.notified().await;
        }
    }
}

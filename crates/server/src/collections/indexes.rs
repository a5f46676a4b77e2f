//! The indexes that collections are set to have (contract §12), and those that the store
//! has.
//!
//! What settings ask for and the store lacks is built in the background, and what they no
//! longer ask for is taken away. Unique fields are first built and then saved: who gets a
//! 204 for settings knows that they hold. So a unique index refuses values from the moment
//! that it is whole, a little before the settings say so, and until it is taken away again
//! if these come to nothing. While any settings are being saved, nothing is taken away.

use matchbook_core::limits::INDEXED_FIELDS;
use matchbook_core::name::CollectionPath;
use matchbook_core::problem::{Kind, Problem, Violation};
use matchbook_core::query::{field, spelled};
use matchbook_store::{
    Built, CommitError, Duplicates, Effect, Index, ReadError, Scan, Store, Taken, Write,
};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::Collections;
use super::pattern::Pattern;
use super::settings::Settings;
use crate::app::App;
use crate::setup::COLLECTIONS;

/// Collections whose names are read at a time.
const NAMES: usize = 1_000;

/// Who is saving settings, and that something has changed.
#[derive(Debug)]
pub(crate) struct Indexing {
    /// For who is saving, or else for who takes away.
    place: Semaphore,
    /// Those who take away do so one after the other.
    takers: Semaphore,
    changed: Notify,
}

impl Default for Indexing {
    fn default() -> Self {
        Self {
            place: Semaphore::new(1),
            takers: Semaphore::new(1),
            changed: Notify::new(),
        }
    }
}

/// Settings are being saved, until this is dropped.
#[derive(Debug)]
pub(crate) struct Saving<'a> {
    place: Option<SemaphorePermit<'a>>,
    changed: &'a Notify,
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        drop(self.place.take());
        self.changed.notify_one();
    }
}

impl Indexing {
    /// Waits for others who save, and for who takes away: what is found from now on is
    /// what stays.
    pub(crate) async fn begin(&self) -> Saving<'_> {
        Saving {
            place: self.place.acquire().await.ok(),
            changed: &self.changed,
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
pub(super) async fn all_with_members<S: Store>(
    store: &S,
) -> Result<Vec<CollectionPath>, ReadError> {
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
fn refuse(built: Result<Vec<Duplicates>, CommitError>, unique: &[String]) -> Result<(), Problem> {
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

/// Builds the unique indexes that are asked for when settings are written so. `after` is what
/// they come to then. A collection that is named gets its own before it has members.
///
/// # Errors
/// 422 if stored documents have equal values; what the store says.
pub(crate) async fn build_unique<S: Store>(
    store: &S,
    after: &Collections,
    writes: &[Write],
) -> Result<(), Problem> {
    let settings = writes
        .iter()
        .filter(|write| write.path.collection() == COLLECTIONS);
    let patterns = settings.clone().map(|write| Pattern::read(write.path.id()));
    let patterns: Vec<_> = patterns.filter_map(Result::ok).collect();
    if patterns.is_empty() || !after.any_index(|index| index.unique) {
        return Ok(());
    }
    let names = settings.filter_map(|write| match &write.effect {
        Effect::Put { body, .. } => Some(Settings::read(body).ok()?.0.unique),
        Effect::Delete => None,
    });
    let names: Vec<_> = names.flatten().collect();
    refuse(find_duplicates(store, after, &patterns).await, &names)
}

/// Builds the unique indexes of the collections that are meant; the fields in which members
/// have equal values.
async fn find_duplicates<S: Store>(
    store: &S,
    after: &Collections,
    patterns: &[Pattern],
) -> Result<Vec<Duplicates>, CommitError> {
    let mut all = all_with_members(store).await.map_err(unread)?;
    all.retain(|collection| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| pattern.matches(collection.as_str()))
    });
    for named in patterns.iter().filter_map(Pattern::only) {
        if !all.contains(&named) {
            all.push(named);
        }
    }
    let mut found = Vec::<Duplicates>::new();
    for collection in all {
        let rules = after.rules(collection.as_str());
        let mut unique = rules.map_or(Vec::new(), |rules| rules.indexes.clone());
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

impl<S: Store> App<S> {
    /// The indexes that a collection is set to have.
    pub(crate) fn wanted(&self, collection: &str) -> Vec<Index> {
        let rules = self.in_force.current().collections.rules(collection);
        rules.map_or(Vec::new(), |rules| rules.indexes.clone())
    }

    fn is_indexed(&self) -> bool {
        self.in_force.current().collections.any_index(|_| true)
    }

    /// Gives collections that are about to get their first members their indexes, and sees
    /// to it that unique ones hold.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn prepare_indexes(&self, writes: &[Write]) -> Result<(), CommitError> {
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
            let wanted = self.wanted(name);
            let Ok(collection) = CollectionPath::parse(name) else {
                continue;
            };
            if wanted.is_empty() {
                continue;
            }
            if self.give(&collection).await? {
                self.indexing.changed.notify_one();
            }
            // The settings may have come while the first members were on their way.
            let states = self.store.indexes(&collection).into_iter();
            let mut unready = states.filter(|state| state.index.unique && !state.ready);
            if unready.any(|state| wanted.contains(&state.index)) {
                build(&self.store, &collection, |_| {}).await?;
            }
        }
        Ok(())
    }

    /// The problems of writes to whose documents unique fields do not allow their values;
    /// `None` if settings do not ask for that, and the indexes are gone now.
    pub(crate) async fn taken(&self, taken: &[Taken]) -> Option<Vec<(usize, Problem)>> {
        let mut is_gone = false;
        for Taken { path, field, .. } in taken {
            let index = Index {
                field: field.clone(),
                unique: true,
            };
            let is_wanted = self.wanted(path.collection()).contains(&index);
            if !is_wanted && let Ok(collection) = CollectionPath::parse(path.collection()) {
                is_gone |= self.take(&collection).await;
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
    pub(crate) async fn give(&self, collection: &CollectionPath) -> Result<bool, CommitError> {
        let wanted = self.wanted(collection.as_str());
        let add = missing(&self.store, collection, &wanted);
        if add.is_empty() {
            return Ok(false);
        }
        let added = self.store.alter_indexes(collection, add, Vec::new()).await;
        added.map(|()| true)
    }

    /// Takes away the indexes that a collection is not set to have, unless settings are
    /// being saved; whether it has none such now.
    async fn take(&self, collection: &CollectionPath) -> bool {
        let Ok(_turn) = self.indexing.takers.acquire().await else {
            return false;
        };
        // Who comes to save waits, so that what it finds is what stays.
        let Ok(_alone) = self.indexing.place.try_acquire() else {
            return false;
        };
        let wanted = self.wanted(collection.as_str());
        let states = self.store.indexes(collection).into_iter();
        let mut unwanted: Vec<_> = states.map(|state| state.index).collect();
        unwanted.retain(|index| !wanted.contains(index));
        if unwanted.is_empty() {
            return true;
        }
        let taken = self.store.alter_indexes(collection, Vec::new(), unwanted);
        let taken = taken.await;
        if let Err(error) = &taken {
            tracing::warn!(%error, %collection, "indexes cannot be taken away");
        }
        taken.is_ok()
    }

    /// Gives all collections the indexes that they are set to have, and no others.
    async fn settle(&self) -> Result<(), CommitError> {
        let mut all = self.store.indexed();
        if self.is_indexed() {
            all.extend(all_with_members(&self.store).await.map_err(unread)?);
        }
        all.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        all.dedup();
        for collection in &all {
            self.give(collection).await?;
            self.take(collection).await;
        }
        for collection in self.store.unfinished() {
            match build(&self.store, &collection, |_| {}).await {
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

    /// Builds and takes away indexes as settings change, for ever.
    pub async fn keep_indexes(&self) {
        loop {
            if let Err(error) = self.settle().await {
                tracing::warn!(%error, "indexes cannot be built");
            }
            self.indexing.changed.notified().await;
        }
    }
}

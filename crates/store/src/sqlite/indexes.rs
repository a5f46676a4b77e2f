//! Which indexes there are, in memory: what each write has to keep up to date.
//!
//! Only the writer changes it, after the commit of what it says. A reader goes by the
//! table, in the transaction in which it reads.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use matchbook_core::json::Pointer;
use matchbook_core::name::CollectionPath;
use rusqlite::{Connection, Row};

use crate::{Index, IndexState};

/// One index, as `indexes` has it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Whose entries are its.
    pub(super) number: i64,
    pub(super) index: Index,
    pub(super) stage: Stage,
}

/// How far an index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Members up to this id are in it.
    Building(String),
    /// All members are.
    Ready,
    /// It is about to go.
    Dropped,
}

impl Known {
    /// Whether it has an entry for the member of this id, if there is one.
    pub(super) fn covers(&self, id: &str) -> bool {
        match &self.stage {
            Stage::Building(built) => id <= built.as_str(),
            Stage::Ready => true,
            Stage::Dropped => false,
        }
    }

    /// Whether it refuses values that another member has.
    pub(super) fn refuses(&self) -> bool {
        self.index.unique && self.stage == Stage::Ready
    }
}

/// The indexes of all collections.
#[derive(Debug, Default)]
pub(super) struct Indexes(RwLock<HashMap<String, Arc<[Known]>>>);

impl Indexes {
    /// Those of a collection, if it has any.
    pub(super) fn of(&self, collection: &str) -> Option<Arc<[Known]>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(collection).cloned()
    }

    /// Those of a collection, as they are told.
    pub(super) fn states(&self, collection: &str) -> Vec<IndexState> {
        let known = self.of(collection);
        let known = known.iter().flat_map(|known| known.iter());
        let wanted = known.filter(|known| known.stage != Stage::Dropped);
        let states = wanted.map(|known| IndexState {
            index: known.index.clone(),
            ready: known.stage == Stage::Ready,
        });
        states.collect()
    }

    /// The collections that have such ones.
    pub(super) fn collections(&self, such: impl Fn(&Known) -> bool) -> Vec<CollectionPath> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = all.iter().filter(|(_, known)| known.iter().any(&such));
        all.filter_map(|(name, _)| CollectionPath::parse(name).ok())
            .collect()
    }

    /// Notes what a collection has now.
    pub(super) fn set(&self, collection: &str, known: Vec<Known>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            all.remove(collection);
        } else {
            all.insert(collection.to_owned(), known.into());
        }
    }
}

/// Reads all that there are.
pub(super) fn load(connection: &Connection, indexes: &Indexes) -> rusqlite::Result<()> {
    let mut select = connection.prepare("SELECT DISTINCT collection FROM indexes")?;
    let names = select.query_map([], |row| row.get::<_, String>(0))?;
    for name in names {
        let name = name?;
        indexes.set(&name, of_collection(connection, &name)?);
    }
    Ok(())
}

/// Reads those of a collection, the oldest first.
pub(super) fn of_collection(
    connection: &Connection,
    collection: &str,
) -> rusqlite::Result<Vec<Known>> {
    let mut select = connection.prepare_cached(
        "SELECT number, field, is_unique, is_wanted, built FROM indexes \
         WHERE collection = ?1 ORDER BY number",
    )?;
    select.query_map([collection], read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Known> {
    let field: String = row.get(1)?;
    let field = Pointer::parse(&field).map_err(|_| rusqlite::Error::InvalidQuery)?;
    let built: Option<String> = row.get(4)?;
    let stage = match (row.get(3)?, built) {
        (false, _) => Stage::Dropped,
        (true, Some(built)) => Stage::Building(built),
        (true, None) => Stage::Ready,
    };
    let unique = row.get(2)?;
    Ok(Known {
        number: row.get(0)?,
        index: Index { field, unique },
        stage,
    })
}

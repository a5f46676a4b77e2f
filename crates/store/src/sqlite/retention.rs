//! How far the log may be trimmed.

use matchbook_core::clock::Timestamp;
use matchbook_core::tag::Revision;
use rusqlite::Connection;

use super::read::{one, snapshot};
use super::row::{LogRow, columns, number};
use super::shared::Shared;
use crate::ReadError;

/// The last entry before the time that at least `keep` entries follow, or the horizon.
///
/// Some twenty rows are read, wherever they are: times grow with the revisions, but for
/// a clock that was set back. Each is checked, so that no fault of the disk lets more
/// be trimmed.
pub(super) fn before(
    connection: &Connection,
    shared: &Shared,
    at: Timestamp,
    keep: u64,
) -> Result<Revision, ReadError> {
    const FIRST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM log AS l WHERE l.revision >= ?1 ORDER BY l.revision LIMIT 1"
    );
    // Invariant 1 of the schema: the difference of two revisions counts entries.
    let mut most = shared.applied().get().saturating_sub(keep);
    let _snapshot = snapshot(connection)?;
    let mut found = shared.horizon().get();
    while found < most {
        let middle = found + (most - found).div_ceil(2);
        let middle = Revision::new(middle).unwrap_or(Revision::MAX);
        let is_before = one(connection, FIRST, [number(middle)], |row| {
            Ok(LogRow::read(row)?.modified < at)
        })?;
        if is_before == Some(true) {
            found = middle.get();
        } else {
            most = middle.get() - 1;
        }
    }
    Ok(Revision::new(found).unwrap_or(Revision::MAX))
}

//! How many files may be open.

use anyhow::bail;

/// What this program and a server need besides connections.
const OTHER_FILES: u64 = 1_000;

/// Allows `connections`: each is an open file here, and one more in the server, which
/// inherits the limit.
///
/// # Errors
/// The system allows fewer.
pub(crate) fn allow(connections: usize) -> anyhow::Result<()> {
    let wanted = connections as u64 + OTHER_FILES;
    let limit = rlimit::increase_nofile_limit(wanted)?;
    if limit < wanted {
        bail!("{limit} open files are allowed, and {connections} connections need {wanted}");
    }
    Ok(())
}

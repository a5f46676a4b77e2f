//! The operation log: what was done to the files, in the order in which it took effect.
//!
//! An entry is, in little-endian order: the operation (1 byte), a number (8), the length of
//! the path (4), the length of the data (4), the path relative to the directory, the data.
//! The directory itself has the empty path.

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// A file came into being under this name.
    Create = 1,
    /// The data were written at the offset that the number tells.
    Write = 2,
    /// The number is the length now.
    Truncate = 3,
    /// The file, or the directory's names, are on the disk.
    Sync = 4,
    /// The name is gone.
    Unlink = 5,
    /// The file has the name in the data now.
    Rename = 6,
    /// A directory came into being.
    MakeDirectory = 7,
}

/// The bytes of an entry.
#[must_use]
pub fn entry(operation: Operation, path: &[u8], number: u64, data: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::with_capacity(17 + path.len() + data.len());
    bytes.push(operation as u8);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&length(path));
    bytes.extend_from_slice(&length(data));
    bytes.extend_from_slice(path);
    bytes.extend_from_slice(data);
    bytes
}

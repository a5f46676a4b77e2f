//! What a server did to its files, as the recording disk has written it down.

use std::fmt;
use std::path::Path;

/// One change, or one sync.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) operation: Operation,
    /// The length of the log with it.
    pub(crate) end: u64,
}

#[derive(Debug)]
pub(crate) enum Operation {
    Create,
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
    Sync,
    Unlink,
    Rename(String),
    MakeDirectory,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.operation {
            Operation::Write { at, bytes } => {
                write!(f, "write of {} bytes to {path} at {at}", bytes.len())
            }
            other => write!(f, "{other:?} of {path}"),
        }
    }
}

/// Reads a whole log.
pub(crate) fn read(file: &Path) -> Vec<Entry> {
    let log = std::fs::read(file).unwrap();
    let mut rest = log.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let kind = take(&mut rest, 1)[0];
        let number = u64::from_le_bytes(take(&mut rest, 8).try_into().unwrap());
        let number = usize::try_from(number).unwrap();
        let length = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
        let (path, data) = (length(take(&mut rest, 4)), length(take(&mut rest, 4)));
        let path = String::from_utf8(take(&mut rest, path).to_vec()).unwrap();
        let data = take(&mut rest, data).to_vec();
        let operation = match kind {
            1 => Operation::Create,
            2 => Operation::Write {
                at: number,
                bytes: data,
            },
            3 => Operation::Truncate(number),
            4 => Operation::Sync,
            5 => Operation::Unlink,
            6 => Operation::Rename(String::from_utf8(data).unwrap()),
            7 => Operation::MakeDirectory,
            _ => panic!("no operation: {kind}"),
        };
        entries.push(Entry {
            path,
            operation,
            end: (log.len() - rest.len()) as u64,
        });
    }
    entries
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

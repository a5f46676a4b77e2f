//! Which calls fail, and how: a text of one fault a line.
//!
//! ```text
//! sync matchbook.db-wal 3 forever EIO
//! write * 10 once short
//! ```
//!
//! The kind of call (`open`, `read`, `write`, `sync`, `truncate`, `unlink`, `rename`, or
//! `any`), the end of the file's name (`*`: any file), which of these calls it is,
//! counted from 1, whether those after it fail as well, and what happens.

use std::str::FromStr;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens or makes a file, or makes a directory.
    Open,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Syncs a file or a directory.
    Sync,
    /// Changes a file's length.
    Truncate,
    /// Removes a name.
    Unlink,
    /// Gives another name.
    Rename,
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It fails with this error.
    Fails(i32),
    /// Half of the bytes are read or written. Other calls go through.
    Short,
    /// The power goes, just before: the file system forgets what is not synced, and
    /// takes nothing any more (`EXT4_IOC_SHUTDOWN`).
    Cut,
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// `None`: any.
    kind: Option<Kind>,
    /// The end of the file's name.
    file: String,
    first: u64,
    forever: bool,
    effect: Effect,
    /// Calls so far.
    count: u64,
}

/// All faults that are to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(Vec<Fault>);

impl Plan {
    /// Counts a call, and tells what happens to it. All faults count it; the first one
    /// whose turn it is decides.
    pub fn next(&mut self, kind: Kind, path: &[u8]) -> Option<Effect> {
        let mut effect = None;
        for fault in &mut self.0 {
            let is_meant = fault.kind.is_none_or(|meant| meant == kind)
                && path.ends_with(fault.file.as_bytes());
            if is_meant {
                fault.count += 1;
                let is_turn =
                    fault.count == fault.first || (fault.forever && fault.count > fault.first);
                effect = effect.or(is_turn.then_some(fault.effect));
            }
        }
        effect
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.lines().map(fault).collect::<Result<_, _>>().map(Self)
    }
}

fn fault(line: &str) -> Result<Fault, String> {
    let wrong = |what: &str| format!("{what} in the fault: {line}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, file, first, times, effect] = words.as_slice() else {
        return Err(wrong("not five words"));
    };
    let kind = match *kind {
        "any" => None,
        "open" => Some(Kind::Open),
        "read" => Some(Kind::Read),
        "write" => Some(Kind::Write),
        "sync" => Some(Kind::Sync),
        "truncate" => Some(Kind::Truncate),
        "unlink" => Some(Kind::Unlink),
        "rename" => Some(Kind::Rename),
        _ => return Err(wrong("no such kind")),
    };
    let effect = match *effect {
        "EIO" => Effect::Fails(libc::EIO),
        "ENOSPC" => Effect::Fails(libc::ENOSPC),
        "short" => Effect::Short,
        "cut" => Effect::Cut,
        _ => return Err(wrong("no such effect")),
    };
    let forever = match *times {
        "once" => false,
        "forever" => true,
        _ => return Err(wrong("neither `once` nor `forever`")),
    };
    Ok(Fault {
        kind,
        file: if *file == "*" { "" } else { file }.to_owned(),
        first: first.parse().map_err(|_| wrong("no number"))?,
        forever,
        effect,
        count: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_turn() {
        let text = "sync -wal 2 forever EIO\nany * 2 once ENOSPC\n";
        let mut plan: Plan = text.parse().unwrap();
        let mut next = |kind, path: &str| plan.next(kind, path.as_bytes());
        assert_eq!(next(Kind::Sync, "/d/a-wal"), None);
        let full = Some(Effect::Fails(libc::ENOSPC));
        assert_eq!(next(Kind::Write, "/d/a-wal"), full);
        assert_eq!(next(Kind::Write, "/d/a-wal"), None);
        assert_eq!(next(Kind::Sync, "/d/a"), None);
        let failed = Some(Effect::Fails(libc::EIO));
        assert_eq!(next(Kind::Sync, "/d/a-wal"), failed);
        assert_eq!(next(Kind::Sync, "/d/a-wal"), failed);
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for line in [
            "",
            "sync * 1 once",
            "sink * 1 once EIO",
            "sync * one once EIO",
            "sync * 1 twice EIO",
            "sync * 1 once EPERM",
        ] {
            assert!(fault(line).is_err(), "{line}");
        }
    }
}

//! Whether the write-ahead log is what was written, before SQLite recovers from it.
//!
//! SQLite takes the first frame whose checksum is wrong for the end of the log: a crash
//! leaves such an end, where frames were not synced yet. But a bit that the disk has lost
//! looks the same, and all that was acknowledged after it would be dropped without a word.
//!
//! The two can be told apart. The writer syncs each transaction before it begins the next.
//! So if behind a bad frame a transaction ends, in a frame that is good, and another one
//! begins, the bad frame was synced once, and the disk has changed it since. Only damage
//! to the last transaction, or to the end of the one before it, looks like a crash.
//!
//! The format: <https://www.sqlite.org/fileformat2.html#walformat>. Each frame's checksum
//! goes on from that of the frame before, as it is stored; so frames that follow on a bad
//! one can be checked.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use super::error::OpenError;
use super::schema::PAGE_BYTES;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The header's first four bytes, but for the last bit: it is set where checksums are of
/// big-endian numbers.
const MAGIC: u32 = 0x377f_0682;

/// Refuses a log that was damaged after it was synced. One that is not there is good.
///
/// # Errors
/// [`OpenError::Damaged`], or that the file cannot be read.
pub(super) fn check(file: &Path) -> Result<(), OpenError> {
    let fail = |error: io::Error| OpenError::from_io(file, &error);
    let log = match File::open(file) {
        Ok(log) => log,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    match damaged_frame(BufReader::with_capacity(1 << 16, log)).map_err(fail)? {
        None => Ok(()),
        Some(frame) => Err(OpenError::Damaged {
            file: file.to_owned(),
            detail: format!("frame {frame} is not what was written"),
        }),
    }
}

/// The first frame that was synced and has changed since, counted from 1; 0 is the header.
fn damaged_frame(mut log: impl Read) -> io::Result<Option<u64>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let mut chain = Chain::begin(&header);
    let mut bad = (!chain.is_whole).then_some(0);
    if chain.is_whole && number(&header, 8) != PAGE_BYTES {
        // Not a log that this program wrote.
        return Ok(None);
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + PAGE_BYTES as usize];
    let mut after_commit = false;
    for place in 1.. {
        if !fill(&mut log, &mut frame)? {
            break;
        }
        let link = chain.follow(&frame);
        if bad.is_some() && after_commit && link.is_good {
            return Ok(bad);
        }
        if !link.is_good {
            bad = bad.or(Some(place));
        }
        after_commit = link.is_commit;
    }
    Ok(None)
}

/// What a frame says, compared with the frame before it.
struct Link {
    is_good: bool,
    /// It is good, and the last of a transaction. What a bad one says counts for nothing:
    /// its first bytes may be those of an earlier log.
    is_commit: bool,
}

/// A log as far as it was read.
struct Chain {
    /// Whether the header is what was written.
    is_whole: bool,
    big_endian: bool,
    /// What all frames of this log have; those of earlier logs in the same file have
    /// others. `None` until the first frame, where the header does not tell.
    salts: Option<[u32; 2]>,
    /// As the last frame, or the header, has it; and as it should have it, which is the
    /// same unless one of the two has changed.
    sums: [[u32; 2]; 2],
}

impl Chain {
    fn begin(header: &[u8]) -> Self {
        let magic = number(header, 0);
        let is_known = magic & !1 == MAGIC;
        let big_endian = if is_known {
            magic & 1 == 1
        } else {
            cfg!(target_endian = "big")
        };
        let sums = [number(header, 24), number(header, 28)];
        let expected = sum(big_endian, [0, 0], part(header, 0, 24));
        let is_whole = is_known && expected == sums;
        let salts = [number(header, 16), number(header, 20)];
        Self {
            is_whole,
            big_endian,
            salts: is_whole.then_some(salts),
            sums: [sums, expected],
        }
    }

    fn follow(&mut self, frame: &[u8]) -> Link {
        let salts = [number(frame, 8), number(frame, 12)];
        let is_ours = *self.salts.get_or_insert(salts) == salts;
        let sums = [number(frame, 16), number(frame, 20)];
        let page = part(frame, FRAME_HEADER_BYTES, frame.len());
        let after = |before: [u32; 2]| {
            let begun = sum(self.big_endian, before, part(frame, 0, 8));
            sum(self.big_endian, begun, page)
        };
        let [stored, expected] = self.sums;
        let by_stored = after(stored);
        let by_expected = if stored == expected {
            by_stored
        } else {
            after(expected)
        };
        self.sums = [sums, by_expected];
        let is_good = is_ours && [by_stored, by_expected].contains(&sums);
        Link {
            is_good,
            is_commit: is_good && number(frame, 4) != 0,
        }
    }
}

/// SQLite's checksum, from what it was before these bytes.
fn sum(big_endian: bool, before: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    let word = |bytes: &[u8; 4]| match big_endian {
        true => u32::from_be_bytes(*bytes),
        false => u32::from_le_bytes(*bytes),
    };
    let [mut a, mut b] = before;
    let (words, _) = bytes.as_chunks::<4>();
    let (pairs, _) = words.as_chunks::<2>();
    for [first, second] in pairs {
        a = a.wrapping_add(word(first)).wrapping_add(b);
        b = b.wrapping_add(word(second)).wrapping_add(a);
    }
    [a, b]
}

/// The big-endian number at an offset.
fn number(bytes: &[u8], at: usize) -> u32 {
    let found = part(bytes, at, at + 4).first_chunk();
    found.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn part(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to).unwrap_or_default()
}

/// Fills a buffer; false at the end, also in the middle of one: what is not whole was
/// not synced.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection;
    use super::*;

    const FRAME: usize = FRAME_HEADER_BYTES + PAGE_BYTES as usize;

    /// A log of several transactions, and where the last two of them begin. The last has
    /// so many frames that the header of one lies across two sectors.
    fn log() -> (Vec<u8>, [usize; 2]) {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("db");
        let writer = connection::writer(&file).unwrap();
        connection::prepare_file(&writer).unwrap();
        writer
            .execute_batch("CREATE TABLE t (a BLOB) STRICT")
            .unwrap();
        connection::recover(&writer).unwrap();
        let insert = |bytes: u32| {
            let sql = "INSERT INTO t VALUES (randomblob(?1))";
            writer.execute(sql, [bytes]).unwrap();
            std::fs::read(place.path().join("db-wal")).unwrap()
        };
        insert(10);
        insert(9_000);
        let last_but_one = insert(10).len();
        let last = insert(3_000).len();
        (insert(300_000), [last_but_one, last])
    }

    fn damaged(log: &[u8]) -> Option<u64> {
        damaged_frame(log).unwrap()
    }

    #[test]
    fn what_a_crash_leaves_is_good() {
        let (log, [_, last]) = log();
        assert!(log.len() > last + 64 * FRAME);
        assert_eq!(damaged(&log), None);
        for end in (0..last + FRAME).step_by(97) {
            assert_eq!(damaged(&log[..end]), None, "cut at {end}");
        }
        // Of what was not synced, any part may be there, and anything in its place.
        for at in (last.next_multiple_of(512)..log.len()).step_by(512) {
            let mut torn = log.clone();
            torn[at..(at + 512).min(log.len())].fill(0xa5);
            assert_eq!(damaged(&torn), None, "torn at {at}");
        }
    }

    #[test]
    fn the_frames_of_an_earlier_log_are_no_damage() {
        let ((now, [_, last]), (before, _)) = (log(), log());
        for end in (HEADER_BYTES..last).step_by(FRAME) {
            let mut both = now[..end].to_vec();
            both.extend_from_slice(&before[end..]);
            assert_eq!(damaged(&both), None, "began over at {end}");
        }
    }

    #[test]
    fn each_bit_that_was_synced_and_has_changed_is_found() {
        let (log, [last_but_one, _]) = log();
        let starts = (HEADER_BYTES..last_but_one).step_by(FRAME);
        let headers = starts.flat_map(|start| start..start + FRAME_HEADER_BYTES);
        let places = (0..HEADER_BYTES)
            .chain(headers)
            .chain((HEADER_BYTES..last_but_one).step_by(501));
        for at in places {
            let mut flipped = log.clone();
            flipped[at] ^= 1 << (at % 8);
            let frame = (at + FRAME - HEADER_BYTES) / FRAME;
            assert_eq!(damaged(&flipped), Some(frame as u64), "at {at}");
        }
    }
}

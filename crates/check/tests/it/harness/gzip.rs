//! gzip, undone as it comes (RFC 1952): exactly one member, whose sums are right.

use std::io::{Error, ErrorKind, Result};

use flate2::{Decompress, FlushDecompress, Status};

/// Room for what some bytes may stand for, at a time.
const PIECE_BYTES: usize = 16 * 1_024;

/// One gzip member, as far as it has come.
pub(crate) struct Gunzip {
    decompress: Decompress,
    has_ended: bool,
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self {
            // With the longest window.
            decompress: Decompress::new_gzip(15),
            has_ended: false,
        }
    }

    /// What these bytes stand for: all of it, without any that come later.
    ///
    /// # Errors
    /// They are no gzip, or come after its end.
    pub(crate) fn more(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let begin = self.decompress.total_in();
        let mut content = Vec::new();
        loop {
            content.reserve(PIECE_BYTES);
            let taken = usize::try_from(self.decompress.total_in() - begin).unwrap();
            let rest = &bytes[taken..];
            if self.has_ended {
                return match rest {
                    [] => Ok(content),
                    _ => Err(Error::new(
                        ErrorKind::InvalidData,
                        "bytes behind the member",
                    )),
                };
            }
            let before = content.len();
            let status = self
                .decompress
                .decompress_vec(rest, &mut content, FlushDecompress::Sync)
                .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            self.has_ended = status == Status::StreamEnd;
            let is_taken = self.decompress.total_in() - begin == bytes.len() as u64;
            if is_taken && content.len() == before && !self.has_ended {
                return Ok(content);
            }
        }
    }

    /// That nothing more comes.
    ///
    /// # Errors
    /// The member is not whole.
    pub(crate) fn end(&self) -> Result<()> {
        match self.has_ended {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InvalidData, "a part of a member")),
        }
    }
}

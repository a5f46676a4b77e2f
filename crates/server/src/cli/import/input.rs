//! The file that is imported: opened, counted, and unpacked if it is gzip.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use super::Failure;
use super::Progress;

/// Bytes read at once: large, since a document is usually small.
const CHUNK_BYTES: usize = 256 * 1_024;

/// How gzip begins (RFC 1952 §2.3.1); no JSON does.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

pub(super) type Reader = BufReader<Box<dyn Read + Send>>;

/// An opened input.
pub(super) struct Input {
    pub(super) reader: Reader,
    /// Knows how many bytes there are, where that can be known.
    pub(super) progress: Arc<Progress>,
}

/// Opens a file, or stdin for `-`.
pub(super) fn open(file: &str) -> Result<Input, Failure> {
    if file == "-" {
        return Ok(from(Box::new(io::stdin()), None)?);
    }
    let fault = |error: io::Error| Failure::usage(format!("cannot read {file}: {error}"));
    let opened = File::open(file).map_err(fault)?;
    let metadata = opened.metadata().map_err(fault)?;
    let total_bytes = metadata.is_file().then_some(metadata.len());
    from(Box::new(opened), total_bytes).map_err(fault)
}

fn from(source: Box<dyn Read + Send>, total_bytes: Option<u64>) -> io::Result<Input> {
    let progress = Arc::new(Progress::new(total_bytes));
    let counted = Counted {
        source,
        bytes: 0,
        progress: Arc::clone(&progress),
    };
    let mut packed = BufReader::with_capacity(CHUNK_BYTES, counted);
    let plain: Box<dyn Read + Send> = if packed.fill_buf()?.starts_with(GZIP_MAGIC) {
        Box::new(MultiGzDecoder::new(packed))
    } else {
        Box::new(packed)
    };
    Ok(Input {
        reader: BufReader::with_capacity(CHUNK_BYTES, plain),
        progress,
    })
}

/// Tells the progress how far the file was read.
struct Counted {
    source: Box<dyn Read + Send>,
    bytes: u64,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.bytes += length as u64;
        self.progress.read_to(self.bytes);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn gzip_is_unpacked_and_other_files_are_read_as_they_are() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"{}\n{}").unwrap();
        for source in [encoder.finish().unwrap(), b"{}\n{}".to_vec()] {
            let mut text = String::new();
            let mut input = from(Box::new(io::Cursor::new(source)), None).unwrap();
            input.reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "{}\n{}");
        }
    }
}

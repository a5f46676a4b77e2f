//! Blocks of an event stream, made ready for all who get them.

use bytes::Bytes;

/// Some blocks, in their content coding, in a chunk of HTTP/1.1 (RFC 9112 §7.1).
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    chunk: Bytes,
    /// Where the blocks begin in the chunk.
    begin: usize,
}

/// What ends the size of a chunk, and the chunk.
const LINE_END: &str = "\r\n";

impl Blocks {
    pub(super) fn new(content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let size = format!("{:x}{LINE_END}", content.len());
        let chunk = [size.as_bytes(), content, LINE_END.as_bytes()].concat();
        Self {
            chunk: Bytes::from(chunk),
            begin: size.len(),
        }
    }

    /// Length of the chunk.
    pub(super) fn len(&self) -> usize {
        self.chunk.len()
    }

    /// The blocks alone.
    pub(super) fn content(&self) -> &[u8] {
        let end = self.chunk.len().saturating_sub(LINE_END.len());
        self.chunk.get(self.begin..end).unwrap_or_default()
    }

    /// The blocks with their framing.
    pub(crate) fn into_chunk(self) -> Bytes {
        self.chunk
    }

    /// The blocks alone, for who frames them by itself.
    pub(crate) fn into_content(mut self) -> Bytes {
        let end = self.chunk.len().saturating_sub(LINE_END.len());
        self.chunk.truncate(end);
        self.chunk.split_off(self.begin.min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_holds_its_blocks() {
        let text = "event: put\ndata: é\n\n";
        let blocks = Blocks::new(text);
        let chunk = blocks.clone().into_chunk();
        assert_eq!(chunk, format!("15\r\n{text}\r\n"));
        assert_eq!(blocks.len(), chunk.len());
        assert_eq!(blocks.content(), text.as_bytes());
        assert_eq!(blocks.into_content(), text);
    }
}

//! The fields and codings of a stored document, made once for each version.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use matchbook_core::decide::Present;
use matchbook_core::field::coding::Coding;
use matchbook_core::field::media_type::MediaType;
use matchbook_store::Document;

/// Shorter bodies are sent as they are: they fit one packet either way.
const COMPRESS_FROM_BYTES: usize = 1_024;

/// Brotli's quality: 5 costs about what gzip's 6 does, and is smaller.
const BROTLI_QUALITY: u32 = 5;

/// Brotli's window, as a power of two: 22 covers the largest document.
const BROTLI_WINDOW: u32 = 22;

/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;

/// What answers about one version of a document need again and again.
pub(crate) struct Representation {
    pub(crate) etag: HeaderValue,
    pub(crate) last_modified: HeaderValue,
    pub(crate) content_type: HeaderValue,
    pub(crate) is_json: bool,
    /// A browser would run it.
    pub(crate) executes: bool,
    compressible: bool,
    gzip: OnceLock<Coded>,
    brotli: OnceLock<Coded>,
    zstd: OnceLock<Coded>,
}

/// A content-coded representation and its own tag.
#[derive(Clone)]
pub(crate) struct Coded {
    pub(crate) etag: HeaderValue,
    pub(crate) body: Bytes,
}

impl Representation {
    /// That of a document; `None` only if something else sits in its place.
    pub(crate) fn of(document: &Document) -> Option<&Self> {
        document.derived.get_or_init(|| Self::make(document))
    }

    fn make(document: &Document) -> Self {
        let media_type = MediaType::read(&document.content_type);
        Self {
            etag: value(document.version.etag()),
            last_modified: value(document.modified.http_date()),
            content_type: content_type(&document.content_type),
            is_json: media_type.is_some_and(|known| known.is_json()),
            executes: media_type.is_some_and(|known| known.executes()),
            compressible: document.body.len() >= COMPRESS_FROM_BYTES
                && media_type.is_some_and(shrinks),
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
            zstd: OnceLock::new(),
        }
    }

    /// What the decision needs to know.
    pub(crate) fn present<'a>(&'a self, document: &'a Document) -> Present<'a> {
        Present {
            version: document.version,
            opaque: self.opaque(),
            modified_secs: document.modified.as_secs(),
            content_type: &document.content_type,
            is_json: self.is_json,
            length_bytes: document.body.len() as u64,
            compressible: self.compressible,
        }
    }

    /// The identity representation's tag without its quotes.
    fn opaque(&self) -> &str {
        let quoted = std::str::from_utf8(self.etag.as_bytes()).unwrap_or_default();
        quoted.trim_matches('"')
    }

    /// The tag of the representation in this coding.
    pub(crate) fn etag_of(&self, document: &Document, coding: Coding) -> HeaderValue {
        match coding {
            Coding::Identity => self.etag.clone(),
            coding => value(format!("\"{}{}\"", document.version, coding.suffix())),
        }
    }

    /// The representation in this coding. Compresses at its first use, on a thread
    /// that may.
    pub(crate) async fn coded(document: &Arc<Document>, coding: Coding) -> Option<Coded> {
        let made = Self::of(document)?.slot(coding)?;
        if let Some(coded) = made.get() {
            return Some(coded.clone());
        }
        let document = document.clone();
        tokio::task::spawn_blocking(move || {
            let representation = Self::of(&document)?;
            let made = representation.slot(coding)?;
            let body = compress(coding, &document.body)?;
            let etag = representation.etag_of(&document, coding);
            Some(made.get_or_init(|| Coded { etag, body }).clone())
        })
        .await
        .ok()?
    }

    const fn slot(&self, coding: Coding) -> Option<&OnceLock<Coded>> {
        match coding {
            Coding::Identity => None,
            Coding::Gzip => Some(&self.gzip),
            Coding::Brotli => Some(&self.brotli),
            Coding::Zstd => Some(&self.zstd),
        }
    }
}

/// Text of all kinds; pictures and archives are compressed already.
fn shrinks(media_type: MediaType<'_>) -> bool {
    media_type.is_json() || media_type.executes() || media_type.type_().eq_ignore_ascii_case("text")
}

/// The same bytes for the same input, always: no time or name goes in.
pub(crate) fn compress(coding: Coding, body: &[u8]) -> Option<Bytes> {
    let coded = match coding {
        Coding::Identity => return Some(Bytes::copy_from_slice(body)),
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).ok()?;
            encoder.finish().ok()?
        }
        Coding::Brotli => {
            let mut coded = Vec::new();
            let mut encoder =
                brotli::CompressorWriter::new(&mut coded, 4 * 1_024, BROTLI_QUALITY, BROTLI_WINDOW);
            encoder.write_all(body).ok()?;
            drop(encoder);
            coded
        }
        Coding::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).ok()?,
    };
    Some(Bytes::from(coded))
}

/// Nearly all documents share one media type.
pub(crate) fn content_type(text: &str) -> HeaderValue {
    if text == MediaType::JSON.as_str() {
        return HeaderValue::from_static("application/json");
    }
    value(text.to_owned())
}

/// A field value out of text that is known to be fit for one.
pub(crate) fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

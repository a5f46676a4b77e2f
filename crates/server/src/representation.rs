//! The fields and codings of a stored document, made once for each version.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::Present;
use matchbook_core::field::coding::Coding;
use matchbook_core::field::media_type::MediaType;
use matchbook_core::tag::VersionText;
use matchbook_store::Document;

/// Shorter bodies are sent as they are: they fit one packet either way.
const COMPRESS_FROM_BYTES: usize = 1_024;

/// Brotli's quality: 5 costs about what gzip's 6 does, and is smaller.
const BROTLI_QUALITY: u32 = 5;

/// Brotli's window, as a power of two: 22 covers the largest document.
const BROTLI_WINDOW: u32 = 22;

/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;

/// What answers about one version of a document need. Making it costs less than
/// keeping it: what is kept for each of many documents is not in the processor's cache
/// when it is needed.
pub(crate) struct Representation<'a> {
    document: &'a Document,
    version: VersionText,
    pub(crate) is_json: bool,
    /// A browser would run it.
    pub(crate) executes: bool,
    compressible: bool,
}

/// A content-coded representation and its own tag.
#[derive(Clone)]
pub(crate) struct Coded {
    pub(crate) etag: HeaderValue,
    pub(crate) body: Bytes,
}

/// Those that were asked for, kept as long as the version is in memory.
#[derive(Default)]
struct Codings {
    gzip: OnceLock<Coded>,
    brotli: OnceLock<Coded>,
    zstd: OnceLock<Coded>,
}

impl<'a> Representation<'a> {
    pub(crate) fn of(document: &'a Document) -> Self {
        let media_type = MediaType::read(&document.content_type);
        // Nearly all documents: nothing more to find out.
        let plain_json = &*document.content_type == MediaType::JSON.as_str();
        let is = |test: fn(MediaType<'_>) -> bool| media_type.is_some_and(test);
        Self {
            document,
            version: document.version.text(),
            is_json: plain_json || is(|known| known.is_json()),
            executes: !plain_json && is(|known| known.executes()),
            compressible: document.body.len() >= COMPRESS_FROM_BYTES && (plain_json || is(shrinks)),
        }
    }

    /// What the decision needs to know.
    pub(crate) fn present(&self) -> Present<'_> {
        Present {
            version: self.document.version,
            opaque: self.version.opaque(),
            modified_secs: self.document.modified.as_secs(),
            content_type: &self.document.content_type,
            is_json: self.is_json,
            length_bytes: self.document.body.len() as u64,
            compressible: self.compressible,
        }
    }

    /// `Last-Modified`.
    pub(crate) fn last_modified(&self) -> HeaderValue {
        http_date(self.document.modified)
    }

    /// `Content-Type`.
    pub(crate) fn content_type(&self) -> HeaderValue {
        let text = &*self.document.content_type;
        if text == MediaType::JSON.as_str() {
            return HeaderValue::from_static("application/json");
        }
        value(text.to_owned())
    }

    /// The tag of the representation in this coding.
    pub(crate) fn etag(&self, coding: Coding) -> HeaderValue {
        match coding {
            Coding::Identity => HeaderValue::from_str(self.version.etag())
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            coding => value(format!("\"{}{}\"", self.version.opaque(), coding.suffix())),
        }
    }
}

/// The representation in this coding, if it was made before.
pub(crate) fn coded(document: &Document, coding: Coding) -> Option<Coded> {
    slot(document, coding)?.get().cloned()
}

/// Makes the representation in this coding, on a thread that may take its time.
pub(crate) async fn code(document: &Arc<Document>, coding: Coding) {
    let document = document.clone();
    let made = tokio::task::spawn_blocking(move || {
        let body = compress(coding, &document.body)?;
        let etag = Representation::of(&document).etag(coding);
        slot(&document, coding).map(|slot| drop(slot.set(Coded { etag, body })))
    });
    // What was not made is not found afterwards.
    let _ = made.await;
}

fn slot(document: &Document, coding: Coding) -> Option<&OnceLock<Coded>> {
    let codings = document.derived.get_or_init(Codings::default)?;
    match coding {
        Coding::Identity => None,
        Coding::Gzip => Some(&codings.gzip),
        Coding::Brotli => Some(&codings.brotli),
        Coding::Zstd => Some(&codings.zstd),
    }
}

/// `Last-Modified`. Writing a date out costs ten times what finding it again does, and
/// documents that are read at a time were often written at a time.
fn http_date(at: Timestamp) -> HeaderValue {
    /// Seconds that are remembered, on each thread.
    const REMEMBERED: usize = 64;
    thread_local! {
        static DATES: RefCell<[Option<(u64, HeaderValue)>; REMEMBERED]> =
            const { RefCell::new([const { None }; REMEMBERED]) };
    }
    DATES.with_borrow_mut(|dates| {
        let place = usize::try_from(at.as_secs()).unwrap_or_default() % REMEMBERED;
        match dates.get_mut(place) {
            Some(Some((secs, date))) if *secs == at.as_secs() => date.clone(),
            Some(place) => {
                let date = value(at.http_date());
                *place = Some((at.as_secs(), date.clone()));
                date
            }
            None => value(at.http_date()),
        }
    })
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

/// A field value out of text that is known to be fit for one.
pub(crate) fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

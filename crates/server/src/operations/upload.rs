//! PUT of the content that an import works on: it goes to a file as it comes, and the
//! import begins when all of it is there.

use std::fs::File;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::Response;
use matchbook_core::decide::{Answer, Circumstances, Decision, Part, Progress, Resource};
use matchbook_core::field::content_encoding::ContentEncoding;
use matchbook_core::limits::IMPORT_BYTES;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::{Batch, Document, Expected, Store, Write as StoreWrite};
use ring::digest::{Context, SHA256};

use super::id::Id;
use super::mark::{Mark, Place, Received, Seen};
use super::running::tidy;
use crate::answer;
use crate::app::{App, Call, now};
use crate::body::Body;
use crate::content::{Content, too_large};
use crate::document::unreadable;
use crate::write::{Committed, commit_batch};

/// Bytes that are collected before they are written.
const WRITE_BYTES: usize = 256 * 1_024;

pub(super) async fn upload<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    id: Id,
) -> Response<Body> {
    let decision = state(app, call, id).await.map(|(circumstances, is_taken)| {
        let resource = Resource::Operation(Part::Content { is_taken });
        call.decide_in(app, &circumstances, &resource, &Progress::Asked)
    });
    let progress = match decision {
        Ok(Decision::Answer(answer)) => return answer::simple(call, &answer),
        Ok(Decision::Proceed) => take_in(app, call, content, id).await,
        Err(problem) => Err(problem),
    };
    let progress = progress.unwrap_or_else(Progress::Failed);
    let resource = Resource::Operation(Part::Content { is_taken: true });
    match call.decide(app, &resource, &progress) {
        Decision::Answer(Answer::Written(how)) => answer::written(call, how, None),
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => answer::refuse(call, &Kind::Internal.because("undecided")),
    }
}

/// Whether there is an operation that takes content, and may be given some by the caller.
async fn state<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    id: Id,
) -> Result<(Circumstances, bool), Problem> {
    let path = id.document()?;
    let document = app.store.load(&path, Revision::ZERO).await;
    let document = document.map_err(|error| unreadable(call, &error))?;
    let caller = call.at_document(&path, document.as_ref());
    let seen = document.and_then(|document| Seen::read(&document.body));
    Ok((caller, seen.is_some_and(|seen| seen.takes_content())))
}

/// Takes the content and hands it to the operation. Equal content may come again.
async fn take_in<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    id: Id,
) -> Result<Progress, Problem> {
    let document = id.document()?;
    let _turn = app.turns.take(&document).await;
    let stands = app.store.load(&document, Revision::ZERO).await;
    let stands = stands.map_err(|error| unreadable(call, &error))?;
    let stands = stands.ok_or_else(not_waiting)?;
    let known = Seen::read(&stands.body).ok_or_else(not_waiting)?.content;
    let stored = app.store.load(&id.mark()?, Revision::ZERO).await;
    let stored = stored.map_err(|error| unreadable(call, &error))?;
    if known.is_none() && stored.is_none() {
        return Err(not_waiting());
    }
    let keeps = known.is_none();
    let sink = Sink::open(app, id, keeps, call.facts.content_encoding).await?;
    let (file, received) = receive(content, sink).await?;
    match (known, stored, file) {
        (Some(known), _, _) if known == received => Ok(Progress::Unchanged),
        (None, Some(stored), Some(file)) => {
            let files = app.operations.files.clone();
            blocking(move || files.take_in(id, &file)).await?;
            begin(app, call, id, (&stands, &stored), received).await
        }
        _ => Err(not_waiting()),
    }
}

/// Lets the operation begin.
async fn begin<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    id: Id,
    (stands, stored): (&Document, &Document),
    received: Received,
) -> Result<Progress, Problem> {
    let mut mark = Mark::read(&stored.body).ok_or_else(not_waiting)?;
    let Place::Import(place) = &mut mark.place else {
        return Err(not_waiting());
    };
    mark.total = Some(received.lines);
    place.content = Some(received);
    let write = |path, stands: &Document, effect| StoreWrite {
        path,
        expected: Expected::At(stands.version.revision),
        effect,
    };
    let batch = Batch {
        at: now(),
        principal: call.caller.name(),
        writes: vec![
            write(id.document()?, stands, mark.shown(id, None)),
            write(id.mark()?, stored, mark.stored()),
        ],
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt: None,
    };
    // Nothing but its end can have come between.
    let committed = commit_batch(app, call, batch).await?;
    if !matches!(committed, Committed::As(_)) {
        tidy(app, id).await;
        return Err(not_waiting());
    }
    app.operations.wake.notify_one();
    Ok(Progress::Committed {
        created: false,
        rewritten: false,
    })
}

fn not_waiting() -> Problem {
    Kind::NotWaiting.because("the operation has other content already, or is over")
}

/// Takes all that comes.
async fn receive(
    content: &mut Content,
    mut sink: Sink,
) -> Result<(Option<File>, Received), Problem> {
    let arriving = content.arrive(IMPORT_BYTES);
    let mut arriving = arriving.ok_or_else(|| Kind::Incomplete.because("the content was lost"))?;
    let mut pieces = Vec::new();
    let mut size = 0;
    while let Some(piece) = arriving.next().await? {
        size += piece.len();
        pieces.push(piece);
        if size >= WRITE_BYTES {
            let ready = std::mem::take(&mut pieces);
            sink = blocking(move || sink.take(&ready)).await?;
            size = 0;
        }
    }
    drop(arriving);
    content.has_arrived();
    blocking(move || sink.take(&pieces)?.end()).await
}

/// Does something with files where that holds up nobody.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(act).await;
    let done = done.map_err(|_| Kind::Internal.because("taking the content failed"))?;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => Kind::StorageFull.because("the content was not kept"),
        io::ErrorKind::FileTooLarge => too_large(IMPORT_BYTES),
        // What decoding says of bytes that are no gzip.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            Kind::Malformed.because(format!("the content is not gzip: {error}"))
        }
        _ => {
            tracing::error!(%error, "content cannot be kept");
            Kind::Internal.because("the content cannot be kept")
        }
    })
}

/// Where content goes: decoded, counted and hashed.
enum Sink {
    Plain(Box<Kept>),
    Gzip(Box<MultiGzDecoder<Kept>>),
}

/// What is kept of it.
struct Kept {
    /// `None` if it is only compared.
    file: Option<File>,
    bytes: u64,
    lines: u64,
    /// Whether the line that has begun is blank so far.
    is_blank: bool,
    hash: Context,
}

impl Sink {
    async fn open<S: Store>(
        app: &App<S>,
        id: Id,
        keeps: bool,
        coding: Option<ContentEncoding>,
    ) -> Result<Self, Problem> {
        let files = app.operations.files.clone();
        let open = move || files.create(&files.incoming(id));
        let file = match keeps {
            true => Some(blocking(open).await?),
            false => None,
        };
        Ok(Self::new(file, coding == Some(ContentEncoding::Gzip)))
    }

    fn new(file: Option<File>, is_gzip: bool) -> Self {
        let kept = Kept {
            file,
            bytes: 0,
            lines: 0,
            is_blank: true,
            hash: Context::new(&SHA256),
        };
        match is_gzip {
            true => Self::Gzip(Box::new(MultiGzDecoder::new(kept))),
            false => Self::Plain(Box::new(kept)),
        }
    }

    fn take(mut self, pieces: &[Bytes]) -> io::Result<Self> {
        for piece in pieces {
            match &mut self {
                Self::Plain(kept) => kept.write_all(piece)?,
                Self::Gzip(decoder) => decoder.write_all(piece)?,
            }
        }
        Ok(self)
    }

    fn end(self) -> io::Result<(Option<File>, Received)> {
        let mut kept = match self {
            Self::Plain(kept) => *kept,
            Self::Gzip(decoder) => decoder.finish()?,
        };
        kept.end_line();
        let digest = kept.hash.finish();
        let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        let received = Received {
            bytes: kept.bytes,
            lines: kept.lines,
            sha256: hex.collect(),
        };
        Ok((kept.file, received))
    }
}

impl Kept {
    fn end_line(&mut self) {
        self.lines += u64::from(!self.is_blank);
        self.is_blank = true;
    }
}

impl Write for Kept {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.bytes += text.len() as u64;
        if self.bytes > IMPORT_BYTES as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut lines = text.split(|byte| *byte == b'\n');
        let mut line = lines.next();
        while let Some(part) = line {
            self.is_blank &= part.trim_ascii().is_empty();
            line = lines.next();
            if line.is_some() {
                self.end_line();
            }
        }
        self.hash.update(text);
        if let Some(file) = &mut self.file {
            file.write_all(text)?;
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn received(pieces: &[&[u8]], is_gzip: bool) -> io::Result<Received> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Bytes::copy_from_slice(piece))
            .collect();
        Ok(Sink::new(None, is_gzip).take(&pieces)?.end()?.1)
    }

    #[test]
    fn lines_that_are_not_blank_are_counted_however_they_come() {
        let text = &b"\n1\r\n  \r\n2 \n\n{\"a\":3}"[..];
        let whole = received(&[text], false).unwrap();
        assert_eq!((whole.lines, whole.bytes), (3, text.len() as u64));
        for split in 0..text.len() {
            let (one, other) = text.split_at(split);
            assert_eq!(received(&[one, other], false).unwrap(), whole);
        }
        assert_eq!(received(&[b"1\n"], false).unwrap().lines, 1);
        assert_eq!(received(&[], false).unwrap().lines, 0);
    }

    #[test]
    fn section_2_gzip_is_undone() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"1\n2\n").unwrap();
        let coded = encoder.finish().unwrap();
        let plain = received(&[b"1\n2\n"], false).unwrap();
        let (one, other) = coded.split_at(5);
        assert_eq!(received(&[one, other], true).unwrap(), plain);
        for bad in [b"plain, and long enough to see", &coded[..coded.len() - 5]] {
            assert!(received(&[bad], true).is_err());
        }
    }
}

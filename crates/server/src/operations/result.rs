//! GET of the file that an operation has made.

use std::fs::File;
use std::io::{self, Read};

use bytes::Bytes;
use http::{Response, header};
use matchbook_core::decide::{Answer, Circumstances, Decision, Part, Progress, Resource};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::request::ListForm;
use matchbook_core::tag::Revision;
use matchbook_store::Store;
use tokio::sync::mpsc;

use super::id::Id;
use super::mark::Seen;
use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::document::unreadable;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 * 1_024;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 1;

pub(super) async fn result<S: Store>(app: &App<S>, call: &Call<'_>, id: Id) -> Response<Body> {
    let (circumstances, file) = match found(app, call, id).await {
        Ok(found) => found,
        Err(problem) => return answer::refuse(call, &problem),
    };
    let resource = Resource::Operation(Part::Result {
        is_there: file.is_some(),
    });
    let decision = call.decide_in(app, &circumstances, &resource, &Progress::Asked);
    match (decision, file) {
        (Decision::Answer(Answer::Representation(_)), Some((file, bytes))) => {
            let (pieces, body) = mpsc::channel(PIECES_AHEAD);
            tokio::spawn(send(file, pieces));
            let media_type = ListForm::NdJson.media_type();
            let mut response = answer::page(media_type, Body::Stream(body));
            let fields = response.headers_mut();
            fields.insert(header::CONTENT_LENGTH, bytes.into());
            response
        }
        (Decision::Answer(answer), _) => answer::simple(call, &answer),
        (Decision::Proceed, _) => answer::refuse(call, &Kind::Internal.because("undecided")),
    }
}

/// The file and its length, if there is one.
async fn found<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    id: Id,
) -> Result<(Circumstances, Option<(File, u64)>), Problem> {
    let path = id.document()?;
    let document = app.store.load(&path, Revision::ZERO).await;
    let document = document.map_err(|error| unreadable(call, &error))?;
    let circumstances = call.at_document(&path, document.as_ref());
    let seen = document.and_then(|document| Seen::read(&document.body));
    if !seen.is_some_and(|seen| seen.has_result()) {
        return Ok((circumstances, None));
    }
    let path = app.operations.files.result(id);
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        io::Result::Ok((file, bytes))
    });
    match opened.await {
        Ok(Ok(file)) => Ok((circumstances, Some(file))),
        // Forgotten at this moment.
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok((circumstances, None)),
        _ => Err(Kind::Internal.because("the file cannot be read")),
    }
}

/// Reads ahead of a client by no more than it takes.
async fn send(mut file: File, pieces: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            let taken = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece);
            (file, taken.map(|_| Bytes::from(piece)))
        });
        let Ok((rest, piece)) = read.await else {
            return;
        };
        file = rest;
        let is_last = !matches!(&piece, Ok(piece) if !piece.is_empty());
        if let Err(error) = &piece {
            tracing::error!(%error, "a result broke off");
        }
        if matches!(&piece, Ok(piece) if piece.is_empty())
            || pieces.send(piece).await.is_err()
            || is_last
        {
            return;
        }
    }
}

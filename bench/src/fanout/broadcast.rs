//! The bare broadcast: a hyper server and a channel of tokio, as plainly and as fast as
//! a user of both would write it. What is posted goes to all who listen, as it is. It
//! keeps nothing, and whoever falls behind is cut off.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// How far a subscriber may fall behind.
const MESSAGES: usize = 1_024;

type Messages = broadcast::Sender<Bytes>;
type Body = UnsyncBoxBody<Bytes, BroadcastStreamRecvError>;

/// Serves until the process is ended.
///
/// # Errors
/// The address cannot be bound, or the runtime cannot be built.
pub(crate) fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(accept(listen))
}

async fn accept(listen: SocketAddr) -> anyhow::Result<()> {
    let messages = Messages::new(MESSAGES);
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_connection(stream, messages.clone()));
    }
}

async fn serve_connection(stream: TcpStream, messages: Messages) {
    let service = service_fn(move |request| answer(request, messages.clone()));
    // A connection that the client closed is the end of a measurement, not a fault.
    let _closed = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    messages: Messages,
) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::GET && request.uri().path() == "/bench" {
        return Ok(listen(&messages));
    }
    // A body that ends early ends the connection as well: there is nobody to answer.
    if let Ok(body) = request.into_body().collect().await {
        // Nobody listens: that is for the publisher no failure.
        let _listeners = messages.send(body.to_bytes());
    }
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn listen(messages: &Messages) -> Response<Body> {
    let frames = BroadcastStream::new(messages.subscribe()).map(|message| message.map(Frame::data));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let event_stream = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, event_stream);
    response
}

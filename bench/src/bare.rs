//! The ceiling: a bare hyper server that answers constants, as plainly and as fast
//! as a user of hyper would write it. It stores nothing and decides nothing.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::document::Templates;

/// Serves until the process is ended.
///
/// # Errors
/// The address cannot be bound, or the runtime cannot be built.
pub(crate) fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(accept(listen))
}

async fn accept(listen: SocketAddr) -> anyhow::Result<()> {
    let body = Bytes::from(Templates::new().document(0, 0).to_vec());
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_connection(stream, body.clone()));
    }
}

async fn serve_connection(stream: TcpStream, body: Bytes) {
    let service = service_fn(move |request| answer(request, body.clone()));
    // A connection that the client closed is the end of a measurement, not a fault.
    let _closed = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    document: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        return Ok(if request.headers().contains_key(IF_NONE_MATCH) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            let mut response = Response::new(Full::new(document));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        });
    }
    // A body that ends early ends the connection as well: there is nobody to answer.
    let _read = request.into_body().collect().await;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

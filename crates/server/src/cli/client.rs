//! A small HTTP/1.1 client: one connection at a time, over TCP or TLS.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use matchbook::connection::{connector, system_roots};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use uuid::Uuid;

use super::ClientArgs;
use super::exit::{Exit, Failure, Outcome};
use super::target::Target;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for the head of an answer. A durable write under heavy load takes
/// well under a second; what takes a minute is lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Pauses before a request whose answer was lost is sent again: a restart of the server
/// may lie between.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Runs a command's future. One thread is enough: even an import waits for the
/// server, not for itself.
pub(crate) fn block_on(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(command);
    // A thread may sit in a read of stdin that never ends.
    runtime.shutdown_background();
    outcome
}

/// Opens connections to one server.
#[derive(Clone)]
pub(crate) struct Client {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    fields: HeaderMap,
}

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    fields: HeaderMap,
}

/// Why a request got no answer.
pub(crate) struct Lost {
    pub(crate) failure: Failure,
    /// The server cannot have seen the request.
    pub(crate) is_unsent: bool,
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        lost.failure
    }
}

impl Client {
    /// Prepares connections to the target's server.
    ///
    /// # Errors
    /// Wrong usage: a bad header field, an unreadable certificate file.
    pub(crate) fn new(target: &Target, args: &ClientArgs) -> Result<Self, Failure> {
        let mut fields = HeaderMap::new();
        let host = HeaderValue::from_str(&target.authority).map_err(Failure::usage)?;
        fields.insert(HOST, host);
        let agent = concat!("matchbook/", env!("CARGO_PKG_VERSION"));
        fields.insert(USER_AGENT, HeaderValue::from_static(agent));
        for line in &args.headers {
            let (name, value) = read_field(line)?;
            fields.append(name, value);
        }
        let tls = if target.is_tls {
            let name = ServerName::try_from(target.host_and_port().0.to_owned())
                .map_err(Failure::usage)?;
            Some((tls_connector(args)?, name))
        } else {
            None
        };
        Ok(Self {
            target: target.clone(),
            tls,
            fields,
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Unreachable.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let fault = |why: &dyn std::fmt::Display| {
            let authority = &self.target.authority;
            Failure::unreachable(format!("cannot reach {authority}: {why}"))
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(Ok(sender)) => Ok(Connection {
                sender,
                fields: self.fields.clone(),
            }),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_) => Err(fault(&"no answer within 10 seconds")),
        }
    }

    async fn open(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.target.host_and_port()).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => handshake(stream).await,
            Some((connector, name)) => {
                handshake(connector.connect(name.clone(), stream).await?).await
            }
        }
    }
}

async fn handshake<S>(stream: S) -> std::io::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    // Whatever ends the connection is told to the request that waits on it.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

impl Connection {
    /// Sends one request and waits for the head of its answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Lost> {
        for (name, value) in &self.fields {
            request.headers_mut().append(name, value.clone());
        }
        let answer = async {
            if let Err(error) = self.sender.ready().await {
                return Err((error, true));
            }
            let sent = self.sender.try_send_request(request).await;
            sent.map_err(|mut error| {
                let is_unsent = error.take_message().is_some();
                (error.into_error(), is_unsent)
            })
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err((error, is_unsent))) => Err(Lost {
                failure: broke_off(&error),
                is_unsent,
            }),
            Err(_) => Err(Lost {
                failure: Failure::unreachable("the server did not answer within 60 seconds"),
                is_unsent: false,
            }),
        }
    }
}

/// Sends one request over a connection of its own. Where its answer is lost it is sent
/// again; a write has a key, so that it is done once (contract §5.2).
///
/// # Errors
/// Unreachable, or wrong usage.
pub(crate) async fn send_once(
    target: &Target,
    args: &ClientArgs,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Failure> {
    let client = Client::new(target, args)?;
    if !request.method().is_safe() && !client.fields.contains_key(&IDEMPOTENCY_KEY) {
        let key = Uuid::new_v4().to_string();
        let key = HeaderValue::try_from(key).map_err(Failure::usage)?;
        request.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    let mut pauses = AGAIN.iter();
    loop {
        let lost = match client.connect().await?.send(request.clone()).await {
            Ok(response) => return Ok(response),
            Err(lost) => lost,
        };
        let Some(pause) = pauses.next() else {
            return Err(lost.into());
        };
        tokio::time::sleep(*pause).await;
    }
}

/// A request without body.
///
/// # Errors
/// Wrong usage, if the path cannot stand in a request.
pub(crate) fn request(method: Method, path: &str) -> Result<Request<Full<Bytes>>, Failure> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Full::default())
        .map_err(|fault| Failure::usage(format!("{path:?}: {fault}")))
}

/// Reads a body whole.
///
/// # Errors
/// Unreachable, if it breaks off.
pub(crate) async fn collect(body: Incoming) -> Result<Bytes, Failure> {
    let collected = body.collect().await.map_err(|error| broke_off(&error))?;
    Ok(collected.to_bytes())
}

/// The failure of an answer that ended too early.
pub(crate) fn broke_off(error: &hyper::Error) -> Failure {
    Failure::new(
        Exit::Unreachable,
        format!("the connection broke off: {error}"),
    )
}

fn read_field(line: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let fault = || {
        Failure::usage(format!(
            "{line:?} is not a header field, such as 'Name: value'"
        ))
    };
    let (name, value) = line.split_once(':').ok_or_else(fault)?;
    let name = name.parse().map_err(|_| fault())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| fault())?;
    Ok((name, value))
}

fn tls_connector(args: &ClientArgs) -> Result<TlsConnector, Failure> {
    let roots = match &args.cacert {
        Some(file) => roots_in(file)?,
        None => system_roots(),
    };
    connector(roots).map_err(Failure::usage)
}

fn roots_in(file: &Path) -> Result<RootCertStore, Failure> {
    let fault = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read {}: {why}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|e| fault(&e))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| fault(&e))?;
        roots.add(certificate).map_err(|e| fault(&e))?;
    }
    Ok(roots)
}

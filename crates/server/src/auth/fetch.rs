//! Fetching a JWK set: one GET over a connection of its own, within limits of time and
//! size. Redirects are not followed: the operator names the place.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, HOST, HeaderMap, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::JwksUrl;
use crate::connection::{connector, system_roots};

/// Longest time from the connection to the last byte.
const TIME: Duration = Duration::from_secs(5);

/// Largest document. A set of ten keys with certificates has 20 KiB.
const BYTES: usize = 256 * 1_024;

const AGENT: &str = concat!("matchbook/", env!("CARGO_PKG_VERSION"));

/// What a URL gave.
pub(super) struct Fetched {
    pub(super) body: Bytes,
    /// For how long it is fresh, if it says so.
    pub(super) max_age: Option<Duration>,
}

/// Why there is nothing.
#[derive(Debug)]
pub(super) struct FetchFault(String);

impl FetchFault {
    pub(super) fn new(why: &dyn fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fetches.
pub(super) struct Fetcher {
    tls: Option<TlsConnector>,
}

impl Fetcher {
    pub(super) fn new() -> Self {
        Self {
            tls: connector(system_roots()).ok(),
        }
    }

    pub(super) async fn fetch(&self, url: &JwksUrl) -> Result<Fetched, FetchFault> {
        match timeout(TIME, self.fetch_slowly(url)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchFault::new(&"no answer within 5 seconds")),
        }
    }

    async fn fetch_slowly(&self, url: &JwksUrl) -> Result<Fetched, FetchFault> {
        let address = (url.host(), url.port());
        let stream = TcpStream::connect(address)
            .await
            .map_err(|e| FetchFault::new(&e))?;
        if !url.is_tls() {
            return get(stream, url).await;
        }
        let tls = self.tls.as_ref();
        let tls = tls.ok_or_else(|| FetchFault::new(&"there is no TLS"))?;
        let name = ServerName::try_from(url.host().to_owned()).map_err(|e| FetchFault::new(&e))?;
        let stream = tls.connect(name, stream).await;
        get(stream.map_err(|e| FetchFault::new(&e))?, url).await
    }
}

async fn get<S>(stream: S, url: &JwksUrl) -> Result<Fetched, FetchFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|e| FetchFault::new(&e))?;
    let request = Request::get(url.path())
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|e| FetchFault::new(&e))?;
    let answer = async {
        let response = sender.send_request(request).await;
        let (head, body) = response.map_err(|e| FetchFault::new(&e))?.into_parts();
        if head.status != StatusCode::OK {
            return Err(FetchFault::new(&format_args!(
                "the answer is {}",
                head.status
            )));
        }
        let body = Limited::new(body, BYTES).collect().await;
        let body = body
            .map_err(|error| FetchFault(error.to_string()))?
            .to_bytes();
        let max_age = max_age(&head.headers);
        Ok(Fetched { body, max_age })
    };
    // The connection lives as long as it is asked, and no task outlives the question.
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        fetched = &mut answer => fetched,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(FetchFault::new(&error)),
        },
    }
}

/// RFC 9111 §5.2.2.1. What forbids to keep an answer asks for the shortest time.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    let directives = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    let mut age = None;
    for directive in directives {
        let directive = directive.trim().to_ascii_lowercase();
        match directive.split_once('=') {
            Some(("max-age", secs)) => {
                let secs = secs.trim_matches('"').parse().unwrap_or_default();
                age = age.or(Some(Duration::from_secs(secs)));
            }
            None if matches!(directive.as_str(), "no-cache" | "no-store") => {
                return Some(Duration::ZERO);
            }
            _ => {}
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn rfc_9111_section_5_2_2_how_long_an_answer_is_fresh() {
        let cases = [
            ("max-age=60", Some(60)),
            ("public, Max-Age=\"7\"", Some(7)),
            ("max-age=60, no-store", Some(0)),
            ("max-age=x", Some(0)),
            ("no-cache", Some(0)),
            ("private", None),
            ("", None),
        ];
        for (value, secs) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            assert_eq!(max_age(&headers), secs.map(Duration::from_secs), "{value}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}

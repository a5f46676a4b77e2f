//! HTTP/1.1 connections, HTTP/2, and TLS.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::harness::Server;

type Http2 = http2::SendRequest<Full<Bytes>>;

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(test)
}

/// A connection that speaks HTTP/2 without having been asked to.
async fn prior_knowledge(server: &Server) -> Http2 {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(method: &str, uri: String, body: &str) -> http::Request<Full<Bytes>> {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let builder = http::Request::builder().method(method).uri(uri);
    let builder = builder.header("content-type", "application/json");
    builder.body(body).unwrap()
}

async fn send(
    sender: &mut Http2,
    request: http::Request<Full<Bytes>>,
) -> (http::response::Parts, Bytes) {
    let answer = sender.send_request(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts, body.collect().await.unwrap().to_bytes())
}

#[test]
fn http_2_with_prior_knowledge_says_what_http_1_says() {
    let server = Server::start();
    run(async {
        let mut sender = prior_knowledge(&server).await;
        let uri = |path: &str| format!("http://{}{path}", server.host());
        let (made, _) = send(&mut sender, request("PUT", uri("/a/1"), "[1]")).await;
        assert_eq!(made.status, 201);
        assert_eq!(made.headers["location"], "/a/1");
        let tag = made.headers["etag"].clone();
        let (read, body) = send(&mut sender, request("GET", uri("/a/1"), "")).await;
        assert_eq!((read.status.as_u16(), &body[..]), (200, &b"[1]"[..]));
        assert_eq!(read.headers["etag"], tag);
        let mut save = request("PUT", uri("/a/1"), "[2]");
        save.headers_mut().insert("if-match", tag.clone());
        let (saved, body) = send(&mut sender, save).await;
        assert_eq!((saved.status.as_u16(), body.len()), (204, 0));
        assert!(!saved.headers.contains_key("content-length"));
        assert!(!saved.headers.contains_key("content-type"));
        let mut late = request("PUT", uri("/a/1"), "[3]");
        late.headers_mut().insert("if-match", tag);
        let (stale, body) = send(&mut sender, late).await;
        assert_eq!(stale.status, 412);
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["type"], "/_/problems/stale");
        for name in ["connection", "keep-alive", "transfer-encoding"] {
            assert!(!read.headers.contains_key(name));
        }
    });
}

#[test]
fn http_2_streams_are_answered_side_by_side() {
    let server = Server::start();
    run(async {
        let sender = prior_knowledge(&server).await;
        let puts = (0..50).map(|number| {
            let mut sender = sender.clone();
            let uri = format!("http://{}/a/{number}", server.host());
            tokio::spawn(async move {
                sender.ready().await.unwrap();
                let (made, _) = send(&mut sender, request("PUT", uri, "1")).await;
                made.status.as_u16()
            })
        });
        for put in puts.collect::<Vec<_>>() {
            assert_eq!(put.await.unwrap(), 201);
        }
    });
    let page = server.get("/a?_count=true").send().json();
    assert_eq!(page["count"], 50);
}

#[test]
fn section_3_line_1_http_2_authority_is_looked_at_like_host() {
    let server = Server::start();
    run(async {
        let mut sender = prior_knowledge(&server).await;
        let foreign = request("PUT", "http://evil.example/a/1".to_owned(), "1");
        let (refused, _) = send(&mut sender, foreign).await;
        assert_eq!(refused.status, 421);
    });
    server.get("/a/1").send().status(404);
}

/// A certificate for `localhost`, written down.
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    certificate: PathBuf,
    key: PathBuf,
    #[allow(dead_code, reason = "the files live as long as it does")]
    directory: TempDir,
}

pub(crate) fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = TempDir::new().unwrap();
    let certificate = directory.path().join("cert.pem");
    let key = directory.path().join("key.pem");
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Certificate {
        der: made.cert.der().clone(),
        certificate,
        key,
        directory,
    }
}

pub(crate) fn tls_server(certificate: &Certificate) -> Server {
    Server::with(&[
        "--tls-cert",
        certificate.certificate.to_str().unwrap(),
        "--tls-key",
        certificate.key.to_str().unwrap(),
    ])
}

pub(crate) async fn tls(
    server: &Server,
    certificate: &Certificate,
    protocols: &[&[u8]],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

#[test]
fn tls_speaks_http_2_where_the_client_offers_it() {
    let certificate = certificate();
    let server = tls_server(&certificate);
    run(async {
        let stream = tls(&server, &certificate, &[b"h2", b"http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let io = TokioIo::new(stream);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let uri = format!("https://localhost:{}/a/1", server.address().port());
        let (made, _) = send(&mut sender, request("PUT", uri, "1")).await;
        assert_eq!(made.status, 201);
    });
}

#[test]
fn tls_speaks_http_1_where_the_client_offers_that_or_nothing() {
    let certificate = certificate();
    let server = tls_server(&certificate);
    run(async {
        let offers: [&[&[u8]]; 2] = [&[b"http/1.1"], &[]];
        for (index, protocols) in offers.into_iter().enumerate() {
            let stream = tls(&server, &certificate, protocols).await;
            assert_ne!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let io = TokioIo::new(stream);
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            let mut put = request("PUT", format!("/a/{index}"), "1");
            put.headers_mut()
                .insert("host", "localhost".parse().unwrap());
            // The page of this origin, as a browser names it.
            put.headers_mut()
                .insert("origin", "https://localhost".parse().unwrap());
            let made = sender.send_request(put).await.unwrap();
            assert_eq!(made.status(), 201);
            let mut foreign = request("PUT", "/b/1".to_owned(), "1");
            foreign
                .headers_mut()
                .insert("host", "localhost".parse().unwrap());
            foreign
                .headers_mut()
                .insert("origin", "http://localhost".parse().unwrap());
            let refused = sender.send_request(foreign).await.unwrap();
            assert_eq!(refused.status(), 403, "plain HTTP is another origin");
        }
    });
}

#[test]
fn a_connection_goes_on_after_any_answer_that_was_framed() {
    let server = Server::start();
    let mut connection = server.connect();
    let tag = connection.put("/a/1", "1").send().status(201).tag();
    let saved = connection.put("/a/1", "2").if_match(&tag).send();
    let tag = saved.status(204).no_field("content-length").tag();
    connection
        .get("/a/1")
        .if_none_match(&tag)
        .send()
        .status(304);
    connection.request("HEAD", "/a/1").send().status(200);
    connection.get("/a/2").send().status(404);
    connection
        .get("/a")
        .field("Accept", "application/x-ndjson")
        .send()
        .status(200);
    connection.request("OPTIONS", "/a").send().status(204);
    connection
        .put("/a/1", "3")
        .if_match("\"x\"")
        .send()
        .status(412);
    connection.get("/a/1").send().status(200).is_body("2");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start();
    let mut connection = server.connect();
    let mut all = Vec::new();
    for number in 0..20 {
        let request = server.put("/a/1", number.to_string());
        let request = if number == 0 {
            request
        } else {
            request.if_match("*")
        };
        all.extend(request.bytes());
        all.extend(server.get("/a/1").bytes());
        all.extend(server.head("/a/1").bytes());
    }
    connection.send(all);
    for number in 0..20 {
        let saved = connection.read("PUT");
        saved.status(if number == 0 { 201 } else { 204 });
        let read = connection.read("GET");
        read.has("etag", saved.field("etag"));
        read.status(200).is_body(number.to_string());
        connection
            .read("HEAD")
            .status(200)
            .has("etag", &saved.tag());
    }
}

#[test]
fn connection_close_is_honoured() {
    let server = Server::start();
    let mut connection = server.connect();
    let request = connection.get("/a").field("Connection", "close");
    request.send().status(200).has("connection", "close");
    assert!(connection.is_closed());
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    connection.send(format!(
        "GET /a/1 HTTP/1.0\r\nHost: {}\r\n\r\n",
        server.host()
    ));
    let read = connection.read("GET");
    read.status(200).is_body("1").no_field("transfer-encoding");
    assert!(connection.is_closed());
}

#[test]
fn rfc_9110_9_3_2_head_has_no_content_over_http_2_either() {
    let server = Server::start();
    server.create("/a/1", "[1]");
    run(async {
        let mut sender = prior_knowledge(&server).await;
        for (path, code) in [
            ("/a/1", 200),
            ("/a", 200),
            ("/none/1", 404),
            ("/_/health", 200),
        ] {
            let uri = format!("http://{}{path}", server.host());
            let answer = sender.send_request(request("HEAD", uri, "")).await.unwrap();
            assert_eq!(answer.status(), code);
            assert_ne!(answer.headers()["content-length"], "0");
            let body = answer.into_body().collect().await;
            let body = body.unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(body.to_bytes().is_empty(), "{path}");
        }
    });
}

#[test]
fn rfc_9112_9_6_a_connection_that_will_close_says_so() {
    let server = Server::start();
    server.create("/a/1", "1");
    for length in [1_000, 10_000, 100_000, 1_000_000] {
        let mut connection = server.connect();
        // Refused by its fields alone: nobody needs to read the content.
        let mut both = server.put("/a/1", "x".repeat(length)).bytes();
        both.extend(server.get("/a/1").bytes());
        connection.send(both);
        let refused = connection.read("PUT");
        refused.status(428);
        if refused.maybe("connection") == Some("close") {
            assert!(connection.is_closed());
        } else {
            let next = connection.try_read("GET");
            let next = next.unwrap_or_else(|error| panic!("{length} bytes: {error}"));
            next.status(200).is_body("1");
        }
    }
}

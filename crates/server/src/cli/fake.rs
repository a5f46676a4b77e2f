//! A server in memory that keeps the contract as far as the commands need it, and
//! breaks off when it is told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use matchbook_core::json::Patch;
use tokio::net::TcpListener;

/// What the fake keeps.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) documents: BTreeMap<String, (u64, Bytes)>,
    revision: u64,
    /// Answers are lost after these many requests more (the work is done).
    pub(crate) lose_answer_in: Option<u32>,
    /// Somebody else's save, just before the next PATCH.
    pub(crate) meanwhile: Option<(String, &'static str)>,
    /// Leave the last line of a stream away.
    pub(crate) is_cut: bool,
    pub(crate) requests: u32,
}

/// A running fake.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) state: Arc<Mutex<State>>,
}

type Answer = Response<Full<Bytes>>;

impl State {
    pub(crate) fn put(&mut self, path: &str, text: impl Into<Bytes>) -> u64 {
        self.revision += 1;
        let entry = (self.revision, text.into());
        self.documents.insert(path.to_owned(), entry);
        self.revision
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let (_, text) = self.documents.get(path)?;
        std::str::from_utf8(text).ok()
    }
}

impl Fake {
    /// Listens on a free port until the runtime ends.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        let state = Arc::clone(&fake.state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&state);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        fake
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Answer, &'static str> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "body")?.to_bytes();
    let mut state = state.lock().unwrap();
    state.requests += 1;
    let path = parts.uri.path().to_owned();
    let answer = match parts.method {
        Method::GET if path.matches('/').count() == 1 => list(&state, &path, &parts.headers),
        Method::GET => get(&state, &path),
        Method::POST => {
            let path = format!("{path}/made-{}", state.revision);
            create(&mut state, &path, body)
        }
        Method::PUT => put(&mut state, &path, &parts.headers, body),
        Method::PATCH => patch(&mut state, &path, &parts.headers, &body),
        _ => problem(405, "no", ""),
    };
    match state.lose_answer_in.as_mut() {
        Some(0) => {
            state.lose_answer_in = None;
            Err("lost")
        }
        Some(left) => {
            *left -= 1;
            Ok(answer)
        }
        None => Ok(answer),
    }
}

fn tag(revision: u64) -> String {
    format!("\"fakefake-{revision}\"")
}

fn get(state: &State, path: &str) -> Answer {
    match state.documents.get(path) {
        Some((revision, text)) => Response::builder()
            .header(ETAG, tag(*revision))
            .header(CONTENT_TYPE, "application/json")
            .body(text.clone().into())
            .unwrap(),
        None => problem(404, "There is no such document", ""),
    }
}

fn list(state: &State, collection: &str, fields: &HeaderMap) -> Answer {
    let mut lines = String::new();
    for (path, (revision, text)) in &state.documents {
        if path.starts_with(&format!("{collection}/")) {
            let text = String::from_utf8_lossy(text);
            let etag = serde_json::Value::from(tag(*revision));
            let item =
                format!(r#"{{"path":"{path}","etag":{etag},"modified":"m","document":{text}}}"#);
            writeln!(lines, "{item}").unwrap();
        }
    }
    let body = if fields
        .get(ACCEPT)
        .is_some_and(|v| v == "application/x-ndjson")
    {
        if !state.is_cut {
            writeln!(lines, r#"{{"cursor":"fakefake-{}"}}"#, state.revision).unwrap();
        }
        lines
    } else {
        let items = lines.trim_end().replace('\n', ",");
        format!(
            r#"{{"items":[{items}],"cursor":"fakefake-{}"}}"#,
            state.revision
        )
    };
    Response::new(body.into())
}

fn create(state: &mut State, path: &str, body: Bytes) -> Answer {
    if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
        return problem(400, "Not JSON", "");
    }
    let revision = state.put(path, body);
    Response::builder()
        .status(201)
        .header(ETAG, tag(revision))
        .header(LOCATION, path)
        .body(Full::default())
        .unwrap()
}

fn put(state: &mut State, path: &str, fields: &HeaderMap, body: Bytes) -> Answer {
    let Some((revision, present)) = state.documents.get(path).cloned() else {
        return create(state, path, body);
    };
    if fields.contains_key(IF_NONE_MATCH) {
        let extra = format!(
            r#","current":{},"same":{}"#,
            serde_json::Value::from(tag(revision)),
            present == body
        );
        return problem(412, "The document changed meanwhile", &extra);
    }
    match fields.get(IF_MATCH) {
        None => problem(428, "Say which version", ""),
        Some(field) if field == "*" || *field == tag(revision) => {
            let revision = state.put(path, body);
            saved(revision)
        }
        Some(_) => problem(412, "The document changed meanwhile", ""),
    }
}

fn patch(state: &mut State, path: &str, fields: &HeaderMap, body: &[u8]) -> Answer {
    if let Some((path, text)) = state.meanwhile.take() {
        state.put(&path, text);
    }
    let (revision, present) = state.documents.get(path).cloned().unwrap();
    if fields
        .get(IF_MATCH)
        .is_none_or(|field| *field != tag(revision))
    {
        return problem(412, "The document changed meanwhile", "");
    }
    let patch = Patch::parse(std::str::from_utf8(body).unwrap()).unwrap();
    match patch.apply(std::str::from_utf8(&present).unwrap(), 1_000_000) {
        Ok(text) => saved(state.put(path, text)),
        Err(_) => problem(409, "The patch does not fit", ""),
    }
}

fn saved(revision: u64) -> Answer {
    Response::builder()
        .status(204)
        .header(ETAG, tag(revision))
        .body(Full::default())
        .unwrap()
}

fn problem(status: u16, title: &str, extra: &str) -> Answer {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header(CONTENT_TYPE, "application/problem+json")
        .body(format!(r#"{{"title":"{title}","detail":"because"{extra}}}"#).into())
        .unwrap()
}

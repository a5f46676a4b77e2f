//! Requests and their answers.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use matchbook::inside::{self, Answer};
use matchbook_core::tag::Version;
use serde_json::Value;

use crate::world::{Server, World};

/// A request that is to be sent, perhaps more than once.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            fields: vec![("host", "localhost".to_owned())],
            body: String::new(),
        }
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn json(mut self, content_type: &str, body: &Value) -> Self {
        self.body = body.to_string();
        let length = self.body.len().to_string();
        self.field("content-type", content_type)
            .field("content-length", length)
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.target);
        for (name, value) in &self.fields {
            request = request.header(*name, value);
        }
        request.body(Bytes::from(self.body.clone())).unwrap()
    }
}

/// An answer that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The version in a strong tag.
    pub(crate) etag: Option<Version>,
    /// The tag as it came.
    pub(crate) tag: Option<String>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body's JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// The version that a strong tag names.
pub(crate) fn version(etag: &str) -> Option<Version> {
    let opaque = etag.strip_prefix('"')?.strip_suffix('"')?;
    opaque.parse().ok()
}

/// Begins an event stream, or says that the server went.
pub(crate) async fn open(
    world: &World,
    server: &Server,
    asked: &Asked,
) -> Option<http::Response<Answer>> {
    let answer = inside::answer(&server.app, asked.request());
    let answer = server.while_up(answer).await?.ok()?;
    world.note(|| {
        let fields = asked.fields.get(1..).unwrap_or_default();
        format!("GET {} {fields:?} -> {}", asked.target, answer.status())
    });
    Some(answer)
}

/// Sends a request once; `None`: no answer came.
pub(crate) async fn ask(world: &World, client: usize, asked: &Asked) -> Option<Reply> {
    let server = world.server().await;
    let patience = world.patience();
    let reply = async {
        let answer = inside::answer(&server.app, asked.request()).await.ok()?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some((parts, body))
    };
    let reply = tokio::select! {
        biased;
        reply = server.while_up(reply) => reply.flatten(),
        () = tokio::time::sleep(patience) => None,
    };
    world.note(|| {
        let fields = asked.fields.get(1..).unwrap_or_default();
        let came = reply.as_ref().map(|(parts, body)| {
            let headers = &parts.headers;
            format!("{} {headers:?} {body:?}", parts.status)
        });
        let Asked { method, target, .. } = asked;
        format!(
            "client {client}: {method} {target} {fields:?} {} -> {came:?}",
            asked.body
        )
    });
    let (parts, body) = reply?;
    let tag = parts.headers.get("etag");
    let tag = tag.map(|tag| tag.to_str().unwrap().to_owned());
    Some(Reply {
        status: parts.status,
        etag: tag.as_deref().and_then(version),
        tag,
        body,
    })
}

//! What a batch asks for.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use matchbook_core::field::media_type::MediaType;
use matchbook_core::json;
use matchbook_core::limits::BATCH_REQUESTS;
use matchbook_core::problem::{Kind, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fields that say who asks, or that are the whole batch's.
const OUTER: [&str; 4] = ["authorization", "cookie", "host", "idempotency-key"];

/// What a request of a batch may do.
const METHODS: [Method; 4] = [Method::PUT, Method::PATCH, Method::DELETE, Method::POST];

/// A batch.
pub(super) struct Batch {
    /// Whether all is done or nothing.
    pub(super) atomic: bool,
    pub(super) items: Vec<Item>,
}

/// One of its requests, as if it had come alone.
pub(super) struct Item {
    /// Its place in the batch.
    pub(super) index: usize,
    pub(super) parts: Parts,
    pub(super) content: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent<'a> {
    #[serde(default = "all_or_nothing")]
    atomic: bool,
    #[serde(borrow)]
    requests: Vec<SentItem<'a>>,
}

const fn all_or_nothing() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentItem<'a> {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// Reads a batch of at most so many requests. `outer` are the fields of the request that
/// it came with.
///
/// # Errors
/// What is wrong with the batch as a whole; what a request asks for is judged later.
pub(super) fn parse(content: &Bytes, outer: &HeaderMap, most: usize) -> Result<Batch, Problem> {
    let text = json::check(content).map_err(|fault| Kind::Malformed.because(fault.to_string()))?;
    let sent: Sent<'_> = serde_json::from_str(text).map_err(|fault| {
        let shape = r#"{"atomic":true,"requests":[{"method":"PUT","path":"/notes/1","headers":{"if-match":"…"},"body":{…}}]}"#;
        Kind::Malformed.because(format!("a batch is {shape}: {fault}"))
    })?;
    let requests = sent.requests.len();
    if requests > most {
        let why = if most < BATCH_REQUESTS {
            ", as each counts for the rate limit"
        } else {
            ""
        };
        return Err(Kind::Malformed.because(format!(
            "{requests} requests; at most {most} are allowed{why}"
        )));
    }
    let host = outer.get(HOST);
    let items = sent.requests.into_iter().enumerate().map(|(index, item)| {
        item.read(index, content, host)
            .map_err(|why| Kind::Malformed.because(format!("request {index}: {why}")))
    });
    Ok(Batch {
        atomic: sent.atomic,
        items: items.collect::<Result<_, _>>()?,
    })
}

impl SentItem<'_> {
    fn read(self, index: usize, batch: &Bytes, host: Option<&HeaderValue>) -> Result<Item, String> {
        let method: Method = self.method.parse().unwrap_or_default();
        if !METHODS.contains(&method) {
            return Err(format!(
                "the method is '{}': a batch takes PUT, PATCH, DELETE and POST",
                self.method
            ));
        }
        let uri: Uri = match self.path.parse() {
            Ok(uri) if self.path.starts_with('/') => uri,
            _ => return Err(format!("'{}' is no path: begin with '/'", self.path)),
        };
        let mut fields = HeaderMap::new();
        for (name, value) in &self.headers {
            let field: HeaderName = name
                .parse()
                .map_err(|_| format!("'{name}' is no field name"))?;
            if OUTER.contains(&field.as_str()) {
                return Err(format!("{name} belongs to the batch, not to its requests"));
            }
            let value = value
                .parse()
                .map_err(|_| format!("the value of {name} cannot be sent"))?;
            fields.insert(field, value);
        }
        let content = self.content(batch, &mut fields)?;
        if let Some(host) = host {
            fields.insert(HOST, host.clone());
        }
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        let (parts, ()) = request.into_parts();
        Ok(Item {
            index,
            parts,
            content,
        })
    }

    /// JSON as it stands in the batch, byte for byte; for another type, the text that the
    /// string holds.
    fn content(&self, batch: &Bytes, fields: &mut HeaderMap) -> Result<Bytes, String> {
        let Some(body) = self.body else {
            return Ok(Bytes::new());
        };
        let json = HeaderValue::from_static("application/json");
        let content_type = fields.entry(CONTENT_TYPE).or_insert(json);
        let is_json = MediaType::parse(std::iter::once(content_type.as_bytes()))
            .ok()
            .flatten()
            .is_none_or(|content_type| content_type.is_json());
        let content = if is_json {
            batch.slice_ref(body.get().as_bytes())
        } else {
            let text: String = serde_json::from_str(body.get())
                .map_err(|_| "the body of a type that is not JSON is a string".to_owned())?;
            Bytes::from(text)
        };
        fields.insert(CONTENT_LENGTH, content.len().into());
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Batch, Problem> {
        let mut outer = HeaderMap::new();
        outer.insert(HOST, HeaderValue::from_static("localhost"));
        let text = Bytes::copy_from_slice(text.as_bytes());
        parse(&text, &outer, BATCH_REQUESTS)
    }

    #[test]
    fn section_8_bodies_are_taken_as_they_were_sent() {
        let batch = read(
            r#"{"requests":[
                {"method":"PUT","path":"/a/1","body": {"n": 1.0} },
                {"method":"PUT","path":"/a/2","headers":{"Content-Type":"text/plain"},"body":"a\nb"},
                {"method":"DELETE","path":"/a/3","headers":{"If-Match":"*"}}
            ]}"#,
        );
        let batch = batch.unwrap();
        assert!(batch.atomic);
        let contents: Vec<_> = batch.items.iter().map(|item| &item.content[..]).collect();
        assert_eq!(contents, [&b"{\"n\": 1.0}"[..], b"a\nb", b""]);
        let fields = &batch.items[0].parts.headers;
        assert_eq!(fields["content-type"], "application/json");
        assert_eq!(fields["content-length"], "10");
        assert_eq!(fields["host"], "localhost");
        assert!(batch.items[2].parts.headers.get("content-type").is_none());
    }

    #[test]
    fn section_8_what_is_no_batch_is_refused_with_the_place() {
        let item =
            |member: &str| format!(r#"{{"requests":[{{"method":"PUT","path":"/a/1"{member}}}]}}"#);
        let many = vec![r#"{"method":"DELETE","path":"/a/1"}"#; BATCH_REQUESTS + 1].join(",");
        let cases = [
            ("[]".to_owned(), "a batch is"),
            ("{}".to_owned(), "requests"),
            (r#"{"requests":[],"requests":[]}"#.to_owned(), "byte"),
            (r#"{"requests":[],"atomc":true}"#.to_owned(), "atomc"),
            (format!(r#"{{"requests":[{many}]}}"#), "at most 1000"),
            (
                item(r#","headers":{"Authorization":"x"}"#),
                "Authorization belongs",
            ),
            (item(r#","headers":{"cookie":"x"}"#), "cookie belongs"),
            (item(r#","headers":{"host":"x"}"#), "host belongs"),
            (
                item(r#","headers":{"Idempotency-Key":"x"}"#),
                "Idempotency-Key belongs",
            ),
            (item(r#","headers":{"if match":"x"}"#), "no field name"),
            (item(r#","headers":{"if-match":"a\nb"}"#), "cannot be sent"),
            (
                item(r#","headers":{"content-type":"text/plain"},"body":{}"#),
                "is a string",
            ),
            (
                r#"{"requests":[{"method":"GET","path":"/a/1"}]}"#.to_owned(),
                "takes PUT",
            ),
            (
                r#"{"requests":[{"method":"PUT","path":"a"}]}"#.to_owned(),
                "no path",
            ),
            (
                r#"{"requests":[{"method":"PUT","path":"http://x/a/1"}]}"#.to_owned(),
                "no path",
            ),
        ];
        for (text, detail) in cases {
            let problem = read(&text).err().unwrap();
            assert_eq!(problem.kind, Kind::Malformed);
            assert!(
                problem.detail.contains(detail),
                "{text}: {}",
                problem.detail
            );
        }
    }
}

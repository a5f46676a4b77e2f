//! Which pages of other origins may read answers (Fetch, 'CORS protocol'; contract
//! §11): exactly those that the operator listed, never a reflected one.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Request fields that such a page may send.
const REQUEST_FIELDS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-Match, If-None-Match, If-Modified-Since, Prefer, Idempotency-Key, Last-Event-ID, Range",
);

/// Fields of an answer that it may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Last-Modified, Location, Content-Location, Content-Range, Link, Allow, Accept-Patch, Retry-After, Preference-Applied, WWW-Authenticate, Request-Id, Matchbook-Version, RateLimit, RateLimit-Policy",
);

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, PATCH, DELETE, POST");

/// How long a browser may remember a preflight: the longest that any of them accepts
/// is 24 h (Firefox); others cut it to 2 h themselves.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The configured origins, ready to be sent.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    pub(crate) fn new(origins: &[String]) -> Self {
        Self {
            origins: origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok())
                .collect(),
        }
    }

    /// The configured origin that equals this one.
    pub(crate) fn allows(&self, origin: &str) -> Option<HeaderValue> {
        self.origins
            .iter()
            .find(|allowed| allowed.as_bytes() == origin.as_bytes())
            .cloned()
    }

    /// Completes any answer, errors and 304 included.
    pub(crate) fn add(
        &self,
        fields: &mut HeaderMap,
        allowed: Option<HeaderValue>,
        preflight: bool,
    ) {
        if self.origins.is_empty() {
            return;
        }
        fields.append(header::VARY, ORIGIN);
        let Some(origin) = allowed else {
            return;
        };
        let mut add = |name: HeaderName, value| fields.insert(name, value);
        add(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        add(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if preflight {
            add(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            add(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_FIELDS);
            add(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
}

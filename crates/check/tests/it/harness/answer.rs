//! An answer, and what a test asserts of it. Each assertion gives the answer back, so
//! that they chain; a failed one shows the whole answer.

use std::fmt;

use serde_json::Value;

/// One answer, as it came over the wire.
#[derive(Clone)]
pub(crate) struct Answer {
    /// Such as `HTTP/1.1 204 No Content`.
    pub(crate) status_line: String,
    /// Its status code.
    pub(crate) code: u16,
    /// All field lines in their order, names as they were sent.
    pub(crate) fields: Vec<(String, String)>,
    /// The content, without its transfer coding.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a field, if it is there once. A field that comes twice fails.
    #[track_caller]
    pub(crate) fn maybe(&self, name: &str) -> Option<&str> {
        let mut lines = self.all(name);
        let first = lines.next();
        assert!(lines.next().is_none(), "{name} comes twice in {self}");
        first
    }

    /// The values of all lines of a field.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.fields.iter();
        let named = lines.filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The members of a comma-separated field, in lower case, from all its lines.
    pub(crate) fn members(&self, name: &str) -> Vec<String> {
        let lines = self.all(name).flat_map(|line| line.split(','));
        lines.map(|member| member.trim().to_lowercase()).collect()
    }

    /// The value of a field that must be there, once.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        match self.maybe(name) {
            Some(value) => value,
            None => panic!("{name} is missing in {self}"),
        }
    }

    /// `ETag`.
    #[track_caller]
    pub(crate) fn tag(&self) -> String {
        self.field("etag").to_owned()
    }

    /// Asserts the status code.
    #[track_caller]
    pub(crate) fn status(&self, code: u16) -> &Self {
        assert!(self.code == code, "{code} is expected, not {self}");
        self
    }

    /// Asserts a field's value.
    #[track_caller]
    pub(crate) fn has(&self, name: &str, value: &str) -> &Self {
        assert!(
            self.maybe(name) == Some(value),
            "{name}: {value} is expected in {self}"
        );
        self
    }

    /// Asserts that a comma-separated field has exactly these members, in any order.
    #[track_caller]
    pub(crate) fn lists(&self, name: &str, members: &str) -> &Self {
        let split = members.split(',');
        let mut expected: Vec<_> = split.map(|member| member.trim().to_lowercase()).collect();
        let mut found = self.members(name);
        expected.sort();
        found.sort();
        assert!(found == expected, "{name}: {members} is expected in {self}");
        self
    }

    /// Asserts that a field is not there.
    #[track_caller]
    pub(crate) fn no_field(&self, name: &str) -> &Self {
        assert!(self.all(name).next().is_none(), "{name} is there in {self}");
        self
    }

    /// Asserts the content, byte for byte.
    #[track_caller]
    pub(crate) fn is_body(&self, body: impl AsRef<[u8]>) -> &Self {
        let body = body.as_ref();
        assert!(
            self.body == body,
            "the body '{}' is expected in {self}",
            shorten(body)
        );
        self
    }

    /// The content as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}): {self}"),
        }
    }

    /// Asserts that this is the named problem, with all that §10 asks of one, and
    /// gives its body.
    #[track_caller]
    pub(crate) fn problem(&self, name: &str) -> Value {
        self.has("content-type", "application/problem+json")
            .has("cache-control", "no-store");
        let body = self.json();
        let kind = body["type"].as_str().unwrap_or_default();
        assert!(
            kind == format!("/_/problems/{name}"),
            "the problem '{name}' is expected in {self}"
        );
        assert!(body["status"] == self.code, "another status in {self}");
        for member in ["title", "detail"] {
            let text = body[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {member} in {self}");
        }
        let instance = body["instance"].as_str().unwrap_or_default();
        assert!(
            instance.strip_prefix("urn:uuid:") == self.maybe("request-id"),
            "instance is not Request-Id in {self}"
        );
        body
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.status_line)?;
        for (name, value) in &self.fields {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", shorten(&self.body))
    }
}

/// Enough of a body to see what it is.
fn shorten(body: &[u8]) -> String {
    const SHOWN: usize = 2_000;
    let shown = body.get(..SHOWN).unwrap_or(body);
    let rest = body.len() - shown.len();
    let text = String::from_utf8_lossy(shown);
    match rest {
        0 => text.into_owned(),
        _ => format!("{text} … and {rest} bytes more"),
    }
}

//! How an answer is shown: what users of `curl -i` expect, on stderr, and the body
//! on stdout.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, LOCATION};
use http::response::Parts;
use http::{Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;

use super::client;
use super::exit::{Exit, Failure, Outcome, say};

/// An error body (RFC 9457), as far as a person or a retry needs it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: Option<String>,
    pub(crate) detail: Option<String>,
    /// The tag that stands now.
    pub(crate) current: Option<String>,
    /// The document already is what the request would have made of it.
    pub(crate) same: bool,
    pub(crate) errors: Vec<Fault>,
}

/// One place where a document is not valid.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fault {
    pointer: String,
    detail: String,
}

impl Problem {
    /// Reads the body of a refusal; `None` if it is no problem document.
    pub(crate) fn read(fields: &HeaderMap, body: &[u8]) -> Option<Self> {
        let content_type = fields.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = content_type.split(';').next()?.trim();
        if !essence.eq_ignore_ascii_case("application/problem+json") {
            return None;
        }
        serde_json::from_slice(body).ok()
    }

    /// Title and detail on one line.
    pub(crate) fn summary(&self) -> String {
        let parts = [self.title.as_deref(), self.detail.as_deref()];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        parts.join(": ")
    }

    fn text(&self) -> String {
        let mut text = self.summary();
        for fault in &self.errors {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {}: {}", fault.pointer, fault.detail);
        }
        text
    }
}

/// The exit code that an answer means.
pub(crate) fn exit_of(status: StatusCode) -> Exit {
    match status.as_u16() {
        200..=299 | 304 => Exit::Done,
        412 => Exit::Stale,
        500.. => Exit::Unreachable,
        _ => Exit::Refused,
    }
}

/// `412 Precondition Failed`.
pub(crate) fn status_text(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Shows an answer, with all fields on stdout if `include` says so, and streams a
/// good body to stdout.
///
/// # Errors
/// Unreachable, if the body breaks off; stdout's.
pub(crate) async fn show(response: Response<Incoming>, include: bool) -> Outcome {
    let (parts, body) = response.into_parts();
    let exit = exit_of(parts.status);
    if include {
        io::stdout().write_all(head(&parts, true).as_bytes())?;
        io::stdout().write_all(b"\n")?;
    } else {
        say_head(&parts);
    }
    if include || exit == Exit::Done {
        stream(body).await?;
        return Ok(exit);
    }
    let body = client::collect(body).await?;
    say_refusal(&parts, &body);
    Ok(exit)
}

/// Writes status line, `ETag` and `Location` to stderr.
pub(crate) fn say_head(parts: &Parts) {
    let colour = match exit_of(parts.status) {
        Exit::Done => AnsiColor::Green,
        Exit::Stale => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    let text = head(parts, false);
    let (status, rest) = text.split_once('\n').unwrap_or((&text, ""));
    // If nobody can read stderr, that is no reason to fail.
    let _ = write!(anstream::stderr(), "{style}{status}{style:#}\n{rest}");
}

/// Says why the server refused, and what can be done.
pub(crate) fn say_refusal(parts: &Parts, body: &Bytes) {
    match Problem::read(&parts.headers, body) {
        Some(problem) => {
            say(problem.text());
            if let Some(current) = problem.current {
                say(format_args!("current: {current}"));
            }
        }
        None if body.is_empty() => {}
        None => say(String::from_utf8_lossy(body).trim_end()),
    }
    if let Some(hint) = hint(parts) {
        say(format_args!("hint: {hint}"));
    }
}

fn hint(parts: &Parts) -> Option<String> {
    match parts.status {
        StatusCode::PRECONDITION_REQUIRED => Some(
            "the document exists already: say which version you mean with --if-match TAG \
             ('matchbook get' prints it), or --force to write whatever is there"
                .to_owned(),
        ),
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            let location = parts.headers.get(LOCATION)?.to_str().ok()?;
            Some(format!("it is at {location}"))
        }
        _ => None,
    }
}

fn head(parts: &Parts, all: bool) -> String {
    let version = match parts.version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let mut text = format!("{version} {}\n", status_text(parts.status));
    for (name, value) in &parts.headers {
        if all || name == ETAG || name == LOCATION {
            let value = String::from_utf8_lossy(value.as_bytes());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}: {value}", written(name.as_str()));
        }
    }
    text
}

/// A field's name as the RFCs write it.
fn written(name: &str) -> String {
    match name {
        "etag" => return "ETag".to_owned(),
        "www-authenticate" => return "WWW-Authenticate".to_owned(),
        _ => {}
    }
    let mut text = String::with_capacity(name.len());
    for part in name.split('-') {
        if !text.is_empty() {
            text.push('-');
        }
        let mut letters = part.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

async fn stream(mut body: Incoming) -> Result<(), Failure> {
    let mut stdout = io::stdout();
    let mut last = b'\n';
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| client::broke_off(&error))?;
        if let Ok(data) = frame.into_data() {
            stdout.write_all(&data)?;
            last = data.last().copied().unwrap_or(last);
        }
    }
    // A prompt should not stand behind the document; a pipe gets the exact bytes.
    if last != b'\n' && stdout.is_terminal() {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_status() {
        let cases = [
            (200, Exit::Done),
            (204, Exit::Done),
            (304, Exit::Done),
            (308, Exit::Refused),
            (404, Exit::Refused),
            (412, Exit::Stale),
            (428, Exit::Refused),
            (503, Exit::Unreachable),
            (507, Exit::Unreachable),
        ];
        for (status, exit) in cases {
            assert_eq!(exit_of(StatusCode::from_u16(status).unwrap()), exit);
        }
    }

    #[test]
    fn the_head_reads_like_curl() {
        let response = Response::builder()
            .status(201)
            .header("etag", "\"a-1\"")
            .header("location", "/n/1")
            .header("x-content-type-options", "nosniff");
        let (parts, ()) = response.body(()).unwrap().into_parts();
        assert_eq!(
            head(&parts, false),
            "HTTP/1.1 201 Created\nETag: \"a-1\"\nLocation: /n/1\n"
        );
        assert!(head(&parts, true).contains("X-Content-Type-Options: nosniff\n"));
    }

    #[test]
    fn section_10_problems_are_read_and_other_bodies_are_not() {
        let mut fields = HeaderMap::new();
        let body = br#"{"type":"/_/problems/x","title":"T","detail":"D","same":true,
            "current":"\"a-2\"","errors":[{"pointer":"/a","detail":"no"}]}"#;
        assert!(Problem::read(&fields, body).is_none());
        fields.insert(
            CONTENT_TYPE,
            "application/problem+json; charset=utf-8".parse().unwrap(),
        );
        let problem = Problem::read(&fields, body).unwrap();
        assert_eq!(problem.text(), "T: D\n  /a: no");
        assert_eq!(
            (problem.same, problem.current.as_deref()),
            (true, Some("\"a-2\""))
        );
        assert!(Problem::read(&fields, b"<html>").is_none());
    }
}

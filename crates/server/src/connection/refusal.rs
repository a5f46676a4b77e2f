//! What is said about a request that the HTTP library refuses by itself (contract §3
//! line 1, §10).
//!
//! hyper answers what it cannot parse without asking the service, with a bare status:
//!
//! ```text
//! HTTP/1.1 400 Bad Request
//! connection: close
//! content-length: 0
//! date: Sun, 06 Nov 1994 08:49:37 GMT
//! ```
//!
//! It cannot be told to say more, so such an answer is replaced on its way out. That it
//! is hyper's is not read off its text alone, which a stored document could hold: see
//! [`super::stream`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use matchbook_core::limits::{FIELDS, FIELDS_BYTES, TARGET_BYTES};
use matchbook_core::problem::{Kind, Problem};
use tokio::io::AsyncWrite;
use uuid::Uuid;

use super::framing::Doubt;

/// What the watchers know of the refused request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) doubt: Option<Doubt>,
    /// The request line did not end.
    pub(super) in_request_line: bool,
}

/// An answer that goes out in the place of hyper's.
#[derive(Debug)]
pub(super) struct Refusal {
    text: Vec<u8>,
    written: usize,
    replaces: usize,
}

impl Refusal {
    /// The answer in the place of `bytes`, if that is one of hyper's bare refusals and
    /// nothing else.
    pub(super) fn in_place_of(bytes: &[u8], known: Circumstances) -> Option<Self> {
        let bare = Bare::read(bytes)?;
        let id = Uuid::now_v7();
        let problem = known.problem(bare.code)?;
        tracing::debug!(request_id = %id, %problem, "a request could not be parsed");
        Some(Self {
            text: message(&problem, id, bare.date.map(|date| ("date", date))).into_bytes(),
            written: 0,
            replaces: bytes.len(),
        })
    }

    /// Writes all of it; then tells how many bytes it stands for.
    pub(super) fn poll_write(
        &mut self,
        writer: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.text.get(self.written..)
            && !rest.is_empty()
        {
            match ready!(Pin::new(&mut *writer).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        Poll::Ready(Ok(self.replaces))
    }
}

impl Circumstances {
    fn problem(self, code: &str) -> Option<Problem> {
        Some(match code {
            "400" => Kind::BadFraming.because(self.doubt.map_or(
                "the request line or a header field is malformed: look for a space in the target, a space before a colon, a line that begins with a space, and a Content-Length that is no number",
                Doubt::detail,
            )),
            "414" => too_long(),
            "431" if self.in_request_line => too_long(),
            "431" => Kind::FieldsTooLarge.because(format!(
                "at most {FIELDS_BYTES} bytes in at most {FIELDS} fields"
            )),
            _ => return None,
        })
    }
}

fn too_long() -> Problem {
    Kind::TargetTooLong.because(format!("at most {TARGET_BYTES} bytes"))
}

/// One of hyper's bare refusals.
struct Bare<'a> {
    code: &'a str,
    date: Option<&'a str>,
}

impl<'a> Bare<'a> {
    /// `None` for all that is not exactly that.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        // Nearly all that is not fails here.
        let rest = bytes.strip_prefix(b"HTTP/1.")?;
        let text = std::str::from_utf8(rest).ok()?;
        let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
        let (_version, status) = lines.next()?.split_once(' ')?;
        let (code, _reason) = status.split_once(' ')?;
        let mut is_empty = false;
        let mut date = None;
        for line in lines {
            match line.split_once(": ")? {
                ("connection", "close") => {}
                ("content-length", "0") => is_empty = true,
                ("date", value) => date = Some(value),
                _ => return None,
            }
        }
        is_empty.then_some(Self { code, date })
    }
}

/// A problem with these fields besides. The connection ends with it, so that it says so.
pub(super) fn message<'a>(
    problem: &Problem,
    id: Uuid,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let body = problem.body(&id.to_string()) + "}";
    let status = problem.kind.status();
    let mut text = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\nrequest-id: {id}\r\nconnection: close\r\ncontent-length: {}\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
    );
    for (name, value) in fields {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(&body);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    const NOTHING: Circumstances = Circumstances {
        doubt: None,
        in_request_line: false,
    };

    fn replaced(bytes: &str, known: Circumstances) -> Option<String> {
        let refusal = Refusal::in_place_of(bytes.as_bytes(), known)?;
        assert_eq!(refusal.replaces, bytes.len());
        Some(String::from_utf8(refusal.text).unwrap())
    }

    #[test]
    fn section_10_a_bare_refusal_becomes_a_whole_problem() {
        let text = replaced(BARE, NOTHING).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["type"], "/_/problems/bad-framing");
        assert_eq!(body["title"], Kind::BadFraming.title());
        assert_eq!(body["status"], 400);
        assert!(body["detail"].is_string());
        let id = body["instance"].as_str().unwrap();
        let id = id.strip_prefix("urn:uuid:").unwrap();
        assert_eq!(id.parse::<Uuid>().unwrap().get_version_num(), 7);
        let mut lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines.remove(0), "HTTP/1.1 400 Bad Request");
        let length = text.len() - head.len() - 4;
        for line in [
            "content-type: application/problem+json",
            "cache-control: no-store",
            &format!("request-id: {id}"),
            "connection: close",
            &format!("content-length: {length}"),
            "date: Sun, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert!(lines.contains(&line), "{line}: {head}");
        }
    }

    #[test]
    fn section_3_line_1_the_kind_follows_what_is_known() {
        let doubtful = Circumstances {
            doubt: Some(Doubt::RepeatedLength),
            ..NOTHING
        };
        let in_line = Circumstances {
            in_request_line: true,
            ..NOTHING
        };
        let cases = [
            ("400 Bad Request", NOTHING, "bad-framing"),
            ("400 Bad Request", in_line, "bad-framing"),
            ("400 Bad Request", doubtful, Doubt::RepeatedLength.detail()),
            ("414 URI Too Long", NOTHING, "target-too-long"),
            (
                "431 Request Header Fields Too Large",
                NOTHING,
                "fields-too-large",
            ),
            (
                "431 Request Header Fields Too Large",
                in_line,
                "HTTP/1.1 414 ",
            ),
        ];
        for (status, known, expected) in cases {
            let bare = BARE.replace("400 Bad Request", status);
            let text = replaced(&bare, known).unwrap();
            assert!(text.contains(expected), "{status}: {text}");
        }
    }

    #[test]
    fn all_else_is_left_alone() {
        let cases = [
            String::new(),
            BARE.replace("400 Bad Request", "200 OK"),
            BARE.replace("400 Bad Request", "412 Precondition Failed"),
            BARE.replace("length: 0", "length: 1"),
            BARE.replace("connection: close", "connection: keep-alive"),
            BARE.replace("content-length: 0\r\n", ""),
            BARE.replace("connection", "etag"),
            format!("{BARE}{BARE}"),
            format!("{BARE}x"),
            format!("x{BARE}"),
            BARE.trim_end().to_owned(),
        ];
        for bytes in cases {
            assert_eq!(replaced(&bytes, NOTHING), None, "{bytes:?}");
        }
    }

    /// Takes at most three bytes at a time, and none every other time.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        rests: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            this.rests = !this.rests;
            if this.rests {
                return Poll::Pending;
            }
            let piece = &bytes[..bytes.len().min(3)];
            this.taken.extend_from_slice(piece);
            Poll::Ready(Ok(piece.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn it_counts_as_written_when_all_of_it_is() {
        let mut refusal = Refusal::in_place_of(BARE.as_bytes(), NOTHING).unwrap();
        let mut slow = Slow::default();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let count = loop {
            if let Poll::Ready(count) = refusal.poll_write(&mut slow, &mut context) {
                break count.unwrap();
            }
            assert!(slow.taken.len() < refusal.text.len());
        };
        assert_eq!(count, BARE.len());
        assert_eq!(slow.taken, refusal.text);
    }
}

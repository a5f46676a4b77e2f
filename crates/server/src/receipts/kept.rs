//! An answer that is kept: all of it but the versions, which are not known before the
//! commit that makes them, and which the answer is kept with.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use matchbook_core::tag::Version;
use serde::{Deserialize, Serialize};

use crate::answer::{self, MATCHBOOK_VERSION};
use crate::body::Body;

/// The version that an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// One that was known before.
    Known(Version),
    /// That of the write at this place in the batch.
    Made(usize),
}

/// An answer without the version that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    head: Head,
    body: Bytes,
}

/// How an answer is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    status: u16,
    fields: Vec<(String, String)>,
    /// The field that holds the version, and which it is.
    tag: Option<(String, Tag)>,
    body_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tag {
    Known(String),
    Made(usize),
}

impl Kept {
    /// Takes down an answer that names no version.
    pub(crate) fn of(response: Response<Body>) -> Self {
        Self::take(response, None)
    }

    /// Takes down an answer whose `ETag` or `Matchbook-Version` stands for `named`.
    pub(crate) fn with(response: Response<Body>, named: Named) -> Self {
        let tag = match named {
            Named::Known(version) => Tag::Known(version.to_string()),
            Named::Made(index) => Tag::Made(index),
        };
        Self::take(response, Some(tag))
    }

    fn take(response: Response<Body>, mut tag: Option<Tag>) -> Self {
        let (parts, body) = response.into_parts();
        let mut head = Head {
            status: parts.status.as_u16(),
            fields: Vec::with_capacity(parts.headers.len()),
            tag: None,
            body_bytes: 0,
        };
        for (name, value) in &parts.headers {
            let names_it = name == header::ETAG || name == MATCHBOOK_VERSION;
            if names_it && let Some(tag) = tag.take() {
                head.tag = Some((name.as_str().to_owned(), tag));
            } else if let Ok(value) = value.to_str() {
                let field = (name.as_str().to_owned(), value.to_owned());
                head.fields.push(field);
            }
        }
        let body = body.whole().unwrap_or_default();
        head.body_bytes = body.len();
        Self { head, body }
    }

    /// The answer, when it is known which versions the batch made.
    pub(crate) fn response(&self, versions: &[Version]) -> Response<Body> {
        let mut response = Response::new(match self.body.is_empty() {
            true => Body::Empty,
            false => Body::from(self.body.clone()),
        });
        *response.status_mut() =
            StatusCode::from_u16(self.head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let fields = response.headers_mut();
        for (name, value) in &self.head.fields {
            let (name, value) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
            if let (Ok(name), Ok(value)) = (name, value) {
                fields.append(name, value);
            }
        }
        if let Some((name, etag)) = self.tag(versions)
            && let (Ok(name), Ok(etag)) = (name.parse::<HeaderName>(), etag.parse())
        {
            fields.insert(name, etag);
        }
        response
    }

    /// The same for one who may not see what was answered: a success without its
    /// representation, a refusal without its reasons.
    pub(crate) fn without_content(&self) -> Self {
        /// What tells of the content.
        const FIELDS: [HeaderName; 4] = [
            header::CONTENT_LENGTH,
            header::CONTENT_TYPE,
            header::CONTENT_LOCATION,
            answer::PREFERENCE_APPLIED,
        ];
        let mut head = self.head.clone();
        head.body_bytes = 0;
        head.fields
            .retain(|(name, _)| FIELDS.iter().all(|field| field.as_str() != name));
        if head.status == StatusCode::OK {
            head.status = StatusCode::NO_CONTENT.as_u16();
        }
        Self {
            head,
            body: Bytes::new(),
        }
    }

    /// The path of the document that it shows.
    pub(crate) fn shows(&self) -> Option<&str> {
        let mut fields = self.head.fields.iter();
        let shown = fields.find(|(name, _)| name == header::CONTENT_LOCATION.as_str());
        shown.map(|(_, path)| path.as_str())
    }

    /// Its status.
    pub(crate) const fn status(&self) -> u16 {
        self.head.status
    }

    /// Its fields, but for the version.
    pub(crate) fn fields(&self) -> &[(String, String)] {
        &self.head.fields
    }

    /// The field that holds the version, and its value.
    pub(crate) fn tag(&self, versions: &[Version]) -> Option<(&str, String)> {
        let (name, tag) = self.head.tag.as_ref()?;
        let etag = match tag {
            Tag::Known(opaque) => format!("\"{opaque}\""),
            Tag::Made(index) => versions.get(*index)?.etag(),
        };
        Some((name, etag))
    }

    /// Its content.
    pub(crate) const fn body(&self) -> &Bytes {
        &self.body
    }
}

/// What a receipt says: which request it is of, and how that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// What makes a repeat the same request.
    pub(super) fingerprint: String,
    /// The answer; those of all its items, for a batch.
    pub(super) answer: Whole,
}

/// The answer to a request, or to each item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// To a request.
    One(Kept),
    /// To each item of a batch.
    Each(Vec<Kept>),
}

#[derive(Serialize, Deserialize)]
struct RecordHead {
    fingerprint: String,
    batch: bool,
    answers: Vec<Head>,
}

impl Record {
    /// The content of a receipt: a line of JSON, and the bodies one after the other.
    pub(super) fn content(&self) -> Bytes {
        let (batch, answers) = match &self.answer {
            Whole::One(kept) => (false, std::slice::from_ref(kept)),
            Whole::Each(items) => (true, items.as_slice()),
        };
        let head = RecordHead {
            fingerprint: self.fingerprint.clone(),
            batch,
            answers: answers.iter().map(|kept| kept.head.clone()).collect(),
        };
        let mut content = serde_json::to_vec(&head).unwrap_or_default();
        content.push(b'\n');
        for kept in answers {
            content.extend_from_slice(&kept.body);
        }
        content.into()
    }

    /// Reads a receipt; the versions are those that the store has added.
    pub(super) fn read(receipt: &Bytes) -> Option<(Self, Vec<Version>)> {
        let end = receipt.iter().position(|byte| *byte == b'\n')?;
        let head: RecordHead = serde_json::from_slice(receipt.get(..end)?).ok()?;
        let mut at = end + 1;
        let mut answers = Vec::with_capacity(head.answers.len());
        for head in head.answers {
            let until = at.checked_add(head.body_bytes)?;
            receipt.get(at..until)?;
            let body = receipt.slice(at..until);
            answers.push(Kept { head, body });
            at = until;
        }
        let versions = std::str::from_utf8(receipt.get(at..)?).ok()?;
        let versions = versions.strip_prefix('\n')?.lines().map(str::parse);
        let versions = versions.collect::<Result<Vec<_>, _>>().ok()?;
        let answer = match head.batch {
            true => Whole::Each(answers),
            false => Whole::One(answers.pop()?),
        };
        let fingerprint = head.fingerprint;
        Some((
            Self {
                fingerprint,
                answer,
            },
            versions,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer;
    use matchbook_core::name::DocumentPath;
    use matchbook_store::Receipt;

    fn version(revision: u64) -> Version {
        format!("aaaaaaaa-{revision}").parse().unwrap()
    }

    fn response(body: &'static [u8]) -> Response<Body> {
        let mut response = answer::empty(StatusCode::CREATED);
        let fields = response.headers_mut();
        fields.insert(header::ETAG, HeaderValue::from_static("\"placeholder\""));
        fields.insert(header::LOCATION, HeaderValue::from_static("/a/1"));
        *response.body_mut() = Body::from(Bytes::from_static(body));
        response
    }

    #[test]
    fn an_answer_comes_back_with_the_version_that_was_made() {
        let kept = [
            Kept::with(response(b"{\"a\":\"\n\"}"), Named::Made(1)),
            Kept::with(response(b""), Named::Known(version(7))),
        ];
        let record = Record {
            fingerprint: "f".to_owned(),
            answer: Whole::Each(kept.to_vec()),
        };
        let receipt = Receipt {
            path: DocumentPath::receipt("k").unwrap(),
            content: record.content(),
        };
        let stored = receipt.body([version(8), version(9)].into_iter());
        let (read, versions) = Record::read(&stored).unwrap();
        assert_eq!(read, record);
        assert_eq!(versions, [version(8), version(9)]);
        for (kept, etag) in kept.iter().zip(["\"aaaaaaaa-9\"", "\"aaaaaaaa-7\""]) {
            let response = kept.response(&versions);
            assert_eq!(response.status(), StatusCode::CREATED);
            assert_eq!(response.headers()["etag"], etag);
            assert_eq!(response.headers()["location"], "/a/1");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn what_is_no_receipt_is_not_read_as_one() {
        for text in [
            "",
            "{}",
            "{}\n",
            "{\"fingerprint\":\"\",\"batch\":false,\"answers\":[]}\n\n",
        ] {
            assert_eq!(
                Record::read(&Bytes::from_static(text.as_bytes())),
                None,
                "{text}"
            );
        }
    }
}

//! The facts of a request that the decision needs, read once from its header section.

mod form;
mod method;
mod query;

use http::uri::{Scheme, Uri};
use http::{HeaderMap, HeaderValue, Version, header};

use crate::field::accept::Accept;
use crate::field::accept_encoding::AcceptEncoding;
use crate::field::coding::Coding;
use crate::field::content_encoding::ContentEncoding;
use crate::field::content_length;
use crate::field::entity_tag::TagList;
use crate::field::host::Host;
use crate::field::http_date::HttpDate;
use crate::field::idempotency_key;
use crate::field::if_range::IfRange;
use crate::field::media_type::MediaType;
use crate::field::origin::Origin;
use crate::field::prefer::{Prefer, Return};
use crate::field::range::Range;
use crate::field::sec_fetch_site::SecFetchSite;
use crate::field::{FieldFault, lines};
use crate::limits::{FIELDS, FIELDS_BYTES, TARGET_BYTES};
use crate::name::{NameFault, Target};
use crate::precondition::Preconditions;
use crate::problem::{Kind, Problem};
use crate::query::{FeedQuery, ListQuery};

pub use form::{FeedForm, ListForm, PatchForm};
pub use method::Method;

/// The name below `/_/` of the changes of all documents.
pub const CHANGES: &str = "changes";

/// What a form without `enctype` sends.
const FORM: &str = "application/x-www-form-urlencoded";

/// What it comes to.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The facts.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Line 1: the first thing that is malformed.
    pub fault: Option<Problem>,
    /// The method.
    pub method: Method,
    /// The canonical path, where the one sent has a slash too many.
    pub moved: Option<String>,
    /// The query, still encoded.
    pub query: Option<&'a str>,
    /// The query of a list.
    pub list: Option<ListQuery>,
    /// What a request for changes asks for, and `None` where the document, or the list,
    /// itself is asked for.
    pub feed: Option<Box<FeedQuery>>,
    /// `Last-Event-ID`, as it was sent; what is wrong with it is told in the stream.
    pub last_event_id: Option<&'a [u8]>,
    /// The host that the client believes it talks to.
    pub host: Option<Host<'a>>,
    /// Who made the browser send it.
    pub origin: Option<Origin<'a>>,
    /// What the browser says about that.
    pub fetch_site: Option<SecFetchSite>,
    /// Whether the connection is TLS.
    pub secure: bool,
    /// The conditional fields.
    pub preconditions: Preconditions<'a>,
    /// `Range`.
    pub range: Option<Range>,
    /// `If-Range`.
    pub if_range: Option<IfRange<'a>>,
    /// `Accept`.
    pub accept: Option<Accept<'a>>,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<AcceptEncoding>,
    /// `Content-Type`.
    pub content_type: Option<MediaType<'a>>,
    /// `Content-Encoding`.
    pub content_encoding: Option<ContentEncoding>,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// Whether there is a `Content-Range`.
    pub has_content_range: bool,
    /// Whether the client waits for 100 before it sends its content.
    pub expects_continue: bool,
    /// `Prefer`.
    pub prefer: Prefer,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// Whether it stands for an HTML form: its page is to stay, so the answer to a save has
    /// no content.
    pub is_form: bool,
}

/// What the request line and the connection say, before the fields are read.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a http::Method,
    /// The target.
    pub uri: &'a Uri,
    /// HTTP's version.
    pub version: Version,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// What the connection found wrong with the framing, which a parsed header section
    /// no longer shows.
    pub framing_fault: Option<&'static str>,
    /// Whether the connection is TLS.
    pub secure: bool,
}

impl<'a> Request<'a> {
    /// Reads the facts and the target. What is malformed is in `fault`; the target is
    /// then meaningless.
    #[must_use]
    pub fn read(head: Head<'a>) -> (Self, Target) {
        let mut request = Self {
            fault: None,
            method: Method::from(head.method),
            moved: None,
            query: head.uri.query(),
            list: None,
            feed: None,
            last_event_id: None,
            host: None,
            origin: None,
            fetch_site: None,
            secure: head.secure,
            preconditions: Preconditions::default(),
            range: None,
            if_range: None,
            accept: None,
            accept_encoding: None,
            content_type: None,
            content_encoding: None,
            content_length: None,
            has_content_range: false,
            expects_continue: false,
            prefer: Prefer::default(),
            idempotency_key: None,
            is_form: false,
        };
        // Whatever is wrong with the rest, the page that asked is told (contract §11).
        let origin = Origin::parse(lines(head.headers, &header::ORIGIN));
        request.origin = origin.unwrap_or_default();
        match request.read_all(&head) {
            Ok(target) => (request, target),
            Err(problem) => {
                request.fault = Some(problem);
                (request, Target::Root)
            }
        }
    }

    fn read_all(&mut self, head: &Head<'a>) -> Result<Target, Problem> {
        if let Some(fault) = head.framing_fault {
            return Err(Kind::BadFraming.because(fault));
        }
        self.host = Some(host(head)?);
        let target = target(head, self.method)?;
        if let Target::Moved(path) = &target {
            self.moved = Some(match self.query {
                Some(query) => format!("{path}?{query}"),
                None => path.clone(),
            });
        }
        self.read_fields(head.headers)
            .map_err(|fault| Kind::BadField.because(fault.to_string()))?;
        self.read_query(&target)
            .map_err(|detail| Kind::BadQuery.because(detail))?;
        Ok(target)
    }

    /// One pass over the names; only fields that are there are parsed.
    fn read_fields(&mut self, headers: &'a HeaderMap) -> Result<(), FieldFault> {
        for name in headers.keys() {
            let lines = || headers.get_all(name).iter().map(HeaderValue::as_bytes);
            match name.as_str() {
                "if-match" => self.preconditions.if_match = TagList::parse("If-Match", lines())?,
                "if-none-match" => {
                    self.preconditions.if_none_match = TagList::parse("If-None-Match", lines())?;
                }
                "if-modified-since" => {
                    self.preconditions.if_modified_since_secs =
                        HttpDate::parse("If-Modified-Since", lines())?.map(HttpDate::as_secs);
                }
                "if-unmodified-since" => {
                    self.preconditions.if_unmodified_since_secs =
                        HttpDate::parse("If-Unmodified-Since", lines())?.map(HttpDate::as_secs);
                }
                "range" => self.range = Range::parse(lines())?,
                "if-range" => self.if_range = IfRange::parse(lines())?,
                "accept" => self.accept = Accept::parse(lines())?,
                "accept-encoding" => self.accept_encoding = AcceptEncoding::parse(lines())?,
                "content-type" => self.content_type = MediaType::parse(lines())?,
                "content-encoding" => self.content_encoding = ContentEncoding::parse(lines())?,
                "content-length" => self.content_length = content_length::parse(lines())?,
                "content-range" => self.has_content_range = true,
                "origin" => self.origin = Origin::parse(lines())?,
                "sec-fetch-site" => self.fetch_site = SecFetchSite::parse(lines())?,
                "expect" => {
                    self.expects_continue =
                        lines().any(|line| line.eq_ignore_ascii_case(b"100-continue"));
                }
                "prefer" => self.prefer = Prefer::parse(lines()),
                "idempotency-key" => self.idempotency_key = idempotency_key::parse(lines())?,
                "last-event-id" => self.last_event_id = lines().next(),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the content's type and coding can be used (line 11); the error says
    /// what to send instead.
    ///
    /// # Errors
    /// Half a sentence for the problem's detail.
    pub fn usable_content(&self, document_is_json: bool) -> Result<(), String> {
        if self.content_encoding == Some(ContentEncoding::Unsupported) {
            return Err("send the content with Content-Encoding: gzip, or without a coding".into());
        }
        let Some(content_type) = &self.content_type else {
            return Err(
                "say what the content is, for example Content-Type: application/json".into(),
            );
        };
        if self.method == Method::Patch {
            return match self.patch_form() {
                None => Err(format!(
                    "{} is no patch: send application/merge-patch+json or application/json-patch+json",
                    content_type.essence()
                )),
                Some(_) if !document_is_json => {
                    Err("the document is not JSON and cannot be patched: PUT it whole".into())
                }
                Some(_) => Ok(()),
            };
        }
        if content_type.type_() == "*" || content_type.subtype() == "*" {
            return Err("Content-Type names one media type, for example application/json".into());
        }
        if content_type.is_form() {
            return Err(format!(
                "{} is the type of an HTML form: send the document itself, for example with Content-Type: application/json",
                content_type.essence()
            ));
        }
        Ok(())
    }

    /// Whether the content of a form can be used (line 11).
    ///
    /// # Errors
    /// Half a sentence for the problem's detail.
    pub fn usable_form(&self, document_is_json: bool) -> Result<(), String> {
        let is_form = |content_type: &MediaType<'_>| content_type.is(FORM);
        if self.content_encoding == Some(ContentEncoding::Unsupported) {
            Err("send the content with Content-Encoding: gzip, or without a coding".into())
        } else if !self.content_type.as_ref().is_some_and(is_form) {
            Err(format!(
                "POST to a document takes {FORM}: a form without enctype, and without files"
            ))
        } else if !document_is_json {
            Err("the document is not JSON, and a form cannot change it: PUT it whole".into())
        } else {
            Ok(())
        }
    }

    /// The same request as the PATCH that its form comes to; `if_match` is what the form
    /// says that it was made from.
    #[must_use]
    pub fn as_merge_patch<'b>(&'b self, if_match: Option<TagList<'b>>) -> Request<'b> {
        let mut patch: Request<'b> = self.clone();
        patch.method = Method::Patch;
        patch.is_form = true;
        patch.content_type = MediaType::read(MERGE_PATCH);
        patch.content_encoding = None;
        patch.content_length = None;
        if if_match.is_some() {
            patch.preconditions.if_match = if_match;
        }
        patch
    }

    /// What the content of a PATCH is, by its type.
    #[must_use]
    pub fn patch_form(&self) -> Option<PatchForm> {
        let content_type = self.content_type.as_ref()?;
        if content_type.is_merge_patch() {
            Some(PatchForm::Merge)
        } else if content_type.is_json_patch() {
            Some(PatchForm::JsonPatch)
        } else if content_type.is("application/json") {
            Some(PatchForm::MergeIfObject)
        } else {
            None
        }
    }

    /// Whether `Accept` admits this media type.
    #[must_use]
    pub fn accepts(&self, content_type: &str) -> bool {
        self.accept
            .as_ref()
            .is_none_or(|accept| match MediaType::read(content_type) {
                Some(media_type) => accept.accepts(&media_type),
                None => true,
            })
    }

    /// The coding to send, out of those that there are; `None`: none is acceptable.
    #[must_use]
    pub fn choose_coding(&self, available: &[Coding]) -> Option<Coding> {
        match &self.accept_encoding {
            Some(accepted) => accepted.choose(available),
            None => Some(Coding::Identity),
        }
    }

    /// How to write a list; `None`: no form is acceptable.
    #[must_use]
    pub fn list_form(&self) -> Option<ListForm> {
        const FORMS: [ListForm; 2] = [ListForm::Json, ListForm::NdJson];
        match &self.accept {
            None => Some(ListForm::Json),
            Some(accept) => {
                let best = accept.best_of(&FORMS.map(ListForm::media_type))?;
                FORMS.get(best).copied()
            }
        }
    }

    /// How to write a feed; `None`: no form is acceptable.
    #[must_use]
    pub fn feed_form(&self) -> Option<FeedForm> {
        const FORMS: [FeedForm; 3] = [FeedForm::Json, FeedForm::NdJson, FeedForm::EventStream];
        match &self.accept {
            None => Some(FeedForm::Json),
            Some(accept) => {
                let best = accept.best_of(&FORMS.map(FeedForm::media_type))?;
                FORMS.get(best).copied()
            }
        }
    }

    /// Whether a page of this very server sent it. A proxy may have taken the TLS off.
    #[must_use]
    pub fn is_from_here(&self, origin: &Origin<'_>) -> bool {
        self.host.is_some_and(|host| {
            origin.is_of("https", &host) || (!self.secure && origin.is_of("http", &host))
        })
    }

    /// Whether the new representation was asked for.
    #[must_use]
    pub fn wants_representation(&self) -> bool {
        self.prefer.returns == Some(Return::Representation)
    }
}

/// Exactly one good host. HTTP/2 has it in `:authority`, and a `Host` beside it must
/// not name another (RFC 9113 §8.3.1); in HTTP/1.1 a target in absolute form overrides
/// the field (RFC 9112 §3.2.2).
fn host<'a>(head: &Head<'a>) -> Result<Host<'a>, Problem> {
    let bad = |detail: &str| Kind::BadFraming.because(detail);
    let no_host = || bad("Host is no host: send the one of the URL, such as localhost:2040");
    let mut fields = head.headers.get_all(header::HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(bad("there is more than one Host"));
    }
    if field.is_none() && head.version == Version::HTTP_11 {
        return Err(bad("there is no Host"));
    }
    let field = field
        .map(|value| Host::read(value.as_bytes().trim_ascii()).ok_or_else(no_host))
        .transpose()?;
    let authority = head
        .uri
        .authority()
        .map(|authority| Host::read(authority.as_str().as_bytes()).ok_or_else(no_host))
        .transpose()?;
    if head.version == Version::HTTP_2
        && let (Some(authority), Some(field)) = (&authority, &field)
        && !is_same_host(authority, field, head.uri.scheme())
    {
        return Err(bad("Host and :authority name different hosts"));
    }
    authority
        .or(field)
        .ok_or_else(|| bad("neither Host nor an authority names the host"))
}

/// Whether two hosts are one: the scheme's own port may be left out.
fn is_same_host(one: &Host<'_>, other: &Host<'_>, scheme: Option<&Scheme>) -> bool {
    let default = if scheme == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    let port = |host: &Host<'_>| host.port().unwrap_or(default);
    one.same_name(other) && port(one) == port(other)
}

fn target(head: &Head<'_>, method: Method) -> Result<Target, Problem> {
    let path = head.uri.path();
    let query_bytes = head.uri.query().map_or(0, str::len);
    let fields = head.headers.iter();
    let fields_bytes: usize = fields.map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    if path.len() + query_bytes > TARGET_BYTES {
        return Err(Kind::TargetTooLong.because(format!("at most {TARGET_BYTES} bytes")));
    }
    if fields_bytes > FIELDS_BYTES || head.headers.len() > FIELDS {
        return Err(Kind::FieldsTooLarge.because(format!(
            "at most {FIELDS_BYTES} bytes in at most {FIELDS} fields"
        )));
    }
    if path == "*" && method == Method::Options {
        return Ok(Target::Root);
    }
    Target::parse(path).map_err(|fault| {
        let kind = match fault {
            NameFault::PathTooLong => Kind::TargetTooLong,
            _ => Kind::BadTarget,
        };
        kind.because(fault.detail())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Version, uri: &'static str, field: &'static str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(field));
        let uri = Uri::from_static(uri);
        let head = Head {
            method: &http::Method::GET,
            uri: &uri,
            version,
            headers: &headers,
            framing_fault: None,
            secure: false,
        };
        let (request, _) = Request::read(head);
        match (request.fault, request.host) {
            (None, Some(host)) => Ok(host.lower_name()),
            (fault, _) => Err(fault.unwrap().kind.name().to_owned()),
        }
    }

    #[test]
    fn section_3_line_1_http_2_names_one_host() {
        let same = [
            ("http://a.example/c", "a.example"),
            ("http://a.example/c", "A.Example"),
            ("http://a.example/c", "a.example:80"),
            ("http://a.example:9/c", "A.EXAMPLE:9"),
            ("https://a.example:443/c", "a.example"),
        ];
        for (uri, field) in same {
            let host = read(Version::HTTP_2, uri, field);
            assert_eq!(host, Ok("a.example".to_owned()), "{uri} {field}");
        }
        let different = [
            ("http://a.example/c", "b.example"),
            ("http://a.example:9/c", "a.example:8"),
            ("http://a.example:9/c", "a.example"),
            ("https://a.example/c", "a.example:80"),
        ];
        for (uri, field) in different {
            let fault = read(Version::HTTP_2, uri, field);
            assert_eq!(fault, Err("bad-framing".to_owned()), "{uri} {field}");
            let host = read(Version::HTTP_11, uri, field);
            assert_eq!(host, Ok("a.example".to_owned()), "{uri} {field}");
        }
    }
}

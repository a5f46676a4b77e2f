//! What is decided: an answer, before it is put on the wire.

use http::StatusCode;

use super::RETRY_AFTER_SECS;
use crate::feed::EndReason;
use crate::field::coding::Coding;
use crate::field::www_authenticate::Challenge;
use crate::problem::{Kind, Problem};
use crate::request::{FeedForm, Method};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Read the content, evaluate it, commit it, and ask again.
    Proceed,
    /// Answer.
    Answer(Answer),
}

/// An answer, before it is put on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A refusal.
    Refuse(Problem),
    /// 401 or 403, with what `WWW-Authenticate` says.
    Challenge(Problem, Challenge),
    /// A refusal that ends by itself.
    Retry {
        /// The refusal.
        problem: Problem,
        /// What `Retry-After` says.
        after_secs: u32,
    },
    /// 405, with what `Allow` says.
    NotAllowed {
        /// What `Allow` says.
        allow: Allow,
    },
    /// 412, where the document exists and the problem can help to go on.
    Stale(Problem),
    /// Line 9: the first answer again.
    Replay,
    /// 308 to this canonical path.
    Moved(String),
    /// 204 to OPTIONS, with what `Allow` says.
    Options {
        /// What `Allow` says.
        allow: Allow,
    },
    /// 304.
    NotModified(Coding),
    /// 200 to GET and HEAD, in this coding.
    Representation(Coding),
    /// 206 with these bytes, the last one included.
    Part {
        /// Position of the first byte.
        first: u64,
        /// Position of the last byte.
        last: u64,
    },
    /// 416.
    OutOfRange(Problem),
    /// A write succeeded.
    Written(Written),
    /// 202: an operation was started.
    Accepted,
    /// 200 with the changes, in this form.
    Changes(FeedForm),
    /// 200 with an event stream that ends at once: any other status would keep a
    /// browser from coming back (contract §7.6).
    Ended {
        /// Why.
        reason: EndReason,
        /// When to come back.
        after_secs: u32,
    },
}

impl Answer {
    /// A problem that nothing is to be added to but, where the server cannot do something at
    /// the moment, when to come back.
    #[must_use]
    pub fn refusal(problem: Problem) -> Self {
        match problem.kind {
            Kind::Unavailable => Self::Retry {
                problem,
                after_secs: RETRY_AFTER_SECS,
            },
            _ => Self::Refuse(problem),
        }
    }

    /// Line 8.
    pub(super) fn too_many(after_secs: u32) -> Self {
        Self::Retry {
            problem: Kind::TooManyRequests.because(format!("wait {after_secs} s")),
            after_secs,
        }
    }
}

/// How a successful write is answered (lines 21 to 23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether the document came into being: 201 and `Location`.
    pub created: bool,
    /// Whether the new representation comes along: 200 or 201.
    pub representation: bool,
    /// Whether `ETag` and `Last-Modified` may be sent; otherwise `Matchbook-Version`
    /// (RFC 9110 §9.3.4).
    pub validators: bool,
}

impl Written {
    /// 201, 200 or 204.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match (self.created, self.representation) {
            (true, _) => StatusCode::CREATED,
            (false, true) => StatusCode::OK,
            (false, false) => StatusCode::NO_CONTENT,
        }
    }
}

/// Which methods a resource has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Those of a document.
    Document,
    /// Those of a document that forms may save.
    Form,
    /// Those of a collection.
    Collection,
    /// Those of a batch.
    Batch,
    /// Those of a page that can only be read.
    Page,
    /// Those of the session.
    Session,
    /// Those of an operation.
    Operation,
    /// Those of what an operation is to work on.
    Upload,
}

impl Allow {
    /// What `Allow` says.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Document => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
            Self::Form => "GET, HEAD, PUT, PATCH, DELETE, POST, OPTIONS",
            Self::Collection => "GET, HEAD, POST, OPTIONS",
            Self::Batch => "POST, OPTIONS",
            Self::Page => "GET, HEAD, OPTIONS",
            Self::Session => "POST, DELETE, OPTIONS",
            Self::Operation => "GET, HEAD, DELETE, OPTIONS",
            Self::Upload => "PUT, OPTIONS",
        }
    }

    /// Whether the resource has the method.
    #[must_use]
    pub const fn has(self, method: Method) -> bool {
        match method {
            Method::Options => true,
            Method::Get | Method::Head => {
                !matches!(self, Self::Batch | Self::Session | Self::Upload)
            }
            Method::Put => matches!(self, Self::Document | Self::Form | Self::Upload),
            Method::Patch => matches!(self, Self::Document | Self::Form),
            Method::Delete => matches!(
                self,
                Self::Document | Self::Form | Self::Session | Self::Operation
            ),
            Method::Post => matches!(
                self,
                Self::Collection | Self::Form | Self::Batch | Self::Session
            ),
            Method::Other | Method::Unknown => false,
        }
    }
}

//! What is decided upon, besides the request: the resource, the operator's policy, the
//! circumstances, and how far the request has come.

use super::answer::Allow;
use crate::limits::DOCUMENT_BYTES;
use crate::problem::Problem;
use crate::tag::Version;

/// What the request is about, as it stands at one moment.
#[derive(Clone, Debug)]
pub enum Resource<'a> {
    /// A document, or the place where one could be.
    Document(Option<Present<'a>>),
    /// A collection: it always exists, if only without members.
    Collection {
        /// The opaque part of its weak tag, for the media type asked for.
        opaque: &'a str,
        /// Whether it has members. `If-Match: *` on a POST asks.
        has_members: bool,
    },
    /// The changes of a document, of a collection, or of all. They can be followed
    /// before there are any.
    Feed {
        /// The methods of what the changes are of.
        allow: Allow,
    },
    /// Several writes at once.
    Batch,
    /// The list of collections, or a page of the server's own.
    Page,
    /// The cookie that stands for a bearer token (contract §7.6).
    Session,
    /// A name below `/_/` that means nothing.
    NoPage,
}

/// A document that is there.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a> {
    /// The version that it stands at.
    pub version: Version,
    /// That as text: the opaque part of the identity representation's tag.
    pub opaque: &'a str,
    /// Its time, in seconds since 1970.
    pub modified_secs: u64,
    /// Its media type.
    pub content_type: &'a str,
    /// Whether that is JSON.
    pub is_json: bool,
    /// Its length.
    pub length_bytes: u64,
    /// Whether a content coding would make it shorter.
    pub compressible: bool,
}

/// What the operator has decided.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Origins, besides the server's own, whose pages may send unsafe requests.
    pub origins: Vec<String>,
    /// Names, besides the loopback ones, that open mode answers to, in lower case.
    pub hosts: Vec<String>,
    /// Whether anyone may do anything: no authentication is configured.
    pub open: bool,
    /// Whether open mode was told that other machines may reach it (`--open`): then a
    /// `Host` that is an IP address is good too. It cannot be rebound.
    pub exposed: bool,
    /// Whether a write to an existing document needs a precondition.
    pub preconditions_required: bool,
    /// Largest document, decoded.
    pub max_document_bytes: usize,
    /// Whether HTML forms may save documents.
    pub forms: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            hosts: Vec::new(),
            open: true,
            exposed: false,
            preconditions_required: true,
            max_document_bytes: DOCUMENT_BYTES,
            forms: false,
        }
    }
}

/// What the server knows about the caller and about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Line 2.
    pub availability: Availability,
    /// Line 6.
    pub credentials: Credentials,
    /// Line 7: the action that the policy forbids, if it does.
    pub forbidden: Option<&'static str>,
    /// Whether the caller may read what is there, or what came of the request. Who may not
    /// learns nothing of it (the last rule of §3).
    pub reads: bool,
    /// Line 8: seconds to wait, where the caller has asked too often.
    pub wait_secs: Option<u32>,
    /// Line 9.
    pub repeat: Repeat,
}

impl Circumstances {
    /// Nothing stands in the way.
    pub const CLEAR: Self = Self {
        availability: Availability::Open,
        credentials: Credentials::Good,
        forbidden: None,
        reads: true,
        wait_secs: None,
        repeat: Repeat::No,
    };
}

/// Whether the server takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Open,
    /// It is about to stop.
    Draining,
    /// It has too much to do.
    Overloaded,
}

/// What the request proves of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Enough; in open mode, nothing is.
    Good,
    /// None were sent, and some are needed.
    Missing,
    /// Those that were sent are not good, for this reason. Then it does not matter what
    /// anybody may: a client whose token has expired must learn it, and not be shown
    /// less in silence.
    Bad(&'static str),
    /// Some were sent, and were not looked at: so many bad ones came from the same address
    /// that its guesses have to wait. Lines 6 and 7 cannot be decided then, and line 8
    /// answers in their place.
    Unread {
        /// Seconds to wait.
        wait_secs: u32,
    },
}

/// Whether the request's `Idempotency-Key` was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// No, or none was sent.
    No,
    /// Yes, with this very request.
    Same,
    /// Yes, with another one.
    Different,
}

/// How far the request has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its header section is here. Lines 1 to 15 are decided.
    Asked,
    /// What came after did not succeed. Lines 16 to 20, and 13 while reading.
    Failed(Problem),
    /// The result equals what is there: nothing was committed.
    Unchanged,
    /// The result is committed.
    Committed {
        /// Whether the document came into being.
        created: bool,
        /// Whether the server changed what was sent.
        rewritten: bool,
    },
}

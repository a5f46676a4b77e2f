//! What an answer that refuses says (contract §10, RFC 9457).
//!
//! [`Kind`] is the one list of all refusals: its name is the last segment of the
//! problem's `type`, its status is the answer's, and its page tells what it means,
//! what causes it, and how to mend it. A [`Problem`] is one occurrence, with the
//! request's own values in its `detail`.

use std::fmt;

use http::StatusCode;

use crate::json::text::quote_into;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:ident $title:literal $help:literal;)*) => {
        /// A kind of refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All of them, in the order in which the decision looks for them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The last segment of the problem's `type`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The problem's `title`: the same for all occurrences.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The page behind the problem's `type`: causes and remedies.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

kinds! {
    /// The request target names nothing that could exist.
    BadTarget "bad-target" BAD_REQUEST "The request target is malformed"
        "A path is made of segments of 1 to 255 bytes of UTF-8, percent-encoded, without control characters. Build paths with your language's URL encoder (encodeURIComponent in JavaScript) and encode each segment by itself.";
    /// A header field does not parse.
    BadField "bad-field" BAD_REQUEST "A header field is malformed"
        "A field that guards a write is never guessed at. Send entity tags exactly as you received them, with their quotes: If-Match: \"k3v4q2ab-17\".";
    /// The message's framing or its `Host` is in doubt.
    BadFraming "bad-framing" BAD_REQUEST "The message framing is malformed"
        "HTTP/1.1 requests carry exactly one Host, and either Content-Length or Transfer-Encoding: chunked, never both. Proxies that rewrite requests are the usual cause. The connection is closed, because where the next request begins cannot be known.";
    /// A parameter of the query does not parse or is not known here.
    BadQuery "bad-query" BAD_REQUEST "The query is malformed"
        "Lists take filters (field=value, field:op=value) and the controls _sort, _limit, _after, _fields, _count. Documents take no query.";
    /// The target is over the limit.
    TargetTooLong "target-too-long" URI_TOO_LONG "The request target is too long"
        "A path is at most 1,024 bytes after decoding, a target at most 16 KiB.";
    /// The header fields are over the limit.
    FieldsTooLarge "fields-too-large" REQUEST_HEADER_FIELDS_TOO_LARGE "The header fields are too large"
        "All header fields of a request together are at most 32 KiB, and at most 100 in number. Large cookies are the usual cause.";
    /// Open mode, and a `Host` that is not this machine's.
    Misdirected "misdirected" MISDIRECTED_REQUEST "This server does not answer for that host"
        "Without authentication the server answers to loopback names only, so that a web page cannot reach it by pointing its own name here (DNS rebinding). Use http://localhost or http://127.0.0.1, or list the name with --host.";
    /// The server is about to stop, or has too much to do.
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The server takes no requests at the moment"
        "It is shutting down or overloaded. Nothing was changed. Try again after the time in Retry-After.";
    /// Nobody knows this method.
    UnknownMethod "unknown-method" NOT_IMPLEMENTED "The method is not known"
        "Known are GET, HEAD, PUT, PATCH, DELETE, POST and OPTIONS.";
    /// The method is known, and not for this resource.
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here"
        "Allow lists what is. Documents (paths of an even number of segments) take GET, HEAD, PUT, PATCH and DELETE; collections take GET, HEAD and POST. Documents of collections that are set to take forms take POST too.";
    /// An unsafe request that another site's page made.
    ForeignSite "foreign-site" FORBIDDEN "Another site's page may not write here"
        "A browser says that a page of another origin sent this request. If that origin is yours, start the server with --cors-origin and the origin exactly as the browser sends it. Forms save only from the server's own origin, and only where Origin or Sec-Fetch-Site says so.";
    /// No credentials, or none that are good.
    Unauthenticated "unauthenticated" UNAUTHORIZED "Credentials are needed"
        "Send Authorization: Bearer with a token that has not expired, or with an API key. WWW-Authenticate says what is wrong with the one that was sent.";
    /// The credentials cannot be made a session.
    NoSession "no-session" BAD_REQUEST "These credentials cannot be made a session"
        "POST /_/session makes a cookie of the bearer token in Authorization. A cookie holds at most 4 KiB, so larger tokens do not fit: leave claims out. API keys are for machines, and have no session.";
    /// The policy forbids it.
    Forbidden "forbidden" FORBIDDEN "This is not permitted"
        "The credentials are good, and the policy does not permit the action that the detail names.";
    /// Too many requests.
    TooManyRequests "too-many-requests" TOO_MANY_REQUESTS "Too many requests"
        "The server takes so many requests a second from each caller, as RateLimit-Policy says, and RateLimit tells how many are left. A request of a batch counts as one. Wait for the time in Retry-After.";
    /// An idempotency key was used for another request.
    KeyReused "key-reused" UNPROCESSABLE_ENTITY "The idempotency key belongs to another request"
        "A repeat must be the same in all: method, path, query, body, precondition, Content-Type and Prefer. Make a new key for each new request.";
    /// No document is here.
    NotFound "not-found" NOT_FOUND "There is no document here"
        "It was never made, or it was deleted. PUT makes one.";
    /// The body's media type or coding cannot be used.
    UnsupportedContent "unsupported-content" UNSUPPORTED_MEDIA_TYPE "The content's type or coding cannot be used here"
        "PUT and POST take any media type except those of HTML forms, and Content-Type must be there; curl -d sends a form type by itself, so add -H 'Content-Type: application/json'. PATCH takes application/merge-patch+json and application/json-patch+json. POST to a document, where the collection allows forms, takes application/x-www-form-urlencoded. Codings are gzip and identity.";
    /// `Content-Range` on a PUT.
    PartialPut "partial-put" BAD_REQUEST "A part of a document cannot be PUT"
        "RFC 9110 §14.5: send the whole document, or a PATCH.";
    /// The body is over the limit.
    ContentTooLarge "content-too-large" PAYLOAD_TOO_LARGE "The content is too large"
        "The limit counts decoded bytes. The detail names it.";
    /// Nothing that the client accepts.
    NotAcceptable "not-acceptable" NOT_ACCEPTABLE "No representation is acceptable"
        "A document has the media type that it was stored with. Leave Accept out, or add */*.";
    /// A write without a precondition.
    PreconditionRequired "precondition-required" PRECONDITION_REQUIRED "A precondition is required"
        "GET the document first and send its ETag back in If-Match, so that nobody's change is overwritten unseen. If-Match: * overwrites whatever is there; If-None-Match: * creates only.";
    /// A precondition is false.
    Stale "stale" PRECONDITION_FAILED "The document has changed since"
        "Somebody saved first. `current` is the tag now: GET the document, apply your change to it, and save again with that tag in If-Match. If `same` is true, the document already is what this request would have made it, and nothing is left to do. `changes`, where present, is a JSON Patch from your version to the current one.";
    /// The body did not come in full, or not in time.
    Incomplete "incomplete" BAD_REQUEST "The content ended early"
        "Fewer bytes came than were announced. Nothing was stored.";
    /// The body came too slowly.
    Timeout "timeout" REQUEST_TIMEOUT "The request took too long to arrive"
        "Nothing was stored. Send the request again.";
    /// The body is not what its type says.
    Malformed "malformed" BAD_REQUEST "The content does not parse"
        "JSON must be one value in UTF-8 without a byte order mark, nested at most 128 deep, without duplicate member names. The detail names the byte.";
    /// A JSON Patch does not fit the document.
    PatchConflict "patch-conflict" CONFLICT "The patch does not fit the document"
        "A test failed, or a path does not resolve, in the document as it stands. Nothing was changed.";
    /// The result is not valid.
    Invalid "invalid" UNPROCESSABLE_ENTITY "The document would not be valid"
        "errors lists what the collection's schema does not allow, each with a JSON Pointer.";
    /// There is no such work to be done.
    BadOperation "bad-operation" UNPROCESSABLE_ENTITY "The operation cannot be done as it is asked for"
        "POST /_/operations takes {\"kind\":…} with import, export, delete-collection, build-index or backup, and what that kind asks for. errors names what is not good.";
    /// An operation has its content already, or is over.
    NotWaiting "not-waiting" BAD_REQUEST "The operation takes no content"
        "An import takes its content once, by PUT to /_/operations/{id}/content, while its status is running. To import something else, start another one.";
    /// A unique field has a value that another document has.
    Taken "taken" BAD_REQUEST "A unique field is taken"
        "Another document of the collection has an equal value in the field that the detail names, and the collection is set so that no two have. Nothing was changed. Send another value. Numbers are equal by value (1 is 1.0); a document without the field takes no value.";
    /// The range lies outside the document.
    RangeNotSatisfiable "range-not-satisfiable" RANGE_NOT_SATISFIABLE "The range lies outside the document"
        "Content-Range holds the document's length.";
    /// The changes since a cursor can no longer be told.
    CursorGone "cursor-gone" GONE "The changes since this cursor cannot be told"
        "The cursor is malformed, of another history (a backup was restored), or older than the log reaches. Begin anew: GET the collection, and go on with the changes since the cursor of its first page. In an event stream the server does this by itself, with a reset.";
    /// The collection holds as much as it may.
    CollectionFull "collection-full" INSUFFICIENT_STORAGE "The collection is full"
        "Nothing was changed. The collection's settings say how many documents, or how many bytes, it may hold; the detail names which. Deletions and smaller documents are taken.";
    /// The disk is full.
    StorageFull "storage-full" INSUFFICIENT_STORAGE "The disk is full"
        "Nothing was changed; reads go on. Free some space on the server.";
    /// The store cannot be written to.
    StoreUnavailable "store-unavailable" SERVICE_UNAVAILABLE "The store takes no writes at the moment"
        "Nothing was changed by this request. The server's log says why.";
    /// It is not known whether the write happened.
    Indeterminate "indeterminate" INTERNAL_SERVER_ERROR "Whether the write happened is not known"
        "The disk failed at the moment of the commit. GET the document to see which it is. The server takes no more writes until it is started again.";
    /// A fault of the server's.
    Internal "internal" INTERNAL_SERVER_ERROR "The server failed"
        "Nothing was acknowledged. The server's log has the request's id.";
}

impl Kind {
    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// An occurrence of this kind.
    #[must_use]
    pub fn because(self, detail: impl Into<String>) -> Problem {
        Problem {
            kind: self,
            detail: detail.into(),
            errors: Vec::new(),
            missing: None,
        }
    }
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// What to do, with this request's values.
    pub detail: String,
    /// What is wrong with the document, one by one ([`Kind::Invalid`]).
    pub errors: Vec<Violation>,
    /// The action that the policy does not permit ([`Kind::Forbidden`]).
    pub missing: Option<&'static str>,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a JSON Pointer (RFC 6901) into the document.
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl Problem {
    /// An action that the policy does not permit, with what it is about.
    #[must_use]
    pub fn forbidden(action: &'static str, what: &str) -> Self {
        Self {
            missing: Some(action),
            ..Kind::Forbidden.because(format!("the policy does not permit '{action}' {what}"))
        }
    }

    /// A document that would not be valid.
    #[must_use]
    pub fn invalid(detail: impl Into<String>, errors: Vec<Violation>) -> Self {
        Self {
            errors,
            ..Kind::Invalid.because(detail)
        }
    }

    /// The content of an `application/problem+json` answer, open at its end for members
    /// of the kind's own (RFC 9457 §3.2); a `}` completes it. `id` is the request's, a
    /// UUID.
    #[must_use]
    pub fn body(&self, id: &str) -> String {
        let mut body = String::with_capacity(512);
        body.push_str("{\"type\":\"/_/problems/");
        body.push_str(self.kind.name());
        body.push_str("\",\"title\":");
        quote_into(&mut body, self.kind.title());
        body.push_str(",\"status\":");
        body.push_str(self.kind.status().as_str());
        body.push_str(",\"detail\":");
        quote_into(&mut body, &self.detail);
        body.push_str(",\"instance\":\"urn:uuid:");
        body.push_str(id);
        body.push('"');
        for (index, Violation { pointer, detail }) in self.errors.iter().enumerate() {
            body.push_str(if index == 0 { ",\"errors\":[" } else { "," });
            body.push_str("{\"pointer\":");
            quote_into(&mut body, pointer);
            body.push_str(",\"detail\":");
            quote_into(&mut body, detail);
            body.push('}');
        }
        if !self.errors.is_empty() {
            body.push(']');
        }
        body
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_10_a_kind_is_found_by_its_name() {
        for &kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
        assert_eq!(Kind::from_name("no-such-kind"), None);
    }
}

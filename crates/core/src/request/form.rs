//! How lists are written and patches are read, by their media types.

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// One JSON object with a page of items.
    Json,
    /// One item a line, the whole collection.
    NdJson,
}

impl ListForm {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
        }
    }
}

/// How a feed is written (contract §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedForm {
    /// An event stream, which goes on.
    EventStream,
    /// One JSON object with a page of changes.
    Json,
    /// One change a line, all that there are.
    NdJson,
}

impl FeedForm {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::EventStream => "text/event-stream",
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
        }
    }
}

/// What the content of a PATCH is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchForm {
    /// RFC 7396.
    Merge,
    /// `application/json`: a merge patch if it is an object.
    MergeIfObject,
    /// RFC 6902.
    JsonPatch,
}

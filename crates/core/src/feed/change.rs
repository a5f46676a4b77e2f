//! What a reader is told about one document (contract §7): `put`, `patch`, `delete` and
//! `leave`.

use std::borrow::Cow;

use super::content::{Content, Item, Layout, modified_into, one_line_into, path_into, tag_into};
use crate::clock::Timestamp;
use crate::name::DocumentPath;
use crate::tag::Version;

/// One change of what a reader holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The document that it is about.
    pub path: &'a DocumentPath,
    /// What to do.
    pub kind: ChangeKind<'a>,
    /// Whether more events of the same atomic batch follow (contract §7.5).
    pub more: bool,
}

/// What a reader has to do to hold what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind<'a> {
    /// `put` in a snapshot: hold this. What it took the place of is not told.
    Found {
        /// The write that made it so.
        version: Version,
        /// When that was.
        modified: Timestamp,
        /// What is shown of it.
        content: Content<'a>,
    },
    /// `put`: hold this.
    Put {
        /// The version that it is now.
        version: Version,
        /// The version that it took the place of; `None` if it came into being.
        previous: Option<Version>,
        /// When.
        modified: Timestamp,
        /// What is shown of it.
        content: Content<'a>,
        /// Whether it newly matches a live query.
        entered: bool,
    },
    /// `patch`: apply this to what is held.
    Patch {
        /// The version that it is then.
        version: Version,
        /// The version that the patch is for.
        previous: Version,
        /// When.
        modified: Timestamp,
        /// A JSON Patch (RFC 6902) from what was shown of the one to what is shown of
        /// the other.
        patch: Cow<'a, str>,
    },
    /// `delete`: it is no more.
    Delete {
        /// The version that it had.
        previous: Version,
        /// When.
        modified: Timestamp,
    },
    /// `leave`: it no longer belongs to what was asked for.
    Leave {
        /// The version that did, or the last that did.
        previous: Version,
    },
}

impl ChangeKind<'_> {
    /// The type of the event.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Found { .. } | Self::Put { .. } => "put",
            Self::Patch { .. } => "patch",
            Self::Delete { .. } => "delete",
            Self::Leave { .. } => "leave",
        }
    }
}

impl Change<'_> {
    /// Appends the data of the event: a JSON object on one line.
    pub fn data_into(&self, json: &mut String) {
        json.push('{');
        self.members_into(json);
        json.push('}');
    }

    /// Appends the entry of a page of changes: the same object, which begins with
    /// `event`.
    pub fn entry_into(&self, json: &mut String) {
        for part in ["{\"event\":\"", self.kind.event(), "\","] {
            json.push_str(part);
        }
        self.members_into(json);
        json.push('}');
    }

    fn members_into(&self, json: &mut String) {
        match &self.kind {
            ChangeKind::Found {
                version,
                modified,
                content,
            } => {
                let item = Item {
                    path: self.path,
                    version: *version,
                    modified: *modified,
                    content: content.shown(None),
                };
                item.members_into(json, Layout::OneLine);
            }
            ChangeKind::Put {
                version,
                previous,
                modified,
                content,
                entered,
            } => {
                path_into(json, self.path);
                tag_into(json, "etag", Some(*version));
                tag_into(json, "previous", *previous);
                modified_into(json, *modified);
                content.members_into(json, Layout::OneLine);
                if *entered {
                    json.push_str(",\"entered\":true");
                }
            }
            ChangeKind::Patch {
                version,
                previous,
                modified,
                patch,
            } => {
                path_into(json, self.path);
                tag_into(json, "etag", Some(*version));
                tag_into(json, "previous", Some(*previous));
                modified_into(json, *modified);
                json.push_str(",\"patch\":");
                one_line_into(json, patch);
            }
            ChangeKind::Delete { previous, modified } => {
                path_into(json, self.path);
                tag_into(json, "previous", Some(*previous));
                modified_into(json, *modified);
            }
            ChangeKind::Leave { previous } => {
                path_into(json, self.path);
                tag_into(json, "previous", Some(*previous));
            }
        }
        if self.more {
            json.push_str(",\"more\":true");
        }
    }
}

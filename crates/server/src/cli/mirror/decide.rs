//! What an event means to a file (contract §7.1). Pure, and total.

use matchbook_core::tag::Version;

use super::super::stream::{Change, Content, Kind};
use super::journal::Held;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action<'a> {
    /// Nothing: what is held is as late, or later.
    Skip,
    /// Nothing to the file: it holds this already, from before the snapshot.
    Confirm(Held),
    /// Write this.
    Write(Version, &'a str),
    /// Apply this to the file, if it is still what is held.
    Patch(Held, Version, &'a str),
    /// Get the document, of this version or a later one.
    Fetch(Version),
    /// Remove the file.
    Remove,
}

/// What a mirror has of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    /// No file.
    Nothing,
    /// A file of the mirror with who knows what in it.
    Something,
    /// This, from before the snapshot that is read: if the tag is the same then so are
    /// the bytes, but which of two is the later cannot be told.
    Old(Held),
    /// This.
    Now(Held),
}

/// Decides. With `exact`, no file is made of what the feed tells: it tells values, and
/// leaves line ends and the order of members away.
pub(super) fn decide<'a>(has: Has, change: &Change<'a>, exact: bool) -> Action<'a> {
    let etag = match &change.kind {
        Kind::Put { etag, .. } | Kind::Patch { etag, .. } => *etag,
        Kind::Delete { previous } | Kind::Leave { previous } => return removal(has, *previous),
    };
    match (has, &change.kind) {
        (Has::Now(held), _) if held.version.revision >= etag.revision => Action::Skip,
        (Has::Old(held), _) if held.version == etag => Action::Confirm(held),
        _ if exact => Action::Fetch(etag),
        (
            Has::Now(held) | Has::Old(held),
            Kind::Patch {
                previous, patch, ..
            },
        ) if held.version == *previous => Action::Patch(held, etag, patch),
        (
            _,
            Kind::Put {
                content: Content::Json(text),
                ..
            },
        ) => Action::Write(etag, text),
        _ => Action::Fetch(etag),
    }
}

fn removal<'a>(has: Has, previous: Version) -> Action<'a> {
    match has {
        Has::Nothing => Action::Skip,
        Has::Now(held) if held.version.revision > previous.revision => Action::Skip,
        Has::Something | Has::Old(_) | Has::Now(_) => Action::Remove,
    }
}

#[cfg(test)]
mod tests {
    use matchbook_core::name::DocumentPath;

    use super::super::super::stream::Origin;
    use super::super::journal::Print;
    use super::*;

    fn version(number: u64) -> Version {
        format!("aaaaaaaa-{number}").parse().unwrap()
    }

    fn held(number: u64) -> Held {
        Held {
            version: version(number),
            print: Print::of(b""),
        }
    }

    fn put(number: u64) -> Kind<'static> {
        Kind::Put {
            etag: version(number),
            origin: Origin::Replaced,
            content: Content::Json("1"),
        }
    }

    fn blob(number: u64) -> Kind<'static> {
        Kind::Put {
            etag: version(number),
            origin: Origin::Replaced,
            content: Content::Other {
                content_type: "text/plain".to_owned(),
                length_bytes: 1,
            },
        }
    }

    fn patch(number: u64, previous: u64) -> Kind<'static> {
        Kind::Patch {
            etag: version(number),
            previous: version(previous),
            patch: "[]",
        }
    }

    fn delete(previous: u64) -> Kind<'static> {
        Kind::Delete {
            previous: version(previous),
        }
    }

    fn leave(previous: u64) -> Kind<'static> {
        Kind::Leave {
            previous: version(previous),
        }
    }

    #[test]
    fn section_7_1_what_an_event_means_to_a_file() {
        use Has::{Nothing, Now, Old, Something};
        let write = || Action::Write(version(5), "1");
        let fetch = || Action::Fetch(version(5));
        let apply = |number| Action::Patch(held(number), version(5), "[]");
        let cases = [
            (Nothing, put(5), write(), fetch()),
            (Something, put(5), write(), fetch()),
            (Now(held(4)), put(5), write(), fetch()),
            (Now(held(5)), put(5), Action::Skip, Action::Skip),
            (Now(held(6)), put(5), Action::Skip, Action::Skip),
            (Old(held(4)), put(5), write(), fetch()),
            (
                Old(held(5)),
                put(5),
                Action::Confirm(held(5)),
                Action::Confirm(held(5)),
            ),
            (Old(held(9)), put(5), write(), fetch()),
            (Nothing, blob(5), fetch(), fetch()),
            (Now(held(5)), blob(5), Action::Skip, Action::Skip),
            (
                Old(held(5)),
                blob(5),
                Action::Confirm(held(5)),
                Action::Confirm(held(5)),
            ),
            (Nothing, patch(5, 4), fetch(), fetch()),
            (Something, patch(5, 4), fetch(), fetch()),
            (Now(held(4)), patch(5, 4), apply(4), fetch()),
            (Now(held(3)), patch(5, 4), fetch(), fetch()),
            (Now(held(5)), patch(5, 4), Action::Skip, Action::Skip),
            (Old(held(4)), patch(5, 4), apply(4), fetch()),
            (Old(held(9)), patch(5, 4), fetch(), fetch()),
            (Nothing, delete(5), Action::Skip, Action::Skip),
            (Something, delete(5), Action::Remove, Action::Remove),
            (Now(held(4)), delete(5), Action::Remove, Action::Remove),
            (Now(held(5)), leave(5), Action::Remove, Action::Remove),
            (Now(held(6)), leave(5), Action::Skip, Action::Skip),
            (Old(held(9)), delete(5), Action::Remove, Action::Remove),
        ];
        for (has, kind, expected, exactly) in cases {
            let change = Change {
                path: DocumentPath::parse("/c/1").unwrap(),
                modified: None,
                kind,
            };
            assert_eq!(decide(has, &change, false), expected, "{has:?} {change:?}");
            assert_eq!(decide(has, &change, true), exactly, "{has:?} {change:?}");
        }
    }

    #[test]
    fn section_1_the_number_of_another_history_is_no_tag() {
        let mut other = held(5);
        other.version = "bbbbbbbb-5".parse().unwrap();
        let change = Change {
            path: DocumentPath::parse("/c/1").unwrap(),
            modified: None,
            kind: put(5),
        };
        let write = Action::Write(version(5), "1");
        assert_eq!(decide(Has::Old(other), &change, false), write);
    }
}

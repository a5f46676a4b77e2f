//! The framing of events: what is written is read by another reader as the same.

use std::borrow::Cow;

use matchbook_core::clock::Timestamp;
use matchbook_core::feed::{Change, ChangeKind, Content, Cursor, EndReason, Event, ResetReason};
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::{Epoch, Revision, Version};

use crate::input::{Input, pieces};
use crate::json::checked;
use crate::oracle::{Read, Told, Value, told};

/// The input is pieces between zero bytes, each an event: the first two bytes say which,
/// the rest is its document, path, cursor or media type.
pub fn events(data: &[u8]) {
    let mut stream = String::new();
    let mut expected = Vec::new();
    for (number, piece) in (1..).zip(pieces(data).take(64)) {
        let mut input = Input::new(piece);
        let (kind, flags) = (input.byte(), input.byte());
        let text = String::from_utf8_lossy(piece.get(2..).unwrap_or_default());
        let piece = Piece {
            version: version(number),
            kind,
            flags,
            text: &text,
        };
        expected.push(piece.write(&mut stream));
    }
    let read = told(&stream);
    assert_eq!(read.len(), expected.len(), "{stream}");
    for (told, expected) in read.iter().zip(&expected) {
        expected.is(told);
    }
}

fn version(number: u64) -> Version {
    Version {
        epoch: Epoch::from_bits(number),
        revision: Revision::new(number).unwrap(),
    }
}

struct Piece<'a> {
    version: Version,
    kind: u8,
    flags: u8,
    text: &'a str,
}

/// What a reader has to be told.
struct Expected {
    name: &'static str,
    id: String,
    retry_ms: Option<u64>,
    /// Members of the data, but for those in `spelled`.
    members: Vec<(&'static str, Value)>,
    /// A member that is as it was sent, spelling and all.
    spelled: Option<(&'static str, Value)>,
}

impl Expected {
    fn is(&self, told: &Told) {
        let read = Read::of(&told.data).expect("the data are JSON");
        let seen = (told.name.as_str(), &told.id, told.retry_ms);
        assert_eq!(seen, (self.name, &self.id, self.retry_ms));
        let (Value::Object(mut members), Value::Object(mut spelled)) = (read.value, read.spelled)
        else {
            panic!("the data are an object");
        };
        if let Some((name, value)) = &self.spelled {
            assert_eq!(spelled.remove(*name).as_ref(), Some(value));
            members.remove(*name);
        }
        let expected = self.members.iter().cloned();
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(members, expected.collect());
    }
}

fn string(text: impl ToString) -> Value {
    Value::String(text.to_string())
}

impl Piece<'_> {
    fn write(&self, stream: &mut String) -> Expected {
        let flag = |bit: u8| self.flags & bit != 0;
        let id = self.text.parse();
        let id = id.unwrap_or_else(|_| Cursor::position(self.version));
        let retry_ms = flag(1).then_some(u32::from(self.flags) << 20);
        let mut expected = Expected {
            name: "",
            id: id.to_string(),
            retry_ms: retry_ms.map(u64::from),
            members: Vec::new(),
            spelled: None,
        };
        let event = match self.kind % 10 {
            0 => Event::Synced,
            1 => Event::Heartbeat,
            2 => Event::Reset(match self.flags >> 1 & 3 {
                0 => ResetReason::Snapshot,
                1 => ResetReason::Foreign,
                2 => ResetReason::TooOld,
                _ => ResetReason::View,
            }),
            3 => Event::End(match self.flags >> 1 & 3 {
                0 => EndReason::Policy,
                1 => EndReason::Draining,
                2 => EndReason::Busy,
                _ => EndReason::Slow,
            }),
            _ => {
                let path = DocumentPath::parse(self.text);
                let path = path.unwrap_or_else(|_| DocumentPath::parse("/c/%C3%A9").unwrap());
                let kind = self.change(&mut expected);
                expected.members.push(("path", string(&path)));
                let more = flag(2);
                if more {
                    expected.members.push(("more", Value::Boolean(true)));
                }
                let change = Change {
                    path: &path,
                    kind,
                    more,
                };
                expected.name = change.kind.event();
                Event::Change(change).block_into(stream, &id, retry_ms);
                return expected;
            }
        };
        match &event {
            Event::Synced => expected.members.push(("cursor", string(&id))),
            Event::Reset(reason) => expected.members.push(("reason", string(reason.as_str()))),
            Event::End(reason) => expected.members.push(("reason", string(reason.as_str()))),
            _ => {}
        }
        expected.name = event.name();
        event.block_into(stream, &id, retry_ms);
        expected
    }

    fn change(&self, expected: &mut Expected) -> ChangeKind<'_> {
        let (version, previous) = (self.version, version(7));
        let modified = Timestamp::from_millis(951_782_400_123);
        let tags = |name, version: Version| (name, string(version.etag()));
        let at = ("modified", string("2000-02-29T00:00:00.123Z"));
        let members = &mut expected.members;
        match self.kind % 10 {
            4 => {
                members.push(tags("previous", previous));
                ChangeKind::Leave { previous }
            }
            5 => {
                members.extend([tags("previous", previous), at]);
                ChangeKind::Delete { previous, modified }
            }
            6 | 7 => {
                members.extend([tags("etag", version), at]);
                let content = self.content(expected);
                ChangeKind::Found {
                    version,
                    modified,
                    content,
                }
            }
            8 if let Some(read) = checked(self.text.as_bytes()) => {
                members.extend([tags("etag", version), tags("previous", previous), at]);
                expected.spelled = Some(("patch", read.spelled));
                let patch = Cow::Borrowed(self.text);
                ChangeKind::Patch {
                    version,
                    previous,
                    modified,
                    patch,
                }
            }
            _ => {
                let previous = (self.flags & 4 != 0).then_some(previous);
                let before = previous.map_or(Value::Null, |version| string(version.etag()));
                members.extend([tags("etag", version), ("previous", before), at]);
                let entered = self.flags & 8 != 0;
                if entered {
                    members.push(("entered", Value::Boolean(true)));
                }
                let content = self.content(expected);
                ChangeKind::Put {
                    version,
                    previous,
                    modified,
                    content,
                    entered,
                }
            }
        }
    }

    /// The text as a document; or as a media type, where it is no JSON.
    fn content(&self, expected: &mut Expected) -> Content<'_> {
        if let Some(read) = checked(self.text.as_bytes()) {
            expected.spelled = Some(("document", read.spelled));
            return Content::Json(Cow::Borrowed(self.text));
        }
        let length = Read::of("9").unwrap().value;
        let members = [("contentType", string(self.text)), ("length", length)];
        expected.members.extend(members);
        Content::Other {
            content_type: self.text,
            length_bytes: 9,
        }
    }
}

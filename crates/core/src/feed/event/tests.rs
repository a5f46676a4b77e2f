//! Events as bytes, and as a reader that knows only the grammar gets them back.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::change::ChangeKind;
use super::super::content::Content;
use super::*;
use crate::clock::Timestamp;
use crate::json::select::select;
use crate::json::text::quote_into;
use crate::json::{equal, samples};
use crate::name::DocumentPath;
use crate::tag::Version;

fn version(number: u64) -> Version {
    format!("k3v4q2ab-{number}").parse().unwrap()
}

fn json(text: &str) -> Content<'_> {
    Content::Json(Cow::Borrowed(text))
}

const MODIFIED: Timestamp = Timestamp::from_millis(951_782_400_123);

#[test]
fn section_7_every_change_has_its_members_in_order() {
    let path = DocumentPath::parse("/c/%22").unwrap();
    let put = |previous, content, entered| ChangeKind::Put {
        version: version(17),
        previous,
        modified: MODIFIED,
        content,
        entered,
    };
    let found = ChangeKind::Found {
        version: version(17),
        modified: MODIFIED,
        content: json("[1.0]"),
    };
    let other = Content::Other {
        content_type: "image/png",
        length_bytes: 9,
    };
    let patch = ChangeKind::Patch {
        version: version(17),
        previous: version(3),
        modified: MODIFIED,
        patch: Cow::Borrowed("[{\"op\": \"add\",\n\"path\":\"/a\", \"value\":1.0}]"),
    };
    let delete = ChangeKind::Delete {
        previous: version(3),
        modified: MODIFIED,
    };
    let leave = ChangeKind::Leave {
        previous: version(3),
    };
    let spread = "\r\n{\"b\":1e400,\r\"a\" : \"\\n\"}\n";
    let cases = [
        (
            put(None, json("{ }"), false),
            "put",
            r#""etag":"\"k3v4q2ab-17\"","previous":null,"modified":"2000-02-29T00:00:00.123Z","document":{ }"#,
        ),
        (
            put(Some(version(3)), json(spread), true),
            "put",
            r#""etag":"\"k3v4q2ab-17\"","previous":"\"k3v4q2ab-3\"","modified":"2000-02-29T00:00:00.123Z","document":{"b":1e400,"a":"\n"},"entered":true"#,
        ),
        (
            put(None, other, true),
            "put",
            r#""etag":"\"k3v4q2ab-17\"","previous":null,"modified":"2000-02-29T00:00:00.123Z","contentType":"image/png","length":9,"entered":true"#,
        ),
        (
            found,
            "put",
            r#""etag":"\"k3v4q2ab-17\"","modified":"2000-02-29T00:00:00.123Z","document":[1.0]"#,
        ),
        (
            patch,
            "patch",
            r#""etag":"\"k3v4q2ab-17\"","previous":"\"k3v4q2ab-3\"","modified":"2000-02-29T00:00:00.123Z","patch":[{"op":"add","path":"/a","value":1.0}]"#,
        ),
        (
            delete,
            "delete",
            r#""previous":"\"k3v4q2ab-3\"","modified":"2000-02-29T00:00:00.123Z""#,
        ),
        (leave, "leave", r#""previous":"\"k3v4q2ab-3\"""#),
    ];
    for (kind, event, members) in cases {
        for (more, last) in [(false, ""), (true, r#","more":true"#)] {
            let kind = kind.clone();
            let change = Change {
                path: &path,
                kind,
                more,
            };
            let mut entry = String::new();
            change.entry_into(&mut entry);
            assert_eq!(
                entry,
                format!(r#"{{"event":"{event}","path":"/c/%22",{members}{last}}}"#)
            );
            let id = Cursor::position(version(17));
            let mut block = String::new();
            Event::Change(change).block_into(&mut block, &id, None);
            let data = format!(r#"{{"path":"/c/%22",{members}{last}}}"#);
            assert_eq!(
                block,
                format!("event: {event}\nid: k3v4q2ab-17\ndata: {data}\n\n")
            );
        }
    }
}

#[test]
fn section_7_all_other_events_to_the_byte() {
    let id: Cursor = "k3v4q2ab-17.aaaaaaaaaaaaa~k3v4q2ab-21/c/caf*C3*A9"
        .parse()
        .unwrap();
    let cases = [
        (
            Event::Synced,
            "synced",
            r#"{"cursor":"k3v4q2ab-17.aaaaaaaaaaaaa~k3v4q2ab-21/c/caf*C3*A9"}"#,
        ),
        (Event::Heartbeat, "heartbeat", "{}"),
        (
            Event::Reset(ResetReason::Snapshot),
            "reset",
            r#"{"reason":"snapshot"}"#,
        ),
        (
            Event::Reset(ResetReason::Malformed),
            "reset",
            r#"{"reason":"malformed"}"#,
        ),
        (
            Event::Reset(ResetReason::Foreign),
            "reset",
            r#"{"reason":"foreign"}"#,
        ),
        (
            Event::Reset(ResetReason::TooOld),
            "reset",
            r#"{"reason":"too-old"}"#,
        ),
        (
            Event::Reset(ResetReason::View),
            "reset",
            r#"{"reason":"view"}"#,
        ),
        (
            Event::End(EndReason::TokenExpired),
            "end",
            r#"{"reason":"token-expired"}"#,
        ),
        (
            Event::End(EndReason::Policy),
            "end",
            r#"{"reason":"policy"}"#,
        ),
        (
            Event::End(EndReason::Draining),
            "end",
            r#"{"reason":"draining"}"#,
        ),
        (Event::End(EndReason::Busy), "end", r#"{"reason":"busy"}"#),
        (Event::End(EndReason::Slow), "end", r#"{"reason":"slow"}"#),
    ];
    for (event, name, data) in cases {
        let mut block = String::new();
        event.block_into(&mut block, &id, Some(2_500));
        assert_eq!(
            block,
            format!("retry: 2500\nevent: {name}\nid: {id}\ndata: {data}\n\n")
        );
    }
}

/// What a reader makes of an event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    event: String,
    id: String,
    data: String,
    retry_ms: Option<u32>,
}

/// The rules of WHATWG HTML §9.2.6, as they stand there.
fn read(stream: &str) -> Vec<Seen> {
    let (mut seen, mut next) = (Vec::new(), Seen::default());
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    for line in lines.strip_suffix('\n').unwrap().split('\n') {
        if line.is_empty() {
            assert!(!next.data.is_empty(), "an event without data is dropped");
            next.data.pop();
            let id = next.id.clone();
            seen.push(std::mem::take(&mut next));
            next.id = id;
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => next.event = value.to_owned(),
            "data" => next.data += &format!("{value}\n"),
            "id" if !value.contains('\0') => next.id = value.to_owned(),
            "retry" => next.retry_ms = Some(value.parse().unwrap()),
            _ => panic!("unknown field in {line:?}"),
        }
    }
    seen
}

/// A string of any characters, in a document of any layout, with all escapes that JSON
/// demands and some more.
fn document() -> impl Strategy<Value = String> {
    let text = "[\r\n\u{2028}\u{2029}\u{85}\u{b}\0\u{feff}:a\"\\\\😀]{0,8}|\\PC{0,8}";
    let space = "[ \t\r\n]{0,3}";
    let strings = (text, any::<bool>(), space, space).prop_map(|(text, escape, lead, after)| {
        let mut json = String::new();
        quote_into(&mut json, &text);
        if escape {
            json = json.replace('\u{2028}', "\\u2028").replace('a', "\\u0061");
        }
        format!("{lead}[{after}{json}{lead},{after}{{{lead}{json}{after}:{after}1.0}}]{after}")
    });
    prop_oneof![strings, samples::document()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_reader_gets_back_event_id_and_data(documents in prop::collection::vec((document(), any::<bool>(), any::<bool>()), 1..4), retry_ms in any::<u32>()) {
        let path = DocumentPath::parse("/c/caf%C3%A9").unwrap();
        let mut stream = String::new();
        for (number, (document, entered, more)) in (1..).zip(&documents) {
            let kind = ChangeKind::Put {
                version: version(number),
                previous: None,
                modified: MODIFIED,
                content: json(document),
                entered: *entered,
            };
            let change = Change { path: &path, kind, more: *more };
            let id = Cursor::position(version(number));
            let retry_ms = (number == 1).then_some(retry_ms);
            Event::Change(change).block_into(&mut stream, &id, retry_ms);
        }
        let seen = read(&stream);
        prop_assert_eq!(seen.len(), documents.len());
        prop_assert_eq!(seen[0].retry_ms, Some(retry_ms));
        for (number, (seen, (document, entered, more))) in (1..).zip(seen.iter().zip(&documents)) {
            prop_assert_eq!(&seen.event, "put");
            prop_assert_eq!(&seen.id, &version(number).to_string());
            let data: serde_json::Value = serde_json::from_str(&seen.data).unwrap();
            prop_assert_eq!(data["etag"].clone(), version(number).etag());
            prop_assert_eq!(data.get("entered").is_some(), *entered);
            prop_assert_eq!(data.get("more").is_some(), *more);
            let held = select(&seen.data, &["document".to_owned()]).unwrap();
            prop_assert!(equal(held, document));
            prop_assert_eq!(samples::spelled(held), samples::spelled(document));
        }
    }
}

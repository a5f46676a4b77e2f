//! What the tests of this module are fed with: documents in every spelling, and their
//! values as another parser reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use super::scan::{self, Entries};
use super::text;

/// White space as people and printers put it.
fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![
        6 => Just(""),
        2 => Just(" "),
        1 => Just("\n  "),
        1 => Just("\r\n\t"),
        1 => Just("            "),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "~",
        "/",
        " ",
        "é",
        "😀",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0061",
        "\\u0000",
        "\\ud83d\\ude00",
    ]);
    prop_oneof![
        number(),
        (0..4_u8, any::<bool>())
            .prop_map(|(n, point)| format!("{n}{}", if point { ".0" } else { "" })),
        prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat())),
    ]
}

fn number() -> impl Strategy<Value = String> {
    let fraction = prop_oneof![
        Just(String::new()),
        (0..100_u8).prop_map(|n| format!(".{n}"))
    ];
    let exponent = (prop::sample::select(vec!["e", "E+", "e-"]), 0..10_u8);
    let exponent = prop_oneof![
        Just(String::new()),
        exponent.prop_map(|(e, n)| format!("{e}{n}"))
    ];
    (-100..100_i8, fraction, exponent)
        .prop_map(|(n, fraction, exponent)| format!("{n}{fraction}{exponent}"))
}

/// A name, decoded and as spelled.
fn name() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        4 => prop_oneof![
            Just("\"a\""), Just("\"b\""), Just("\"0\""), Just("\"\""), Just("\"-\""),
            Just("\"~/\""), Just("\"\\u0061\""), Just("\"\\u007e\\/\""), Just("\"é\\n\""),
        ].prop_map(str::to_owned),
        1 => (0..1_000_u16).prop_map(|n| format!("\"name {n}\"")),
    ]
    .prop_map(|spelled| (text::unescape(&spelled).into_owned(), spelled))
}

fn joined(open: char, entries: &[String], blank: &str, close: char) -> String {
    let blank = if entries.is_empty() { blank } else { "" };
    format!("{open}{}{blank}{close}", entries.join(","))
}

/// A value without white space around it.
pub(crate) fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 48, 6, |inner| {
        let spaced = (space(), inner, space());
        let element = spaced
            .clone()
            .prop_map(|(lead, value, after)| format!("{lead}{value}{after}"));
        let members = prop::collection::vec((name(), space(), space(), spaced), 0..6);
        prop_oneof![
            (prop::collection::vec(element, 0..6), space())
                .prop_map(|(entries, blank)| joined('[', &entries, blank, ']')),
            (members, space()).prop_map(|(members, blank)| {
                let mut seen = BTreeMap::new();
                let mut entries = Vec::new();
                for ((name, spelled), lead, colon, (behind, value, after)) in members {
                    if seen.insert(name, ()).is_none() {
                        entries.push(format!("{lead}{spelled}{colon}:{behind}{value}{after}"));
                    }
                }
                joined('{', &entries, blank, '}')
            }),
        ]
    })
}

/// A document that the strict parser accepts.
pub(crate) fn document() -> impl Strategy<Value = String> {
    (space(), value(), space()).prop_map(|(lead, value, after)| format!("{lead}{value}{after}"))
}

/// Two documents, the second often made from the first.
pub(crate) fn versions() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (document(), document()),
        (
            document(),
            prop::collection::vec((any::<prop::sample::Index>(), value()), 1..4)
        )
            .prop_map(|(before, edits)| {
                let mut after = before.clone();
                for (place, value) in edits {
                    after = with_another_value(&after, &place, &value);
                }
                (before, after)
            }),
    ]
}

/// The document with one of its values, however deep, replaced, doubled or taken out.
fn with_another_value(document: &str, place: &prop::sample::Index, value: &str) -> String {
    let mut ranges = Vec::new();
    let root = scan::trim(document);
    collect(document, root, false, &mut ranges);
    let (from, to, element) = ranges[place.index(ranges.len())];
    let (head, tail) = (&document[..from], &document[to..]);
    let old = &document[from..to];
    match (element, value.len() % 3) {
        (true, 0) => format!("{head}{value},{old}{tail}"),
        (true, 1) if tail.starts_with(',') => format!("{head}{}", &tail[1..]),
        _ => format!("{head}{value}{tail}"),
    }
}

fn collect(document: &str, value: &str, element: bool, ranges: &mut Vec<(usize, usize, bool)>) {
    let from = value.as_ptr().addr() - document.as_ptr().addr();
    ranges.push((from, from + value.len(), element));
    for entry in Entries::of(value) {
        collect(document, entry.value, scan::is_array(value), ranges);
    }
}

/// A JSON Pointer that leads somewhere in many documents, as a JSON string.
pub(super) fn pointer() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("a"),
        Just("b"),
        Just("0"),
        Just("1"),
        Just("2"),
        Just("-"),
        Just("~0~1"),
        Just(""),
    ];
    prop::collection::vec(token, 0..4).prop_map(|tokens| {
        tokens.iter().fold(String::new(), |mut pointer, token| {
            write!(pointer, "/{token}").unwrap();
            pointer
        })
    })
}

/// The value as `serde_json` reads it, all numbers as floats.
pub(super) fn model(document: &str) -> Value {
    fn floats(value: &mut Value) {
        match value {
            Value::Number(number) => *value = Value::from(number.as_f64().unwrap()),
            Value::Array(elements) => elements.iter_mut().for_each(floats),
            Value::Object(members) => members.values_mut().for_each(floats),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(document).unwrap();
    floats(&mut value);
    value
}

/// The document with each scalar replaced by a string that shows how it is spelled.
pub(crate) fn spelled(document: &str) -> Value {
    let value = scan::trim(document);
    let entries = Entries::of(value);
    if scan::is_object(value) {
        let member = |entry: scan::Entry<'_>| {
            (
                text::unescape(entry.name()).into_owned(),
                spelled(entry.value),
            )
        };
        Value::Object(entries.map(member).collect())
    } else if scan::is_array(value) {
        entries.map(|entry| spelled(entry.value)).collect()
    } else {
        Value::from(value)
    }
}

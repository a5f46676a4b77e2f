//! What is shown of changes.

use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Version;

use super::*;

fn version(number: u64) -> Version {
    format!("aaaaaaaa-{number}").parse().unwrap()
}

fn shown(kind: Kind<'_>, before: Option<&str>) -> Vec<String> {
    let change = Change {
        path: DocumentPath::parse("/c/1").unwrap(),
        modified: None,
        kind,
    };
    let shown = |line: Line| {
        let mark = match line.mark {
            Mark::Added => '+',
            Mark::Removed => '-',
            Mark::Changed => '~',
            Mark::Plain => ' ',
        };
        format!("{mark} {}", line.text)
    };
    lines(&change, before).into_iter().map(shown).collect()
}

fn put(origin: Origin, text: &str) -> Kind<'_> {
    Kind::Put {
        etag: version(2),
        origin,
        content: Content::Json(text),
    }
}

#[test]
fn rfc_6902_operations_are_shown_with_what_was_there() {
    let before = r#"{"a":1,"l":["x","y"],"o":{"p":null}}"#;
    let cases: [(&str, &str, &str); 16] = [
        (
            r#"{"op":"replace","path":"/a","value":2}"#,
            "~ /a: 1 -> 2",
            "~ /a = 2",
        ),
        (
            r#"{"op":"add","path":"/b","value":"n"}"#,
            "+ /b: \"n\"",
            "+ /b: \"n\"",
        ),
        (
            r#"{"op":"add","path":"/a","value":"n"}"#,
            "~ /a: 1 -> \"n\"",
            "+ /a: \"n\"",
        ),
        (
            r#"{"op":"add","path":"/l/0","value":0}"#,
            "+ /l/0: 0",
            "+ /l/0: 0",
        ),
        (
            r#"{"op":"add","path":"/l/-","value":0}"#,
            "+ /l/-: 0",
            "+ /l/-: 0",
        ),
        (
            r#"{"op":"replace","path":"/l/1","value":0}"#,
            "~ /l/1: \"y\" -> 0",
            "~ /l/1 = 0",
        ),
        (r#"{"op":"remove","path":"/o/p"}"#, "- /o/p: null", "- /o/p"),
        (
            r#"{"op":"remove","path":"/o"}"#,
            "- /o: {\"p\":null}",
            "- /o",
        ),
        (
            r#"{"op":"replace","path":"","value":[]}"#,
            "~ (all of it): {\"a\":1,\"l\":[\"x\",\"y\"],\"o\":{\"p\":null}} -> []",
            "~ (all of it) = []",
        ),
        (
            r#"{"op":"move","path":"/b","from":"/a"}"#,
            "~ /b moved from /a",
            "~ /b moved from /a",
        ),
        (
            r#"{"op":"copy","path":"/b","from":"/a"}"#,
            "+ /b copied from /a",
            "+ /b copied from /a",
        ),
        (
            r#"{"op":"replace","path":"/z","value":2}"#,
            "~ /z = 2",
            "~ /z = 2",
        ),
        (r#"{"op":"test","path":"/a","value":1}"#, "", ""),
        (r#"{"op":"what","path":"/a"}"#, "", ""),
        (r#"{"path":"/a"}"#, "", ""),
        ("", "", ""),
    ];
    for (operation, known, unknown) in cases {
        let patch = format!("[{operation}]");
        let kind = || Kind::Patch {
            etag: version(2),
            previous: version(1),
            patch: &patch,
        };
        assert_eq!(shown(kind(), Some(before)).join("|"), known, "{operation}");
        assert_eq!(shown(kind(), None).join("|"), unknown, "{operation}");
    }
}

#[test]
fn an_object_that_was_replaced_is_shown_by_what_differs() {
    let before = r#"{"a":{ "x":1 },"b":1,"c/d":[],"e":{"f":1}}"#;
    let after = r#"{"a":{"x":1},"b":1.0,"new":2,"e":{"f":2}}"#;
    let patch = format!(r#"[{{"op":"replace","path":"","value":{after}}}]"#);
    let kind = Kind::Patch {
        etag: version(2),
        previous: version(1),
        patch: &patch,
    };
    let expected = [
        "- /c~1d: []",
        "~ /b: 1 -> 1.0",
        "+ /new: 2",
        "~ /e: {\"f\":1} -> {\"f\":2}",
    ];
    assert_eq!(shown(kind, Some(before)), expected);
    let patch = r#"[{"op":"replace","path":"/e","value":{"g":1}}]"#;
    let kind = Kind::Patch {
        etag: version(2),
        previous: version(1),
        patch,
    };
    assert_eq!(shown(kind, Some(before)), ["- /e/f: 1", "+ /e/g: 1"]);
}

#[test]
fn each_operation_is_for_what_the_ones_before_it_made() {
    let patch = r#"[{"op":"remove","path":"/0"},{"op":"remove","path":"/0"},{"op":"replace","path":"/0","value":4}]"#;
    let kind = Kind::Patch {
        etag: version(2),
        previous: version(1),
        patch,
    };
    assert_eq!(
        shown(kind, Some("[1,2,3]")),
        ["- /0: 1", "- /0: 2", "~ /0: 3 -> 4"]
    );
}

#[test]
fn a_put_is_shown_as_far_as_it_is_new() {
    let text = r#"{"title":"Milk", "a/b":{ "c":1 }}"#;
    let all = |mark| {
        vec![
            format!("{mark} /title: \"Milk\""),
            format!("{mark} /a~1b: {{ \"c\":1 }}"),
        ]
    };
    assert_eq!(shown(put(Origin::Created, text), None), all('+'));
    assert_eq!(shown(put(Origin::Entered, text), None), all(' '));
    assert_eq!(shown(put(Origin::Replaced, text), None), all(' '));
    assert_eq!(shown(put(Origin::Found, text), None), [format!("  {text}")]);
    assert_eq!(shown(put(Origin::Created, "[1]"), None), ["+ [1]"]);
    let before = r#"{"title":"Bread","a/b":{"c":1}}"#;
    let changed = ["~ /title: \"Bread\" -> \"Milk\""];
    assert_eq!(shown(put(Origin::Replaced, text), Some(before)), changed);
    assert_eq!(shown(put(Origin::Replaced, text), Some(text)), [""; 0]);
    let blob = Kind::Put {
        etag: version(2),
        origin: Origin::Created,
        content: Content::Other {
            content_type: "image/png".to_owned(),
            length_bytes: 7,
        },
    };
    assert_eq!(shown(blob, None), ["  image/png, 7 bytes"]);
    let gone = Kind::Delete {
        previous: version(1),
    };
    assert_eq!(shown(gone, Some(before)), [""; 0]);
}

#[test]
fn what_is_long_is_cut_where_it_is_the_same() {
    let (head, tail) = ("h".repeat(100), "t".repeat(100));
    let old = format!("\"{head}quick brown{tail}\"");
    let new = format!("\"{head}quick red{tail}\"");
    let (h, t) = ("h".repeat(10), "t".repeat(16));
    let expected = (format!("…{h}quick brown{t}…"), format!("…{h}quick red{t}…"));
    assert_eq!(pair(&old, &new), expected);
    // What both ends have in common may overlap.
    let (a, aa) = (
        format!("\"{}\"", "a".repeat(99)),
        format!("\"{}\"", "a".repeat(100)),
    );
    assert_eq!(
        pair(&a, &aa),
        (
            "…aaaaaaaaaaaaaaaa\"".to_owned(),
            "…aaaaaaaaaaaaaaaaa\"".to_owned()
        )
    );
    let long = "é".repeat(VALUE_CHARACTERS + 1);
    assert_eq!(shortened(&long).chars().count(), VALUE_CHARACTERS + 1);
    assert_eq!(pair(&long, "1"), (shortened(&long), "1".to_owned()));

    let many: Vec<String> = (0..50).map(|n| format!(r#""m{n}":{n}"#)).collect();
    let many = format!("{{{}}}", many.join(","));
    let lines = shown(put(Origin::Created, &many), None);
    assert_eq!(
        (lines.len(), lines.last().unwrap().as_str()),
        (LINES + 1, "  … and 30 more")
    );
    let lines = shown(put(Origin::Replaced, "{}"), Some(&many));
    assert!(lines.len() <= LINES + 1, "{lines:?}");
}

#[test]
fn a_terminal_obeys_no_document() {
    let cases = [
        ("a\nb\tc", "a b c"),
        ("\u{1b}[31m", "\\u{1b}[31m"),
        ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
        ("a\u{202e}b", "a\\u{202e}b"),
        ("café 😀", "café 😀"),
    ];
    for (text, expected) in cases {
        assert_eq!(printable(text), expected);
    }
}

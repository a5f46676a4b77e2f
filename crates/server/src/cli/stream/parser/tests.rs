//! What a stream means, however it is cut.

use proptest::prelude::*;

use super::*;

type Seen = (Vec<(String, String, String)>, Option<u64>, String);

fn parse<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut parser = Parser::new("".into(), 1_000);
    let mut events = Vec::new();
    for chunk in chunks {
        parser.push(chunk, &mut events).unwrap();
    }
    let events = events
        .into_iter()
        .map(|event| (event.name, event.id.to_string(), event.data))
        .collect();
    (events, parser.retry_ms(), parser.last_id().to_string())
}

/// Name, id and data of each event.
fn events(stream: &str) -> Vec<(String, String, String)> {
    parse([stream.as_bytes()]).0
}

#[test]
fn html_9_2_5_streams_mean_what_the_standard_says() {
    type Expected<'a> = &'a [(&'a str, &'a str, &'a str)];
    let cases: &[(&str, Expected<'_>)] = &[
        // The standard's own examples.
        (
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            &[("message", "", "YHOO\n+2\n10")],
        ),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            &[
                ("message", "1", "first event"),
                ("message", "", "second event"),
            ],
        ),
        (
            "data\n\ndata\ndata\n\ndata:\n",
            &[("message", "", ""), ("message", "", "\n")],
        ),
        (
            "data:test\n\ndata: test\n\n",
            &[("message", "", "test"), ("message", "", "test")],
        ),
        (
            "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
            &[("add", "", "73857293"), ("remove", "", "2153")],
        ),
        // Ends of lines.
        (
            "data: a\r\rdata: b\r\n\r\n",
            &[("message", "", "a"), ("message", "", "b")],
        ),
        (
            "data: a\r\n\rdata: b\n\r\n",
            &[("message", "", "a"), ("message", "", "b")],
        ),
        ("data: a\u{2028}b\n\n", &[("message", "", "a\u{2028}b")]),
        // A byte order mark, once.
        (
            "\u{feff}data: a\n\n\u{feff}data: b\n\n",
            &[("message", "", "a")],
        ),
        ("\u{feff}\ndata: a\n\n", &[("message", "", "a")]),
        // Ids stay, also through blocks without data; a NUL makes none.
        (
            "id: 7\n\ndata: a\n\ndata: b\n\n",
            &[("message", "7", "a"), ("message", "7", "b")],
        ),
        ("id: 7\nid: \0\ndata: a\n\n", &[("message", "7", "a")]),
        // A type without data is forgotten.
        ("event: x\n\ndata: a\n\n", &[("message", "", "a")]),
        ("event: x\nevent: y\ndata: a\n\n", &[("y", "", "a")]),
        ("event: x\nevent\ndata: a\n\n", &[("message", "", "a")]),
        // Names are exact, and others are ignored.
        ("Data: a\n data: b\ndata : c\nfoo: d\n:e\n\n", &[]),
        ("data: a: b\n\n", &[("message", "", "a: b")]),
        // The end of the stream completes nothing.
        ("data: a\n", &[]),
        ("data: a", &[]),
    ];
    for (stream, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, id, data)| ((*name).to_owned(), (*id).to_owned(), (*data).to_owned()))
            .collect();
        assert_eq!(events(stream), expected, "{stream:?}");
    }
}

#[test]
fn html_9_2_6_retry_is_digits_alone() {
    let cases = [
        ("retry: 3000\n", Some(3_000)),
        ("retry:0\n", Some(0)),
        ("retry: 5\nretry: 7\n", Some(7)),
        ("retry: 5\nretry: 1.5\n", Some(5)),
        ("retry: 5\nretry: -1\n", Some(5)),
        ("retry: 5\nretry: +1\n", Some(5)),
        ("retry: 5\nretry:  1\n", Some(5)),
        ("retry: 5\nretry\n", Some(5)),
        ("retry: 5\nretry: 99999999999999999999\n", Some(5)),
        ("", None),
    ];
    for (stream, expected) in cases {
        assert_eq!(parse([stream.as_bytes()]).1, expected, "{stream:?}");
    }
}

#[test]
fn section_7_4_the_place_to_go_on_is_that_of_the_last_whole_block() {
    let cases = [
        ("id: a\n", ""),
        ("id: a\n\n", "a"),
        ("id: a\ndata: x\n\nid: b\ndata: y\n", "a"),
        ("id: a\n\nid\n\n", ""),
    ];
    for (stream, expected) in cases {
        assert_eq!(parse([stream.as_bytes()]).2, expected, "{stream:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let (events, ..) = parse([b"data: \xFFa\xC3\n\n".as_slice()]);
    assert_eq!(events[0].2, "\u{FFFD}a\u{FFFD}");
}

#[test]
fn an_event_that_is_too_large_is_an_error_wherever_it_grows() {
    let long = "x".repeat(60);
    let fits = format!("data: {long}\n\n").repeat(10);
    let cases = [
        (fits, 10, true),
        (format!("data: a\n\n:{}", long.repeat(2)), 1, false),
        (format!("data: a\n\ndata: {}\n\n", long.repeat(2)), 1, false),
        (
            format!("data: a\n\ndata: {long}\ndata: {long}\n\n"),
            1,
            false,
        ),
    ];
    for (stream, expected, is_fine) in cases {
        for size in [1, 7, stream.len()] {
            let mut parser = Parser::new("".into(), 100);
            let mut events = Vec::new();
            let pushed = stream
                .as_bytes()
                .chunks(size)
                .try_for_each(|chunk| parser.push(chunk, &mut events));
            assert_eq!(pushed.is_ok(), is_fine, "{stream:?}");
            assert_eq!(events.len(), expected, "{stream:?}");
        }
    }
}

/// The same by cutting the whole text into lines first.
fn naive(stream: &str) -> Seen {
    let text = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    let (mut events, mut retry, mut last) = (Vec::new(), None, String::new());
    let (mut name, mut data, mut id) = (String::new(), Vec::new(), String::new());
    for line in lines {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                last = id.clone();
                if !data.is_empty() {
                    let kind = if name.is_empty() { "message" } else { &name };
                    events.push((kind.to_owned(), id.clone(), data.join("\n")));
                }
                (name, data) = (String::new(), Vec::new());
            }
            "event" => name = value.to_owned(),
            "data" => data.push(value.to_owned()),
            "id" if !value.contains('\0') => id = value.to_owned(),
            "retry" => {
                retry = value
                    .parse()
                    .ok()
                    .filter(|_| !value.starts_with('+'))
                    .or(retry)
            }
            _ => {}
        }
    }
    (events, retry, last)
}

fn stream() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just("data"),
        Just("event"),
        Just("id"),
        Just("retry"),
        Just(""),
        Just("dat"),
        Just("\u{feff}"),
    ];
    let value = prop_oneof![
        Just("".to_owned()),
        "[: a1é😀\0\u{feff}]{0,6}".prop_map(|v| format!(":{v}")),
        "[0-9]{1,3}".prop_map(|v| format!(": {v}"))
    ];
    let end = prop_oneof![Just("\n"), Just("\r"), Just("\r\n")];
    let line = prop_oneof![
        3 => (field, value, end.clone()).prop_map(|(field, value, end)| format!("{field}{value}{end}")),
        1 => end.prop_map(str::to_owned),
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_cut_gives_the_same_events(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let bytes = stream.as_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let chunks = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        let expected = naive(&stream);
        prop_assert_eq!(parse(chunks), expected.clone());
        prop_assert_eq!(parse(bytes.chunks(1)), expected);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (whole, ..) = parse([bytes.as_slice()]);
        let (single, ..) = parse(bytes.chunks(1));
        prop_assert_eq!(whole, single);
    }
}

//! What `watch` asks for and prints.

use clap::Parser as _;

use super::super::stream::fake::{FakeFeed, Script};
use super::super::{Cli, Command};
use super::*;

fn args(words: &[&str]) -> WatchArgs {
    let words = ["matchbook", "watch"].iter().chain(words);
    match Cli::try_parse_from(words).unwrap().command {
        Command::Watch(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, without colours, and how it ends.
async fn printed(
    words: &[&str],
    scripts: Vec<Script>,
) -> (Vec<String>, Result<Exit, Exit>, FakeFeed) {
    let fake = FakeFeed::start(scripts).await;
    let mut words = words.to_vec();
    words.extend(["--server", &fake.url]);
    let mut out = Vec::new();
    let outcome = args(&words).follow(&mut out).await;
    let text = anstream::adapter::strip_bytes(&out).into_vec();
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().map(str::to_owned).collect();
    (lines, outcome.map_err(|failure| failure.exit), fake)
}

fn block(name: &str, id: &str, data: &str) -> String {
    format!("retry: 0\nevent: {name}\nid: {id}\ndata: {data}\n\n")
}

fn put(number: u64, previous: Option<u64>, document: &str) -> String {
    let previous = previous.map_or("null".to_owned(), |n| format!(r#""\"aaaaaaaa-{n}\"""#));
    let data = format!(
        r#"{{"path":"/c/1","etag":"\"aaaaaaaa-{number}\"","previous":{previous},"modified":"2026-01-02T03:04:05.678Z","document":{document}}}"#
    );
    block("put", &format!("aaaaaaaa-{number}"), &data)
}

fn synced(number: u64) -> String {
    let id = format!("aaaaaaaa-{number}");
    block("synced", &id, &format!(r#"{{"cursor":"{id}"}}"#))
}

#[test]
fn section_7_flags_become_the_query() {
    let cases: [(&[&str], &str); 6] = [
        (&["/"], "/_/changes"),
        (&["/c"], "/c"),
        (&["/c/1"], "/c/1"),
        (
            &["/", "--since", "a-1~/c/x*C3"],
            "/_/changes?_since=a-1~/c/x*C3",
        ),
        (&["/c", "--snapshot"], "/c?_snapshot=true"),
        (
            &[
                "/c",
                "--where",
                "done=false",
                "--where",
                "t:prefix=a b",
                "--fields",
                "t,d",
            ],
            "/c?done=false&t:prefix=a%20b&_fields=t,d",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(args(words).target().unwrap().path, expected);
    }
}

#[tokio::test]
async fn changes_are_told_with_what_is_different() {
    let patch = block(
        "patch",
        "aaaaaaaa-5",
        r#"{"path":"/c/1","etag":"\"aaaaaaaa-5\"","previous":"\"aaaaaaaa-2\"","modified":"2026-01-02T03:04:06.000Z","patch":[{"op":"replace","path":"/done","value":true}]}"#,
    );
    let leave = block(
        "leave",
        "aaaaaaaa-6",
        r#"{"path":"/c/1","previous":"\"aaaaaaaa-5\""}"#,
    );
    let script = vec![
        put(2, None, r#"{"title":"Milk","done":false}"#),
        patch,
        leave,
        synced(6),
    ];
    let (lines, outcome, _) = printed(&["/c", "--once"], vec![Script::Stays(script)]).await;
    assert_eq!(outcome, Ok(Exit::Done));
    assert_eq!(
        lines,
        [
            "2026-01-02T03:04:05.678Z  /c/1  created",
            "    + /title: \"Milk\"",
            "    + /done: false",
            "2026-01-02T03:04:06.000Z  /c/1  changed",
            "    ~ /done: false -> true",
            "-                         /c/1  left",
        ]
    );
}

#[tokio::test]
async fn json_is_an_event_a_line_and_says_all() {
    let reset = block("reset", "aaaaaaaa-1~", r#"{"reason":"snapshot"}"#);
    let spread = "event: put\nid: aaaaaaaa-3\ndata: {\"path\":\"/c/2\",\"etag\":\"\\\"aaaaaaaa-3\\\"\",\ndata: \"document\":1}\n\n";
    let script = vec![
        reset,
        put(2, None, "1.0"),
        spread.to_owned(),
        block("heartbeat", "aaaaaaaa-3", "{}"),
        synced(3),
    ];
    let words = ["/c", "--json", "--once"];
    let (lines, outcome, _) = printed(&words, vec![Script::Stays(script)]).await;
    assert_eq!(outcome, Ok(Exit::Done));
    assert_eq!(
        lines,
        [
            r#"{"event":"reset","id":"aaaaaaaa-1~","data":{"reason":"snapshot"}}"#,
            r#"{"event":"put","id":"aaaaaaaa-2","data":{"path":"/c/1","etag":"\"aaaaaaaa-2\"","previous":null,"modified":"2026-01-02T03:04:05.678Z","document":1.0}}"#,
            r#"{"event":"put","id":"aaaaaaaa-3","data":{"path":"/c/2","etag":"\"aaaaaaaa-3\"", "document":1}}"#,
            r#"{"event":"synced","id":"aaaaaaaa-3","data":{"cursor":"aaaaaaaa-3"}}"#,
        ]
    );
}

#[tokio::test]
async fn section_7_4_it_comes_back_until_it_has_enough() {
    let scripts = vec![
        Script::Ends(vec![synced(1), put(2, None, "1")]),
        Script::Ends(vec![synced(2), put(3, Some(2), "2"), put(4, Some(3), "3")]),
    ];
    let (lines, outcome, fake) = printed(&["/c", "--limit", "2"], scripts).await;
    assert_eq!(outcome, Ok(Exit::Done));
    let shown: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("    "))
        .collect();
    assert_eq!(shown, ["    + 1", "    ~ (all of it): 1 -> 2"]);
    assert_eq!(fake.sent("last-event-id"), ["", "aaaaaaaa-2"]);
}

#[tokio::test]
async fn what_is_not_a_feed_ends_it() {
    let not_ours = block("put", "a", "{}");
    for words in [vec!["/c"], vec!["/c", "--json"]] {
        let (_, outcome, _) = printed(&words, vec![Script::Stays(vec![not_ours.clone()])]).await;
        assert_eq!(outcome, Err(Exit::Refused));
    }
    let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let (_, outcome, _) = printed(&["/c"], vec![Script::Raw(refused.to_owned())]).await;
    assert_eq!(outcome, Err(Exit::Refused));
}

//! The command as a whole, with a real directory.

use std::fs;

use clap::Parser as _;

use super::super::stream::fake::{FakeFeed, Script};
use super::super::{Cli, Command};
use super::*;

async fn mirror(
    words: &[&str],
    dir: &std::path::Path,
    scripts: Vec<Script>,
) -> (Result<Exit, Failure>, FakeFeed) {
    let fake = FakeFeed::start(scripts).await;
    let outcome = run(words, dir, &fake.url).await;
    (outcome, fake)
}

async fn run(words: &[&str], dir: &std::path::Path, server: &str) -> Outcome {
    let mut all = vec!["matchbook", "mirror"];
    all.extend(words);
    all.extend([dir.to_str().unwrap(), "--server", server]);
    match Cli::try_parse_from(all).unwrap().command {
        Command::Mirror(args) => args.run().await,
        other => panic!("{other:?}"),
    }
}

fn block(name: &str, id: &str, data: &str) -> String {
    format!("retry: 0\nevent: {name}\nid: {id}\ndata: {data}\n\n")
}

fn put(id: &str, number: u64, rest: &str) -> String {
    let data = format!(r#"{{"path":"/c/{id}","etag":"\"aaaaaaaa-{number}\"",{rest}}}"#);
    block("put", &format!("aaaaaaaa-{number}"), &data)
}

fn document(number: u64, text: &str) -> Script {
    let length = text.len();
    Script::Raw(format!(
        "HTTP/1.1 200 OK\r\nETag: \"aaaaaaaa-{number}\"\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}"
    ))
}

fn synced(number: u64) -> String {
    block("synced", &format!("aaaaaaaa-{number}"), "{}")
}

fn reset() -> String {
    block("reset", "aaaaaaaa-1~", r#"{"reason":"snapshot"}"#)
}

#[tokio::test]
async fn section_7_3_a_copy_is_taken_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let all = || ["1", "caf%C3%A9", "b"].map(read);
    let blob = put("b", 3, r#""contentType":"text/plain","length":4"#);
    let patch = r#"{"path":"/c/1","etag":"\"aaaaaaaa-5\"","previous":"\"aaaaaaaa-1\"","patch":[{"op":"replace","path":"/n","value":5}]}"#;
    let patch = block("patch", "aaaaaaaa-5", patch);
    let gone = r#"{"path":"/c/b","previous":"\"aaaaaaaa-3\""}"#;
    let gone = block("delete", "aaaaaaaa-6", gone);
    let scripts = vec![
        Script::Ends(vec![reset(), put("1", 1, r#""document":{ "n":1.0}"#)]),
        Script::Stays(vec![
            put("caf%C3%A9", 2, r#""document":2"#),
            blob,
            synced(3),
        ]),
        document(3, "blob"),
        document(1, "{ \"n\":1.0}"),
        Script::Stays(vec![patch, gone, synced(6)]),
    ];
    let (outcome, fake) = mirror(&["/c", "--once"], dir.path(), scripts).await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(all(), ["{ \"n\":1.0}", "2", "blob"]);

    // Somebody meddles; the next run repairs, and goes on.
    fs::write(dir.path().join("1"), "x").unwrap();
    let outcome = run(&["/c", "--once"], dir.path(), &fake.url).await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(all(), ["{ \"n\":5}", "2", ""]);

    let cursors = fake.sent("last-event-id");
    assert_eq!(cursors, ["", "aaaaaaaa-1", "", "", "aaaaaaaa-3"]);
    let requests = fake.requests.lock().unwrap();
    let lines: Vec<&str> = requests
        .iter()
        .filter_map(|head| head.lines().next())
        .collect();
    let feed = "GET /c?_snapshot=true HTTP/1.1";
    let (blob, first) = ("GET /c/b HTTP/1.1", "GET /c/1 HTTP/1.1");
    assert_eq!(lines, [feed, feed, blob, first, feed]);
}

#[tokio::test]
async fn exact_files_are_got_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let read = || fs::read_to_string(dir.path().join("1")).unwrap();
    let exact = "{\n  \"n\": 1\n}\n";
    let told = put("1", 1, r#""document":{"n":1}"#);
    let scripts = vec![
        Script::Stays(vec![reset(), told.clone(), synced(1)]),
        document(1, exact),
        Script::Stays(vec![synced(1)]),
        Script::Stays(vec![reset(), told, synced(1)]),
        document(1, exact),
    ];
    let (outcome, fake) = mirror(&["/c", "--once"], dir.path(), scripts).await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(read(), "{\"n\":1}");
    // What is there is made exact too.
    let outcome = run(&["/c", "--once", "--exact"], dir.path(), &fake.url).await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(read(), exact);

    fs::remove_dir_all(dir.path()).unwrap();
    let outcome = run(&["/c", "--once", "--exact"], dir.path(), &fake.url).await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(read(), exact);
}

#[tokio::test]
async fn a_document_that_cannot_be_got_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let feed = || {
        Script::Stays(vec![
            reset(),
            put("b", 3, r#""contentType":"text/plain","length":4"#),
            synced(3),
        ])
    };
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let scripts = vec![
        feed(),
        Script::Raw(busy.to_owned()),
        feed(),
        document(3, "blob"),
    ];
    let (outcome, fake) = mirror(&["/c", "--once"], dir.path(), scripts).await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(fs::read_to_string(dir.path().join("b")).unwrap(), "blob");
    assert_eq!(fake.requests.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_not_allowed_ends_it() {
    let cases = [
        (
            "/c",
            vec![Script::Raw(
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned(),
            )],
            Exit::Refused,
        ),
        (
            "/c/1",
            vec![Script::Stays(vec![reset(), put("1", 1, r#""document":1"#)])],
            Exit::Usage,
        ),
        ("/c/..", Vec::new(), Exit::Usage),
        ("/c", Vec::new(), Exit::Unreachable),
    ];
    for (path, scripts, exit) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (outcome, _) = mirror(&[path], dir.path(), scripts).await;
        assert_eq!(outcome.unwrap_err().exit, exit, "{path}");
    }
}

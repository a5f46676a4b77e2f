//! API keys (contract §11): made, listed and revoked by the command line and by HTTP.

use std::process::{Command, Output};

use serde_json::json;
use tempfile::TempDir;

use crate::harness::token::{admin, flags_for};
use crate::harness::{Answer, Events, Server, binary};

fn key(server: &Server, words: &[&str], bearer: Option<&str>) -> Output {
    let url = format!("http://{}", server.address());
    let mut command = Command::new(binary::path());
    command.arg("key").args(words).args(["--server", &url]);
    if let Some(bearer) = bearer {
        command.args(["-H", &format!("Authorization: {bearer}")]);
    }
    command.output().unwrap()
}

#[track_caller]
fn created(server: &Server, words: &[&str], bearer: Option<&str>) -> String {
    let words = [&["create"], words].concat();
    let output = key(server, &words, bearer);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    format!("Bearer {}", text.trim())
}

fn get(server: &Server, target: &str, bearer: &str) -> Answer {
    server.get(target).field("Authorization", bearer).send()
}

/// The id of the key that is called so.
#[track_caller]
fn id(server: &Server, name: &str, bearer: Option<&str>) -> String {
    let output = key(server, &["ls"], bearer);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t'));
    let mut line = lines
        .find(|line| line.clone().nth(1) == Some(name))
        .unwrap();
    line.next().unwrap().to_owned()
}

#[test]
fn section_11_keys_are_taken_until_they_are_revoked() {
    let directory = TempDir::new().unwrap();
    let mut server = Server::on(directory.path(), &[]);
    let root = created(&server, &["root", "--claim", "admin=true"], None);
    server.stop();
    let flags = ["--auth-api-keys", "--policy", "open"];
    let server = Server::on(directory.path(), &flags);
    get(&server, "/_/keys", &root).status(200);
    let robot = created(&server, &["robot", "--expires", "1h"], Some(&root));
    get(&server, "/notes/1", &robot).status(404);
    get(&server, "/_/keys", &robot).status(403);
    // Neither the list nor the files hold a key.
    let secret = robot.rsplit('_').next().unwrap();
    let list = get(&server, "/_/keys", &root);
    assert!(!String::from_utf8_lossy(&list.body).contains(secret));
    let stored = std::fs::read(server.data().join("matchbook.db")).unwrap();
    let wal = std::fs::read(server.data().join("matchbook.db-wal")).unwrap();
    for file in [stored, wal] {
        assert!(
            !file
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        );
    }
    let mut feed = Events::open(server.address(), "/notes", &[("Authorization", &robot)]);
    feed.next().is("synced");
    let output = key(
        &server,
        &["revoke", &id(&server, "robot", Some(&root))],
        Some(&root),
    );
    assert!(output.status.success(), "{output:?}");
    let answer = get(&server, "/notes/1", &robot);
    answer.status(401).problem("unauthenticated");
    assert!(answer.field("www-authenticate").contains("revoked"));
    let end = feed.rest();
    assert_eq!(end.last().unwrap().is("end").json()["reason"], "policy");
    get(&server, "/notes/1", &root).status(404);
}

#[test]
fn section_11_what_is_no_key_is_not_saved() {
    let server = Server::start();
    let put = |body: &str| server.put("/_/keys/abc", body).send();
    put("{}").status(422).problem("invalid");
    put(r#"{"name":"x","hash":"sha256:AAAA","created":"2026-01-01T00:00:00.000Z"}"#)
        .status(422)
        .problem("invalid");
    server.get("/_/keys/abc").send().status(404);
}

#[test]
fn section_11_keys_only_where_they_are_taken() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let mut server = Server::on(&data, &[]);
    let robot = created(&server, &["robot"], None);
    server.stop();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "thirty-two bytes of no entropy!!").unwrap();
    let server = Server::on(&data, &flags_for(secret.to_str().unwrap()));
    let answer = get(&server, "/notes", &robot);
    answer.status(401).problem("unauthenticated");
    let list = get(&server, "/_/keys", &admin()).status(200).json();
    assert_eq!(list["items"][0]["document"]["name"], json!("robot"));
}

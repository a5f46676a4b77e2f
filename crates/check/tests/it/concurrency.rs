//! Many clients at once: nobody's save is lost, none is applied twice.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::json;

use crate::harness::Server;
use crate::harness::client::Connection;

const CLIENTS: usize = 32;
const INCREMENTS: usize = 10;

/// Runs the same on many threads that begin together, and gathers what they give.
fn together<T: Send + 'static>(
    server: &Server,
    work: impl Fn(usize, &mut Connection) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let work = Arc::new(work);
    let begin = Arc::new(Barrier::new(CLIENTS));
    let clients = (0..CLIENTS).map(|client| {
        let (work, begin) = (work.clone(), begin.clone());
        let address: SocketAddr = server.address();
        thread::spawn(move || {
            let mut connection = Connection::open(address);
            begin.wait();
            work(client, &mut connection)
        })
    });
    let clients: Vec<_> = clients.collect();
    clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .collect()
}

fn count(connection: &mut Connection) -> (u64, String) {
    let read = connection.get("/counters/1").send();
    let tag = read.status(200).tag();
    (read.json()["count"].as_u64().unwrap(), tag)
}

#[test]
fn section_5_32_clients_increment_one_counter() {
    let server = Server::start();
    server.create("/counters/1", r#"{"count":0}"#);
    let tags = together(&server, |_, connection| {
        let mut tags = Vec::new();
        while tags.len() < INCREMENTS {
            let (count, tag) = count(connection);
            let body = format!("{{\"count\":{}}}", count + 1);
            let saved = connection.put("/counters/1", body).if_match(&tag).send();
            match saved.code {
                204 => tags.push(saved.tag()),
                412 => {
                    saved.problem("stale");
                }
                _ => panic!("{saved}"),
            }
        }
        tags
    });
    let (value, tag) = count(&mut server.connect());
    assert_eq!(value, (CLIENTS * INCREMENTS) as u64);
    let all: HashSet<_> = tags.into_iter().flatten().collect();
    assert_eq!(all.len(), CLIENTS * INCREMENTS, "a tag was given twice");
    assert!(all.contains(&tag));
}

#[test]
fn section_5_unconditional_patches_are_all_applied_to_the_latest() {
    let server = Server::start();
    server.create("/lists/1", "[]");
    together(&server, |client, connection| {
        let patch = format!(r#"[{{"op":"add","path":"/-","value":{client}}}]"#);
        let saved = connection
            .request("PATCH", "/lists/1")
            .content("application/json-patch+json", patch)
            .if_match("*")
            .send();
        saved.status(204);
    });
    let list = server.get("/lists/1").send().json();
    let mut clients: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|n| n.as_u64())
        .collect();
    clients.sort_unstable();
    assert_eq!(clients, (0..CLIENTS as u64).collect::<Vec<_>>());
}

#[test]
fn section_4_1_of_many_creations_one_wins() {
    let server = Server::start();
    let codes = together(&server, |client, connection| {
        let request = connection.put("/a/1", client.to_string());
        request.if_none_match("*").send().code
    });
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 1);
    assert_eq!(
        codes.iter().filter(|code| **code == 412).count(),
        CLIENTS - 1
    );
}

#[test]
fn section_5_2_equal_content_does_not_let_two_writers_win() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"locked":false}"#);
    let codes = together(&server, move |_, connection| {
        let request = connection.put("/a/1", r#"{"locked":true}"#);
        request.if_match(&tag).send().code
    });
    assert_eq!(codes.iter().filter(|code| **code == 204).count(), 1);
    assert_eq!(
        codes.iter().filter(|code| **code == 412).count(),
        CLIENTS - 1
    );
}

/// A batch that saves one of two documents, and needs the other to stay as it is.
fn looks_at_other(saved: (&str, &str), kept: (&str, &str), client: usize) -> String {
    let item = |(path, tag): (&str, &str), body: String| json!({"method": "PUT", "path": path, "headers": {"If-Match": tag}, "body": body});
    // Not what is there.
    let saved = item(saved, (client + 1).to_string());
    let kept = item(kept, "0".to_owned());
    json!({"requests": [kept, saved]}).to_string()
}

#[test]
fn section_8_what_a_batch_only_looks_at_stands_when_it_is_done() {
    const ROUNDS: usize = 8;
    let server = Server::start();
    for round in 0..ROUNDS {
        let paths = [format!("/a{round}/1"), format!("/a{round}/2")];
        let tags = paths.clone().map(|path| server.create(&path, "\"0\""));
        let codes = together(&server, move |client, connection| {
            let [one, two] = [0, 1].map(|place| (paths[place].as_str(), tags[place].as_str()));
            let batch = match client % 2 {
                0 => looks_at_other(one, two, client),
                _ => looks_at_other(two, one, client),
            };
            connection
                .request("POST", "/_/batch")
                .json(batch)
                .send()
                .code
        });
        let done = codes.iter().filter(|code| **code == 200).count();
        assert_eq!(done, 1, "{codes:?}");
    }
}

/// The documents of `/pair` as a batch that saves both, by their tags.
fn both(connection: &mut Connection, client: usize) -> String {
    let list = connection.get("/pair").send().status(200).json();
    let items = list["items"].as_array().unwrap().iter();
    let requests = items.map(|item| {
        json!({"method": "PUT", "path": item["path"], "body": client,
            "headers": {"If-Match": item["etag"]}})
    });
    json!({"requests": requests.collect::<Vec<_>>()}).to_string()
}

#[test]
fn section_8_a_batch_is_not_refused_for_the_half_of_another() {
    let server = Server::start();
    server.create("/pair/1", "1");
    server.create("/pair/2", "1");
    together(&server, |client, connection| {
        for _ in 0..INCREMENTS {
            let body = both(connection, client);
            let answer = connection.request("POST", "/_/batch").json(body).send();
            // Both have changed or neither, so that it is the first that is stale.
            if answer.code != 200 {
                let problem = answer.status(412).problem("stale");
                assert_eq!(problem["failed"], 0);
            }
        }
    });
}

#[test]
fn section_4_4_posts_at_once_have_ids_of_their_own() {
    let server = Server::start();
    let made = together(&server, |_, connection| {
        let request = connection.request("POST", "/a").json("1");
        request.send().status(201).field("location").to_owned()
    });
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), CLIENTS);
    let page = server.get("/a?_count=true").send().json();
    assert_eq!(page["count"], CLIENTS);
}

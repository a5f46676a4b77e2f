//! A client that loses its line goes on with the last id that it got: it misses nothing,
//! and is told nothing twice (contract §7.3, §7.4).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Event, Replica, Server, exact};

/// More than a server reads at a time.
const DOCUMENTS: usize = 300;

/// Every so many ids of a snapshot are gone on with.
const STRIDE: usize = 13;

/// What a list holds: tag and content by path.
fn listed(server: &Server, target: &str) -> BTreeMap<String, (String, Value)> {
    let page = server.get(target).send();
    let page = exact::value(std::str::from_utf8(&page.status(200).body).unwrap());
    assert!(
        page.get("next").is_none_or(Value::is_null),
        "more than a page"
    );
    let items = page["items"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items
        .map(|item| {
            let content = (text(&item["etag"]), item["document"].clone());
            (text(&item["path"]), content)
        })
        .collect()
}

#[track_caller]
fn holds(replica: &Replica, listed: &BTreeMap<String, (String, Value)>) {
    let held = replica.held.iter().map(|(path, held)| {
        let content = (held.tag.clone(), held.content["document"].clone());
        (path.clone(), content)
    });
    assert_eq!(&held.collect::<BTreeMap<_, _>>(), listed);
}

/// A collection with documents, changes of them while a snapshot is read, and later ones:
/// all events that one reader got, and what it held after each.
fn followed(server: &Server) -> Vec<(Event, Replica)> {
    let mut connection = server.connect();
    for n in 0..DOCUMENTS {
        let body = format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(300));
        let put = connection.put(&format!("/c/{n:03}"), body);
        put.send().status(201);
    }
    let mut events = server.events("/c?_snapshot=true");
    let mut all = events.take(DOCUMENTS / 3);
    change(server, 0);
    all.extend(events.until("synced"));
    change(server, 1);
    server.create("/c/last", "1");
    while all.last().unwrap().name != "put" || all.last().unwrap().text("path") != "/c/last" {
        all.push(events.next());
    }
    let mut replica = Replica::default();
    all.into_iter()
        .map(|event| {
            replica.apply(&event);
            (event, replica.clone())
        })
        .collect()
}

/// Changes what a snapshot has passed, and what it has not.
fn change(server: &Server, round: usize) {
    for n in [1, 50, 120, 200, 299] {
        let path = format!("/c/{n:03}");
        let merge = server.merge(&path, format!("{{\"n\":\"{round}\"}}"));
        merge.if_match("*").send().status(204);
    }
    for n in [2, 250] {
        let path = format!("/c/{:03}", n + 10 * round);
        server.delete(&path).if_match("*").send().status(204);
        server.create(&path, "\"again\"");
    }
    for n in [3, 251] {
        let path = format!("/c/{:03}", n + 10 * round);
        let put = server.replace(&path, "\"replaced\"");
        server.delete(&path).if_match(&put).send().status(204);
    }
    server.create(&format!("/c/{round}new"), "{}");
}

/// Goes on after some of the ids, and ends up with what the list holds.
fn goes_on_from_all(server: &Server, all: &[(Event, Replica)], from: usize) {
    let listed = listed(server, "/c?_limit=1000");
    let synced = all.iter().position(|(event, _)| event.name == "synced");
    let synced = synced.unwrap();
    for (place, (event, replica)) in all.iter().enumerate().skip(from) {
        if place > STRIDE && place + 2 * STRIDE < synced && !place.is_multiple_of(STRIDE) {
            continue;
        }
        let mut replica = replica.clone();
        let told = server.events_after("/c", &event.id).until("synced");
        assert!(told[0].has_id && told[0].retry.is_some());
        assert!(
            told.iter().all(|event| event.name != "reset"),
            "after {event:?}"
        );
        if place >= synced {
            let changes = told[..told.len() - 1].iter().map(|event| &event.data);
            let expected = all[place + 1..].iter().map(|(event, _)| &event.data);
            assert!(changes.eq(expected), "after {event:?}");
        }
        for event in &told {
            replica.apply(event);
        }
        holds(&replica, &listed);
    }
}

#[test]
fn section_7_3_every_id_is_gone_on_with() {
    let server = Server::start();
    let all = followed(&server);
    goes_on_from_all(&server, &all, 0);
}

#[test]
fn section_7_3_ids_outlive_the_server() {
    let mut server = Server::start();
    let all = followed(&server);
    server.restart();
    goes_on_from_all(&server, &all, all.len() - 20);
    server.kill();
    server.start_again();
    goes_on_from_all(&server, &all, 0);
}

/// Everything happens between one line and the next.
#[test]
fn section_7_3_a_snapshot_is_cut_again_and_again_while_documents_change() {
    let server = Server::start();
    for n in 0..DOCUMENTS {
        server.create(&format!("/c/{n:03}"), format!("{{\"n\":{n}}}"));
    }
    let mut replica = Replica::default();
    let mut events = server.events("/c?_snapshot=true");
    let mut n = 0;
    loop {
        for _ in 0..17 {
            let event = events.next();
            replica.apply(&event);
            if event.name == "synced" {
                holds(&replica, &listed(&server, "/c?_limit=1000"));
                return;
            }
        }
        drop(events);
        for _ in 0..5 {
            n = (n + 71) % DOCUMENTS;
            let path = format!("/c/{n:03}");
            match n % 3 {
                0 => drop(server.put(&path, "7").field("If-Match", "*").send()),
                1 => drop(server.delete(&path).if_match("*").send()),
                _ => drop(server.put(&path, "8").if_none_match("*").send()),
            }
        }
        events = server.events_after("/c?_snapshot=true", replica.id.as_deref().unwrap());
    }
}

#[test]
fn section_7_3_a_snapshot_of_all_collections_is_gone_on_with() {
    let server = Server::start();
    for collection in ["a", "a-", "a/1/b", "b", "z"] {
        for n in 0..5 {
            server.create(&format!("/{collection}/{n}"), format!("{{\"n\":{n}}}"));
        }
    }
    let all = server.events("/_/changes?_snapshot=true").until("synced");
    let mut whole = Replica::default();
    all.iter().for_each(|event| whole.apply(event));
    assert_eq!(whole.held.len(), 25);
    let mut replica = Replica::default();
    for (place, event) in all.iter().enumerate() {
        replica.apply(event);
        let mut replica = replica.clone();
        let told = server.events_after("/_/changes", &event.id).until("synced");
        let rest = all[place + 1..].iter().map(|event| &event.data);
        match event.name.as_str() {
            "synced" => assert_eq!(told.len(), 1),
            _ => assert!(
                told.iter().map(|event| &event.data).eq(rest),
                "after {event:?}"
            ),
        }
        told.iter().for_each(|event| replica.apply(event));
        assert_eq!(replica.held, whole.held);
    }
}

/// Each event is the last one that a client gets.
#[test]
fn section_7_4_a_client_that_loses_its_line_after_each_event_misses_nothing() {
    let server = Server::start();
    server.create("/c/1", "0");
    let mut id = server.events("/c").next().id;
    let mut told = Vec::new();
    let tags: Vec<_> = (1..40)
        .map(|n| server.replace("/c/1", n.to_string()))
        .collect();
    while told.len() < tags.len() {
        let event = server.events_after("/c", &id).next();
        id.clone_from(&event.id);
        told.push(event.text("etag"));
    }
    assert_eq!(told, tags);
    assert_eq!(server.events_after("/c", &id).next().is("synced").id, id);
}

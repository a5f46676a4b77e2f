//! Where a feed begins: now, after a cursor, with a snapshot; and what becomes of a
//! position that is none (contract §7).

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::{Event, Events, Replica, Server};

/// Asserts that a stream begins anew, and reads the snapshot to its end.
#[track_caller]
fn begins_anew(mut events: Events, reason: &str) -> Replica {
    let mut replica = Replica::default();
    let all = events.until("synced");
    let first = all[0].is("reset");
    assert_eq!(first.data, format!("{{\"reason\":\"{reason}\"}}"));
    assert!(first.has_id && first.retry.is_some(), "{first:?}");
    for event in &all {
        replica.apply(event);
    }
    assert_eq!(all.iter().filter(|event| event.name == "reset").count(), 1);
    replica
}

#[track_caller]
fn paths(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.text("path")).collect()
}

#[test]
fn section_7_1_a_feed_begins_now() {
    let server = Server::start();
    server.create("/c/1", "1");
    let cursor = server.get("/c").send().json()["cursor"].clone();
    let mut events = server.events("/c?_snapshot=false");
    let first = events.next();
    assert_eq!(cursor, first.is("synced").id);
    server.create("/c/2", "2");
    assert_eq!(events.next().text("path"), "/c/2");
}

#[test]
fn section_7_1_a_feed_begins_after_a_cursor() {
    let server = Server::start();
    server.create("/c/1", "1");
    let page = server.get("/c").send().json();
    let cursor = page["cursor"].as_str().unwrap();
    let two = server.create("/c/2", "2");
    server.create("/d/1", "1");
    server.delete("/c/1").if_match("*").send().status(204);
    let mut events = server.events(&format!("/c?_since={cursor}"));
    let told = events.until("synced");
    assert_eq!(paths(&told[..2]), ["/c/2", "/c/1"]);
    assert_eq!(
        (told[0].name.as_str(), told[1].name.as_str()),
        ("put", "delete")
    );
    assert!(told[0].has_id && told[0].retry.is_some());
    assert_eq!(told.len(), 3);
    server.create("/c/3", "3");
    assert_eq!(events.next().text("path"), "/c/3");
    // A tag without its quotes is the position of its write.
    let mut events = server.events(&format!("/c?_since={}", two.trim_matches('"')));
    assert_eq!(events.next().is("delete").text("path"), "/c/1");
    events.next().is("put");
    events.next().is("synced");
}

#[test]
fn section_7_1_a_feed_begins_with_all_documents() {
    let server = Server::start();
    let ids = ["a", "b", "c", "caf%C3%A9", "d"];
    let tags = ids.map(|id| server.create(&format!("/c/{id}"), format!("\"{id}\"")));
    server.create("/d/1", "1");
    server.create("/c/a/below/1", "1");
    let mut events = server.events("/c?_snapshot=true");
    let told = events.until("synced");
    assert_eq!(told[0].data, "{\"reason\":\"snapshot\"}");
    assert_eq!(
        told[0].is("reset").retry,
        told[0].retry.filter(|ms| *ms > 0)
    );
    let puts = &told[1..told.len() - 1];
    assert_eq!(paths(puts), ids.map(|id| format!("/c/{id}")));
    for (put, tag) in puts.iter().zip(&tags) {
        let data = put.is("put").json();
        let mut members: Vec<_> = data.as_object().unwrap().keys().cloned().collect();
        members.sort_unstable();
        assert_eq!(members, ["document", "etag", "modified", "path"]);
        assert_eq!(data["etag"], tag.as_str());
        assert!(put.has_id && put.retry.is_none());
    }
    server.delete("/c/b").if_match("*").send().status(204);
    assert_eq!(events.next().is("delete").text("previous"), tags[1]);
}

#[test]
fn section_7_1_a_snapshot_of_a_document_of_all_and_of_nothing() {
    let server = Server::start();
    for target in [
        "/c?_snapshot=true",
        "/c/1?_snapshot=true",
        "/_/changes?_snapshot=true",
    ] {
        let replica = begins_anew(server.events(target), "snapshot");
        assert!(replica.held.is_empty());
    }
    for path in ["/c/1", "/c/2", "/c/1/d/1", "/b/1", "/b-/1", "/b/1/a/1"] {
        server.create(path, "{\"a\":1}");
    }
    let held = |target: &str| {
        let replica = begins_anew(server.events(target), "snapshot");
        replica.held.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(held("/c/1?_snapshot=true"), ["/c/1"]);
    assert_eq!(held("/c?_snapshot=true"), ["/c/1", "/c/2"]);
    let all = ["/b-/1", "/b/1", "/b/1/a/1", "/c/1", "/c/1/d/1", "/c/2"];
    assert_eq!(held("/_/changes?_snapshot=true"), all);
    assert_eq!(held("/_/changes?_snapshot=true&a=2"), [""; 0]);
    assert_eq!(held("/c/1?_snapshot=true&a=2"), [""; 0]);
}

#[test]
fn section_7_1_last_event_id_beats_since_and_since_beats_snapshot() {
    let server = Server::start();
    let one = server.create("/c/1", "1");
    let two = server.create("/c/2", "2");
    server.create("/c/3", "3");
    let [one, two] = [&one, &two].map(|tag| tag.trim_matches('"'));
    let since = format!("/c?_since={one}&_snapshot=true");
    let mut events = server.events(&since);
    assert_eq!(paths(&events.take(2)), ["/c/2", "/c/3"]);
    let mut events = server.events_after(&since, two);
    assert_eq!(paths(&events.take(1)), ["/c/3"]);
    let mut events = server.events_after("/c?_snapshot=true", two);
    assert_eq!(paths(&events.take(1)), ["/c/3"]);
    // An empty one is none.
    let mut events = server.events_after(&since, "");
    assert_eq!(paths(&events.take(2)), ["/c/2", "/c/3"]);
    begins_anew(server.events_after("/c?_snapshot=true", ""), "snapshot");
    begins_anew(server.events_after(&since, "x"), "malformed");
}

#[test]
fn section_7_4_a_position_that_is_none_begins_anew() {
    let server = Server::start();
    let tag = server.create("/c/1", "1");
    server.create("/c/2", "2");
    let at = tag.trim_matches('"');
    let (epoch, revision) = at.split_once('-').unwrap();
    let long = "x".repeat(8_000);
    let foreign = format!("aaaaaaaa-{revision}");
    server.create("/d/1", "1");
    let begun = server.events("/c?_snapshot=true").take(2)[1].id.clone();
    let of_another = server.events("/d?_snapshot=true").take(2)[1].id.clone();
    let cases = [
        ("x", "malformed"),
        ("17", "malformed"),
        (&tag, "malformed"),
        (&format!("{at}x"), "malformed"),
        (&format!("{at}~x"), "malformed"),
        (&format!("{at}~/c"), "malformed"),
        (&format!("{begun}/x"), "malformed"),
        (&long, "malformed"),
        ("\u{FC}", "malformed"),
        (&format!("{epoch}-1000"), "foreign"),
        (&format!("{epoch}-9223372036854775807"), "foreign"),
        (&foreign, "foreign"),
        (&format!("{foreign}~"), "foreign"),
        (&begun.replace(epoch, "aaaaaaaa"), "foreign"),
        (&of_another, "foreign"),
        (&format!("{at}.aaaaaaaaaaaaa"), "view"),
    ];
    for (id, reason) in cases {
        let replica = begins_anew(server.events_after("/c", id), reason);
        assert_eq!(replica.held.len(), 2, "{id}");
        if !id.starts_with('\u{FC}') {
            let escaped = id.replace('"', "%22");
            begins_anew(server.events(&format!("/c?_since={escaped}")), reason);
        }
    }
    begins_anew(server.events("/c?_since="), "malformed");
}

/// The log is trimmed: who is further back than it reaches begins anew, the others go on.
#[test]
fn section_7_4_a_position_that_is_too_old_begins_anew() {
    let server = Server::with(&["--retention-seconds", "0", "--retention-changes", "20"]);
    server.create("/c/0", "0");
    let begun = server.events("/c?_snapshot=true").take(3);
    let mut events = server.events("/c?_snapshot=true");
    for n in 1..100 {
        server.create(&format!("/c/{n}"), format!("{{\"n\":{n}}}"));
    }
    let mut replica = Replica::default();
    while replica.held.len() < 100 {
        let event = events.next();
        assert!(event.name != "reset" || event.text("reason") == "snapshot");
        replica.apply(&event);
    }
    let old = format!("/c?_since={}", begun[2].id);
    // It is trimmed from time to time.
    while server.get(&old).send().code == 200 {}
    server.get(&old).send().status(410).problem("cursor-gone");
    for event in &begun {
        for target in ["/c", "/c?n=7", "/c?_fields=n"] {
            let replica = begins_anew(server.events_after(target, &event.id), "too-old");
            assert_eq!(replica.held.len(), if target == "/c?n=7" { 1 } else { 100 });
        }
    }
    let recent = server.events_after("/c", replica.id.as_deref().unwrap());
    assert_eq!({ recent }.next().name, "synced");
    server.create("/c/last", "1");
    assert_eq!(events.next().text("path"), "/c/last");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// An older copy of the data comes back: whoever saw what is lost begins anew, even when
/// its revisions are used again; the others go on.
#[test]
fn section_1_a_position_of_a_lost_history_begins_anew() {
    let elsewhere = TempDir::new().unwrap();
    let mut server = Server::start();
    server.create("/c/1", "1");
    let kept = server.events("/c?_snapshot=true").until("synced");
    server.kill();
    copy(server.data(), elsewhere.path());
    server.start_again();
    let mut events = server.events_after("/c", &kept[2].id);
    events.next().is("synced");
    server.create("/c/2", "2");
    server.replace("/c/1", "\"lost\"");
    let lost = events.take(2);
    server.kill();
    fs::remove_dir_all(server.data()).unwrap();
    copy(elsewhere.path(), server.data());
    server.start_again();
    for round in 0..3 {
        for event in &lost {
            let replica = begins_anew(server.events_after("/c", &event.id), "foreign");
            assert!(!replica.held.contains_key("/c/2"));
            let page = server.get(&format!("/c?_since={}", event.id)).send();
            page.status(410).problem("cursor-gone");
        }
        for event in &kept {
            let mut events = server.events_after("/c", &event.id);
            assert!(
                events
                    .until("synced")
                    .iter()
                    .all(|event| event.name != "reset")
            );
        }
        server.create(&format!("/c/new{round}"), "1");
        server.restart();
    }
}

/// What a snapshot shows may be later than where it began. When that is lost, and the
/// beginning is not, what the reader holds is of no history that there is.
#[test]
fn section_1_a_snapshot_that_showed_what_is_lost_begins_anew() {
    let elsewhere = TempDir::new().unwrap();
    let mut server = Server::start();
    for n in 0..20 {
        server.create(&format!("/c/{n:02}"), "1");
    }
    server.kill();
    copy(server.data(), elsewhere.path());
    server.start_again();
    // The line is cut in the middle, and something is written that the rest will show.
    let begun = server.events("/c?_snapshot=true").take(5);
    server.create("/c/18-lost", "1");
    server.replace("/c/19", "\"lost\"");
    server.create("/c/20", "1");
    let shown = server.events_after("/c", &begun[4].id).until("synced");
    let ids: Vec<_> = shown.iter().map(|event| event.id.as_str()).collect();
    server.kill();
    fs::remove_dir_all(server.data()).unwrap();
    copy(elsewhere.path(), server.data());
    server.start_again();
    server.create("/c/new", "1");
    for event in &begun {
        let mut events = server.events_after("/c", &event.id);
        assert_ne!(events.next().name, "reset", "after {event:?}");
    }
    for (place, id) in ids.iter().enumerate() {
        let mut replica = Replica::default();
        let told = begun.iter().chain(&shown[..=place]);
        told.for_each(|event| replica.apply(event));
        for event in server.events_after("/c", id).until("synced") {
            replica.apply(&event);
        }
        let held: Vec<_> = replica.held.iter().collect();
        assert_eq!(held.len(), 21, "after {id}: {held:?}");
        assert_ne!(
            replica.held["/c/19"].content["document"], "lost",
            "after {id}"
        );
    }
}

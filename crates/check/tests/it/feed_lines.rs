//! The lines that streams come over: their end, slow readers, silence, pages of other
//! origins, many streams on one connection (contract §7.4, §7.6, §7.8).

use std::thread;

use rustix::process::Signal;

use crate::harness::{Event, Events, Server};

/// Streams in every state: told nothing yet, told something, of a filter.
const TARGETS: [&str; 5] = ["/c", "/c/1", "/_/changes", "/c?n=1", "/c?_fields=n"];

#[track_caller]
fn ends(events: &mut Events, reason: &str) -> Event {
    let last = events.rest().pop().unwrap();
    let expected = format!("{{\"reason\":\"{reason}\"}}");
    assert_eq!(last.is("end").data, expected);
    last
}

#[test]
fn section_7_6_a_stop_ends_all_streams_and_they_go_on_after_it() {
    let mut server = Server::with(&["--drain-seconds", "3600"]);
    let mut streams = TARGETS.map(|target| server.events(target));
    let synced = streams.each_mut().map(|events| events.next());
    assert!(synced.iter().all(|event| event.name == "synced"));
    server.create("/c/1", "{\"n\":1}");
    let seen = streams.each_mut().map(|events| events.next().id);
    server.signal(Signal::TERM);
    for (events, seen) in streams.iter_mut().zip(&seen) {
        let end = ends(events, "draining");
        assert!(end.retry.is_some_and(|ms| ms > 0), "{end:?}");
        assert_eq!((&end.id, end.has_id), (seen, true));
    }
    assert_eq!(server.ended().code(), Some(0));
    server.start_again();
    let tag = server.replace("/c/1", "{\"n\":1,\"m\":2}");
    for (target, seen) in TARGETS.iter().zip(&seen) {
        let event = server.events_after(target, seen).next();
        assert_eq!(event.text("etag"), tag, "{target}");
    }
}

/// A reader that came late to a query that others follow has its own position.
#[test]
fn section_7_4_an_end_repeats_the_current_id() {
    let mut server = Server::start();
    server.create("/c/1", "{\"n\":1}");
    let mut first = server.events("/c?n=7");
    first.next().is("synced");
    for n in 0..5 {
        server.replace("/c/1", format!("{{\"n\":\"{n}\"}}"));
    }
    let mut later = server.events("/c?n=7");
    let synced = later.next();
    server.signal(Signal::TERM);
    assert_eq!(ends(&mut later, "draining").id, synced.is("synced").id);
    ends(&mut first, "draining");
    server.ended();
}

#[test]
fn section_7_6_a_stream_that_comes_while_the_server_stops_is_told_when_to_come_back() {
    let mut server = Server::start();
    let tag = server.create("/c/1", "1");
    let mut busy = server.connect();
    busy.send(format!(
        "PUT /c/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIf-Match: *\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        server.host()
    ));
    busy.read_any("PUT").status(100);
    server.signal(Signal::TERM);
    while server.get("/c/1").send().code == 200 {}
    for target in TARGETS {
        for id in ["", "x", tag.trim_matches('"')] {
            let mut events = server.events_after(target, id);
            events
                .head
                .has("content-type", "text/event-stream")
                .has("cache-control", "no-store");
            let end = ends(&mut events, "draining");
            assert!(end.retry.is_some_and(|ms| ms > 0), "{end:?}");
        }
        server
            .get(target)
            .field("Prefer", "wait=50")
            .send()
            .status(503);
    }
    busy.send("\"ab\"");
    busy.read("PUT").status(204);
    assert_eq!(server.ended().code(), Some(0));
}

/// Real time has to pass for this one; the others run beside it.
#[test]
fn section_7_silence_is_broken_by_a_heartbeat() {
    let server = Server::start();
    let mut streams = TARGETS.map(|target| server.events(target));
    let before = streams.each_mut().map(|events| events.next().id);
    for (events, before) in streams.iter_mut().zip(before) {
        let event = events.next();
        assert_eq!(
            (event.is("heartbeat").data.as_str(), event.has_id),
            ("{}", true)
        );
        assert_eq!(event.id, before);
    }
    let tag = server.create("/c/1", "{\"n\":1}");
    for events in &mut streams {
        assert_eq!(events.next().text("etag"), tag);
    }
}

const LARGE: usize = 64 * 1_024;
const WRITES: usize = 320;
const HELD: usize = 100;

/// A document of one letter.
fn large(n: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(n % 26).unwrap());
    format!("\"{}\"", String::from(letter).repeat(LARGE))
}

/// Over the sockets' buffers and what the server keeps for those who are late. Nothing of
/// a text is in the next one, so that each event is large.
fn write_much(server: &Server) -> Vec<String> {
    let mut connection = server.connect();
    let mut tags = Vec::new();
    for n in 0..WRITES {
        let put = connection.put(&format!("/c/{}", n % 10), large(n / 10));
        let put = match n {
            0..10 => put.if_none_match("*"),
            _ => put.if_match("*"),
        };
        tags.push(put.send().tag());
    }
    tags
}

/// The tags of the writes that were told: an id is one without its quotes.
fn told_in(events: &[Event]) -> Vec<String> {
    let changes = events
        .iter()
        .filter(|event| ["put", "patch"].contains(&event.name.as_str()));
    changes.map(|event| format!("\"{}\"", event.id)).collect()
}

#[test]
fn section_7_8_who_does_not_read_holds_up_nobody_and_goes_on_from_the_log() {
    let server = Server::with(&["--cache-mib", "1"]);
    for n in 0..HELD {
        server.create(&format!("/c/held{n}"), large(n));
    }
    let mut fast = server.events("/c");
    fast.next().is("synced");
    let mut slow: Vec<_> = (0..2).map(|_| server.events("/c")).collect();
    let mut behind: Vec<_> = (0..1).map(|_| server.events("/c?_snapshot=true")).collect();
    let before = server.peak_kib();
    let (tags, told) = thread::scope(|scope| {
        let reader = scope.spawn(|| told_in(&fast.take(WRITES)));
        let tags = write_much(&server);
        (tags, reader.join().unwrap())
    });
    assert_eq!(told, tags);
    // Each of them is owed 20 MB.
    let grown = server.peak_kib() - before;
    assert!(grown < 80 * 1_024, "{grown} KiB");
    for events in &mut slow {
        events.next().is("synced");
        let mut first = events.rest();
        let end = first.pop().unwrap();
        assert_eq!(end.is("end").data, "{\"reason\":\"slow\"}");
        assert_eq!(end.id, first.last().unwrap().id);
        let mut told = told_in(&first);
        assert!(told.len() < tags.len());
        let rest = server.events_after("/c", &end.id).until("synced");
        told.extend(told_in(&rest));
        assert_eq!(told, tags);
    }
    for events in &mut behind {
        let mut replica = crate::harness::Replica::default();
        events.next().is("reset");
        while !replica.is_synced {
            replica.apply(&events.next());
        }
        assert_eq!(replica.held.len(), HELD + 10);
        let last = &tags[WRITES - 10..];
        let held = replica
            .held
            .values()
            .filter(|held| last.contains(&held.tag));
        assert_eq!(held.count(), 10);
    }
}

/// The rest of the snapshot is not waited for, and not lost.
#[test]
fn section_7_6_a_stop_in_the_middle_of_a_snapshot() {
    let mut server = Server::with(&["--drain-seconds", "3600"]);
    for n in 0..2 * HELD {
        server.create(&format!("/c/{n:03}"), large(n));
    }
    let mut events = server.events("/c?_snapshot=true");
    let mut replica = crate::harness::Replica::default();
    events.take(3).iter().for_each(|event| replica.apply(event));
    server.signal(Signal::TERM);
    let rest = events.rest();
    rest.iter().for_each(|event| replica.apply(event));
    let end = rest.last().unwrap();
    assert_eq!(end.is("end").data, "{\"reason\":\"draining\"}");
    assert!(!replica.is_synced);
    assert_eq!(server.ended().code(), Some(0));
    server.start_again();
    let rest = server.events_after("/c", &end.id).until("synced");
    assert!(rest.iter().all(|event| event.name != "reset"));
    rest.iter().for_each(|event| replica.apply(event));
    assert_eq!(replica.held.len(), 2 * HELD);
}

#[test]
fn section_11_a_page_of_another_origin_reads_a_stream() {
    let ours = "https://app.example";
    let server = Server::with(&["--cors-origin", ours]);
    let mut events = Events::open(server.address(), "/c", &[("Origin", ours)]);
    events.head.has("access-control-allow-origin", ours);
    assert!(events.head.members("vary").contains(&"origin".to_owned()));
    events.next().is("synced");
    let foreign = [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let mut events = Events::open(server.address(), "/c", &foreign);
    events.head.no_field("access-control-allow-origin");
    events.next().is("synced");
    for target in ["/c?n=1", "/_/changes", "/c?_since=x"] {
        let preflight = server
            .request("OPTIONS", target)
            .field("Origin", ours)
            .field("Access-Control-Request-Method", "GET")
            .field("Access-Control-Request-Headers", "last-event-id");
        let answer = preflight.send();
        answer.status(204).has("access-control-allow-origin", ours);
        assert!(
            answer
                .members("access-control-allow-headers")
                .contains(&"last-event-id".to_owned())
        );
    }
    let page = server.get("/_/changes").field("Origin", ours).send();
    page.status(200).has("access-control-allow-origin", ours);
    let gone = server.get("/c?_since=x").field("Origin", ours).send();
    gone.status(410).has("access-control-allow-origin", ours);
}

/// HTTP/1.0 knows no chunks: the connection's end is the stream's.
#[test]
fn section_7_an_old_client_gets_the_same_events() {
    let mut server = Server::start();
    server.create("/c/1", "1");
    let mut connection = server.connect();
    let host = server.host();
    connection.send(format!(
        "GET /c?_snapshot=true HTTP/1.0\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"
    ));
    let mut text = String::new();
    while !text.contains("event: synced") {
        text.push_str(&connection.try_some().unwrap());
    }
    server.create("/c/2", "2");
    server.stop();
    while let Ok(some) = connection.try_some() {
        text.push_str(&some);
    }
    let (head, events) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"),
        "{head}"
    );
    assert!(!head.to_lowercase().contains("chunked"), "{head}");
    let names: Vec<_> = events
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(names, ["reset", "put", "synced", "put", "end"]);
    assert!(events.ends_with("\n\n"), "{events}");
}

/// What was asked before a stream is answered before it.
#[test]
fn section_7_a_stream_behind_other_requests_on_a_connection() {
    let server = Server::start();
    let tag = server.create("/c/1", "1");
    let mut connection = server.connect();
    for _ in 0..3 {
        let get = connection.get("/c/1").bytes();
        connection.send(get);
    }
    let stream = connection
        .get("/c")
        .field("Accept", "text/event-stream")
        .bytes();
    connection.send(stream);
    for _ in 0..3 {
        connection.read("GET").status(200).has("etag", &tag);
    }
    let head = connection.try_head().unwrap();
    head.status(200).has("content-type", "text/event-stream");
    let first = connection.try_chunk().unwrap().unwrap();
    assert!(
        String::from_utf8(first)
            .unwrap()
            .contains("event: synced\n")
    );
    let new = server.create("/c/2", "2");
    let event = connection.try_chunk().unwrap().unwrap();
    assert!(
        String::from_utf8(event)
            .unwrap()
            .contains(new.trim_matches('"'))
    );
}

/// The server notices that a reader is gone, and the others go on.
#[test]
fn section_7_readers_come_and_go() {
    let server = Server::start();
    let mut stays = server.events("/c");
    stays.next().is("synced");
    for n in 0..50 {
        let mut goes = server.events(&format!("/c?n:gte={}", n % 3));
        goes.next().is("synced");
        drop(goes);
        let tag = server.create(&format!("/c/{n}"), format!("{{\"n\":{n}}}"));
        assert_eq!(stays.next().text("etag"), tag);
    }
}

//! The change feed as an event stream: its events, their members, their order
//! (contract §7).

use std::thread;

use crate::harness::{Event, Replica, Server};

/// The opaque part of a tag: the id of the event that tells of it.
fn id(tag: &str) -> &str {
    tag.trim_matches('"')
}

/// A tag as it stands in JSON.
fn quoted(tag: &str) -> String {
    serde_json::to_string(tag).unwrap()
}

/// The data of an event, without the time.
fn timeless(event: &Event) -> String {
    let modified = format!(",\"modified\":{}", quoted(&event.text("modified")));
    assert!(event.data.contains(&modified), "{event:?}");
    event.data.replace(&modified, ",\"modified\":T")
}

#[test]
fn section_7_4_the_first_event_has_an_id_and_says_when_to_come_back() {
    let server = Server::start();
    server.create("/c/1", "1");
    for target in [
        "/c",
        "/c/1",
        "/c/none",
        "/none",
        "/_/changes",
        "/c?a=1&_fields=b",
    ] {
        let first = server.events(target).next();
        first.is("synced");
        assert!(first.has_id && first.retry.is_some(), "{first:?}");
        assert_eq!(first.data, format!("{{\"cursor\":\"{}\"}}", first.id));
    }
}

#[test]
fn section_7_9_no_one_between_keeps_or_collects_a_stream() {
    let server = Server::start();
    let mut events = server.events("/c");
    events
        .head
        .has("content-type", "text/event-stream")
        .has("cache-control", "no-store")
        .has("x-accel-buffering", "no")
        .no_field("content-length")
        .no_field("content-encoding")
        .no_field("etag")
        .no_field("last-modified");
    events.next().is("synced");
}

#[test]
fn section_7_what_each_event_tells_in_this_order() {
    let server = Server::start();
    let text = "x".repeat(200);
    let mut events = server.events("/c");
    events.next().is("synced");

    let made = server.create("/c/1", format!("{{\"n\": 1.0, \"text\": \"{text}\"}}"));
    let event = events.next();
    assert_eq!(
        (event.is("put").id.as_str(), event.retry),
        (id(&made), None)
    );
    let expected = format!(
        "{{\"path\":\"/c/1\",\"etag\":{},\"previous\":null,\"modified\":T,\"document\":{{\"n\": 1.0, \"text\": \"{text}\"}}}}",
        quoted(&made)
    );
    assert_eq!(timeless(&event), expected);
    let listed = server.get("/c").send().json();
    assert_eq!(listed["items"][0]["modified"], event.text("modified"));
    assert_eq!(listed["cursor"], event.id);

    let saved = server
        .merge("/c/1", "{\"n\":2}")
        .if_match(&made)
        .send()
        .tag();
    let event = events.next();
    assert_eq!(event.is("patch").id, id(&saved));
    let expected = format!(
        "{{\"path\":\"/c/1\",\"etag\":{},\"previous\":{},\"modified\":T,\"patch\":[{{\"op\":\"replace\",\"path\":\"/n\",\"value\":2}}]}}",
        quoted(&saved),
        quoted(&made)
    );
    assert_eq!(timeless(&event), expected);

    let small = server.replace("/c/1", "[]");
    let event = events.next();
    assert_eq!(event.is("put").id, id(&small));
    let expected = format!(
        "{{\"path\":\"/c/1\",\"etag\":{},\"previous\":{},\"modified\":T,\"document\":[]}}",
        quoted(&small),
        quoted(&saved)
    );
    assert_eq!(timeless(&event), expected);

    server.delete("/c/1").if_match(&small).send().status(204);
    let event = events.next();
    let expected = format!(
        "{{\"path\":\"/c/1\",\"previous\":{},\"modified\":T}}",
        quoted(&small)
    );
    assert_eq!(timeless(event.is("delete")), expected);

    server.create("/c/1", "[]");
    let again = events.next();
    assert!(again.is("put").json()["previous"].is_null());
    assert!(again.json().as_object().unwrap().contains_key("previous"));
}

#[test]
fn section_7_the_smaller_of_patch_and_document_is_sent() {
    let server = Server::start();
    let text = "x".repeat(500);
    let document = |n: u32| format!("{{\"text\":\"{text}\",\"n\":{n}}}");
    for target in ["/c", "/c/1", "/_/changes", "/c?n:gte=0"] {
        let mut events = server.events(target);
        events.next().is("synced");
        server.create("/c/1", document(0));
        events.next().is("put");
        server.replace("/c/1", document(1));
        let patch = events.next();
        assert_eq!(patch.is("patch").json()["patch"][0]["path"], "/n");
        server
            .merge("/c/1", "{\"n\":2}")
            .if_match("*")
            .send()
            .status(204);
        events.next().is("patch");
        let operation = "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":3}]";
        server
            .patch("/c/1", operation)
            .if_match("*")
            .send()
            .status(204);
        events.next().is("patch");
        server
            .merge("/c/1", "{\"text\":null}")
            .if_match("*")
            .send()
            .status(204);
        assert_eq!(events.next().is("put").json()["document"]["n"], 3);
        server
            .merge("/c/1", "{\"n\":4}")
            .if_match("*")
            .send()
            .status(204);
        assert_eq!(events.next().is("put").json()["document"]["n"], 4);
        server.delete("/c/1").if_match("*").send().status(204);
        events.next().is("delete");
    }
}

#[test]
fn section_4_what_changes_nothing_is_no_event() {
    let server = Server::start();
    let tag = server.create("/c/1", "{\"a\":1}");
    let mut events = server.events("/c");
    events.next().is("synced");
    let put = server.put("/c/1", "{\"a\":1}").if_match(&tag).send();
    put.status(204).has("etag", &tag);
    let merge = server.merge("/c/1", "{\"a\":1}").if_match(&tag).send();
    merge.status(204).has("etag", &tag);
    server.put("/c/1", "2").if_match("\"x\"").send().status(412);
    server.put("/c/1", "2").send().status(428);
    server.put("/c/2", "{").send().status(400);
    server.delete("/c/3").send().status(404);
    let last = server.create("/c/9", "9");
    assert_eq!(events.next().text("etag"), last);
}

#[test]
fn section_7_data_stands_on_one_line() {
    let server = Server::start();
    let documents = [
        "{\r\n  \"a\" : [ 1.50,\n 1e400 ],\r \"b\":\"x\\ny\\u000d\"\n}\n",
        "[\n\n]",
        "\r\n \"a\u{2028}b\u{2029}c\u{85}d\"\r\n",
        "{\"a\":\"\\u0000\\r\\n\"}",
        " 1 ",
    ];
    let mut events = server.events("/c");
    events.next().is("synced");
    for (number, document) in documents.iter().enumerate() {
        server.create(&format!("/c/{number}"), document);
        let event = events.next();
        assert!(!event.is("put").data.contains(['\r', '\n']), "{event:?}");
        let exact = crate::harness::exact::value(document);
        assert_eq!(event.exact()["document"], exact, "{event:?}");
    }
    // The spelling of what is on one line already is kept.
    assert!(events.head.code == 200);
    server.create("/c/spelled", "{ \"b\" : 1.50, \"a\" : \"\\u0041\" }");
    let event = events.next();
    assert!(
        event
            .data
            .contains("\"document\":{ \"b\" : 1.50, \"a\" : \"\\u0041\" }")
    );
}

#[test]
fn section_7_of_what_is_not_json_type_and_length_are_told() {
    let server = Server::start();
    let mut events = server.events("/c");
    let mut replica = Replica::default();
    events.next().is("synced");
    let put = |content_type: &str, body: &[u8]| {
        let request = server.request("PUT", "/c/1").field("If-Match", "*");
        request.content(content_type, body).send().status(204).tag()
    };
    server.create("/c/1", "{\"a\":1}");
    replica.apply(&events.next());
    let text = put("text/plain; charset=utf-8", b"line\nline\n");
    let event = events.next();
    let data = event.is("put").json();
    assert_eq!(data["etag"], text);
    assert_eq!(data["contentType"], "text/plain; charset=utf-8");
    assert_eq!(data["length"], 10);
    assert!(data.get("document").is_none());
    let image = put("image/png", &[0, 13, 10, 255]);
    let event = events.next();
    assert_eq!(event.is("put").text("previous"), text);
    assert_eq!(event.json()["length"], 4);
    put("application/vnd.x+json", b"{\"a\":2}");
    let event = events.next();
    assert_eq!(event.is("put").text("previous"), image);
    assert_eq!(event.json()["document"]["a"], 2);
    server.delete("/c/1").if_match("*").send().status(204);
    events.next().is("delete");
}

#[test]
fn section_7_a_feed_covers_a_document_or_direct_members_or_all() {
    let server = Server::start();
    let targets = ["/c/1", "/c", "/c/1/d", "/_/changes", "/other"];
    let mut feeds = targets.map(|target| server.events(target));
    let begin = feeds.each_mut().map(|events| events.next());
    assert!(begin.iter().all(|event| event.name == "synced"));
    let writes = [
        "/c/1",
        "/c/2",
        "/c/1/d/1",
        "/c/caf%C3%A9",
        "/z/1",
        "/c/1/d/1/e/1",
    ];
    for path in writes {
        server.create(path, "\"a\"");
    }
    let stop = ["/c/1", "/c/9", "/c/1/d/9", "/c/9", "/other/9"];
    server.create("/c/1/d/9", "9");
    server.create("/other/9", "9");
    server.create("/c/9", "9");
    server.replace("/c/1", "9");
    let expected: [&[&str]; 5] = [
        &["/c/1", "/c/1"],
        &["/c/1", "/c/2", "/c/caf%C3%A9", "/c/9"],
        &["/c/1/d/1", "/c/1/d/9"],
        &[
            "/c/1",
            "/c/2",
            "/c/1/d/1",
            "/c/caf%C3%A9",
            "/z/1",
            "/c/1/d/1/e/1",
            "/c/1/d/9",
            "/other/9",
            "/c/9",
        ],
        &["/other/9"],
    ];
    for ((events, expected), stop) in feeds.iter_mut().zip(expected).zip(stop) {
        let found = events.take(expected.len());
        let paths: Vec<_> = found.iter().map(|event| event.text("path")).collect();
        assert_eq!(paths, expected);
        assert_eq!(paths.last().unwrap(), stop);
    }
}

#[test]
fn section_7_1_a_document_is_followed_through_its_deletion_and_before_it_is_there() {
    let server = Server::start();
    let mut events = server.events("/c/caf%c3%a9");
    let mut replica = Replica::of(&[], &events.next().id);
    replica.is_synced = true;
    for n in 0..3 {
        server.create("/c/caf%C3%A9", format!("{{\"n\":{n}}}"));
        server.create(&format!("/c/other{n}"), "1");
        let made = events.next();
        assert_eq!(made.is("put").text("path"), "/c/caf%C3%A9");
        replica.apply(&made);
        server.replace("/c/caf%C3%A9", "7");
        replica.apply(events.next().is("put"));
        server
            .delete("/c/caf%C3%A9")
            .if_match("*")
            .send()
            .status(204);
        replica.apply(events.next().is("delete"));
        assert!(replica.held.is_empty());
    }
}

#[test]
fn section_7_1_events_come_in_order_of_revision_and_nothing_is_missing() {
    const WRITERS: usize = 8;
    const WRITES: usize = 60;
    let server = Server::start();
    let mut feeds = ["/c", "/_/changes", "/c?n:gte=0"].map(|target| server.events(target));
    for events in &mut feeds {
        events.next().is("synced");
    }
    let write = |writer: usize| {
        let mut connection = server.connect();
        let path = format!("/c/{writer}");
        let mut tags = Vec::new();
        for n in 0..WRITES {
            let put = connection.put(&path, format!("{{\"n\":{n}}}"));
            let put = match n {
                0 => put.if_none_match("*"),
                _ => put.field("If-Match", "*"),
            };
            tags.push(put.send().tag());
        }
        tags
    };
    let mut tags: Vec<String> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(writer)))
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    tags.sort_by_key(|tag| crate::harness::replica::revision(tag));
    for events in &mut feeds {
        let found = events.take(WRITERS * WRITES);
        let told: Vec<_> = found.iter().map(|event| event.text("etag")).collect();
        assert_eq!(told, tags);
        let ids: Vec<_> = found.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, tags.iter().map(|tag| id(tag)).collect::<Vec<_>>());
    }
}

/// All who read the same get the same bytes.
#[test]
fn section_7_readers_of_one_feed_get_the_same() {
    let server = Server::start();
    let mut feeds: Vec<_> = (0..100).map(|_| server.events("/c")).collect();
    for events in &mut feeds {
        events.next().is("synced");
    }
    let tags: Vec<_> = (0..20)
        .map(|n| server.create(&format!("/c/{n}"), "1"))
        .collect();
    let expected = feeds[0].take(tags.len());
    let told: Vec<_> = expected.iter().map(|event| event.text("etag")).collect();
    assert_eq!(told, tags);
    for events in &mut feeds[1..] {
        assert_eq!(events.take(tags.len()), expected);
    }
}

//! Live queries: what enters, stays and leaves; and feeds of some fields only
//! (contract §7.2).

use serde_json::Value;

use crate::harness::{Event, Events, Replica, Server};

/// A filter, two documents that it matches, and one that it does not.
const FILTERS: [(&str, [&str; 3]); 28] = [
    ("v=1", ["{\"v\":1}", "{\"v\":\"1\"}", "{\"v\":2}"]),
    (
        "v:eq=1e0",
        ["{\"v\":1}", "{\"v\":1.0,\"w\":1}", "{\"v\":\"1\"}"],
    ),
    ("v=null", ["{\"v\":null}", "{\"v\":null,\"w\":1}", "{}"]),
    (
        "v=%22a%22",
        ["{\"v\":\"a\"}", "{\"v\":\"\\u0061\"}", "{\"v\":[\"a\"]}"],
    ),
    (
        "v={%22a%22:[1]}",
        [
            "{\"v\":{\"a\":[1]}}",
            "{\"v\":{\"a\":[1.0]}}",
            "{\"v\":{\"a\":1}}",
        ],
    ),
    (
        "v=1.0000000000000000000000000000001",
        [
            "{\"v\":1.0000000000000000000000000000001}",
            "{\"v\":10000000000000000000000000000001e-31}",
            "{\"v\":1}",
        ],
    ),
    ("v:ne=1", ["{\"v\":2}", "{}", "{\"v\":\"1\"}"]),
    ("v:ne=null", ["{\"v\":2}", "[]", "{\"v\":null}"]),
    ("v:lt=2", ["{\"v\":1.9}", "{\"v\":-1e9}", "{\"v\":2.0}"]),
    ("v:lte=2", ["{\"v\":2.0}", "{\"v\":0}", "{\"v\":2.0000001}"]),
    ("v:gt=2", ["{\"v\":2.1}", "{\"v\":1e400}", "{\"v\":2}"]),
    ("v:gte=2", ["{\"v\":2}", "{\"v\":3}", "{\"v\":\"3\"}"]),
    (
        "v:gte=b",
        ["{\"v\":\"b\"}", "{\"v\":\"ba\"}", "{\"v\":\"a\"}"],
    ),
    (
        "v:lt=true",
        ["{\"v\":false}", "{\"v\":false,\"w\":1}", "{\"v\":true}"],
    ),
    ("v:in=1,x", ["{\"v\":1}", "{\"v\":\"x\"}", "{\"v\":\"y\"}"]),
    (
        "v:in=[1,%22x%22]",
        ["{\"v\":1.0}", "{\"v\":\"x\"}", "{\"v\":[1]}"],
    ),
    (
        "v:contains=b",
        ["{\"v\":\"abc\"}", "{\"v\":[1,\"b\"]}", "{\"v\":\"ac\"}"],
    ),
    (
        "v:contains=1",
        ["{\"v\":[1.0]}", "{\"v\":\"21\"}", "{\"v\":[11]}"],
    ),
    (
        "v:prefix=ab",
        ["{\"v\":\"ab\"}", "{\"v\":\"abc\"}", "{\"v\":\"xab\"}"],
    ),
    ("v:exists=true", ["{\"v\":null}", "{\"v\":1}", "{\"w\":1}"]),
    ("v:exists=false", ["{}", "[1]", "{\"v\":null}"]),
    (
        "v.w=1",
        ["{\"v\":{\"w\":1}}", "{\"v\":{\"w\":\"1\"}}", "{\"v.w\":1}"],
    ),
    ("v.w:ne=1", ["{\"v\":{\"w\":2}}", "{}", "{\"v\":{\"w\":1}}"]),
    (
        "_where./v.w=1",
        ["{\"v.w\":1}", "{\"v.w\":1.0}", "{\"v\":{\"w\":1}}"],
    ),
    (
        "_where./v/0:gt=1",
        ["{\"v\":[2]}", "{\"v\":[3,1]}", "{\"v\":[1,2]}"],
    ),
    (
        "v=1&w=2",
        [
            "{\"v\":1,\"w\":2}",
            "{\"w\":\"2\",\"v\":\"1\"}",
            "{\"v\":1}",
        ],
    ),
    ("v:gt=1&v:lt=3", ["{\"v\":2}", "{\"v\":2.5}", "{\"v\":3}"]),
    (
        "v:in=1,2&w:exists=false",
        ["{\"v\":1}", "{\"v\":2}", "{\"v\":2,\"w\":1}"],
    ),
];

fn put(server: &Server, path: &str, body: &str) -> String {
    let request = server.put(path, body);
    match server.get(path).send().code {
        404 => request.send(),
        _ => request.field("If-Match", "*").send(),
    }
    .tag()
}

fn delete(server: &Server, path: &str) {
    server.delete(path).if_match("*").send().status(204);
}

#[track_caller]
fn entered(event: &Event, tag: &str, previous: Option<&str>) {
    let data = event.is("put").exact();
    assert_eq!(
        (&data["etag"], &data["entered"]),
        (&tag.into(), &true.into()),
        "{event:?}"
    );
    assert_eq!(data["previous"].as_str(), previous, "{event:?}");
    assert!(event.data.ends_with(",\"entered\":true}"), "{event:?}");
}

#[track_caller]
fn left(event: &Event, path: &str, previous: &str) {
    let previous = serde_json::to_string(previous).unwrap();
    let data = format!("{{\"path\":\"{path}\",\"previous\":{previous}}}");
    assert_eq!(
        (event.name.as_str(), event.data.as_str()),
        ("leave", data.as_str())
    );
}

/// All ways from one state of a document to another.
#[track_caller]
fn enters_and_leaves(server: &Server, events: &mut Events, path: &str, documents: [&str; 3]) {
    let [one, other, without] = documents;
    let out = put(server, path, without);
    let tag = put(server, path, one);
    entered(&events.next(), &tag, Some(&out));
    let stays = put(server, path, other);
    let event = events.next();
    assert!(["put", "patch"].contains(&event.name.as_str()), "{event:?}");
    assert_eq!(
        (event.text("etag"), event.text("previous")),
        (stays.clone(), tag)
    );
    assert!(event.exact().get("entered").is_none(), "{event:?}");
    let out = put(server, path, without);
    left(&events.next(), path, &stays);
    let tag = put(server, path, other);
    entered(&events.next(), &tag, Some(&out));
    delete(server, path);
    assert_eq!(events.next().is("delete").text("previous"), tag);
    let tag = put(server, path, one);
    entered(&events.next(), &tag, None);
    put(server, path, without);
    left(&events.next(), path, &tag);
    delete(server, path);
    let tag = put(server, path, other);
    entered(&events.next(), &tag, None);
}

#[test]
fn section_7_2_documents_enter_and_leave_by_every_operator() {
    let server = Server::start();
    for (number, (filter, documents)) in FILTERS.into_iter().enumerate() {
        println!("{filter}");
        let path = format!("/c{number}/1");
        let mut events = server.events(&format!("/c{number}?{filter}"));
        events.next().is("synced");
        enters_and_leaves(&server, &mut events, &path, documents);
    }
}

#[test]
fn section_7_2_a_query_may_be_about_a_document_or_about_all() {
    let server = Server::start();
    for (target, path) in [("/c/1", "/c/1"), ("/_/changes", "/d/1")] {
        let mut events = server.events(&format!("{target}?v:gt=1"));
        events.next().is("synced");
        put(&server, "/e/1", "{\"v\":0}");
        let documents = ["{\"v\":2}", "{\"v\":3}", "{\"v\":1}"];
        enters_and_leaves(&server, &mut events, path, documents);
    }
}

/// Many queries are looked at for one write: each is told what concerns it.
#[test]
fn section_7_2_all_queries_of_a_collection_at_once() {
    let server = Server::start();
    let mut followed = FILTERS.map(|(filter, _)| {
        let target = format!("/c?{filter}&_snapshot=true");
        (filter, server.events(&target), Replica::default())
    });
    for (_, documents) in FILTERS {
        for document in documents {
            put(&server, "/c/1", document);
            put(&server, "/c/2", document);
        }
        delete(&server, "/c/2");
    }
    // Every query matches one of these.
    let marks = FILTERS.map(|(_, [document, ..])| document);
    for (number, mark) in marks.into_iter().enumerate() {
        put(&server, &format!("/c/mark{number}"), mark);
    }
    for (number, (filter, events, replica)) in followed.iter_mut().enumerate() {
        let mark = format!("/c/mark{number}");
        while !replica.held.contains_key(&mark) || !replica.is_synced {
            replica.apply(&events.next());
        }
        let list = server.get(&format!("/c?{filter}")).send();
        let list = crate::harness::exact::value(std::str::from_utf8(&list.body).unwrap());
        for item in list["items"].as_array().unwrap() {
            let path = item["path"].as_str().unwrap();
            let later = path
                .strip_prefix("/c/mark")
                .is_some_and(|mark| mark.parse::<usize>().unwrap() > number);
            if !later {
                assert_eq!(
                    replica.held[path].tag,
                    item["etag"].as_str().unwrap(),
                    "{filter}"
                );
                assert_eq!(
                    replica.held[path].content["document"], item["document"],
                    "{filter}"
                );
            }
        }
    }
}

#[test]
fn section_7_2_what_is_not_json_matches_what_asks_for_absence() {
    let server = Server::start();
    let mut has = server.events("/c?v=1");
    let mut hasnt = server.events("/c?v:ne=1");
    has.next().is("synced");
    hasnt.next().is("synced");
    let text = |body: &str| {
        let request = server.request("PUT", "/c/1").field("If-Match", "*");
        request.content("text/plain", body).send().status(204).tag()
    };
    let json = put(&server, "/c/1", "{\"v\":1}");
    entered(&has.next(), &json, None);
    let one = text("{\"v\":1}");
    left(&has.next(), "/c/1", &json);
    let event = hasnt.next();
    entered(&event, &one, Some(&json));
    assert_eq!(event.json()["length"], 7);
    let two = text("other");
    let event = hasnt.next();
    assert_eq!(event.is("put").text("previous"), one);
    let json = put(&server, "/c/1", "{\"v\":1}");
    left(&hasnt.next(), "/c/1", &two);
    entered(&has.next(), &json, Some(&two));
}

#[track_caller]
fn shows(event: &Event, name: &str, shown: &str) {
    let expected: Value = serde_json::from_str(shown).unwrap();
    let member = if name == "patch" { "patch" } else { "document" };
    assert_eq!(event.is(name).json()[member], expected, "{event:?}");
}

#[test]
fn section_7_2_with_fields_patches_relate_the_projections() {
    let server = Server::start();
    let text = "x".repeat(100);
    let mut events = server.events("/c?_fields=a,b.c,text");
    events.next().is("synced");
    let made = put(
        &server,
        "/c/1",
        &format!("{{\"a\":1,\"b\":{{\"c\":2,\"d\":3}},\"e\":4,\"text\":\"{text}\"}}"),
    );
    let shown = format!("{{\"a\":1,\"b\":{{\"c\":2}},\"text\":\"{text}\"}}");
    shows(&events.next(), "put", &shown);
    let merge = |patch: &str| {
        server
            .merge("/c/1", patch)
            .if_match("*")
            .send()
            .status(204)
            .tag()
    };
    let saved = merge("{\"a\":2,\"e\":5}");
    let event = events.next();
    assert_eq!((event.text("etag"), event.text("previous")), (saved, made));
    shows(
        &event,
        "patch",
        "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]",
    );
    let unseen = merge("{\"e\":6,\"b\":{\"d\":[1,2,3]}}");
    let event = events.next();
    assert_eq!(event.text("etag"), unseen);
    shows(&event, "patch", "[]");
    merge("{\"a\":null,\"b\":null}");
    let event = events.next();
    let patch = event.is("patch").json()["patch"].clone();
    let removed: Vec<_> = patch
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| &operation["op"])
        .collect();
    assert_eq!(removed, ["remove", "remove"]);
    put(&server, "/c/1", "[1]");
    let mut replica = Replica::default();
    for event in server.events("/c?_fields=a&_snapshot=true").until("synced") {
        replica.apply(&event);
    }
    let list = server.get("/c?_fields=a").send().json();
    let listed = &list["items"][0]["document"];
    shows(&events.next(), "put", &listed.to_string());
    assert_eq!(&replica.held["/c/1"].content["document"], listed);
}

#[test]
fn section_7_2_with_fields_and_filter() {
    let server = Server::start();
    let mut events = server.events("/c?open=true&_fields=n");
    events.next().is("synced");
    put(&server, "/c/1", "{\"open\":false,\"n\":1}");
    put(&server, "/c/1", "{\"open\":true,\"n\":1}");
    let event = events.next();
    assert_eq!(event.json()["entered"], true);
    shows(&event, "put", "{\"n\":1}");
    put(&server, "/c/1", "{\"open\":true,\"n\":1,\"m\":1}");
    shows(&events.next(), "patch", "[]");
    put(&server, "/c/1", "{\"open\":true,\"n\":2}");
    shows(&events.next(), "put", "{\"n\":2}");
    put(&server, "/c/1", "{\"n\":2}");
    events.next().is("leave");
}

#[test]
fn section_7_a_query_that_no_feed_has_is_refused() {
    let server = Server::start();
    let bad = [
        "_sort=a",
        "_count=true",
        "_after=x",
        "_limit=5",
        "_snapshot=1",
        "_snapshot=",
        "_cursor=x",
        "a:like=1",
        "_since=x&_since=x",
        "_fields=",
        "_where.a=1",
    ];
    for target in ["/c", "/c/1", "/_/changes"] {
        for query in bad {
            let request = server.get(&format!("{target}?{query}"));
            let answer = request.field("Accept", "text/event-stream").send();
            assert_eq!(answer.code, 400, "{query}: {answer}");
            answer.problem("bad-query");
        }
    }
    for query in [
        "_snapshot=true",
        "_since=x&_snapshot=true",
        "_since=x&_limit=0",
        "_since=x&_limit=10001",
    ] {
        let answer = server.get(&format!("/c?{query}")).send();
        assert_eq!(answer.code, 400, "{query}: {answer}");
    }
}

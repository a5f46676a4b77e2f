//! Lists of collections' members (contract §6).

use serde_json::{Value, json};

use crate::harness::Server;

/// The last segments of the paths on a page.
pub(crate) fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    let paths = items.map(|item| item["path"].as_str().unwrap());
    paths.map(|path| path.rsplit_once('/').unwrap().1).collect()
}

#[test]
fn section_6_a_list_has_its_members_in_the_order_of_their_paths() {
    let server = Server::start();
    let tags = ["b", "a", "B", "10", "2"].map(|id| {
        let tag = server.create(&format!("/c/{id}"), format!("{{ \"id\": \"{id}\" }}"));
        (id, tag)
    });
    let list = server.get("/c").send();
    list.status(200).has("content-type", "application/json");
    list.lists("cache-control", "no-cache, no-transform");
    list.lists("vary", "Accept, Accept-Encoding");
    list.has("x-content-type-options", "nosniff");
    let page = list.json();
    assert_eq!(ids(&page), ["10", "2", "B", "a", "b"]);
    assert!(page.get("next").is_none());
    assert!(page["cursor"].is_string());
    for item in page["items"].as_array().unwrap() {
        let id = item["path"].as_str().unwrap().strip_prefix("/c/").unwrap();
        let (_, tag) = tags.iter().find(|(known, _)| *known == id).unwrap();
        assert_eq!(item["etag"], tag.as_str());
        assert_eq!(item["document"], json!({ "id": id }));
        let modified = item["modified"].as_str().unwrap();
        assert_eq!(modified.len(), "2026-01-01T00:00:00.000Z".len());
        assert!(modified.ends_with('Z'));
    }
}

#[test]
fn section_6_documents_are_in_lists_as_they_were_sent() {
    let server = Server::start();
    let document = r#"{"n":1.0,"big":123456789012345678901234567890,"s":"\u00e9"}"#;
    server.create("/c/1", document);
    let list = server.get("/c").send();
    let text = String::from_utf8(list.body).unwrap();
    assert!(text.contains(document), "{text}");
}

#[test]
fn section_6_what_is_not_json_is_described() {
    let server = Server::start();
    let request = server
        .request("PUT", "/c/1")
        .content("text/plain; charset=utf-8", "abc");
    request.send().status(201);
    let page = server.get("/c").send().json();
    let item = &page["items"][0];
    assert_eq!(item["contentType"], "text/plain; charset=utf-8");
    assert_eq!(item["length"], 3);
    assert!(item.get("document").is_none());
}

#[test]
fn section_6_every_write_and_deletion_changes_the_tag_of_the_list() {
    let server = Server::start();
    let tag = |target: &str| server.get(target).send().status(200).tag();
    let mut seen = vec![tag("/c")];
    let mut changed = |what: &str| {
        let now = tag("/c");
        assert!(!seen.contains(&now), "{what} did not change {now}");
        seen.push(now);
    };
    server.create("/c/1", "1");
    changed("a creation");
    server.create("/c/2", "2");
    changed("another creation");
    server.replace("/c/2", "3");
    changed("a save");
    server.delete("/c/2").if_match("*").send().status(204);
    changed("a deletion");
    server.delete("/c/1").if_match("*").send().status(204);
    changed("the last deletion");
    server.post("/c", "1").send().status(201);
    changed("a POST");
}

#[test]
fn section_6_writes_elsewhere_and_equal_ones_leave_the_tag_of_the_list() {
    let server = Server::start();
    server.create("/c/1", "1");
    let before = server.get("/c").send();
    server.create("/d/1", "1");
    server.create("/c/1/below/1", "1");
    server.replace("/c/1", "1");
    server.put("/c/1", "2").send().status(428);
    let after = server.get("/c").if_none_match(before.field("etag")).send();
    after.status(304);
}

#[test]
fn section_6_the_tag_of_a_list_outlives_a_restart_or_changes() {
    let mut server = Server::start();
    server.create("/c/1", "1");
    let before = server.get("/c").send();
    server.restart();
    let after = server.get("/c").send();
    if after.tag() == before.tag() {
        assert_eq!(after.json()["items"], before.json()["items"]);
    }
    server.delete("/c/1").if_match("*").send().status(204);
    let emptied = server.get("/c").if_none_match(&before.tag()).send();
    emptied.status(200);
    server.restart();
    let emptied = server.get("/c").if_none_match(&before.tag()).send();
    emptied.status(200);
}

#[test]
fn section_6_forms_of_a_list_have_tags_of_their_own() {
    let server = Server::start();
    server.create("/c/1", "1");
    let lines = || server.get("/c").field("Accept", "application/x-ndjson");
    let json = server.get("/c").send().tag();
    let other = lines().send().tag();
    assert_ne!(json, other);
    lines().if_none_match(&json).send().status(200);
    lines().if_none_match(&other).send().status(304);
}

#[test]
fn section_6_a_list_in_another_form_is_406() {
    let server = Server::start();
    for accept in ["text/html", "image/*", "application/json;q=0"] {
        let refused = server.get("/c").field("Accept", accept).send();
        refused.status(406).problem("not-acceptable");
    }
    let html_or_any = "text/html,application/xhtml+xml,*/*;q=0.8";
    let list = server.get("/c").field("Accept", html_or_any).send();
    list.status(200).has("content-type", "application/json");
}

#[test]
fn section_6_fields_select_and_the_tag_is_that_of_the_whole_document() {
    let server = Server::start();
    let tag = server.create(
        "/c/1",
        r#"{ "a": 1.0, "b": {"c": 2, "d": 3}, "e": [ {"f": 1} ] }"#,
    );
    server.create("/c/2", "[1]");
    let page = server.get("/c?_fields=a,b.c").send().json();
    let item = &page["items"][0];
    assert_eq!(item["etag"], tag.as_str());
    assert_eq!(item["document"], json!({"a": 1.0, "b": {"c": 2}}));
    let text = String::from_utf8(server.get("/c?_fields=a").send().body).unwrap();
    assert!(text.contains(r#""document":{"a":1.0}"#), "{text}");
}

#[test]
fn section_6_count_counts_all_that_match() {
    let server = Server::start();
    for number in 0..7 {
        server.create(
            &format!("/c/{number}"),
            format!("{{\"odd\":{}}}", number % 2 == 1),
        );
    }
    let page = server.get("/c?_count=true&_limit=2").send().json();
    assert_eq!(page["count"], 7);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let page = server.get("/c?_count=true&odd=true").send().json();
    assert_eq!(page["count"], 3);
    let page = server.get("/c?_count=false").send().json();
    assert!(page.get("count").is_none());
}

#[test]
fn section_6_an_unknown_operator_or_control_is_named() {
    let server = Server::start();
    let cases = [
        ("_colour=red", "_colour"),
        ("_Limit=1", "_Limit"),
        ("a:like=x", "like"),
        ("a:EQ=x", "EQ"),
        ("_limit=0", "_limit"),
        ("_limit=1001", "_limit"),
        ("_limit=x", "_limit"),
        ("_limit=1&_limit=1", "_limit"),
        ("_count=yes", "_count"),
        ("_after=nonsense", "_after"),
        ("_sort=", "_sort"),
        ("_fields=", "_fields"),
        ("a:exists=maybe", "exists"),
        ("_where.x:eq=1", "_where"),
        ("a..b=1", "a..b"),
        ("a=%FF", "a"),
    ];
    for (query, named) in cases {
        let refused = server.get(&format!("/c?{query}")).send();
        assert_eq!(refused.code, 400, "{query}: {refused}");
        let problem = refused.problem("bad-query");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{query}: {detail}");
    }
}

#[test]
fn section_6_a_post_takes_no_query() {
    let server = Server::start();
    server
        .post("/c?_limit=1", "1")
        .send()
        .status(400)
        .problem("bad-query");
    assert!(ids(&server.get("/c").send().json()).is_empty());
}

#[test]
fn section_1_the_list_of_collections() {
    let server = Server::start();
    for path in ["/b/1", "/a/1", "/a/2", "/a/1/c/1", "/%C3%A9/1"] {
        server.create(path, "1");
    }
    let root = server.get("/").send();
    root.status(200).has("content-type", "application/json");
    let page = root.json();
    let paths: Vec<_> = page["items"].as_array().unwrap().iter().collect();
    let expected = [
        json!({"path": "/%C3%A9"}),
        json!({"path": "/a"}),
        json!({"path": "/a/1/c"}),
        json!({"path": "/b"}),
    ];
    assert_eq!(paths, expected.iter().collect::<Vec<_>>());
    let mut target = "/?_limit=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = server.get(&target).send();
        let page = answer.status(200).json();
        for item in page["items"].as_array().unwrap() {
            seen.push(item["path"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => target = format!("/?_limit=1&_after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["/%C3%A9", "/a", "/a/1/c", "/b"]);
    server.get("/?x=1").send().status(400).problem("bad-query");
}

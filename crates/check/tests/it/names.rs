//! Which names there are, and how they are spelt (contract §1).

use crate::harness::Server;

#[test]
fn section_1_names_that_are_good() {
    let server = Server::start();
    let long = "x".repeat(255);
    let wide = "%C3%A9".repeat(127);
    let names = [
        "/a/b".to_owned(),
        "/projects/7/tasks/3".to_owned(),
        format!("/a/{long}"),
        format!("/a/{wide}e"),
        "/a/_b".to_owned(),
        "/a/_/c/_".to_owned(),
        "/a/...".to_owned(),
        "/a/.b".to_owned(),
        "/a/~-._".to_owned(),
        format!("/{0}/{0}/{0}/{1}", "y".repeat(255), "z".repeat(254)),
    ];
    for name in &names {
        let made = server.put(name, "1").send();
        made.status(201).has("location", name);
        server.get(name).send().status(200);
    }
}

#[test]
fn section_1_location_holds_the_canonical_encoding() {
    let server = Server::start();
    let cases = [
        ("/a/caf%c3%a9", "/a/caf%C3%A9"),
        ("/%61/%7e%41%2d%5f%2e", "/a/~A-_."),
        ("/a/%20", "/a/%20"),
        ("/a/x:y", "/a/x%3Ay"),
        (
            "/a/x@y!$&'()*+,;=",
            "/a/x%40y%21%24%26%27%28%29%2A%2B%2C%3B%3D",
        ),
        ("/a/%25", "/a/%25"),
        ("/a/%3F%23", "/a/%3F%23"),
        (
            "/a/%22%3c%3e%5c%5e%60%7b%7c%7d",
            "/a/%22%3C%3E%5C%5E%60%7B%7C%7D",
        ),
    ];
    for (sent, canonical) in cases {
        let made = server.put(sent, "1").send();
        made.status(201).has("location", canonical);
        server.get(canonical).send().status(200);
        server.get(sent).send().status(200);
        let list = server.get("/a").send().json();
        let paths: Vec<_> = list["items"].as_array().unwrap().iter().collect();
        assert!(paths.iter().any(|item| item["path"] == canonical), "{list}");
    }
}

#[test]
fn section_1_identity_is_the_decoded_bytes_without_normalisation() {
    let server = Server::start();
    server.create("/a/%C3%A9", "1");
    // The same letter, decomposed.
    server.get("/a/e%CC%81").send().status(404);
    server.create("/a/e%CC%81", "2");
    server.get("/a/%c3%a9").send().status(200).is_body("1");
    // Case differs too.
    server.create("/a/x", "3");
    server.get("/a/X").send().status(404);
}

#[test]
fn section_1_names_that_are_refused() {
    let server = Server::start();
    let long = format!("/a/{}", "x".repeat(256));
    let wide = format!("/a/{}", "%C3%A9".repeat(128));
    let names = [
        "//",
        "//a",
        "/a//b",
        "/a/b//",
        "/a/%2F",
        "/a/%2f",
        "/a/b%2Fc",
        "/a/%00",
        "/a/%0A",
        "/a/%1F",
        "/a/%7F",
        "/a/%C2%80",
        "/a/%C2%9F",
        "/a/%FF",
        "/a/%C3",
        "/a/%C0%AF",
        "/a/%ED%A0%80",
        "/a/%F4%90%80%80",
        "/a/%",
        "/a/%4",
        "/a/%zz",
        "/a/.",
        "/a/..",
        "/./b",
        "/../b",
        "/a/%2e",
        "/a/%2E%2e",
        "/a/.%2E",
        "/_a/b",
        "/_a",
        "/%5Fa/b",
        "/%5F/health",
        long.as_str(),
        wide.as_str(),
    ];
    for name in names {
        for request in [server.get(name), server.put(name, "1")] {
            let refused = request.send();
            assert_eq!(refused.code, 400, "{name}: {refused}");
            refused.problem("bad-target");
        }
    }
    let everything = server.get("/").send().json();
    assert_eq!(everything["items"], serde_json::json!([]));
}

#[test]
fn section_1_a_bad_name_is_found_before_anything_else() {
    let server = Server::start();
    let request = server.request("BREW", "/a/%00").field("If-Match", "???");
    request.send().status(400).problem("bad-target");
}

#[test]
fn section_1_a_path_has_at_most_1024_bytes() {
    let server = Server::start();
    let just = format!("/{0}/{0}/{0}/{0}", "y".repeat(255));
    assert_eq!(just.len(), 1024);
    server.put(&just, "1").send().status(201);
    let over = format!("/{0}/{0}/{0}/{1}/a/b", "y".repeat(255), "y".repeat(252));
    assert_eq!(over.len(), 1025);
    let refused = server.put(&over, "1").send();
    refused.status(414).problem("target-too-long");
    // The limit counts decoded bytes.
    let wide = format!("/{0}/{0}/{0}/{1}", "%C3%A9".repeat(127), "%20".repeat(255));
    server.put(&wide, "1").send().status(201);
}

#[test]
fn section_1_one_trailing_slash_moves_to_the_name_without_it() {
    let server = Server::start();
    server.create("/a/b", "1");
    let cases = [
        ("/a/", "/a"),
        ("/a/b/", "/a/b"),
        ("/a/b%7e/", "/a/b~"),
        ("/a/?x=1&_limit=2", "/a?x=1&_limit=2"),
    ];
    for (sent, canonical) in cases {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
            let moved = server.request(method, sent).send();
            moved.status(308).has("location", canonical);
            moved.has("cache-control", "no-store");
        }
    }
}

#[test]
fn section_1_an_unknown_query_parameter_on_a_document_is_refused() {
    let server = Server::start();
    let tag = server.create("/a/b", "1");
    let target = "/a/b?colour=red";
    let requests = [
        server.get(target),
        server.head(target),
        server.put(target, "2").if_match(&tag),
        server.merge(target, "2").if_match(&tag),
        server.delete(target).if_match(&tag),
    ];
    for request in requests {
        let refused = request.send();
        refused.status(400);
        if !refused.body.is_empty() {
            let problem = refused.problem("bad-query");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("colour"), "{detail}");
        }
    }
    server.holds("/a/b", "1", &tag);
    server.get("/a/b?").send().status(200);
}

#[test]
fn section_1_a_collection_comes_into_being_with_its_first_document() {
    let server = Server::start();
    let none = server.get("/a").send();
    assert_eq!(none.status(200).json()["items"], serde_json::json!([]));
    server.create("/a/1", "1");
    server.create("/a/1/b/2", "2");
    let list = server.get("/a").send().json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "direct members");
    let root = server.get("/").send().json();
    let paths: Vec<_> = root["items"].as_array().unwrap().iter().collect();
    assert_eq!(paths.len(), 2);
    assert_eq!(root["items"][0]["path"], "/a");
    assert_eq!(root["items"][1]["path"], "/a/1/b");
}

#[test]
fn section_1_an_emptied_collection_is_listed_no_more() {
    let server = Server::start();
    server.create("/a/1", "1");
    server.delete("/a/1").if_match("*").send().status(204);
    assert_eq!(
        server.get("/").send().json()["items"],
        serde_json::json!([])
    );
    let emptied = server.get("/a").send();
    assert_eq!(emptied.status(200).json()["items"], serde_json::json!([]));
}

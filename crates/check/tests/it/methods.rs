//! Which methods there are for what (contract §3, lines 3 and 4).

use crate::harness::Server;

const DOCUMENT: &str = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
const COLLECTION: &str = "GET, HEAD, POST, OPTIONS";
const READ: &str = "GET, HEAD, OPTIONS";

/// A target of each kind of resource, and its methods.
const RESOURCES: [(&str, &str); 7] = [
    ("/a/1", DOCUMENT),
    ("/a/none", DOCUMENT),
    ("/a", COLLECTION),
    ("/none", COLLECTION),
    ("/", READ),
    ("/_/health", READ),
    ("/_/problems/stale", READ),
];

#[test]
fn section_3_line_3_a_method_that_is_not_for_this_is_405_with_allow() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for (target, allow) in RESOURCES {
        for method in [
            "GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "TRACE", "QUERY",
        ] {
            if allow.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let mut request = server.request(method, target);
            if !matches!(method, "GET" | "HEAD" | "TRACE" | "QUERY") {
                request = request.json("1").if_match("*");
            }
            let refused = request.send();
            assert_eq!(refused.code, 405, "{method} {target}: {refused}");
            refused.lists("allow", allow);
            refused.problem("method-not-allowed");
        }
    }
    // Where no resource has the method, nothing says which query it takes. A document takes
    // none with any.
    for target in ["/?_limit=1", "/a?x=1", "/_/changes?_since="] {
        server.request("TRACE", target).send().status(405);
        server.request("BREW", target).send().status(501);
        let put = server.request("PUT", target).json("1").send();
        put.status(405);
    }
    for method in ["TRACE", "BREW", "PUT"] {
        server.request(method, "/a/1?x=1").send().status(400);
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_3_line_3_an_unknown_method_is_501() {
    let server = Server::start();
    server.create("/a/1", "1");
    for (target, _) in RESOURCES {
        for method in ["BREW", "get", "PROPFIND", "LOCK", "M-SEARCH"] {
            let refused = server.request(method, target).send();
            refused.status(501).problem("unknown-method");
        }
    }
}

#[test]
fn section_3_line_4_options_tells_what_there_is() {
    let server = Server::start();
    server.create("/a/1", "1");
    for (target, allow) in RESOURCES {
        let answer = server.request("OPTIONS", target).send();
        answer.status(204).lists("allow", allow);
        answer.no_field("content-type").no_field("content-length");
        match allow {
            DOCUMENT => {
                answer.lists(
                    "accept-patch",
                    "application/merge-patch+json, application/json-patch+json",
                );
                answer.no_field("accept-post");
            }
            COLLECTION => {
                answer.field("accept-post");
                answer.no_field("accept-patch");
            }
            _ => {
                answer.no_field("accept-post").no_field("accept-patch");
            }
        }
    }
    let whole_server = server.request("OPTIONS", "*").send();
    whole_server.status(204).field("allow");
}

#[test]
fn section_3_lines_3_before_5_before_11_before_14() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let foreign = |method: &str| {
        let request = server.request(method, "/a/1");
        request.field("Origin", "https://evil.example")
    };
    foreign("BREW").send().status(501);
    foreign("POST").send().status(405);
    foreign("OPTIONS").send().status(204);
    foreign("PUT").send().status(403);
    let form = "application/x-www-form-urlencoded";
    foreign("PUT").content(form, "a=b").send().status(403);
    let put = || server.request("PUT", "/a/1");
    put().content(form, "a=b").send().status(415);
    put().json("{").send().status(428);
    let stale = put().json("{").if_match("\"other\"").send();
    stale.status(412);
    put().json("{").if_match(&tag).send().status(400);
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_3_line_10_before_11_a_patch_of_nothing_is_404_whatever_it_is() {
    let server = Server::start();
    let request = server.request("PATCH", "/a/1").content("text/plain", "x");
    request.send().status(404).problem("not-found");
    let request = server.merge("/a/1", "{").if_match("\"x\"");
    request.send().status(404);
}

#[test]
fn section_3_line_12_before_14_too_much_is_refused_before_a_tag_is_asked_for() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    connection.send(format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: 4194305\r\n\r\n",
        server.host()
    ));
    let refused = connection.read("PUT");
    refused.status(413).problem("content-too-large");
}

#[test]
fn section_3_line_13_before_15_what_cannot_be_accepted_is_never_304() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let refused = server
        .get("/a/1")
        .field("Accept", "image/png")
        .if_none_match(&tag)
        .send();
    refused.status(406).problem("not-acceptable");
}

#[test]
fn section_3_the_content_is_asked_for_only_when_it_is_wanted() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let head = |condition: &str| {
        format!(
            "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{condition}Content-Length: 1\r\nExpect: 100-continue\r\n\r\n",
            server.host()
        )
    };
    let mut connection = server.connect();
    connection.send(head(""));
    connection.read_any("PUT").status(428);
    let mut connection = server.connect();
    connection.send(head("If-Match: \"other\"\r\n"));
    connection.read_any("PUT").status(412).problem("stale");
    let mut connection = server.connect();
    connection.send(head(&format!("If-Match: {tag}\r\n")));
    connection.read_any("PUT").status(100);
    connection.send("2");
    let saved = connection.read_any("PUT");
    server.holds("/a/1", "2", &saved.status(204).tag());
}

//! PATCH (contract §4.2; RFC 5789, 6902, 7396).

use crate::harness::Server;

const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

#[test]
fn section_2_a_patch_keeps_what_it_does_not_touch() {
    let server = Server::start();
    let body = r#"{ "z": 1.0, "big": 123456789012345678901234567890, "e": 1e400, "s": "\u00e9\/", "a": [1.50, {"x":-0}] }"#;
    let tag = server.create("/a/1", body);
    let saved = server
        .merge("/a/1", r#"{"new":1.10}"#)
        .if_match(&tag)
        .send();
    let tag = saved.status(204).tag();
    let read = server.get("/a/1").send();
    let text = String::from_utf8(read.body).unwrap();
    let kept = [
        r#""z": 1.0"#,
        r#""big": 123456789012345678901234567890"#,
        r#""e": 1e400"#,
        r#""s": "\u00e9\/""#,
        r#""a": [1.50, {"x":-0}]"#,
        r#""new": 1.10"#,
    ];
    let mut at = 0;
    for part in kept {
        let found = text[at..].find(part);
        at += found.unwrap_or_else(|| panic!("{part} is gone or moved in {text}"));
    }
    let patch = r#"[{"op":"replace","path":"/a/1/x","value":2.50},{"op":"remove","path":"/new"}]"#;
    server
        .patch("/a/1", patch)
        .if_match(&tag)
        .send()
        .status(204);
    let text = String::from_utf8(server.get("/a/1").send().body).unwrap();
    assert!(text.contains(r#"[1.50, {"x":2.50}]"#), "{text}");
    assert!(text.contains("1e400") && !text.contains("new"), "{text}");
}

#[test]
fn section_4_2_a_patch_never_creates() {
    let server = Server::start();
    for content_type in [MERGE, JSON_PATCH, "application/json"] {
        let request = server.request("PATCH", "/a/1").content(content_type, "{}");
        request.send().status(404).problem("not-found");
    }
    assert!(
        server.get("/").send().json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn section_4_2_nothing_changed_keeps_the_tag() {
    let server = Server::start();
    let body = r#"{ "a": 1.0, "b": [1] }"#;
    let tag = server.create("/a/1", body);
    let nothing = [
        (MERGE, "{}"),
        (MERGE, r#"{"none":null}"#),
        (MERGE, r#"{"a":1.0}"#),
        (JSON_PATCH, "[]"),
        (JSON_PATCH, r#"[{"op":"test","path":"/a","value":1}]"#),
        (
            JSON_PATCH,
            r#"[{"op":"add","path":"/c","value":1},{"op":"remove","path":"/c"}]"#,
        ),
    ];
    for (content_type, patch) in nothing {
        let request = server.request("PATCH", "/a/1").content(content_type, patch);
        let answer = request.if_match(&tag).send();
        assert_eq!(answer.code, 204, "{patch}: {answer}");
        answer.has("etag", &tag);
    }
    server.holds("/a/1", body, &tag);
}

#[test]
fn section_4_2_application_json_is_a_merge_patch_if_it_is_an_object() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"a":1}"#);
    let request = |body: &str| server.request("PATCH", "/a/1").json(body);
    for body in ["[]", "1", "null", r#"[{"op":"remove","path":"/a"}]"#] {
        let refused = request(body).if_match(&tag).send();
        refused.status(415).problem("unsupported-content");
        refused.lists(
            "accept-patch",
            "application/merge-patch+json, application/json-patch+json",
        );
    }
    server.holds("/a/1", r#"{"a":1}"#, &tag);
    let saved = request(r#"{"a":null,"b":2}"#).if_match(&tag).send();
    server.holds("/a/1", r#"{"b":2}"#, &saved.status(204).tag());
}

#[test]
fn section_3_line_11_other_types_are_415_with_accept_patch() {
    let server = Server::start();
    let tag = server.create("/a/1", "{}");
    for content_type in [
        "text/plain",
        "application/xml",
        "application/vnd.x+json",
        "*/*",
    ] {
        let request = server.request("PATCH", "/a/1").content(content_type, "{}");
        let refused = request.if_match(&tag).send();
        assert!(
            matches!(refused.code, 415 | 400),
            "{content_type}: {refused}"
        );
        if refused.code == 415 {
            refused.lists(
                "accept-patch",
                "application/merge-patch+json, application/json-patch+json",
            );
        }
    }
    server.holds("/a/1", "{}", &tag);
}

#[test]
fn section_2_what_is_not_json_cannot_be_patched() {
    let server = Server::start();
    let request = server.request("PUT", "/a/1").content("text/plain", "{}");
    let tag = request.send().status(201).tag();
    for content_type in [MERGE, JSON_PATCH] {
        let request = server.request("PATCH", "/a/1").content(content_type, "{}");
        let refused = request.if_match(&tag).send();
        refused.status(415).problem("unsupported-content");
    }
    server.holds("/a/1", "{}", &tag);
}

#[test]
fn section_4_2_a_patch_keeps_the_type_of_the_document() {
    let server = Server::start();
    let request = server
        .request("PUT", "/a/1")
        .content("application/geo+json; x=1", "{}");
    let tag = request.send().status(201).tag();
    server
        .merge("/a/1", r#"{"a":1}"#)
        .if_match(&tag)
        .send()
        .status(204);
    let read = server.get("/a/1").send();
    read.has("content-type", "application/geo+json; x=1")
        .is_body(r#"{"a":1}"#);
}

#[test]
fn section_4_2_a_json_patch_is_atomic() {
    let server = Server::start();
    let body = r#"{"a":[1,2],"b":"x"}"#;
    let tag = server.create("/a/1", body);
    let failing = [
        r#"{"op":"test","path":"/b","value":"y"}"#,
        r#"{"op":"remove","path":"/none"}"#,
        r#"{"op":"replace","path":"/none","value":1}"#,
        r#"{"op":"add","path":"/a/9","value":1}"#,
        r#"{"op":"add","path":"/none/x","value":1}"#,
        r#"{"op":"move","from":"/none","path":"/c"}"#,
        r#"{"op":"copy","from":"/a/-","path":"/c"}"#,
        r#"{"op":"test","path":"/a/01","value":2}"#,
        r#"{"op":"remove","path":"/a/-"}"#,
    ];
    for operation in failing {
        let patch = format!(r#"[{{"op":"remove","path":"/a/0"}},{operation}]"#);
        let refused = server.patch("/a/1", patch).if_match(&tag).send();
        assert_eq!(refused.code, 409, "{operation}: {refused}");
        refused.problem("patch-conflict");
    }
    server.holds("/a/1", body, &tag);
}

#[test]
fn section_3_line_16_what_is_no_json_patch_is_400() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"a":1}"#);
    let malformed = [
        "{}",
        "1",
        "[1]",
        "[{}]",
        "[",
        r#"[{"op":"nonsense","path":"/a"}]"#,
        r#"[{"op":"add","path":"/a"}]"#,
        r#"[{"op":"add","value":1}]"#,
        r#"[{"op":"add","path":"a","value":1}]"#,
        r#"[{"op":"add","path":"/a~2","value":1}]"#,
        r#"[{"op":"copy","path":"/b"}]"#,
        r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
        r#"[{"op":"add","path":1,"value":1}]"#,
        r#"[{"op":"add","op":"remove","path":"/a","value":1}]"#,
    ];
    for patch in malformed {
        let refused = server.patch("/a/1", patch).if_match(&tag).send();
        assert_eq!(refused.code, 400, "{patch}: {refused}");
        refused.problem("malformed");
    }
    server.holds("/a/1", r#"{"a":1}"#, &tag);
}

#[test]
fn section_6_a_test_compares_numbers_by_their_exact_value() {
    let server = Server::start();
    let tag = server.create(
        "/a/1",
        r#"{"n":1.0,"big":100000000000000000001,"s":"\u0061"}"#,
    );
    let test = |path: &str, value: &str| {
        let patch = format!(r#"[{{"op":"test","path":"{path}","value":{value}}}]"#);
        server.patch("/a/1", patch).if_match(&tag).send().code
    };
    for value in ["1", "1.0", "1e0", "10E-1"] {
        assert_eq!(test("/n", value), 204, "{value}");
    }
    assert_eq!(test("/big", "100000000000000000001.0"), 204);
    assert_eq!(test("/big", "100000000000000000000"), 409);
    assert_eq!(test("/big", "1e20"), 409);
    assert_eq!(test("/s", "\"a\""), 204);
    assert_eq!(test("/n", "\"1\""), 409);
}

#[test]
fn section_4_2_at_most_10_000_operations() {
    let server = Server::start();
    let tag = server.create("/a/1", "[]");
    let patch = |count: usize| {
        let operation = r#"{"op":"add","path":"/-","value":1}"#;
        format!("[{}]", vec![operation; count].join(","))
    };
    let refused = server.patch("/a/1", patch(10_001)).if_match(&tag).send();
    assert!(matches!(refused.code, 400 | 413), "{refused}");
    server.holds("/a/1", "[]", &tag);
    let saved = server.patch("/a/1", patch(10_000)).if_match(&tag).send();
    saved.status(204);
    assert_eq!(
        server.get("/a/1").send().json().as_array().unwrap().len(),
        10_000
    );
}

#[test]
fn section_4_2_the_size_is_looked_at_after_each_operation() {
    let server = Server::start();
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000));
    let tag = server.create("/a/1", &body);
    let copies: Vec<_> = (0..6)
        .map(|index| format!(r#"{{"op":"copy","from":"/a","path":"/c{index}"}}"#))
        .collect();
    let removals: Vec<_> = (0..6)
        .map(|index| format!(r#"{{"op":"remove","path":"/c{index}"}}"#))
        .collect();
    let patch = format!("[{},{}]", copies.join(","), removals.join(","));
    let refused = server.patch("/a/1", patch).if_match(&tag).send();
    refused.status(413).problem("content-too-large");
    // Each doubles the document: 2^60 bytes, were it allowed.
    let doubling = r#"{"op":"copy","from":"","path":"/d"}"#;
    let patch = format!("[{}]", vec![doubling; 60].join(","));
    let refused = server.patch("/a/1", patch).if_match(&tag).send();
    assert!(matches!(refused.code, 400 | 413), "{refused}");
    server.holds("/a/1", &body, &tag);
}

#[test]
fn section_2_the_result_of_a_patch_is_nested_at_most_128_deep() {
    let server = Server::start();
    let deep = "[".repeat(100) + &"]".repeat(100);
    let tag = server.create("/a/1", format!("{{\"a\":{deep}}}"));
    let refused = server.merge(
        "/a/1",
        format!("{}{deep}{}", "{\"b\":".repeat(40), "}".repeat(40)),
    );
    let refused = refused.if_match(&tag).send();
    assert!(matches!(refused.code, 400), "{refused}");
    let path = "/0".repeat(99);
    let patch = format!(r#"[{{"op":"copy","from":"/a","path":"/a{path}/-"}}]"#);
    let refused = server.patch("/a/1", patch).if_match(&tag).send();
    assert!(matches!(refused.code, 400), "{refused}");
    let read = server.get("/a/1").send();
    read.has("etag", &tag);
}

#[test]
fn rfc_6901_pointers_are_unescaped_and_names_are_not_indices() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"a/b":1,"m~n":2,"":3,"0":4," ":5,"é":6}"#);
    let patch = r#"[
        {"op":"replace","path":"/a~1b","value":10},
        {"op":"replace","path":"/m~0n","value":20},
        {"op":"replace","path":"/","value":30},
        {"op":"replace","path":"/0","value":40},
        {"op":"replace","path":"/ ","value":50},
        {"op":"replace","path":"/\u00e9","value":60}
    ]"#;
    server
        .patch("/a/1", patch)
        .if_match(&tag)
        .send()
        .status(204);
    let read = server.get("/a/1").send();
    read.is_body(r#"{"a/b":10,"m~n":20,"":30,"0":40," ":50,"é":60}"#);
}

#[test]
fn section_4_2_parameters_of_a_patch_type_do_not_matter() {
    let server = Server::start();
    let cases = [
        ("application/merge-patch+json; charset=utf-8", r#"{"a":1}"#),
        (
            "Application/JSON-Patch+JSON;x=y",
            r#"[{"op":"add","path":"/a","value":1}]"#,
        ),
    ];
    for (content_type, patch) in cases {
        server.put("/a/1", "{}").send();
        server.replace("/a/1", "{}");
        let request = server.request("PATCH", "/a/1").content(content_type, patch);
        request.if_match("*").send().status(204);
        server.get("/a/1").send().is_body(r#"{"a":1}"#);
    }
}

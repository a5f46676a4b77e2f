//! Filters (contract §6).

use crate::harness::Server;
use crate::lists::ids;

/// Documents by their ids.
const DOCUMENTS: [(&str, &str); 12] = [
    ("absent", r#"{}"#),
    ("array", r#"{"v":[1,"b",null]}"#),
    ("big", r#"{"v":9007199254740993}"#),
    ("false", r#"{"v":false}"#),
    ("float", r#"{"v":1.50}"#),
    ("nested", r#"{"v":{"x":{"y":2}}}"#),
    ("null", r#"{"v":null}"#),
    ("one", r#"{"v":1.0}"#),
    ("string", r#"{"v":"1"}"#),
    ("text", r#"{"v":"caf\u00e9"}"#),
    ("true", r#"{"v":true}"#),
    ("two", r#"{"v":2}"#),
];

fn server() -> Server {
    let server = Server::start();
    for (id, document) in DOCUMENTS {
        server.create(&format!("/c/{id}"), document);
    }
    server
}

#[test]
fn section_6_every_operator() {
    let server = server();
    let cases: &[(&str, &[&str])] = &[
        ("v=1", &["one", "string"]),
        ("v:eq=1e0", &["one"]),
        ("v=%221%22", &["string"]),
        ("v=null", &["null"]),
        ("v=true", &["true"]),
        ("v=caf%C3%A9", &["text"]),
        ("v=9007199254740993", &["big"]),
        ("v=9007199254740992", &[]),
        ("v=9007199254740993.0", &["big"]),
        ("v=[1,%22b%22,null]", &["array"]),
        ("v={%22x%22:{%22y%22:2.0}}", &["nested"]),
        ("v.x.y=2", &["nested"]),
        ("v.x={%22y%22:2}", &["nested"]),
        (
            "v:ne=1",
            &[
                "absent", "array", "big", "false", "float", "nested", "null", "text", "true", "two",
            ],
        ),
        (
            "v:ne=null",
            &[
                "absent", "array", "big", "false", "float", "nested", "one", "string", "text",
                "true", "two",
            ],
        ),
        ("v:lt=1.5", &["one"]),
        ("v:lte=1.5", &["float", "one"]),
        ("v:gt=1.5", &["big", "two"]),
        ("v:gte=1.5", &["big", "float", "two"]),
        ("v:gt=9007199254740992.5", &["big"]),
        ("v:gte=c", &["text"]),
        ("v:lt=b", &["string"]),
        ("v:lt=true", &["false"]),
        ("v:gt=1&v:lt=2", &["float"]),
        ("v:in=2,1.5,nothing", &["float", "two"]),
        ("v:in=[2,%22caf\\u00e9%22]", &["text", "two"]),
        ("v:contains=b", &["array"]),
        ("v:contains=1", &["array", "string"]),
        ("v:contains=af", &["text"]),
        ("v:contains=null", &["array"]),
        ("v:prefix=caf", &["text"]),
        ("v:prefix=", &["string", "text"]),
        ("v:prefix=1", &["string"]),
        ("v:exists=false", &["absent"]),
        ("v.x:exists=true", &["nested"]),
        ("_where./v/x/y:eq=2", &["nested"]),
        ("_where./v/1=b", &["array"]),
        ("_where./v/x/y=2&v:exists=true", &["nested"]),
    ];
    for (query, expected) in cases {
        let list = server.get(&format!("/c?{query}")).send();
        assert_eq!(list.code, 200, "{query}: {list}");
        assert_eq!(&ids(&list.json()), expected, "{query}");
    }
}

#[test]
fn section_6_numbers_are_compared_by_their_exact_value() {
    let server = Server::start();
    let numbers = [
        "1",
        "1.0",
        "1e0",
        "10E-1",
        "0.1e1",
        "1.0000000000000000000000001",
    ];
    for (index, number) in numbers.iter().enumerate() {
        server.create(&format!("/c/{index}"), format!("{{\"n\":{number}}}"));
    }
    let found = |query: &str| {
        let page = server
            .get(&format!("/c?{query}&_fields=none"))
            .send()
            .json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(found("n=1"), 5);
    assert_eq!(found("n=1.00"), 5);
    assert_eq!(found("n:gt=1"), 1);
    assert_eq!(found("n:lt=1.0000000000000000000000001"), 5);
    assert_eq!(found("n=1.0000000000000000000000001"), 1);
    server.create("/c/huge", r#"{"n":1e400}"#);
    server.create("/c/tiny", r#"{"n":-1e-400}"#);
    assert_eq!(found("n=1e400"), 1);
    assert_eq!(found("n=10e399"), 1);
    assert_eq!(found("n:gt=1e399"), 1);
    assert_eq!(found("n:lt=0"), 1);
    server.create("/c/zero", r#"{"n":-0.0}"#);
    assert_eq!(found("n=0"), 1);
}

#[test]
fn section_6_where_names_what_dots_cannot() {
    let server = Server::start();
    server.create("/c/1", r#"{"a.b":1,"c/d":2,"_e":3,"f:g":4,"":5}"#);
    for query in [
        "_where./a.b=1",
        "_where./c~1d=2",
        "_where./_e:gte=3",
        "_where./f:g:eq=4",
        "_where./=5",
    ] {
        let list = server.get(&format!("/c?{query}")).send();
        assert_eq!(list.code, 200, "{query}: {list}");
        assert_eq!(ids(&list.json()), ["1"], "{query}");
    }
    assert!(ids(&server.get("/c?a.b=1").send().json()).is_empty());
}

#[test]
fn section_6_what_is_not_json_has_no_fields() {
    let server = Server::start();
    let request = server
        .request("PUT", "/c/1")
        .content("text/plain", r#"{"a":1}"#);
    request.send().status(201);
    assert!(ids(&server.get("/c?a=1").send().json()).is_empty());
    assert_eq!(ids(&server.get("/c?a:ne=1").send().json()), ["1"]);
    assert_eq!(ids(&server.get("/c?a:exists=false").send().json()), ["1"]);
}

#[test]
fn section_6_names_and_values_are_matched_unescaped() {
    let server = Server::start();
    server.create("/c/1", r#"{"\u0061":"x\ny","s":"\ud83d\ude00"}"#);
    for query in [
        "a=x%0Ay",
        "a:prefix=x%0A",
        "s=%F0%9F%98%80",
        "s:contains=%F0%9F%98%80",
        "a:exists=true",
    ] {
        let page = server.get(&format!("/c?{query}")).send().json();
        assert_eq!(ids(&page), ["1"], "{query}");
    }
}

#[test]
fn section_6_strings_are_compared_by_code_point() {
    let server = Server::start();
    // By UTF-16 the first would be the greater one.
    server.create("/c/bmp", "{\"s\":\"\u{FF5E}\"}");
    server.create("/c/far", "{\"s\":\"\u{1F600}\"}");
    let page = server.get("/c?s:gt=%EF%BD%9E").send().json();
    assert_eq!(ids(&page), ["far"]);
    let page = server.get("/c?_sort=s").send().json();
    assert_eq!(ids(&page), ["bmp", "far"]);
}

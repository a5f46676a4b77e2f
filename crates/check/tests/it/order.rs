//! The order of a list (contract §6).

use crate::harness::Server;
use crate::lists::ids;

#[test]
fn section_6_the_order_of_types() {
    let server = Server::start();
    let documents = [
        ("a-absent", "{}"),
        ("b-null", r#"{"v":null}"#),
        ("c-false", r#"{"v":false}"#),
        ("d-true", r#"{"v":true}"#),
        ("e-minus", r#"{"v":-1e400}"#),
        ("f-zero", r#"{"v":0}"#),
        ("g-half", r#"{"v":5e-1}"#),
        ("h-one", r#"{"v":1}"#),
        ("i-ten", r#"{"v":10}"#),
        ("j-empty", r#"{"v":""}"#),
        ("k-string", r#"{"v":"B"}"#),
        ("l-string", r#"{"v":"a"}"#),
        ("m-array", r#"{"v":[]}"#),
        ("n-object", r#"{"v":{}}"#),
    ];
    for (id, document) in documents.iter().rev() {
        server.create(&format!("/c/{id}"), document);
    }
    let mut expected = documents.map(|(id, _)| id);
    let page = server.get("/c?_sort=v&_fields=none").send().json();
    assert_eq!(ids(&page), expected);
    expected.reverse();
    let page = server.get("/c?_sort=-v&_fields=none").send().json();
    assert_eq!(ids(&page), expected);
    // Pages cut nothing out, in either direction.
    for sort in ["v", "-v"] {
        let whole = server
            .get(&format!("/c?_sort={sort}&_fields=none"))
            .send()
            .json();
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = server
                .get(&format!("/c?_sort={sort}&_limit=1&_fields=none{after}"))
                .send()
                .json();
            seen.extend(ids(&page).iter().map(|id| (*id).to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&_after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ids(&whole), "{sort}");
    }
}

#[test]
fn section_6_several_keys_and_ties_by_path() {
    let server = Server::start();
    let documents = [
        ("1", r#"{"a":1,"b":{"c":2}}"#),
        ("2", r#"{"a":1.0,"b":{"c":3}}"#),
        ("3", r#"{"a":2,"b":{"c":1}}"#),
        ("4", r#"{"a":1e0,"b":{"c":2}}"#),
    ];
    for (id, document) in documents {
        server.create(&format!("/c/{id}"), document);
    }
    let cases = [
        ("a", ["1", "2", "4", "3"]),
        ("-a", ["3", "1", "2", "4"]),
        ("a,-b.c", ["2", "1", "4", "3"]),
        ("-a,b.c", ["3", "1", "4", "2"]),
        ("none", ["1", "2", "3", "4"]),
    ];
    for (sort, expected) in cases {
        let page = server
            .get(&format!("/c?_sort={sort}&_fields=none"))
            .send()
            .json();
        assert_eq!(ids(&page), expected, "{sort}");
    }
}

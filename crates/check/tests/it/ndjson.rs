//! A collection as lines (contract §6).

use serde_json::Value;

use crate::harness::{Answer, Server};

fn lines(server: &Server, target: &str) -> Answer {
    let request = server.get(target);
    request.field("Accept", "application/x-ndjson").send()
}

fn parse(answer: &Answer) -> Vec<Value> {
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.ends_with('\n'), "{answer}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

#[test]
fn section_6_the_whole_collection_and_at_last_the_cursor() {
    let server = Server::start();
    let mut connection = server.connect();
    for number in 0..1_234 {
        let target = format!("/c/{number:04}");
        connection
            .put(&target, number.to_string())
            .send()
            .status(201);
    }
    let answer = lines(&server, "/c");
    answer
        .status(200)
        .has("content-type", "application/x-ndjson");
    let items = parse(&answer);
    assert_eq!(items.len(), 1_235);
    for (number, item) in items[..1_234].iter().enumerate() {
        assert_eq!(item["path"], format!("/c/{number:04}"));
        assert_eq!(item["document"], number);
    }
    let last = items[1_234].as_object().unwrap();
    assert_eq!(last.keys().collect::<Vec<_>>(), ["cursor"]);
    answer.no_field("link");
}

#[test]
fn section_6_an_empty_collection_is_a_cursor_only() {
    let server = Server::start();
    let items = parse(&lines(&server, "/none"));
    assert_eq!(items.len(), 1);
    assert!(items[0]["cursor"].is_string());
}

#[test]
fn section_6_a_document_over_many_lines_is_on_one() {
    let server = Server::start();
    let pretty = "{\r\n  \"a\" : [ 1.0 ,\n 2 ],\n\t\"s\" : \"two\\nlines, { 3 }\"\n}\n";
    server.create("/c/1", pretty);
    let answer = lines(&server, "/c");
    let items = parse(&answer);
    assert_eq!(items.len(), 2);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(
        text.contains("1.0"),
        "numbers stay as they are spelt: {text}"
    );
    assert!(text.contains("two\\nlines, { 3 }"), "{text}");
    assert_eq!(
        items[0]["document"],
        serde_json::from_str::<Value>(pretty).unwrap()
    );
}

#[test]
fn section_6_filters_order_and_fields_hold_for_lines_too() {
    let server = Server::start();
    for number in 0..10 {
        let body = format!("{{\"n\":{number},\"odd\":{}}}", number % 2 == 1);
        server.create(&format!("/c/{number}"), body);
    }
    let items = parse(&lines(&server, "/c?odd=true&_sort=-n&_fields=n"));
    let found: Vec<_> = items[..5].iter().map(|item| &item["document"]).collect();
    let expected: Vec<_> = [9, 7, 5, 3, 1]
        .map(|n| serde_json::json!({ "n": n }))
        .into();
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
    assert_eq!(items.len(), 6);
}

#[test]
fn section_6_lines_are_chosen_by_accept() {
    let server = Server::start();
    server.create("/c/1", "1");
    let cases = [
        ("application/x-ndjson", "application/x-ndjson"),
        (
            "application/json, application/x-ndjson;q=0.9",
            "application/json",
        ),
        (
            "application/json;q=0.1, application/x-ndjson",
            "application/x-ndjson",
        ),
        ("*/*", "application/json"),
        (
            "application/*, application/json;q=0",
            "application/x-ndjson",
        ),
    ];
    for (accept, expected) in cases {
        let answer = server.get("/c").field("Accept", accept).send();
        answer.status(200).has("content-type", expected);
    }
}

#[test]
fn section_6_what_is_not_json_is_described_on_its_line() {
    let server = Server::start();
    let request = server.request("PUT", "/c/1").content("text/plain", "a\nb");
    request.send().status(201);
    let items = parse(&lines(&server, "/c"));
    assert_eq!(items[0]["contentType"], "text/plain");
    assert_eq!(items[0]["length"], 3);
}

//! Random writes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::asked::COLLECTIONS;
use crate::harness::client::Connection;
use crate::harness::random::Random;
use crate::harness::request::Request;

/// Documents that are written again and again.
const HOT: [&str; 9] = [
    "0",
    "1",
    "2",
    "3",
    "caf%C3%A9",
    "a%2Ab",
    "~.-_",
    "z",
    "%F0%9F%98%80",
];

/// Documents that are mostly left alone: more than a server reads at a time.
pub(super) const COLD: usize = 280;

const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "1.0",
    "1e0",
    "2",
    "2.50",
    "-0",
    "1e400",
    "7",
    "123456789012345678901234567890",
    "\"1\"",
    "null",
    "true",
    "[1]",
];

const STRINGS: [&str; 7] = [
    "\"abc\"",
    "\"abd\"",
    "\"zzz\"",
    "\"\"",
    "\"a\\u0062c\"",
    "\"b\\r\\n\u{2028}\u{E9}\"",
    "\"x~/y\"",
];

const PATCHES: [&str; 12] = [
    r#"[{"op":"replace","path":"/n","value":1}]"#,
    r#"[{"op":"add","path":"/n","value":1.00}]"#,
    r#"[{"op":"remove","path":"/s"}]"#,
    r#"[{"op":"remove","path":"/b"},{"op":"add","path":"/b","value":true}]"#,
    r#"[{"op":"add","path":"/o/l/-","value":{"a~b/c":1}}]"#,
    r#"[{"op":"add","path":"/o/l/0","value":2}]"#,
    r#"[{"op":"remove","path":"/o/l/0"}]"#,
    r#"[{"op":"move","from":"/o/k","path":"/n"}]"#,
    r#"[{"op":"copy","from":"/o","path":"/p"}]"#,
    r#"[{"op":"move","from":"/t","path":"/o/t"}]"#,
    r#"[{"op":"test","path":"/n","value":1},{"op":"replace","path":"/n","value":2}]"#,
    r#"[{"op":"add","path":"","value":{"n":1,"text":"new"}}]"#,
];

const MERGES: [&str; 9] = [
    r#"{"n":1}"#,
    r#"{"n":2,"s":null}"#,
    r#"{"b":true,"s":"abc"}"#,
    r#"{"o":{"k":1}}"#,
    r#"{"o":{"k":null,"l":[1,2]}}"#,
    r#"{"o":null,"t":["x"]}"#,
    r#"{"text":"short"}"#,
    r#"{"é\n":{"~":{"/":1}}}"#,
    r#"[1]"#,
];

/// Something that may be a document.
pub(super) fn document(random: &mut Random) -> String {
    if random.percent(7) {
        let other = ["1", "[]", "\"abc\"", "null", "[{\"n\":1},2,\n3]", " {\n} "];
        return (*random.pick(&other)).to_owned();
    }
    let number = |random: &mut Random| (*random.pick(&NUMBERS)).to_owned();
    let mut members = Vec::new();
    if random.percent(80) {
        members.push(format!("\"n\":{}", number(random)));
    }
    if random.percent(70) {
        members.push(format!("\"s\" : {}", random.pick(&STRINGS)));
    }
    if random.percent(50) {
        let items: Vec<_> = (0..random.below(4))
            .map(|_| *random.pick(&STRINGS))
            .collect();
        let last = random.pick(&["\"x\"", "1", "null"]);
        members.push(format!(
            "\"t\":[{}{}{last}]",
            items.join(","),
            if items.is_empty() { "" } else { "," }
        ));
    }
    if random.percent(50) {
        members.push(format!("\"b\":{}", random.pick(&["true", "false"])));
    }
    if random.percent(60) {
        let items: Vec<_> = (0..random.below(5)).map(|_| number(random)).collect();
        members.push(format!(
            "\"o\":{{\"k\":{},\"l\":[{}]}}",
            number(random),
            items.join(", ")
        ));
    }
    if random.percent(50) {
        members.push(format!(
            "\"text\":\"{}\"",
            "text ".repeat(random.below(100))
        ));
    }
    let between = random.pick(&[",", ", ", ",\n  ", ",\r\n"]);
    format!("{{{}}}", members.join(between))
}

/// With so many more bytes, if it is an object.
pub(super) fn weighed(document: String, weight: usize) -> String {
    match document.strip_prefix("{\"") {
        Some(rest) if weight > 0 => format!("{{\"weight\":\"{}\",\"{rest}", "w".repeat(weight)),
        _ => document,
    }
}

/// One of all paths.
fn path(random: &mut Random) -> String {
    if random.percent(15) {
        return cold(random.below(COLD));
    }
    format!("{}/{}", random.pick(&COLLECTIONS), random.pick(&HOT))
}

/// The path of a document that is mostly left alone.
pub(super) fn cold(number: usize) -> String {
    format!("{}/cold{number:03}", COLLECTIONS[0])
}

fn request<'a>(connection: &'a mut Connection, random: &mut Random) -> Request<'a> {
    let path = path(random);
    match random.below(100) {
        0..35 => {
            let put = connection.put(&path, document(random));
            put.field("If-Match", "*")
        }
        35..50 => connection.put(&path, document(random)).if_none_match("*"),
        50..65 => {
            let patch = connection.request("PATCH", &path).field("If-Match", "*");
            patch.content("application/merge-patch+json", random.pick(&MERGES))
        }
        65..82 => {
            let patch = connection.request("PATCH", &path).field("If-Match", "*");
            patch.content("application/json-patch+json", random.pick(&PATCHES))
        }
        82..87 => {
            let put = connection.request("PUT", &path).field("If-Match", "*");
            put.content("text/plain", random.pick(&["", "a", "a\nb", "{\"n\":1}"]))
        }
        _ => connection.request("DELETE", &path).field("If-Match", "*"),
    }
}

/// Writes so many times, or until the server is gone. Counts what was accepted.
pub(super) fn write(address: SocketAddr, mut random: Random, times: usize, accepted: &AtomicUsize) {
    let once = |connection: &mut Connection, random: &mut Random| -> io::Result<bool> {
        let bytes = request(connection, random).bytes();
        connection.try_send(bytes)?;
        let answer = connection.try_read("PUT")?;
        match answer.code {
            201 | 204 => drop(accepted.fetch_add(1, Relaxed)),
            404 | 409 | 412 | 415 => {}
            503 => return Ok(false),
            _ => panic!("{answer}"),
        }
        Ok(true)
    };
    let Ok(mut connection) = Connection::try_open(address) else {
        return;
    };
    for _ in 0..times {
        if !matches!(once(&mut connection, &mut random), Ok(true)) {
            return;
        }
    }
}

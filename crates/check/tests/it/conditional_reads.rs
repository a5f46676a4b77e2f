//! Conditional GET and HEAD (RFC 9110 §13, contract §3 lines 1, 13 and 15).

use std::time::{Duration, SystemTime};

use crate::harness::Server;

fn date(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

#[test]
fn section_3_line_15_if_none_match_compares_weakly() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let same = [
        tag.clone(),
        format!("W/{tag}"),
        "*".to_owned(),
        format!("\"x\", {tag}"),
        format!("\"a,b\",{tag} ,"),
        format!(", ,{tag}"),
    ];
    for value in same {
        for method in ["GET", "HEAD"] {
            let request = server.request(method, "/a/1").if_none_match(&value);
            let answer = request.send();
            assert_eq!(answer.code, 304, "{value}: {answer}");
            answer.has("etag", &tag);
        }
    }
    let other = [
        "\"x\"".to_owned(),
        format!("{}x\"", tag.trim_end_matches('"')),
    ];
    for value in other {
        let read = server.get("/a/1").if_none_match(&value).send();
        read.status(200).is_body("1");
    }
}

#[test]
fn section_3_line_15_tags_in_several_lines_are_one_list() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let read = server
        .get("/a/1")
        .if_none_match("\"x\"")
        .if_none_match(&tag)
        .send();
    read.status(304);
}

#[test]
fn section_3_line_1_a_malformed_condition_is_never_ignored() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let bare = tag.trim_matches('"');
    let tags = [
        bare,
        "",
        "W/",
        "w/\"x\"",
        "\"x",
        "*, \"x\"",
        "\"a\" \"b\"",
        "'x'",
    ];
    for value in tags {
        for name in ["If-Match", "If-None-Match"] {
            let read = server.get("/a/1").field(name, value).send();
            assert_eq!(read.code, 400, "{name}: {value}: {read}");
            read.problem("bad-field");
            let write = server.put("/a/1", "2").field(name, value).send();
            assert_eq!(write.code, 400, "{name}: {value}: {write}");
            let delete = server.delete("/a/1").field(name, value).send();
            assert_eq!(delete.code, 400, "{name}: {value}: {delete}");
        }
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_3_line_15_reads_compare_exactly_with_the_selected_representation() {
    let server = Server::start();
    let body = format!("\"{}\"", "x".repeat(4_000));
    let plain = server.create("/a/1", &body);
    let get = |coding: &str| server.get("/a/1").field("Accept-Encoding", coding);
    let coded = get("gzip").send().tag();
    assert_ne!(plain, coded);
    get("gzip")
        .if_none_match(&coded)
        .send()
        .status(304)
        .has("etag", &coded);
    get("gzip").if_none_match(&plain).send().status(200);
    get("identity").if_none_match(&coded).send().status(200);
    get("identity").if_none_match(&plain).send().status(304);
    get("br").if_none_match(&coded).send().status(200);
    get("gzip").if_match(&coded).send().status(200);
    get("identity").if_match(&coded).send().status(412);
    get("gzip").if_match(&plain).send().status(412);
}

#[test]
fn section_3_line_15_if_match_on_a_read() {
    let server = Server::start();
    let old = server.create("/a/1", "1");
    let tag = server.replace("/a/1", "2");
    server.get("/a/1").if_match(&tag).send().status(200);
    server.get("/a/1").if_match("*").send().status(200);
    server
        .get("/a/1")
        .if_match(&format!("W/{tag}"))
        .send()
        .status(412);
    let stale = server.get("/a/1").if_match(&old).send();
    let problem = stale.status(412).problem("stale");
    assert_eq!(problem["current"], tag.as_str());
    server.get("/a/2").if_match("*").send().status(404);
}

#[test]
fn section_3_line_15_if_modified_since_is_ignored_within_the_second() {
    let server = Server::start();
    server.create("/a/1", "1");
    let read = server.get("/a/1").send();
    let modified = httpdate::parse_http_date(read.field("last-modified")).unwrap();
    let ask = |since: SystemTime| {
        let request = server.get("/a/1");
        request.field("If-Modified-Since", &date(since)).send().code
    };
    let second = Duration::from_secs(1);
    assert_eq!(ask(modified - second), 200);
    assert_eq!(ask(modified), 200, "another save may come in this second");
    assert_eq!(ask(modified + second), 304);
}

#[test]
fn section_3_line_15_if_none_match_beats_if_modified_since() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let long_ago = date(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400));
    let far_off = date(SystemTime::now() + Duration::from_secs(864_000));
    let same = server
        .get("/a/1")
        .if_none_match(&tag)
        .field("If-Modified-Since", &long_ago)
        .send();
    same.status(304);
    let other = server
        .get("/a/1")
        .if_none_match("\"x\"")
        .field("If-Modified-Since", &far_off)
        .send();
    other.status(200);
}

#[test]
fn section_3_line_15_if_unmodified_since() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let long_ago = date(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400));
    let far_off = date(SystemTime::now() + Duration::from_secs(864_000));
    let ask = |since: &str| server.get("/a/1").field("If-Unmodified-Since", since);
    ask(&long_ago).send().status(412).problem("stale");
    ask(&far_off).send().status(200);
    // RFC 9110 §13.2.2: If-Match decides alone.
    ask(&long_ago).if_match(&tag).send().status(200);
    ask(&far_off).if_match("\"x\"").send().status(412);
}

#[test]
fn section_3_line_1_dates_come_in_three_forms_and_others_are_refused() {
    let server = Server::start();
    server.create("/a/1", "1");
    let ask = |value: &str| {
        let request = server.get("/a/1");
        request.field("If-Modified-Since", value).send()
    };
    let good = [
        "Fri, 31 Dec 2100 23:59:59 GMT",
        "Fri Dec 31 23:59:59 2100",
        "Thursday, 31-Dec-37 23:59:59 GMT",
    ];
    for value in good {
        ask(value).status(304);
    }
    for value in ["yesterday", "2100-12-31T23:59:59Z", "1", ""] {
        let answer = ask(value);
        assert_eq!(answer.code, 400, "{value}: {answer}");
        answer.problem("bad-field");
    }
}

#[test]
fn section_6_a_list_is_revalidated_by_its_weak_tag() {
    let server = Server::start();
    server.create("/a/1", "1");
    let first = server.get("/a").send();
    let tag = first.status(200).tag();
    assert!(tag.starts_with("W/\""), "{tag}");
    let same = server.get("/a").if_none_match(&tag).send();
    same.status(304).has("etag", &tag).is_body("");
    for name in ["cache-control", "vary"] {
        same.has(name, first.field(name));
    }
    same.no_field("content-type").no_field("content-length");
    let strong = tag.trim_start_matches("W/");
    server.get("/a").if_none_match(strong).send().status(304);
    server.get("/a").if_match(&tag).send().status(412);
}

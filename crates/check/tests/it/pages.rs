//! Pages of a list (contract §6).

use crate::harness::{Answer, Server};
use crate::lists::ids;

fn fill(server: &Server, count: usize) {
    for number in 0..count {
        let body = format!("{{\"n\":{}}}", number % 3);
        server.create(&format!("/c/{number:03}"), body);
    }
}

/// The target in `Link: <…>; rel="next"`.
#[track_caller]
fn linked(answer: &Answer) -> String {
    let link = answer.field("link");
    let (target, relation) = link.split_once('>').unwrap();
    assert_eq!(relation.replace(' ', ""), ";rel=\"next\"");
    target.strip_prefix('<').unwrap().to_owned()
}

#[test]
fn section_6_pages_give_each_item_once() {
    let server = Server::start();
    fill(&server, 25);
    for query in [
        "_limit=7",
        "_limit=1&n=1",
        "_limit=4&_sort=n",
        "_limit=5&_sort=-n,none",
    ] {
        let whole = server.get(&format!(
            "/c?{}",
            query.split_once('&').map_or("", |(_, rest)| rest)
        ));
        let whole = whole.send().json();
        let mut seen: Vec<String> = Vec::new();
        let mut target = format!("/c?{query}");
        loop {
            let answer = server.get(&target).send();
            let page = answer.status(200).json();
            seen.extend(ids(&page).iter().map(|id| (*id).to_owned()));
            match page.get("next") {
                Some(next) => {
                    target = linked(&answer);
                    assert!(target.contains(next.as_str().unwrap()), "{target}");
                    assert!(target.starts_with("/c?"), "{target}");
                }
                None => {
                    answer.no_field("link");
                    break;
                }
            }
        }
        assert_eq!(seen, ids(&whole), "{query}");
    }
}

#[test]
fn section_6_the_default_page_has_100_items_and_the_largest_1000() {
    let server = Server::start();
    let mut connection = server.connect();
    for number in 0..1_001 {
        let answer = connection.put(&format!("/c/{number}"), "1").send();
        answer.status(201);
    }
    let size = |target: &str| {
        let page = server.get(target).send().json();
        (ids(&page).len(), page.get("next").is_some())
    };
    assert_eq!(size("/c"), (100, true));
    assert_eq!(size("/c?_limit=1000"), (1_000, true));
    assert_eq!(size("/c?_limit=1000&_sort=-x"), (1_000, true));
}

#[test]
fn section_6_a_page_that_just_fits_is_the_last() {
    let server = Server::start();
    fill(&server, 6);
    let first = server.get("/c?_limit=3").send();
    let second = server.get(&linked(&first)).send();
    assert_eq!(ids(&second.json()).len(), 3);
    second.no_field("link");
    assert!(second.json().get("next").is_none());
}

#[test]
fn section_6_each_page_sees_the_present() {
    let server = Server::start();
    fill(&server, 10);
    let first = server.get("/c?_limit=5").send();
    assert_eq!(ids(&first.json()), ["000", "001", "002", "003", "004"]);
    server.create("/c/0011", "1");
    server.create("/c/0055", "1");
    server.delete("/c/004").if_match("*").send().status(204);
    server.delete("/c/006").if_match("*").send().status(204);
    let second = server.get(&linked(&first)).send();
    assert_eq!(ids(&second.json()), ["005", "0055", "007", "008", "009"]);
    second.no_field("link");
}

#[test]
fn section_6_inserts_meanwhile_never_repeat_or_hide_what_stays() {
    let server = Server::start();
    fill(&server, 60);
    let address = server.address();
    let writer = std::thread::spawn(move || {
        let mut connection = crate::harness::client::Connection::open(address);
        for number in 0..60 {
            let target = format!("/c/{number:03}-more");
            connection.put(&target, r#"{"n":1}"#).send().status(201);
        }
    });
    let mut seen: Vec<String> = Vec::new();
    let mut target = "/c?_limit=3&_sort=n".to_owned();
    loop {
        let answer = server.get(&target).send();
        seen.extend(ids(&answer.json()).iter().map(|id| (*id).to_owned()));
        if answer.maybe("link").is_none() {
            break;
        }
        target = linked(&answer);
    }
    writer.join().unwrap();
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "an item came twice");
    for number in 0..60 {
        assert!(
            seen.contains(&format!("{number:03}")),
            "{number} is missing"
        );
    }
}

#[test]
fn section_6_a_token_is_bound_to_filter_and_order() {
    let server = Server::start();
    fill(&server, 10);
    let page = server.get("/c?_limit=2&n:gte=0&_sort=n").send().json();
    let token = page["next"].as_str().unwrap();
    for query in [
        "",
        "n:gte=0",
        "_sort=n",
        "n:gte=1&_sort=n",
        "n:gte=0&_sort=-n",
        "n:gt=0&_sort=n",
    ] {
        let refused = server.get(&format!("/c?{query}&_after={token}")).send();
        assert_eq!(refused.code, 400, "{query}: {refused}");
        refused.problem("bad-query");
    }
    let bound = format!("/c?n:gte=0&_sort=n&_limit=5&_after={token}");
    server.get(&bound).send().status(200);
    let cut = token.get(..token.len() - 4).unwrap();
    for token in [cut, "AAAA", "%00", ""] {
        let target = format!("/c?n:gte=0&_sort=n&_after={token}");
        let refused = server.get(&target).send();
        assert!(refused.code == 400 || token == cut, "{token}: {refused}");
    }
}

#[test]
fn section_6_a_page_link_keeps_the_query() {
    let server = Server::start();
    fill(&server, 5);
    let first = server
        .get("/c?_fields=n&n:ne=caf%C3%A9&_limit=2&_count=true")
        .send();
    let target = linked(&first);
    for part in ["_fields=n", "n:ne=caf%C3%A9", "_limit=2", "_count=true"] {
        assert!(target.contains(part), "{target}");
    }
    let second = server.get(&target).send();
    assert_eq!(second.status(200).json()["count"], 5);
    assert_eq!(linked(&second).matches("_after").count(), 1);
}

#[test]
fn section_6_pages_of_large_documents_end_early_and_lose_nothing() {
    let server = Server::start();
    let body = format!("\"{}\"", "x".repeat(3_000_000));
    for number in 0..6 {
        server.create(&format!("/c/{number}"), &body);
    }
    let mut seen: Vec<String> = Vec::new();
    let mut target = "/c".to_owned();
    loop {
        let answer = server.get(&target).send();
        seen.extend(
            ids(&answer.status(200).json())
                .iter()
                .map(|id| (*id).to_owned()),
        );
        if answer.maybe("link").is_none() {
            break;
        }
        target = linked(&answer);
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5"]);
}

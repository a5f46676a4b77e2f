//! Entity tags: one number is everything (contract §1).

use crate::harness::Server;

/// The epoch in `"<epoch>-<revision>"`.
fn epoch(tag: &str) -> &str {
    tag.trim_matches('"').split_once('-').unwrap().0
}

fn revision(tag: &str) -> u64 {
    let opaque = tag.trim_matches('"').split_once('-').unwrap().1;
    opaque.parse().unwrap()
}

#[test]
fn section_1_a_tag_is_an_epoch_and_a_revision() {
    let server = Server::start();
    let mut last = server.create("/a/1", "0");
    assert!(last.starts_with('"') && last.ends_with('"'));
    for number in 1..10 {
        let next = server.replace("/a/1", number.to_string());
        assert_eq!(epoch(&next), epoch(&last));
        assert!(revision(&next) > revision(&last));
        last = next;
    }
    let elsewhere = server.create("/b/1", "0");
    assert!(revision(&elsewhere) > revision(&last));
}

#[test]
fn section_1_each_opening_begins_an_epoch_and_old_tags_stay_good() {
    let mut server = Server::start();
    let old = server.create("/a/1", "1");
    let other = server.create("/a/2", "1");
    server.restart();
    server.holds("/a/1", "1", &old);
    let new = server.put("/a/1", "2").if_match(&old).send();
    let new = new.status(204).tag();
    assert_ne!(epoch(&new), epoch(&old));
    assert!(revision(&new) > revision(&old));
    server.restart();
    server.holds("/a/1", "2", &new);
    server.holds("/a/2", "1", &other);
    server.delete("/a/2").if_match(&other).send().status(204);
    let newest = server.create("/a/2", "1");
    assert_ne!(epoch(&newest), epoch(&new));
}

#[test]
fn section_1_a_made_up_epoch_or_revision_never_matches() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let (epoch, revision) = (epoch(&tag), revision(&tag));
    let wrong = [
        format!("\"zzzzzzzz-{revision}\""),
        format!("\"{epoch}-{}\"", revision + 1),
        format!("\"{epoch}-0{revision}\""),
        format!("\"{epoch}-+{revision}\""),
        format!("\"{revision}\""),
        format!("\"{}-{revision}\"", epoch.to_uppercase()),
        format!("\"{epoch}-{revision}+nonsense\""),
        format!("\"{epoch}-{revision}+gzip+gzip\""),
        format!("W/{tag}"),
        "\"\"".to_owned(),
    ];
    for tag in wrong {
        // An upper-case epoch is another one only if it has letters.
        if tag == format!("\"{epoch}-{revision}\"") {
            continue;
        }
        let stale = server.put("/a/1", "2").if_match(&tag).send();
        assert_eq!(stale.code, 412, "{tag}: {stale}");
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_1_a_coded_tag_is_fit_for_if_match() {
    let server = Server::start();
    let mut body = format!("[{}1]", "\"again and again\",".repeat(200));
    server.create("/a/1", &body);
    for coding in ["gzip", "br", "zstd"] {
        let coded = server.get("/a/1").field("Accept-Encoding", coding).send();
        coded.status(200).has("content-encoding", coding);
        let tag = coded.tag();
        assert!(tag.ends_with(&format!("+{coding}\"")), "{tag}");
        body.push(' ');
        let saved = server.put("/a/1", &body).if_match(&tag).send();
        server.holds("/a/1", &body, &saved.status(204).tag());
        let late = server.put("/a/1", "1").if_match(&tag).send();
        late.status(412);
    }
}

#[test]
fn section_1_the_same_revision_and_coding_give_the_same_bytes() {
    let mut server = Server::start();
    let body = format!("[{}1]", "\"again and again\",".repeat(300));
    server.create("/a/1", &body);
    let codings = ["identity", "gzip", "br", "zstd"];
    let read = |server: &Server| {
        codings.map(|coding| {
            let answer = server.get("/a/1").field("Accept-Encoding", coding).send();
            (answer.status(200).tag(), answer.body)
        })
    };
    let first = read(&server);
    assert_eq!(first, read(&server));
    server.restart();
    assert_eq!(first, read(&server));
    let mut tags = first.map(|(tag, _)| tag).to_vec();
    tags.dedup();
    assert_eq!(tags.len(), 4);
}

//! A history that is lost, because an older copy of the data came back: its tags match
//! nothing any more, whatever is written since (contract §1).

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Server, binary};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn put_back(copied: &Path, data: &Path) {
    fs::remove_dir_all(data).unwrap();
    copy(copied, data);
}

fn matchbook(arguments: &[&str]) {
    let done = Command::new(binary::path())
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// `"epoch-17"` → 17
fn revision(tag: &str) -> u64 {
    let (_, number) = tag.trim_matches('"').split_once('-').unwrap();
    number.parse().unwrap()
}

const PATHS: [&str; 3] = ["/a/1", "/a/2", "/b/1"];

/// Writes to each document, and gives the tags.
fn write(server: &Server, content: &str, times: usize) -> Vec<(&'static str, String)> {
    let once =
        |n: usize| PATHS.map(|path| (path, server.replace(path, format!("\"{content} {n}\""))));
    (0..times).flat_map(once).collect()
}

fn create(server: &Server) -> Vec<(&'static str, String)> {
    PATHS
        .map(|path| (path, server.create(path, "\"first\"")))
        .into()
}

/// What a client that holds a lost tag gets.
#[track_caller]
fn match_nothing(server: &Server, lost: &[(&str, String)]) {
    for (path, tag) in lost {
        let save = server.put(path, "\"over\"").if_match(tag).send();
        save.status(412).problem("stale");
        server.delete(path).if_match(tag).send().status(412);
        let read = server.get(path).if_none_match(tag).send();
        assert!(read.status(200).tag() != *tag);
        let ranged = server
            .get(path)
            .field("Range", "bytes=0-1")
            .field("If-Range", tag);
        ranged.send().status(200);
    }
}

/// The lost tags match nothing: right away, and when their revisions are used again.
fn histories_differ(server: &Server, kept: &[(&str, String)], lost: &[(&str, String)]) {
    for (path, tag) in kept {
        server.holds(path, "\"first\"", tag);
        server.get(path).if_none_match(tag).send().status(304);
    }
    match_nothing(server, lost);
    let now = write(server, "other", 2 * lost.len());
    let used: HashSet<u64> = now.iter().map(|(_, tag)| revision(tag)).collect();
    let again = lost.iter().filter(|(_, tag)| used.contains(&revision(tag)));
    assert!(
        again.count() > 0,
        "no revision was used again: nothing was shown"
    );
    match_nothing(server, lost);
    let tags: HashSet<&String> = now.iter().chain(lost).map(|(_, tag)| tag).collect();
    assert_eq!(tags.len(), now.len() + lost.len());
}

#[test]
fn section_1_a_copied_directory_put_back() {
    let elsewhere = TempDir::new().unwrap();
    let mut server = Server::start();
    let kept = create(&server);
    server.stop();
    copy(server.data(), elsewhere.path());
    server.start_again();
    let list = server.get("/a").send().tag();
    let mut lost = write(&server, "lost", 3);
    let list_lost = server.get("/a").send().tag();
    server.restart();
    lost.extend(write(&server, "lost too", 3));
    server.stop();
    put_back(elsewhere.path(), server.data());
    server.start_again();
    server.get("/a").if_none_match(&list).send().status(304);
    server
        .get("/a")
        .if_none_match(&list_lost)
        .send()
        .status(200);
    histories_differ(&server, &kept, &lost);
    server
        .get("/a")
        .if_none_match(&list_lost)
        .send()
        .status(200);
    server.restart();
    match_nothing(&server, &lost);
}

/// The copy is as old as the first of two lost histories, and comes back twice.
#[test]
fn section_1_a_copy_put_back_twice() {
    let elsewhere = TempDir::new().unwrap();
    let mut server = Server::start();
    let kept = create(&server);
    server.stop();
    copy(server.data(), elsewhere.path());
    server.start_again();
    let mut lost = write(&server, "lost", 2);
    server.kill();
    put_back(elsewhere.path(), server.data());
    server.start_again();
    lost.extend(write(&server, "lost as well", 2));
    server.kill();
    put_back(elsewhere.path(), server.data());
    server.start_again();
    histories_differ(&server, &kept, &lost);
}

/// What a disk holds when the power goes: with the log that is not copied back yet.
#[test]
fn section_1_a_disk_rolled_back_to_a_crash() {
    let elsewhere = TempDir::new().unwrap();
    let mut server = Server::start();
    let kept = create(&server);
    server.kill();
    copy(server.data(), elsewhere.path());
    server.start_again();
    let lost = write(&server, "lost", 3);
    server.kill();
    put_back(elsewhere.path(), server.data());
    server.start_again();
    histories_differ(&server, &kept, &lost);
}

/// The backup is taken while the server runs, so what is lost has the very epoch of
/// what is kept.
#[test]
fn section_1_a_backup_restored() {
    let elsewhere = TempDir::new().unwrap();
    let file = elsewhere.path().join("backup");
    let (file, mut server) = (file.to_str().unwrap(), Server::start());
    let kept = create(&server);
    let data = server.data().to_str().unwrap().to_owned();
    matchbook(&["backup", "--data", &data, file]);
    let mut lost = write(&server, "lost", 3);
    server.restart();
    lost.extend(write(&server, "lost too", 3));
    server.stop();
    matchbook(&["restore", file, "--data", &data, "--replace"]);
    server.start_again();
    histories_differ(&server, &kept, &lost);
}

/// Two servers from one copy: what one acknowledged means nothing to the other.
#[test]
fn section_1_a_copied_file_is_another_history() {
    let elsewhere = TempDir::new().unwrap();
    let mut server = Server::start();
    let kept = create(&server);
    server.stop();
    copy(server.data(), elsewhere.path());
    server.start_again();
    let copied = Server::on(elsewhere.path(), &[]);
    let here = write(&server, "here", 2);
    match_nothing(&copied, &here);
    histories_differ(&copied, &kept, &here);
    let there = write(&copied, "there", 2);
    match_nothing(&server, &there);
}

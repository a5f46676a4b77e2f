//! A server that cannot start says why, and ends with a code that is not 0.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::harness::{Server, binary};

/// What a server says that does not start.
fn fails(data: &Path, listen: &str) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(binary::path())
        .args(["serve", "--listen", listen, "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "it started: {said}");
    assert!(status.code().is_some(), "it was killed: {said}");
    assert!(stdout.is_empty(), "it told that it listens");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// A data directory with one document, its server stopped.
fn stopped_data(directory: &Path) -> std::path::PathBuf {
    let data = directory.join("data");
    let mut server = Server::on(&data, &[]);
    server.create("/a/1", "1");
    server.stop();
    data
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "'{word}' is expected in: {said}");
    }
}

#[test]
fn a_data_directory_has_one_server() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let said = fails(server.data(), "127.0.0.1:0");
    says(&said, &["in use", &server.pid().to_string()]);
    server.holds("/a/1", "1", &tag);
    server.replace("/a/1", "2");
}

#[test]
fn an_address_has_one_server() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    let said = fails(&directory.path().join("data"), &address);
    says(&said, &[&address, "in use", "--listen"]);
}

#[test]
fn a_file_of_an_unknown_format_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let data = stopped_data(directory.path());
    let file = database(&data);
    let mut bytes = fs::read(&file).unwrap();
    // The header of an SQLite file has its user_version at byte 60, and at byte 20 the room
    // for checksums, without which this is no damage.
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    bytes[20] = 0;
    fs::write(&file, &bytes).unwrap();
    let said = fails(&data, "127.0.0.1:0");
    says(&said, &["format version 999"]);
    assert!(fs::read(&file).unwrap() == bytes, "the file was changed");
}

#[test]
fn a_file_that_is_none_of_ours_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let data = stopped_data(directory.path());
    let file = database(&data);
    let foreign = b"This is a text that somebody keeps here. ".repeat(500);
    fs::write(&file, &foreign).unwrap();
    let said = fails(&data, "127.0.0.1:0");
    says(&said, &["not a Matchbook file"]);
    assert!(fs::read(&file).unwrap() == foreign, "the file was changed");
}

#[test]
fn a_file_cut_short_is_not_served() {
    let directory = TempDir::new().unwrap();
    let data = stopped_data(directory.path());
    let file = database(&data);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let said = fails(&data, "127.0.0.1:0");
    says(&said, &["damaged"]);
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("data");
    fs::write(&file, "a file").unwrap();
    let said = fails(&file, "127.0.0.1:0");
    says(&said, &["data"]);
    assert_eq!(fs::read(&file).unwrap(), b"a file");
}

#[test]
fn section_11_other_addresses_than_loopback_ask_for_open() {
    let directory = TempDir::new().unwrap();
    let said = fails(&directory.path().join("data"), "0.0.0.0:0");
    says(&said, &["--open"]);
}

/// The one file in a data directory that SQLite wrote.
fn database(data: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found = files
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")));
    let database = found.next().unwrap();
    assert!(found.next().is_none(), "two databases");
    database
}

//! A disk without space (contract §3 line 20): writes are refused, reads go on, nothing
//! that was acknowledged is lost, and with space again all is well.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Server, binary};

/// A small file system, unmounted when this is dropped.
struct Disk {
    directory: TempDir,
}

impl Disk {
    /// `None`, said aloud, where file systems cannot be mounted.
    fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=40m", "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { directory });
        }
        println!("skipped: no file system can be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all space that is left, or a part of it.
    fn fill(&self, most_bytes: usize) {
        let mut ballast = File::create(self.path().join("ballast")).unwrap();
        let piece = [0; 4_096];
        for _ in 0..most_bytes / piece.len() {
            if ballast.write_all(&piece).is_err() {
                return;
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn content(n: usize) -> String {
    format!(
        "\"{}\"",
        char::from(b'a' + u8::try_from(n % 26).unwrap())
            .to_string()
            .repeat(50_000)
    )
}

#[test]
fn section_3_line_20_a_full_disk_and_space_again() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    // What is freed later is more than the log, which a start copies to its place.
    disk.fill(26 * 1_024 * 1_024);
    let mut server = Server::on(&disk.path().join("data"), &[]);
    let mut stored = vec![server.create("/a/0", content(0))];
    let refused = loop {
        let n = stored.len();
        let answer = server.put(&format!("/a/{n}"), content(n)).send();
        if answer.code != 201 {
            break answer;
        }
        stored.push(answer.tag());
    };
    refused.status(507).problem("storage-full");
    let all_is_there = |server: &Server| {
        for (n, tag) in stored.iter().enumerate() {
            server.holds(&format!("/a/{n}"), content(n), tag);
        }
    };
    all_is_there(&server);
    server
        .get(&format!("/a/{}", stored.len()))
        .send()
        .status(404);
    server.get("/a?_limit=10").send().status(200);
    server.get("/_/health").send().status(200);
    let over = server.put("/a/0", content(25)).if_match(&stored[0]).send();
    over.status(507);
    all_is_there(&server);
    disk.free();
    server.get("/_/ready").send().status(200);
    let after = server.put("/a/after", content(3)).send();
    let tag = after.status(201).tag();
    assert!(!stored.contains(&tag));
    all_is_there(&server);
    server.kill();
    server.start_again();
    all_is_there(&server);
    server.holds("/a/after", content(3), &tag);
}

#[test]
fn a_server_on_a_full_disk_says_so_and_starts_when_there_is_space() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    let data = disk.path().join("data");
    let mut server = Server::on(&data, &[]);
    let tag = server.create("/a/1", "1");
    server.stop();
    disk.fill(usize::MAX);
    for data in [&data, &disk.path().join("other")] {
        let output = Command::new(binary::path())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("no space is left"), "{said}");
    }
    disk.free();
    server.start_again();
    server.holds("/a/1", "1", &tag);
    server.replace("/a/1", "2");
}

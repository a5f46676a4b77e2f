//! Programs beside the server: proxies before it, clients of it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a line may take, and a start. Only a broken program takes that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a program may take to end in order before it is killed.
const STOP_AT_MOST: Duration = Duration::from_secs(10);

/// How often is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where a daemon is that is not on the path of everybody.
const SYSTEM_DIRECTORIES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Set by who has installed all programs (`cargo xtask test`): nothing is skipped then.
const REQUIRED: &str = "MATCHBOOK_TEST_PROGRAMS";

/// The program, or `None`, said aloud, where it is not installed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path);
    let system = SYSTEM_DIRECTORIES.iter().map(PathBuf::from);
    let mut files = directories
        .chain(system)
        .map(|directory| directory.join(name));
    existing(name, files.find(|file| file.is_file()))
}

/// What `cargo xtask test` has installed below the target directory, or `None`, said
/// aloud, where it has not.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    // The test is `<target>/<profile>/deps/it-<hash>`.
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let path = target.join("clients").join(name);
    existing(name, path.exists().then_some(path))
}

fn existing(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        assert!(
            std::env::var_os(REQUIRED).is_none(),
            "{name} is not installed"
        );
        println!("skipped: {name} is not installed; `cargo xtask test` installs it");
    }
    found
}

/// A running program. It is ended when this is dropped.
pub(crate) struct Program {
    process: Child,
    name: String,
    lines: mpsc::Receiver<String>,
    /// Its own, with what it writes to standard error.
    directory: TempDir,
}

impl Program {
    /// Starts what `command` makes of a new directory.
    pub(crate) fn start(command: impl FnOnce(&Path) -> Command) -> Self {
        let directory = TempDir::new().unwrap();
        let mut command = command(directory.path());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            process,
            name,
            lines,
            directory,
        }
    }

    /// The next line of its output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("{} prints no more: {error}", self.name),
        }
    }

    /// Asserts that it still runs.
    #[track_caller]
    pub(crate) fn runs(&mut self) {
        let ended = self.process.try_wait().unwrap();
        assert!(ended.is_none(), "{} has ended: {ended:?}", self.name);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let (Ok(None), Some(pid)) = (self.process.try_wait(), pid) {
            let _ = kill_process(pid, Signal::TERM);
            let deadline = Instant::now() + STOP_AT_MOST;
            while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(LOOK_EVERY);
            }
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        if thread::panicking() {
            let log = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("{} said:\n{}", self.name, String::from_utf8_lossy(&log));
        }
    }
}

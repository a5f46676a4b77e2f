//! A server process on a directory and a port of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::binary;
use super::client::Connection;
use super::events::Events;
use super::request::Request;

/// How long a start may take before the test gives up on it. Only a broken server
/// takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Any free port of this machine, for nobody else.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Variables of a server's environment.
pub(crate) type Variables = Vec<(&'static str, OsString)>;

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    data: PathBuf,
    flags: Vec<String>,
    variables: Variables,
    /// Holds the data, unless the test keeps it somewhere else, and what the server logs.
    directory: TempDir,
}

impl Server {
    /// A server on fresh data.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server on fresh data, with more flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        Self::launch(directory, data, to_owned(flags), Vec::new(), ANY_PORT).unwrap()
    }

    /// A server on data that the test keeps.
    pub(crate) fn on(data: &Path, flags: &[&str]) -> Self {
        Self::try_on(data, flags, Vec::new()).unwrap()
    }

    /// A server on data that the test keeps, with more in its environment.
    ///
    /// # Errors
    /// What it said, if it did not start.
    pub(crate) fn try_on(
        data: &Path,
        flags: &[&str],
        variables: Variables,
    ) -> Result<Self, String> {
        let directory = TempDir::new().unwrap();
        let data = data.to_owned();
        Self::launch(directory, data, to_owned(flags), variables, ANY_PORT)
    }

    fn launch(
        directory: TempDir,
        data: PathBuf,
        flags: Vec<String>,
        variables: Variables,
        listen: SocketAddr,
    ) -> Result<Self, String> {
        let log = directory.path().join("log");
        let (mut process, lines) = spawn(&data, listen, &flags, &variables, &log);
        let address = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(address) = address_in(&line) {
                        break address;
                    }
                }
                Err(_) => {
                    let _ = process.kill();
                    let _ = process.wait();
                    let said = std::fs::read_to_string(&log).unwrap_or_default();
                    return Err(format!("the server did not start: {said}"));
                }
            }
        };
        Ok(Self {
            process,
            address,
            data,
            flags,
            variables,
            directory,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its `Host`: `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Where the data is.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it has held so far, as the kernel of Linux counts it.
    pub(crate) fn peak_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.process.wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// SIGKILL: no more than what is on the disk survives.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again on the same data after [`Self::stop`] or [`Self::kill`]; the
    /// address may be another one.
    pub(crate) fn start_again(&mut self) {
        self.start_again_at(ANY_PORT);
    }

    /// Starts again on the same data and at the same address.
    pub(crate) fn start_again_there(&mut self) {
        self.start_again_at(self.address);
    }

    fn start_again_at(&mut self, listen: SocketAddr) {
        let directory = std::mem::replace(&mut self.directory, TempDir::new().unwrap());
        let (data, flags) = (self.data.clone(), self.flags.clone());
        let variables = self.variables.clone();
        *self = Self::launch(directory, data, flags, variables, listen).unwrap();
    }

    /// From its next start on, it has nothing special in its environment.
    pub(crate) fn forget_variables(&mut self) {
        self.variables.clear();
    }

    /// Stops and starts again on the same data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// A connection that is kept open.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Exactly these bytes on a new connection, and the first answer.
    pub(crate) fn raw(&self, bytes: impl AsRef<[u8]>) -> super::Answer {
        let mut connection = self.connect();
        connection.send(bytes);
        connection.read("GET")
    }

    /// A request on a connection of its own.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request<'static> {
        Request::alone(self.address, method, target)
    }

    /// GET.
    pub(crate) fn get(&self, target: &str) -> Request<'static> {
        self.request("GET", target)
    }

    /// The events of a target.
    #[track_caller]
    pub(crate) fn events(&self, target: &str) -> Events {
        Events::open(self.address, target, &[])
    }

    /// The events of a target after the last one that a client got.
    #[track_caller]
    pub(crate) fn events_after(&self, target: &str, last_event_id: &str) -> Events {
        Events::open(self.address, target, &[("Last-Event-ID", last_event_id)])
    }

    /// HEAD.
    pub(crate) fn head(&self, target: &str) -> Request<'static> {
        self.request("HEAD", target)
    }

    /// DELETE.
    pub(crate) fn delete(&self, target: &str) -> Request<'static> {
        self.request("DELETE", target)
    }

    /// PUT of JSON.
    pub(crate) fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Request<'static> {
        self.request("PUT", target).json(body)
    }

    /// POST of JSON.
    pub(crate) fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Request<'static> {
        self.request("POST", target).json(body)
    }

    /// PATCH with a merge patch.
    pub(crate) fn merge(&self, target: &str, body: impl AsRef<[u8]>) -> Request<'static> {
        let request = self.request("PATCH", target);
        request.content("application/merge-patch+json", body)
    }

    /// PATCH with a JSON Patch.
    pub(crate) fn patch(&self, target: &str, body: impl AsRef<[u8]>) -> Request<'static> {
        let request = self.request("PATCH", target);
        request.content("application/json-patch+json", body)
    }

    /// PUTs a document that must not be there yet, and gives its tag.
    #[track_caller]
    pub(crate) fn create(&self, target: &str, body: impl AsRef<[u8]>) -> String {
        let answer = self.put(target, body).send();
        answer.status(201).field("etag").to_owned()
    }

    /// PUTs over a document that is there, and gives its new tag.
    #[track_caller]
    pub(crate) fn replace(&self, target: &str, body: impl AsRef<[u8]>) -> String {
        let answer = self.put(target, body).field("If-Match", "*").send();
        answer.status(204).field("etag").to_owned()
    }

    /// Asserts that the document is these bytes with this tag.
    #[track_caller]
    pub(crate) fn holds(&self, target: &str, body: impl AsRef<[u8]>, tag: &str) {
        let answer = self.get(target).send();
        answer.status(200).has("etag", tag).is_body(body);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

fn to_owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}

/// The process, and the lines of its standard output as they come. They are read to
/// the end, so that the server never waits for a reader.
fn spawn(
    data: &Path,
    listen: SocketAddr,
    flags: &[String],
    variables: &Variables,
    log: &Path,
) -> (Child, mpsc::Receiver<String>) {
    let mut command = Command::new(binary::path());
    // What the tester's own server is set up with is not for this one.
    let names = std::env::vars_os().map(|(name, _)| name);
    let ours = |name: &OsString| name.to_string_lossy().starts_with("MATCHBOOK_");
    names.filter(ours).for_each(|name| {
        command.env_remove(name);
    });
    let mut process = command
        .envs(variables.iter().cloned())
        .args(["serve", "--listen", &listen.to_string(), "--data"])
        .arg(data)
        .args(flags)
        .current_dir(log.parent().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(log).unwrap())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (process, lines)
}

/// The address in a line such as `listening on http://127.0.0.1:2040`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let after = line.split_once("://")?.1;
    let end = after
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')
        .unwrap_or(after.len());
    after.get(..end)?.parse().ok()
}

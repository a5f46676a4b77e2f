//! A server under test: a child process that this program starts, waits for, and
//! always ends, whichever way the program itself ends.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::interrupt;
use crate::response::Response;
use crate::usage;

/// A server that is not ready by then never will be.
const READY_AT_MOST: Duration = Duration::from_secs(60);

/// How often readiness is asked for; the precision of the time to ready.
const READY_EVERY: Duration = Duration::from_millis(1);

/// How long a server may take to end in order before it is killed.
const STOP_AT_MOST: Duration = Duration::from_secs(15);

/// How long one probe may take.
const PROBE_AT_MOST: Duration = Duration::from_secs(2);

/// How much of a failed server's log is shown.
const LOG_SHOWN_BYTES: usize = 2_000;

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    time_to_ready: Duration,
}

impl Server {
    /// Starts what `command` makes of a free port and waits until `probe_path`
    /// answers, with 200 if `only_200`, otherwise with anything.
    ///
    /// # Errors
    /// `command` failed, it cannot be started, ends at once, or is not ready in time.
    pub(crate) fn start(
        command: impl FnOnce(SocketAddr) -> anyhow::Result<Command>,
        log: &Path,
        probe_path: &str,
        only_200: bool,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = command(address)?;
        let output =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        // A group of its own, so that Ctrl-C reaches this program alone, which then
        // ends its servers in order.
        command.process_group(0);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut server = Self {
            child,
            address,
            log: log.to_owned(),
            time_to_ready: Duration::ZERO,
        };
        let ready = interrupt::wait_until(READY_AT_MOST, READY_EVERY, || {
            if let Some(status) = server.child.try_wait()? {
                bail!("it ended with {status}; {}", server.last_words());
            }
            Ok(probe(address, probe_path).is_some_and(|status| status == 200 || !only_200))
        })?;
        if !ready {
            bail!(
                "it is not ready after {READY_AT_MOST:?}; {}",
                server.last_words()
            );
        }
        server.time_to_ready = started.elapsed();
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// From the start of the process to the first answer that says ready.
    pub(crate) fn time_to_ready(&self) -> Duration {
        self.time_to_ready
    }

    /// # Errors
    /// The process is gone.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        usage::resident_bytes(self.pid())
    }

    /// # Errors
    /// The process is gone.
    pub(crate) fn peak_resident_bytes(&self) -> anyhow::Result<u64> {
        usage::peak_resident_bytes(self.pid())
    }

    /// The end of what the server printed, to explain a failure.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(LOG_SHOWN_BYTES);
        let end = String::from_utf8_lossy(text.get(from..).unwrap_or_default());
        match end.trim_end() {
            "" => "the server printed nothing".to_owned(),
            end => format!("the server printed:\n{end}\n"),
        }
    }

    /// Asks the process to end, and kills it if it does not.
    fn stop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        // The process has not been waited for, so its number is still its own.
        let _gone = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + STOP_AT_MOST;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A loopback address that nobody listens at now. Another process could take it
/// before the server does; then the server says so and ends.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// The status of one GET on a connection of its own; `None` if there is no answer.
fn probe(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PROBE_AT_MOST).ok()?;
    stream.set_read_timeout(Some(PROBE_AT_MOST)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    // Bounded by the server's answer: a read of nothing ends it.
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        received.extend_from_slice(piece.get(..count)?);
        if let Some(response) = Response::parse(&received).ok()? {
            return Some(response.status);
        }
    }
    None
}

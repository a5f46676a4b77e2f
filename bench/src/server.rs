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
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use crate::interrupt;
use crate::response::Response;
use crate::usage;

/// A server that is not ready by then never will be.
const READY_AT_MOST: Duration = Duration::from_secs(60);

/// How often readiness is asked for; the precision of the time to ready.
const READY_EVERY: Duration = Duration::from_millis(1);

/// The same where asking is a process of its own.
const READY_BY_PROGRAM_EVERY: Duration = Duration::from_millis(50);

/// How long a server may take to end in order before it is killed.
const STOP_AT_MOST: Duration = Duration::from_secs(15);

/// How long one probe may take.
const PROBE_AT_MOST: Duration = Duration::from_secs(2);

/// How much of a failed server's log is shown.
const LOG_SHOWN_BYTES: usize = 2_000;

/// How a server tells that it is ready.
pub(crate) enum Probe<'a> {
    /// By its answer to a GET.
    Get { path: &'a str, only_200: bool },
    /// By the end of a program that is given its address (`-h HOST -p PORT`).
    Program { program: PathBuf },
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    time_to_ready: Duration,
    /// What it needs, which ends after it.
    needs: Option<Box<Self>>,
}

impl Probe<'_> {
    fn every(&self) -> Duration {
        match self {
            Self::Get { .. } => READY_EVERY,
            Self::Program { .. } => READY_BY_PROGRAM_EVERY,
        }
    }

    fn is_ready(&self, address: SocketAddr) -> bool {
        match self {
            Self::Get { path, only_200 } => {
                get(address, path).is_some_and(|status| status == 200 || !only_200)
            }
            Self::Program { program } => {
                let mut command = Command::new(program);
                command
                    .args(["-h", &address.ip().to_string()])
                    .args(["-p", &address.port().to_string()])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            }
        }
    }
}

impl Server {
    /// Starts what `command` makes of a free port and waits until `path`
    /// answers, with 200 if `only_200`, otherwise with anything.
    ///
    /// # Errors
    /// `command` failed, it cannot be started, ends at once, or is not ready in time.
    pub(crate) fn start(
        command: impl FnOnce(SocketAddr) -> anyhow::Result<Command>,
        log: &Path,
        path: &str,
        only_200: bool,
    ) -> anyhow::Result<Self> {
        Self::start_until(command, log, &Probe::Get { path, only_200 })
    }

    /// The same, with another way to tell that it is ready.
    ///
    /// # Errors
    /// `command` failed, it cannot be started, ends at once, or is not ready in time.
    pub(crate) fn start_until(
        command: impl FnOnce(SocketAddr) -> anyhow::Result<Command>,
        log: &Path,
        probe: &Probe<'_>,
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
            needs: None,
        };
        let ready = interrupt::wait_until(READY_AT_MOST, probe.every(), || {
            if let Some(status) = server.child.try_wait()? {
                bail!("it ended with {status}; {}", server.last_words());
            }
            Ok(probe.is_ready(address))
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

    /// The same server, which ends `needed` when it has ended itself.
    pub(crate) fn upon(mut self, needed: Self) -> Self {
        self.needs = Some(Box::new(needed));
        self
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

    /// All its processes, with those of what it needs.
    fn pids(&self) -> Vec<u32> {
        let mut pids = usage::family(self.pid());
        pids.extend(self.needs.iter().flat_map(|needed| needed.pids()));
        pids
    }

    /// The processor time of all its processes so far, with those that have ended.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let own = usage::family_cpu_time(self.pid())?;
        match &self.needs {
            Some(needed) => Ok(own + needed.cpu_time()?),
            None => Ok(own),
        }
    }

    /// # Errors
    /// The process is gone.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        usage::resident_bytes_of(&self.pids())
    }

    /// The most memory that it ever had resident. Of several processes only what they
    /// have now is known.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn peak_resident_bytes(&self) -> anyhow::Result<u64> {
        match self.pids().as_slice() {
            [pid] => usage::peak_resident_bytes(*pid),
            pids => usage::resident_bytes_of(pids),
        }
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

    /// Asks the process to end, and kills it if it does not, with all that it has
    /// started.
    fn stop(&mut self) {
        // The process has not been waited for, so its number is still its own.
        let pid = Pid::from_child(&self.child);
        let _gone = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + STOP_AT_MOST;
        while Instant::now() < deadline && !has_ended(pid) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _gone = kill_process_group(pid, Signal::KILL);
        let _reaped = self.child.wait();
    }
}

/// Whether the child has ended. Its number stays its own until it is waited for.
fn has_ended(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A loopback address that nobody listens at now. Another process could take it
/// before the server does; then the server says so and ends.
///
/// # Errors
/// There is none.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// The status of one GET on a connection of its own; `None` if there is no answer.
fn get(address: SocketAddr, path: &str) -> Option<u16> {
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

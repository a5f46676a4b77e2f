//! `cargo xtask docs`: what the documents tell a reader to type is typed, and what they
//! say is printed is compared with what is.
//!
//! - Every ```` ```sh ```` block is run by bash, in order, in an empty directory of the
//!   page's own, with `matchbook` on the `PATH`. One shell runs the whole page, so that
//!   variables stay.
//! - A block that starts a server (`matchbook serve`, `cargo run --release -- serve`)
//!   holds nothing else. The server runs until the next such block or the end of the
//!   page; then it gets SIGTERM and must end with 0.
//! - A `cargo xtask` line is not run: it is checked that there is such a command.
//! - A `text`, `http` or `json` block right after is what is printed ([`expect`]).
//!   Without one, all commands of the block must succeed.

mod expect;
mod page;
mod server;
mod shell;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::{args, child, files};
use page::{Block, Kind};
use server::Server;
use shell::Shell;

/// The port in the documents.
const PORT: u16 = 2040;

/// Pages whose commands are not run: they take many minutes, and short runs of the same are
/// steps of the tests.
const NOT_RUN: [&str; 3] = [
    "docs/benchmarks.md",
    "docs/performance.md",
    "docs/reliability.md",
];

/// Builds the server, and runs the pages with these names, or all.
pub(crate) fn build_and_run(names: &[String]) -> Result<(), String> {
    let built = child::cargo()
        .args(["build", "--locked", "--release"])
        .status()
        .map_err(|error| error.to_string())?;
    if !built.success() {
        return Err("the server does not build".to_owned());
    }
    run(names, &mut |line| println!("{line}"))
}

/// Runs pages with the server that is built already.
pub(crate) fn run(names: &[String], say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let root = files::root();
    for name in pages(&root, names)? {
        let text = fs::read_to_string(root.join(&name))
            .map_err(|error| format!("{}: {error}", name.display()))?;
        let blocks = page::blocks(&text).map_err(|fault| format!("{}:{fault}", name.display()))?;
        if blocks.is_empty() {
            continue;
        }
        let mut session = Session::begin(&root)?;
        for block in &blocks {
            session
                .run(block)
                .map_err(|fault| format!("{}:{}: {fault}", name.display(), block.line))?;
        }
        session
            .end()
            .map_err(|fault| format!("{}: {fault}", name.display()))?;
        say(&format!("{}: {} blocks ran", name.display(), blocks.len()));
    }
    Ok(())
}

fn pages(root: &Path, names: &[String]) -> Result<Vec<PathBuf>, String> {
    if !names.is_empty() {
        return Ok(names.iter().map(PathBuf::from).collect());
    }
    let found = files::with_endings(root, &[".md"]).map_err(|error| error.to_string())?;
    let is_ours = |page: &PathBuf| {
        let directory = page.parent().unwrap_or(Path::new(""));
        let is_run = NOT_RUN.iter().all(|name| page != Path::new(name));
        is_run && (directory == Path::new("") || directory == Path::new("docs"))
    };
    Ok(found.into_iter().filter(is_ours).collect())
}

/// One page at work.
struct Session {
    root: PathBuf,
    directory: PathBuf,
    path: std::ffi::OsString,
    port: u16,
    shell: Shell,
    server: Option<Server>,
}

impl Session {
    fn begin(root: &Path) -> Result<Self, String> {
        let target = files::target()?;
        let directory = target.join("xtask/page");
        let fresh = || {
            if directory.exists() {
                fs::remove_dir_all(&directory)?;
            }
            fs::create_dir_all(&directory)
        };
        fresh().map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut places = vec![target.join("release")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        places.extend(std::env::split_paths(&path));
        let path = std::env::join_paths(places).map_err(|error| error.to_string())?;
        let port = free_port()?;
        let server = (port != PORT).then(|| format!("http://127.0.0.1:{port}"));
        let shell = Shell::start(&directory, &path, server.as_deref())?;
        Ok(Self {
            root: root.to_owned(),
            port,
            directory,
            path,
            shell,
            server: None,
        })
    }

    fn run(&mut self, block: &Block) -> Result<(), String> {
        let commands = self.localised(&block.text);
        let expected = block.expected.as_deref().map(|text| self.localised(text));
        match block.kind {
            Kind::Xtask => check_xtask_lines(&commands),
            Kind::Server => {
                self.stop_server()?;
                let server = self.start_server(&commands, expected.as_deref())?;
                self.server = Some(server);
                Ok(())
            }
            Kind::Shell => self.shell.run(&commands, expected.as_deref()),
        }
    }

    fn end(mut self) -> Result<(), String> {
        self.stop_server()?;
        fs::remove_dir_all(&self.directory).map_err(|error| error.to_string())
    }

    fn stop_server(&mut self) -> Result<(), String> {
        self.server.take().map_or(Ok(()), Server::stop)
    }

    /// `cargo run` needs the repository around it; its data stay outside all the same.
    fn start_server(&self, line: &str, expected: Option<&str>) -> Result<Server, String> {
        let mut command = shell::bash(&self.path);
        command
            .arg("-c")
            .arg(format!("exec env {line}"))
            .current_dir(&self.directory);
        let is_built = !line.contains("cargo run");
        if !is_built {
            command
                .current_dir(&self.root)
                .env("MATCHBOOK_DATA", self.directory.join("matchbook-data"));
        }
        if self.port != PORT {
            let address = SocketAddr::from(([127, 0, 0, 1], self.port));
            command.env("MATCHBOOK_LISTEN", address.to_string());
        }
        Server::start(&mut command, is_built, expected)
    }

    /// The text with the port that is used here.
    fn localised(&self, text: &str) -> String {
        text.replace(&PORT.to_string(), &self.port.to_string())
    }
}

/// The documented port, or another if somebody else listens there.
fn free_port() -> Result<u16, String> {
    let any_free = [PORT, 0].into_iter().find_map(|port| {
        let listener = TcpListener::bind(("127.0.0.1", port)).ok()?;
        listener.local_addr().ok()
    });
    any_free
        .map(|address| address.port())
        .ok_or_else(|| "no port is free".to_owned())
}

fn check_xtask_lines(commands: &str) -> Result<(), String> {
    for line in page::command_lines(commands) {
        let words = line.split_whitespace().skip(2).map(str::to_owned);
        args::parse(&words.collect::<Vec<_>>())?;
    }
    Ok(())
}

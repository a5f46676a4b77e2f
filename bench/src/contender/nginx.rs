//! nginx with its own WebDAV module: documents are files, which it does not sync, and
//! saves without looking at the condition (`bench/peers/nginx/`). What a file server
//! costs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Programs, version_of};
use crate::dialect::{Ability, Ask, Dialect, Plain, Tells};
use crate::server::Server;
use crate::work::{Work, content, head};

pub(super) fn prepare(programs: &Programs) -> anyhow::Result<String> {
    // As "nginx version: nginx/1.22.1".
    let printed = version_of(Command::new(program(programs)?).arg("-v"))?;
    let version = printed.rsplit('/').next().unwrap_or_default();
    Ok(format!("nginx {version}"))
}

fn program(programs: &Programs) -> anyhow::Result<PathBuf> {
    programs.debian("nginx", "usr/sbin/nginx")
}

pub(super) fn start(programs: &Programs, directory: &Path) -> anyhow::Result<Server> {
    let program = program(programs)?;
    fs::create_dir_all(directory.join("files/bench"))?;
    let command = |address| {
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration(directory, address))?;
        Ok(nginx_command(&program, directory, &file))
    };
    // Nothing is there yet: any answer will do.
    Server::start(command, &directory.join("nginx.log"), "/bench/0", false)
}

/// nginx with all its files in `directory`.
pub(crate) fn nginx_command(program: &Path, directory: &Path, file: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-p").arg(directory).arg("-c").arg(file);
    // Errors before the configuration is read would go to a file of the system's.
    command.args(["-e", "stderr"]);
    command
}

/// Where nginx keeps what it has not sent or received in full.
pub(crate) fn temporary_paths(directory: &Path) -> String {
    let directory = directory.display();
    let kinds = [
        ("client_body", "client"),
        ("proxy", "proxy"),
        ("fastcgi", "fastcgi"),
        ("uwsgi", "uwsgi"),
        ("scgi", "scgi"),
    ];
    let lines = kinds.map(|(kind, name)| format!("    {kind}_temp_path {directory}/{name};\n"));
    lines.concat()
}

/// One worker for each processor. `user` counts only for a server that root starts: its
/// workers could not read the data of this run otherwise.
fn configuration(directory: &Path, address: SocketAddr) -> String {
    let temporary = temporary_paths(directory);
    let directory = directory.display();
    format!(
        "user root;
daemon off;
worker_processes auto;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    default_type application/json;
{temporary}    server {{
        listen {address};
        root {directory}/files;
        location /bench/ {{
            dav_methods PUT DELETE;
            client_max_body_size 4m;
        }}
    }}
}}
"
    )
}

/// Files: a PUT replaces what is there, whatever the condition says, and its answer has
/// no `ETag`.
pub(super) struct Dav;

impl Dialect for Dav {
    fn ability(&self, work: Work) -> Ability {
        match work {
            Work::Get | Work::NotModified => Ability::Whole,
            Work::Put | Work::Create => Ability::Blind,
            Work::Patch | Work::List | Work::Filter => Ability::None,
        }
    }

    fn tells(&self) -> Tells {
        Tells::Reads
    }

    fn request(&self, ask: &Ask<'_>, wire: &mut Vec<u8>) {
        match ask.work {
            Work::Put | Work::Create => {
                head(wire, "PUT", ask.number, ask.host);
                content(wire, "application/json", ask.body);
            }
            _ => Plain.request(ask, wire),
        }
    }

    fn status(&self, work: Work) -> u16 {
        Plain.status(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::tests::asked;

    #[test]
    fn a_put_has_no_condition_that_would_be_ignored() {
        assert!(!asked(&Dav, Work::Put).contains("If-"));
        assert!(asked(&Dav, Work::NotModified).contains("If-None-Match: \"t\""));
    }

    #[test]
    fn the_configuration_stays_in_the_directory() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let text = configuration(Path::new("/data/x"), address);
        for line in text.lines().filter(|line| line.contains("_path")) {
            assert!(line.contains(" /data/x/"), "{line}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}

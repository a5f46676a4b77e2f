//! The bare hyper server, started as a process of this program.

use std::path::Path;
use std::process::Command;

use crate::dialect::{Ability, Ask, Dialect, Plain, Tells};
use crate::server::Server;
use crate::work::Work;

pub(super) fn start(directory: &Path) -> anyhow::Result<Server> {
    let program = std::env::current_exe()?;
    let command = |address: std::net::SocketAddr| {
        let mut command = Command::new(&program);
        command.arg("bare").arg("--listen").arg(address.to_string());
        Ok(command)
    };
    Server::start(command, &directory.join("bare.log"), "/bench/0", true)
}

/// Answers every write with 204, and every read of a document with the same.
pub(super) struct Constant;

impl Dialect for Constant {
    fn ability(&self, work: Work) -> Ability {
        match work {
            Work::List | Work::Filter => Ability::None,
            _ => Ability::Whole,
        }
    }

    fn tells(&self) -> Tells {
        Tells::Nothing
    }

    fn request(&self, ask: &Ask<'_>, wire: &mut Vec<u8>) {
        Plain.request(ask, wire);
    }

    fn status(&self, work: Work) -> u16 {
        match work {
            Work::Create => 204,
            other => Plain.status(other),
        }
    }
}

//! How a command ends: exit codes, and the one line that says why.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

/// The exit codes, as the help documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Done,
    /// The server refused, or a part of the work failed.
    Refused,
    /// Wrong usage, or a local file that cannot be read or written.
    Usage,
    /// The server cannot be reached, broke off or failed.
    Unreachable,
    /// The document changed meanwhile.
    Stale,
    /// Stopped by Ctrl-C: 128 + SIGINT, as shells count.
    Interrupted,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Stale => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command stops early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Nothing to say where the reader of a pipe has gone.
    pub(crate) message: Option<String>,
}

/// How a command ended.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: Some(message.to_string()),
        }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn unreachable(message: impl fmt::Display) -> Self {
        Self::new(Exit::Unreachable, message)
    }
}

/// An error of stdin, stdout or a file; never one of the network.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self {
                exit: Exit::Done,
                message: None,
            };
        }
        Self::usage(error)
    }
}

/// Says what went wrong and makes the exit code.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    let exit = outcome.unwrap_or_else(|failure| {
        if let Some(message) = failure.message {
            say(format_args!("matchbook: {message}"));
        }
        failure.exit
    });
    ExitCode::from(exit.code())
}

/// Writes a line to stderr. If nobody can read it, that is no reason to fail.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_is_quiet_and_other_errors_are_not() {
        let quiet = Failure::from(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!((quiet.exit, quiet.message), (Exit::Done, None));
        let loud = Failure::from(io::Error::other("no"));
        assert_eq!(loud.exit, Exit::Usage);
        assert!(loud.message.is_some());
    }
}

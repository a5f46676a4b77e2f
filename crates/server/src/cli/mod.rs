//! The command line: what each command takes, and which function does it.
//!
//! Commands write data to stdout and everything else to stderr, so that pipes work.
//! Each returns an [`exit::Outcome`]; its exit code is documented in the help.

mod backup;
mod client;
mod document;
mod edit;
mod exit;
mod export;
#[cfg(test)]
mod fake;
mod import;
mod key;
mod layout;
mod list;
mod manual;
mod mirror;
mod pointer;
mod progress;
mod rebase;
mod serve;
mod serve_args;
mod show;
mod split;
mod stream;
mod tag_arg;
mod target;
mod token;
mod watch;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use exit::Outcome;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the server refused (4xx), or a part of the work failed
  2    wrong usage, or a local file that cannot be read or written
  3    the server cannot be reached, broke off or failed (5xx)
  4    stale: the document changed meanwhile (412)
  130  stopped by Ctrl-C";

/// A server for JSON documents that many clients edit at once: no save overwrites
/// another one that it has not seen.
#[derive(Debug, Parser)]
#[command(name = "matchbook", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  matchbook serve
  echo '{\"title\":\"Milk\"}' | matchbook put /notes/1
  matchbook get /notes/1
  matchbook patch /notes/1 --edit
  matchbook watch /notes
  matchbook import /countries countries.ndjson --id /cca3";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve_args::ServeArgs),
    /// Print the settings as a TOML file, each with where it came from
    Config(serve_args::ConfigArgs),
    /// Print a document
    Get(document::GetArgs),
    /// Create or replace a document
    Put(document::PutArgs),
    /// Change parts of a document
    Patch(document::PatchArgs),
    /// Delete a document
    Delete(document::DeleteArgs),
    /// List collections, or the documents of one
    Ls(list::ListArgs),
    /// Print changes as they happen
    Watch(watch::WatchArgs),
    /// Keep a directory of files equal to a collection
    Mirror(mirror::MirrorArgs),
    /// Save each document of a file in a collection
    Import(import::ImportArgs),
    /// Write all documents of a collection to a file
    Export(export::ExportArgs),
    /// Copy a data directory into one file, also while the server runs
    Backup(backup::BackupArgs),
    /// Make a data directory from a backup
    Restore(backup::RestoreArgs),
    /// Make a token for a server that asks for one
    Token(token::TokenArgs),
    /// Make, list and revoke API keys
    Key(key::KeyArgs),
    /// Print the completions for a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page
    Man(manual::ManArgs),
}

/// How a server is reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ClientArgs {
    /// The server that a PATH without scheme is on
    #[arg(
        long,
        value_name = "URL",
        env = "MATCHBOOK_SERVER",
        default_value = "http://127.0.0.1:2040"
    )]
    server: String,

    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", env = "MATCHBOOK_CACERT")]
    cacert: Option<std::path::PathBuf>,

    /// Send this header field too, such as 'Authorization: Bearer …'; repeatable
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
}

/// Reads the arguments, does what they say, and tells the shell how it went.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stdout (`--help | head`) is no reason to complain.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    exit::report(run(cli.command))
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(args.resolve()?.settings),
        Command::Config(args) => args.run(),
        Command::Get(args) => client::block_on(args.run()),
        Command::Put(args) => client::block_on(args.run()),
        Command::Patch(args) => client::block_on(args.run()),
        Command::Delete(args) => client::block_on(args.run()),
        Command::Ls(args) => client::block_on(args.run()),
        Command::Watch(args) => client::block_on(args.run()),
        Command::Mirror(args) => client::block_on(args.run()),
        Command::Import(args) => client::block_on(args.run()),
        Command::Export(args) => client::block_on(args.run()),
        Command::Backup(args) => args.run(),
        Command::Restore(args) => args.run(),
        Command::Token(args) => args.run(),
        Command::Key(args) => client::block_on(args.run()),
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}

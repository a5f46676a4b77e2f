//! `operation`: work that takes long, started and shown to its end.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use super::exit::{Exit, Failure, Outcome, say};
use super::progress::Progress;
use super::target::Target;
use super::{ClientArgs, client, show};

/// Between two looks: as often as a server tells anything new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
The server does the work. The command shows how far it is, and prints the operation when it has
ended; Ctrl-C ends the command alone. 'matchbook delete' of an operation's path cancels it.

Examples:
  matchbook operation export /notes --query 'done=true&_sort=due'
  matchbook operation import /copies --source /_/operations/0197…
  matchbook operation delete-collection /notes
  matchbook operation backup --detach";

/// Have the server do work that takes long
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct OperationArgs {
    #[command(flatten)]
    asked: Asked,

    /// Print the operation's path, and do not wait for its end
    #[arg(long)]
    detach: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// What the server is asked for.
#[derive(Args, Debug, Serialize)]
struct Asked {
    /// What to do
    #[arg(value_enum)]
    kind: Kind,

    /// A collection such as /notes; a backup is of all
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<String>,

    /// What to export: filters and order as in the query of a list
    #[arg(long, value_name = "QUERY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,

    /// Export path, tag and time around each document
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    items: bool,

    /// The export to import; 'matchbook import' imports a file
    #[arg(long, value_name = "PATH", required_if_eq("kind", "import"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,

    /// Where in each imported document its id is: a JSON pointer
    #[arg(long, value_name = "POINTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,

    /// Overwrite documents that differ
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replace: bool,

    /// The field to index
    #[arg(long, value_name = "FIELD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// Write documents to a file that can be fetched
    Export,
    /// Save the documents of such a file in a collection
    Import,
    /// Delete all documents of a collection
    DeleteCollection,
    /// Make an index of a field
    BuildIndex,
    /// Copy all data into one file of the data directory
    Backup,
}

/// How an operation stands.
#[derive(Deserialize)]
struct State {
    status: String,
    done: u64,
    total: Option<u64>,
}

impl OperationArgs {
    pub(crate) async fn run(self) -> Outcome {
        let target = Target::join(&self.client.server, "/_/operations")?;
        let mut request = client::request(Method::POST, &target.path)?;
        let asked = serde_json::to_vec(&self.asked).map_err(Failure::usage)?;
        *request.body_mut() = Full::new(Bytes::from(asked));
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let response = client::send_once(&target, &self.client, request).await?;
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let (StatusCode::ACCEPTED, Some(path)) = (response.status(), location) else {
            return show::show(response, false).await;
        };
        if self.detach {
            writeln!(std::io::stdout(), "{path}")?;
            return Ok(Exit::Done);
        }
        let operation = target.follow(path);
        tokio::select! {
            outcome = self.wait(&operation) => outcome,
            Ok(()) = tokio::signal::ctrl_c() => {
                say(format_args!("it goes on; to cancel it: matchbook delete {path}"));
                Ok(Exit::Interrupted)
            }
        }
    }

    async fn wait(&self, operation: &Target) -> Outcome {
        let mut progress = None;
        loop {
            let request = client::request(Method::GET, &operation.path)?;
            let response = client::send_once(operation, &self.client, request).await?;
            if response.status() != StatusCode::OK {
                return show::show(response, false).await;
            }
            let body = client::collect(response.into_body()).await?;
            let state: State = serde_json::from_slice(&body).map_err(Failure::unreachable)?;
            let total = state.total;
            let progress = progress.get_or_insert_with(|| Told::new(total));
            // A backup is counted in bytes, and done at once.
            if !matches!(self.asked.kind, Kind::Backup) {
                progress.tell(state.done);
            }
            if state.status != "running" {
                progress.shown.finish();
                let mut out = std::io::stdout();
                out.write_all(&body)?;
                writeln!(out)?;
                return Ok(match &*state.status {
                    "succeeded" => Exit::Done,
                    _ => Exit::Refused,
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// How far it was when that was last told.
struct Told {
    shown: Progress,
    done: u64,
}

impl Told {
    fn new(total: Option<u64>) -> Self {
        let shown = Progress::new(total);
        Self { shown, done: 0 }
    }

    fn tell(&mut self, done: u64) {
        self.shown.count(done.saturating_sub(self.done));
        self.shown.read_to(done);
        self.shown.show();
        self.done = done;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: OperationArgs,
    }

    #[test]
    fn section_9_only_what_was_said_is_sent() {
        let cases: [(&[&str], &str); 3] = [
            (&["backup"], r#"{"kind":"backup"}"#),
            (
                &["export", "/c", "--query", "a=1", "--items"],
                r#"{"kind":"export","collection":"/c","query":"a=1","items":true}"#,
            ),
            (
                &["delete-collection", "/c"],
                r#"{"kind":"delete-collection","collection":"/c"}"#,
            ),
        ];
        for (args, expected) in cases {
            let command = Command::parse_from(["matchbook"].iter().chain(args));
            let sent = serde_json::to_string(&command.args.asked).unwrap();
            assert_eq!(sent, expected);
        }
    }
}

//! `watch`: what happens to documents, as it happens.

mod describe;
mod held;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use self::describe::{Mark, printable};
use self::held::{Held, Seen};
use super::ClientArgs;
use super::exit::{Exit, Failure, Outcome, say};
use super::list::parse_condition;
use super::stream::{Change, Event, Follower, News, Patience, Told};
use super::target::Target;

const EXAMPLES: &str = "\
Prints each change with its time, the document, and what is different. A line that is lost is come
back to, and nothing is missed meanwhile. What is said about the line itself goes to stderr.

With --json each event is a line {\"event\":…,\"id\":…,\"data\":…}; the id is fit for --since.

Examples:
  matchbook watch /notes
  matchbook watch /notes/1
  matchbook watch /
  matchbook watch /notes --where done=false --fields title
  matchbook watch /notes --snapshot --json
  matchbook watch /notes --since k3v4q2ab-17 --once";

/// Print changes as they happen
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArgs {
    /// A document such as /notes/1, a collection such as /notes, / for all there is, or a full URL
    path: String,

    /// Begin after this cursor instead of now
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,

    /// Begin with all documents as they are
    #[arg(long, conflicts_with = "since")]
    snapshot: bool,

    /// Only documents for which this holds, as 'ls' takes it; repeatable
    #[arg(long = "where", value_name = "CONDITION", value_parser = parse_condition)]
    conditions: Vec<(String, String)>,

    /// Only these fields of the documents
    #[arg(long, value_name = "FIELDS")]
    fields: Option<String>,

    /// End when all that has happened so far is printed
    #[arg(long)]
    once: bool,

    /// End after so many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Print each event as a JSON object on a line of its own
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// An event as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    event: &'a str,
    id: &'a str,
    data: &'a RawValue,
}

/// What is printed, and when it is enough.
struct Printer<W> {
    out: W,
    is_json: bool,
    held: Held,
    /// End at the next `synced`.
    is_once: bool,
    left: Option<u64>,
    /// Say when the line has caught up.
    is_new_line: bool,
}

impl WatchArgs {
    pub(crate) async fn run(self) -> Outcome {
        let out = anstream::stdout();
        tokio::select! {
            outcome = self.follow(out) => outcome,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        }
    }

    async fn follow(&self, out: impl Write) -> Outcome {
        let patience = if self.once {
            Patience::Bounded
        } else {
            Patience::Endless
        };
        let mut follower = Follower::new(self.target()?, &self.client, "", patience)?;
        let mut printer = Printer {
            out,
            is_json: self.json,
            held: Held::new(),
            is_once: self.once,
            left: self.limit,
            is_new_line: true,
        };
        loop {
            match follower.next().await? {
                News::Events(events) => {
                    let is_over = printer.print(&events)?;
                    printer.out.flush()?;
                    if is_over {
                        return Ok(Exit::Done);
                    }
                }
                News::Lost { why, wait } => {
                    let seconds = wait.as_secs_f64();
                    say(format_args!("{why}; trying again in {seconds:.1} s"));
                    printer.is_new_line = true;
                }
            }
        }
    }

    fn target(&self) -> Result<Target, Failure> {
        let mut target = Target::join(&self.client.server, &self.path)?;
        if target.path.ends_with('/') {
            target.path.push_str("_/changes");
        }
        for (field, value) in &self.conditions {
            target.push_query(field, value);
        }
        if let Some(fields) = &self.fields {
            target.push_query("_fields", fields);
        }
        if let Some(since) = &self.since {
            target.push_query("_since", since);
        }
        if self.snapshot {
            target.push_query("_snapshot", "true");
        }
        Ok(target)
    }
}

impl<W: Write> Printer<W> {
    /// Prints events; whether that is enough.
    fn print(&mut self, events: &[Event]) -> Result<bool, Failure> {
        for event in events {
            if self.is_json {
                self.line(event)?;
            }
            let told = event.told().map_err(not_ours)?;
            match told {
                Told::Change(change) => {
                    if !self.is_json {
                        self.change(&change)?;
                    }
                    self.left = self.left.map(|left| left.saturating_sub(1));
                    if self.left == Some(0) {
                        return Ok(true);
                    }
                }
                Told::Synced if self.is_once => {
                    self.say(format_args!("up to date at {}", event.id));
                    return Ok(true);
                }
                Told::Synced if std::mem::take(&mut self.is_new_line) => {
                    self.say(format_args!("up to date at {}, waiting", event.id));
                }
                Told::Reset(reason) => {
                    self.held.clear();
                    let reason = printable(&reason);
                    self.say(format_args!("from the beginning ({reason}): what there is"));
                }
                Told::Synced | Told::End(_) | Told::Nothing => {}
            }
        }
        Ok(false)
    }

    /// What `--json` prints on stdout need not be said.
    fn say(&self, line: impl std::fmt::Display) {
        if !self.is_json {
            say(line);
        }
    }

    fn line(&mut self, event: &Event) -> Result<(), Failure> {
        // A line break in JSON is never part of a value.
        let data = event.data.replace(['\n', '\r'], " ");
        let data = RawValue::from_string(data).map_err(not_ours)?;
        let line = Line {
            event: &event.name,
            id: &event.id,
            data: &data,
        };
        let line = serde_json::to_string(&line).map_err(not_ours)?;
        Ok(writeln!(self.out, "{line}")?)
    }

    fn change(&mut self, change: &Change<'_>) -> io::Result<()> {
        let Seen::Now { before } = self.held.see(change) else {
            return Ok(());
        };
        let time = printable(change.modified.as_deref().unwrap_or("-"));
        let verb = describe::verb(&change.kind);
        let (path, dim, bold) = (&change.path, Style::new().dimmed(), Style::new().bold());
        writeln!(
            self.out,
            "{dim}{time:24}{dim:#}  {bold}{path}{bold:#}  {verb}"
        )?;
        for line in describe::lines(change, before.as_deref()) {
            let (sign, style) = sign(line.mark);
            writeln!(self.out, "    {style}{sign} {}{style:#}", line.text)?;
        }
        Ok(())
    }
}

fn not_ours(fault: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Refused, fault)
}

fn sign(mark: Mark) -> (char, Style) {
    let coloured = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match mark {
        Mark::Added => ('+', coloured(AnsiColor::Green)),
        Mark::Removed => ('-', coloured(AnsiColor::Red)),
        Mark::Changed => ('~', coloured(AnsiColor::Yellow)),
        Mark::Plain => (' ', Style::new()),
    }
}

#[cfg(test)]
mod tests;

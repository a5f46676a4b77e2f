//! What rules cost: PATCH by somebody with a token, under no policies, under a policy that
//! needs no document, under one that reads the document, and under a schema of 20 members;
//! and what an atomic batch saves.
//!
//! All servers run at once, and each is measured after the other in each round.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cell::{self, Cell, Subject, Times, median, ratio};
use crate::client::Client;
use crate::contender::{Contender, Programs};
use crate::corpus::Corpus;
use crate::document::Templates;
use crate::fill;
use crate::server::Server;
use crate::work::Work;

/// How many writes a batch holds, at most (contract §8).
const BATCH: u64 = 1_000;

/// A policy that is decided once for a caller and a collection.
const PLACE_POLICY: &str =
    r#"permit (principal is User, action, resource in Collection::"/bench");"#;

/// A policy that is decided anew for each document, by what it holds.
const FIELDS_POLICY: &str = "permit (principal is User, action, resource) \
    unless { resource has owner && resource.owner != principal.id };";

/// What holds on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rule {
    /// Credentials are enough.
    Credentials,
    /// A policy that needs no document.
    Place,
    /// A policy that reads the document.
    Fields,
    /// A schema of 20 members.
    Schema,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Credentials => "credentials alone",
            Self::Place => "policy, no document",
            Self::Fields => "policy, its members",
            Self::Schema => "schema of 20 members",
        })
    }
}

const RULES: [Rule; 4] = [Rule::Credentials, Rule::Place, Rule::Fields, Rule::Schema];

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) documents: u64,
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) times: Times,
}

/// The medians of one server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) rule: Rule,
    pub(crate) requests_per_second: f64,
    /// Median of the ratios to credentials alone, within each round.
    pub(crate) ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) answers_per_server_cpu_second: f64,
    pub(crate) faults: u64,
}

/// A thousand writes over one connection, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Batches {
    pub(crate) single_ms: f64,
    pub(crate) batch_ms: f64,
    /// Median of the ratios within each round.
    pub(crate) ratio: f64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) measured_seconds: f64,
    pub(crate) rows: Vec<Row>,
    pub(crate) batches: Batches,
    pub(crate) cells: Vec<Vec<Cell>>,
}

impl Measured {
    /// All unexpected answers and failed connections.
    pub(crate) fn fault_count(&self) -> u64 {
        self.rows.iter().map(|row| row.faults).sum()
    }
}

/// Runs it with the data in `directory`.
///
/// # Errors
/// Matchbook does not run, or the generator gave up.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Measured> {
    programs.require_matchbook()?;
    // Declared before the servers, so that they end before their files go.
    let mut directories = Vec::new();
    let mut subjects = Vec::new();
    for rule in RULES {
        let own = tempfile::Builder::new()
            .prefix("rules-")
            .tempdir_in(directory)?;
        subjects.push(start(plan, programs, rule, &own)?);
        directories.push(own);
    }
    let mut cells: Vec<Vec<Cell>> = Vec::new();
    let mut batches = Vec::new();
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        let measured = subjects
            .iter_mut()
            .map(|subject| cell::measure(subject, Work::Patch, plan.connections, plan.times));
        cells.push(measured.collect::<anyhow::Result<_>>()?);
        if let Some(subject) = subjects.first() {
            batches.push(batch(subject, round)?);
        }
    }
    drop(subjects);
    drop(directories);
    Ok(Measured {
        connections: plan.connections,
        rounds: plan.rounds,
        measured_seconds: plan.times.measured.as_secs_f64(),
        rows: rows(&cells),
        batches: Batches {
            single_ms: median(batches.iter().map(|(single, _)| *single)),
            batch_ms: median(batches.iter().map(|(_, batch)| *batch)),
            ratio: median(batches.iter().map(|(single, batch)| ratio(*single, *batch))),
        },
        cells,
    })
}

/// Starts a server under a rule, and fills it.
fn start(
    plan: &Plan,
    programs: &Programs,
    rule: Rule,
    directory: &TempDir,
) -> anyhow::Result<Subject> {
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "a secret of at least thirty-two bytes\n")?;
    let secret = secret.to_str().context("a path that is no text")?;
    let mut flags = vec!["--auth-key", secret, "--auth-issuer", "bench"];
    flags.extend(["--auth-audience", "bench"]);
    let policy = directory.path().join("bench.cedar");
    let text = match rule {
        Rule::Credentials | Rule::Schema => None,
        Rule::Place => Some(PLACE_POLICY),
        Rule::Fields => Some(FIELDS_POLICY),
    };
    if let Some(text) = text {
        std::fs::write(&policy, text)?;
        flags.extend([
            "--policy",
            policy.to_str().context("a path that is no text")?,
        ]);
    }
    let server = programs.start_matchbook_with(directory.path(), &flags)?;
    let token = token(&programs.matchbook, secret)?;
    let mut corpus = Corpus::new(plan.documents, plan.documents);
    corpus.host = server.address().to_string();
    corpus.with_field("Authorization", &format!("Bearer {token}"));
    if rule == Rule::Schema {
        set_schema(&server, &corpus.host)?;
    }
    fill::fill(
        Contender::Matchbook,
        &server,
        &mut corpus,
        &rule.to_string(),
    )
    .and_then(|()| fill::learn(Contender::Matchbook, &server, &mut corpus))
    .with_context(|| server.last_words())?;
    Ok(Subject {
        contender: Contender::Matchbook,
        server,
        corpus,
    })
}

/// What `matchbook token` prints.
fn token(program: &Path, secret: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(["token", "--key", secret, "--iss", "bench", "--aud", "bench"])
        .args(["--sub", "bench", "--expires", "24h"])
        .output()
        .context("cannot make a token")?;
    if !output.status.success() {
        bail!("no token: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Sets the schema of the documents that are sent: 20 members, each with its type.
fn set_schema(server: &Server, host: &str) -> anyhow::Result<()> {
    let document = Templates::new().document(0, 0).to_vec();
    let document: Value = serde_json::from_slice(&document)?;
    let members = document.as_object().context("a document is an object")?;
    let described = members.iter().take(20).map(|(name, value)| {
        let kind = match value {
            Value::Null => json!(["null", "string"]),
            Value::Bool(_) => json!("boolean"),
            Value::Number(number) if number.is_f64() => json!("number"),
            Value::Number(_) => json!("integer"),
            Value::String(_) => json!("string"),
            Value::Array(_) => json!("array"),
            Value::Object(_) => json!("object"),
        };
        (name.clone(), json!({"type": kind}))
    });
    let properties: serde_json::Map<String, Value> = described.collect();
    let required: Vec<&String> = properties.keys().collect();
    let schema = json!({"type": "object", "required": required, "properties": properties});
    let settings = json!({"schema": schema}).to_string();
    let mut client = Client::connect(server.address())?;
    let length = settings.len();
    write!(
        client.request,
        "PUT /_/collections/bench HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{settings}"
    )?;
    let status = client.exchange()?.status;
    if status != 201 {
        bail!("{status} instead of 201 to the schema");
    }
    Ok(())
}

/// A thousand documents, made one after the other and in one atomic batch, over one
/// connection; in milliseconds.
fn batch(subject: &Subject, round: usize) -> anyhow::Result<(f64, f64)> {
    let host = &subject.corpus.host;
    let mut client = Client::connect(subject.server.address())?;
    let mut templates = Templates::new();
    let begun = Instant::now();
    for number in 0..BATCH {
        let document = templates.document(number, 0);
        let length = document.len();
        write!(
            client.request,
            "PUT /single/{round}-{number} HTTP/1.1\r\nHost: {host}\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n"
        )?;
        client.request.extend_from_slice(document);
        let status = client.exchange()?.status;
        if status != 201 {
            bail!("{status} instead of 201 to a PUT");
        }
    }
    let single = begun.elapsed();
    let mut body = String::from(r#"{"atomic":true,"requests":["#);
    for number in 0..BATCH {
        let document = std::str::from_utf8(templates.document(number, 0))?;
        let comma = if number == 0 { "" } else { "," };
        write!(
            body,
            r#"{comma}{{"method":"PUT","path":"/batch/{round}-{number}","body":{document}}}"#
        )?;
    }
    body.push_str("]}");
    let begun = Instant::now();
    let length = body.len();
    write!(
        client.request,
        "POST /_/batch HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    let status = client.exchange()?.status;
    if status != 200 {
        bail!("{status} instead of 200 to a batch");
    }
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1_000.0;
    Ok((milliseconds(single), milliseconds(begun.elapsed())))
}

fn rows(cells: &[Vec<Cell>]) -> Vec<Row> {
    let rules = RULES.iter().enumerate();
    rules
        .map(|(index, &rule)| {
            let own: Vec<&Cell> = cells.iter().filter_map(|round| round.get(index)).collect();
            let ratios = cells.iter().filter_map(|round| {
                let base = round.first()?.requests_per_second;
                Some(ratio(round.get(index)?.requests_per_second, base))
            });
            let middle = |value: fn(&Cell) -> f64| median(own.iter().map(|cell| value(cell)));
            Row {
                rule,
                requests_per_second: middle(|cell| cell.requests_per_second),
                ratio: median(ratios),
                p50_us: middle(|cell| cell.p50_us),
                answers_per_server_cpu_second: middle(|cell| cell.answers_per_server_cpu_second),
                faults: own.iter().flat_map(|cell| cell.faults.values()).sum(),
            }
        })
        .collect()
}

/// What is printed.
pub(crate) fn table(measured: &Measured) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\nPATCH of 1 KiB over {} connections, {} rounds of {} s; medians\n\n{:<22}{:>11}{:>9}{:>9}{:>12}{:>8}",
        measured.connections,
        measured.rounds,
        measured.measured_seconds,
        "rules",
        "answers/s",
        "ratio",
        "p50 us",
        "per CPU-s",
        "faults"
    );
    for row in &measured.rows {
        let _ = writeln!(
            text,
            "{:<22}{:>11.0}{:>9.3}{:>9.0}{:>12.0}{:>8}",
            row.rule,
            row.requests_per_second,
            row.ratio,
            row.p50_us,
            row.answers_per_server_cpu_second,
            row.faults
        );
    }
    let Batches {
        single_ms,
        batch_ms,
        ratio,
    } = measured.batches;
    let _ = writeln!(
        text,
        "\n{BATCH} documents over one connection: one by one {single_ms:.0} ms, in one atomic batch \
         {batch_ms:.1} ms: {ratio:.1} times as fast"
    );
    text
}

//! `ls`: the collections of a server, or the documents of one.

use std::io::{self, Write as _};

use bytes::Bytes;
use clap::Args;
use http::header::{ACCEPT, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{self, Client, Connection};
use super::exit::{Exit, Failure, Outcome};
use super::target::Target;
use super::{ClientArgs, show};

/// Items asked for at once: the most that a server gives.
const PAGE_ITEMS: u64 = matchbook_core::limits::PAGE_MAX as u64;

const EXAMPLES: &str = "\
Prints path, entity tag and time of change, separated by tabs.

Examples:
  matchbook ls
  matchbook ls /notes
  matchbook ls /notes --where done=false --where due:lt=2026-02-01 --sort -due --limit 10
  matchbook ls /notes --fields title,tags --json";

/// List collections, or the documents of one
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    /// A collection such as /notes, or a full URL; without it, the collections
    #[arg(default_value = "/")]
    path: String,

    /// Only documents for which this holds: FIELD=VALUE or FIELD:OP=VALUE, with eq, ne, lt, lte,
    /// gt, gte, in, contains, prefix, exists; repeatable
    #[arg(long = "where", value_name = "CONDITION", value_parser = parse_condition)]
    conditions: Vec<(String, String)>,

    /// Order by these fields; '-' before one for descending
    #[arg(long, value_name = "FIELDS", allow_hyphen_values = true)]
    sort: Option<String>,

    /// At most so many; without it, all
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// Only these fields of the documents (with --json)
    #[arg(long, value_name = "FIELDS", requires = "json")]
    fields: Option<String>,

    /// Print each item as it comes, one JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    #[serde(default)]
    next: Option<String>,
}

/// An item, as far as a line shows it.
#[derive(Deserialize)]
struct Item {
    path: String,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    modified: Option<String>,
}

pub(super) fn parse_condition(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field.to_owned(), value.to_owned())),
        _ => Err("a condition has the form FIELD=VALUE or FIELD:OP=VALUE".to_owned()),
    }
}

impl ListArgs {
    pub(crate) async fn run(self) -> Outcome {
        let mut target = self.target()?;
        let client = Client::new(&target, &self.client)?;
        let mut connection = client.connect().await?;
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut out = io::BufWriter::new(io::stdout().lock());
        while left > 0 {
            let page = match fetch(&mut connection, &target).await? {
                Ok(page) => page,
                Err(refused) => return Ok(refused),
            };
            let page: Page<'_> = serde_json::from_slice(&page).map_err(not_a_list)?;
            for item in page
                .items
                .iter()
                .take(usize::try_from(left).unwrap_or(usize::MAX))
            {
                writeln!(out, "{}", self.line(item)?)?;
                left -= 1;
            }
            match page.next {
                Some(next) => target = self.after(&target, &next)?,
                None => break,
            }
        }
        out.flush()?;
        Ok(Exit::Done)
    }

    /// The first page.
    fn target(&self) -> Result<Target, Failure> {
        let mut target = Target::join(&self.client.server, &self.path)?;
        for (field, value) in &self.conditions {
            target.push_query(field, value);
        }
        if let Some(sort) = &self.sort {
            target.push_query("_sort", sort);
        }
        if let Some(fields) = &self.fields {
            target.push_query("_fields", fields);
        }
        if target.path.split('?').next() != Some("/") {
            let page = self.limit.unwrap_or(PAGE_ITEMS).min(PAGE_ITEMS);
            target.push_query("_limit", &page.to_string());
        }
        Ok(target)
    }

    /// The page that `next` names: a reference, or a token for `_after`.
    fn after(&self, current: &Target, next: &str) -> Result<Target, Failure> {
        if next.starts_with(['/', '?']) || next.contains("://") {
            return Ok(current.follow(next));
        }
        let mut target = self.target()?;
        target.push_query("_after", next);
        Ok(target)
    }

    fn line(&self, item: &RawValue) -> Result<String, Failure> {
        if self.json {
            // A line break in JSON is never part of a value.
            return Ok(item.get().replace(['\n', '\r'], " "));
        }
        let item: Item = serde_json::from_str(item.get()).map_err(not_a_list)?;
        let columns = [Some(item.path), item.etag, item.modified];
        let columns: Vec<_> = columns.into_iter().flatten().collect();
        Ok(columns.join("\t"))
    }
}

fn not_a_list(fault: serde_json::Error) -> Failure {
    Failure::unreachable(format!("the answer is no list of Matchbook's: {fault}"))
}

/// Gets one page; shows the answer instead if the server refuses.
async fn fetch(
    connection: &mut Connection,
    target: &Target,
) -> Result<Result<Bytes, Exit>, Failure> {
    let mut request = client::request(Method::GET, &target.path)?;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, json);
    let (parts, body) = connection.send(request).await?.into_parts();
    let body = client::collect(body).await?;
    if parts.status == StatusCode::OK {
        return Ok(Ok(body));
    }
    show::say_head(&parts);
    show::say_refusal(&parts, &body);
    Ok(Err(match show::exit_of(parts.status) {
        // A document's path, for example, is answered with something else than a list.
        Exit::Done => Exit::Refused,
        exit => exit,
    }))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn args(words: &[&str]) -> ListArgs {
        let words = ["matchbook", "ls"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Ls(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn section_6_flags_become_the_query() {
        let list = args(&[
            "/notes",
            "--where",
            "done=false",
            "--where",
            "title:prefix=a b",
            "--sort",
            "-due,title",
            "--limit",
            "5",
            "--fields",
            "title",
            "--json",
        ]);
        assert_eq!(
            list.target().unwrap().path,
            "/notes?done=false&title:prefix=a%20b&_sort=-due,title&_fields=title&_limit=5"
        );
        assert_eq!(args(&[]).target().unwrap().path, "/");
        assert_eq!(args(&["/n"]).target().unwrap().path, "/n?_limit=1000");
    }

    #[test]
    fn next_is_a_token_or_a_reference() {
        let list = args(&["/notes"]);
        let first = list.target().unwrap();
        let path = |next| list.after(&first, next).unwrap().path;
        assert_eq!(path("tok+en"), "/notes?_limit=1000&_after=tok%2Ben");
        assert_eq!(path("/notes?_after=x"), "/notes?_after=x");
        assert_eq!(path("?_after=y"), "/notes?_after=y");
    }
}

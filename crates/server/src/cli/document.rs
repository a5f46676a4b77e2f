//! `get`, `put`, `patch` and `delete`: one request each.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use clap::Args;
use http::header::{CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use http::{Method, Request};
use http_body_util::Full;

use super::exit::{Failure, Outcome};
use super::target::Target;
use super::{ClientArgs, client, edit, show, tag_arg};

/// Media type of a JSON Merge Patch (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// Media type of a JSON Patch (RFC 6902).
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";

const GET_EXAMPLES: &str = "\
Examples:
  matchbook get /notes/1 > note.json
  matchbook get http://127.0.0.1:2040/notes/1 --include
  matchbook get /notes/1 --if-none-match k3v4q2ab-17";

const PUT_EXAMPLES: &str = "\
Creates the document if there is none. To replace one, say which version you have seen.

Examples:
  echo '{\"title\":\"Milk\"}' | matchbook put /notes/1
  matchbook put /notes/1 note.json --if-match k3v4q2ab-17
  matchbook put /notes/1 note.json --if-none-match '*'
  matchbook put /pictures/1 cat.png --content-type image/png";

const PATCH_EXAMPLES: &str = "\
An object is sent as a merge patch (RFC 7396), an array as a JSON Patch (RFC 6902).

Examples:
  echo '{\"done\":true}' | matchbook patch /notes/1 --if-match k3v4q2ab-17
  echo '[{\"op\":\"remove\",\"path\":\"/due\"}]' | matchbook patch /notes/1 --force
  matchbook patch /notes/1 --edit";

const DELETE_EXAMPLES: &str = "\
Examples:
  matchbook delete /notes/1 --if-match k3v4q2ab-17
  matchbook delete /notes/1 --force";

/// What every request about one document takes.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// A path such as /notes/1, or a full URL
    pub(crate) path: String,

    /// Print the status line and all header fields on stdout, before the body
    #[arg(short, long)]
    include: bool,

    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Which version a write is meant for.
#[derive(Args, Debug)]
pub(crate) struct Guard {
    /// Only if this entity tag is the current one; the quotes may be left out
    #[arg(long, value_name = "TAG", value_parser = tag_arg::parse)]
    if_match: Option<HeaderValue>,

    /// Whatever version is there (If-Match: *)
    #[arg(long, conflicts_with = "if_match")]
    force: bool,
}

impl Guard {
    pub(crate) fn field(&self) -> Option<HeaderValue> {
        let any = self.force.then(|| HeaderValue::from_static("*"));
        self.if_match.clone().or(any)
    }
}

/// Print a document
#[derive(Args, Debug)]
#[command(after_help = GET_EXAMPLES)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    place: Place,

    /// Nothing if this entity tag is still the current one (304)
    #[arg(long, value_name = "TAG", value_parser = tag_arg::parse)]
    if_none_match: Option<HeaderValue>,

    /// Only if this entity tag is the current one (412 otherwise)
    #[arg(long, value_name = "TAG", value_parser = tag_arg::parse)]
    if_match: Option<HeaderValue>,
}

/// Create or replace a document
#[derive(Args, Debug)]
#[command(after_help = PUT_EXAMPLES)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    place: Place,

    /// The document; '-' is stdin
    #[arg(default_value = "-")]
    file: String,

    /// The document's media type
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: HeaderValue,

    /// '*': only if there is no document yet
    #[arg(long, value_name = "TAG", value_parser = tag_arg::parse, conflicts_with = "force")]
    if_none_match: Option<HeaderValue>,

    #[command(flatten)]
    guard: Guard,
}

/// Change parts of a document
#[derive(Args, Debug)]
#[command(after_help = PATCH_EXAMPLES)]
pub(crate) struct PatchArgs {
    #[command(flatten)]
    place: Place,

    /// The patch; '-' is stdin
    #[arg(default_value = "-")]
    file: String,

    /// Open the document in $VISUAL or $EDITOR and send what you change
    #[arg(long, conflicts_with_all = ["file", "merge", "json_patch", "content_type", "if_match", "force"])]
    edit: bool,

    /// Send it as a merge patch, whatever it looks like
    #[arg(long, conflicts_with_all = ["json_patch", "content_type"])]
    merge: bool,

    /// Send it as a JSON Patch, whatever it looks like
    #[arg(long, conflicts_with = "content_type")]
    json_patch: bool,

    /// The patch's media type
    #[arg(long, value_name = "TYPE")]
    content_type: Option<HeaderValue>,

    #[command(flatten)]
    guard: Guard,
}

/// Delete a document
#[derive(Args, Debug)]
#[command(after_help = DELETE_EXAMPLES)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    guard: Guard,
}

impl Place {
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        Target::join(&self.client.server, &self.path)
    }

    async fn send(&self, method: Method, fill: impl FnOnce(&mut Request<Full<Bytes>>)) -> Outcome {
        let target = self.target()?;
        let mut request = client::request(method, &target.path)?;
        fill(&mut request);
        let response = client::send_once(&target, &self.client, request).await?;
        show::show(response, self.include).await
    }
}

impl GetArgs {
    pub(crate) async fn run(self) -> Outcome {
        let fill = |request: &mut Request<Full<Bytes>>| {
            let fields = request.headers_mut();
            if let Some(tag) = self.if_none_match {
                fields.insert(IF_NONE_MATCH, tag);
            }
            if let Some(tag) = self.if_match {
                fields.insert(IF_MATCH, tag);
            }
        };
        self.place.send(Method::GET, fill).await
    }
}

impl PutArgs {
    pub(crate) async fn run(self) -> Outcome {
        let body = read_input(&self.file)?;
        let guard = self.guard.field();
        let fill = |request: &mut Request<Full<Bytes>>| {
            *request.body_mut() = Full::new(body);
            let fields = request.headers_mut();
            fields.insert(CONTENT_TYPE, self.content_type);
            if let Some(tag) = guard {
                fields.insert(IF_MATCH, tag);
            }
            if let Some(tag) = self.if_none_match {
                fields.insert(IF_NONE_MATCH, tag);
            }
        };
        self.place.send(Method::PUT, fill).await
    }
}

impl PatchArgs {
    pub(crate) async fn run(self) -> Outcome {
        if self.edit {
            return edit::run(&self.place).await;
        }
        let body = read_input(&self.file)?;
        let content_type = match (self.merge, self.json_patch, self.content_type) {
            (true, _, _) => HeaderValue::from_static(MERGE_PATCH),
            (_, true, _) => HeaderValue::from_static(JSON_PATCH),
            (_, _, Some(content_type)) => content_type,
            _ => HeaderValue::from_static(sniff(&body)?),
        };
        let guard = self.guard.field();
        let fill = |request: &mut Request<Full<Bytes>>| {
            *request.body_mut() = Full::new(body);
            let fields = request.headers_mut();
            fields.insert(CONTENT_TYPE, content_type);
            if let Some(tag) = guard {
                fields.insert(IF_MATCH, tag);
            }
        };
        self.place.send(Method::PATCH, fill).await
    }
}

impl DeleteArgs {
    pub(crate) async fn run(self) -> Outcome {
        let guard = self.guard.field();
        let fill = |request: &mut Request<Full<Bytes>>| {
            if let Some(tag) = guard {
                request.headers_mut().insert(IF_MATCH, tag);
            }
        };
        self.place.send(Method::DELETE, fill).await
    }
}

/// The kind of patch that a body looks like.
fn sniff(patch: &[u8]) -> Result<&'static str, Failure> {
    match patch.trim_ascii_start().first() {
        Some(b'{') => Ok(MERGE_PATCH),
        Some(b'[') => Ok(JSON_PATCH),
        _ => Err(Failure::usage(
            "a patch is an object (merge patch) or an array (JSON Patch); \
             --merge sends another value as a merge patch",
        )),
    }
}

/// Reads a whole file, or stdin for `-`.
fn read_input(file: &str) -> Result<Bytes, Failure> {
    if file == "-" {
        let mut body = Vec::new();
        std::io::stdin().lock().read_to_end(&mut body)?;
        return Ok(body.into());
    }
    let body = std::fs::read(Path::new(file));
    let body = body.map_err(|error| Failure::usage(format!("cannot read {file}: {error}")))?;
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_4_2_a_patch_is_known_by_its_first_character() {
        assert_eq!(sniff(b" \n{\"a\":1}").unwrap(), MERGE_PATCH);
        assert_eq!(sniff(b"[]").unwrap(), JSON_PATCH);
        assert!(sniff(b"").is_err());
        assert!(sniff(b"7").is_err());
    }
}

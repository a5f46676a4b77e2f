//! `export`: all documents of a collection, read as one stream.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf as _, BytesMut};
use clap::Args;
use http::header::{ACCEPT, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use super::client;
use super::exit::{Exit, Failure, Outcome, say};
use super::progress::Progress;
use super::target::Target;
use super::{ClientArgs, show};

const EXAMPLES: &str = "\
A file is complete or not there: it is written under another name, synced and renamed.

Examples:
  matchbook export /countries countries.ndjson
  matchbook export /countries --array | jq length
  matchbook export /countries --items backup.ndjson";

/// Write all documents of a collection to a file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// A collection such as /notes, or a full URL
    collection: String,

    /// The file to write; '-' is stdout
    #[arg(default_value = "-")]
    file: String,

    /// Write one JSON array instead of a document a line
    #[arg(long)]
    array: bool,

    /// Write the items with path, etag and modified around each document
    #[arg(long)]
    items: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// A line of the stream: an item, or the cursor that ends it.
#[derive(Deserialize)]
struct Line<'a> {
    path: Option<String>,
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    cursor: Option<String>,
}

impl ExportArgs {
    pub(crate) async fn run(self) -> Outcome {
        let target = Target::join(&self.client.server, &self.collection)?;
        let mut request = client::request(Method::GET, &target.path)?;
        let ndjson = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(ACCEPT, ndjson);
        let response = client::send_once(&target, &self.client, request).await?;
        if response.status() != StatusCode::OK {
            return show::show(response, false).await;
        }
        let left_out = if self.file == "-" {
            let progress = Progress::new(None);
            let stdout = BufWriter::new(io::stdout().lock());
            self.copy(response.into_body(), stdout, &progress).await?.1
        } else {
            self.save(response.into_body()).await?
        };
        if left_out == 0 {
            return Ok(Exit::Done);
        }
        say(format_args!(
            "matchbook: {left_out} documents are not JSON and were left out; \
             --items names them, 'matchbook get' fetches them"
        ));
        Ok(Exit::Refused)
    }

    /// Writes the file under a temporary name beside it, and renames it when it is
    /// complete and synced. Returns how many documents were left out.
    async fn save(&self, body: Incoming) -> Result<u64, Failure> {
        let path = Path::new(&self.file);
        let fault =
            |error: io::Error| Failure::usage(format!("cannot write {}: {error}", path.display()));
        let directory = directory_of(path);
        let temporary = NamedTempFile::new_in(&directory).map_err(fault)?;
        let progress = Progress::new(None);
        let (written, left_out) = self
            .copy(body, BufWriter::new(temporary.as_file()), &progress)
            .await?;
        progress.finish();
        temporary.as_file().sync_all().map_err(fault)?;
        make_readable(temporary.as_file()).map_err(fault)?;
        temporary
            .persist(path)
            .map_err(|error| fault(error.error))?;
        File::open(&directory)
            .and_then(|directory| directory.sync_all())
            .map_err(fault)?;
        say(format_args!("{written} documents in {}", path.display()));
        Ok(left_out)
    }

    /// Copies document by document. Returns how many were written and left out.
    async fn copy(
        &self,
        mut body: Incoming,
        out: impl Write,
        progress: &Progress,
    ) -> Result<(u64, u64), Failure> {
        let mut writer = Writer {
            out,
            is_array: self.array,
            is_items: self.items,
            written: 0,
            left_out: 0,
            is_complete: false,
        };
        let mut buffer = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| incomplete(&client::broke_off(&error)))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let mut searched = buffer.len();
            buffer.extend_from_slice(&data);
            while let Some(end) = line_end(&buffer, searched) {
                let line = buffer.split_to(end);
                buffer.advance(1);
                searched = 0;
                writer.line(&line)?;
                progress.count(1);
            }
            progress.show();
        }
        writer.line(&buffer)?;
        writer.finish()
    }
}

fn line_end(buffer: &[u8], from: usize) -> Option<usize> {
    let rest = buffer.get(from..)?;
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    Some(from + end)
}

struct Writer<W> {
    out: W,
    is_array: bool,
    is_items: bool,
    written: u64,
    left_out: u64,
    is_complete: bool,
}

impl<W: Write> Writer<W> {
    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let item: Line<'_> = serde_json::from_slice(line)
            .map_err(|error| incomplete(&Failure::unreachable(error)))?;
        if item.path.is_none() && item.cursor.is_some() {
            self.is_complete = true;
            return Ok(());
        }
        let text = match item.document {
            _ if self.is_items => line,
            Some(document) => document.get().as_bytes(),
            None => {
                self.left_out += 1;
                return Ok(());
            }
        };
        let before: &[u8] = match (self.is_array, self.written) {
            (false, _) => b"",
            (true, 0) => b"[\n",
            (true, _) => b",\n",
        };
        self.out.write_all(before)?;
        self.out.write_all(text)?;
        if !self.is_array {
            self.out.write_all(b"\n")?;
        }
        self.written += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<(u64, u64), Failure> {
        if !self.is_complete {
            self.out.flush()?;
            let why = Failure::unreachable("the stream ended without its cursor");
            return Err(incomplete(&why));
        }
        if self.is_array {
            let end: &[u8] = if self.written == 0 { b"[]\n" } else { b"\n]\n" };
            self.out.write_all(end)?;
        }
        self.out.flush()?;
        Ok((self.written, self.left_out))
    }
}

fn incomplete(why: &Failure) -> Failure {
    let why = why.message.as_deref().unwrap_or_default();
    Failure::new(
        Exit::Unreachable,
        format!("the export is incomplete: {why}"),
    )
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A temporary file is its owner's alone; an export is a file like others.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(
        lines: &[&str],
        is_array: bool,
        is_items: bool,
    ) -> (String, Result<(u64, u64), Exit>) {
        let mut out = Vec::new();
        let mut writer = Writer {
            out: &mut out,
            is_array,
            is_items,
            written: 0,
            left_out: 0,
            is_complete: false,
        };
        for line in lines {
            writer.line(line.as_bytes()).unwrap();
        }
        let end = writer.finish().map_err(|failure| failure.exit);
        (String::from_utf8(out).unwrap(), end)
    }

    #[test]
    fn section_6_documents_come_out_exactly_and_only_a_cursor_completes() {
        let one = r#"{"path":"/n/1","etag":"\"a-1\"","modified":"m","document":{"x": 1.0}}"#;
        let two = r#"{"path":"/n/2","etag":"\"a-2\"","modified":"m","document":1e400}"#;
        let blob = r#"{"path":"/n/3","etag":"\"a-3\"","modified":"m"}"#;
        let end = r#"{"cursor":"a-3"}"#;
        type Case<'a> = (&'a [&'a str], bool, bool, &'a str, Result<(u64, u64), Exit>);
        let cases: [Case<'_>; 7] = [
            (
                &[one, two, end],
                false,
                false,
                "{\"x\": 1.0}\n1e400\n",
                Ok((2, 0)),
            ),
            (
                &[one, two, end],
                true,
                false,
                "[\n{\"x\": 1.0},\n1e400\n]\n",
                Ok((2, 0)),
            ),
            (&[end], true, false, "[]\n", Ok((0, 0))),
            (&[end], false, false, "", Ok((0, 0))),
            (&[two, blob, end], false, false, "1e400\n", Ok((1, 1))),
            (
                &[one],
                false,
                false,
                "{\"x\": 1.0}\n",
                Err(Exit::Unreachable),
            ),
            (&[], false, false, "", Err(Exit::Unreachable)),
        ];
        for (lines, is_array, is_items, text, result) in cases {
            let found = written(lines, is_array, is_items);
            assert_eq!(found, (text.to_owned(), result));
        }
        let (items, _) = written(&[one, blob, end], false, true);
        assert_eq!(items, format!("{one}\n{blob}\n"));
    }
}

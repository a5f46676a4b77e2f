//! `patch --edit`: a document in an editor, and what was changed sent as a JSON Patch
//! that is guarded by the version that was seen.

mod desk;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH};
use http::response::Parts;
use http::{Method, StatusCode};
use http_body_util::Full;
use matchbook_core::json;
use matchbook_core::limits::DOCUMENT_BYTES;

use self::desk::{Answer, Desk};
use super::document::{JSON_PATCH, Place};
use super::exit::{Exit, Failure, Outcome, say};
use super::target::Target;
use super::{ClientArgs, client, layout, rebase, show};

/// A document as the server has it.
struct Version {
    text: String,
    tag: HeaderValue,
}

/// What a request came to.
struct Reply {
    parts: Parts,
    body: Bytes,
}

struct Session<'a> {
    target: Target,
    client: &'a ClientArgs,
    desk: Desk,
}

/// Where the conversation goes on.
enum Step {
    /// The text is in the editor.
    Edit,
    /// This patch is ready to be sent.
    Send(String),
    /// It is over.
    End(Exit),
}

/// Edits the document and saves it.
///
/// # Errors
/// No editor, no server, no terminal where one is needed.
pub(crate) async fn run(place: &Place) -> Outcome {
    run_at(place, Desk::of_this_terminal()?).await
}

async fn run_at(place: &Place, desk: Desk) -> Outcome {
    let mut session = Session {
        target: place.target()?,
        client: &place.client,
        desk,
    };
    let mut base = match session.load().await? {
        Ok(version) => version,
        Err(reply) => return Ok(refused(&reply)),
    };
    session.desk.write(&for_editor(&base.text))?;
    let mut step = Step::Edit;
    loop {
        step = match step {
            Step::Edit => session.edit(&base).await?,
            Step::Send(patch) => session.send(patch, &mut base).await?,
            Step::End(exit) => return Ok(exit),
        };
    }
}

/// A document that has lines keeps them; one on a single line is laid out.
fn for_editor(text: &str) -> String {
    if text.trim().contains('\n') {
        text.to_owned()
    } else {
        layout::spread(text)
    }
}

fn refused(reply: &Reply) -> Exit {
    show::say_head(&reply.parts);
    show::say_refusal(&reply.parts, &reply.body);
    show::exit_of(reply.parts.status)
}

impl Session<'_> {
    async fn exchange(&self, request: http::Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let response = client::send_once(&self.target, self.client, request).await?;
        let (parts, body) = response.into_parts();
        let body = client::collect(body).await?;
        Ok(Reply { parts, body })
    }

    /// Gets the document as it stands, or the refusal.
    async fn load(&self) -> Result<Result<Version, Reply>, Failure> {
        let request = client::request(Method::GET, &self.target.path)?;
        let reply = self.exchange(request).await?;
        if reply.parts.status != StatusCode::OK {
            return Ok(Err(reply));
        }
        let fields = &reply.parts.headers;
        let content_type = fields.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let text = json::check(&reply.body).map_err(|_| {
            let what = content_type.unwrap_or("something else");
            Failure::usage(format!("only JSON can be edited, and this is {what}"))
        })?;
        let tag = fields.get(ETAG).cloned();
        let tag = tag.ok_or_else(|| Failure::unreachable("the answer has no ETag"))?;
        Ok(Ok(Version {
            text: text.to_owned(),
            tag,
        }))
    }

    async fn edit(&mut self, base: &Version) -> Result<Step, Failure> {
        self.desk.edit()?;
        let edited = self.desk.read()?;
        let edited = match json::check(&edited) {
            Ok(text) => text,
            Err(fault) => {
                let (line, column) = layout::line_and_column(&edited, fault.offset);
                say(format_args!(
                    "line {line}, column {column}: {}",
                    fault.reason
                ));
                return self.again_or_give_up(Exit::Usage).await;
            }
        };
        let patch = json::diff(&base.text, edited);
        if patch == "[]" {
            say("nothing changed, nothing sent");
            return Ok(Step::End(Exit::Done));
        }
        Ok(Step::Send(patch))
    }

    async fn send(&mut self, patch: String, base: &mut Version) -> Result<Step, Failure> {
        let mut request = client::request(Method::PATCH, &self.target.path)?;
        *request.body_mut() = Full::new(patch.clone().into());
        let fields = request.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_PATCH));
        fields.insert(IF_MATCH, base.tag.clone());
        let reply = match self.exchange(request).await {
            Ok(reply) => reply,
            Err(failure) => {
                self.desk.keep();
                return Err(failure);
            }
        };
        if reply.parts.status == StatusCode::PRECONDITION_FAILED {
            show::say_head(&reply.parts);
            return self.rebase(patch, base).await;
        }
        if reply.parts.status.is_success() {
            show::say_head(&reply.parts);
            return Ok(Step::End(Exit::Done));
        }
        let exit = refused(&reply);
        self.again_or_give_up(exit).await
    }

    /// Somebody else was faster: shows what they did and asks how to go on.
    async fn rebase(&mut self, patch: String, base: &mut Version) -> Result<Step, Failure> {
        let current = match self.load().await? {
            Ok(version) => version,
            Err(reply) => {
                self.desk.keep();
                refused(&reply);
                return Ok(Step::End(Exit::Stale));
            }
        };
        say("The document changed while you edited it:");
        say(rebase::describe(&base.text, &current.text).trim_end());
        let theirs = json::diff(&base.text, &current.text);
        let both = rebase::both_changed(&patch, &theirs);
        if !both.is_empty() {
            say(format_args!("Both of you changed: {}", both.join(" ")));
        }
        let question = "[r]ebase your changes on it, [e]dit again, [a]bort?";
        match self.desk.ask(question, "rea").await {
            Answer::Choice('r') => {
                *base = current;
                Ok(Step::Send(patch))
            }
            Answer::Choice('e') => {
                let merged = self.merged(&patch, &current)?;
                self.desk.write(&merged)?;
                *base = current;
                Ok(Step::Edit)
            }
            answer => Ok(self.give_up(answer, Exit::Stale)),
        }
    }

    /// The current version with the changes on it, as far as they fit.
    fn merged(&self, patch: &str, current: &Version) -> Result<String, Failure> {
        let merged = json::Patch::parse(patch)
            .ok()
            .and_then(|patch| patch.apply(&current.text, DOCUMENT_BYTES).ok());
        if merged.is_none() {
            let copy = self.desk.put_aside()?;
            say(format_args!(
                "your changes do not fit the new version; your text is in {}",
                copy.display()
            ));
        }
        Ok(for_editor(merged.as_ref().unwrap_or(&current.text)))
    }

    async fn again_or_give_up(&mut self, exit: Exit) -> Result<Step, Failure> {
        match self.desk.ask("[e]dit again, [a]bort?", "ea").await {
            Answer::Choice('e') => Ok(Step::Edit),
            answer => Ok(self.give_up(answer, exit)),
        }
    }

    fn give_up(&mut self, answer: Answer, exit: Exit) -> Step {
        self.desk.keep();
        Step::End(match answer {
            Answer::Interrupted => Exit::Interrupted,
            Answer::Choice(_) | Answer::Nobody => exit,
        })
    }
}

#[cfg(test)]
mod tests;

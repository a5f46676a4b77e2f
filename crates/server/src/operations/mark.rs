//! How far an operation has come: what is kept until its end, and what is shown of it.

use bytes::Bytes;
use matchbook_access::Kind as Principals;
use matchbook_core::problem::Problem;
use matchbook_store::Effect;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::Id;
use super::work::Work;
use super::{delete, export, import};
use crate::app::Caller;

const JSON: &str = "application/json";

/// Who started an operation; `None` is whoever sent no credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Creator {
    kind: CreatorKind,
    pub(super) id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CreatorKind {
    User,
    Key,
}

impl Creator {
    pub(super) fn of(caller: &Caller<'_>) -> Option<Self> {
        let principal = &caller.principal;
        let kind = match principal.kind {
            Principals::Anonymous => return None,
            Principals::User => CreatorKind::User,
            Principals::Key => CreatorKind::Key,
        };
        let id = principal.id.to_string();
        Some(Self { kind, id })
    }
}

/// What is kept of an operation that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) creator: Option<Creator>,
    /// When it was started.
    pub(super) created: String,
    pub(super) work: Work,
    /// How much is done.
    pub(super) done: u64,
    /// How much there is to do, as far as that is known.
    pub(super) total: Option<u64>,
    /// Where to go on.
    pub(super) place: Place,
}

/// The place to go on from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    Import(import::Place),
    Export(export::Place),
    Delete(delete::Place),
    /// All of it is to be done.
    Whole,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Succeeded(Value),
    Failed(Problem),
    Cancelled,
}

/// What came for an operation to work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) sha256: String,
}

/// What is shown of an operation.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    work: &'a Work,
    status: &'static str,
    done: u64,
    total: Option<u64>,
    created: &'a str,
    creator: Option<&'a Creator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a Received>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Value>,
}

/// What is read of what is shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) creator: Option<Creator>,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) items: bool,
    pub(super) content: Option<Received>,
    pub(super) result: Option<SeenResult>,
}

/// What is read of a result.
#[derive(Debug, Deserialize)]
pub(super) struct SeenResult {
    #[serde(default)]
    pub(super) documents: u64,
}

impl Mark {
    /// The beginning of this work.
    pub(super) fn new(work: Work, creator: Option<Creator>, created: String) -> Self {
        let place = match &work {
            Work::Import(_) => Place::Import(import::Place::default()),
            Work::Export(_) => Place::Export(export::Place::default()),
            Work::DeleteCollection(_) => Place::Delete(delete::Place::default()),
            Work::BuildIndex(_) | Work::Backup(_) => Place::Whole,
        };
        Self {
            creator,
            created,
            work,
            done: 0,
            total: None,
            place,
        }
    }

    /// Reads one as it is stored.
    pub(super) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }

    /// As it is stored.
    pub(super) fn stored(&self) -> Effect {
        put(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The operation's document.
    pub(super) fn shown(&self, id: Id, end: Option<&End>) -> Effect {
        let (status, result, problem) = match end {
            None => ("running", None, None),
            Some(End::Succeeded(result)) => ("succeeded", Some(result), None),
            Some(End::Cancelled) => ("cancelled", None, None),
            Some(End::Failed(problem)) => {
                let text = problem.body(&id.to_string()) + "}";
                ("failed", None, serde_json::from_str(&text).ok())
            }
        };
        put(serde_json::to_vec(&Shown {
            work: &self.work,
            status,
            done: self.done,
            total: self.total,
            created: &self.created,
            creator: self.creator.as_ref(),
            content: match &self.place {
                Place::Import(place) => place.content.as_ref(),
                _ => None,
            },
            result,
            problem,
        })
        .unwrap_or_default())
    }

    /// Whether it can go on: it does not wait for its content.
    pub(super) fn is_ready(&self) -> bool {
        match (&self.work, &self.place) {
            (Work::Import(asked), Place::Import(place)) => {
                asked.source.is_some() || place.content.is_some()
            }
            _ => true,
        }
    }

    /// Who started it, as the log of changes has it.
    pub(super) fn principal(&self) -> Option<&str> {
        self.creator.as_ref().map(|creator| &*creator.id)
    }
}

impl Seen {
    /// Reads an operation's document.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Whether it is to go on.
    pub(super) fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// Whether a file was made.
    pub(super) fn has_result(&self) -> bool {
        self.kind == "export" && self.status == "succeeded"
    }

    /// Whether content is, or was, taken.
    pub(super) fn takes_content(&self) -> bool {
        self.kind == "import" && self.source.is_none()
    }
}

fn put(body: Vec<u8>) -> Effect {
    Effect::Put {
        content_type: JSON.into(),
        body: Bytes::from(body),
        patch: None,
    }
}

#[cfg(test)]
mod tests {
    use matchbook_core::problem::Kind;
    use serde_json::json;

    use super::*;

    fn body(effect: Effect) -> Bytes {
        match effect {
            Effect::Put { body, .. } => body,
            Effect::Delete => Bytes::new(),
        }
    }

    fn mark(work: &str) -> Mark {
        let creator = Creator {
            kind: CreatorKind::Key,
            id: "ann".to_owned(),
        };
        let work = Work::read(work.as_bytes()).unwrap();
        Mark::new(work, Some(creator), "2026-01-31T12:00:00.000Z".to_owned())
    }

    #[test]
    fn a_mark_is_read_as_it_was_stored() {
        for work in [
            r#"{"kind":"import","collection":"/c"}"#,
            r#"{"kind":"export","collection":"/c"}"#,
            r#"{"kind":"delete-collection","collection":"/c"}"#,
            r#"{"kind":"backup"}"#,
        ] {
            let mut mark = mark(work);
            mark.done = 7;
            mark.total = Some(u64::MAX);
            let stored = body(mark.stored());
            assert_eq!(body(Mark::read(&stored).unwrap().stored()), stored);
        }
    }

    #[test]
    fn section_9_what_is_shown() {
        let id = Id::new();
        let mut mark = mark(r#"{"kind":"export","collection":"/c"}"#);
        mark.total = Some(3);
        let shown = |end: Option<End>| {
            let shown = body(mark.shown(id, end.as_ref()));
            (
                Seen::read(&shown).unwrap(),
                serde_json::from_slice::<Value>(&shown).unwrap(),
            )
        };
        let (seen, text) = shown(None);
        assert_eq!(
            text,
            json!({"kind": "export", "collection": "/c", "status": "running", "done": 0, "total": 3,
                "created": "2026-01-31T12:00:00.000Z", "creator": {"kind": "key", "id": "ann"}})
        );
        assert!(seen.is_running() && !seen.has_result() && seen.creator == mark.creator);
        let (seen, text) = shown(Some(End::Succeeded(json!({"documents": 3}))));
        assert!(seen.has_result() && seen.result.unwrap().documents == 3);
        assert_eq!(text["result"]["documents"], 3);
        let (seen, text) = shown(Some(End::Failed(Kind::Internal.because("x"))));
        assert!(!seen.has_result());
        assert_eq!(text["problem"]["status"], 500);
        assert_eq!(text["problem"]["instance"], format!("urn:uuid:{id}"));
        let (_, text) = shown(Some(End::Cancelled));
        assert_eq!(text["status"], "cancelled");
    }
}

//! What an operation is to do, as it is asked for and as it is shown.

use matchbook_core::json;
use matchbook_core::name::CollectionPath;
use matchbook_core::problem::{Kind, Problem, Violation};
use serde::{Deserialize, Serialize};

use super::{backup, delete, export, import, index};

/// A kind, and what that asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Work {
    Import(import::Asked),
    Export(export::Asked),
    DeleteCollection(delete::Asked),
    BuildIndex(index::Asked),
    Backup(backup::Asked),
}

impl Work {
    /// Reads the content of the request that starts an operation.
    ///
    /// # Errors
    /// 400 or 422.
    pub(super) fn read(content: &[u8]) -> Result<Self, Problem> {
        json::check(content).map_err(|fault| Kind::Malformed.because(fault.to_string()))?;
        let work: Self =
            serde_json::from_slice(content).map_err(|fault| refuse(vec![violation("", fault)]))?;
        let violations = match &work {
            Self::Import(asked) => asked.check(),
            Self::Export(asked) => asked.check(),
            Self::DeleteCollection(asked) => asked.check(),
            Self::BuildIndex(asked) => asked.check(),
            Self::Backup(_) => Vec::new(),
        };
        match violations.is_empty() {
            true => Ok(work),
            false => Err(refuse(violations)),
        }
    }
}

impl Work {
    /// The collection that it is about; `None` if that is all of them.
    pub(super) fn collection(&self) -> Option<&str> {
        Some(match self {
            Self::Import(asked) => &asked.collection,
            Self::Export(asked) => &asked.collection,
            Self::DeleteCollection(asked) => &asked.collection,
            Self::BuildIndex(asked) => &asked.collection,
            Self::Backup(_) => return None,
        })
    }
}

/// 422.
pub(super) fn refuse(errors: Vec<Violation>) -> Problem {
    let first = errors.first().map_or("", |violation| &violation.detail);
    Problem {
        errors: errors.clone(),
        ..Kind::BadOperation.because(first)
    }
}

pub(super) fn violation(pointer: &str, detail: impl ToString) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        detail: detail.to_string(),
    }
}

/// The collection that was asked for.
///
/// # Errors
/// It is none, or one of the server's own.
pub(super) fn collection(path: &str) -> Result<CollectionPath, Violation> {
    match CollectionPath::parse(path) {
        Ok(collection) if !collection.is_own() => Ok(collection),
        Ok(_) => Err(violation("/collection", "this is one of the server's own")),
        Err(fault) => Err(violation(
            "/collection",
            format!("'{path}' is no collection, such as /notes: {fault}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_9_each_kind_is_read_and_written_alike() {
        for text in [
            r#"{"kind":"import","collection":"/c"}"#,
            r#"{"kind":"import","collection":"/c","id":"/a~1b","replace":true}"#,
            r#"{"kind":"import","collection":"/c","items":true}"#,
            r#"{"kind":"export","collection":"/c","query":"a=1&_sort=-b"}"#,
            r#"{"kind":"export","collection":"/c/d/e","items":true}"#,
            r#"{"kind":"delete-collection","collection":"/c"}"#,
            r#"{"kind":"backup"}"#,
        ] {
            let work = Work::read(text.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&work).unwrap(), text);
        }
    }

    #[test]
    fn section_9_what_cannot_be_done_is_refused_with_its_place() {
        let cases = [
            ("", 400, ""),
            (r#"{"kind":"backup","kind":"backup"}"#, 400, ""),
            ("[]", 422, ""),
            ("{}", 422, ""),
            (r#"{"kind":"destroy"}"#, 422, ""),
            (r#"{"kind":"backup","to":"x"}"#, 422, ""),
            (r#"{"kind":"export"}"#, 422, ""),
            (r#"{"kind":"export","collection":7}"#, 422, ""),
            (r#"{"kind":"export","collection":"c"}"#, 422, "/collection"),
            (
                r#"{"kind":"export","collection":"/c/d"}"#,
                422,
                "/collection",
            ),
            (
                r#"{"kind":"export","collection":"/_/operations"}"#,
                422,
                "/collection",
            ),
            (
                r#"{"kind":"delete-collection","collection":"/_/collections"}"#,
                422,
                "/collection",
            ),
            (
                r#"{"kind":"import","collection":"/_/receipts"}"#,
                422,
                "/collection",
            ),
            (
                r#"{"kind":"export","collection":"/c","query":"_sort="}"#,
                422,
                "/query",
            ),
            (
                r#"{"kind":"export","collection":"/c","query":"_limit=1"}"#,
                422,
                "/query",
            ),
            (
                r#"{"kind":"export","collection":"/c","query":"_count=true"}"#,
                422,
                "/query",
            ),
            (
                r#"{"kind":"import","collection":"/c","id":"x"}"#,
                422,
                "/id",
            ),
            (
                r#"{"kind":"import","collection":"/c","id":"/x","items":true}"#,
                422,
                "/items",
            ),
            (
                r#"{"kind":"import","collection":"/c","replace":true}"#,
                422,
                "/replace",
            ),
            (
                r#"{"kind":"import","collection":"/c","source":"/c/1"}"#,
                422,
                "/source",
            ),
        ];
        for (text, status, pointer) in cases {
            let problem = Work::read(text.as_bytes()).unwrap_err();
            assert_eq!(problem.kind.status().as_u16(), status, "{text}");
            let found = problem.errors.first().map(|error| &*error.pointer);
            assert_eq!(found.unwrap_or_default(), pointer, "{text} {problem}");
            assert!(!problem.detail.is_empty(), "{text}");
        }
    }
}

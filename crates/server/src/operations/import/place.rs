//! How far an import has come, and what became of its lines.

use matchbook_core::limits::IMPORT_ERRORS;
use matchbook_store::Write;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::mark::Received;
use super::line::Outcome;

/// Bytes of what is told of a refused line: a schema's complaint may quote the document.
const DETAIL_BYTES: usize = 256;

/// Where an import goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::operations) struct Place {
    /// What was sent.
    pub(in crate::operations) content: Option<Received>,
    /// Whether the result of an export is its content already.
    pub(super) is_shared: bool,
    /// Bytes that are done.
    pub(super) offset: u64,
    /// The last line that is done.
    pub(super) line: u64,
    created: u64,
    replaced: u64,
    same: u64,
    failed: u64,
    /// The first lines that failed.
    errors: Vec<LineError>,
}

/// A line that was not saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LineError {
    line: u64,
    detail: String,
}

impl Place {
    /// Counts what became of a line; the write that it asks for.
    pub(super) fn count(&mut self, line: u64, outcome: Outcome) -> Option<Write> {
        match outcome {
            Outcome::Write { write, is_new } => {
                match is_new {
                    true => self.created += 1,
                    false => self.replaced += 1,
                }
                return Some(write);
            }
            Outcome::Same => self.same += 1,
            Outcome::Nothing => {}
            Outcome::Refused(detail) => {
                self.failed += 1;
                if self.errors.len() < IMPORT_ERRORS {
                    let detail = shortened(detail);
                    self.errors.push(LineError { line, detail });
                }
            }
        }
        None
    }

    /// What is told of it at the end.
    pub(super) fn result(&self) -> Value {
        json!({
            "created": self.created,
            "replaced": self.replaced,
            "same": self.same,
            "failed": self.failed,
            "errors": self.errors,
        })
    }
}

fn shortened(mut detail: String) -> String {
    if detail.len() > DETAIL_BYTES {
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES));
        detail.push('…');
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_bounded_and_counted() {
        let mut place = Place::default();
        for line in 1..=150 {
            let write = place.count(line, Outcome::Refused("é".repeat(200)));
            assert!(write.is_none());
        }
        place.count(151, Outcome::Same);
        let result = place.result();
        assert_eq!(result["failed"], 150);
        assert_eq!(result["same"], 1);
        let errors = result["errors"].as_array().unwrap();
        assert_eq!(errors.len(), IMPORT_ERRORS);
        assert_eq!(errors[99]["line"], 100);
        let detail = errors[0]["detail"].as_str().unwrap();
        assert_eq!(detail, "é".repeat(128) + "…");
    }
}

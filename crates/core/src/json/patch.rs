//! JSON Patch: the document that says what to do (RFC 6902 §3, §4).

use std::fmt;

use super::pointer::{Pointer, PointerFault};
use super::scan::{self, Entries};
use super::text;
use crate::limits::PATCH_OPERATIONS;

/// A well-formed JSON Patch.
#[derive(Clone, Debug)]
pub struct Patch<'a> {
    operations: Vec<Operation<'a>>,
}

/// One operation, with the values as spelled.
#[derive(Clone, Debug)]
pub(super) enum Operation<'a> {
    Add(Pointer, &'a str),
    Remove(Pointer),
    Replace(Pointer, &'a str),
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test(Pointer, &'a str),
}

/// Why a JSON document is no JSON Patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchFault {
    /// Index of the operation, if it is one of them that is malformed.
    pub operation: Option<usize>,
    /// What is wrong.
    pub kind: PatchFaultKind,
}

/// What is wrong with a JSON Patch or with one of its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchFaultKind {
    /// The document is not an array.
    NotAnArray,
    /// More than [`PATCH_OPERATIONS`].
    TooMany,
    /// The operation is not an object.
    NotAnObject,
    /// No `op`, or none of the six.
    Op,
    /// No `path`, or it is not a string.
    Path,
    /// No `from`, or it is not a string.
    From,
    /// No `value`.
    Value,
    /// `path` or `from` is no JSON Pointer.
    Pointer(PointerFault),
    /// `move` of a value into itself.
    IntoItself,
    /// `remove` of the whole document: that is what the DELETE method is for.
    WholeDocument,
}

impl PatchFaultKind {
    /// What is wrong, as half a sentence.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::NotAnArray => "a JSON Patch is an array of operations",
            Self::TooMany => "a JSON Patch has at most 10,000 operations",
            Self::NotAnObject => "an operation is an object",
            Self::Op => "'op' must be one of add, remove, replace, move, copy, test",
            Self::Path => "'path' must be a string",
            Self::From => "'from' must be a string",
            Self::Value => "'value' is missing",
            Self::Pointer(PointerFault::NoSlash) => "a JSON Pointer is empty or begins with '/'",
            Self::Pointer(PointerFault::Escape) => {
                "'~' in a JSON Pointer must be followed by 0 or 1"
            }
            Self::IntoItself => "a value cannot be moved into itself",
            Self::WholeDocument => "the whole document cannot be removed; use DELETE",
        }
    }
}

impl fmt::Display for PatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.operation {
            write!(f, "operation {index}: ")?;
        }
        f.write_str(self.kind.detail())
    }
}

impl std::error::Error for PatchFault {}

impl<'a> Patch<'a> {
    /// Whether one of the operations takes a value out of the document, or compares one.
    #[must_use]
    pub fn looks(&self) -> bool {
        self.operations.iter().any(|operation| {
            matches!(
                operation,
                Operation::Move { .. } | Operation::Copy { .. } | Operation::Test(..)
            )
        })
    }

    /// Reads a patch from a JSON text.
    ///
    /// Members that RFC 6902 does not define for an operation are ignored (§3).
    ///
    /// # Errors
    /// A [`PatchFault`] if it is malformed, however the document looks that it is for.
    pub fn parse(text: &'a str) -> Result<Self, PatchFault> {
        let fault = |kind| PatchFault {
            operation: None,
            kind,
        };
        let text = scan::trim(text);
        if !scan::is_array(text) {
            return Err(fault(PatchFaultKind::NotAnArray));
        }
        let mut operations = Vec::new();
        for (index, entry) in Entries::of(text).enumerate() {
            if index >= PATCH_OPERATIONS {
                return Err(fault(PatchFaultKind::TooMany));
            }
            let operation = Operation::parse(entry.value).map_err(|kind| PatchFault {
                operation: Some(index),
                kind,
            })?;
            operations.push(operation);
        }
        Ok(Self { operations })
    }

    /// Whether it tells something about the document by whether, or how, it is applied:
    /// a patch with `test`, `copy` or `move` (contract §3).
    #[must_use]
    pub fn reads(&self) -> bool {
        use Operation::{Copy, Move, Test};
        let reads =
            |operation: &Operation<'_>| matches!(operation, Test(..) | Copy { .. } | Move { .. });
        self.operations.iter().any(reads)
    }

    pub(super) fn operations(&self) -> &[Operation<'a>] {
        &self.operations
    }
}

/// The members of an operation that have a meaning, as spelled.
#[derive(Default)]
struct Members<'a> {
    op: Option<&'a str>,
    path: Option<&'a str>,
    from: Option<&'a str>,
    value: Option<&'a str>,
}

impl<'a> Members<'a> {
    fn of(operation: &'a str) -> Self {
        let mut members = Self::default();
        for entry in Entries::of(operation) {
            let member = match text::unescape(entry.name()).as_ref() {
                "op" => &mut members.op,
                "path" => &mut members.path,
                "from" => &mut members.from,
                "value" => &mut members.value,
                _ => continue,
            };
            *member = Some(entry.value);
        }
        members
    }
}

impl<'a> Operation<'a> {
    fn parse(operation: &'a str) -> Result<Self, PatchFaultKind> {
        if !scan::is_object(operation) {
            return Err(PatchFaultKind::NotAnObject);
        }
        let members = Members::of(operation);
        let path = || pointer(members.path, PatchFaultKind::Path);
        let from = || pointer(members.from, PatchFaultKind::From);
        let value = || members.value.ok_or(PatchFaultKind::Value);
        let op = members.op.filter(|op| op.starts_with('"'));
        let op = text::unescape(op.ok_or(PatchFaultKind::Op)?);
        let operation = match op.as_ref() {
            "add" => Self::Add(path()?, value()?),
            "remove" => Self::Remove(path()?),
            "replace" => Self::Replace(path()?, value()?),
            "move" => Self::Move {
                path: path()?,
                from: from()?,
            },
            "copy" => Self::Copy {
                path: path()?,
                from: from()?,
            },
            "test" => Self::Test(path()?, value()?),
            _ => return Err(PatchFaultKind::Op),
        };
        match &operation {
            Self::Move { from, path } if path.is_below(from) => Err(PatchFaultKind::IntoItself),
            Self::Remove(path) if path.tokens().is_empty() => Err(PatchFaultKind::WholeDocument),
            _ => Ok(operation),
        }
    }
}

fn pointer(member: Option<&str>, absent: PatchFaultKind) -> Result<Pointer, PatchFaultKind> {
    let spelled = member.filter(|text| text.starts_with('"')).ok_or(absent)?;
    Pointer::parse(&text::unescape(spelled)).map_err(PatchFaultKind::Pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6902_section_4_what_is_malformed() {
        use PatchFaultKind as Kind;
        let cases = [
            ("{}", None, Kind::NotAnArray),
            ("1", None, Kind::NotAnArray),
            ("[1]", Some(0), Kind::NotAnObject),
            (
                r#"[{"op":"remove","path":"/a"},[]]"#,
                Some(1),
                Kind::NotAnObject,
            ),
            (r#"[{"path":"/a"}]"#, Some(0), Kind::Op),
            (r#"[{"op":1,"path":"/a"}]"#, Some(0), Kind::Op),
            (r#"[{"op":"delete","path":"/a"}]"#, Some(0), Kind::Op),
            (r#"[{"op":"remove"}]"#, Some(0), Kind::Path),
            (r#"[{"op":"remove","path":["a"]}]"#, Some(0), Kind::Path),
            (
                r#"[{"op":"remove","path":"a"}]"#,
                Some(0),
                Kind::Pointer(PointerFault::NoSlash),
            ),
            (
                r#"[{"op":"remove","path":"/~2"}]"#,
                Some(0),
                Kind::Pointer(PointerFault::Escape),
            ),
            (r#"[{"op":"add","path":"/a"}]"#, Some(0), Kind::Value),
            (r#"[{"op":"move","path":"/a"}]"#, Some(0), Kind::From),
            (
                r#"[{"op":"copy","path":"/a","from":null}]"#,
                Some(0),
                Kind::From,
            ),
            (
                r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
                Some(0),
                Kind::IntoItself,
            ),
            (
                r#"[{"op":"remove","path":""}]"#,
                Some(0),
                Kind::WholeDocument,
            ),
        ];
        for (patch, operation, kind) in cases {
            let fault = Patch::parse(patch).unwrap_err();
            assert_eq!(fault, PatchFault { operation, kind }, "{patch}");
        }
        assert!(Patch::parse(r#"[{"op":"add","\u0070ath":"/a","value":null,"x":0}]"#).is_ok());
    }

    #[test]
    fn section_4_2_the_number_of_operations_is_bounded() {
        let patch = |count: usize| {
            format!(
                "[{}]",
                vec![r#"{"op":"remove","path":"/a"}"#; count].join(",")
            )
        };
        assert!(Patch::parse(&patch(PATCH_OPERATIONS)).is_ok());
        let fault = Patch::parse(&patch(PATCH_OPERATIONS + 1)).unwrap_err();
        assert_eq!(fault.kind, PatchFaultKind::TooMany);
    }

    #[test]
    fn section_3_a_patch_knows_whether_it_reads() {
        let reads = |operation: &str| Patch::parse(&format!("[{operation}]")).unwrap().reads();
        assert!(reads(r#"{"op":"test","path":"","value":1}"#));
        assert!(reads(r#"{"op":"copy","path":"/a","from":"/b"}"#));
        assert!(reads(r#"{"op":"move","path":"/a","from":"/b"}"#));
        assert!(!reads(r#"{"op":"add","path":"/a","value":1}"#));
        assert!(!reads(""));
    }
}

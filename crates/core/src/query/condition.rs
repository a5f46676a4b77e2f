//! Filters: `field=value`, `field:op=value` and `_where./json/pointer:op=value`
//! (contract §6).

use std::cmp::Ordering;

use super::fault::{QueryFault, shown};
use super::operand::{Bound, Values, string};
use crate::json::select::{elements, select};
use crate::json::{Pointer, PointerFault, check};
use crate::limits::JSON_DEPTH;

/// The operators, as they are written.
pub const OPERATORS: [&str; 10] = [
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "contains", "prefix", "exists",
];

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    field: Pointer,
    test: Test,
    spelling: String,
}

/// What a filter asks of the value of its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `eq`, `in`: it equals one of these.
    OneOf(Values),
    /// `ne`: it is absent or equals none of these.
    NoneOf(Values),
    /// `lt`, `lte`, `gt`, `gte`: it is of the bound's type and lies so.
    Compare(Comparison, Bound),
    /// `contains`: a string with this text in it, or an array with an element that
    /// equals one of the values.
    Contains {
        /// For strings.
        text: String,
        /// For arrays.
        element: Values,
    },
    /// `prefix`: a string that begins with this.
    Prefix(String),
    /// `exists`: whether it is present; `null` is.
    Exists(bool),
}

/// On which side of a bound a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Below.
    Less,
    /// Below or equal.
    LessOrEqual,
    /// Above.
    Greater,
    /// Above or equal.
    GreaterOrEqual,
}

impl Comparison {
    /// Whether a value that compares so with the bound is on the right side.
    #[must_use]
    pub const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Test {
    /// Reads an operator and its value. The error says what the value must be; `None`
    /// is an unknown operator.
    fn read(operator: &str, value: &str) -> Option<Result<Self, &'static str>> {
        let compare = |comparison| Self::Compare(comparison, Bound::read(value));
        Some(Ok(match operator {
            "eq" => Self::OneOf(Values::read([value])),
            "ne" => Self::NoneOf(Values::read([value])),
            "in" => Self::OneOf(alternatives(value)),
            "lt" => compare(Comparison::Less),
            "lte" => compare(Comparison::LessOrEqual),
            "gt" => compare(Comparison::Greater),
            "gte" => compare(Comparison::GreaterOrEqual),
            "contains" => Self::Contains {
                text: value.to_owned(),
                element: Values::read([value]),
            },
            "prefix" => Self::Prefix(value.to_owned()),
            "exists" => match value {
                "true" => Self::Exists(true),
                "false" => Self::Exists(false),
                _ => return Some(Err("true or false")),
            },
            _ => return None,
        }))
    }

    /// Whether a value, given by its JSON text, or the absence of one passes.
    #[must_use]
    pub fn holds(&self, raw: Option<&str>) -> bool {
        let Some(raw) = raw else {
            return matches!(self, Self::NoneOf(_) | Self::Exists(false));
        };
        match self {
            Self::OneOf(values) => values.contains(raw),
            Self::NoneOf(values) => !values.contains(raw),
            Self::Compare(comparison, bound) => bound
                .order_of(raw)
                .is_some_and(|order| comparison.holds(order)),
            Self::Contains { text, element } => match string(raw) {
                Some(string) => string.contains(text.as_str()),
                None => elements(raw).any(|raw| element.contains(raw)),
            },
            Self::Prefix(text) => string(raw).is_some_and(|string| string.starts_with(text)),
            Self::Exists(present) => *present,
        }
    }
}

/// The elements of a JSON array, or else what commas separate. Each counts as a value of
/// `eq` does.
fn alternatives(value: &str) -> Values {
    let array = check(value.as_bytes())
        .map(str::trim_ascii_start)
        .is_ok_and(|json| json.starts_with('['));
    if array {
        Values::read(elements(value))
    } else {
        Values::read(value.split(','))
    }
}

impl Condition {
    /// Reads a filter from a parameter that is already percent-decoded.
    ///
    /// # Errors
    /// A [`QueryFault`] if it names no field or no operator, or has a value that the
    /// operator does not take.
    pub fn parse(name: &str, value: &str) -> Result<Self, QueryFault> {
        let (field, operator) = name.rsplit_once(':').unwrap_or((name, "eq"));
        let test = match Test::read(operator, value) {
            Some(Ok(test)) => test,
            Some(Err(expected)) => {
                return Err(QueryFault::Value {
                    parameter: shown(name),
                    expected,
                });
            }
            None => {
                return Err(QueryFault::UnknownOperator {
                    parameter: shown(name),
                    operator: shown(operator),
                });
            }
        };
        let field = match field.strip_prefix("_where.") {
            Some(pointer) => pointed(pointer, name)?,
            None => dotted(field, name)?,
        };
        let pointer = field.to_string();
        let spelling = format!("{operator} {} {pointer}={value}", pointer.len());
        Ok(Self {
            field,
            test,
            spelling,
        })
    }

    /// Whether a document passes. `None` is a document that is not JSON: it has no
    /// fields.
    #[must_use]
    pub fn matches(&self, json: Option<&str>) -> bool {
        let tokens = self.field.tokens();
        self.test.holds(json.and_then(|json| select(json, tokens)))
    }

    /// The field that is looked at.
    #[must_use]
    pub const fn field(&self) -> &Pointer {
        &self.field
    }

    /// What is asked of it.
    #[must_use]
    pub const fn test(&self) -> &Test {
        &self.test
    }

    /// The filter in one way of writing: operator, length of the pointer, pointer, value.
    /// No other filter is written so, whatever characters are in it.
    pub(super) fn spelling(&self) -> &str {
        &self.spelling
    }
}

/// Reads a field as filters, `_sort` and `_fields` name it: `a.b` is `/a/b`.
pub(super) fn dotted(field: &str, parameter: &str) -> Result<Pointer, QueryFault> {
    if field.split('.').any(str::is_empty) {
        return Err(QueryFault::Field {
            parameter: shown(parameter),
            reason: "names no field; write field or field.inner, or for an empty name _where./json/pointer",
        });
    }
    let escaped = field.replace('~', "~0").replace('/', "~1");
    pointed(&format!("/{}", escaped.replace('.', "/")), parameter)
}

pub(super) fn pointed(pointer: &str, parameter: &str) -> Result<Pointer, QueryFault> {
    let fault = |reason| QueryFault::Field {
        parameter: shown(parameter),
        reason,
    };
    let pointer = Pointer::parse(pointer).map_err(|pointer_fault| {
        fault(match pointer_fault {
            PointerFault::NoSlash => {
                "what follows '_where.' must be a JSON Pointer, empty or beginning with '/'"
            }
            PointerFault::Escape => "in a JSON Pointer '~' must be followed by 0 or 1",
        })
    })?;
    if pointer.tokens().len() > JSON_DEPTH {
        return Err(fault("leads deeper than any document nests"));
    }
    Ok(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NULL: &str = r#"{"f":null}"#;
    const FALSE: &str = r#"{"f":false}"#;
    const TRUE: &str = r#"{"f":true}"#;
    const NUMBER: &str = r#"{"f":42.0}"#;
    const DIGITS: &str = r#"{"f":"42"}"#;
    const STRING: &str = r#"{"f":"caf\u00e9"}"#;
    const ARRAY: &str = r#"{"f":[1,"42",null]}"#;
    const OBJECT: &str = r#"{"f":{"a":1}}"#;
    const ABSENT: &str = r#"{"g":1}"#;
    const ALL: [&str; 9] = [
        NULL, FALSE, TRUE, NUMBER, DIGITS, STRING, ARRAY, OBJECT, ABSENT,
    ];

    #[test]
    fn section_6_every_operator_with_every_type() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("f", "42", &[NUMBER, DIGITS]),
            ("f", "4.20e1", &[NUMBER]),
            ("f", "\"42\"", &[DIGITS]),
            ("f", "café", &[STRING]),
            ("f", "null", &[NULL]),
            ("f", "false", &[FALSE]),
            ("f", "[1.0,\"42\",null]", &[ARRAY]),
            ("f", " {\"a\":1e0} ", &[OBJECT]),
            ("f", "", &[]),
            (
                "f:ne",
                "42",
                &[NULL, FALSE, TRUE, STRING, ARRAY, OBJECT, ABSENT],
            ),
            (
                "f:ne",
                "null",
                &[FALSE, TRUE, NUMBER, DIGITS, STRING, ARRAY, OBJECT, ABSENT],
            ),
            ("f:lt", "42", &[]),
            ("f:lte", "42", &[NUMBER]),
            ("f:gt", "-1e400", &[NUMBER]),
            ("f:gte", "42.00", &[NUMBER]),
            ("f:gt", "42.01", &[]),
            ("f:lt", "\"5\"", &[DIGITS]),
            ("f:gte", "b", &[STRING]),
            ("f:gt", "", &[DIGITS, STRING]),
            ("f:gt", "false", &[TRUE]),
            ("f:lte", "true", &[FALSE, TRUE]),
            ("f:lte", "null", &[DIGITS, STRING]),
            ("f:gt", "[]", &[STRING]),
            ("f:lte", "[]", &[DIGITS]),
            ("f:in", "1,42,café", &[NUMBER, DIGITS, STRING]),
            (
                "f:in",
                "[42, null, [1,\"42\",null]]",
                &[NULL, NUMBER, DIGITS, ARRAY],
            ),
            ("f:in", "[]", &[]),
            ("f:in", "[42", &[]),
            ("f:in", "", &[]),
            ("f:contains", "42", &[DIGITS, ARRAY]),
            ("f:contains", "af", &[STRING]),
            ("f:contains", "é", &[STRING]),
            ("f:contains", "1.0", &[ARRAY]),
            ("f:contains", "null", &[ARRAY]),
            ("f:contains", "", &[DIGITS, STRING]),
            ("f:contains", "a", &[STRING]),
            ("f:prefix", "4", &[DIGITS]),
            ("f:prefix", "caf", &[STRING]),
            ("f:prefix", "é", &[]),
            ("f:prefix", "", &[DIGITS, STRING]),
            (
                "f:exists",
                "true",
                &[NULL, FALSE, TRUE, NUMBER, DIGITS, STRING, ARRAY, OBJECT],
            ),
            ("f:exists", "false", &[ABSENT]),
            ("f.a", "1", &[OBJECT]),
            ("f.1", "42", &[ARRAY]),
            ("f.01", "42", &[]),
            ("f.a:exists", "true", &[OBJECT]),
            ("_where./f/a", "1", &[OBJECT]),
            ("_where.:eq", "{\"g\":1}", &[ABSENT]),
        ];
        for (name, value, expected) in cases {
            let condition = Condition::parse(name, value).unwrap();
            for json in ALL {
                let matches = condition.matches(Some(json));
                assert_eq!(matches, expected.contains(&json), "{name}={value} {json}");
            }
        }
    }

    #[test]
    fn section_6_where_names_what_fields_cannot() {
        let json = r#"{"a.b":1,"a/b":2,"":3,"_x":4,"dc:title":5,"~":6,"d":{"":7}}"#;
        let cases = [
            ("_where./a.b", "1"),
            ("_where./a~1b", "2"),
            ("a/b", "2"),
            ("_where./", "3"),
            ("_where./_x:eq", "4"),
            ("dc:title:eq", "5"),
            ("_where./dc:title:lte", "5"),
            ("_where./~0", "6"),
            ("~", "6"),
            ("_where./d/", "7"),
        ];
        for (name, value) in cases {
            let condition = Condition::parse(name, value).unwrap();
            assert!(condition.matches(Some(json)), "{name}={value}");
        }
    }

    #[test]
    fn section_6_a_fault_names_what_it_is_about() {
        let deep = "a.".repeat(JSON_DEPTH) + "a";
        let cases = [
            ("f:like", "x", "'like' in 'f:like'"),
            ("dc:title", "x", "'dc:title:eq'"),
            ("_where./f:==", "x", "'=='"),
            ("f:exists", "yes", "'f:exists' must be true or false"),
            ("", "x", "names no field"),
            (":eq", "x", "names no field"),
            ("a..b", "x", "'a..b'"),
            ("_where.f", "x", "'_where.f': what follows"),
            ("_where./~2", "x", "'~' must be followed"),
            (deep.as_str(), "x", "deeper"),
        ];
        for (name, value, part) in cases {
            let fault = Condition::parse(name, value).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault}");
            assert!(fault.len() < 400, "{fault}");
        }
    }

    #[test]
    fn equality_is_exact_however_long_the_value_is() {
        let long = |last: &str| format!("{{\"f\":[\"{}{last}\"]}}", "x".repeat(10_000));
        let condition = Condition::parse("_where.", &long("1")).unwrap();
        assert!(condition.matches(Some(&long("\\u0031"))));
        assert!(!condition.matches(Some(&long("2"))));
        assert!(!condition.matches(Some(&long("11"))));
    }
}

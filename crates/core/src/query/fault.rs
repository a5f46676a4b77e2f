//! What can be wrong with a query, told to the client as a 400 (contract §6).

use std::fmt;

use super::condition::OPERATORS;
use crate::limits::QUERY_TERMS;

/// Why a query was refused. Its display names the parameter and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryFault {
    /// A parameter is not percent-encoded UTF-8.
    Encoding {
        /// It, as it was sent.
        parameter: String,
    },
    /// A name that begins with `_` and means nothing.
    UnknownControl {
        /// It.
        name: String,
        /// The controls that mean something here.
        known: &'static str,
    },
    /// A control of a feed in a list, or the other way round.
    Misplaced {
        /// Its name.
        name: &'static str,
        /// Why it has no meaning here, said of it.
        reason: &'static str,
    },
    /// A control that may occur once occurs again.
    Repeated {
        /// Its name.
        name: &'static str,
    },
    /// What follows the last `:` of a filter is no operator.
    UnknownOperator {
        /// The filter's name.
        parameter: String,
        /// What it has for an operator.
        operator: String,
    },
    /// A field is named in a way that names none.
    Field {
        /// The parameter that names it.
        parameter: String,
        /// What is wrong with the name.
        reason: &'static str,
    },
    /// A value that the parameter cannot have.
    Value {
        /// The parameter.
        parameter: String,
        /// What it can have.
        expected: &'static str,
    },
    /// A page of more than may be on one, or of nothing.
    Limit {
        /// How much may be on one.
        max: usize,
    },
    /// More than [`QUERY_TERMS`].
    TooMany {
        /// Of what.
        terms: &'static str,
    },
    /// A page token that this server did not make.
    Token,
    /// A page token of another filter, order or reader.
    ForeignToken,
}

/// Characters of a name or value that are repeated to the client.
const SHOWN: usize = 64;

/// The beginning of what a client sent, for a message.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl fmt::Display for QueryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding { parameter } => write!(
                f,
                "the query parameter '{parameter}' is not percent-encoded UTF-8; '%' must be followed by two hexadecimal digits"
            ),
            Self::UnknownControl { name, known } => write!(
                f,
                "unknown query parameter '{name}'; known are {known} (for a field of that name, send _where./{name}=…)"
            ),
            Self::Misplaced { name, reason } => write!(f, "'{name}' {reason}"),
            Self::Repeated { name } => write!(f, "'{name}' occurs more than once; send it once"),
            Self::UnknownOperator {
                parameter,
                operator,
            } => write!(
                f,
                "unknown operator '{operator}' in '{parameter}'; known are {} (a field with ':' in its name is written with its operator, as in '{parameter}:eq')",
                OPERATORS.join(", ")
            ),
            Self::Field { parameter, reason } => write!(f, "'{parameter}': {reason}"),
            Self::Value {
                parameter,
                expected,
            } => write!(f, "the value of '{parameter}' must be {expected}"),
            Self::Limit { max } => write!(f, "the value of '_limit' must be 1 to {max}"),
            Self::TooMany { terms } => write!(f, "a query has at most {QUERY_TERMS} {terms}"),
            Self::Token => f.write_str(
                "the value of '_after' is not a page token; follow 'next' as it was given, or leave it out to begin anew",
            ),
            Self::ForeignToken => f.write_str(
                "the page token in '_after' was made for another filter, order or principal; send the same ones, or leave it out to begin anew",
            ),
        }
    }
}

impl std::error::Error for QueryFault {}

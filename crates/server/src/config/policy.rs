//! Policies, and the claims that they look at, as the operator names them.

use std::path::PathBuf;

use matchbook_access::policy::{Type, sets};
use serde_json::json;

use super::value::Scalar;

/// Where policies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// A ready-made set.
    Set(&'static str),
    /// The operator's own file.
    File(PathBuf),
}

impl PolicySource {
    /// What faults in it are told with.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Set(name) => (*name).to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The policies themselves.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn text(&self) -> std::io::Result<String> {
        match self {
            Self::Set(name) => Ok(sets::named(name).unwrap_or_default().to_owned()),
            Self::File(path) => std::fs::read_to_string(path),
        }
    }
}

impl Scalar for PolicySource {
    fn scalar(text: &str) -> Result<Self, String> {
        match sets::NAMES.iter().find(|name| **name == text) {
            Some(name) => Ok(Self::Set(name)),
            None => PathBuf::scalar(text).map(Self::File),
        }
    }
}

/// A claim, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimType {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub declared: Type,
}

impl Scalar for ClaimType {
    fn scalar(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "{text:?} is no claim: write its name and string, integer or boolean, such as \
                 role=string, or groups=string[] for several"
            )
        };
        let (name, of) = text.split_once('=').ok_or_else(fault)?;
        let (one, is_set) = match of.strip_suffix("[]") {
            Some(one) => (one, true),
            None => (of, false),
        };
        if name.is_empty() || !matches!(one, "string" | "integer" | "boolean") {
            return Err(fault());
        }
        let one = json!({"type": one});
        let schema = if is_set {
            json!({"type": "array", "items": one})
        } else {
            one
        };
        Ok(Self {
            name: name.to_owned(),
            declared: Type::declared(&schema)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_with_their_types() {
        let declared = |text: &str| ClaimType::scalar(text).map(|claim| claim.declared);
        assert_eq!(declared("role=string"), Ok(Type::String));
        assert_eq!(declared("level=integer"), Ok(Type::Integer));
        let set = Type::Set(Box::new(Type::String));
        assert_eq!(declared("groups=string[]"), Ok(set));
        for bad in ["role", "=string", "role=text", "role=", "role=string[][]"] {
            assert!(declared(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ready_made_sets_go_before_files() {
        for name in sets::NAMES {
            let source = PolicySource::scalar(name).unwrap();
            assert_eq!(source, PolicySource::Set(name));
            assert!(source.text().unwrap().contains("permit"));
        }
        let file = PolicySource::scalar("./open").unwrap();
        assert_eq!(file, PolicySource::File("./open".into()));
    }
}

//! Policies (contract §11): from files that the operator names, and from documents below
//! `/_/policies`. All of them hold together.

use matchbook_access::policy::{Policies, Schema, Type};
use matchbook_core::field::media_type::MediaType;
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem, Violation};
use serde_json::Value;

use super::Given;
use crate::collections::Collections;
use crate::rights::Rights;

/// Policies that the operator names, and the claims that they can speak of.
#[derive(Clone, Debug, Default)]
pub struct PolicyFiles {
    /// Texts, each with the name of its file.
    pub texts: Vec<(String, String)>,
    /// Names of claims, and what they hold.
    pub claims: Vec<(String, Type)>,
}

/// The text of a policy document.
///
/// # Errors
/// 415 for what is no text, 422 for what is no UTF-8.
pub(super) fn text<'a>(content_type: &str, body: &'a [u8]) -> Result<&'a str, Problem> {
    let is_text = |media_type: MediaType<'_>| media_type.type_().eq_ignore_ascii_case("text");
    if !MediaType::read(content_type).is_some_and(is_text) {
        let detail = format!("policies are text/plain, not {content_type}");
        return Err(Kind::UnsupportedContent.because(detail));
    }
    std::str::from_utf8(body).map_err(|fault| Problem::invalid(fault.to_string(), Vec::new()))
}

/// What all of them come to; `None` if there are none.
///
/// # Errors
/// What is wrong with them, each with its line and column.
pub(super) fn read(
    given: &Given<'_>,
    collections: &Collections,
    documents: &[(&DocumentPath, &str)],
) -> Result<Option<Rights>, Problem> {
    let files = &given.policies.texts;
    if !given.authenticates || (files.is_empty() && documents.is_empty()) {
        return Ok(None);
    }
    let schemas: Vec<(&str, &Value)> = collections.schemas().collect();
    let claims = given.policies.claims.iter();
    let claims: Vec<(&str, Type)> = claims
        .map(|(name, declared)| (name.as_str(), declared.clone()))
        .collect();
    let schema = Schema::new(&schemas, &claims)
        .map_err(|fault| Problem::invalid(fault.to_string(), Vec::new()))?;
    let files = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    let documents = documents.iter().map(|(path, text)| (path.as_str(), *text));
    let sources: Vec<(&str, &str)> = files.chain(documents).collect();
    match Policies::parse(&sources, &schema) {
        Ok(policies) => Ok(Some(Rights::new(policies))),
        Err(faults) => {
            let violations = faults.into_iter().map(|fault| Violation {
                pointer: String::new(),
                detail: fault.to_string(),
            });
            let detail = "the policies would not be valid; those before stay in force";
            Err(Problem::invalid(detail, violations.collect()))
        }
    }
}

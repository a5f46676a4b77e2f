//! What the documents show is good.

use serde_json::Value;

use super::{Policies, Schema, Type, sets};

const PAGE: &str = include_str!("../../../../docs/policies.md");

/// The blocks of the page in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let after = PAGE.split(fence.as_str()).skip(1);
    after
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .collect()
}

#[test]
fn the_policies_of_the_page_are_good() {
    let schemas: Vec<Value> = blocks("jsonc")
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let collections: Vec<_> = schemas
        .iter()
        .map(|schema| ("projects.*.tasks", schema))
        .collect();
    let schema = Schema::new(&collections, &[("role", Type::String)]).unwrap();
    let policies = blocks("cedar");
    assert!(policies.len() > 4);
    for text in policies.into_iter().chain([sets::OPEN, sets::OWNER]) {
        let read = Policies::parse(&[("docs/policies.md", text)], &schema);
        assert!(read.is_ok(), "{text}\n{read:?}");
    }
}

//! The public test vectors: JSONTestSuite, json-patch-tests, RFC 7396's appendix.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::samples::model;
use super::{Patch, Reason, check, equal, merge};
use crate::limits::DOCUMENT_BYTES;

/// A file or folder of the shared data, if it is there.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if !path.exists() {
        println!("skipped: no ../shared/data/{name}");
        return None;
    }
    Some(path)
}

fn cases(name: &str) -> Vec<Value> {
    let Some(path) = shared(name) else {
        return Vec::new();
    };
    let text = fs::read(path).unwrap();
    match serde_json::from_slice(&text).unwrap() {
        Value::Array(cases) => cases,
        other => panic!("not a list of cases: {other}"),
    }
}

#[test]
fn json_test_suite() {
    let Some(folder) = shared("json-parsing") else {
        return;
    };
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let checked = fs::read(&path).unwrap();
        let checked = check(&checked).map(drop);
        seen += 1;
        if name.starts_with("y_object_duplicated_key") {
            assert_eq!(checked.unwrap_err().reason, Reason::Duplicate, "{name}");
        } else if name.starts_with("y_") {
            assert_eq!(checked, Ok(()), "{name}");
        } else if name.starts_with("n_") {
            assert!(checked.is_err(), "{name}");
        }
    }
    assert!(seen > 250);
}

#[test]
fn json_patch_tests() {
    for file in [
        "json-patch-tests/tests.json",
        "json-patch-tests/spec_tests.json",
    ] {
        for case in cases(file) {
            let (document, patch) = (case["doc"].to_string(), case["patch"].to_string());
            if case["disabled"] == true {
                continue;
            }
            let result = Patch::parse(&patch)
                .map_err(|fault| fault.to_string())
                .and_then(|patch| {
                    let patched = patch.apply(&document, DOCUMENT_BYTES);
                    patched.map_err(|fault| fault.to_string())
                });
            match result {
                Ok(patched) => {
                    assert_eq!(case.get("error"), None, "{case}");
                    check(patched.as_bytes()).unwrap();
                    if let Some(expected) = case.get("expected") {
                        assert!(equal(&patched, &expected.to_string()), "{case}: {patched}");
                    }
                }
                Err(fault) => assert!(case.get("error").is_some(), "{case}: {fault}"),
            }
        }
    }
}

#[test]
fn rfc_7396_appendix_a() {
    for case in cases("merge-patch/merge_tests.json") {
        let (document, patch) = (case["doc"].to_string(), case["patch"].to_string());
        let merged = merge(&document, &patch, DOCUMENT_BYTES).unwrap();
        assert_eq!(
            model(&merged),
            model(&case["expected"].to_string()),
            "{case}"
        );
    }
}

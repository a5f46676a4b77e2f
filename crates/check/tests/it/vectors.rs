//! Public test vectors, over HTTP.

use serde_json::{Value, json};

use crate::harness::Server;
use crate::harness::data::shared;

/// Those cases of `json-patch-tests` that tell most implementations apart, for where
/// the whole suite is not at hand.
const JSON_PATCH: &str = r#"[
 {"doc":{"foo":["bar","baz"]},"patch":[{"op":"add","path":"/foo/1","value":"qux"}],"expected":{"foo":["bar","qux","baz"]}},
 {"doc":{"foo":"bar"},"patch":[{"op":"add","path":"/foo","value":null}],"expected":{"foo":null}},
 {"doc":["foo"],"patch":[{"op":"add","path":"/-","value":["bar"]}],"expected":["foo",["bar"]]},
 {"doc":{"a":{"b":1}},"patch":[{"op":"move","from":"/a/b","path":"/c"}],"expected":{"a":{},"c":1}},
 {"doc":{"a":1},"patch":[{"op":"replace","path":"","value":[2]}],"expected":[2]},
 {"doc":{"a":1},"patch":[{"op":"test","path":"/a","value":"1"}],"error":"types differ"},
 {"doc":[1,2],"patch":[{"op":"add","path":"/3","value":3}],"error":"outside"},
 {"doc":[1,2],"patch":[{"op":"remove","path":"/1e0"}],"error":"no index"}
]"#;

/// RFC 7396, appendix A.
const MERGE_PATCH: &str = r#"[
 [{"a":"b"},{"a":"c"},{"a":"c"}],
 [{"a":"b"},{"b":"c"},{"a":"b","b":"c"}],
 [{"a":"b"},{"a":null},{}],
 [{"a":"b","b":"c"},{"a":null},{"b":"c"}],
 [{"a":["b"]},{"a":"c"},{"a":"c"}],
 [{"a":"c"},{"a":["b"]},{"a":["b"]}],
 [{"a":{"b":"c"}},{"a":{"b":"d","c":null}},{"a":{"b":"d"}}],
 [{"a":[{"b":"c"}]},{"a":[1]},{"a":[1]}],
 [["a","b"],["c","d"],["c","d"]],
 [{"a":"b"},["c"],["c"]],
 [{"a":"foo"},null,null],
 [{"a":"foo"},"bar","bar"],
 [{"e":null},{"a":1},{"e":null,"a":1}],
 [[1,2],{"a":"b","c":null},{"a":"b"}],
 [{},{"a":{"bb":{"ccc":null}}},{"a":{"bb":{}}}]
]"#;

fn read(path: std::path::PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn json_patch_cases(cases: &Value) {
    let server = Server::start();
    let mut connection = server.connect();
    for (index, case) in cases.as_array().unwrap().iter().enumerate() {
        let is_case = case.get("doc").is_some() && case.get("patch").is_some();
        if !is_case || case["disabled"] == true {
            continue;
        }
        let target = format!("/cases/{index}");
        let made = connection.put(&target, case["doc"].to_string()).send();
        let tag = made.status(201).tag();
        let answer = connection
            .request("PATCH", &target)
            .content("application/json-patch+json", case["patch"].to_string())
            .if_match(&tag)
            .send();
        let now = connection.get(&target).send();
        if case.get("error").is_some() {
            assert!(matches!(answer.code, 400 | 409), "{case}: {answer}");
            now.has("etag", &tag);
            assert_eq!(now.json(), case["doc"], "{case}");
            continue;
        }
        assert_eq!(answer.code, 204, "{case}: {answer}");
        let expected = case.get("expected").unwrap_or(&case["doc"]);
        assert_eq!(&now.json(), expected, "{case}");
    }
}

#[test]
fn rfc_6902_own_cases() {
    json_patch_cases(&serde_json::from_str(JSON_PATCH).unwrap());
}

#[test]
fn rfc_6902_json_patch_tests() {
    for name in ["spec_tests.json", "tests.json"] {
        if let Some(path) = shared(&format!("json-patch-tests/{name}")) {
            json_patch_cases(&read(path));
        }
    }
}

fn merge_cases<'a>(cases: impl Iterator<Item = [&'a Value; 3]>) {
    let server = Server::start();
    for (index, [document, patch, expected]) in cases.enumerate() {
        let target = format!("/cases/{index}");
        let tag = server.create(&target, document.to_string());
        let request = server.merge(&target, patch.to_string());
        let answer = request.if_match(&tag).send();
        assert_eq!(answer.code, 204, "{document} {patch}: {answer}");
        let now = server.get(&target).send().json();
        assert_eq!(&now, expected, "{document} {patch}");
    }
}

#[test]
fn rfc_7396_appendix_a() {
    let cases: Vec<Value> = serde_json::from_str(MERGE_PATCH).unwrap();
    assert_eq!(cases.len(), 15);
    merge_cases(cases.iter().map(|case| [&case[0], &case[1], &case[2]]));
}

#[test]
fn rfc_7396_merge_tests() {
    let Some(path) = shared("merge-patch/merge_tests.json") else {
        return;
    };
    let cases = read(path);
    let cases = cases.as_array().unwrap().iter();
    merge_cases(cases.map(|case| [&case["doc"], &case["patch"], &case["expected"]]));
}

/// The files of JSONTestSuite whose names begin so, in order.
fn parsing(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let Some(directory) = shared("json-parsing") else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn section_2_json_test_suite_y_is_stored_as_sent() {
    let server = Server::start();
    for (index, (name, body)) in parsing("y_").into_iter().enumerate() {
        let target = format!("/y/{index}");
        let answer = server.put(&target, &body).send();
        if name.starts_with("y_object_duplicated_key") {
            assert_eq!(answer.code, 400, "{name}: {answer}");
            answer.problem("malformed");
            continue;
        }
        assert_eq!(answer.code, 201, "{name}: {answer}");
        server.holds(&target, &body, &answer.tag());
    }
}

#[test]
fn section_2_json_test_suite_n_is_refused() {
    let server = Server::start();
    for (name, body) in parsing("n_") {
        let answer = server.put("/n/1", &body).send();
        assert_eq!(answer.code, 400, "{name}: {answer}");
        answer.problem("malformed");
    }
    server.get("/n/1").send().status(404);
    assert_eq!(server.get("/").send().json()["items"], json!([]));
}

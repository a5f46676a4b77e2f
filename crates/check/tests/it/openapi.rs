//! The server's description of itself (contract §1: `openapi.json`): it is valid OpenAPI,
//! its examples work, and nothing that Schemathesis makes of it is answered otherwise
//! than it says.

use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::harness::operations::Told;
use crate::harness::token::{Guarded, admin, authorization, bearer};
use crate::harness::{Answer, Server, programs};

const TARGET: &str = "/_/openapi.json";
const MEDIA_TYPE: &str = "application/vnd.oai.openapi+json;version=3.1";

/// The collections of the server's own: what is written there changes what is valid
/// elsewhere.
const OWN: &str = "^/_/(collections|policies|keys)";

/// Where work is started, and where it is watched.
const OPERATIONS: &str = "/_/operations";
const ONE: &str = "/_/operations/{id}";

/// The document, for whom it is made.
fn document(server: &Server, authorization: &str) -> Value {
    let request = server.get(TARGET).field("Authorization", authorization);
    let answer = request.send();
    answer.status(200).has("content-type", MEDIA_TYPE);
    answer.json()
}

/// Two collections with schemas, one of them with members that the server sets.
fn set_up(server: &Server, authorization: &str) {
    let name = json!({"type": "string", "minLength": 1, "maxLength": 20});
    let recipes = json!({
        "type": "object",
        "required": ["title"],
        "properties": {"title": {"$ref": "#/$defs/name"}, "portions": {"type": "integer", "minimum": 1}},
        "additionalProperties": false,
        "$defs": {"name": name},
        "examples": [{"title": "Soup", "portions": 4}],
    });
    let tasks = json!({
        "type": "object",
        "required": ["title", "changed"],
        "properties": {"title": name, "changed": {"type": "string"}},
        "examples": [{"title": "Paint"}],
    });
    let settings = [
        (
            "recipes",
            json!({"schema": recipes, "preconditions": "optional"}),
        ),
        (
            "projects.*.tasks",
            json!({"schema": tasks, "set": {"changed": "now"}}),
        ),
    ];
    for (pattern, settings) in settings {
        let target = format!("/_/collections/{pattern}");
        let request = server.put(&target, settings.to_string());
        request
            .field("Authorization", authorization)
            .send()
            .status(201);
    }
    let request = server.put("/plain/0", "1");
    let request = request.field("Authorization", authorization);
    request.send().status(201);
}

#[test]
fn section_1_openapi_tells_of_collections_and_their_schemas() {
    let server = Server::start();
    let before = document(&server, "");
    assert_eq!(before["openapi"], "3.1.1");
    assert!(before["paths"]["/recipes"].is_null());
    set_up(&server, "");
    let after = document(&server, "");
    for path in [
        "/recipes",
        "/recipes/{id}",
        "/projects/{id1}/tasks/{id}",
        "/plain/{id}",
        "/{collection}/{id}",
        "/_/collections/{id}",
        OPERATIONS,
        "/_/operations/{id}/result",
    ] {
        assert!(after["paths"][path].is_object(), "{path}");
    }
    let schemas = &after["components"]["schemas"];
    assert_eq!(schemas["Recipes"]["properties"]["portions"]["minimum"], 1);
    let if_match = |path: &str| after["paths"][path]["delete"]["parameters"][0]["required"].clone();
    assert_eq!(if_match("/recipes/{id}"), false);
    assert_eq!(if_match("/plain/{id}"), true);
    server.head(TARGET).send().status(200).is_body("");
    let refused = server.put(TARGET, "{}").send();
    refused.status(405).lists("allow", "GET, HEAD, OPTIONS");
    let query = server.get(&format!("{TARGET}?x=1")).send();
    query.status(400).problem("bad-query");
}

#[test]
fn section_11_openapi_tells_of_no_collection_that_may_not_be_listed() {
    let guarded = Guarded::start();
    let server = &guarded.server;
    server.get(TARGET).send().status(401);
    let root = admin();
    let put = |target: &str, text: &str, content_type: &str| {
        let request = server.request("PUT", target).content(content_type, text);
        request.field("Authorization", &root).send().status(201);
    };
    put("/shown/1", "1", "application/json");
    put("/hidden/1", "1", "application/json");
    put("/_/collections/secret", "{}", "application/json");
    put("/_/collections/*.*.secrets", "{}", "application/json");
    put(
        "/_/policies/test",
        r#"permit (principal, action, resource) when { principal has claims.admin && principal.claims.admin };
        permit (principal is User, action, resource) when { resource.collection == "/shown" };"#,
        "text/plain",
    );
    let paths = |authorization: &str| {
        let document = document(server, authorization);
        let paths = document["paths"].as_object().unwrap();
        paths.keys().cloned().collect::<Vec<_>>()
    };
    let user = paths(&bearer("alice", &json!({})));
    let all = paths(&root);
    for path in ["/shown", "/{collection}"] {
        assert!(
            user.iter()
                .chain(&all)
                .filter(|found| *found == path)
                .count()
                == 2
        );
    }
    for path in [
        "/hidden",
        "/secret",
        "/{collection}/{id1}/secrets",
        "/_/keys",
        "/_/collections",
    ] {
        assert!(all.iter().any(|found| found == path), "{path}");
        assert!(!user.iter().any(|found| found == path), "{path}");
    }
}

/// What is known of the document while its examples are sent.
struct Walk<'a> {
    server: &'a Server,
    document: &'a Value,
    authorization: &'a str,
    sent: usize,
}

impl Walk<'_> {
    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(target) => self.document.pointer(&target[1..]).unwrap(),
            None => value,
        }
    }

    /// The examples of parameters that are needed, by where they stand.
    fn parameters(&self, of: &Value, place: &str) -> Vec<(String, String)> {
        let all = of["parameters"].as_array().into_iter().flatten();
        let all = all.map(|parameter| self.resolve(parameter));
        all.filter(|parameter| parameter["in"] == place && parameter["required"] == true)
            .map(|parameter| {
                let text = |name: &str| parameter[name].as_str().unwrap().to_owned();
                (text("name"), text("example"))
            })
            .collect()
    }

    /// Sends one example; the answer is one that the operation has, and no refusal.
    fn send(&mut self, method: &str, path: &str, content: Option<(&str, &Value)>) {
        let mut target = path.to_owned();
        for (name, example) in self.parameters(&self.document["paths"][path], "path") {
            target = target.replace(&format!("{{{name}}}"), &example);
        }
        self.send_to(&target, method, path, content);
    }

    fn send_to(
        &mut self,
        target: &str,
        method: &str,
        path: &str,
        content: Option<(&str, &Value)>,
    ) -> Answer {
        let operation = &self.document["paths"][path][method];
        let mut request = self
            .server
            .request(&method.to_uppercase(), target)
            .field("Authorization", self.authorization);
        for (name, example) in self.parameters(operation, "header") {
            request = request.field(&name, &example);
        }
        if let Some((media_type, example)) = content {
            let text = match example {
                Value::String(text) if media_type != "application/json" => text.clone(),
                example => example.to_string(),
            };
            request = request.content(media_type, text);
        }
        let answer = request.send();
        assert!(answer.code < 300, "{method} {target}: {answer}");
        self.is_documented(operation, &answer);
        self.sent += 1;
        answer
    }

    fn is_documented(&self, operation: &Value, answer: &Answer) {
        let described = &operation["responses"][answer.code.to_string()];
        let described = self.resolve(described);
        assert!(described.is_object(), "{operation}: {answer}");
        for (name, field) in described["headers"].as_object().unwrap() {
            if self.resolve(field)["required"] == true {
                answer.field(&name.to_lowercase());
            }
        }
        let Some(content) = described["content"].as_object() else {
            return;
        };
        let media_type = answer.field("content-type").split(';').next().unwrap();
        let is_any = |name: &String| name == media_type || name.ends_with("/*");
        assert!(content.keys().any(is_any), "{operation}: {answer}");
    }

    /// A document comes into being by each example of PUT, and is read, changed and
    /// deleted.
    fn live(&mut self, path: &str) {
        for (media_type, example) in examples(&self.document["paths"][path]["put"]) {
            self.send("put", path, Some((&media_type, &example)));
            self.send("get", path, None);
            if media_type == "application/json" {
                for (media_type, example) in examples(&self.document["paths"][path]["patch"]) {
                    self.send("patch", path, Some((&media_type, &example)));
                }
            }
            self.send("delete", path, None);
        }
    }

    /// Each kind of work is started by its example, and followed to its end.
    fn work(&mut self) {
        for (media_type, example) in examples(&self.document["paths"][OPERATIONS]["post"]) {
            let started = || Some((&*media_type, &example));
            let started = self.send_to(OPERATIONS, "post", OPERATIONS, started());
            let location = started.field("location").to_owned();
            let kind = example["kind"].as_str().unwrap();
            if kind == "import" {
                self.content(&location);
            }
            let end = self.end(&location);
            // No settings ask for the index of the example.
            let expected = match kind {
                "build-index" => "failed",
                _ => "succeeded",
            };
            assert_eq!(end["status"], expected, "{end}");
            if let Some(file) = end["result"]["content"].as_str() {
                self.send_to(file, "get", &format!("{ONE}/result"), None);
            }
            self.send_to(&location, "delete", ONE, None);
            assert_eq!(self.end(&location)["status"], expected);
        }
        self.send("get", OPERATIONS, None);
    }

    /// An import is given its example.
    fn content(&mut self, location: &str) {
        let path = format!("{ONE}/content");
        for (media_type, example) in examples(&self.document["paths"][&path]["put"]) {
            let target = format!("{location}/content");
            self.send_to(&target, "put", &path, Some((&media_type, &example)));
        }
    }

    /// How an operation has ended.
    fn end(&mut self, location: &str) -> Value {
        let fields = [("Authorization", self.authorization)];
        Told::to(self.server, location, &fields).rest();
        self.send_to(location, "get", ONE, None).json()
    }
}

/// The examples of an operation's content, by media type.
fn examples(operation: &Value) -> Vec<(String, Value)> {
    let content = operation["requestBody"]["content"].as_object();
    let all = content.into_iter().flat_map(Map::iter);
    all.flat_map(|(media_type, media)| {
        let several = media["examples"]
            .as_object()
            .into_iter()
            .flat_map(Map::values);
        let several = several.map(|example| &example["value"]);
        let examples = media.get("example").into_iter().chain(several);
        examples.map(|example| (media_type.clone(), example.clone()))
    })
    .collect()
}

/// Sends all of them.
fn examples_work(server: &Server, authorization: &str) {
    set_up(server, authorization);
    let document = document(server, authorization);
    let mut walk = Walk {
        server,
        document: &document,
        authorization,
        sent: 0,
    };
    walk.work();
    for (path, item) in document["paths"].as_object().unwrap() {
        if path.starts_with(OPERATIONS) {
            continue;
        }
        if item.get("put").is_some() {
            walk.live(path);
            continue;
        }
        // Policies hold at once, and what is posted stays.
        for (media_type, example) in examples(&item["post"]) {
            if path != "/_/policies" {
                walk.send("post", path, Some((&media_type, &example)));
            }
        }
        if item.get("get").is_some() {
            walk.send("get", path, None);
        }
        if item["post"].get("requestBody").is_none() && item.get("post").is_some() {
            walk.send("post", path, None);
        }
    }
    assert!(walk.sent > 40, "{}", walk.sent);
}

#[test]
fn section_1_the_examples_of_openapi_work() {
    let server = Server::start();
    examples_work(&server, "");
}

#[test]
fn section_1_the_examples_of_openapi_work_with_credentials() {
    let guarded = Guarded::start();
    examples_work(&guarded.server, &authorization());
}

#[test]
fn section_1_openapi_is_valid() {
    let Some(python) = programs::installed("python/bin/python") else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let is_valid = |server: &Server, authorization: &str| {
        set_up(server, authorization);
        let file = directory.path().join("openapi.json");
        std::fs::write(&file, document(server, authorization).to_string()).unwrap();
        let mut command = Command::new(&python);
        command.args(["-m", "openapi_spec_validator", "--schema", "3.1"]);
        let output = command.arg(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    is_valid(&Server::start(), "");
    let guarded = Guarded::start();
    is_valid(&guarded.server, &authorization());
}

/// Starts work of each kind, so that there are operations to be asked for. Of two imports,
/// one gets its content, and the other waits.
fn start_each(server: &Server, authorization: &str) {
    let document = document(server, authorization);
    let start = |example: &Value| {
        let request = server.post(OPERATIONS, example.to_string());
        let answer = request.field("Authorization", authorization).send();
        answer.status(202).field("location").to_owned()
    };
    for (_, example) in examples(&document["paths"][OPERATIONS]["post"]) {
        let location = start(&example);
        if example["kind"] != "import" {
            continue;
        }
        for (media_type, lines) in examples(&document["paths"][format!("{ONE}/content")]["put"]) {
            let request = server.request("PUT", &format!("{location}/content"));
            let request = request.content(&media_type, lines.as_str().unwrap());
            let request = request.field("Authorization", authorization);
            request.send().status(204);
        }
        start(&example);
    }
}

/// Requests, good and bad, that Schemathesis makes of the document. It compares each
/// answer with what the document says.
fn schemathesis(server: &Server, authorization: Option<&str>, filter: &str) {
    let Some(program) = programs::installed("python/bin/schemathesis") else {
        return;
    };
    set_up(server, authorization.unwrap_or_default());
    start_each(server, authorization.unwrap_or_default());
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
    };
    write(
        "schemathesis.toml",
        include_str!("../../clients/schemathesis.toml"),
    );
    write(
        "schemathesis_hooks.py",
        include_str!("../../clients/schemathesis_hooks.py"),
    );
    let mut command = Command::new(program);
    command.current_dir(directory.path());
    command.args(["run", &format!("http://{}{TARGET}", server.host())]);
    command.args(["--phases", "examples,coverage,fuzzing"]);
    command.args(["--max-examples", "15", "--seed", "1"]);
    // How long it takes to make up data is no fault of the server's.
    command.args(["--suppress-health-check", "all", "--warnings", "off"]);
    command.args([filter, OWN]);
    if let Some(authorization) = authorization {
        command.args(["--header", &format!("Authorization: {authorization}")]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("generated"), "{text}");
}

#[test]
fn section_3_schemathesis_finds_nothing() {
    schemathesis(&Server::start(), None, "--exclude-path-regex");
}

#[test]
fn section_12_schemathesis_finds_nothing_in_settings() {
    schemathesis(&Server::start(), None, "--include-path-regex");
}

#[test]
fn section_3_schemathesis_finds_nothing_with_credentials() {
    let guarded = Guarded::start();
    let authorization = bearer("alice", &json!({"exp": 4_000_000_000_u64}));
    schemathesis(
        &guarded.server,
        Some(&authorization),
        "--exclude-path-regex",
    );
}

#[test]
fn section_12_schemathesis_finds_nothing_in_settings_with_credentials() {
    let guarded = Guarded::start();
    let authorization = bearer("alice", &json!({"exp": 4_000_000_000_u64}));
    schemathesis(
        &guarded.server,
        Some(&authorization),
        "--include-path-regex",
    );
}

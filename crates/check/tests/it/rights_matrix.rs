//! Each method × what the policies say × whether the document is there × credentials: the
//! status and `WWW-Authenticate` of contract §3, lines 6, 7 and 10.

use serde_json::json;
use tempfile::TempDir;

use crate::harness::Server;
use crate::harness::token::{Guarded, admin, bearer, now};

/// What the policies of the test say of each collection.
const POLICIES: &str = r#"
permit (principal, action, resource) when { principal has claims.admin && principal.claims.admin };
permit (principal, action, resource) when { resource.collection == "/public" };
permit (principal is User, action, resource) when { resource.collection == "/users" };
permit (principal is User, action in [Action::"read", Action::"list"], resource)
when { resource.collection == "/shown" };
permit (principal is User, action in [Action::"create", Action::"update", Action::"delete"], resource)
when { resource.collection == "/taken" };
permit (principal is User, action, resource)
when { resource.collection == "/owned" && (!(resource has document) || (resource has owner && resource.owner == principal.id)) };
"#;

const CHALLENGE: &str = "Bearer realm=\"matchbook\"";

#[derive(Clone, Copy, PartialEq)]
enum Shown {
    None,
    Bad,
    Expired,
    Good,
}

/// What is permitted in a collection to whoever shows these credentials.
fn permitted(collection: &str, shown: Shown, action: &str) -> bool {
    let is_user = shown == Shown::Good;
    match collection {
        "public" => true,
        "users" | "owned" => is_user,
        "shown" => is_user && matches!(action, "read" | "list"),
        "taken" => is_user && matches!(action, "create" | "update" | "delete"),
        _ => false,
    }
}

struct Case {
    method: &'static str,
    is_there: bool,
    action: &'static str,
    /// What is answered where nothing stands in the way.
    code: u16,
}

const fn case(method: &'static str, is_there: bool, action: &'static str, code: u16) -> Case {
    Case {
        method,
        is_there,
        action,
        code,
    }
}

const DOCUMENT: [Case; 12] = [
    case("GET", true, "read", 200),
    case("GET", false, "read", 404),
    case("HEAD", true, "read", 200),
    case("HEAD", false, "read", 404),
    case("PUT", true, "update", 204),
    case("PUT", false, "create", 201),
    case("PATCH", true, "update", 204),
    case("PATCH", false, "update", 404),
    case("DELETE", true, "delete", 204),
    case("DELETE", false, "delete", 404),
    case("OPTIONS", true, "", 204),
    case("OPTIONS", false, "", 204),
];

const COLLECTION: [Case; 4] = [
    case("GET", true, "list", 200),
    case("HEAD", true, "list", 200),
    case("POST", true, "create", 201),
    case("OPTIONS", true, "", 204),
];

fn asked(server: &Server, case: &Case, target: &str, shown: Shown) {
    let expired = bearer("alice", &json!({"exp": now() - 600}));
    let good = bearer("alice", &json!({}));
    let mut request = server.request(case.method, target);
    request = match case.method {
        "PUT" | "POST" => request.json(r#"{"owner":"alice","n":2}"#),
        "PATCH" => request.content("application/merge-patch+json", r#"{"n":3}"#),
        _ => request,
    };
    if case.is_there && !matches!(case.method, "POST" | "GET" | "HEAD") {
        request = request.if_match("*");
    }
    request = match shown {
        Shown::None => request,
        Shown::Bad => request.field("Authorization", "Bearer a.b.c"),
        Shown::Expired => request.field("Authorization", &expired),
        Shown::Good => request.field("Authorization", &good),
    };
    let answer = request.send();
    let what = format!("{} {target}", case.method);
    if case.action.is_empty() {
        assert_eq!(answer.code, case.code, "{what}");
        return;
    }
    let collection = target.split('/').nth(1).unwrap_or_default();
    let is_permitted = permitted(collection, shown, case.action);
    match shown {
        Shown::Bad | Shown::Expired => {
            assert_eq!(answer.code, 401, "{what}");
            let challenge = answer.field("www-authenticate");
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        }
        _ if is_permitted => {
            assert_eq!(answer.code, case.code, "{what}");
            answer.no_field("www-authenticate");
        }
        Shown::None => {
            assert_eq!(answer.code, 401, "{what}");
            answer.has("www-authenticate", CHALLENGE);
        }
        Shown::Good => {
            assert_eq!(answer.code, 403, "{what}");
            let expected = format!(
                "{CHALLENGE}, error=\"insufficient_scope\", scope=\"{}\"",
                case.action
            );
            answer.has("www-authenticate", &expected);
            if case.method != "HEAD" {
                let problem = answer.problem("forbidden");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("'{}'", case.action)), "{detail}");
            }
        }
    }
}

#[test]
fn section_3_lines_6_7_and_10_for_everybody_and_everything() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("rights.cedar");
    std::fs::write(&file, POLICIES).unwrap();
    let Guarded { server, .. } = &Guarded::with(&["--policy", file.to_str().unwrap()]);
    let (admin, mut number) = (admin(), 0);
    for collection in ["public", "users", "shown", "taken", "owned", "closed"] {
        for shown in [Shown::None, Shown::Bad, Shown::Expired, Shown::Good] {
            for case in &DOCUMENT {
                number += 1;
                // Whose owner nobody is cannot be theirs.
                if collection == "owned" && !case.is_there && case.action != "create" {
                    continue;
                }
                let target = format!("/{collection}/{number}");
                if case.is_there {
                    let made = server.put(&target, r#"{"owner":"alice"}"#);
                    made.field("Authorization", &admin).send().status(201);
                }
                asked(server, case, &target, shown);
            }
            for case in &COLLECTION {
                asked(server, case, &format!("/{collection}"), shown);
            }
        }
    }
    assert!(!server.log().contains("Bearer"), "a token was logged");
}

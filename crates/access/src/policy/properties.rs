//! Whatever policies and documents are: what is decided early, and what is remembered, is
//! what evaluating everything says.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Action, Needs, Place, Policies, Schema, Type, View};
use crate::{Kind, Principal};

fn schema() -> Schema {
    let members = json!({
        "required": ["must"],
        "properties": {
            "open": {"type": "boolean"}, "count": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "must": {"type": "string"},
            "place": {"type": "object", "properties": {"city": {"type": "string"}}}
        }
    });
    let claims = [("role", Type::String), ("level", Type::Integer)];
    Schema::new(&[("a", &members)], &claims).unwrap()
}

/// A condition that Cedar accepts for documents and anybody with credentials.
fn condition() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "true",
        "false",
        "principal has id",
        "principal is Key",
        "principal == User::\"ann\"",
        "principal has claims.admin && principal.claims.admin",
        "principal has claims.role && principal.claims.role == \"x\"",
        "principal has claims.level && principal.claims.level + 9223372036854775807 > 0",
        "action == Action::\"read\"",
        "resource is Document",
        "resource in Collection::\"/a\"",
        "resource in Document::\"/a/1\"",
        "resource == Document::\"/a/1\"",
        "resource.collection like \"/a*\"",
        "resource.path like \"*1\"",
        "resource.id == \"1\"",
        "resource has owner",
        "resource has owner && principal has id && resource.owner == principal.id",
        "resource has document",
        "resource has document && resource.document.must == \"x\"",
        "resource has document.open && resource.document.open",
        "resource has document.count && resource.document.count * 3 > 6",
        "resource has document.tags && resource.document.tags.contains(\"x\")",
        "resource has document.place.city && resource.document.place.city like \"x*\"",
    ]);
    atom.prop_map(|atom| format!("({atom})"))
        .prop_recursive(3, 8, 2, |inner| {
            let joined = (
                inner.clone(),
                prop::sample::select(vec!["&&", "||"]),
                inner.clone(),
            );
            prop_oneof![
                joined.prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
                inner.prop_map(|inner| format!("!{inner}")),
            ]
        })
}

fn policy() -> impl Strategy<Value = String> {
    let one_of = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
    let clause = (one_of(&["when", "unless"]), condition());
    (
        one_of(&["permit", "permit", "forbid"]),
        one_of(&[
            "principal",
            "principal is User",
            "principal == Key::\"ann\"",
        ]),
        one_of(&[
            "action",
            "action == Action::\"read\"",
            "action in [Action::\"read\", Action::\"update\"]",
        ]),
        one_of(&[
            "resource is Document",
            "resource == Document::\"/a/1\"",
            "resource in Collection::\"/a\"",
            "resource is Document in Document::\"/a/1\"",
        ]),
        prop::collection::vec(clause, 0..3),
    )
        .prop_map(|(effect, principal, action, resource, clauses)| {
            let clauses: Vec<String> = clauses
                .iter()
                .map(|(word, inner)| format!("{word} {{ {inner} }}"))
                .collect();
            format!(
                "{effect} ({principal}, {action}, {resource}) {};\n",
                clauses.join(" ")
            )
        })
}

fn document() -> impl Strategy<Value = Option<Value>> {
    let any = prop::sample::select(vec![
        json!("x"),
        json!("ann"),
        json!(true),
        json!(3),
        json!(i64::MAX),
        json!(1.5),
        json!(null),
        json!(["x"]),
        json!([1]),
        json!({"city": "xy"}),
        json!({"city": 1}),
    ]);
    let name = prop::sample::select(vec!["open", "count", "tags", "must", "place", "owner"]);
    let name = name.prop_map(str::to_owned);
    prop::option::of(prop_oneof![
        9 => prop::collection::btree_map(name, any, 0..6)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        1 => Just(json!([1])),
    ])
}

fn principal() -> impl Strategy<Value = Principal> {
    let kind = prop::sample::select(vec![Kind::Anonymous, Kind::User, Kind::Key]);
    let id = prop::sample::select(vec!["ann", "bob"]);
    let claims = prop::sample::select(vec![
        json!({}),
        json!({"admin": true}),
        json!({"admin": "yes", "role": "x", "other": 1.5}),
        json!({"level": 1, "role": "y"}),
        json!({"level": -1}),
    ]);
    (kind, id, claims).prop_map(|(kind, id, claims)| {
        let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
        if kind == Kind::Anonymous {
            return Principal::anonymous();
        }
        Principal {
            kind,
            id: id.into(),
            claims: claims.into(),
            expires_secs: None,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_decided_early_is_what_all_policies_say(
        texts in prop::collection::vec(policy(), 1..5),
        principals in prop::collection::vec(principal(), 1..4),
        documents in prop::collection::vec(document(), 1..4),
    ) {
        let text = texts.concat();
        let policies = Policies::parse(&[("random", &text)], &schema());
        let policies = policies.map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
        let paths = ["/a/1", "/a/2", "/a/1/b/1", "/c/1"];
        let documents = documents.iter().map(|value| value.as_ref().map(Value::to_string));
        let documents: Vec<Option<String>> = documents.collect();
        for principal in &principals {
            let caller = policies.caller(principal);
            for action in [Action::Read, Action::Update, Action::Delete] {
                for path in paths {
                    let place = Place::Document(path);
                    let view = policies.view(&caller, action, place.collection());
                    let needs = policies.needs(action);
                    for document in &documents {
                        let document = document.as_deref().map(str::as_bytes);
                        let expected = policies.permits_by_all(&caller, action, place, document);
                        let told = (&text, principal, action, path, view);
                        let permits = |given| policies.permits(&caller, action, place, given);
                        prop_assert_eq!(permits(document), expected, "{:?}", told);
                        match view {
                            View::All => prop_assert!(expected, "{:?}", told),
                            View::None => prop_assert!(!expected, "{:?}", told),
                            View::Some(some) => {
                                prop_assert!(some <= needs && some > Needs::Nothing);
                                if some == Needs::Path {
                                    prop_assert_eq!(permits(None), expected, "{:?}", told);
                                }
                            }
                        }
                        if needs < Needs::Document {
                            prop_assert_eq!(permits(None), expected, "{:?}", told);
                        }
                    }
                }
            }
        }
    }
}

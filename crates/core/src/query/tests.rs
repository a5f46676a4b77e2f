//! Queries against a model that knows nothing of JSON text, keys or scanning.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Condition, ListQuery};
use crate::json::check;
use crate::json::text::quote_into;

/// A value, and nothing of how it is spelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Model {
    Null,
    Boolean(bool),
    /// In hundredths.
    Number(i64),
    String(String),
    Array(Vec<Model>),
    Object(BTreeMap<String, Model>),
}

/// A filter's value: its text, and what it is as JSON.
type Operand = (String, Option<Model>);

fn model() -> impl Strategy<Value = Model> {
    let scalar = prop_oneof![
        Just(Model::Null),
        any::<bool>().prop_map(Model::Boolean),
        (-300_i64..300).prop_map(Model::Number),
        prop_oneof![Just(7), Just(100), Just(-100)].prop_map(Model::Number),
        "[a1é\0]{0,3}".prop_map(Model::String),
        Just(Model::String("1".into())),
    ];
    scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Model::Array),
            prop::collection::btree_map("[ab]?", inner, 0..3).prop_map(Model::Object),
        ]
    })
}

/// One of the ways to write a value.
fn spell(model: &Model, way: u32) -> String {
    let quoted = |text: &str| {
        let mut json = String::new();
        quote_into(&mut json, text);
        json.replace(
            'a',
            if way.is_multiple_of(2) {
                "a"
            } else {
                "\\u0061"
            },
        )
    };
    match model {
        Model::Null => "null".into(),
        Model::Boolean(boolean) => boolean.to_string(),
        Model::Number(hundredths) => match way % 4 {
            0 => format!("{hundredths}e-2"),
            1 => format!("{hundredths}.000E-02"),
            2 if hundredths % 100 == 0 => (hundredths / 100).to_string(),
            _ => {
                let sign = if *hundredths < 0 { "-" } else { "" };
                let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
                format!("{sign}{whole}.{rest:02}")
            }
        },
        Model::String(text) => quoted(text),
        Model::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| spell(item, way / 2)).collect();
            format!(
                "[{}]",
                items.join(if way.is_multiple_of(2) { "," } else { " ,\n" })
            )
        }
        Model::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{} : {}", quoted(name), spell(value, way / 2)))
                .collect();
            if way % 2 == 1 {
                members.reverse();
            }
            format!("{{{}}}", members.join(","))
        }
    }
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        (model(), 0_u32..16).prop_map(|(model, way)| (spell(&model, way), Some(model))),
        "[abé ]{0,2}".prop_map(|text| (text, None)),
    ]
}

fn equal((text, json): &Operand, value: &Model) -> bool {
    json.as_ref() == Some(value) || *value == Model::String(text.clone())
}

fn order_within_type((text, json): &Operand, value: &Model) -> Option<Ordering> {
    let bound = match json {
        Some(Model::Boolean(_) | Model::Number(_) | Model::String(_)) => json.clone(),
        _ => None,
    };
    let bound = bound.unwrap_or_else(|| Model::String(text.clone()));
    let same = std::mem::discriminant(value) == std::mem::discriminant(&bound);
    same.then(|| value.cmp(&bound))
}

fn expected(operator: &str, operand: &Operand, value: Option<&Model>) -> bool {
    let order = value.and_then(|value| order_within_type(operand, value));
    let equals = value.is_some_and(|value| equal(operand, value));
    match operator {
        "eq" => equals,
        "ne" => !equals,
        "lt" => order == Some(Ordering::Less),
        "lte" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "gt" => order == Some(Ordering::Greater),
        "gte" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        "contains" => match value {
            Some(Model::String(string)) => string.contains(&operand.0),
            Some(Model::Array(items)) => items.iter().any(|item| equal(operand, item)),
            _ => false,
        },
        "prefix" => matches!(value, Some(Model::String(string)) if string.starts_with(&operand.0)),
        _ => panic!("{operator}"),
    }
}

/// A document with the value in `/f`.
fn document(value: Option<&Model>, way: u32) -> String {
    match value {
        Some(value) => format!("{{\"e\":[{{}}], \"f\" : {} }}", spell(value, way)),
        None => "{\"e\":{\"f\":1}}".into(),
    }
}

/// Percent-encodes everything.
fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn section_6_every_operator_agrees_with_the_model(
        operand in operand(),
        other in model(),
        related in 0_u32..3,
        way in 0_u32..64,
    ) {
        // Half of the time the document holds something that the operand may match.
        let value = match (related, &operand.1) {
            (0, _) => None,
            (1, Some(same)) => Some(same.clone()),
            (1, None) => Some(Model::String(operand.0.clone())),
            _ => Some(other),
        };
        let json = document(value.as_ref(), way);
        prop_assert!(check(json.as_bytes()).is_ok(), "{}", json);
        for operator in ["eq", "ne", "lt", "lte", "gt", "gte", "contains", "prefix"] {
            let query = format!("f:{operator}={}", encode(&operand.0));
            let list = ListQuery::parse(Some(&query)).unwrap();
            prop_assert_eq!(
                list.query.matches(Some(&json)),
                expected(operator, &operand, value.as_ref()),
                "{} {:?} {}", operator, operand, json
            );
        }
    }

    #[test]
    fn section_6_in_is_eq_with_any_of_its_values(
        operands in prop::collection::vec((model(), 0_u32..16), 0..4),
        value in model(),
        way in 0_u32..64,
    ) {
        let spelled: Vec<_> = operands.iter().map(|(model, way)| spell(model, *way)).collect();
        let json = document(Some(&value), way);
        let one_of = Condition::parse("f:in", &format!(" [{}]", spelled.join(","))).unwrap();
        let any = spelled.iter().any(|text| {
            Condition::parse("f:eq", text).unwrap().matches(Some(&json))
        });
        prop_assert_eq!(one_of.matches(Some(&json)), any);
    }

    #[test]
    fn section_6_the_order_is_that_of_the_values_then_of_the_path(
        a in (prop::option::of(model()), prop::option::of(model()), 0_u32..64, "[ab]"),
        b in (prop::option::of(model()), prop::option::of(model()), 0_u32..64, "[ab]"),
        same_first in any::<bool>(),
    ) {
        let b = if same_first { (a.0.clone(), b.1, b.2, b.3) } else { b };
        let list = ListQuery::parse(Some("_sort=-0,1")).unwrap();
        let place = |(first, second, way, id): &(Option<Model>, Option<Model>, u32, String)| {
            let member = |name: &str, value: &Option<Model>| {
                value.iter().map(|value| format!("\"{name}\":{}", spell(value, *way))).collect::<String>()
            };
            let members = [member("0", first), member("1", second)];
            let present: Vec<_> = members.iter().filter(|member| !member.is_empty()).cloned().collect();
            list.query.place(Some(&format!("{{{}}}", present.join(","))), id)
        };
        let order = b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.3.cmp(&b.3));
        prop_assert_eq!(place(&a).cmp(&place(&b)), order);
    }

    #[test]
    fn parsing_never_panics(raw in "\\PC{0,40}", shape in "(_(sort|limit|after|fields|count|where\\.)?|[a.:=&,%+/~-]|eq|in|1){0,20}") {
        let _ = ListQuery::parse(Some(&raw));
        if let Ok(list) = ListQuery::parse(Some(&shape)) {
            let _ = list.query.matches(Some("{\"a\":[1,{\"\":\"a\"}]}"));
            let _ = list.query.place(Some("[]"), "x");
        }
    }
}

#[test]
fn one_long_value_leaves_the_order_to_the_path_and_the_key_short() {
    let list = ListQuery::parse(Some("_sort=a,-b")).unwrap();
    let long = |last: &str| format!("{{\"a\":\"{}{last}\",\"b\":{last}}}", "x".repeat(5_000));
    let (one, two) = (long("1"), long("2"));
    assert!(list.query.place(Some(&one), "p") < list.query.place(Some(&two), "q"));
    assert!(list.query.place(Some(&two), "p") < list.query.place(Some(&one), "q"));
    assert_eq!(
        list.query.order_key(Some(&one)).len(),
        crate::limits::SORT_KEY_BYTES
    );
}

#[test]
fn section_6_a_document_that_is_not_json_has_no_fields() {
    let cases = [
        ("", true),
        ("a=1", false),
        ("a:ne=1", true),
        ("a:exists=false", true),
        ("a:exists=true", false),
        ("_where.:exists=false", true),
    ];
    for (query, matches) in cases {
        let list = ListQuery::parse(Some(query)).unwrap();
        assert_eq!(list.query.matches(None), matches, "{query}");
    }
    let sorted = ListQuery::parse(Some("_sort=a")).unwrap().query;
    assert_eq!(sorted.order_key(None), sorted.order_key(Some("{}")));
}

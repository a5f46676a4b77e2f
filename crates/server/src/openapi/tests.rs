//! What must hold for every such document.

use super::*;

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => found.push(target),
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn what_is_referred_to_is_there() {
    for authenticates in [false, true] {
        let document = document(&View::sample(authenticates));
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 100);
        for target in found {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }
}

#[test]
fn a_schema_refers_to_itself_where_it_stands() {
    let document = document(&View::sample(false));
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["ProjectsTasksBy1"]["properties"]["title"]["$ref"],
        "#/components/schemas/ProjectsTasksBy1/$defs/title"
    );
    // What the server sets need not be sent.
    assert_eq!(
        schemas["ProjectsTasksBy1ToSend"]["required"],
        json!(["title"])
    );
    let put = &document["paths"]["/projects/{id1}/tasks/{id}"]["put"];
    assert_eq!(
        put["requestBody"]["content"]["application/json"]["example"],
        json!({"title": "Paint"})
    );
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document(&View::sample(true));
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap());
    let mut names: Vec<_> = operations
        .filter_map(|(_, operation)| operation["operationId"].as_str())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn credentials_are_asked_for_where_they_are_needed() {
    let open = document(&View::sample(false));
    assert!(open.get("security").is_none());
    assert!(open["paths"].get("/_/session").is_none());
    let closed = document(&View::sample(true));
    assert_eq!(closed["security"], json!([{"bearer": []}]));
    let health = &closed["paths"]["/_/health"]["get"];
    assert_eq!(health["security"], json!([]));
    assert!(health["responses"].get("401").is_some());
}

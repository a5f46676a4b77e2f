//! All refusals, by status, from the one list of them (contract §10).

use std::collections::BTreeMap;

use matchbook_core::problem::Kind;
use serde_json::{Map, Value, json};

use super::fields::field;

/// What stands in an operation for the refusals with a status.
pub(super) fn reference(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/Problem{status}")})
}

/// The refusals with each status.
pub(super) fn components() -> Value {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for &kind in Kind::ALL {
        by_status
            .entry(kind.status().as_u16())
            .or_default()
            .push(kind);
    }
    let components = by_status.into_iter().map(|(status, kinds)| {
        let component = response(status, &kinds);
        (format!("Problem{status}"), component)
    });
    components.collect::<Map<_, _>>().into()
}

fn response(status: u16, kinds: &[Kind]) -> Value {
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let about = match status {
        412 => "The document has changed since the version in `If-Match`, and nothing was \
                changed. `current` is the tag that stands now; `same` says that the document \
                already is what this request would have made it; `changes` is a JSON Patch from \
                your version to the current one. Apply your change to that, and save again with \
                `current` in `If-Match`."
            .to_owned(),
        428 => "The document is there, and the request does not say which version it was made \
                from. GET it, and send its `ETag` back in `If-Match`."
            .to_owned(),
        _ => format!("{}.", titles.join(". Or: ")),
    };
    let mut examples = Map::new();
    for kind in kinds {
        let occurrence = json!({
            "type": format!("/_/problems/{}", kind.name()),
            "title": kind.title(),
            "status": status,
            "detail": kind.help(),
            "instance": "urn:uuid:019a9b7e-5f3c-7c1d-8a52-0c3f6f1e2d4b",
        });
        examples.insert(kind.name().to_owned(), json!({"value": occurrence}));
    }
    json!({
        "description": about,
        "headers": headers(status),
        "content": {"application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": examples,
        }},
    })
}

fn headers(status: u16) -> Value {
    let more = match status {
        401 => field(
            "WWW-Authenticate",
            true,
            "What is wanted, and what is wrong with what was sent (RFC 6750).",
        ),
        403 => field(
            "WWW-Authenticate",
            false,
            "Names the action that the policies do not permit; absent where a page of another site asked.",
        ),
        405 => field("Allow", true, "The methods that there are."),
        415 => field(
            "Accept-Patch",
            false,
            "With PATCH: the media types of patches.",
        ),
        416 => field("Content-Range", true, "The length of the document."),
        429 => field("Retry-After", true, "Seconds to wait."),
        503 => field(
            "Retry-After",
            false,
            "Seconds to wait; absent where waiting does not help.",
        ),
        _ => return json!({"Request-Id": {"$ref": "#/components/headers/Request-Id"}}),
    };
    let (name, more) = more;
    json!({"Request-Id": {"$ref": "#/components/headers/Request-Id"}, name: more})
}

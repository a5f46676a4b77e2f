//! What policies can speak of: a Cedar schema, made of the collections' JSON Schemas and
//! of the claims that the server is told to expect.

use std::fmt;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use serde_json::{Map, Value, json};

use super::place::{Action, Kind};
use super::types::{LeftOut, Member, Record, Type};

/// The claim that the ready-made sets look at. It is always declared.
const ADMIN_CLAIM: &str = "admin";

/// What policies can speak of.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(super) cedar: cedar_policy::Schema,
    pub(super) names: Names,
    /// The members of documents.
    pub(super) document: Record,
    /// The claims of principals.
    pub(super) claims: Record,
    /// Why some members cannot be used.
    pub(super) left_out: LeftOut,
}

/// Names of Cedar's entities, made once.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) user: EntityTypeName,
    pub(super) key: EntityTypeName,
    pub(super) anonymous: EntityTypeName,
    document: EntityTypeName,
    collection: EntityTypeName,
    action: EntityTypeName,
}

/// Why there can be no schema: a name that Cedar does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault(String);

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SchemaFault {}

impl Schema {
    /// Made of the JSON Schema of each collection that has one, with the collection's
    /// pattern, and of the claims that tokens and keys may carry.
    ///
    /// # Errors
    /// [`SchemaFault`] if Cedar does not take the name of a member or claim.
    pub fn new(
        collections: &[(&str, &Value)],
        claims: &[(&str, Type)],
    ) -> Result<Self, SchemaFault> {
        let mut left_out = LeftOut::new();
        let document = Record::merged(collections, &mut left_out);
        let optional = |(name, value): (&str, Type)| {
            let required = false;
            (name.to_owned(), Member { value, required })
        };
        let admin = [(ADMIN_CLAIM, Type::Boolean)];
        let claims = admin
            .into_iter()
            .chain(claims.iter().cloned())
            .map(optional);
        let claims = Record {
            members: claims.collect(),
        };
        let cedar = cedar_policy::Schema::from_json_value(text(&document, &claims));
        Ok(Self {
            cedar: cedar.map_err(|error| SchemaFault(error.to_string()))?,
            names: Names::new()?,
            document,
            claims,
            left_out,
        })
    }
}

impl Names {
    fn new() -> Result<Self, SchemaFault> {
        let named = |name: &str| -> Result<EntityTypeName, SchemaFault> {
            name.parse()
                .map_err(|error| SchemaFault(format!("{error}")))
        };
        Ok(Self {
            user: named("User")?,
            key: named("Key")?,
            anonymous: named("Anonymous")?,
            document: named(Kind::Document.type_name())?,
            collection: named(Kind::Collection.type_name())?,
            action: named("Action")?,
        })
    }

    pub(super) fn place(&self, kind: Kind, path: &str) -> EntityUid {
        let name = match kind {
            Kind::Document => &self.document,
            Kind::Collection => &self.collection,
        };
        EntityUid::from_type_name_and_id(name.clone(), EntityId::new(path))
    }

    pub(super) fn action(&self, action: Action) -> EntityUid {
        EntityUid::from_type_name_and_id(self.action.clone(), EntityId::new(action.name()))
    }
}

/// The schema in Cedar's JSON.
fn text(document: &Record, claims: &Record) -> Value {
    let string = || json!({"type": "String"});
    let named = json!({"type": "Record", "attributes": {
        "id": string(), "claims": claims.cedar()
    }});
    let mut optional_document = document.cedar();
    if let Value::Object(optional) = &mut optional_document {
        optional.insert("required".into(), false.into());
    }
    let documents = json!({"type": "Record", "attributes": {
        "path": string(), "collection": string(), "id": string(),
        "owner": {"type": "String", "required": false},
        "document": optional_document
    }});
    let collections = json!({"type": "Record", "attributes": {
        "path": string(), "collection": string(), "id": string()
    }});
    let actions = Action::ALL.into_iter().map(|action| {
        let kinds = action.kinds().iter().map(|kind| kind.type_name());
        let applies = json!({"appliesTo": {
            "principalTypes": ["User", "Key", "Anonymous"],
            "resourceTypes": kinds.collect::<Vec<_>>()
        }});
        (action.name().to_owned(), applies)
    });
    json!({"": {
        "entityTypes": {
            "User": {"shape": named}, "Key": {"shape": named}, "Anonymous": {},
            "Document": {"memberOfTypes": ["Collection"], "shape": documents},
            "Collection": {"memberOfTypes": ["Document"], "shape": collections}
        },
        "actions": actions.collect::<Map<_, _>>()
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_member_is_taken() {
        let odd = json!({"properties": {
            "": {"type": "string"}, "a b": {"type": "string"}, "in": {"type": "string"},
            "if": {"type": "object", "properties": {"\u{0}\"": {"type": "boolean"}}},
            "__cedar": {"type": "string"}, "type": {"type": "integer"}
        }});
        let schema = Schema::new(&[("odd", &odd)], &[("https://x/y", Type::String)]);
        assert!(schema.is_ok(), "{schema:?}");
    }
}

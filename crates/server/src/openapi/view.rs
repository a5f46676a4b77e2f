//! What a caller is told of: the collections that there are.

use std::collections::BTreeMap;

use matchbook_core::decide::Policy;
use matchbook_core::name::{CollectionPath, OWN};
use matchbook_core::problem::Problem;
use matchbook_store::Store;
use serde_json::Value;

use crate::app::{App, Call};
use crate::list::listable;

/// Collections without settings that are described one by one. All are alike, and
/// `/{collection}` describes them too, so that a server of many must not make a document
/// that nobody can load.
const COLLECTIONS: usize = 100;

/// What the document describes.
#[derive(Debug)]
pub(super) struct View {
    /// Whether credentials are needed.
    pub(super) authenticates: bool,
    /// Whether policies say what they permit.
    pub(super) has_policies: bool,
    pub(super) places: Vec<Place>,
}

/// Collections of one shape, with what holds for their members.
#[derive(Debug)]
pub(super) struct Place {
    /// The segments of the collection's path; `None` is any.
    pub(super) segments: Vec<Option<String>>,
    pub(super) schema: Option<Value>,
    /// Members that the server sets.
    pub(super) set: Vec<String>,
    pub(super) preconditions_required: bool,
    pub(super) max_document_bytes: usize,
}

impl Place {
    fn new(segments: Vec<Option<String>>, policy: &Policy) -> Self {
        Self {
            segments,
            schema: None,
            set: Vec::new(),
            preconditions_required: policy.preconditions_required,
            max_document_bytes: policy.max_document_bytes,
        }
    }

    /// Whether it is one of the server's own: settings, policies or API keys.
    pub(super) fn is_own(&self) -> bool {
        self.segments.first().and_then(Option::as_deref) == Some("_")
    }

    /// The path's template. What stands for any segment is named by where it stands, so
    /// that paths of one shape are one path, as OpenAPI wants it.
    pub(super) fn collection(&self) -> String {
        let mut path = String::new();
        for (index, segment) in self.segments.iter().enumerate() {
            path.push('/');
            match segment {
                Some(segment) => path.push_str(segment),
                None => path.push_str(&format!("{{{}}}", parameter_name(index))),
            }
        }
        path
    }

    /// The template of its documents' paths.
    pub(super) fn document(&self) -> String {
        format!("{}/{{id}}", self.collection())
    }

    /// The names in the template of the collection.
    pub(super) fn parameters(&self) -> impl Iterator<Item = String> {
        let any = self.segments.iter().enumerate();
        let any = any.filter(|(_, segment)| segment.is_none());
        any.map(|(index, _)| parameter_name(index))
    }

    /// A name for programs, such as `ProjectsTasks`; of the collections that have none,
    /// `Documents`.
    pub(super) fn title(&self) -> String {
        let words = self.segments.iter().flatten();
        let words = words.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
        let mut title = String::new();
        for word in words {
            let mut letters = word.chars();
            title.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            title.push_str(letters.as_str());
        }
        if title.is_empty() {
            title.push_str("Documents");
        }
        let any = self.segments.iter().filter(|segment| segment.is_none());
        match any.count() {
            0 => title,
            count if self.segments.len() == 1 => title.repeat(count),
            count => format!("{title}By{count}"),
        }
    }
}

/// Of the parameters of a path: `/{collection}/{id1}/{collection2}`.
fn parameter_name(index: usize) -> String {
    match (index, index % 2) {
        (0, _) => "collection".to_owned(),
        (_, 0) => format!("collection{}", index / 2 + 1),
        _ => format!("id{}", index.div_ceil(2)),
    }
}

/// The name of the collection of operations.
const OPERATIONS: &str = "operations";

impl View {
    /// The names of the settings that have a schema, as far as they can be written in a path
    /// as they are.
    pub(super) fn schemas(&self) -> Vec<String> {
        let with_schema = self.places.iter().filter(|place| place.schema.is_some());
        let names = with_schema.map(|place| {
            let segments = place.segments.iter();
            let parts = segments.map(|segment| segment.as_deref().unwrap_or("*"));
            parts.collect::<Vec<_>>().join(".")
        });
        names.filter(|name| !name.contains('%')).collect()
    }

    /// What this caller is told of.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn of<S: Store>(app: &App<S>, call: &Call<'_>) -> Result<Self, Problem> {
        let setup = app.in_force.current();
        let (found, _) = listable(app, call, COLLECTIONS, None).await?;
        let asker = call.asker.as_ref();
        let may_list = |path: &CollectionPath| asker.is_none_or(|asker| asker.may_list(path));
        // Operations are documents that nobody writes, and are described by themselves.
        let written = OWN.iter().filter(|name| **name != OPERATIONS);
        let own = written.map(|name| CollectionPath::parse(&format!("/_/{name}")));
        let own: Vec<_> = own.flatten().filter(may_list).collect();
        let sees_settings = own
            .iter()
            .any(|path| path.as_str().ends_with("/collections"));

        let mut places = BTreeMap::new();
        for described in setup.collections.described() {
            let literal = described.path().map(|path| CollectionPath::parse(&path));
            let is_seen = sees_settings
                || match literal {
                    Some(path) => path.is_ok_and(|path| may_list(&path)),
                    // Who may list one of them knows that there are such.
                    None => found.iter().any(|path| described.matches(path.as_str())),
                };
            if is_seen {
                let place = Place {
                    schema: described.schema.cloned(),
                    set: described.set(),
                    ..Place::new(described.segments(), &described.rules.policy)
                };
                places.entry(place.collection()).or_insert(place);
            }
        }
        let unset = found
            .iter()
            .filter(|path| setup.collections.rules(path.as_str()).is_none());
        let plain = unset
            .chain(&own)
            .map(|path| Place::new(literal(path.as_str()), &app.policy));
        let generic = Place::new(vec![None], &app.policy);
        for place in plain.chain([generic]) {
            places.entry(place.collection()).or_insert(place);
        }
        Ok(Self {
            authenticates: app.takes_credentials(),
            has_policies: asker.is_some(),
            places: places.into_values().collect(),
        })
    }

    #[cfg(test)]
    pub(super) fn sample(authenticates: bool) -> Self {
        let policy = Policy::default();
        let tasks = vec![Some("projects".to_owned()), None, Some("tasks".to_owned())];
        let tasks = Place {
            schema: Some(serde_json::json!({
                "type": "object",
                "required": ["title", "changed"],
                "properties": {"title": {"$ref": "#/$defs/title"}, "changed": {"type": "string"}},
                "$defs": {"title": {"type": "string"}},
                "examples": [{"title": "Paint"}],
            })),
            set: vec!["changed".to_owned()],
            ..Place::new(tasks, &policy)
        };
        let paths = [
            "/_/collections",
            "/health",
            "/operations",
            "/operation-result",
        ];
        let plain = paths.map(|path| Place::new(literal(path), &policy));
        let generic = Place::new(vec![None], &policy);
        Self {
            authenticates,
            has_policies: false,
            places: plain.into_iter().chain([tasks, generic]).collect(),
        }
    }
}

fn literal(path: &str) -> Vec<Option<String>> {
    let segments = path.split('/').skip(1);
    segments.map(|segment| Some(segment.to_owned())).collect()
}

//! One operation: a method of a path.

use serde_json::{Map, Value, json};

use super::refusals;
use super::view::View;

/// Refusals that any request can meet.
const ANY: [u16; 6] = [400, 414, 429, 431, 500, 503];

/// What an operation is made of.
pub(super) struct Operation {
    members: Map<String, Value>,
    parameters: Vec<Value>,
    answers: Map<String, Value>,
}

impl Operation {
    /// An operation with the refusals that any can meet.
    pub(super) fn new(view: &View, id: String, tag: &str, summary: &str) -> Self {
        let mut members = Map::new();
        members.insert("operationId".to_owned(), id.into());
        members.insert("tags".to_owned(), json!([tag]));
        members.insert("summary".to_owned(), summary.into());
        let mut operation = Self {
            members,
            parameters: Vec::new(),
            answers: Map::new(),
        };
        operation.refuse(&ANY);
        // Open mode answers to this machine's names only.
        operation.refuse(if view.authenticates { &[401] } else { &[421] });
        operation
    }

    /// What it does, in full.
    pub(super) fn about(mut self, text: impl Into<String>) -> Self {
        self.members
            .insert("description".to_owned(), Value::String(text.into()));
        self
    }

    /// Parameters of the request.
    pub(super) fn takes(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// The content of the request, by media type.
    pub(super) fn content(mut self, content: Value) -> Self {
        let body = json!({"required": true, "content": content});
        self.members.insert("requestBody".to_owned(), body);
        self
    }

    /// An answer that is no refusal. `fields` are those that it has besides `Request-Id`.
    pub(super) fn answers<const N: usize>(
        mut self,
        status: u16,
        about: &str,
        fields: [(&str, Value); N],
        content: Option<Value>,
    ) -> Self {
        let mut headers = Map::new();
        let request_id = (
            "Request-Id",
            json!({"$ref": "#/components/headers/Request-Id"}),
        );
        for (name, field) in fields.into_iter().chain([request_id]) {
            headers.insert(name.to_owned(), field);
        }
        let mut answer = Map::new();
        answer.insert("description".to_owned(), about.into());
        answer.insert("headers".to_owned(), Value::Object(headers));
        answer.extend(content.map(|content| ("content".to_owned(), content)));
        self.answers
            .insert(status.to_string(), Value::Object(answer));
        self
    }

    /// Refusals that it can meet.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refuse(statuses);
        self
    }

    fn refuse(&mut self, statuses: &[u16]) {
        for status in statuses {
            self.answers
                .insert(status.to_string(), refusals::reference(*status));
        }
    }

    /// That it takes no credentials.
    pub(super) fn public(mut self) -> Self {
        self.members.insert("security".to_owned(), json!([]));
        self
    }

    /// As the document has it.
    pub(super) fn value(mut self) -> Value {
        if !self.parameters.is_empty() {
            let parameters = self.parameters.into();
            self.members.insert("parameters".to_owned(), parameters);
        }
        let answers = self.answers.into();
        self.members.insert("responses".to_owned(), answers);
        Value::Object(self.members)
    }
}

/// Something of a schema by its name, as JSON.
pub(super) fn json_of(schema: &str) -> Value {
    json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}})
}

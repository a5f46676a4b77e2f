//! JSON Schema 2020-12, by the `jsonschema` crate.

use jsonschema::{Draft, PatternOptions, Validator};
use matchbook_core::json;
use matchbook_core::problem::Violation;
use serde_json::Value;

use super::instance::Text;

/// Violations that are told of one document: enough to mend it, and no more than a
/// document of a million faults should make the server write.
const VIOLATIONS: usize = 32;

/// A schema, ready to check documents.
#[derive(Debug)]
pub(crate) struct Schema(Validator<Text>);

impl Schema {
    /// Reads a schema. It refers to nothing outside of itself.
    ///
    /// # Errors
    /// What is wrong, and where in the schema.
    pub(crate) fn read(schema: &Value) -> Result<Self, Violation> {
        let validator = jsonschema::options_for::<Text>()
            .with_draft(Draft::Draft202012)
            // One that never takes longer than the text is long.
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map_err(|fault| Violation {
                pointer: format!("/schema{}", fault.instance_path()),
                detail: fault.to_string(),
            })?;
        Ok(Self(validator))
    }

    /// What of a document is not valid, whose JSON was accepted.
    pub(crate) fn violations(&self, document: &[u8]) -> Vec<Violation> {
        let text = str::from_utf8(document).unwrap_or_default();
        let document = json::value::Value::read(text);
        if self.0.is_valid(&document) {
            return Vec::new();
        }
        let violations = self.0.iter_errors(&document).take(VIOLATIONS);
        let violations = violations.map(|violation| Violation {
            pointer: violation.instance_path().to_string(),
            detail: violation.to_string(),
        });
        violations.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn violations_are_told_with_their_place() {
        let schema = Schema::read(&json!({
            "type": "object",
            "required": ["title"],
            "properties": {
                "title": {"type": "string", "maxLength": 3},
                "parts": {"type": "array", "items": {"type": "integer"}},
                "a/b": {"const": 1}
            },
            "additionalProperties": false
        }))
        .unwrap();
        let pointers = |document: &str| {
            let violations = schema.violations(document.as_bytes());
            violations
                .into_iter()
                .map(|violation| violation.pointer)
                .collect::<Vec<_>>()
        };
        assert!(pointers(r#"{"title":"abc","parts":[1,2.0],"a/b":1.0}"#).is_empty());
        assert_eq!(pointers(r#"{"title":"abcd"}"#), ["/title"]);
        assert_eq!(
            pointers(r#"{"title":"a","parts":[1,"x",2.5]}"#),
            ["/parts/1", "/parts/2"]
        );
        assert_eq!(pointers(r#"{"title":"a","a/b":2}"#), ["/a~1b"]);
        assert_eq!(pointers("{}"), [""]);
        assert_eq!(pointers("[]"), [""]);
    }

    #[test]
    fn numbers_are_compared_as_they_are_written() {
        let schema = json!({"maximum": 9_007_199_254_740_993_u64});
        let schema = Schema::read(&schema).unwrap();
        assert!(schema.violations(b"9007199254740993").is_empty());
        assert!(schema.violations(b"9007199254740993.0").is_empty());
        assert_eq!(schema.violations(b"9007199254740994").len(), 1);
        assert_eq!(schema.violations(b"1e400").len(), 1);
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for bad in [
            json!({"type": "strnig"}),
            json!({"pattern": "("}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!(7),
        ] {
            assert!(Schema::read(&bad).is_err(), "{bad}");
        }
    }
}

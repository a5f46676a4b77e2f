//! An HTML form that saves a document (contract §4.4): its fields as a merge patch.
//!
//! ```text
//! title=Milk&litres=2&_etag=k3v4q2ab-17
//! ```
//!
//! A field is a member of the document, by its plain name. What a form sends is text; the
//! collection's schema says what else a member is ([`FieldType`]). A text that cannot be
//! read as what it should be stays a text, so that the schema refuses it and names it.

use std::collections::HashMap;

use crate::json;
use crate::json::text::quote_into;
use crate::query::form_parameters;

/// The field that holds the precondition.
const ETAG: &str = "_etag";

/// What begins the names of fields that are no members.
const CONTROL: char = '_';

/// What values a member may have, as far as a form can send them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scalar {
    /// Texts.
    pub string: bool,
    /// Numbers, or integers.
    pub number: bool,
    /// `true` and `false`.
    pub boolean: bool,
}

impl Scalar {
    /// Any text.
    pub const TEXT: Self = Self {
        string: true,
        number: false,
        boolean: false,
    };
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// One value: of fields with the same name the last one counts, so that a check box
    /// can follow a hidden field that stands for its being off.
    One(Scalar),
    /// An array of all values but empty ones.
    Many(Scalar),
}

/// The fields of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What the field `_etag` says: a value of `If-Match`.
    pub if_match: Option<String>,
    fields: Vec<(String, String)>,
}

impl Form {
    /// Reads the content of a form (WHATWG URL, `application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// Half a sentence that says what is wrong.
    pub fn read(content: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(content).map_err(|_| "the form is not UTF-8".to_owned())?;
        let mut form = Self {
            if_match: None,
            fields: Vec::new(),
        };
        for parameter in form_parameters(text) {
            let (name, value) = parameter.map_err(|fault| fault.to_string())?;
            if name == ETAG && form.if_match.is_none() {
                form.if_match = Some(if_match(value));
            } else if name == ETAG {
                return Err(format!("{ETAG} comes twice"));
            } else if name.starts_with(CONTROL) {
                return Err(format!(
                    "the field '{name}' is not known: names that begin with '{CONTROL}' are no members"
                ));
            } else {
                form.fields.push((name, value));
            }
        }
        Ok(form)
    }

    /// The fields as a merge patch (RFC 7396). `type_of` says what a member is.
    #[must_use]
    pub fn merge_patch(&self, type_of: impl Fn(&str) -> Option<FieldType>) -> String {
        let mut names = Vec::new();
        let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, value) in &self.fields {
            let all = values.entry(name).or_insert_with(|| {
                names.push(name.as_str());
                Vec::new()
            });
            all.push(value);
        }
        let mut patch = String::from("{");
        for (index, name) in names.into_iter().enumerate() {
            if index > 0 {
                patch.push(',');
            }
            quote_into(&mut patch, name);
            patch.push(':');
            let values = values.remove(name).unwrap_or_default();
            match type_of(name).unwrap_or(FieldType::One(Scalar::TEXT)) {
                FieldType::One(scalar) => {
                    value_into(&mut patch, values.last().unwrap_or(&""), scalar);
                }
                FieldType::Many(scalar) => array_into(&mut patch, &values, scalar),
            }
        }
        patch.push('}');
        patch
    }
}

/// A tag may come without its quotes, which HTML has a use for.
fn if_match(value: String) -> String {
    let is_whole = value.starts_with(['"', '*']) || value.starts_with("W/") || value.is_empty();
    if is_whole {
        value
    } else {
        format!("\"{value}\"")
    }
}

fn array_into(json: &mut String, values: &[&str], scalar: Scalar) {
    json.push('[');
    let values = values.iter().filter(|value| !value.is_empty());
    for (index, value) in values.enumerate() {
        if index > 0 {
            json.push(',');
        }
        value_into(json, value, scalar);
    }
    json.push(']');
}

fn value_into(json: &mut String, text: &str, scalar: Scalar) {
    if scalar.string {
        return text_into(json, text);
    }
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        // Not there, which in a merge patch is to be no more.
        json.push_str("null");
    } else if let Some(number) = number(trimmed).filter(|_| scalar.number) {
        json.push_str(&number);
    } else if let Some(boolean) = boolean(trimmed).filter(|_| scalar.boolean) {
        json.push_str(boolean);
    } else {
        text_into(json, text);
    }
}

/// Forms send line ends as CRLF, whatever the text had (WHATWG HTML, 'constructing the
/// entry list'): what scripts see of it has LF, and so has the member.
fn text_into(json: &mut String, text: &str) {
    if text.contains('\r') {
        quote_into(json, &text.replace("\r\n", "\n"));
    } else {
        quote_into(json, text);
    }
}

/// A check box without a value sends `on`.
fn boolean(text: &str) -> Option<&'static str> {
    match text {
        "true" | "on" => Some("true"),
        "false" | "off" => Some("false"),
        _ => None,
    }
}

/// What HTML takes for a number, as JSON has it: `.5` is 0.5, and `007` is 7.
fn number(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, fraction) = rest.split_at_checked(digits)?;
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let number = format!("{sign}{whole}{fraction}");
    json::check(number.as_bytes()).ok()?;
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NUMBER: Scalar = Scalar {
        string: false,
        number: true,
        boolean: false,
    };
    const BOOLEAN: Scalar = Scalar {
        string: false,
        number: false,
        boolean: true,
    };
    const NEITHER: Scalar = Scalar {
        string: false,
        number: false,
        boolean: false,
    };

    fn patch(content: &str) -> String {
        let type_of = |name: &str| match name {
            "n" => Some(FieldType::One(NUMBER)),
            "b" => Some(FieldType::One(BOOLEAN)),
            "nb" => Some(FieldType::One(Scalar {
                boolean: true,
                ..NUMBER
            })),
            "sn" => Some(FieldType::One(Scalar {
                string: true,
                ..NUMBER
            })),
            "o" => Some(FieldType::One(NEITHER)),
            "ts" => Some(FieldType::Many(Scalar::TEXT)),
            "ns" => Some(FieldType::Many(NUMBER)),
            _ => None,
        };
        Form::read(content.as_bytes()).unwrap().merge_patch(type_of)
    }

    #[test]
    fn section_4_4_fields_are_members_of_their_type() {
        let cases = [
            ("", "{}"),
            ("a=1", r#"{"a":"1"}"#),
            ("a", r#"{"a":""}"#),
            ("a.b=1&%2Fc=2", r#"{"a.b":"1","/c":"2"}"#),
            ("a=%22+%5C%00", r#"{"a":"\" \\\u0000"}"#),
            ("a=1%0D%0A2%0A3%0D4", r#"{"a":"1\n2\n3\r4"}"#),
            ("a=1&b=on&a=2", r#"{"a":"2","b":true}"#),
            // Numbers, as HTML writes them and as JSON does.
            ("n=7", r#"{"n":7}"#),
            ("n=-0.50", r#"{"n":-0.50}"#),
            ("n=.5", r#"{"n":0.5}"#),
            ("n=-.5e3", r#"{"n":-0.5e3}"#),
            ("n=007", r#"{"n":7}"#),
            ("n=00", r#"{"n":0}"#),
            ("n=1e400", r#"{"n":1e400}"#),
            ("n=+7+", r#"{"n":7}"#),
            (
                "n=123456789012345678901234567890",
                r#"{"n":123456789012345678901234567890}"#,
            ),
            ("n=7.", r#"{"n":"7."}"#),
            ("n=.", r#"{"n":"."}"#),
            ("n=%2B7", r#"{"n":"+7"}"#),
            ("n=seven", r#"{"n":"seven"}"#),
            ("n=0x10", r#"{"n":"0x10"}"#),
            ("n=1,2", r#"{"n":"1,2"}"#),
            ("n=true", r#"{"n":"true"}"#),
            ("n=", r#"{"n":null}"#),
            // Check boxes.
            ("b=on", r#"{"b":true}"#),
            ("b=false&b=true", r#"{"b":true}"#),
            ("b=false", r#"{"b":false}"#),
            ("b=off", r#"{"b":false}"#),
            ("b=1", r#"{"b":"1"}"#),
            ("b=", r#"{"b":null}"#),
            // What may be a text is one.
            ("sn=7", r#"{"sn":"7"}"#),
            ("sn=", r#"{"sn":""}"#),
            ("nb=7&nb=on", r#"{"nb":true}"#),
            ("nb=7", r#"{"nb":7}"#),
            ("o=7", r#"{"o":"7"}"#),
            ("o=", r#"{"o":null}"#),
            // Arrays.
            ("ts=a&ts=b", r#"{"ts":["a","b"]}"#),
            ("ts=a", r#"{"ts":["a"]}"#),
            ("ts=", r#"{"ts":[]}"#),
            ("ts=&ts=a", r#"{"ts":["a"]}"#),
            ("ns=1&a=x&ns=.5&ns=y", r#"{"ns":[1,0.5,"y"],"a":"x"}"#),
        ];
        for (content, expected) in cases {
            assert_eq!(patch(content), expected, "{content}");
            json::check(expected.as_bytes()).unwrap();
        }
    }

    proptest! {
        #[test]
        fn what_a_form_comes_to_is_one_object(
            content in "([a-c]|n|b|ts|ns|%[0-9a-f]{2}|=|&|\\PC|[-.0-9e]){0,40}",
            names in any::<[bool; 3]>(),
        ) {
            let [string, number, boolean] = names;
            let scalar = Scalar { string, number, boolean };
            let type_of = |name: &str| match name.len() % 3 {
                0 => None,
                1 => Some(FieldType::One(scalar)),
                _ => Some(FieldType::Many(scalar)),
            };
            if let Ok(form) = Form::read(content.as_bytes()) {
                let patch = form.merge_patch(type_of);
                prop_assert!(json::check(patch.as_bytes()).is_ok(), "{patch}");
                prop_assert_eq!(patch.bytes().next(), Some(b'{'));
            }
        }
    }

    #[test]
    fn section_4_4_the_tag_comes_with_or_without_quotes() {
        let cases = [
            ("a=1", None),
            ("_etag=k3v4q2ab-17", Some("\"k3v4q2ab-17\"")),
            ("_etag=%22k3v4q2ab-17%22", Some("\"k3v4q2ab-17\"")),
            ("_etag=W%2F%22x%22", Some("W/\"x\"")),
            ("_etag=*", Some("*")),
            // No tag, and not the same as none.
            ("_etag=", Some("")),
        ];
        for (content, expected) in cases {
            let form = Form::read(content.as_bytes()).unwrap();
            assert_eq!(form.if_match.as_deref(), expected, "{content}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let cases = [
            ("_etag=a&_etag=a", "twice"),
            ("_Etag=a", "_Etag"),
            ("_=a", "'_'"),
            ("a=%ff", "a=%ff"),
            ("a=%", "a=%"),
        ];
        for (content, word) in cases {
            let fault = Form::read(content.as_bytes()).unwrap_err();
            assert!(fault.contains(word), "{content}: {fault}");
        }
        assert!(Form::read(b"a=\xff").is_err());
    }
}

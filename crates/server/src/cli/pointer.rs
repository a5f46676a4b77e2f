//! The id of a document: the value at a JSON pointer (RFC 6901), found without
//! building the document.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl std::str::FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is not a JSON pointer, such as /id or /meta/key");
        let mut tokens = Vec::new();
        if !text.is_empty() {
            for token in text.strip_prefix('/').ok_or_else(fault)?.split('/') {
                let rest = token.replace("~0", "").replace("~1", "");
                if rest.contains('~') {
                    return Err(fault());
                }
                tokens.push(token.replace("~1", "/").replace("~0", "~"));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            tokens,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pointer {
    /// The string at this place, or the number as it is spelled there.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(crate) fn id_in(&self, document: &[u8]) -> Result<String, String> {
        let mut reader = serde_json::Deserializer::from_slice(document);
        let seed = Walk {
            tokens: &self.tokens,
        };
        let found = seed
            .deserialize(&mut reader)
            .and_then(|found| reader.end().map(|()| found))
            .map_err(|fault| format!("not valid JSON: {fault}"))?;
        let raw = found.ok_or_else(|| format!("there is no {self}"))?.get();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map_err(|fault| format!("{self}: {fault}")),
            Some(b'-' | b'0'..=b'9') => Ok(raw.to_owned()),
            _ => Err(format!("{self} is neither a string nor a number")),
        }
    }
}

/// Goes down by these tokens.
#[derive(Clone, Copy)]
struct Walk<'t> {
    tokens: &'t [String],
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        if self.tokens.is_empty() {
            return serde::Deserialize::deserialize(reader).map(Some);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((token, tokens)) = self.tokens.split_first() else {
            return Ok(None);
        };
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(KeyIs(token))? {
            if is_it {
                found = map.next_value_seed(Walk { tokens })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Some((token, tokens)) = self.tokens.split_first() else {
            return Ok(None);
        };
        let mut found = None;
        for index in 0_usize.. {
            if *token == index.to_string() {
                match items.next_element_seed(Walk { tokens })? {
                    Some(value) => found = value,
                    None => break,
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member's name is this one, without a copy of it.
struct KeyIs<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_string_or_a_number_as_spelled() {
        let cases: [(&str, &str, Result<&str, &str>); 18] = [
            ("/id", r#"{"id":"a\u00e9/b"}"#, Ok("aé/b")),
            ("/id", r#"{"x":{"id":1},"id":42}"#, Ok("42")),
            ("/id", r#"{"id": 1.50e+0 }"#, Ok("1.50e+0")),
            (
                "/id",
                r#"{"id":123456789012345678901234567890}"#,
                Ok("123456789012345678901234567890"),
            ),
            ("/a/b", r#"{"a":{"c":[],"b":"x"},"z":1}"#, Ok("x")),
            ("/a/1/k", r#"{"a":[0,{"k":7},{"k":8}]}"#, Ok("7")),
            ("/a~1b/m~0n", r#"{"a\/b":{"m~n":"x"}}"#, Ok("x")),
            ("/", r#"{"":"empty name"}"#, Ok("empty name")),
            ("", r#""itself""#, Ok("itself")),
            ("/id", r#"{"ID":1}"#, Err("there is no /id")),
            ("/id", "[1]", Err("there is no /id")),
            ("/id", "7", Err("there is no /id")),
            ("/id/x", r#"{"id":"text"}"#, Err("there is no /id/x")),
            ("/2", "[0,1]", Err("there is no /2")),
            (
                "/id",
                r#"{"id":null}"#,
                Err("neither a string nor a number"),
            ),
            ("/id", r#"{"id":{}}"#, Err("neither a string nor a number")),
            ("/id", r#"{"id":1"#, Err("not valid JSON")),
            ("/id", r#"{"id":1} x"#, Err("not valid JSON")),
        ];
        for (pointer, document, expected) in cases {
            let pointer: Pointer = pointer.parse().unwrap();
            match (pointer.id_in(document.as_bytes()), expected) {
                (Ok(id), Ok(expected)) => assert_eq!(id, expected),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why:?}"),
                (found, _) => panic!("{pointer} in {document}: {found:?}"),
            }
        }
    }

    #[test]
    fn rfc_6901_pointers_begin_with_a_slash() {
        for bad in ["id", "#/id", "/a~", "/a~2"] {
            assert!(bad.parse::<Pointer>().is_err(), "{bad}");
        }
        let twice: Pointer = "/~01".parse().unwrap();
        assert_eq!(twice.tokens, ["~1"]);
    }
}

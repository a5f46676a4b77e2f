//! RFC 6902, RFC 7396 and RFC 6901 done to values, as they stand there and as slow as that is.

use std::collections::BTreeMap;

use super::value::Value;

/// Why a patch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    /// A `test` fails, or a path leads nowhere.
    Conflict,
    TooDeep,
}

/// One operation.
enum Operation<'a> {
    Add(Path, &'a Value),
    Remove(Path),
    Replace(Path, &'a Value),
    Move(Path, Path),
    Copy(Path, Path),
    Test(Path, &'a Value),
}

type Path = Vec<String>;

/// The document after all operations of a JSON Patch.
pub(crate) fn patched(document: &Value, patch: &Value) -> Result<Value, Refused> {
    let Value::Array(operations) = patch else {
        return Err(Refused::Malformed);
    };
    let operations = operations.iter().map(operation).collect::<Option<Vec<_>>>();
    let operations = operations.ok_or(Refused::Malformed)?;
    if operations.len() > 10_000 {
        return Err(Refused::Malformed);
    }
    let mut document = document.clone();
    for operation in operations {
        step(&mut document, operation).ok_or(Refused::Conflict)?;
        if document.depth() > 128 {
            return Err(Refused::TooDeep);
        }
    }
    Ok(document)
}

fn operation(value: &Value) -> Option<Operation<'_>> {
    let Value::Object(members) = value else {
        return None;
    };
    let text = |name| match members.get(name) {
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let path = path(text("path")?)?;
    let from = || self::path(text("from")?);
    let value = || members.get("value");
    Some(match text("op")? {
        "add" => Operation::Add(path, value()?),
        "remove" if path.is_empty() => return None,
        "remove" => Operation::Remove(path),
        "replace" => Operation::Replace(path, value()?),
        "move" => {
            let from = from()?;
            let is_inside = path.len() > from.len() && path.starts_with(&from);
            (!is_inside).then_some(Operation::Move(from, path))?
        }
        "copy" => Operation::Copy(from()?, path),
        "test" => Operation::Test(path, value()?),
        _ => return None,
    })
}

/// The tokens of a JSON Pointer.
pub(crate) fn path(text: &str) -> Option<Path> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let tokens = text.strip_prefix('/')?.split('/').map(|token| {
        let plain = token.replace("~0", "").replace("~1", "");
        (!plain.contains('~') && !token.contains("~~"))
            .then(|| token.replace("~1", "/").replace("~0", "~"))
    });
    tokens.collect()
}

/// The value that the tokens lead to.
pub(crate) fn found<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, token| match value {
        Value::Object(members) => members.get(token),
        Value::Array(items) => items.get(index(token)?),
        _ => None,
    })
}

fn found_mut<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, token| match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

fn index(token: &str) -> Option<usize> {
    let index: usize = token.parse().ok()?;
    (index.to_string() == token).then_some(index)
}

fn step(document: &mut Value, operation: Operation<'_>) -> Option<()> {
    match operation {
        Operation::Add(path, value) => add(document, &path, value.clone()),
        Operation::Remove(path) => remove(document, &path).map(drop),
        Operation::Replace(path, value) => {
            *found_mut(document, &path)? = value.clone();
            Some(())
        }
        Operation::Move(from, path) if from == path => found(document, &from).map(drop),
        Operation::Move(from, path) => {
            let value = remove(document, &from)?;
            add(document, &path, value)
        }
        Operation::Copy(from, path) => {
            let value = found(document, &from)?.clone();
            add(document, &path, value)
        }
        Operation::Test(path, value) => (found(document, &path)? == value).then_some(()),
    }
}

fn add(document: &mut Value, path: &[String], value: Value) -> Option<()> {
    let Some((last, parent)) = path.split_last() else {
        *document = value;
        return Some(());
    };
    match found_mut(document, parent)? {
        Value::Object(members) => {
            members.insert(last.clone(), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let index = index(last).filter(|index| *index <= items.len())?;
            items.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &[String]) -> Option<Value> {
    let (last, parent) = path.split_last()?;
    match found_mut(document, parent)? {
        Value::Object(members) => members.remove(last),
        Value::Array(items) => {
            let index = index(last).filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

/// RFC 7396 §2, as it stands there.
pub(crate) fn merged(document: Option<Value>, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut members = match document {
        Some(Value::Object(members)) => members,
        _ => BTreeMap::new(),
    };
    for (name, value) in patch {
        let before = members.remove(name);
        if *value != Value::Null {
            members.insert(name.clone(), merged(before, value));
        }
    }
    Value::Object(members)
}

/// Only these fields; `None` if there are none of them.
pub(crate) fn projected(value: &Value, fields: &[&[String]]) -> Option<Value> {
    if fields.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    let below = |token: &str| {
        let within = fields.iter().filter(|path| path[0] == token);
        within.map(|path| &path[1..]).collect::<Vec<_>>()
    };
    match value {
        Value::Object(members) => {
            let shown = members.iter().filter_map(|(name, value)| {
                let shown = projected(value, &below(name))?;
                Some((name.clone(), shown))
            });
            let shown: BTreeMap<_, _> = shown.collect();
            (!shown.is_empty()).then_some(Value::Object(shown))
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let shown = items.filter_map(|(at, item)| projected(item, &below(&at.to_string())));
            let shown: Vec<_> = shown.collect();
            (!shown.is_empty()).then_some(Value::Array(shown))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Read;

    fn value(text: &str) -> Value {
        Read::of(text).unwrap().value
    }

    #[test]
    fn rfc_6902_appendix_a_and_what_is_refused() {
        let cases = [
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
                Ok(r#"{"baz":"qux","foo":"bar"}"#),
            ),
            (
                r#"{"foo":["bar","baz"]}"#,
                r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
                Ok(r#"{"foo":["bar","qux","baz"]}"#),
            ),
            (
                r#"{"foo":["bar","qux","baz"]}"#,
                r#"[{"op":"remove","path":"/foo/1"}]"#,
                Ok(r#"{"foo":["bar","baz"]}"#),
            ),
            (
                r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{}}"#,
                r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
                Ok(r#"{"foo":{"bar":"baz"},"qux":{"thud":"fred"}}"#),
            ),
            (
                r#"{"foo":["all","grass","cows","eat"]}"#,
                r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
                Ok(r#"{"foo":["all","cows","eat","grass"]}"#),
            ),
            (
                r#"{"baz":"qux"}"#,
                r#"[{"op":"test","path":"/baz","value":"bar"}]"#,
                Err(Refused::Conflict),
            ),
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#,
                Err(Refused::Conflict),
            ),
            (
                r#"{"/":9,"~1":10}"#,
                r#"[{"op":"test","path":"/~01","value":1e1}]"#,
                Ok(r#"{"/":9,"~1":10}"#),
            ),
            (
                r#"{"foo":["bar"]}"#,
                r#"[{"op":"add","path":"/foo/-","value":["abc"]}]"#,
                Ok(r#"{"foo":["bar",["abc"]]}"#),
            ),
            (
                "[1]",
                r#"[{"op":"copy","from":"","path":"/0"}]"#,
                Ok("[[1],1]"),
            ),
            (
                "[1]",
                r#"[{"op":"add","path":"/2","value":2}]"#,
                Err(Refused::Conflict),
            ),
            (
                "[1]",
                r#"[{"op":"replace","path":"/00","value":2}]"#,
                Err(Refused::Conflict),
            ),
            (
                "{}",
                r#"[{"op":"remove","path":""}]"#,
                Err(Refused::Malformed),
            ),
            (
                "{}",
                r#"[{"op":"add","path":"/~2","value":1}]"#,
                Err(Refused::Malformed),
            ),
        ];
        for (document, patch, expected) in cases {
            let result = patched(&value(document), &value(patch));
            assert_eq!(result, expected.map(value), "{document} {patch}");
        }
    }

    #[test]
    fn rfc_7396_appendix_a() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ];
        for (document, patch, expected) in cases {
            let result = merged(Some(value(document)), &value(patch));
            assert_eq!(result, value(expected), "{document} {patch}");
        }
    }
}

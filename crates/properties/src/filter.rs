//! Queries: read again from another spelling they are the same, and what they say of a
//! document is what a plain evaluation of values says.

use std::cmp::Ordering;
use std::mem::discriminant;

use matchbook_core::json::select::elements;
use matchbook_core::query::{
    FeedQuery, ListQuery, Place, Query, index_key, next_changes_query, next_query,
};

use crate::input::pieces;
use crate::json::checked;
use crate::oracle::{Read, Value, found, path, projected};

/// The input is a query and up to two documents, with zero bytes between.
pub fn filter(data: &[u8]) {
    let mut pieces = pieces(data);
    let Some(Ok(raw)) = pieces.next().map(std::str::from_utf8) else {
        return;
    };
    feed(raw);
    let Ok(list) = ListQuery::parse(Some(raw)) else {
        return;
    };
    let parameters = parameters(raw).expect("the query was taken");
    respelled(raw, &parameters, &list);
    let documents: Vec<_> = pieces.take(2).filter_map(checked).collect();
    for document in &documents {
        evaluated(&parameters, &list.query, Some(document));
    }
    evaluated(&parameters, &list.query, None);
    if let [a, b] = documents.as_slice() {
        ordered(&parameters, &list.query, a, b);
    }
}

type Parameter = (String, String);

/// A query component, percent-decoded.
fn parameters(raw: &str) -> Option<Vec<Parameter>> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            let (byte, tail) = match (first, tail) {
                (b'+', _) => (b' ', tail),
                (b'%', [high, low, tail @ ..]) => {
                    let digit = |byte: &u8| char::from(*byte).to_digit(16);
                    let byte = digit(high)? * 16 + digit(low)?;
                    (u8::try_from(byte).ok()?, tail)
                }
                (b'%', _) => return None,
                _ => (*first, tail),
            };
            bytes.push(byte);
            rest = tail;
        }
        String::from_utf8(bytes).ok()
    };
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(name).zip(decoded(value))
    });
    pairs.collect()
}

/// The operator, and the tokens that lead to the field.
fn filtered(name: &str) -> Option<(&str, Vec<String>)> {
    let is_filter = !name.starts_with('_') || name.starts_with("_where.");
    let (field, operator) = name.rsplit_once(':').unwrap_or((name, "eq"));
    let tokens = match field.strip_prefix("_where.") {
        Some(pointer) => path(pointer)?,
        None => field.split('.').map(str::to_owned).collect(),
    };
    is_filter.then_some((operator, tokens))
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// All percent-encoded, with each field as a JSON Pointer.
fn respelled(raw: &str, parameters: &[Parameter], list: &ListQuery) {
    let again = parameters.iter().map(|(name, value)| {
        let name = match filtered(name) {
            Some((operator, tokens)) => {
                let token = |token: &String| token.replace('~', "~0").replace('/', "~1");
                let pointer = tokens.iter().map(|t| format!("/{}", token(t)));
                format!("_where.{}:{operator}", pointer.collect::<String>())
            }
            None => name.clone(),
        };
        format!("{}={}", encoded(&name), encoded(value))
    });
    let again = again.collect::<Vec<_>>().join("&&");
    assert_eq!(ListQuery::parse(Some(&again)).as_ref(), Ok(list), "{again}");
    let query = &list.query;
    let place = query.place(Some("{\"a\":1}"), "id");
    let token = place.token(query.fingerprint(Some("p")));
    let next = ListQuery::parse(Some(&next_query(Some(raw), &token))).unwrap();
    assert_eq!(next.query, *query);
    assert_eq!(next.limit, list.limit);
    assert_eq!(next.resolve_after(Some("p")), Ok(Some(place)));
    assert!(next.resolve_after(None).is_err());
    let mut reversed = query.clone();
    reversed.filter.reverse();
    assert_eq!(reversed.fingerprint(None), query.fingerprint(None));
    assert_eq!(reversed.live(), query.live());
}

/// What a feed makes of the same query.
fn feed(raw: &str) {
    let Ok(feed) = FeedQuery::parse(Some(raw)) else {
        return;
    };
    if let Ok(list) = ListQuery::parse(Some(raw)) {
        assert_eq!(feed.query, list.query);
    }
    let next = next_changes_query(Some(raw), "k3v4q2ab-17~");
    let next = FeedQuery::parse(Some(&next)).unwrap();
    assert_eq!(next.query, feed.query);
    assert_eq!(next.since.as_deref(), Some("k3v4q2ab-17~"));
}

fn evaluated(parameters: &[Parameter], query: &Query, document: Option<&Read<'_>>) {
    let text = document.map(|document| document.text);
    let matches = query.matches(text);
    let is_exact = document.is_none_or(|document| document.is_exact);
    if let Some(expected) = expected(parameters, document).filter(|_| is_exact) {
        assert_eq!(matches, expected, "{parameters:?} {text:?}");
    }
    for filter in &query.filter {
        let keys = query.keys(filter.field());
        if let Some(keys) = keys.filter(|_| matches) {
            assert!(
                keys.hold(&index_key(filter.field(), text)),
                "{parameters:?}"
            );
        }
    }
    if let (Some(projection), Some(document)) = (&query.fields, document) {
        let shown = projection.apply(document.text);
        let shown = checked(shown.as_bytes()).expect("a projection is JSON");
        let fields = parameters.iter().find(|(name, _)| name == "_fields");
        let fields: Vec<Vec<String>> = fields
            .map(|(_, value)| value.split(',').map(dotted).collect())
            .unwrap_or_default();
        let fields: Vec<&[String]> = fields.iter().map(Vec::as_slice).collect();
        let expected = projected(&document.spelled, &fields);
        let expected = expected.unwrap_or(Value::Object([].into()));
        assert_eq!(shown.spelled, expected, "{parameters:?} {text:?}");
    }
}

fn dotted(field: &str) -> Vec<String> {
    field.split('.').map(str::to_owned).collect()
}

/// Whether a document passes; `None` where a number is too large to reckon with here.
fn expected(parameters: &[Parameter], document: Option<&Read<'_>>) -> Option<bool> {
    let mut all = true;
    for (name, value) in parameters {
        if let Some((operator, tokens)) = filtered(name) {
            let there = document.and_then(|document| found(&document.value, &tokens));
            all &= holds(operator, value, there)?;
        }
    }
    Some(all)
}

/// What a spelling stands for: a string, and JSON where it is that.
fn stands_for(spelling: &str) -> Option<Vec<Value>> {
    let mut values = vec![Value::String(spelling.to_owned())];
    if let Some(read) = Read::of(spelling) {
        read.is_exact.then(|| values.push(read.value))?;
    }
    Some(values)
}

fn holds(operator: &str, operand: &str, value: Option<&Value>) -> Option<bool> {
    let values = stands_for(operand)?;
    let Some(value) = value else {
        return Some(operator == "ne" || operator == "exists" && operand == "false");
    };
    Some(match operator {
        "eq" => values.contains(value),
        "ne" => !values.contains(value),
        "in" => alternatives(operand)?.contains(value),
        "exists" => operand == "true",
        "prefix" => matches!(value, Value::String(text) if text.starts_with(operand)),
        "contains" => match value {
            Value::String(text) => text.contains(operand),
            Value::Array(items) => items.iter().any(|item| values.contains(item)),
            _ => false,
        },
        _ => {
            let is_bound = |value: &&Value| {
                matches!(
                    value,
                    Value::Boolean(_) | Value::Number(_) | Value::String(_)
                )
            };
            let bound = values.iter().rev().find(is_bound)?;
            let order = (discriminant(bound) == discriminant(value)).then(|| value.cmp(bound));
            match operator {
                "lt" => order == Some(Ordering::Less),
                "lte" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                "gt" => order == Some(Ordering::Greater),
                "gte" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
                _ => panic!("an unknown operator was taken: {operator}"),
            }
        }
    })
}

fn alternatives(operand: &str) -> Option<Vec<Value>> {
    let is_array = matches!(Read::of(operand), Some(read) if matches!(read.value, Value::Array(_)));
    let spellings: Vec<&str> = match is_array {
        true => elements(operand).collect(),
        false => operand.split(',').collect(),
    };
    let values = spellings.into_iter().map(stands_for);
    Some(values.collect::<Option<Vec<_>>>()?.concat())
}

/// Two documents stand in a list as their values do.
fn ordered(parameters: &[Parameter], query: &Query, a: &Read<'_>, b: &Read<'_>) {
    let Some((_, sort)) = parameters.iter().find(|(name, _)| name == "_sort") else {
        return;
    };
    let mut expected = Ordering::Equal;
    for field in sort.split(',') {
        let name = field.strip_prefix('-').unwrap_or(field);
        let tokens = dotted(name);
        let order = found(&a.value, &tokens).cmp(&found(&b.value, &tokens));
        expected = expected.then(if name == field {
            order
        } else {
            order.reverse()
        });
    }
    let [x, y] = [a, b].map(|read| query.place(Some(read.text), "id"));
    let whole = |place: &Place| place.key.len() < matchbook_core::limits::SORT_KEY_BYTES;
    if a.is_exact && b.is_exact && whole(&x) && whole(&y) {
        assert_eq!(x.cmp(&y), expected, "{sort} {} {}", a.text, b.text);
    }
}

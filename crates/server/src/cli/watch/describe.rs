//! A change as a person reads it: what was, and what is.

use std::collections::BTreeMap;

use matchbook_core::json::select::{members, select};
use matchbook_core::json::text::unescape;
use matchbook_core::json::{Patch, Pointer, compact, diff};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::stream::{Change, Content, EVENT_BYTES, Kind, Origin};

/// Lines for one change; more are counted only.
const LINES: usize = 20;

/// Characters of a value.
const VALUE_CHARACTERS: usize = 72;

/// Characters around what differs in two long strings.
const CONTEXT_CHARACTERS: usize = 16;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Added,
    Removed,
    Changed,
    /// It is so; whether it was before is not known.
    Plain,
}

/// A line below the one that names the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mark: Mark,
    pub(super) text: String,
}

/// An operation of a JSON Patch.
#[derive(Deserialize)]
struct Operation<'a> {
    op: String,
    path: String,
    from: Option<String>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// What happened, in a word.
pub(super) fn verb(kind: &Kind<'_>) -> &'static str {
    match kind {
        Kind::Put { origin, .. } => match origin {
            Origin::Found => "is",
            Origin::Created => "created",
            Origin::Entered => "entered",
            Origin::Replaced => "changed",
        },
        Kind::Patch { .. } => "changed",
        Kind::Delete { .. } => "deleted",
        Kind::Leave { .. } => "left",
    }
}

/// What changed, line by line.
pub(super) fn lines(change: &Change<'_>, before: Option<&str>) -> Vec<Line> {
    match &change.kind {
        Kind::Patch { patch, .. } => patch_lines(patch, before),
        Kind::Put {
            content:
                Content::Other {
                    content_type,
                    length_bytes,
                },
            ..
        } => vec![plain(format!("{content_type}, {length_bytes} bytes"))],
        Kind::Put {
            content: Content::Json(text),
            origin,
            ..
        } => match (before, origin) {
            (Some(before), _) => patch_lines(&diff(before, text), Some(before)),
            (None, Origin::Found) => vec![plain(shortened(text))],
            (None, Origin::Created) => member_lines(text, Mark::Added),
            (None, Origin::Entered | Origin::Replaced) => member_lines(text, Mark::Plain),
        },
        Kind::Delete { .. } | Kind::Leave { .. } => Vec::new(),
    }
}

fn plain(text: String) -> Line {
    let mark = Mark::Plain;
    Line { mark, text }
}

/// The members of an object, or the value itself.
fn member_lines(json: &str, mark: Mark) -> Vec<Line> {
    if !is_object(json) {
        let text = shortened(json);
        return vec![Line { mark, text }];
    }
    let line = |(name, value)| value_line(mark, &member(name), value);
    cut_short(members(json).map(line).collect(), 0)
}

fn value_line(mark: Mark, place: &str, value: &str) -> Line {
    let text = format!("{place}: {}", shortened(value));
    Line { mark, text }
}

/// The pointer to a member, of its name as it is spelled.
fn member(name: &str) -> String {
    let token = unescape(name).replace('~', "~0").replace('/', "~1");
    format!("/{}", printable(&token))
}

fn is_object(json: &str) -> bool {
    json.trim_ascii().starts_with('{')
}

/// As many lines as are shown, and how many there are beside them.
fn cut_short(mut lines: Vec<Line>, others: usize) -> Vec<Line> {
    let more = others + lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    lines.extend((more > 0).then(|| plain(format!("… and {more} more"))));
    lines
}

fn patch_lines(patch: &str, before: Option<&str>) -> Vec<Line> {
    let operations: Vec<&RawValue> = serde_json::from_str(patch).unwrap_or_default();
    // Each operation is for what the ones before it have made of the document.
    let mut document = before.map(str::to_owned);
    let mut lines = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        if lines.len() >= LINES {
            return cut_short(lines, operations.len() - index);
        }
        let spelled = operation.get();
        if let Ok(operation) = serde_json::from_str(spelled) {
            lines.extend(operation_lines(&operation, document.as_deref()));
        }
        document = document.and_then(|text| {
            let patch = format!("[{spelled}]");
            Patch::parse(&patch).ok()?.apply(&text, EVENT_BYTES).ok()
        });
    }
    cut_short(lines, 0)
}

/// The members in which two objects differ.
fn differences(place: &str, old: &str, new: &str) -> Vec<Line> {
    let of =
        |json| -> BTreeMap<_, _> { members(json).map(|(name, v)| (unescape(name), v)).collect() };
    let (before, after) = (of(old), of(new));
    let removed = members(old).filter(|(name, _)| !after.contains_key(&unescape(name)));
    let removed = removed.map(|(name, old)| (Mark::Removed, name, old, old));
    let present = members(new).filter_map(|(name, new)| match before.get(&unescape(name)) {
        None => Some((Mark::Added, name, new, new)),
        Some(old) if compact(old) == compact(new) => None,
        Some(old) => Some((Mark::Changed, name, *old, new)),
    });
    let line = |(mark, name, old, new)| {
        let place = format!("{place}{}", member(name));
        match mark {
            Mark::Changed => changed(&place, old, new),
            _ => value_line(mark, &place, new),
        }
    };
    removed.chain(present).map(line).collect()
}

fn operation_lines(operation: &Operation<'_>, document: Option<&str>) -> Vec<Line> {
    let at = |pointer: &str| {
        let pointer = Pointer::parse(pointer).ok()?;
        select(document?, pointer.tokens())
    };
    let is_element = || {
        let parent = operation.path.rsplit_once('/');
        let container = parent.and_then(|(parent, _)| at(parent));
        container.is_some_and(|json| json.trim_ascii().starts_with('['))
    };
    let place = match operation.path.as_str() {
        "" => "(all of it)".to_owned(),
        path => printable(path),
    };
    let line = |mark, text| vec![Line { mark, text }];
    let new = operation.value.map(RawValue::get);
    match (operation.op.as_str(), at(&operation.path), new) {
        ("replace", Some(old), Some(new)) if is_object(old) && is_object(new) => {
            differences(&printable(&operation.path), old, new)
        }
        ("replace", Some(old), Some(new)) => vec![changed(&place, old, new)],
        ("replace", None, Some(new)) => {
            line(Mark::Changed, format!("{place} = {}", shortened(new)))
        }
        ("add", Some(old), Some(new)) if !is_element() => vec![changed(&place, old, new)],
        ("add", _, Some(new)) => vec![value_line(Mark::Added, &place, new)],
        ("remove", Some(old), _) => vec![value_line(Mark::Removed, &place, old)],
        ("remove", None, _) => line(Mark::Removed, place),
        ("move", ..) => line(
            Mark::Changed,
            format!("{place} moved from {}", from(operation)),
        ),
        ("copy", ..) => line(
            Mark::Added,
            format!("{place} copied from {}", from(operation)),
        ),
        _ => Vec::new(),
    }
}

fn from(operation: &Operation<'_>) -> String {
    printable(operation.from.as_deref().unwrap_or_default())
}

fn changed(place: &str, old: &str, new: &str) -> Line {
    let (old, new) = pair(old, new);
    let text = format!("{place}: {old} -> {new}");
    let mark = Mark::Changed;
    Line { mark, text }
}

/// Two values. Of long strings, what they have in common at both ends is left out but
/// for a little.
fn pair(old: &str, new: &str) -> (String, String) {
    let are_strings = old.starts_with('"') && new.starts_with('"');
    let longest = old.chars().count().max(new.chars().count());
    if !are_strings || longest <= VALUE_CHARACTERS {
        return (shortened(old), shortened(new));
    }
    let common = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let prefix = common(&mut old.chars(), &mut new.chars());
    let shortest = old.chars().count().min(new.chars().count());
    let suffix = common(&mut old.chars().rev(), &mut new.chars().rev()).min(shortest - prefix);
    let middle = |text: &str| {
        let skipped = prefix.saturating_sub(CONTEXT_CHARACTERS);
        let cut = suffix.saturating_sub(CONTEXT_CHARACTERS);
        let kept = text.chars().count() - skipped - cut;
        let kept: String = text.chars().skip(skipped).take(kept).collect();
        let before = if skipped > 0 { "…" } else { "" };
        let after = if cut > 0 { "…" } else { "" };
        format!("{before}{}{after}", shortened(&kept))
    };
    (middle(old), middle(new))
}

/// A value on one line, and not too long.
fn shortened(json: &str) -> String {
    let json = json.trim_ascii();
    let mut characters = json.chars();
    let kept: String = characters.by_ref().take(VALUE_CHARACTERS).collect();
    let dots = if characters.next().is_some() {
        "…"
    } else {
        ""
    };
    format!("{}{dots}", printable(&kept))
}

/// Text that a terminal only shows: what it would obey is spelled.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            _ if character.is_control() || is_direction(character) => {
                shown.extend(character.escape_unicode());
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Marks that reorder what stands around them.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;

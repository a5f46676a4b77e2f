//! A change as a person reads it: what was, and what is.

use matchbook_core::json::select::{members, select};
use matchbook_core::json::text::unescape;
use matchbook_core::json::{Patch, Pointer, diff};
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
    let json = json.trim_ascii();
    if !json.starts_with('{') {
        let text = shortened(json);
        return vec![Line { mark, text }];
    }
    let line = |(name, value): (&str, &str)| {
        let name = unescape(name).replace('~', "~0").replace('/', "~1");
        let text = format!("/{}: {}", printable(&name), shortened(value));
        Line { mark, text }
    };
    let mut lines: Vec<Line> = members(json).take(LINES).map(line).collect();
    let more = members(json).skip(LINES).count();
    lines.extend((more > 0).then(|| plain(format!("… and {more} more"))));
    lines
}

fn patch_lines(patch: &str, before: Option<&str>) -> Vec<Line> {
    let operations: Vec<&RawValue> = serde_json::from_str(patch).unwrap_or_default();
    // Each operation is for what the ones before it have made of the document.
    let mut document = before.map(str::to_owned);
    let mut lines = Vec::new();
    for operation in operations.iter().take(LINES) {
        let spelled = operation.get();
        if let Ok(operation) = serde_json::from_str(spelled) {
            lines.extend(operation_line(&operation, document.as_deref()));
        }
        document = document.and_then(|text| {
            let patch = format!("[{spelled}]");
            Patch::parse(&patch).ok()?.apply(&text, EVENT_BYTES).ok()
        });
    }
    let more = operations.len().saturating_sub(LINES);
    lines.extend((more > 0).then(|| plain(format!("… and {more} more"))));
    lines
}

fn operation_line(operation: &Operation<'_>, document: Option<&str>) -> Option<Line> {
    let old = document.and_then(|document| {
        let pointer = Pointer::parse(&operation.path).ok()?;
        select(document, pointer.tokens())
    });
    let is_element = || {
        let parent = operation.path.rsplit_once('/').map(|(parent, _)| parent);
        let pointer = parent.and_then(|parent| Pointer::parse(parent).ok());
        let container = pointer.and_then(|pointer| select(document?, pointer.tokens()));
        container.is_some_and(|text| text.trim_ascii().starts_with('['))
    };
    let place = match operation.path.as_str() {
        "" => "(all of it)".to_owned(),
        path => printable(path),
    };
    let new = operation.value.map(RawValue::get);
    let (mark, text) = match (operation.op.as_str(), old, new) {
        ("add", Some(old), Some(new)) if !is_element() => changed(&place, old, new),
        ("add", _, Some(new)) => (Mark::Added, format!("{place}: {}", shortened(new))),
        ("replace", Some(old), Some(new)) => changed(&place, old, new),
        ("replace", None, Some(new)) => (Mark::Changed, format!("{place} = {}", shortened(new))),
        ("remove", Some(old), _) => (Mark::Removed, format!("{place}: {}", shortened(old))),
        ("remove", None, _) => (Mark::Removed, place),
        ("move", ..) => (
            Mark::Changed,
            format!("{place} moved from {}", from(operation)?),
        ),
        ("copy", ..) => (
            Mark::Added,
            format!("{place} copied from {}", from(operation)?),
        ),
        _ => return None,
    };
    Some(Line { mark, text })
}

fn from(operation: &Operation<'_>) -> Option<String> {
    operation.from.as_deref().map(printable)
}

fn changed(place: &str, old: &str, new: &str) -> (Mark, String) {
    let (old, new) = pair(old, new);
    (Mark::Changed, format!("{place}: {old} -> {new}"))
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

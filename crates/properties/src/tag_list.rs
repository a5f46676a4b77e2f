//! `If-Match` and `If-None-Match`: a list of tags, and nothing but such a list.

use std::iter;

use matchbook_core::field::entity_tag::{EntityTag, TagList};

const FIELD: &str = "If-Match";

/// Each line of the input is a line of the field.
pub fn tag_list(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let read = TagList::parse(FIELD, lines.iter().copied());
    let expected = expected(&lines);
    let tags = match read {
        Err(_) => return assert_eq!(expected, None, "{}", data.escape_ascii()),
        Ok(None) => panic!("there are lines"),
        Ok(Some(TagList::Any)) => {
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0].trim_ascii(), b"*");
            return;
        }
        Ok(Some(TagList::Tags(tags))) => tags,
    };
    let found: Vec<_> = tags.iter().map(printed).collect();
    assert_eq!(expected.as_ref(), Some(&found), "{}", data.escape_ascii());
    let again = found.join(b", ".as_slice());
    let again = TagList::parse(FIELD, iter::once(again.as_slice()));
    assert_eq!(again, Ok(Some(TagList::Tags(tags.clone()))));
    for tag in tags.iter() {
        one(tag);
    }
}

fn one(tag: &EntityTag<'_>) {
    let printed = printed(tag);
    assert_eq!(EntityTag::parse(FIELD, &printed), Ok(*tag));
    assert!(tag.weak_eq(tag));
    assert_eq!(tag.strong_eq(tag), !tag.is_weak());
    // A version has one spelling, and what is behind it begins with '+'.
    if let Some((version, _)) = tag.version() {
        let rest = tag.opaque().strip_prefix(version.to_string().as_bytes());
        assert!(rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'+'));
    }
}

fn printed(tag: &EntityTag<'_>) -> Vec<u8> {
    let weak: &[u8] = if tag.is_weak() { b"W/" } else { b"" };
    [weak, b"\"", tag.opaque(), b"\""].concat()
}

/// The tags of a list, as RFC 9110 §8.8.3 and §5.6.1 have them; `None` if it is none, or
/// empty.
fn expected(lines: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let mut tags = Vec::new();
    for line in lines {
        let mut rest = *line;
        let mut may_begin = true;
        while let [first, tail @ ..] = rest {
            match first {
                b' ' | b'\t' => rest = tail,
                b',' => {
                    may_begin = true;
                    rest = tail;
                }
                _ if may_begin => {
                    let open = rest.iter().position(|byte| *byte == b'"')?;
                    let length = rest[open + 1..].iter().position(|byte| *byte == b'"')?;
                    let (tag, tail) = rest.split_at(open + length + 2);
                    let opaque = &tag[open + 1..tag.len() - 1];
                    let is_good = matches!(&tag[..open], b"" | b"W/")
                        && opaque.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
                    is_good.then(|| tags.push(tag.to_vec()))?;
                    may_begin = false;
                    rest = tail;
                }
                _ => return None,
            }
        }
    }
    (!tags.is_empty()).then_some(tags)
}

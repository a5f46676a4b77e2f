//! Entity tags (RFC 9110 §8.8.3) and the lists of them in `If-Match` and
//! `If-None-Match` (§13.1.1, §13.1.2):
//!
//! ```text
//! If-Match   = "*" / #entity-tag
//! entity-tag = [ %s"W/" ] DQUOTE *etagc DQUOTE
//! etagc      = %x21 / %x23-7E / obs-text
//! ```
//!
//! `If-Match: "k3v4q2ab-17", W/"k3v4q2ab-16"`
//!
//! A list that does not parse is a fault, so it never becomes a write (contract §3,
//! line 1). The `headers` crate drops the tags that it cannot read, and so turns
//! `If-None-Match: "a" "b"` into no condition at all.

use super::coding::Coding;
use super::cursor::{Cursor, Unexpected};
use super::{FieldFault, single};
use crate::tag::Version;

/// An entity tag as a client sent it.
///
/// `==` compares spelling; what preconditions ask is [`EntityTag::strong_eq`] and
/// [`EntityTag::weak_eq`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads one entity tag and nothing else.
    ///
    /// # Errors
    /// A [`FieldFault`] in the name of `field`.
    pub fn parse(field: &'static str, text: &'a [u8]) -> Result<Self, FieldFault> {
        let mut cursor = Cursor::new(text);
        match Self::read(&mut cursor) {
            Ok(tag) if cursor.at_end() => Ok(tag),
            _ => Err(FieldFault {
                field,
                detail: "an entity tag stands in double quotes, as \"k3v4q2ab-17\"",
            }),
        }
    }

    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Unexpected> {
        let weak = cursor.eat(b"W/");
        if !cursor.eat(b"\"") {
            return Err(Unexpected);
        }
        let opaque = cursor.take_while(is_etagc);
        if !cursor.eat(b"\"") {
            return Err(Unexpected);
        }
        Ok(Self { weak, opaque })
    }

    /// Whether it begins with `W/`.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        self.weak
    }

    /// What stands between the quotes.
    #[must_use]
    pub const fn opaque(&self) -> &'a [u8] {
        self.opaque
    }

    /// Strong comparison (RFC 9110 §8.8.3.2): equal, and neither is weak.
    #[must_use]
    pub fn strong_eq(&self, other: &EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 §8.8.3.2): the opaque parts are equal.
    #[must_use]
    pub fn weak_eq(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// The version and coding that the opaque part spells, if this server could have
    /// made it. A version has one spelling, so equal versions are equal bytes.
    #[must_use]
    pub fn version(&self) -> Option<(Version, Coding)> {
        let (base, coding) = Coding::split(self.opaque);
        let version = std::str::from_utf8(base).ok()?.parse().ok()?;
        Some((version, coding))
    }
}

const fn is_etagc(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'~' | 0x80..)
}

/// What `If-Match` or `If-None-Match` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagList<'a> {
    /// `*`: any current representation.
    Any,
    /// One tag or more.
    Tags(Tags<'a>),
}

/// One entity tag or more. The first lies inline: one is what clients send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags<'a> {
    first: EntityTag<'a>,
    more: Vec<EntityTag<'a>>,
}

impl<'a> Tags<'a> {
    /// The tags, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = &EntityTag<'a>> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The tag, if it is the only one.
    #[must_use]
    pub fn only(&self) -> Option<&EntityTag<'a>> {
        self.more.is_empty().then_some(&self.first)
    }
}

impl<'a> TagList<'a> {
    /// Reads the lines of `If-Match` or `If-None-Match`, whichever `field` names.
    ///
    /// # Errors
    /// A [`FieldFault`] for anything but `*` alone or a list of entity tags. An empty
    /// list is a fault too, although the grammar has it: what sends one is a client
    /// that lost its tag, and in `If-None-Match` it would be no condition at all.
    pub fn parse(
        field: &'static str,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, FieldFault> {
        let mut lines = lines.peekable();
        let fault = |detail| FieldFault { field, detail };
        match lines.peek() {
            None => return Ok(None),
            Some(line) if line.trim_ascii() == b"*" => {
                single(field, lines).map_err(|_| fault(STAR))?;
                return Ok(Some(Self::Any));
            }
            Some(_) => {}
        }
        let mut tags: Option<Tags<'a>> = None;
        for line in lines {
            let mut cursor = Cursor::new(line);
            while cursor.next_element() {
                let tag = read_element(&mut cursor).map_err(fault)?;
                match &mut tags {
                    None => {
                        let more = Vec::new();
                        tags = Some(Tags { first: tag, more });
                    }
                    Some(tags) => tags.more.push(tag),
                }
            }
        }
        tags.map(|tags| Some(Self::Tags(tags)))
            .ok_or_else(|| fault(EMPTY))
    }
}

const STAR: &str = "'*' must stand alone, not in a list";
const EMPTY: &str = "the list holds no entity tag; send the ETag of the representation, or '*'";
const UNQUOTED: &str =
    "entity tags stand in double quotes, as \"k3v4q2ab-17\"; send the ETag as it was received";
const COMMA: &str = "entity tags must be separated by commas";

fn read_element<'a>(cursor: &mut Cursor<'a>) -> Result<EntityTag<'a>, &'static str> {
    if cursor.peek() == Some(b'*') {
        return Err(STAR);
    }
    let tag = EntityTag::read(cursor).map_err(|_| UNQUOTED)?;
    cursor.end_element().map_err(|_| COMMA)?;
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse<'a>(lines: &[&'a [u8]]) -> Result<Option<TagList<'a>>, FieldFault> {
        TagList::parse("If-Match", lines.iter().copied())
    }

    /// The list as it would be written, or the fault's detail.
    fn show(lines: &[&[u8]]) -> String {
        match parse(lines) {
            Ok(None) => "none".to_owned(),
            Ok(Some(TagList::Any)) => "*".to_owned(),
            Ok(Some(TagList::Tags(tags))) => {
                let written = tags.iter().map(|tag| {
                    let weak = if tag.is_weak() { "W/" } else { "" };
                    format!("{weak}\"{}\"", tag.opaque().escape_ascii())
                });
                written.collect::<Vec<_>>().join(", ")
            }
            Err(fault) => fault.detail.to_owned(),
        }
    }

    #[test]
    fn lists_of_tags() {
        let cases: [(&[&[u8]], &str); 31] = [
            (&[], "none"),
            (&[b"*"], "*"),
            (&[b" *\t"], "*"),
            (&[br#""a""#], r#""a""#),
            (&[br#"W/"a""#], r#"W/"a""#),
            (&[br#""""#], r#""""#),
            (&[br#""a,b""#], r#""a,b""#),
            (&[br#""a\""#], r#""a\\""#),
            (&[b"\"\xff!\""], r#""\xff!""#),
            (&[br#""a","b""#], r#""a", "b""#),
            (&[br#" , "a" ,,	"b", "#], r#""a", "b""#),
            (&[br#""a""#, b"", br#"W/"b", "c""#], r#""a", W/"b", "c""#),
            (&[b""], EMPTY),
            (&[b" , ,"], EMPTY),
            (&[b"", b""], EMPTY),
            (&[br#"*, "a""#], STAR),
            (&[br#""a", *"#], STAR),
            (&[b"*,"], STAR),
            (&[b"*", b"*"], STAR),
            (&[b"*", br#""a""#], STAR),
            (&[br#""a""#, b"*"], STAR),
            (&[b"a"], UNQUOTED),
            (&[b"k3v4q2ab-17"], UNQUOTED),
            (&[br#"w/"a""#], UNQUOTED),
            (&[br#"W/ "a""#], UNQUOTED),
            (&[br#""a"#], UNQUOTED),
            (&[br#""a b""#], UNQUOTED),
            (&[b"\"a\x7f\""], UNQUOTED),
            (&[br#""a" "b""#], COMMA),
            (&[br#""a""b""#], COMMA),
            (&[br#""a";q=1"#], COMMA),
        ];
        for (lines, expected) in cases {
            assert_eq!(show(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn comparison_is_that_of_rfc_9110_section_8_8_3_2() {
        let cases: [(&str, &str, bool, bool); 4] = [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ];
        for (left, right, strong, weak) in cases {
            let a = EntityTag::parse("ETag", left.as_bytes()).unwrap();
            let b = EntityTag::parse("ETag", right.as_bytes()).unwrap();
            assert_eq!(a.strong_eq(&b), strong, "{left} {right}");
            assert_eq!(b.strong_eq(&a), strong, "{left} {right}");
            assert_eq!(a.weak_eq(&b), weak, "{left} {right}");
            assert_eq!(b.weak_eq(&a), weak, "{left} {right}");
        }
    }

    #[test]
    fn section_1_a_tag_names_a_version_and_a_coding() {
        let version: Version = "k3v4q2ab-17".parse().unwrap();
        let cases = [
            (r#""k3v4q2ab-17""#, Some((version, Coding::Identity))),
            (r#""k3v4q2ab-17+gzip""#, Some((version, Coding::Gzip))),
            (r#"W/"k3v4q2ab-17+zstd""#, Some((version, Coding::Zstd))),
            (r#""k3v4q2ab-17+lzma""#, None),
            (r#""k3v4q2ab-17+br+gzip""#, None),
            (r#""k3v4q2ab-017""#, None),
            (r#""K3V4Q2AB-17""#, None),
            (r#""""#, None),
        ];
        for (text, expected) in cases {
            let tag = EntityTag::parse("If-Match", text.as_bytes()).unwrap();
            assert_eq!(tag.version(), expected, "{text}");
        }
        assert!(EntityTag::parse("If-Range", br#""a", "b""#).is_err());
    }

    #[test]
    fn only_the_only_tag_is_the_one() {
        let one = parse(&[br#""a""#]).unwrap();
        assert!(matches!(&one, Some(TagList::Tags(tags)) if tags.only().is_some()));
        let two = parse(&[br#""a", "a""#]).unwrap();
        assert!(matches!(&two, Some(TagList::Tags(tags)) if tags.only().is_none()));
    }

    proptest! {
        #[test]
        fn nothing_panics(lines in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let _ = TagList::parse("If-Match", lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn near_misses_do_not_panic(line in r#"[W/"*, \\ab;]{0,24}"#) {
            let _ = TagList::parse("If-Match", std::iter::once(line.as_bytes()));
        }

        #[test]
        fn what_is_written_is_read(
            tags in prop::collection::vec((any::<bool>(), "[!#-~é]{0,12}"), 1..5),
        ) {
            let written = tags
                .iter()
                .map(|(weak, opaque)| format!("{}\"{opaque}\"", if *weak { "W/" } else { "" }))
                .collect::<Vec<_>>()
                .join(", ");
            let read = TagList::parse("If-Match", std::iter::once(written.as_bytes()));
            let Ok(Some(TagList::Tags(read))) = read else { panic!("{written}: {read:?}") };
            let read: Vec<_> = read.iter().map(|t| (t.is_weak(), t.opaque().to_vec())).collect();
            let sent: Vec<_> = tags.into_iter().map(|(w, o)| (w, o.into_bytes())).collect();
            prop_assert_eq!(read, sent);
        }
    }
}

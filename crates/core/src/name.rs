//! Names: what a request target's path means (contract §1).
//!
//! A name's identity is its decoded segments. They are held in the canonical
//! percent-encoding (RFC 3986 §6.2.2: unreserved characters raw, all others as
//! upper-case hex), which is a bijection, so that comparing, storing and printing a
//! name needs no decoding. Every [`DocumentPath`] and [`CollectionPath`] is valid:
//! only validation can make one.

use std::fmt;
use std::sync::Arc;

use crate::limits::{PATH_BYTES, SEGMENT_BYTES};

/// The collections, below `/_/`, of documents about the server itself. They are kept and
/// served under the rules of all documents, to those who administer it.
pub const OWN: [&str; 3] = ["collections", "keys", "policies"];

/// The collection, below `/_/`, of what is kept about requests that may be repeated. No
/// request can name it.
const RECEIPTS: &str = "receipts";

/// What the path of a request target names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/`: the list of collections.
    Root,
    /// An odd number of segments, or one of the server's [`OWN`].
    Collection(CollectionPath),
    /// An even number of segments, or a member of one of the server's [`OWN`].
    Document(DocumentPath),
    /// All else below `/_/`, or `/_` itself: the rest of the path, as it was sent.
    Reserved(String),
    /// One trailing slash too many: the canonical name without it.
    Moved(String),
}

/// Why a path names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It does not begin with `/`.
    NoSlash,
    /// A character that RFC 3986 does not allow, sent raw.
    Character,
    /// `%` without two hexadecimal digits behind it.
    Escape,
    /// `%2F` or `%00`, or another control character.
    Forbidden,
    /// The decoded bytes are not UTF-8.
    Utf8,
    /// `//`, or more than one slash at the end.
    Empty,
    /// `.` or `..`.
    Dots,
    /// A segment over [`SEGMENT_BYTES`].
    SegmentTooLong,
    /// The path is over [`PATH_BYTES`].
    PathTooLong,
    /// The first segment begins with `_`, and is not `_` itself.
    Reserved,
}

impl NameFault {
    /// What is wrong and what to send instead, as half a sentence.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::NoSlash => "the path must begin with '/'",
            Self::Character => {
                "the path holds a character that must be percent-encoded (RFC 3986 §2)"
            }
            Self::Escape => "'%' must be followed by two hexadecimal digits",
            Self::Forbidden => {
                "a segment must not hold a slash (%2F), a zero byte (%00) or another control character"
            }
            Self::Utf8 => "a segment must be UTF-8 after percent-decoding",
            Self::Empty => "the path holds an empty segment ('//')",
            Self::Dots => "'.' and '..' are not names",
            Self::SegmentTooLong => "a segment is at most 255 bytes after percent-decoding",
            Self::PathTooLong => "a path is at most 1,024 bytes after percent-decoding",
            Self::Reserved => "names that begin with '_' are reserved for the server",
        }
    }
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for NameFault {}

/// The name of a document, such as `/projects/7/tasks/3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentPath {
    text: Arc<str>,
    /// Where the last slash is.
    last_slash: usize,
}

impl DocumentPath {
    /// Reads a path as a request target or a stored row holds it.
    ///
    /// # Errors
    /// A [`NameFault`] if it is malformed; `Reserved` and `Empty` also for what is
    /// well-formed but no document.
    pub fn parse(path: &str) -> Result<Self, NameFault> {
        if let Some(Target::Document(document)) = own(path, &[RECEIPTS])? {
            return Ok(document);
        }
        match Target::parse(path)? {
            Target::Document(document) => Ok(document),
            Target::Reserved(_) => Err(NameFault::Reserved),
            Target::Root | Target::Collection(_) | Target::Moved(_) => Err(NameFault::Empty),
        }
    }

    /// What is kept about a request of this name.
    ///
    /// # Errors
    /// A [`NameFault`] if it is no segment.
    pub fn receipt(name: &str) -> Result<Self, NameFault> {
        CollectionPath::receipts().member(name)
    }

    /// Whether it is about the server itself.
    #[must_use]
    pub fn is_own(&self) -> bool {
        is_own(&self.text)
    }

    /// The canonical text, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The canonical text of the collection: all before the last slash.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.text.get(..self.last_slash).unwrap_or_default()
    }

    /// The canonical last segment.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text.get(self.last_slash + 1..).unwrap_or_default()
    }

    /// The collection that the document is a direct member of.
    #[must_use]
    pub fn parent(&self) -> CollectionPath {
        CollectionPath(self.collection().into())
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The name of a collection, such as `/projects/7/tasks`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionPath(Arc<str>);

impl CollectionPath {
    /// Reads a path as a request target or a stored row holds it.
    ///
    /// # Errors
    /// As [`DocumentPath::parse`].
    pub fn parse(path: &str) -> Result<Self, NameFault> {
        if let Some(Target::Collection(collection)) = own(path, &[RECEIPTS])? {
            return Ok(collection);
        }
        match Target::parse(path)? {
            Target::Collection(collection) => Ok(collection),
            Target::Reserved(_) => Err(NameFault::Reserved),
            Target::Root | Target::Document(_) | Target::Moved(_) => Err(NameFault::Empty),
        }
    }

    /// The collection of all that [`DocumentPath::receipt`] names.
    #[must_use]
    pub fn receipts() -> Self {
        Self([OWN_PREFIX, RECEIPTS].concat().into())
    }

    /// Whether its members are about the server itself.
    #[must_use]
    pub fn is_own(&self) -> bool {
        is_own(&self.0)
    }

    /// The canonical text, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The member with this id, given as decoded text.
    ///
    /// # Errors
    /// A [`NameFault`] if the id is no segment or the path becomes too long.
    pub fn member(&self, id: &str) -> Result<DocumentPath, NameFault> {
        let mut text = String::with_capacity(self.0.len() + 1 + id.len());
        text.push_str(&self.0);
        text.push('/');
        check_segment(id)?;
        encode_into(&mut text, id.as_bytes());
        DocumentPath::parse(&text)
    }
}

impl fmt::Display for CollectionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CollectionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Target {
    /// Reads the path of a request target (RFC 9112 §3.2), without its query.
    ///
    /// # Errors
    /// The first [`NameFault`] from the left.
    ///
    /// ```
    /// use matchbook_core::name::Target;
    /// let Ok(Target::Document(path)) = Target::parse("/notes/caf%c3%a9%7E") else {
    ///     unreachable!()
    /// };
    /// assert_eq!(path.as_str(), "/notes/caf%C3%A9~");
    /// assert_eq!(path.collection(), "/notes");
    /// ```
    pub fn parse(path: &str) -> Result<Self, NameFault> {
        let rest = path.strip_prefix('/').ok_or(NameFault::NoSlash)?;
        if rest.is_empty() {
            return Ok(Self::Root);
        }
        if let Some(reserved) = rest.strip_prefix("_/") {
            let own = own(path, &OWN)?;
            return Ok(own.unwrap_or_else(|| Self::Reserved(reserved.to_owned())));
        }
        let (rest, moved) = match rest.strip_suffix('/') {
            Some(shorter) => (shorter, true),
            None => (rest, false),
        };
        if rest == "_" {
            return Ok(Self::Reserved(String::new()));
        }
        if rest.starts_with('_') {
            return Err(NameFault::Reserved);
        }
        if !moved && let Some(target) = Self::canonical(path) {
            return Ok(target);
        }
        let mut text = String::with_capacity(path.len());
        let mut segments = 0_usize;
        let mut last_slash = 0;
        let mut decoded_bytes = 0;
        for segment in rest.split('/') {
            last_slash = text.len();
            text.push('/');
            decoded_bytes += 1 + canonical_segment(&mut text, segment)?;
            segments += 1;
        }
        if decoded_bytes > PATH_BYTES {
            return Err(NameFault::PathTooLong);
        }
        if text.starts_with("/_") {
            return Err(NameFault::Reserved);
        }
        if moved {
            return Ok(Self::Moved(text));
        }
        Ok(Self::new(text.into(), segments, last_slash))
    }

    /// Nearly every path is canonical as it was sent: nothing to decode or to encode.
    /// `None` says only that it has to be looked at more closely.
    fn canonical(path: &str) -> Option<Self> {
        let mut segments = 0;
        let mut last_slash = 0;
        let mut before = b'x';
        for (at, byte) in path.bytes().enumerate() {
            match (before, byte) {
                // An empty segment, or one that may be of dots alone.
                (b'/', b'/' | b'.') => return None,
                (_, b'/') => {
                    segments += 1;
                    last_slash = at;
                }
                _ if is_unreserved(byte) => {}
                _ => return None,
            }
            before = byte;
        }
        let is_plain = path.len() <= SEGMENT_BYTES && before != b'/';
        is_plain.then(|| Self::new(path.into(), segments, last_slash))
    }

    fn new(text: Arc<str>, segments: usize, last_slash: usize) -> Self {
        if segments.is_multiple_of(2) {
            Self::Document(DocumentPath { text, last_slash })
        } else {
            Self::Collection(CollectionPath(text))
        }
    }
}

/// What all names of the server's own documents begin with.
const OWN_PREFIX: &str = "/_/";

/// Whether the canonical text of a path names one of the server's own documents, or their
/// collection.
#[must_use]
pub fn is_own(path: &str) -> bool {
    path.starts_with(OWN_PREFIX)
}

/// What a path names among the server's own collections and their members; `None` if it is
/// in none of `collections`.
fn own(path: &str, collections: &[&str]) -> Result<Option<Target>, NameFault> {
    let Some(rest) = path.strip_prefix(OWN_PREFIX) else {
        return Ok(None);
    };
    let (collection, member) = match rest.split_once('/') {
        Some((collection, member)) => (collection, Some(member)),
        None => (rest, None),
    };
    if !collections.contains(&collection) {
        return Ok(None);
    }
    let mut text = [OWN_PREFIX, collection].concat();
    Ok(Some(match member {
        None => Target::Collection(CollectionPath(text.into())),
        Some("") => Target::Moved(text),
        Some(member) => {
            let (segment, moved) = match member.strip_suffix('/') {
                Some(shorter) => (shorter, true),
                None => (member, false),
            };
            if segment.contains('/') {
                return Ok(None);
            }
            let last_slash = text.len();
            text.push('/');
            canonical_segment(&mut text, segment)?;
            match moved {
                true => Target::Moved(text),
                false => Target::Document(DocumentPath {
                    text: text.into(),
                    last_slash,
                }),
            }
        }
    }))
}

/// Appends the canonical form of a segment as it was sent, and returns the number of
/// its decoded bytes.
fn canonical_segment(text: &mut String, segment: &str) -> Result<usize, NameFault> {
    // Nearly every name is of unreserved characters only: nothing to decode.
    if !segment.is_empty() && segment.bytes().all(is_unreserved) {
        if segment == "." || segment == ".." {
            return Err(NameFault::Dots);
        }
        if segment.len() > SEGMENT_BYTES {
            return Err(NameFault::SegmentTooLong);
        }
        text.push_str(segment);
        return Ok(segment.len());
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = bytes.next().and_then(hex).zip(bytes.next().and_then(hex));
            let (high, low) = digits.ok_or(NameFault::Escape)?;
            decoded.push(high << 4 | low);
        } else if is_path_character(byte) {
            decoded.push(byte);
        } else {
            return Err(NameFault::Character);
        }
    }
    let decoded = std::str::from_utf8(&decoded).map_err(|_| NameFault::Utf8)?;
    check_segment(decoded)?;
    encode_into(text, decoded.as_bytes());
    Ok(decoded.len())
}

/// The rules of a segment, after percent-decoding.
fn check_segment(decoded: &str) -> Result<(), NameFault> {
    if decoded.is_empty() {
        return Err(NameFault::Empty);
    }
    if decoded == "." || decoded == ".." {
        return Err(NameFault::Dots);
    }
    if decoded.chars().any(|c| c == '/' || c.is_control()) {
        return Err(NameFault::Forbidden);
    }
    if decoded.len() > SEGMENT_BYTES {
        return Err(NameFault::SegmentTooLong);
    }
    Ok(())
}

fn encode_into(text: &mut String, decoded: &[u8]) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or('0');
    for &byte in decoded {
        if is_unreserved(byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(digit(byte >> 4));
            text.push(digit(byte));
        }
    }
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand raw in a path: RFC 3986's `pchar`, and the three that browsers
/// send raw although they should not (WHATWG URL, path percent-encode set).
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
        || matches!(byte, b'|' | b'[' | b']')
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! Finding one's way in a text that [`check`](super::check()) has accepted, without
//! checking it again.
//!
//! Every function is total: on other texts the answers are meaningless, but nothing
//! panics, and every loop moves forward.

const ONES: u64 = u64::MAX / 0xff;
const HIGHS: u64 = ONES << 7;

/// Where the run of bytes that stand for themselves in a string ends: at a quote, a
/// backslash or a control character, or at the end of the text.
#[inline]
pub(super) fn plain_end(text: &[u8], mut at: usize) -> usize {
    let mut rest = text.get(at..).unwrap_or_default();
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5c);
        // A byte of `found` has its high bit where the byte is zero, or below 0x20.
        // Borrows spoil only bytes behind the first hit, and the first one counts.
        let found = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
        rest = behind;
    }
    let plain = |&byte: &u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    at + rest.iter().take_while(|byte| plain(byte)).count()
}

/// Where the white space that begins here ends.
#[inline]
pub(super) fn space_end(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(0..=b' ') => long_space_end(text, at),
        _ => at,
    }
}

fn long_space_end(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
        // Indentation comes in runs of spaces.
        while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let others = u64::from_le_bytes(*word) ^ (ONES * 0x20);
            at += (others.trailing_zeros() / 8) as usize;
            if others != 0 {
                break;
            }
        }
    }
    at
}

/// Behind the closing quote of the string whose opening quote is here.
#[inline]
pub(super) fn string_end(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        at = plain_end(text, at);
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

/// Behind the value that begins here.
pub(super) fn value_end(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => string_end(text, at),
        Some(b'{' | b'[') => container_end(text, at),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | 0..=b' ');
            let rest = text.get(at..).unwrap_or_default();
            at + rest.iter().take_while(|byte| !ends(byte)).count()
        }
    }
}

fn container_end(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// How many containers lie within each other at the deepest place.
pub(super) fn height(text: &str) -> usize {
    let text = text.as_bytes();
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// Whether two values are spelled alike, but for white space.
pub(super) fn same_tokens(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (space_end(a, 0), space_end(b, 0));
    loop {
        let (end_a, end_b) = match (a.get(i), b.get(j)) {
            (None, None) => return true,
            (Some(b'"'), Some(b'"')) => (string_end(a, i), string_end(b, j)),
            (Some(x), Some(y)) if x == y => (i + 1, j + 1),
            _ => return false,
        };
        if end_a != i + 1 && a.get(i..end_a) != b.get(j..end_b) {
            return false;
        }
        (i, j) = (space_end(a, end_a), space_end(b, end_b));
    }
}

/// A document without the white space between its tokens, so that it stands on one line.
///
/// ```
/// use matchbook_core::json::compact;
/// assert_eq!(compact("{ \"a b\" :\n[1.0 , 2] }\n"), r#"{"a b":[1.0,2]}"#);
/// ```
#[must_use]
pub fn compact(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    compact_into(&mut out, document);
    out
}

/// Appends a value as [`compact`] writes it.
pub(super) fn compact_into(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    let (mut at, mut from) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.push_str(text.get(from..at).unwrap_or_default());
                at = space_end(bytes, at);
                from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
}

/// The value without the white space around it.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\n', '\r', '\t'])
}

/// Whether a value, given without white space in front, is an object.
pub(super) fn is_object(value: &str) -> bool {
    value.starts_with('{')
}

/// Whether a value, given without white space in front, is an array.
pub(super) fn is_array(value: &str) -> bool {
    value.starts_with('[')
}

/// A member of an object or an element of an array, with its layout. Between two
/// commas or brackets the text is `lead`, `label`, `value`, `after`, nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// White space in front.
    pub(super) lead: &'a str,
    /// The name as spelled, the colon and the white space around that; empty for an
    /// element.
    pub(super) label: &'a str,
    /// The value as spelled.
    pub(super) value: &'a str,
    /// White space behind.
    pub(super) after: &'a str,
}

impl<'a> Entry<'a> {
    /// The member's name as spelled, with its quotes.
    pub(super) fn name(&self) -> &'a str {
        name_of(self.label)
    }
}

/// The name in a label: from its first quote to its last.
pub(super) fn name_of(label: &str) -> &str {
    if let Some(name) = label.strip_suffix(':').filter(|name| name.ends_with('"')) {
        return name;
    }
    let end = label.rfind('"').map_or(0, |at| at + 1);
    label.get(..end).unwrap_or_default()
}

/// The entries of a container, or of a run of entries joined by commas.
pub(super) struct Entries<'a> {
    text: &'a str,
    at: usize,
    labelled: bool,
    done: bool,
}

impl<'a> Entries<'a> {
    /// Those of an object or array; none of any other value.
    pub(super) fn of(container: &'a str) -> Self {
        let inner = inside(container);
        let labelled = is_object(container);
        let mut entries = Self::joined(inner, labelled);
        let container = labelled || is_array(container);
        entries.done = !container || space_end(inner.as_bytes(), 0) == inner.len();
        entries
    }

    /// Those of a text that lies between brackets and is not blank.
    pub(super) fn joined(text: &'a str, labelled: bool) -> Self {
        Self {
            text,
            at: 0,
            labelled,
            done: false,
        }
    }

    /// Whether there are no more.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// How far the entries so far reach, without the comma behind them.
    pub(super) fn reached(&self) -> usize {
        if self.done {
            self.text.len()
        } else {
            self.at.saturating_sub(1)
        }
    }

    fn piece(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }
}

/// What lies between the brackets of a container.
pub(super) fn inside(container: &str) -> &str {
    container
        .get(1..container.len().saturating_sub(1))
        .unwrap_or_default()
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.done {
            return None;
        }
        let bytes = self.text.as_bytes();
        let begin = self.at;
        let label = space_end(bytes, begin);
        let mut value = label;
        if self.labelled {
            let colon = space_end(bytes, string_end(bytes, label));
            value = space_end(bytes, colon + 1);
        }
        let after = value_end(bytes, value);
        let end = space_end(bytes, after);
        // In a checked text a comma or the end is here.
        self.done = end >= bytes.len();
        self.at = end + 1;
        Some(Entry {
            lead: self.piece(begin, label),
            label: self.piece(label, value),
            value: self.piece(value, after),
            after: self.piece(after, end),
        })
    }
}

//! Words of a text of policies: just enough of Cedar's grammar to tell one policy from the
//! next, and to find a name again, which Cedar does not say where it stands.

/// A policy with its comments and its semicolon, and where it begins in the text.
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) offset: usize,
    pub(super) words: usize,
}

/// The policies of a text; the last one may be whatever follows the last semicolon.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut offset, mut words) = (0, 0);
    for (at, token) in tokens(text, 0) {
        words += 1;
        if token == ";" {
            let end = at + token.len();
            let text = text.get(offset..end).unwrap_or_default();
            pieces.push(Piece {
                text,
                offset,
                words,
            });
            (offset, words) = (end, 0);
        }
    }
    if words > 0 {
        let text = text.get(offset..).unwrap_or_default();
        pieces.push(Piece {
            text,
            offset,
            words,
        });
    }
    pieces
}

/// Where a name first stands as an attribute, from an offset on.
pub(super) fn position(text: &str, from: usize, name: &str) -> usize {
    let quoted = format!("{name:?}");
    let mut before = "";
    for (offset, token) in tokens(text, from) {
        let is_attribute = match before {
            "." | "has" => token == name || token == quoted,
            "[" => token == quoted,
            _ => false,
        };
        if is_attribute {
            return offset;
        }
        before = token;
    }
    from
}

/// Words, strings and single signs, without comments.
fn tokens(text: &str, from: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut at = from;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let first = rest.chars().next()?;
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if first == '"' {
                string_length(rest)
            } else if first.is_alphanumeric() || first == '_' {
                let is_word = |sign: char| sign.is_alphanumeric() || sign == '_';
                rest.find(|sign| !is_word(sign)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let start = at;
            at += length;
            if !first.is_whitespace() && !rest.starts_with("//") {
                return Some((start, text.get(start..at)?));
            }
        }
    })
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices().skip(1) {
        match sign {
            '"' if !escaped => return at + 1,
            _ => escaped = sign == '\\' && !escaped,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_semicolons() {
        let text = "a \"b;\\\";\" c; // d; e\n;f\n// g";
        let found: Vec<(usize, &str, usize)> = pieces(text)
            .iter()
            .map(|piece| (piece.offset, piece.text, piece.words))
            .collect();
        let expected = [
            (0, "a \"b;\\\";\" c;", 4),
            (12, " // d; e\n;", 1),
            (22, "f\n// g", 1),
        ];
        assert_eq!(found, expected);
        assert_eq!(pieces("// only\n ").len(), 0);
    }

    #[test]
    fn a_name_is_found_where_it_is_an_attribute() {
        let text = "// .role\n role \"role\" a.roles && a . role";
        assert_eq!(position(text, 0, "role"), text.rfind("role").unwrap());
        assert_eq!(position("a[\"b c\"]", 0, "b c"), 2);
        assert_eq!(position("a has b", 0, "b"), 6);
        assert_eq!(position("a", 0, "b"), 0);
    }
}

//! Output as a page shows it, compared with output as it is.
//!
//! `…` stands for any text within a line; a line that is only `…` stands for any lines,
//! or none. All else is exact but for spaces at the ends of lines and empty lines at
//! both ends. Header fields may come in any order, as everywhere in HTTP.

const ANY: &str = "…";

/// `Err` holds both texts for the reader.
pub(crate) fn compare(expected: &str, actual: &str) -> Result<(), String> {
    let wanted: Vec<&str> = expected.trim_matches('\n').lines().collect();
    let found: Vec<&str> = actual
        .trim_matches(['\n', '\r'])
        .lines()
        .map(str::trim_end)
        .collect();
    if lines_match(&in_order(&wanted), &in_order(&found)) {
        return Ok(());
    }
    Err(format!(
        "the page says that this is printed:\n{}\n\nbut this is:\n{}\n",
        wanted.join("\n"),
        found.join("\n")
    ))
}

/// The same lines with the fields after each status line in the order of their names.
/// Where a head leaves fields out, it may do so between any two.
fn in_order<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut ordered = Vec::with_capacity(lines.len());
    let mut rest = lines.iter().copied().peekable();
    while let Some(line) = rest.next() {
        ordered.push(line);
        if !line.starts_with("HTTP/") {
            continue;
        }
        let mut fields = Vec::new();
        while let Some(field) = rest.next_if(|line| line.trim() == ANY || is_field(line)) {
            fields.push(field);
        }
        let all = fields.len();
        fields.retain(|field| field.trim() != ANY);
        fields.sort_unstable();
        let is_open = fields.len() < all;
        for field in fields {
            ordered.extend(is_open.then_some(ANY));
            ordered.push(field);
        }
        ordered.extend(is_open.then_some(ANY));
    }
    ordered
}

fn is_field(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, _)| {
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !name.is_empty() && name.chars().all(is_token)
    })
}

fn lines_match(wanted: &[&str], found: &[&str]) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((&first, rest)) if first.trim() == ANY => {
            (0..=found.len()).any(|skipped| match found.get(skipped..) {
                Some(tail) => lines_match(rest, tail),
                None => false,
            })
        }
        Some((first, rest)) => match found.split_first() {
            Some((line, tail)) => line_matches(first.trim_end(), line) && lines_match(rest, tail),
            None => false,
        },
    }
}

fn line_matches(wanted: &str, found: &str) -> bool {
    let Some((start, rest)) = wanted.split_once(ANY) else {
        return wanted == found;
    };
    let Some(mut tail) = found.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split(ANY).collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match tail.split_once(part) {
            Some((_, after)) => tail = after,
            None => return false,
        }
    }
    tail.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_stand_for_what_varies() {
        for (expected, actual, matches) in [
            ("a\nb\n", "a\r\nb\r\n\r\n", true),
            ("a\nb\n", "a\nc\n", false),
            ("a\n", "a\nb\n", false),
            ("a\nb\n", "a\n", false),
            ("etag: \"…-1\"", "etag: \"k3v4-1\"", true),
            ("etag: \"…-1\"", "etag: \"k3v4-2\"", false),
            ("…a…b", "xaybzb", true),
            ("…a…b", "xaybz", false),
            ("a…a", "a", false),
            ("a\n…\nb", "a\nb", true),
            ("a\n…\nb", "a\nx\ny\nb", true),
            ("a\n…\nb", "a\nx\ny", false),
            ("a\n…", "a\nx\ny", true),
            ("HTTP/2 204\na: 1\nb: 2", "HTTP/2 204\nb: 2\na: 1\n", true),
            ("HTTP/2 204\na: 1\nb: 2", "HTTP/2 204\nb: 2\na: 2\n", false),
            ("HTTP/2 204\na: 1", "HTTP/2 204\nb: 2\na: 1\n", false),
            ("HTTP/2 204\n…\na: 1", "HTTP/2 204\na: 1\nb: 2\n", true),
            ("HTTP/2 204\n…\nc: 1", "HTTP/2 204\na: 1\nb: 2\n", false),
            (
                "HTTP/2 404\n…\nx\nHTTP/2 204",
                "HTTP/2 404\na: 1\n\nx\nHTTP/2 204",
                true,
            ),
        ] {
            let same = compare(expected, actual).is_ok();
            assert_eq!(same, matches, "{expected:?} against {actual:?}");
        }
    }
}

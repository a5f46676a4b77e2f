//! Entity tags as people type them: the quotes may be left out, since shells eat
//! them.

use http::HeaderValue;

/// Reads the value of `--if-match` or `--if-none-match`.
pub(crate) fn parse(text: &str) -> Result<HeaderValue, String> {
    let text = text.trim();
    let is_whole = text == "*" || text.starts_with('"') || text.starts_with("W/");
    let field = if is_whole {
        text.to_owned()
    } else {
        format!("\"{text}\"")
    };
    if text.is_empty() {
        return Err("an entity tag is not empty".to_owned());
    }
    HeaderValue::from_str(&field).map_err(|_| "not an entity tag".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_added_where_they_are_missing() {
        let cases = [
            ("k3v4q2ab-17", Some("\"k3v4q2ab-17\"")),
            ("\"k3v4q2ab-17\"", Some("\"k3v4q2ab-17\"")),
            ("\"a-1\", \"a-2\"", Some("\"a-1\", \"a-2\"")),
            ("W/\"a-1\"", Some("W/\"a-1\"")),
            (" * ", Some("*")),
            ("", None),
            ("a\nb", None),
        ];
        for (text, expected) in cases {
            let parsed = parse(text).ok();
            let parsed = parsed.as_ref().and_then(|field| field.to_str().ok());
            assert_eq!(parsed, expected, "{text:?}");
        }
    }
}

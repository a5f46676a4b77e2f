//! JSON laid out for reading: white space only, every other byte as it was.

/// Puts each member and element on a line of its own, whatever the layout was.
///
/// Expects valid JSON; other text gives a meaningless answer.
pub(crate) fn spread(json: &str) -> String {
    let mut writer = Writer {
        text: String::with_capacity(json.len() * 2),
        depth: 0,
        last: ' ',
    };
    let (mut is_in_string, mut is_escaped) = (false, false);
    for c in json.chars() {
        if is_in_string {
            writer.text.push(c);
            is_in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
        } else if !c.is_ascii_whitespace() {
            writer.token(c);
            is_in_string = c == '"';
        }
    }
    writer.text.push('\n');
    writer.text
}

struct Writer {
    text: String,
    depth: usize,
    /// The last structural character, or another one for 'a value begins'.
    last: char,
}

impl Writer {
    fn token(&mut self, c: char) {
        let is_closing = matches!(c, '}' | ']');
        match self.last {
            '{' | '[' if !is_closing => {
                self.depth += 1;
                self.new_line();
            }
            ',' => self.new_line(),
            ':' => self.text.push(' '),
            last if is_closing && !matches!(last, '{' | '[') => {
                self.depth = self.depth.saturating_sub(1);
                self.new_line();
            }
            _ => {}
        }
        self.text.push(c);
        self.last = c;
        if is_closing {
            // So that `{}` counts as a value for the bracket behind it.
            self.last = ' ';
        }
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }
}

/// Line and column, both from 1, of an offset in bytes.
pub(crate) fn line_and_column(text: &[u8], offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let begin = before.iter().rposition(|&byte| byte == b'\n');
    let column = before.get(begin.map_or(0, |begin| begin + 1)..);
    let column = String::from_utf8_lossy(column.unwrap_or_default())
        .chars()
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_and_elements_get_lines_of_their_own() {
        let cases = [
            ("1.0", "1.0\n"),
            ("{}", "{}\n"),
            ("[ ]", "[]\n"),
            ("[{},[]]", "[\n  {},\n  []\n]\n"),
            (
                r#"{"a":[1,2.50],"b" : {"c":"x, {\"y\":[]}\\"}}"#,
                "{\n  \"a\": [\n    1,\n    2.50\n  ],\n  \"b\": {\n    \"c\": \"x, {\\\"y\\\":[]}\\\\\"\n  }\n}\n",
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(spread(json), expected, "{json}");
            assert_eq!(spread(expected), expected, "{json}");
        }
    }

    #[test]
    fn offsets_become_lines_and_columns() {
        let text = "{\n  \"é\": x".as_bytes();
        let cases = [
            (0, (1, 1)),
            (1, (1, 2)),
            (2, (2, 1)),
            (10, (2, 8)),
            (99, (2, 9)),
        ];
        for (offset, place) in cases {
            assert_eq!(line_and_column(text, offset), place, "{offset}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn the_layout_changes_no_value(members in prop::collection::vec(("[a\"\\\\ {}]{0,4}", any::<i32>()), 0..5)) {
            let value = serde_json::Value::Array(vec![members.into_iter().map(|(k, v)| (k, v.into())).collect::<serde_json::Map<_, _>>().into()]);
            let spread: serde_json::Value = serde_json::from_str(&spread(&value.to_string())).unwrap();
            prop_assert_eq!(spread, value);
        }
    }
}

//! JSON read by a plain recursive reader into values whose numbers are exact.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A value, and nothing of how it is spelled. The order is that of sorted lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Number(Number),
    String(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// How deep arrays and objects lie in each other.
    pub(crate) fn depth(&self) -> usize {
        let deepest = match self {
            Self::Array(items) => items.iter().map(Self::depth).max(),
            Self::Object(members) => members.values().map(Self::depth).max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or(0)
    }
}

/// A number as 0.`digits` × 10^`point`, with neither zeros in front nor behind; zero has
/// no digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number {
    is_negative: bool,
    digits: String,
    point: i128,
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = (self.point, &self.digits).cmp(&(other.point, &other.digits));
        let size = if self.is_negative {
            size.reverse()
        } else {
            size
        };
        sign(self).cmp(&sign(other)).then(size)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    pub(crate) text: &'a str,
    pub(crate) value: Value,
    /// The same with each scalar as a string that shows how it is spelled.
    pub(crate) spelled: Value,
    /// Whether no number has an exponent that is too large to reckon with here.
    pub(crate) is_exact: bool,
}

impl<'a> Read<'a> {
    /// Reads a document as contract §2 wants it.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let mut reader = Reader {
            rest: text.as_bytes(),
            is_exact: true,
        };
        reader.space();
        let (value, spelled) = reader.value(128)?;
        reader.space();
        reader.rest.is_empty().then_some(Self {
            text,
            value,
            spelled,
            is_exact: reader.is_exact,
        })
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    is_exact: bool,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', tail @ ..] = self.rest {
            self.rest = tail;
        }
    }

    fn eat(&mut self, text: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<(Value, Value)> {
        match self.rest.first()? {
            b'[' => self.array(depth.checked_sub(1)?),
            b'{' => self.object(depth.checked_sub(1)?),
            _ => {
                let before = self.rest;
                let value = self.scalar()?;
                let spelled = &before[..before.len() - self.rest.len()];
                let spelled = String::from_utf8(spelled.to_vec()).ok()?;
                Some((value, Value::String(spelled)))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<(Value, Value)> {
        let (mut items, mut spelled) = (Vec::new(), Vec::new());
        self.eat(b"[")?;
        self.space();
        while self.eat(b"]").is_none() {
            if !items.is_empty() {
                self.eat(b",")?;
                self.space();
            }
            let item = self.value(depth)?;
            items.push(item.0);
            spelled.push(item.1);
            self.space();
        }
        Some((Value::Array(items), Value::Array(spelled)))
    }

    fn object(&mut self, depth: usize) -> Option<(Value, Value)> {
        let (mut members, mut spelled) = (BTreeMap::new(), BTreeMap::new());
        self.eat(b"{")?;
        self.space();
        while self.eat(b"}").is_none() {
            if !members.is_empty() {
                self.eat(b",")?;
                self.space();
            }
            let name = self.string()?;
            self.space();
            self.eat(b":")?;
            self.space();
            let value = self.value(depth)?;
            spelled.insert(name.clone(), value.1);
            if members.insert(name, value.0).is_some() {
                return None;
            }
            self.space();
        }
        Some((Value::Object(members), Value::Object(spelled)))
    }

    fn scalar(&mut self) -> Option<Value> {
        match self.rest.first()? {
            b'n' => self.eat(b"null").map(|()| Value::Null),
            b't' => self.eat(b"true").map(|()| Value::Boolean(true)),
            b'f' => self.eat(b"false").map(|()| Value::Boolean(false)),
            b'"' => self.string().map(Value::String),
            _ => self.number().map(Value::Number),
        }
    }

    fn string(&mut self) -> Option<String> {
        self.eat(b"\"")?;
        let mut bytes = Vec::new();
        loop {
            let (first, tail) = self.rest.split_first()?;
            self.rest = tail;
            match first {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let character = self.escape()?;
                    bytes.extend(character.to_string().bytes());
                }
                0..b' ' => return None,
                _ => bytes.push(*first),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let (first, tail) = self.rest.split_first()?;
        self.rest = tail;
        Some(match first {
            b'"' | b'\\' | b'/' => char::from(*first),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut units = vec![self.unit()?];
                if (0xd800..0xdc00).contains(&units[0]) {
                    self.eat(b"\\u")?;
                    units.push(self.unit()?);
                }
                char::decode_utf16(units).next()?.ok()?
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let (digits, tail) = self.rest.split_at_checked(4)?;
        self.rest = tail;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
        u16::from_str_radix(digits, 16).ok()
    }

    fn digits(&mut self) -> &'a str {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, tail) = self.rest.split_at(length.count());
        self.rest = tail;
        std::str::from_utf8(digits).unwrap()
    }

    fn number(&mut self) -> Option<Number> {
        let is_negative = self.eat(b"-").is_some();
        let whole = self.digits();
        if whole.is_empty() || whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let fraction = match self.eat(b".") {
            Some(()) => Some(self.digits()).filter(|digits| !digits.is_empty())?,
            None => "",
        };
        let mut exponent = 0;
        if let [b'e' | b'E', tail @ ..] = self.rest {
            self.rest = tail;
            let is_small = self.eat(b"-").is_some();
            if !is_small {
                let _ = self.eat(b"+");
            }
            let digits = Some(self.digits()).filter(|digits| !digits.is_empty())?;
            let size = digits.parse::<i128>().ok().filter(|size| *size < 1 << 100);
            self.is_exact &= size.is_some();
            exponent = size.unwrap_or(0) * if is_small { -1 } else { 1 };
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Number::default());
        }
        let zeros = i128::try_from(all.len() - digits.len()).ok()?;
        Some(Number {
            is_negative,
            digits: digits.trim_end_matches('0').to_owned(),
            point: i128::try_from(whole.len()).ok()? - zeros + exponent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_is_rfc_8259_without_what_two_readers_read_differently() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let good = [
            " [ ] ",
            "{\"a\":{\"a\":1}}",
            "-0.0e-0",
            "\"\\ud83d\\ude00\"",
            &deep(128),
        ];
        for text in good {
            assert!(Read::of(text).is_some(), "{text}");
        }
        let bad = [
            "",
            "01",
            "1.",
            "+1",
            ".5",
            "1e",
            "[1,]",
            "{\"a\":1,\"\\u0061\":2}",
            "\"\\ud800\"",
            "\"\\ude00\"",
            "\"\n\"",
            "\"\\x\"",
            "nul",
            "1 1",
            "\u{feff}1",
            "[1",
            &deep(129),
        ];
        for text in bad {
            assert!(Read::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_values() {
        let ascending = [
            "null",
            "false",
            "true",
            "-1e400",
            "-2",
            "-1.5",
            "0",
            "1e-400",
            "0.09",
            "0.1",
            "1",
            "9.99",
            "10",
            "1e400",
            "\"\"",
            "\"a\"",
            "\"é\"",
            "[]",
            "[1]",
            "[1,0]",
            "[2]",
            "{}",
            "{\"a\":1}",
            "{\"a\":2}",
            "{\"b\":0}",
        ];
        let ascending = ascending.map(|text| Read::of(text).unwrap().value);
        assert!(ascending.is_sorted());
        assert_eq!(Read::of("-0").unwrap().value, ascending[6]);
        assert_eq!(Read::of("100.0e-1").unwrap().value, ascending[12]);
    }
}

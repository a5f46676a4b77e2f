//! `Prefer`: the same preferences as a plain reading of RFC 7240's grammar finds.

use std::iter;

use matchbook_core::field::prefer::{Prefer, Return};

/// Each line of the input is a line of the field.
pub fn prefer(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let read = Prefer::parse(lines.iter().copied());
    let mut expected = Prefer::default();
    let mut names: Vec<String> = Vec::new();
    for (name, value) in lines.iter().flat_map(|line| preferences(line)) {
        if names.contains(&name) {
            continue;
        }
        match name.as_str() {
            "return" => expected.returns = returns(&value),
            "wait" => expected.wait_secs = seconds(&value),
            _ => {}
        }
        names.push(name);
    }
    assert_eq!(read, expected, "{}", data.escape_ascii());
    let mut printed: Vec<String> = Vec::new();
    printed.extend(read.returns.map(|returns| returns.as_str().to_owned()));
    printed.extend(read.wait_secs.map(|seconds| format!("wait={seconds}")));
    let printed = printed.join(", ");
    assert_eq!(Prefer::parse(iter::once(printed.as_bytes())), read);
}

fn returns(value: &[u8]) -> Option<Return> {
    match value.to_ascii_lowercase().as_slice() {
        b"minimal" => Some(Return::Minimal),
        b"representation" => Some(Return::Representation),
        _ => None,
    }
}

fn seconds(value: &[u8]) -> Option<u32> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    Some(text.parse().unwrap_or(u32::MAX))
}

/// The well-formed preferences of a line: names in lower case, values unquoted.
fn preferences(line: &[u8]) -> Vec<(String, Vec<u8>)> {
    elements(line)
        .iter()
        .filter_map(|words| well_formed(words))
        .collect()
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Token(Vec<u8>),
    Quoted(Vec<u8>),
    Mark(u8),
    Bad,
}

/// The words between the commas that stand outside of quotes. A quote that nothing closes
/// takes the rest of the line with it.
fn elements(line: &[u8]) -> Vec<Vec<Word>> {
    let mut elements = vec![Vec::new()];
    let mut rest = line;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let word = match first {
            b' ' | b'\t' => continue,
            b',' => {
                elements.push(Vec::new());
                continue;
            }
            b'"' => match quoted(tail) {
                Some((text, tail)) => {
                    rest = tail;
                    Word::Quoted(text)
                }
                None => {
                    rest = &[];
                    Word::Bad
                }
            },
            b'=' | b';' => Word::Mark(*first),
            _ => {
                let all = [&[*first], tail].concat();
                let length = all.iter().take_while(|byte| is_token(**byte)).count();
                rest = &tail[length.max(1) - 1..];
                match length {
                    0 => Word::Bad,
                    _ => Word::Token(all[..length].to_vec()),
                }
            }
        };
        elements.last_mut().unwrap().push(word);
    }
    elements
}

/// What stands behind a quote, up to the one that closes it, and what follows.
fn quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let is_text = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
    loop {
        let (byte, tail) = match rest {
            [b'"', tail @ ..] => return Some((text, tail)),
            [b'\\', byte, tail @ ..] => (*byte, tail),
            [b'\\'] | [] => return None,
            [byte, tail @ ..] => (*byte, tail),
        };
        is_text(byte).then(|| text.push(byte))?;
        rest = tail;
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `token [ = word ] *( ; [ token [ = word ] ] )`
fn well_formed(words: &[Word]) -> Option<(String, Vec<u8>)> {
    let mut parts = words.split(|word| *word == Word::Mark(b';'));
    let preference = pair(parts.next()?)?;
    let is_good = parts.all(|part| part.is_empty() || pair(part).is_some());
    is_good.then_some(preference)
}

fn pair(words: &[Word]) -> Option<(String, Vec<u8>)> {
    let (name, value) = match words {
        [Word::Token(name)] => (name, Vec::new()),
        [
            Word::Token(name),
            Word::Mark(b'='),
            Word::Token(value) | Word::Quoted(value),
        ] => (name, value.clone()),
        _ => return None,
    };
    let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
    Some((name, value))
}

//! Documents and patches that are well-formed whatever the input is, so that it need not
//! guess JSON to come to the deep places.

use crate::diff::between;
use crate::input::Input;
use crate::oracle::Read;
use crate::patch::{MAX_BYTES, json_patch, merge_patch};

/// The input is choices: a document, another one, and operations.
pub fn edit(data: &[u8]) {
    let mut input = Input::new(data);
    let texts = [(); 2].map(|()| document(&mut input));
    let [document, other] = [&texts[0], &texts[1]].map(|text| Read::of(text).unwrap());
    let mut operations = Vec::new();
    while !input.is_empty() && operations.len() < 64 {
        operations.push(operation(&mut input));
    }
    let patch = format!("[{}]", operations.join(","));
    let patch = Read::of(&patch).unwrap();
    if let Some(result) = json_patch(&document, &patch) {
        between(&document, &Read::of(&result).unwrap());
    }
    merge_patch(&document, &other);
    between(&document, &other);
    assert!(document.text.len() <= MAX_BYTES);
}

const NAMES: [&str; 8] = [
    r#""a""#,
    r#""b""#,
    r#""0""#,
    r#""1""#,
    r#""""#,
    r#""~/""#,
    r#""\u0063""#,
    r#""é\n""#,
];

const SCALARS: [&str; 14] = [
    "null",
    "0",
    "1",
    "1.0",
    "10e-1",
    "-0",
    "1e400",
    "true",
    "false",
    r#""a""#,
    r#""\u0061""#,
    r#""""#,
    r#""null""#,
    "12345678901234567890",
];

/// White space between the parts of a document, all alike.
const SPACES: [&str; 4] = ["", " ", "\n  ", "\r\n\t"];

fn document(input: &mut Input<'_>) -> String {
    let space = input.pick(&SPACES);
    let mut text = space.to_owned();
    value(input, space, 6, &mut text);
    text + space
}

fn value(input: &mut Input<'_>, space: &str, depth: usize, text: &mut String) {
    let choice = input.byte();
    let count = usize::from(choice >> 4) % 6;
    if depth == 0 || choice % 4 < 2 {
        text.push_str(SCALARS[usize::from(choice) % SCALARS.len()]);
        return;
    }
    let is_object = choice % 4 == 2;
    text.push(if is_object { '{' } else { '[' });
    let first = input.below(NAMES.len());
    for at in 0..count {
        text.push_str(if at == 0 { "" } else { "," });
        text.push_str(space);
        if is_object {
            text.push_str(NAMES[(first + at) % NAMES.len()]);
            text.push_str(space);
            text.push(':');
        }
        value(input, space, depth - 1, text);
        text.push_str(space);
    }
    text.push(if is_object { '}' } else { ']' });
}

fn operation(input: &mut Input<'_>) -> String {
    let op = input.pick(&["add", "remove", "replace", "move", "copy", "test"]);
    let path = pointer(input);
    let rest = match op {
        "remove" => String::new(),
        "move" | "copy" => format!(r#","from":"{}""#, pointer(input)),
        _ => {
            let mut text = r#","value":"#.to_owned();
            value(input, "", 3, &mut text);
            text
        }
    };
    format!(r#"{{"op":"{op}","path":"{path}"{rest}}}"#)
}

fn pointer(input: &mut Input<'_>) -> String {
    const TOKENS: [&str; 12] = [
        "a", "b", "0", "1", "", "~0~1", "c", "é\\n", "-", "2", "01", "none",
    ];
    let length = input.below(4);
    let tokens = (0..length).map(|_| input.pick(&TOKENS));
    tokens.map(|token| format!("/{token}")).collect()
}

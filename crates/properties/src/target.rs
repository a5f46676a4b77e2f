//! Request targets: what is no name is refused, and the canonical name is a name of itself.

use matchbook_core::name::{CollectionPath, DocumentPath, Target};

/// The input is a path as a request holds it.
pub fn target(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else {
        return;
    };
    let read = Target::parse(path);
    if path != "/" && path != "/_" && !path.starts_with("/_/") {
        let names = names(path);
        let is_name = names.is_some();
        assert_eq!(read.is_ok(), is_name, "{path:?}: {read:?}");
        if let (Ok(read), Some((names, moved))) = (&read, names) {
            let text = canonical(read);
            let again = decoded(&text[1..]);
            assert_eq!(again.as_ref(), Some(&names), "{path:?}");
            assert_eq!(matches!(read, Target::Moved(_)), moved, "{path:?}");
            let is_even = names.len().is_multiple_of(2);
            match read {
                Target::Document(_) => assert!(is_even),
                Target::Collection(_) => assert!(!is_even),
                _ => {}
            }
        }
    }
    if let Ok(read) = read {
        itself(&read);
    }
}

fn canonical(target: &Target) -> String {
    match target {
        Target::Root => "/".to_owned(),
        Target::Collection(path) => path.to_string(),
        Target::Document(path) => path.to_string(),
        Target::Reserved(rest) => format!("/_/{rest}"),
        Target::Moved(text) => text.clone(),
    }
}

/// What is canonical names itself, and stays where it is.
fn itself(target: &Target) {
    let text = canonical(target);
    match target {
        Target::Document(path) => {
            assert_eq!(DocumentPath::parse(&text).as_ref(), Ok(path));
            assert_eq!(format!("{}/{}", path.collection(), path.id()), text);
            assert_eq!(CollectionPath::parse(path.collection()), Ok(path.parent()));
            let id = decoded(path.id()).unwrap().remove(0);
            assert_eq!(path.parent().member(&id).as_ref(), Ok(path));
        }
        Target::Collection(path) => assert_eq!(CollectionPath::parse(&text).as_ref(), Ok(path)),
        Target::Moved(_) => {
            let there = Target::parse(&text);
            let is_there = matches!(there, Ok(Target::Document(_) | Target::Collection(_)));
            return assert!(is_there, "{text}: {there:?}");
        }
        Target::Root | Target::Reserved(_) => {}
    }
    assert_eq!(Target::parse(&text).as_ref(), Ok(target));
}

/// The segments of a path outside of `/_/`, and whether one slash too many is behind them;
/// `None` if it is malformed (contract §1).
fn names(path: &str) -> Option<(Vec<String>, bool)> {
    let rest = path.strip_prefix('/')?;
    let shorter = rest.strip_suffix('/');
    let names = decoded(shorter.unwrap_or(rest))?;
    let bytes: usize = names.iter().map(|name| 1 + name.len()).sum();
    let is_name = |name: &String| {
        let is_dots = name == "." || name == "..";
        !name.is_empty()
            && !is_dots
            && name.len() <= 255
            && !name.contains('/')
            && !name.contains(char::is_control)
    };
    let is_good = names.iter().all(is_name) && bytes <= 1_024 && !names[0].starts_with('_');
    is_good.then_some((names, shorter.is_some()))
}

fn decoded(segments: &str) -> Option<Vec<String>> {
    segments.split('/').map(segment).collect()
}

fn segment(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = rest.split_at_checked(2)?;
            let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
            let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail;
        } else if first.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@|[]".contains(first) {
            bytes.push(*first);
        } else {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

//! The file of a document.
//!
//! It has the document's id as a URL has it: percent-encoded, so that it is safe as the
//! name of a file, but for two things. A name that begins with a dot would be hidden,
//! and `.matchbook` is the mirror's own: the first dot is written `%2E`, which no
//! canonical id holds. And 255 bytes of UTF-8 are up to 765 characters, which file
//! systems do not take: a long id is cut into directories, each of whose names ends
//! with `%`, as no piece of an id does. So no two documents share a file.

use std::path::PathBuf;

/// Longest piece of an id: 255 bytes is what a name may have on all common file
/// systems, less what is put around a piece.
const PIECE_BYTES: usize = 240;

/// The place of the document with this canonical id, relative to the directory.
pub(super) fn file_of(id: &str) -> PathBuf {
    let mut path = PathBuf::new();
    let mut rest = id;
    while rest.len() > PIECE_BYTES {
        let (piece, tail) = rest.split_at(cut(rest));
        path.push(format!("{}%", visible(piece)));
        rest = tail;
    }
    path.push(visible(rest));
    path
}

/// Where to cut, so that no escape is cut in two.
fn cut(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_inside = |at: usize| (1..3).any(|back| bytes.get(at.wrapping_sub(back)) == Some(&b'%'));
    let mut at = PIECE_BYTES;
    while at > 1 && (is_inside(at) || !text.is_char_boundary(at)) {
        at -= 1;
    }
    at
}

fn visible(piece: &str) -> String {
    match piece.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => piece.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Component;

    use matchbook_core::name::CollectionPath;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_named_after_its_document() {
        let a = "a".repeat(300);
        let dots = ".".repeat(300);
        let escapes = "%C3%A9".repeat(100);
        let cases = [
            ("1", "1".to_owned()),
            ("caf%C3%A9.json", "caf%C3%A9.json".to_owned()),
            (".hidden", "%2Ehidden".to_owned()),
            ("...", "%2E..".to_owned()),
            (&a, format!("{}%/{}", &a[..240], &a[..60])),
            (&dots, format!("%2E{}%/%2E{}", &dots[..239], &dots[..59])),
            (
                &escapes,
                format!(
                    "{}%/{}%/{}",
                    &escapes[..240],
                    &escapes[..240],
                    &escapes[..120]
                ),
            ),
            (
                &format!("x{escapes}"),
                format!(
                    "x{}%/{}%/{}",
                    &escapes[..237],
                    &escapes[237..477],
                    &escapes[477..]
                ),
            ),
        ];
        for (id, expected) in cases {
            assert_eq!(file_of(id), PathBuf::from(expected), "{id}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn names_are_short_safe_and_of_one_document(ids in prop::collection::vec("[a.%é\u{1F600}~]{1,3}|[.a%]{120,255}|é{120,127}[.a]{0,1}", 1..6)) {
            let collection = CollectionPath::parse("/c").unwrap();
            let mut seen = HashMap::new();
            for id in ids {
                let Ok(path) = collection.member(&id) else {
                    continue;
                };
                let file = file_of(path.id());
                for component in file.components() {
                    let Component::Normal(name) = component else {
                        panic!("{file:?}");
                    };
                    let name = name.to_str().unwrap();
                    prop_assert!(name.len() <= 255 && !name.starts_with('.'), "{name}");
                }
                let other = seen.insert(file, id.clone());
                prop_assert!(other.is_none_or(|other| other == id));
            }
        }
    }
}

//! Cursors and page tokens: one spelling each, which stands anywhere without escapes.

use matchbook_core::feed::Cursor;
use matchbook_core::query::Place;
use matchbook_core::tag::Version;

/// The input is the text that a client hands back.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), text);
        assert!(text.len() <= Cursor::MAX_BYTES);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~*/".contains(&byte);
        assert!(text.bytes().all(is_plain), "{text:?}");
        assert!(text.starts_with(&cursor.at.to_string()));
    }
    if let Ok(version) = text.parse::<Version>() {
        assert_eq!(version.to_string(), text);
        assert_eq!(version.etag(), format!("\"{text}\""));
        assert_eq!(text.parse(), Ok(Cursor::position(version)));
    }
    if let Ok((place, fingerprint)) = Place::from_token(text) {
        assert_eq!(place.token(fingerprint), text);
    }
}

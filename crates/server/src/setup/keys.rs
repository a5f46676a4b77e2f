//! API keys (contract §11): below `/_/keys`, each under its id, with the hash of its secret.

use matchbook_access::identity::{KeyRing, Record};
use matchbook_core::field::media_type::MediaType;
use matchbook_core::problem::{Kind, Problem, Violation};

/// Adds what one document says.
///
/// # Errors
/// 415 or 422 for what is no key.
pub(super) fn add(
    keys: &mut KeyRing,
    id: &str,
    content_type: &str,
    text: &[u8],
) -> Result<(), Problem> {
    if !MediaType::read(content_type).is_some_and(|media_type| media_type.is_json()) {
        let detail = format!("an API key is application/json, not {content_type}");
        return Err(Kind::UnsupportedContent.because(detail));
    }
    let record = Record::from_json(text).map_err(|detail| {
        let pointer = String::new();
        let violation = Violation { pointer, detail };
        Problem::invalid("'matchbook key create' makes API keys", vec![violation])
    })?;
    keys.insert(id, record);
    Ok(())
}

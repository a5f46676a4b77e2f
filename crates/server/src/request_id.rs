//! The id of a request: in its answer, in the problem that it gets, and in the log.

use http::{HeaderMap, HeaderValue};
use matchbook_core::clock::Timestamp;
use uuid::Uuid;

use crate::answer::REQUEST_ID;

/// A UUIDv7 (RFC 9562 §5.7). Guessing one gains nothing, so any random bits will do.
pub(crate) fn request_id(at: Timestamp) -> Uuid {
    let random = fastrand::u128(..).to_ne_bytes();
    let bytes = random.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &bytes).into_uuid()
}

/// Without hashing its name where the place is prepared.
pub(crate) fn set_request_id(fields: &mut HeaderMap, id: Uuid) {
    let value = id_value(id);
    match fields.iter_mut().find(|(name, _)| **name == REQUEST_ID) {
        Some((_, place)) => *place = value,
        None => drop(fields.insert(REQUEST_ID, value)),
    }
}

fn id_value(id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

//! The query component as a form (WHATWG URL, `application/x-www-form-urlencoded`),
//! but strict: what is not percent-encoded UTF-8 is refused, not repaired.

use super::fault::{QueryFault, shown};

/// The parameters in their order, decoded. Empty ones are skipped; one without `=` has
/// an empty value.
pub(crate) fn parameters(
    raw_query: &str,
) -> impl Iterator<Item = Result<(String, String), QueryFault>> {
    pairs(raw_query).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = decode(name).zip(decode(value));
        decoded.ok_or_else(|| QueryFault::Encoding {
            parameter: shown(pair),
        })
    })
}

/// The parameters as they were sent.
pub(super) fn pairs(raw_query: &str) -> impl Iterator<Item = &str> {
    raw_query.split('&').filter(|pair| !pair.is_empty())
}

/// The same parameters as they were sent, with this value for the one of this name,
/// which comes last. Neither needs percent-encoding.
pub(super) fn with(raw_query: &str, name: &str, value: &str) -> String {
    let mut query = String::new();
    for pair in pairs(raw_query).filter(|pair| !is_named(pair, name)) {
        query.push_str(pair);
        query.push('&');
    }
    query + name + "=" + value
}

/// Whether a parameter, as it was sent, has this name.
pub(super) fn is_named(pair: &str, name: &str) -> bool {
    let encoded = pair.split_once('=').map_or(pair, |(name, _)| name);
    decode(encoded).is_some_and(|decoded| decoded == name)
}

/// The text that a name or value stands for.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_a_form() {
        let read: Result<Vec<_>, _> = parameters("a=1&&b%3D=%C3%a9+x%2B=y&c&=d&").collect();
        let expected = [("a", "1"), ("b=", "é x+=y"), ("c", ""), ("", "d")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn what_is_no_percent_encoded_utf_8_is_refused() {
        for bad in [
            "a=%", "a=%4", "a=%4g", "%zz=1", "a=%ff", "a=%C3", "a=%c3%28", "a=%é",
        ] {
            let fault = QueryFault::Encoding {
                parameter: bad.to_owned(),
            };
            assert_eq!(parameters(bad).next(), Some(Err(fault)), "{bad}");
        }
    }
}

//! Content codings (RFC 9110 §8.4.1) that the server writes, and the suffix that
//! each puts on an entity tag (contract §1): `"<epoch>-<revision>+gzip"`.

/// How the bytes of a representation are coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Coding {
    /// As stored.
    #[default]
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Gzip, Self::Brotli, Self::Zstd];

    /// The name in `Content-Encoding` and `Accept-Encoding`. Identity is never sent
    /// in `Content-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// What follows the version in the entity tag; nothing for identity.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "+gzip",
            Self::Brotli => "+br",
            Self::Zstd => "+zstd",
        }
    }

    /// Splits a known suffix off an opaque tag: what a client got compressed is fit
    /// for `If-Match` (contract §1).
    ///
    /// ```
    /// use matchbook_core::field::coding::Coding;
    /// assert_eq!(Coding::split(b"k3v4q2ab-17+br"), (&b"k3v4q2ab-17"[..], Coding::Brotli));
    /// assert_eq!(Coding::split(b"a+lzma"), (&b"a+lzma"[..], Coding::Identity));
    /// ```
    #[must_use]
    pub fn split(opaque: &[u8]) -> (&[u8], Self) {
        for coding in [Self::Gzip, Self::Brotli, Self::Zstd] {
            if let Some(base) = opaque.strip_suffix(coding.suffix().as_bytes()) {
                return (base, coding);
            }
        }
        (opaque, Self::Identity)
    }

    /// Reads a coding's name; case does not matter, and `x-gzip` is `gzip` (RFC 9110
    /// §8.4.1.3).
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        if token.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        let named = |coding: &Self| token.eq_ignore_ascii_case(coding.token().as_bytes());
        Self::ALL.into_iter().find(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_suffixes_are_read_back() {
        for coding in Coding::ALL {
            let upper = coding.token().to_uppercase();
            assert_eq!(Coding::from_token(upper.as_bytes()), Some(coding));
            let tag = format!("k3v4q2ab-17{}", coding.suffix());
            assert_eq!(Coding::split(tag.as_bytes()), (&b"k3v4q2ab-17"[..], coding));
        }
        assert_eq!(Coding::from_token(b"X-GZip"), Some(Coding::Gzip));
        assert_eq!(Coding::from_token(b"deflate"), None);
        assert_eq!(Coding::split(b"a+GZIP"), (&b"a+GZIP"[..], Coding::Identity));
        assert_eq!(Coding::split(b"a+br+gzip"), (&b"a+br"[..], Coding::Gzip));
    }
}

//! Why a token is not good.

/// The first thing that is wrong with a token. It never holds any of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// Longer than any that is read.
    TooLong,
    /// Not three parts of base64url, or not of JSON objects.
    Malformed,
    /// Signed by an algorithm that is not accepted; `none` is one.
    Algorithm,
    /// It brings its own key, or says where to fetch one.
    ForeignKey,
    /// It needs an extension (`crit`) that is not known.
    Critical,
    /// Its `typ` is that of another kind of token.
    Type,
    /// No key has its `kid`, or is for its algorithm.
    UnknownKey,
    /// The signature is not of the key.
    Signature,
    /// No `exp`, or one that is no time.
    NoExpiry,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come, or is no time.
    NotYetValid,
    /// `iss` is absent or another one.
    Issuer,
    /// `aud` is absent, or does not hold this server's.
    Audience,
    /// `sub` is absent, empty or too long.
    Subject,
}

impl TokenFault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::TooLong,
        Self::Malformed,
        Self::Algorithm,
        Self::ForeignKey,
        Self::Critical,
        Self::Type,
        Self::UnknownKey,
        Self::Signature,
        Self::NoExpiry,
        Self::Expired,
        Self::NotYetValid,
        Self::Issuer,
        Self::Audience,
        Self::Subject,
    ];

    /// What `error_description` says (RFC 6750 §3): ASCII without quotes and backslashes.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::TooLong => "the token is longer than 8192 bytes",
            Self::Malformed => "the token is no JWT",
            Self::Algorithm => {
                "the token's alg is not accepted: HS256, RS256, ES256 and EdDSA are, each with a key of its own"
            }
            Self::ForeignKey => "a token must not bring or name its key: jku, jwk, x5u, x5c",
            Self::Critical => "the token needs an extension that is not known: crit, b64",
            Self::Type => "the token's typ is neither JWT nor at+jwt",
            Self::UnknownKey => "no key is configured that has the token's kid and is for its alg",
            Self::Signature => "the token's signature is not good",
            Self::NoExpiry => "the token has no exp, or one that is no time",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet: nbf",
            Self::Issuer => "the token's iss is not the one that this server trusts",
            Self::Audience => "the token's aud does not name this server",
            Self::Subject => "the token's sub is absent, empty or longer than 255 bytes",
        }
    }
}

impl std::fmt::Display for TokenFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.description())
    }
}

impl std::error::Error for TokenFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_fit_into_a_quoted_string() {
        for fault in TokenFault::ALL {
            let text = fault.description();
            // RFC 6750 §3: what `error_description` may be made of.
            let is_fine = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
            assert!(text.bytes().all(is_fine), "{text}");
        }
    }
}

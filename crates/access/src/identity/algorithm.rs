//! The algorithms of signatures (RFC 7518 §3.1, RFC 8037 §3.1).

use std::fmt;

use jsonwebtoken::AlgorithmFamily;

/// How tokens are signed. What is not here is refused, `none` above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can check a token can make one.
    Hs256,
    /// RSA with PKCS #1 padding and SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// What `alg` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm that `alg` calls so. Names are compared as they are: RFC 7515
    /// §4.1.1 makes them case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    pub(super) const fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }

    /// The one that a key of this family is for.
    pub(super) const fn of_family(family: AlgorithmFamily) -> Self {
        match family {
            AlgorithmFamily::Hmac => Self::Hs256,
            AlgorithmFamily::Rsa => Self::Rs256,
            AlgorithmFamily::Ec => Self::Es256,
            AlgorithmFamily::Ed => Self::EdDsa,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

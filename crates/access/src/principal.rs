//! Who asks.

use std::sync::Arc;

use serde_json::{Map, Value};

/// Who asks, as far as good credentials tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What kind of credentials there were.
    pub kind: Kind,
    /// Who it is among those of its kind: a token's `sub`, an API key's name; empty for
    /// [`Kind::Anonymous`].
    pub id: Arc<str>,
    /// What else the credentials say: a token's claims, what an API key was made with.
    pub claims: Arc<Map<String, Value>>,
    /// When the credentials expire, in seconds since 1970; `None`: they do not.
    pub expires_secs: Option<u64>,
}

/// What kind of credentials a principal showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// None.
    Anonymous,
    /// A bearer token.
    User,
    /// An API key.
    Key,
}

impl Principal {
    /// Whoever sent no credentials.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            kind: Kind::Anonymous,
            id: "".into(),
            claims: Arc::default(),
            expires_secs: None,
        }
    }
}

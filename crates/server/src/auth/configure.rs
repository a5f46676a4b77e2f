//! From settings to an [`Authenticator`].

use std::fmt;

use matchbook_access::identity::{KeySet, Verifier};

use super::Authenticator;
use super::authenticator::Tokens;
use super::keys::Keys;
use crate::config::{KeySource, Settings};

/// Why credentials cannot be checked. Its text is for the person who configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigureError(String);

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigureError {}

/// What checks credentials; `None` in open mode.
///
/// # Errors
/// A file of keys cannot be read, or holds none that can be used.
pub fn configure(settings: &Settings) -> Result<Option<Authenticator>, ConfigureError> {
    if !settings.authenticates() {
        return Ok(None);
    }
    let mut fixed = KeySet::default();
    let mut urls = Vec::new();
    for source in &settings.auth_key {
        match source {
            KeySource::Url(url) => urls.push(url.clone()),
            KeySource::File(path) => {
                let fault = |why: &dyn fmt::Display| {
                    ConfigureError(format!("auth_key {}: {why}", path.display()))
                };
                let file = std::fs::read(path).map_err(|error| fault(&error))?;
                let set = KeySet::from_file(&file).map_err(|error| fault(&error))?;
                for why in set.left_out() {
                    tracing::warn!(file = %path.display(), "left out: {why}");
                }
                fixed.extend(set);
            }
        }
    }
    let claims = settings
        .auth_issuer
        .clone()
        .zip(settings.auth_audience.clone());
    let tokens = claims.map(|(issuer, audience)| {
        Tokens::new(Verifier { issuer, audience }, Keys::new(fixed, urls))
    });
    Ok(Some(Authenticator::new(tokens, settings.auth_api_keys)))
}

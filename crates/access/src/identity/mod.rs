//! Credentials: bearer tokens and API keys.

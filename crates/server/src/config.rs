//! What a server can be told, where it can be told, and what it then runs with.
//!
//! One table, at `settings!` below, drives everything: the flags of
//! `matchbook serve`, the environment variables, the keys of the TOML file, the help,
//! what `matchbook config` prints, and the typed [`Settings`] that the server takes.
//! A flag beats the environment, that beats the file, and that beats the default.

mod key_source;
mod layers;
mod policy;
mod value;

pub use key_source::{JwksUrl, KeySource};
pub use layers::{ConfigError, Layers, Resolved, Source};
pub use policy::{ClaimType, PolicySource};
pub use value::{HostName, Kind, LogFormat, Origin};

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use value::Value;

/// Largest rate and burst: more than a machine answers, and few enough that a unit is as
/// long as some of the clock's.
const RATE_MAX: u64 = 1_000_000;

/// One line of the table: a thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// The key in the file, such as `cors_origin`.
    pub key: &'static str,
    /// What the value is called in the help, such as `DIR`.
    pub value_name: &'static str,
    /// The default as text; empty means 'not set' or 'none'.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// How it is written.
    pub kind: Kind,
}

impl Setting {
    /// The flag without its dashes, such as `cors-origin`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The environment variable, such as `MATCHBOOK_CORS_ORIGIN`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("MATCHBOOK_{}", self.key.to_ascii_uppercase())
    }
}

macro_rules! settings {
    ($( $(#[doc = $help:literal])+ $key:ident: $type:ty = $value_name:literal, $default:literal; )+) => {
        /// Everything that `matchbook serve` runs with.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $( $(#[doc = $help])+ pub $key: $type, )+
        }

        /// The table of settings, in the order of the help.
        pub const TABLE: &[Setting] = &[
            $( Setting {
                key: stringify!($key),
                value_name: $value_name,
                default: $default,
                help: concat!($($help),+),
                kind: <$type as Value>::KIND,
            }, )+
        ];

        impl Settings {
            fn read(
                mut texts_of: impl FnMut(&'static str) -> Texts,
            ) -> Result<Self, (&'static str, String)> {
                Ok(Self {
                    $( $key: <$type as Value>::read(&texts_of(stringify!($key)))
                        .map_err(|fault| (stringify!($key), fault))?, )+
                })
            }
        }
    };
}

/// The texts given for one setting: none, one, or several for a list.
type Texts = Vec<String>;

settings! {
    /// Directory that holds the data. It is made if it is not there.
    data: PathBuf = "DIR", "./matchbook-data";
    /// Address and port to listen on. Port 0 takes any free port.
    listen: SocketAddr = "ADDR", "127.0.0.1:2040";
    /// Allow an address that other machines can reach although no authentication is configured.
    open: bool = "BOOL", "false";
    /// Another name that clients may use in `Host`, besides loopback ones. Repeatable.
    host: Vec<HostName> = "NAME", "";
    /// Origin whose pages may call this server from a browser, such as `https://app.example`. Repeatable.
    cors_origin: Vec<Origin> = "ORIGIN", "";
    /// Certificate chain in PEM: serve HTTPS. Needs --tls-key.
    tls_cert: Option<PathBuf> = "FILE", "";
    /// Private key in PEM of the certificate.
    tls_key: Option<PathBuf> = "FILE", "";
    /// Where keys are that tokens are checked with: a file (a JWK set, a public key in PEM, or a secret of at least 32 bytes), or the https URL of a JWK set. Repeatable. With it, requests need a token.
    auth_key: Vec<KeySource> = "FILE|URL", "";
    /// What the `iss` of tokens must be.
    auth_issuer: Option<String> = "TEXT", "";
    /// What the `aud` of tokens must be or hold: the name of this server to the issuer.
    auth_audience: Option<String> = "TEXT", "";
    /// Take API keys too, which `matchbook key create` makes. With it, requests need credentials.
    auth_api_keys: bool = "BOOL", "false";
    /// What those with good credentials may do: `open`, `owner`, or a file of policies in Cedar. Repeatable; all hold together, and with those below `/_/policies`. Without any, good credentials are enough.
    policy: Vec<PolicySource> = "SET|FILE", "";
    /// A claim that policies can look at, and its type: `role=string`, `level=integer`, `staff=boolean`, `groups=string[]`. Repeatable.
    policy_claim: Vec<ClaimType> = "NAME=TYPE", "";
    /// How log lines are written: `human` or `json`.
    log: LogFormat = "FORMAT", "human";
    /// Log a line for each request.
    access_log: bool = "BOOL", "false";
    /// Most connections at a time; more are answered 503 and closed.
    max_connections: NonZeroUsize = "N", "10000";
    /// Requests a second that each caller may make, by its credentials or else by its address; 0 for no limit.
    rate_limit: u64 = "N", "0";
    /// Requests that a caller may make at once, after a while without any; 0 for as many as in a second.
    rate_burst: u64 = "N", "0";
    /// Longest that a stop waits for requests in flight, in seconds.
    drain_seconds: u64 = "N", "10";
    /// Memory for recently used documents, in MiB.
    cache_mib: u64 = "N", "64";
    /// How long changes are kept for readers that come back, in seconds: a week.
    retention_seconds: u64 = "N", "604800";
    /// How many of the last changes are kept, however old they are.
    retention_changes: u64 = "N", "10000";
    /// Size of the data, in MiB, over which older changes go before their time; 0 for no such bound.
    retention_mib: u64 = "N", "0";
    /// Largest document, in bytes.
    max_document_bytes: NonZeroUsize = "N", "4194304";
}

impl Settings {
    /// What one setting alone cannot tell.
    fn check(&self) -> Result<(), String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err("tls_cert is set, but tls_key is not".to_owned()),
            (None, Some(_)) => return Err("tls_key is set, but tls_cert is not".to_owned()),
            _ => {}
        }
        self.check_authentication()?;
        if self.rate_limit == 0 && self.rate_burst > 0 {
            return Err("rate_burst is set, but rate_limit is not".to_owned());
        }
        for (key, value) in [
            ("rate_limit", self.rate_limit),
            ("rate_burst", self.rate_burst),
        ] {
            if value > RATE_MAX {
                return Err(format!("{key} is {value}: at most {RATE_MAX} makes sense"));
            }
        }
        if !self.open && !self.authenticates() && !self.listen.ip().is_loopback() {
            return Err(format!(
                "anyone who can reach {} could read and write everything, because no \
                 authentication is configured; listen on 127.0.0.1, set auth_key, or add --open \
                 if that is meant",
                self.listen
            ));
        }
        Ok(())
    }

    /// Whether requests need credentials.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        !self.auth_key.is_empty() || self.auth_api_keys
    }

    fn check_authentication(&self) -> Result<(), String> {
        if self.open && self.authenticates() {
            return Err("open is set, but so are credentials: leave one of the two out".to_owned());
        }
        if !self.policy.is_empty() && !self.authenticates() {
            return Err(
                "policy is set, but nobody can show who they are: set auth_key or auth_api_keys"
                    .to_owned(),
            );
        }
        let claims = [
            ("auth_issuer", "iss", &self.auth_issuer),
            ("auth_audience", "aud", &self.auth_audience),
        ];
        for (key, claim, value) in claims {
            match (self.auth_key.is_empty(), value) {
                (true, Some(_)) => {
                    return Err(format!(
                        "{key} is set, but no auth_key is, with which tokens are checked"
                    ));
                }
                (false, None) => {
                    return Err(format!(
                        "auth_key is set, but {key} is not: which {claim} do good tokens have?"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        let texts_of = |key| {
            let default = TABLE.iter().find(|setting| setting.key == key);
            default.map_or_else(Vec::new, layers::default_texts)
        };
        match Self::read(texts_of) {
            Ok(settings) => settings,
            // The table's defaults are constants, and a test reads them all.
            Err((key, fault)) => unreachable!("default of {key}: {fault}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_read_and_are_safe() {
        let settings = Settings::default();
        assert_eq!(settings.data, PathBuf::from("./matchbook-data"));
        assert_eq!(settings.listen.to_string(), "127.0.0.1:2040");
        assert_eq!(settings.tls_cert, None);
        assert!(settings.host.is_empty() && settings.cors_origin.is_empty());
        assert_eq!(
            settings.max_document_bytes.get(),
            matchbook_core::limits::DOCUMENT_BYTES
        );
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        let lone_cert = Settings {
            tls_cert: Some("a.pem".into()),
            ..Settings::default()
        };
        assert!(lone_cert.check().is_err_and(|why| why.contains("tls_key")));
        let reachable = Settings {
            listen: "0.0.0.0:2040".parse().unwrap(),
            ..Settings::default()
        };
        assert!(reachable.check().is_err_and(|why| why.contains("--open")));
        let meant = Settings {
            open: true,
            ..reachable
        };
        assert_eq!(meant.check(), Ok(()));
    }

    #[test]
    fn a_burst_needs_a_rate() {
        let with = |rate_limit, rate_burst| Settings {
            rate_limit,
            rate_burst,
            ..Settings::default()
        };
        assert_eq!(with(0, 0).check(), Ok(()));
        assert_eq!(with(1, 0).check(), Ok(()));
        assert_eq!(with(RATE_MAX, RATE_MAX).check(), Ok(()));
        for bad in [with(0, 1), with(RATE_MAX + 1, 0), with(1, RATE_MAX + 1)] {
            assert!(bad.check().is_err_and(|why| why.contains("rate_")));
        }
    }

    #[test]
    fn section_11_authentication_is_whole_or_not_there() {
        let key = || vec![KeySource::File("key.pem".into())];
        let text = |text: &str| Some(text.to_owned());
        let whole = || Settings {
            auth_key: key(),
            auth_issuer: text("i"),
            auth_audience: text("a"),
            ..Settings::default()
        };
        let without_issuer = Settings {
            auth_issuer: None,
            ..whole()
        };
        let without_audience = Settings {
            auth_audience: None,
            ..whole()
        };
        let without_key = Settings {
            auth_key: Vec::new(),
            ..whole()
        };
        let open = Settings {
            open: true,
            ..whole()
        };
        for (settings, word) in [
            (without_issuer, "auth_issuer"),
            (without_audience, "auth_audience"),
            (without_key, "auth_key"),
            (open, "open"),
        ] {
            let fault = settings.check().unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
        let reachable = Settings {
            listen: "0.0.0.0:2040".parse().unwrap(),
            ..whole()
        };
        assert_eq!(reachable.check(), Ok(()));
    }
}

//! Tokens, good and bad, and servers that ask for them.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Server, binary};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "matchbook";
const SECRET: &str = "thirty-two bytes of no entropy!!";

/// A server that asks for tokens, signed by a secret.
pub(crate) struct Guarded {
    pub(crate) server: Server,
    _secret: TempDir,
}

impl Guarded {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With more flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let server = Server::with(&[&flags_for(secret.to_str().unwrap()), flags].concat());
        Self {
            server,
            _secret: directory,
        }
    }
}

/// The flags of a server that takes keys from there.
pub(crate) fn flags_for(keys: &str) -> [&str; 6] {
    let issuer = ["--auth-issuer", ISSUER];
    let audience = ["--auth-audience", AUDIENCE];
    [
        "--auth-key",
        keys,
        issuer[0],
        issuer[1],
        audience[0],
        audience[1],
    ]
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now() + 600})
}

/// A token that is put together by hand, since no library makes a bad one.
pub(crate) fn forge(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| BASE64URL.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let signature = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(signature))
}

/// A token by the secret of [`Guarded`].
pub(crate) fn token(claims: &Value) -> String {
    forge(
        &json!({"alg": "HS256", "typ": "JWT"}),
        claims,
        SECRET.as_bytes(),
    )
}

/// The field `Authorization` of whoever may.
pub(crate) fn authorization() -> String {
    format!("Bearer {}", token(&claims()))
}

/// The field `Authorization` of somebody, with more claims.
pub(crate) fn bearer(name: &str, more: &Value) -> String {
    let mut all = claims();
    all["sub"] = name.into();
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    format!("Bearer {}", token(&all))
}

/// The field `Authorization` of an admin.
pub(crate) fn admin() -> String {
    bearer("root", &json!({"admin": true}))
}

/// What `matchbook token` prints.
#[track_caller]
pub(crate) fn minted(key: &Path, more: &[&str]) -> String {
    let output = Command::new(binary::path())
        .args([
            "token", "--sub", "alice", "--iss", ISSUER, "--aud", AUDIENCE,
        ])
        .arg("--key")
        .arg(key)
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

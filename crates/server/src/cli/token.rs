//! `matchbook token`.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use matchbook_access::identity::{Algorithm, SigningKey, TOKEN_BYTES};
use serde_json::{Map, Value};

use super::exit::{Exit, Failure, Outcome, say};

const EXAMPLES: &str = "\
Prints a token that a server takes which has the key, or the public half of it:

  openssl rand -base64 48 > secret
  matchbook serve --auth-key secret --auth-issuer me --auth-audience notes

  token=$(matchbook token --key secret --iss me --aud notes --sub alice)
  curl -H \"Authorization: Bearer $token\" http://127.0.0.1:2040/notes

Whoever has a secret can make tokens. With a key pair, the server cannot:

  openssl genpkey -algorithm ed25519 -out private.pem
  openssl pkey -in private.pem -pubout -out public.pem
  matchbook serve --auth-key public.pem --auth-issuer me --auth-audience notes
  matchbook token --key private.pem --iss me --aud notes --sub alice --claim role=editor

The key decides the algorithm: a secret HS256, and of keys in PEM, Ed25519 is for EdDSA, P-256
for ES256 and RSA for RS256. For people, let an identity provider make tokens instead, and give
the server its URL: --auth-key https://issuer.example/.well-known/jwks.json";

/// Claims that have flags of their own.
const STANDARD: [&str; 5] = ["iss", "aud", "sub", "exp", "iat"];

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenArgs {
    /// The private key in PEM, or a file with a secret of at least 32 bytes
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Whom the token speaks for
    #[arg(long, value_name = "WHO")]
    sub: String,

    /// Who makes it: what the server has as --auth-issuer
    #[arg(long, value_name = "TEXT", env = "MATCHBOOK_AUTH_ISSUER")]
    iss: String,

    /// Whom it is for: what the server has as --auth-audience
    #[arg(long, value_name = "TEXT", env = "MATCHBOOK_AUTH_AUDIENCE")]
    aud: String,

    /// For how long it is good, such as 90s, 15m, 8h or 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = read_time)]
    expires: Duration,

    /// Something more that it says, such as role=editor or 'teams=["a","b"]'; repeatable
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = read_claim)]
    claims: Vec<(String, Value)>,

    /// The name of the key, where the server has several
    #[arg(long, value_name = "ID")]
    kid: Option<String>,

    /// Fail unless the key is for this algorithm: HS256, RS256, ES256 or EdDSA
    #[arg(long, value_name = "NAME", value_parser = read_algorithm)]
    algorithm: Option<Algorithm>,
}

/// Without claims, which may be private.
impl std::fmt::Debug for TokenArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenArgs({})", self.key.display())
    }
}

impl TokenArgs {
    /// Prints a token.
    ///
    /// # Errors
    /// The key cannot be read, or cannot sign.
    pub(crate) fn run(self) -> Outcome {
        let fault =
            |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", self.key.display()));
        let file = std::fs::read(&self.key).map_err(|error| fault(&error))?;
        let key = SigningKey::from_file(&file).map_err(|error| fault(&error))?;
        if let Some(wanted) = self.algorithm.filter(|wanted| *wanted != key.algorithm()) {
            return Err(fault(&format_args!(
                "the key is for {}, not for {wanted}",
                key.algorithm()
            )));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let claims = self.claims(now.unwrap_or_default());
        let token = key
            .sign(&claims, self.kid.clone())
            .map_err(|error| fault(&error))?;
        if token.len() > TOKEN_BYTES {
            say(format_args!(
                "matchbook: the token has {} bytes, and servers take {TOKEN_BYTES}",
                token.len()
            ));
        }
        writeln!(std::io::stdout(), "{token}")?;
        Ok(Exit::Done)
    }

    fn claims(&self, now: Duration) -> Map<String, Value> {
        let mut claims: Map<_, _> = self.claims.iter().cloned().collect();
        let expires = now.saturating_add(self.expires);
        let standard: [Value; 5] = [
            self.iss.as_str().into(),
            self.aud.as_str().into(),
            self.sub.as_str().into(),
            expires.as_secs().into(),
            now.as_secs().into(),
        ];
        claims.extend(STANDARD.map(str::to_owned).into_iter().zip(standard));
        claims
    }
}

pub(super) fn read_time(text: &str) -> Result<Duration, String> {
    let fault = || "write a whole number and s, m, h or d, such as 15m".to_owned();
    let unit = text.chars().last().ok_or_else(fault)?;
    let secs: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(fault()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u64 = number.parse().map_err(|_| fault())?;
    let secs = number.checked_mul(secs).ok_or_else(fault)?;
    Ok(Duration::from_secs(secs))
}

pub(super) fn read_claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("write NAME=VALUE")?;
    if STANDARD.contains(&name) {
        return Err(format!(
            "{name} is not set by --claim, but by the other flags"
        ));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

fn read_algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(text).ok_or_else(|| {
        let names = Algorithm::ALL.map(Algorithm::name);
        format!("known are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::super::{Cli, Command};
    use super::*;

    fn read(more: &[&str]) -> Result<TokenArgs, clap::Error> {
        let words = ["matchbook", "token", "--key", "k", "--sub", "s"];
        let words = words.iter().chain(&["--iss", "i", "--aud", "a"]);
        match Cli::try_parse_from(words.chain(more))?.command {
            Command::Token(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn claims_are_json_or_text() {
        let args = read(&[
            "--expires=2m",
            "--claim=role=editor",
            "--claim=teams=[\"a\"]",
            "--claim=admin=true",
            "--claim=note=a=b",
        ])
        .unwrap();
        let claims = Value::Object(args.claims(Duration::from_secs(1_000)));
        assert_eq!(
            claims,
            json!({
                "iss": "i", "aud": "a", "sub": "s", "exp": 1_120, "iat": 1_000,
                "role": "editor", "teams": ["a"], "admin": true, "note": "a=b",
            })
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "--expires=1",
            "--expires=h",
            "--expires=-1h",
            "--expires=1é",
            "--expires=99999999999999999999d",
            "--expires=9999999999999999999d",
            "--claim=role",
            "--claim==x",
            "--claim=exp=1",
            "--algorithm=none",
        ] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
        assert!(read(&["--algorithm=EdDSA", "--expires=30d"]).is_ok());
    }
}

//! `matchbook key`: API keys, for machines that cannot renew a token.
//!
//! A key is made here, and only its hash goes to the server: nobody but its owner ever has
//! the key itself. What the server keeps is a document, `/_/keys/{id}`.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::header::{CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use matchbook_access::identity::{API_KEY_RANDOM_BYTES, ApiKey, Record};
use matchbook_core::clock::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::exit::{Exit, Failure, Outcome, say};
use super::target::Target;
use super::token::{read_claim, read_time};
use super::{ClientArgs, client, show};

/// Where the server keeps what it knows of keys.
const KEYS: &str = "/_/keys";

const EXAMPLES: &str = "\
A server that was started with --auth-api-keys takes keys in place of tokens. The first one is
made before that, while the server is open to this machine, or by an admin with a token:

  matchbook serve
  key=$(matchbook key create backup --claim admin=true)

  matchbook serve --auth-api-keys
  curl -H \"Authorization: Bearer $key\" http://127.0.0.1:2040/notes
  matchbook key ls -H \"Authorization: Bearer $key\"
  matchbook key revoke ID -H \"Authorization: Bearer $key\"";

/// Make, list and revoke API keys
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, and print it: it cannot be shown again
    Create(CreateArgs),
    /// List keys: id, name, when it was made, when it expires
    Ls(LsArgs),
    /// Revoke a key by its id: from then on it is refused
    Revoke(RevokeArgs),
}

#[derive(Args)]
struct CreateArgs {
    /// What the key is for: what policies call it
    name: String,

    /// Something that it says to policies, such as role=robot; repeatable
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = read_claim)]
    claims: Vec<(String, Value)>,

    /// For how long it is good, such as 8h or 90d; without it, until it is revoked
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    expires: Option<Duration>,

    #[command(flatten)]
    client: ClientArgs,
}

/// Without claims, which may be private.
impl std::fmt::Debug for CreateArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreateArgs({})", self.name)
    }
}

#[derive(Args, Debug)]
struct LsArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args, Debug)]
struct RevokeArgs {
    /// The key's id, as `matchbook key ls` prints it
    id: String,

    #[command(flatten)]
    client: ClientArgs,
}

impl KeyArgs {
    pub(crate) async fn run(self) -> Outcome {
        match self.command {
            KeyCommand::Create(args) => args.run().await,
            KeyCommand::Ls(args) => args.run().await,
            KeyCommand::Revoke(args) => args.run().await,
        }
    }
}

impl CreateArgs {
    async fn run(self) -> Outcome {
        let mut random = [0; API_KEY_RANDOM_BYTES];
        getrandom::fill(&mut random)
            .map_err(|error| Failure::usage(format!("the system has no randomness: {error}")))?;
        let key = ApiKey::generate(&random);
        let now = SystemTime::now();
        let expires = self.expires.map(|time| {
            let at = now.checked_add(time);
            at.map(Timestamp::from)
                .ok_or_else(|| Failure::usage("no clock goes that far"))
        });
        let claims: Map<String, Value> = self.claims.into_iter().collect();
        let record = Record::new(
            &key,
            &self.name,
            Timestamp::from(now),
            expires.transpose()?,
            claims,
        );
        let body = format!("{:#}\n", record.to_json());
        let response = send(&self.client, Method::PUT, key.id(), |request| {
            *request.body_mut() = Full::new(Bytes::from(body));
            let fields = request.headers_mut();
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            fields.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        });
        let response = response.await?;
        if response.status() != StatusCode::CREATED {
            return show::show(response, false).await;
        }
        say(format_args!(
            "matchbook: the key {} is made; it is not shown again",
            key.id()
        ));
        writeln!(std::io::stdout(), "{}", key.reveal())?;
        Ok(Exit::Done)
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    path: String,
    document: Known,
}

#[derive(Deserialize)]
struct Known {
    name: String,
    created: String,
    expires: Option<String>,
}

impl LsArgs {
    async fn run(self) -> Outcome {
        let mut query = String::from("?_limit=1000");
        loop {
            let response = send(&self.client, Method::GET, &query, |_| {}).await?;
            if response.status() != StatusCode::OK {
                return show::show(response, false).await;
            }
            let body = client::collect(response.into_body()).await?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|error| Failure::unreachable(format!("no list of keys came: {error}")))?;
            for Item { path, document } in page.items {
                let id = path.rsplit('/').next().unwrap_or_default();
                let Known {
                    name,
                    created,
                    expires,
                } = document;
                let expires = expires.as_deref().unwrap_or("-");
                writeln!(std::io::stdout(), "{id}\t{name}\t{created}\t{expires}")?;
            }
            match page.next {
                Some(next) => query = format!("?_limit=1000&_after={next}"),
                None => return Ok(Exit::Done),
            }
        }
    }
}

impl RevokeArgs {
    async fn run(self) -> Outcome {
        let fill = |request: &mut Request<Full<Bytes>>| {
            let any = HeaderValue::from_static("*");
            request.headers_mut().insert(IF_MATCH, any);
        };
        let response = send(&self.client, Method::DELETE, &self.id, fill).await?;
        show::show(response, false).await
    }
}

/// Asks for a key by its id, or for all of them by a query.
async fn send(
    args: &ClientArgs,
    method: Method,
    what: &str,
    fill: impl FnOnce(&mut Request<Full<Bytes>>),
) -> Result<Response<Incoming>, Failure> {
    let path = match what.strip_prefix('?') {
        Some(_) => format!("{KEYS}{what}"),
        None => format!("{KEYS}/{what}"),
    };
    let target = Target::join(&args.server, &path)?;
    let mut request = client::request(method, &target.path)?;
    fill(&mut request);
    client::send_once(&target, args, request).await
}

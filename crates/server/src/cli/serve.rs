//! `matchbook serve`.

use std::io::{IsTerminal, Write};
use std::num::NonZeroU32;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use matchbook::app::App;
use matchbook::auth::{Authenticator, configure};
use matchbook::config::{HostName, LogFormat, Origin, Settings};
use matchbook::connection::{Listener, TlsFiles, Workers};
use matchbook::metrics::Metrics;
use matchbook::operations::{self, Operations};
use matchbook::rate::Rate;
use matchbook::receipts;
use matchbook::retention::Retention;
use matchbook::setup::PolicyFiles;
use matchbook_core::decide::Policy;
use matchbook_store::sqlite::{self, Options, SqliteStore};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::exit::{Exit, Failure, Outcome, say};

/// What is logged when `RUST_LOG` does not say.
const LOG_FILTER: &str = "info";

/// Bytes in a MiB.
const MIB: u64 = 1_024 * 1_024;

/// File descriptors that are not connections: the store's, the log's, the listener's.
const OTHER_FILES: u64 = 64;

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it could not start.
pub(crate) fn run(settings: Settings) -> Outcome {
    start_log(settings.log);
    raise_file_limit(settings.max_connections.get() as u64);
    let metrics = Arc::new(Metrics::default());
    let options = Options {
        cache_bytes: usize::try_from(settings.cache_mib * MIB).unwrap_or(usize::MAX),
        ..Options::default()
    };
    let authenticator = configure(&settings).map_err(Failure::usage)?.map(Arc::new);
    let store = SqliteStore::open(&settings.data, options, metrics.clone())
        .map_err(|error| Failure::usage(format!("cannot open the data: {error}")))?;
    let operations = operations(&settings);
    let log = settings.access_log;
    let mut app = App::new(store, policy(&settings), metrics, operations, log);
    if let Some(authenticator) = &authenticator {
        app = app.with_authentication(Arc::clone(authenticator), policies(&settings)?);
    }
    if let Some(rate) = rate(&settings) {
        app = app.with_rate_limit(rate);
    }
    let app = Arc::new(app);
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(serve(&app, &settings, authenticator.as_deref())));
    app.store().close();
    served
}

async fn serve(
    app: &Arc<App<SqliteStore>>,
    settings: &Settings,
    authenticator: Option<&Authenticator>,
) -> Outcome {
    let tls = settings.tls_cert.clone().zip(settings.tls_key.clone());
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
    let limit = settings.max_connections.get();
    app.load()
        .await
        .map_err(|error| Failure::usage(format!("cannot put the settings in force: {error}")))?;
    let workers = Workers::start()?;
    let listener = Listener::bind(app.clone(), settings.listen, tls.as_ref(), limit, workers)
        .await
        .map_err(|error| cannot_listen(settings, &error))?;
    let mut asked_to_stop = StopSignals::new()?;
    greet(&listener, settings)?;
    let stop = async {
        let name = asked_to_stop.next().await;
        tracing::info!("{name}: finishing what is under way; once more ends at once");
        tokio::spawn(async move {
            asked_to_stop.next().await;
            process::exit(i32::from(Exit::Interrupted.code()));
        });
    };
    let serve = listener.serve(stop, Duration::from_secs(settings.drain_seconds));
    tokio::select! {
        () = serve => {}
        () = retention(settings).keep(app) => {}
        () = renew_keys(authenticator) => {}
        () = receipts::sweep(app.store()) => {}
        () = app.keep_indexes() => {}
        () = app.count_violations() => {}
        () = app.keep_rates() => {}
        () = operations::run(app) => {}
        () = operations::sweep(app) => {}
    }
    Ok(Exit::Done)
}

fn operations(settings: &Settings) -> Operations {
    let data = settings.data.clone();
    let backup = move |to: &Path| {
        let copy = sqlite::backup(&data, to);
        copy.map(|copy| copy.size_bytes)
            .map_err(|error| error.to_string())
    };
    Operations::new(&settings.data, Arc::new(backup))
}

fn policies(settings: &Settings) -> Result<PolicyFiles, Failure> {
    let texts = settings.policy.iter().map(|source| {
        let text = source
            .text()
            .map_err(|error| Failure::usage(format!("policy {}: {error}", source.name())))?;
        Ok((source.name(), text))
    });
    let claims = settings.policy_claim.iter();
    Ok(PolicyFiles {
        texts: texts.collect::<Result<_, Failure>>()?,
        claims: claims
            .map(|claim| (claim.name.clone(), claim.declared.clone()))
            .collect(),
    })
}

/// For ever.
async fn renew_keys(authenticator: Option<&Authenticator>) {
    match authenticator {
        Some(authenticator) => authenticator.keep().await,
        None => std::future::pending().await,
    }
}

fn rate(settings: &Settings) -> Option<Rate> {
    let number = |value| u32::try_from(value).ok().and_then(NonZeroU32::new);
    let per_second = number(settings.rate_limit)?;
    Some(Rate::new(
        per_second,
        number(settings.rate_burst).unwrap_or(per_second),
    ))
}

fn retention(settings: &Settings) -> Retention {
    Retention {
        age: Duration::from_secs(settings.retention_seconds),
        changes: settings.retention_changes,
        max_bytes: (settings.retention_mib > 0).then(|| settings.retention_mib.saturating_mul(MIB)),
    }
}

fn policy(settings: &Settings) -> Policy {
    let origins = settings.cors_origin.iter().map(Origin::as_str);
    let hosts = settings.host.iter().map(HostName::as_str);
    Policy {
        origins: origins.map(str::to_owned).collect(),
        hosts: hosts.map(str::to_owned).collect(),
        exposed: settings.open,
        max_document_bytes: settings.max_document_bytes.get(),
        ..Policy::default()
    }
}

fn cannot_listen(settings: &Settings, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!(
        "{}: {error}; choose another address with --listen",
        settings.listen
    ))
}

/// Says where the server listens, where the data is, and what to try.
fn greet(listener: &Listener<SqliteStore>, settings: &Settings) -> Result<(), Failure> {
    let scheme = if settings.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{}", listener.address()?);
    let mut out = std::io::stdout();
    writeln!(out, "listening on {url}")?;
    writeln!(out, "data in {}", settings.data.display())?;
    if settings.authenticates() {
        writeln!(
            out,
            "requests need credentials; 'matchbook token --help' makes tokens"
        )?;
        out.flush()?;
        return Ok(());
    }
    writeln!(
        out,
        "try: curl -i -X PUT {url}/notes/1 -H 'Content-Type: application/json' -d '{{\"title\":\"Milk\"}}'"
    )?;
    out.flush()?;
    Ok(())
}

/// SIGTERM from whoever runs services, SIGINT from a terminal.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Human => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            log.with_ansi(colour).init();
        }
    }
}

/// Each connection needs a file descriptor, and shells allow 1,024.
fn raise_file_limit(connections: u64) {
    let wanted = connections.saturating_add(OTHER_FILES);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit >= wanted => {}
        Ok(limit) => say(format_args!(
            "matchbook: {limit} open files are allowed, fewer than --max-connections needs"
        )),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

#[cfg(test)]
mod tests {
    use matchbook_core::clock::Timestamp;
    use matchbook_core::name::DocumentPath;
    use matchbook_core::tag::Revision;
    use matchbook_store::{Batch, OperationId, Receipt, Store, Unobserved};

    use super::*;

    #[tokio::test]
    async fn only_old_receipts_go() {
        let directory = tempfile::tempdir().unwrap();
        let unobserved = Arc::new(Unobserved);
        let store = SqliteStore::open(directory.path(), Options::default(), unobserved).unwrap();
        let names: Vec<_> = (0..600).map(|number| format!("{number:03}")).collect();
        for (number, name) in names.iter().enumerate() {
            let receipt = Receipt {
                path: DocumentPath::receipt(name).unwrap(),
                content: "x".into(),
            };
            let batch = Batch {
                at: Timestamp::from_millis(number as u64),
                principal: None,
                writes: Vec::new(),
                quotas: Vec::new(),
                untouched: Vec::new(),
                receipt: Some(receipt),
            };
            store
                .commit(OperationId(number as u128), batch)
                .await
                .unwrap();
        }
        receipts::sweep_before(&store, Timestamp::from_millis(300))
            .await
            .unwrap();
        for (number, name) in names.iter().enumerate() {
            let path = DocumentPath::receipt(name).unwrap();
            let found = store.load(&path, Revision::ZERO).await.unwrap();
            assert_eq!(found.is_some(), number >= 300, "{name}");
        }
    }
}

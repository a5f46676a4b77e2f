//! `matchbook serve`: the place where the engine is named.

use std::sync::Arc;
use std::time::Duration;

use matchbook::app::App;
use matchbook::config::Settings;
use matchbook::connection::{Listener, TlsFiles};
use matchbook::metrics::Metrics;
use matchbook_core::decide::Policy;
use matchbook_store::sqlite::{Options, SqliteStore};

use super::exit::{Exit, Failure, Outcome, say};

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it could not start.
pub(crate) fn run(settings: Settings) -> Outcome {
    let metrics = Arc::new(Metrics::default());
    let cache_mib = usize::try_from(settings.cache_mib).unwrap_or(usize::MAX);
    let options = Options {
        cache_bytes: cache_mib.saturating_mul(1_024 * 1_024),
        ..Options::default()
    };
    let store =
        SqliteStore::open(&settings.data, options, metrics.clone()).map_err(Failure::usage)?;
    let app = Arc::new(App::new(
        store,
        policy(&settings),
        metrics,
        settings.access_log,
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(app, &settings))
}

fn policy(settings: &Settings) -> Policy {
    Policy {
        origins: settings
            .cors_origin
            .iter()
            .map(ToString::to_string)
            .collect(),
        hosts: settings.host.iter().map(ToString::to_string).collect(),
        exposed: settings.open,
        max_document_bytes: settings.max_document_bytes.get(),
        ..Policy::default()
    }
}

async fn serve(app: Arc<App<SqliteStore>>, settings: &Settings) -> Outcome {
    let tls = settings.tls_cert.clone().zip(settings.tls_key.clone());
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
    let connections = settings.max_connections.get();
    let listener = Listener::bind(app, settings.listen, tls.as_ref(), connections)
        .await
        .map_err(Failure::usage)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.address()?);
    say(format_args!("listening on {url}"));
    say(format_args!("data in {}", settings.data.display()));
    say(format_args!(
        "try: curl -i -X PUT {url}/notes/1 -H 'Content-Type: application/json' -d '{{\"title\":\"Milk\"}}'"
    ));
    let patience = Duration::from_secs(settings.drain_seconds);
    listener.serve(told_to_stop(), patience).await;
    Ok(Exit::Done)
}

/// Completes on Ctrl-C, or on SIGTERM where there is one.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

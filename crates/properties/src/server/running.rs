//! A server in this process, with a store of its own, for as long as it is needed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use matchbook::app::App;
use matchbook::connection::{Listener, Workers};
use matchbook::metrics::Metrics;
use matchbook::operations::Operations;
use matchbook_core::decide::Policy;
use matchbook_store::sqlite::{Options, SqliteStore};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Starts one, and stops it when `talk` is done.
pub(super) fn with(talk: impl FnOnce(SocketAddr)) {
    let place = tempfile::tempdir().unwrap();
    let (begun, address) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            runtime.block_on(serve(place.path(), &begun, stopped));
        });
        talk(address.recv().expect("the server starts"));
        drop(stop);
        serving.join().expect("the server ends");
    });
}

async fn serve(data: &Path, begun: &mpsc::Sender<SocketAddr>, stopped: oneshot::Receiver<()>) {
    let metrics = Arc::new(Metrics::default());
    let store = SqliteStore::open(data, Options::default(), metrics.clone()).unwrap();
    let backup = Arc::new(|_: &Path| Err("there is none here".to_owned()));
    let operations = Operations::new(data, backup);
    let app = App::new(store, Policy::default(), metrics, operations, false);
    let app = Arc::new(app);
    app.load().await.unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let workers = Workers::start().unwrap();
    let listener = Listener::bind(app.clone(), any, None, 64, workers).await;
    let listener = listener.unwrap();
    begun.send(listener.address().unwrap()).unwrap();
    let stop = async {
        let _ = stopped.await;
    };
    listener.serve(stop, Duration::from_secs(5)).await;
    app.store().close();
}

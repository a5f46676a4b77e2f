//! x
use std::sync::Arc;
use std::time::Duration;
fn main() {
    let mut args = std::env::args().skip(1);
    let mut data = "matchbook-data".to_owned();
    let mut listen = "127.0.0.1:2040".to_owned();
    while let Some(a) = args.next() {
        match a.as_str() {
            "--data" => data = args.next().unwrap(),
            "--listen" => listen = args.next().unwrap(),
            _ => {}
        }
    }
    let metrics = Arc::new(matchbook::metrics::Metrics::default());
    let store = matchbook_store::sqlite::SqliteStore::open(
        data.as_ref(),
        Default::default(),
        metrics.clone(),
    )
    .unwrap();
    let rt = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    rt.block_on(async {
        let app = Arc::new(matchbook::app::App::new(
            store,
            Default::default(),
            metrics,
            false,
        ));
        let l = matchbook::connection::Listener::bind(app, listen.parse().unwrap(), None, 10000)
            .await
            .unwrap();
        println!("listening on http://{}", l.address().unwrap());
        l.serve(
            async { tokio::signal::ctrl_c().await.unwrap() },
            Duration::from_secs(10),
        )
        .await;
    });
}

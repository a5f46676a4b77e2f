//! The follower: reads the log as it grows, for all who have come to its end, and tells
//! each channel what concerns it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use matchbook_core::feed::EndReason;
use matchbook_core::tag::{Revision, Version};
use matchbook_store::{ChangesError, Scope, Store};
use tokio::sync::watch;
use tokio::time::Instant;

use super::blocks::Blocks;
use super::channel::Channel;
use super::gzip;
use super::hub::{Hub, Told};
use super::ring::Encoded;
use super::writes::{Known, Place, blocks_into, write};
use crate::app::App;

/// Entries that are told at a time.
const PIECE: usize = 1_024;

/// How often silent channels are looked after.
const TICK: Duration = Duration::from_secs(1);

/// How long to wait after writes that concerned nobody, so that under many of them
/// several groups are looked over at once.
const UNCONCERNED: Duration = Duration::from_millis(1);

/// How long to wait after the log could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the log for as long as the store is open.
pub(crate) async fn follow<S: Store>(app: Arc<App<S>>) {
    let mut applied = app.store.applied();
    let mut ticks = tokio::time::interval(TICK);
    let mut ticked = Instant::now();
    loop {
        applied.borrow_and_update();
        match step(&app).await {
            Ok(Step::More) => {}
            // Written meanwhile, and acknowledged perhaps: a stream that is to end tells it
            // before.
            Ok(Step::Even { .. }) if lags(&app) => {}
            Ok(Step::Alone) => app.hub.someone.notified().await,
            Ok(Step::Even { told }) => {
                app.hub.is_even();
                if !told {
                    tokio::time::sleep(UNCONCERNED).await;
                }
                if wait(&app.hub, &mut applied, &mut ticks).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the change feed cannot read the log");
                app.hub.give_up(EndReason::Busy);
                tokio::time::sleep(PAUSE).await;
            }
        }
        let now = Instant::now();
        if now.duration_since(ticked) >= TICK {
            ticked = now;
            app.hub.tick(now);
        }
    }
}

/// Whether there is more than was read.
fn lags<S: Store>(app: &App<S>) -> bool {
    let applied = app.store.status().applied.revision;
    let position = app.hub.position();
    position.is_some_and(|position| position.revision < applied)
}

/// Until something was written, it is time to look after silent channels, or all is to
/// end.
async fn wait(
    hub: &Hub,
    applied: &mut watch::Receiver<Revision>,
    ticks: &mut tokio::time::Interval,
) -> Result<(), watch::error::RecvError> {
    tokio::select! {
        // In this order and not in a random one, so that a simulation can be repeated: ticks
        // are rare, and after each change it is looked whether all is to end.
        biased;
        _ = ticks.tick() => Ok(()),
        changed = applied.changed() => changed,
        () = hub.ending.notified() => Ok(()),
    }
}

enum Step {
    /// There is more to read.
    More,
    /// There is no more to read.
    Even {
        /// Whether something concerned somebody.
        told: bool,
    },
    /// Nobody reads.
    Alone,
}

async fn step<S: Store>(app: &App<S>) -> Result<Step, ChangesError> {
    let Some(from) = app.hub.position() else {
        return Ok(Step::Alone);
    };
    let changes = app.store.changes(from, &Scope::Log, PIECE).await?;
    let more = changes.more;
    let told = app.hub.take(changes.entries, changes.position);
    let mut before = from;
    let any = !told.is_empty();
    let mut rest = told.into_iter().peekable();
    while let Some(first) = rest.next() {
        let operation = first.entry.operation;
        let mut batch = vec![first];
        while let Some(next) = rest.next_if(|next| next.entry.operation == operation) {
            batch.push(next);
        }
        before = tell(app, batch, before).await?;
    }
    Ok(if more {
        Step::More
    } else {
        Step::Even { told: any }
    })
}

/// Tells the writes of a batch; returns the position with all of it.
async fn tell<S: Store>(
    app: &App<S>,
    batch: Vec<Told>,
    before: Version,
) -> Result<Version, ChangesError> {
    let mut end = before;
    let mut known = Vec::with_capacity(batch.len());
    let mut concerned: BTreeMap<u64, (Arc<Channel>, Vec<usize>)> = BTreeMap::new();
    for (index, Told { entry, audiences }) in batch.into_iter().enumerate() {
        end = entry.version;
        let needed = audiences
            .iter()
            .any(|audience| audience.needs_before(&write(&entry)));
        let write = Known::of(&app.store, entry, |_| needed).await?;
        for channel in audiences
            .iter()
            .flat_map(|audience| audience.concerned(&write))
        {
            let (_, writes) = concerned
                .entry(channel.id)
                .or_insert_with(|| (channel, Vec::new()));
            writes.push(index);
        }
        known.push(write);
    }
    for (channel, writes) in concerned.into_values() {
        let writes = writes.iter().filter_map(|index| known.get(*index));
        let mut text = String::new();
        let place = Place {
            before: channel.spec.cursor(before),
            end: channel.spec.cursor(end),
        };
        if blocks_into(&mut text, writes, &channel.spec, &place) > 0 {
            let content = encode(&channel, text).await;
            channel.push(content, end);
            app.hub.announce(&channel);
        }
    }
    Ok(end)
}

/// Some blocks in the codings that are read.
async fn encode(channel: &Arc<Channel>, text: String) -> Encoded {
    let blocks = Blocks::new(&text);
    let compressed = if channel.is_compressed() {
        let channel = Arc::clone(channel);
        gzip::offload(text.len(), move || channel.compress(&text)).await
    } else {
        None
    };
    Encoded { blocks, compressed }
}

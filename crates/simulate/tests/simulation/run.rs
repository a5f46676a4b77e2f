//! One run, from its seed to its faults.

use std::rc::Rc;
use std::time::Duration;

use matchbook_store::simulated::Mistake;
use tokio::task::LocalSet;

use crate::archive::Archive;
use crate::panics::heard;
use crate::plan::Plan;
use crate::reader::Reader;
use crate::world::World;
use crate::writer::Writer;

/// Virtual time after which a run hangs: all that is waited for in it takes minutes.
const MOST: Duration = Duration::from_secs(6 * 60 * 60);

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// A hash of all answers, events and faults with their times.
    pub(crate) trace: u64,
    pub(crate) faults: Vec<String>,
    /// Requests about documents.
    pub(crate) requests: usize,
    /// Writes that were not answered, or whose fate the answer does not tell.
    pub(crate) open: usize,
    /// Entries of the log.
    pub(crate) entries: usize,
}

/// Does the run of a seed; `shows` writes its trace.
pub(crate) fn run(seed: u64, mistake: Option<Mistake>, shows: bool) -> Outcome {
    let plan = Plan::new(seed, mistake);
    let (outcome, panics) = heard(|| follow(plan, shows));
    let mut outcome = outcome.unwrap_or_default();
    outcome.faults.extend(panics);
    outcome
}

fn follow(plan: Plan, shows: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let world = Rc::new(World::new(plan, shows));
        world.note(|| format!("{:?}", world.plan));
        let run = tokio::time::timeout(MOST, all(Rc::clone(&world))).await;
        if run.is_err() {
            world.fault("it hangs".to_owned());
        }
        let faults = world.take_faults();
        let history = world.history.borrow();
        let open = history.done.iter().filter(|done| done.ended.is_none());
        Outcome {
            trace: world.trace(),
            faults,
            requests: history.done.len(),
            open: open.count(),
            entries: world.disk.archive().len(),
        }
    })
}

async fn all(world: Rc<World>) {
    world.start().await;
    let readers: Vec<_> = (0..world.plan.readers)
        .map(|client| Reader::new(Rc::clone(&world), client))
        .map(|reader| tokio::task::spawn_local(reader.run()))
        .collect();
    // Those who begin without a snapshot have their first event by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let chaos = tokio::task::spawn_local(misfortune(Rc::clone(&world)));
    let writers: Vec<_> = (0..world.plan.writers)
        .map(|client| Writer::new(Rc::clone(&world), client))
        .map(|writer| tokio::task::spawn_local(writer.run()))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    chaos.abort();
    let _ = chaos.await;
    // Once more, so that what was left open is decided, and then nothing fails.
    world.calm();
    world.crash();
    world.start().await;
    world.finished.give();
    let mut followed = Vec::new();
    for reader in readers {
        followed.push(reader.await.unwrap());
    }
    world.crash();
    let archive = Archive::new(world.disk.archive());
    for reader in &followed {
        reader.check(&archive);
    }
    let faults = archive.check(&world.history.borrow().done);
    faults.into_iter().for_each(|fault| world.fault(fault));
}

/// Crashes, wrong clocks, and what an operator does about a store that has stopped.
async fn misfortune(world: Rc<World>) {
    let (mut crashes, mut clocks) = (world.plan.crashes, world.plan.clock_changes);
    loop {
        world.pause(world.plan.pause_ms * 6).await;
        if clocks > 0 && world.happens(300) {
            clocks -= 1;
            world.set_clock();
        }
        let is_hit = crashes > 0 && world.happens(400);
        crashes -= usize::from(is_hit);
        if is_hit || world.is_stopped() {
            world.crash();
            world.pause(world.plan.pause_ms * 2).await;
            world.start().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

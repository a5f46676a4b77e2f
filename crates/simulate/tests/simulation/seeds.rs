//! Many runs: all that hold, the same again, and engines that are wrong on purpose.

use std::ops::Range;

use matchbook_store::simulated::Mistake;

use crate::run::run;

/// Seeds that are run where the environment names none.
const SHORT: Range<u64> = 0..200;

/// A mistake is found by one of so many seeds.
const ENOUGH: Range<u64> = 0..60;

/// Which seeds to run: `from..to`.
const SEEDS: &str = "MATCHBOOK_SIMULATION_SEEDS";

/// Whether to tell all that happens in them.
const TRACE: &str = "MATCHBOOK_SIMULATION_TRACE";

fn wanted() -> Range<u64> {
    let Ok(text) = std::env::var(SEEDS) else {
        return SHORT;
    };
    let ends = text.split_once("..");
    let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let (from, to) = ends.unwrap_or_else(|| panic!("{SEEDS} is from..to, not '{text}'"));
    from..to
}

#[test]
fn whatever_the_seed_nothing_is_lost_repeated_or_torn() {
    let shows = std::env::var_os(TRACE).is_some();
    let seeds = wanted();
    let (mut requests, mut open, mut entries) = (0, 0, 0);
    for seed in seeds.clone() {
        let outcome = run(seed, None, shows);
        let faults = &outcome.faults;
        assert!(
            faults.is_empty(),
            "seed {seed}: {faults:#?}\nagain, with all that happens:\n{SEEDS}={seed}..{} {TRACE}=1 \
             cargo test -p matchbook-simulate --test simulation whatever -- --nocapture",
            seed + 1
        );
        requests += outcome.requests;
        open += outcome.open;
        entries += outcome.entries;
        if (seed + 1 - seeds.start).is_multiple_of(1_000) {
            println!("up to {seed}: {requests} requests, {open} left open, {entries} writes");
        }
    }
    println!("{seeds:?}: {requests} requests, {open} left open, {entries} writes");
    assert!(
        seeds != SHORT || (open > 100 && entries > 1_000),
        "too little happens"
    );
}

#[test]
fn a_seed_is_one_run_and_another_is_another() {
    let mut traces = Vec::new();
    for seed in 0..20 {
        let first = run(seed, None, false);
        assert_eq!(first, run(seed, None, false), "seed {seed}");
        traces.push(first.trace);
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 20);
}

#[test]
fn every_mistake_of_an_engine_is_found() {
    for mistake in [
        Mistake::ForgetsAtCrash,
        Mistake::ComparesNothing,
        Mistake::PublishesEarly,
        Mistake::TearsBatches,
        Mistake::ReadsThePast,
    ] {
        let found = ENOUGH
            .map(|seed| (seed, run(seed, Some(mistake), false)))
            .find(|(_, outcome)| !outcome.faults.is_empty());
        let (seed, outcome) = found.unwrap_or_else(|| panic!("{mistake:?} is not found"));
        println!("{mistake:?}: seed {seed}: {}", outcome.faults[0]);
    }
}

//! The fan-out as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Fanout, Record};
use crate::report::if_any;

const KIBIBYTE: f64 = 1024.0;

/// What is printed.
pub(crate) fn table(measured: &Fanout) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{} subscribers, {} writes/s for {} s, {} rounds; medians\n",
        measured.subscribers,
        measured.writes_per_second,
        measured.measured_seconds,
        measured.rounds
    );
    let _ = writeln!(
        text,
        "{:<15}{:>10}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}{:>7}{:>9}",
        "server",
        "events/s",
        "event B",
        "CPU us/e",
        "of bare",
        "of nchan",
        "p50 ms",
        "p99 ms",
        "of nchan",
        "answ p50",
        "answ p99",
        "KiB/idle",
        "busy",
        "lost",
        "repeated"
    );
    for row in &measured.rows {
        let _ = writeln!(
            text,
            "{:<15}{:>10.0}{:>8.0}{:>9.2}{:>9}{:>9}{:>9.2}{:>9.2}{:>9}{:>9.2}{:>9.2}{:>9.1}{:>8.1}{:>7}{:>9}",
            row.contender,
            row.events_per_second,
            row.event_bytes,
            row.server_cpu_us_per_event,
            if_any(row.cpu_to_bare, 2),
            if_any(row.cpu_to_nchan, 2),
            row.delivery_p50_ms,
            row.delivery_p99_ms,
            if_any(row.delivery_p99_to_nchan, 2),
            row.answer_p50_ms,
            row.answer_p99_ms,
            row.idle_bytes_per_subscriber / KIBIBYTE,
            row.busy_bytes_per_subscriber / KIBIBYTE,
            row.lost,
            row.repeated
        );
    }
    text.push('\n');
    for row in &measured.rows {
        let _ = writeln!(
            text,
            "the load generator with {}: {:.2} us of processor time for each event",
            row.contender, row.generator_cpu_us_per_event
        );
    }
    if let Some(idle) = &measured.idle {
        let _ = writeln!(
            text,
            "durable PUTs with {} idle subscribers: {:.0}/s, {:.3} of {:.0}/s without",
            idle.subscribers, idle.puts_per_second_with, idle.ratio, idle.puts_per_second_without
        );
    }
    text.push_str(&faults(measured));
    text
}

/// Every fault with its count; empty if there is none.
fn faults(measured: &Fanout) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for Record {
        contender,
        delivery,
        ..
    } in &measured.records
    {
        for (reason, count) in &delivery.faults {
            *counts.entry(format!("{contender}: {reason}")).or_default() += count;
        }
        for (what, count) in [("lost", delivery.lost), ("repeated", delivery.repeated)] {
            if count > 0 {
                *counts.entry(format!("{contender}: {what}")).or_default() += count;
            }
        }
    }
    for record in &measured.idle_records {
        for (reason, count) in record.without.faults.iter().chain(&record.with.faults) {
            *counts.entry(format!("idle: {reason}")).or_default() += count;
        }
    }
    counts
        .iter()
        .fold(String::new(), |mut text, (what, count)| {
            let _ = writeln!(text, "FAULT {what} ({count} times)");
            text
        })
}

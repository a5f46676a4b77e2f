//! What is printed: tables for the eye. The JSON file has the same and each cell.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::cell::median;
use crate::compare::{Comparison, Entry, Record, Row};
use crate::contender::Contender;
use crate::dialect::Ability;
use crate::growth::Growth;
use crate::work::Work;

pub(crate) const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The comparison as a table.
pub(crate) fn comparison(measured: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{} documents of 1 KiB, {} rounds of {} s a cell; medians\n",
        measured.documents, measured.rounds, measured.measured_seconds
    );
    let _ = writeln!(
        text,
        "{:<7}{:>6}  {:<10}{:>11}{:>9}{:>13}{:>10}{:>10}{:>10}{:>12}{:>9}{:>9}{:>8}",
        "work",
        "conns",
        "server",
        "answers/s",
        "of bare",
        "matchbook x",
        "p50 us",
        "p99 us",
        "max us",
        "per CPU-s",
        "MiB",
        "refused",
        "faults"
    );
    for &work in &measured.work {
        for &connections in &measured.connections {
            for Entry { contender, .. } in &measured.contenders {
                let row = measured.row(work, connections, *contender);
                let _ = match row {
                    Some(row) => comparison_row(&mut text, row),
                    None => writeln!(
                        text,
                        "{work:<7}{connections:>6}  {contender:<10}{:>11}",
                        absent(*contender, work)
                    ),
                };
            }
            text.push('\n');
        }
    }
    text.push_str(BLIND);
    floor(&mut text, measured);
    leads(&mut text, measured);
    for failure in &measured.failures {
        let _ = writeln!(text, "FAULT {failure}");
    }
    text.push_str(&faults(&measured.records));
    text
}

/// Why there is no figure.
pub(crate) fn absent(contender: Contender, work: Work) -> &'static str {
    match contender.dialect().ability(work) {
        Ability::None => "no",
        Ability::Whole | Ability::Blind => "failed",
    }
}

const BLIND: &str = "\
~ without a condition: it may overwrite what it should not; * not durable; no: it cannot\n\n";

fn comparison_row(text: &mut String, row: &Row) -> std::fmt::Result {
    let is_blind = row.contender.dialect().ability(row.work) == Ability::Blind;
    let is_volatile = row.work.is_write() && !row.contender.is_durable();
    let marks = [(is_blind, "~"), (is_volatile, "*")];
    let marks: String = marks.map(|(is, mark)| if is { mark } else { "" }).concat();
    writeln!(
        text,
        "{:<7}{:>6}  {:<10}{:>11}{:>9}{:>11}{:>10.0}{:>10.0}{:>10.0}{:>12.0}{:>9.1}{:>9}{:>8}",
        row.work,
        row.connections,
        row.contender,
        format!("{marks}{:.0}", row.requests_per_second),
        if_any(row.ratio_to_bare, 3),
        if_any(row.matchbook_ratio, 2),
        row.p50_us,
        row.p99_us,
        row.max_us,
        row.answers_per_server_cpu_second,
        row.resident_bytes / MEBIBYTE,
        if_any(row.refused_share, 4),
        row.faults,
    )
}

/// Matchbook against the best peer, with the marks that are to be reached.
fn leads(text: &mut String, measured: &Comparison) {
    if !measured.leads.is_empty() {
        text.push_str("\nMatchbook against the best of express, django, kinto, etcd:\n");
    }
    for lead in &measured.leads {
        let target = match lead.target {
            Some(target) if lead.ratio >= target => format!("  at least {target}: reached"),
            Some(target) => format!("  at least {target}: MISSED"),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "{:<7}{:>6}  {:>7.2} x {}{target}",
            lead.work, lead.connections, lead.ratio, lead.best
        );
    }
}

/// A whole number with its digits in groups of three.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ratio, or a dash where there is nothing to compare with.
pub(crate) fn if_any(ratio: f64, digits: usize) -> String {
    if ratio > 0.0 {
        format!("{ratio:.digits$}")
    } else {
        "-".to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
fn floor(text: &mut String, measured: &Comparison) {
    let sizes = measured.syncs.first().map_or(0, Vec::len);
    for index in 0..sizes {
        let costs: Vec<_> = measured
            .syncs
            .iter()
            .filter_map(|round| round.get(index))
            .collect();
        let _ = writeln!(
            text,
            "append {:>2} KiB + fdatasync: {:.0}/s, p50 {:.0} us, p99 {:.0} us",
            costs.first().map_or(0, |cost| cost.append_bytes / 1024),
            median(costs.iter().map(|cost| cost.syncs_per_second)),
            median(costs.iter().map(|cost| cost.p50_us)),
            median(costs.iter().map(|cost| cost.p99_us)),
        );
    }
    for floor in &measured.write_floor {
        let _ = writeln!(
            text,
            "one PUT over one connection, {}: {:.2} of (one fdatasync of 4 KiB + one bare PUT)",
            floor.contender, floor.ratio
        );
    }
    for memory in &measured.memory {
        let _ = writeln!(
            text,
            "resident memory of {}: {:.1} MiB when ready and empty, {:.1} MiB at most",
            memory.contender,
            memory.at_start_bytes as f64 / MEBIBYTE,
            memory.peak_bytes as f64 / MEBIBYTE
        );
    }
    let bare = measured
        .rows
        .iter()
        .filter(|row| row.contender == Contender::Bare);
    let generator = median(bare.map(|row| row.answers_per_generator_cpu_second));
    let _ = writeln!(
        text,
        "the load generator: {generator:.0} answers of bare per CPU-second"
    );
}

/// Every fault with its count; empty if there is none.
pub(crate) fn faults<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    let mut counts: BTreeMap<(Contender, &str), u64> = BTreeMap::new();
    for record in records {
        for (reason, count) in &record.cell.faults {
            *counts
                .entry((record.contender, reason.as_str()))
                .or_default() += count;
        }
    }
    counts
        .iter()
        .fold(String::new(), |mut text, ((contender, reason), count)| {
            let _ = writeln!(text, "FAULT {contender}: {reason} ({count} times)");
            text
        })
}

/// The growth as a table.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
pub(crate) fn growth(measured: &Growth) -> String {
    let [few, many] = measured.sizes;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\nMatchbook with {few} and with {many} documents of 1 KiB, {} rounds of {} s a cell; \
         medians\n",
        measured.rounds, measured.measured_seconds
    );
    for starts in &measured.starts {
        let _ = writeln!(
            text,
            "{:>9} documents: ready {:.0} ms after the process starts, restarted in {:.0} ms, \
             {:.1} MiB resident, {:.0} MiB on disk",
            starts.documents,
            starts.ready_ms,
            starts.restart_ms,
            starts.resident_bytes as f64 / MEBIBYTE,
            starts.disk_bytes as f64 / MEBIBYTE
        );
    }
    let _ = writeln!(
        text,
        "\n{:<6}{:>6}{:>22}{:>22}{:>8}{:>22}{:>8}{:>8}",
        "work",
        "conns",
        "answers/s few, many",
        "p50 us few, many",
        "ratio",
        "p99 us few, many",
        "ratio",
        "faults"
    );
    for row in &measured.rows {
        let pair = |[few, many]: [f64; 2]| format!("{few:.0}, {many:.0}");
        let _ = writeln!(
            text,
            "{:<6}{:>6}{:>22}{:>22}{:>8.2}{:>22}{:>8.2}{:>8}",
            row.work,
            row.connections,
            pair(row.requests_per_second),
            pair(row.p50_us),
            row.p50_ratio,
            pair(row.p99_us),
            row.p99_ratio,
            row.faults
        );
    }
    text.push_str(&faults(measured.records.iter().flatten()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        for (value, text) in [
            (0.4, "0"),
            (999.0, "999"),
            (1_000.0, "1,000"),
            (-123_456.0, "-123,456"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }
}

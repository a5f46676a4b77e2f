//! The measured part of the page: settings, tables, pictures.

use std::fmt::Write;

use super::{Figures, Measured, PLOTS, plots};
use crate::catchup::{Catchup, Form};
use crate::cell::median;
use crate::compare::{Comparison, Entry, Row};
use crate::contender::Contender;
use crate::dialect::Ability;
use crate::fanout::Fanout;
use crate::growth::Growth;
use crate::lead::Lead;
use crate::report::{MEBIBYTE, absent, grouped, if_any};
use crate::wire::Wire;
use crate::work::Work;

/// All that was measured, as Markdown.
pub(super) fn all(figures: &Figures) -> String {
    let mut out = String::new();
    if let Some(measured) = &figures.compare {
        compare(&mut out, measured);
    }
    if let Some(measured) = &figures.fanout {
        fanout(&mut out, measured);
    }
    if let Some(measured) = &figures.wire {
        wire(&mut out, measured);
    }
    if let Some(measured) = &figures.catchup {
        catchup(&mut out, measured);
    }
    if let Some(measured) = &figures.growth {
        growth(&mut out, measured);
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// When and where.
fn setting<T>(out: &mut String, measured: &Measured<T>, how: &str) {
    let (date, machine) = (&measured.date, measured.machine.about());
    line(out, &format!("Measured on {date}: {machine}. {how}\n"));
}

fn picture(out: &mut String, name: &str, what: &str) {
    line(out, &format!("![{what}]({PLOTS}/{name}.svg)\n"));
}

fn compare(out: &mut String, measured: &Measured<Comparison>) {
    let of = &measured.of;
    line(out, "### All servers\n");
    let how = format!(
        "{} documents of 1 KiB, {} rounds of {} s a cell in alternation, medians.",
        grouped(whole(of.documents)),
        of.rounds,
        of.measured_seconds
    );
    setting(out, measured, &how);
    line(out, "| server | version | durable |\n|---|---|---|");
    for Entry { contender, version } in &of.contenders {
        let durable = match contender {
            Contender::Bare => "stores nothing",
            contender if contender.is_durable() => "yes",
            _ => "no",
        };
        let title = contender.title();
        line(out, &format!("| {title} | {version} | {durable} |"));
    }
    out.push('\n');
    for skipped in &of.skipped {
        line(out, &format!("Left out: {skipped}.\n"));
    }
    for failure in &of.failures {
        let what = failure.lines().next().unwrap_or_default();
        line(out, &format!("Not measured: {what}.\n"));
    }
    leads(out, of);
    for &work in &of.work {
        work_table(out, of, work);
    }
    line(
        out,
        "`~`: without a condition, so it may overwrite what it should not. `*`: not durable. \
         `no`: it cannot. `refused`: the part of the requests that the server turned away for a \
         reason of its own and that the client has to send again; they do not count as answers.\n",
    );
    floor(out, of);
}

/// Matchbook against the best peer.
fn leads(out: &mut String, of: &Comparison) {
    if of.leads.is_empty() {
        return;
    }
    line(
        out,
        "Matchbook's rate divided by that of the best of Express, Django, Kinto and etcd in the \
         same round:\n",
    );
    let counts = of.connections.iter().map(|count| format!(" {count} |"));
    let counts = counts.collect::<String>();
    line(
        out,
        &format!("| work, connections |{counts} wanted at 64 |"),
    );
    line(
        out,
        &format!("|---|{}---|", "---|".repeat(of.connections.len())),
    );
    for &work in &of.work {
        let here = |lead: &&Lead| lead.work == work;
        let cells = of.connections.iter().map(|&count| {
            let mut leads = of.leads.iter().filter(here);
            let lead = leads.find(|lead| lead.connections == count);
            lead.map_or(" |".to_owned(), |lead| {
                format!(" {:.1} ({}) |", lead.ratio, lead.best)
            })
        });
        let cells = cells.collect::<String>();
        let target = of
            .leads
            .iter()
            .filter(here)
            .find(|lead| lead.target.is_some());
        let target = target.and_then(|lead| Some((lead.ratio, lead.target?)));
        let wanted = target.map_or(String::new(), |(ratio, target)| {
            let met = if ratio >= target { "met" } else { "missed" };
            format!("≥ {target}: {met}")
        });
        line(out, &format!("| {} |{cells} {wanted} |", title_of(work)));
    }
    out.push('\n');
    picture(out, "lead", "Matchbook against the best peer");
}

/// For people.
pub(super) fn title_of(work: Work) -> &'static str {
    match work {
        Work::Put => "PUT with `If-Match`",
        Work::Patch => "PATCH with `If-Match`",
        Work::Create => "create",
        Work::Get => "GET",
        Work::NotModified => "304",
        Work::List => "list, 100 documents",
        Work::Filter => "filtered list, 100 documents",
    }
}

fn work_table(out: &mut String, of: &Comparison, work: Work) {
    line(out, &format!("#### {}\n", title_of(work)));
    picture(out, &work.to_string(), title_of(work));
    let counts = of.connections.iter().map(|count| format!(" {count} |"));
    let counts = counts.collect::<String>();
    let at = detail_connections(of);
    line(
        out,
        &format!(
            "| answers/s, connections |{counts} of bare | p50 ms | p99 ms | per CPU-s | MiB | refused |"
        ),
    );
    line(
        out,
        &format!("|---|{}", "---|".repeat(of.connections.len() + 6)),
    );
    for Entry { contender, .. } in &of.contenders {
        let cells = of.connections.iter().map(|&count| {
            let row = of.row(work, count, *contender);
            row.map_or_else(
                || format!(" {} |", absent(*contender, work)),
                |row| format!(" {} |", rate(row)),
            )
        });
        let cells = cells.collect::<String>();
        let details = of.row(work, at, *contender);
        let details = details.map_or(" | | | | | |".to_owned(), |row| {
            format!(
                " {} | {:.2} | {:.2} | {} | {:.0} | {} |",
                if_any(row.ratio_to_bare, 2),
                row.p50_us / 1e3,
                row.p99_us / 1e3,
                grouped(row.answers_per_server_cpu_second),
                row.resident_bytes / MEBIBYTE,
                if row.refused_share > 0.0 {
                    format!("{:.1} %", row.refused_share * 100.0)
                } else {
                    String::new()
                },
            )
        });
        line(out, &format!("| {} |{cells}{details}", contender.title()));
    }
    line(out, &format!("\nFrom `of bare` on: at {at} connections.\n"));
}

/// Where more than the rate is told.
pub(super) fn detail_connections(of: &Comparison) -> usize {
    let last = of.connections.last().copied().unwrap_or_default();
    if of.connections.contains(&64) {
        64
    } else {
        last
    }
}

/// The rate with its marks.
fn rate(row: &Row) -> String {
    let is_blind = row.contender.dialect().ability(row.work) == Ability::Blind;
    let is_volatile = row.work.is_write() && row.contender == Contender::Nginx;
    let blind = if is_blind { " ~" } else { "" };
    let volatile = if is_volatile { " *" } else { "" };
    format!("{}{blind}{volatile}", grouped(row.requests_per_second))
}

/// What a durable write costs at least.
fn floor(out: &mut String, of: &Comparison) {
    let sizes = of.syncs.first().map_or(0, Vec::len);
    let mut costs = Vec::new();
    for index in 0..sizes {
        let rounds: Vec<_> = of
            .syncs
            .iter()
            .filter_map(|round| round.get(index))
            .collect();
        costs.push(format!(
            "{} KiB: {}/s, p50 {:.0} µs",
            rounds.first().map_or(0, |cost| cost.append_bytes / 1024),
            grouped(median(rounds.iter().map(|cost| cost.syncs_per_second))),
            median(rounds.iter().map(|cost| cost.p50_us)),
        ));
    }
    if !costs.is_empty() {
        let costs = costs.join("; ");
        line(
            out,
            &format!("An append and `fdatasync` in the same run: {costs}.\n"),
        );
    }
    let ratios = of.write_floor.iter().map(|floor| {
        let title = floor.contender.title();
        format!("{title} {:.2}", floor.ratio)
    });
    let ratios = ratios.collect::<Vec<_>>().join(", ");
    if !ratios.is_empty() {
        line(
            out,
            &format!(
                "One durable PUT over one connection, divided by one `fdatasync` of 4 KiB and one \
                 bare PUT: {ratios}.\n"
            ),
        );
    }
}

fn fanout(out: &mut String, measured: &Measured<Fanout>) {
    let of = &measured.of;
    line(out, "### Fan-out\n");
    let how = format!(
        "{} subscribers, {} writes/s, {} rounds of {} s, medians.",
        grouped(whole(of.subscribers as u64)),
        of.writes_per_second,
        of.rounds,
        of.measured_seconds
    );
    setting(out, measured, &how);
    picture(out, "fanout", "the server's processor time for one event");
    line(
        out,
        "| server | events/s | CPU µs an event | p50 ms | p99 ms | writer's answer, p50 ms | KiB an idle subscriber | lost | repeated |\n\
         |---|---|---|---|---|---|---|---|---|",
    );
    for row in &of.rows {
        let _ = writeln!(
            out,
            "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} |",
            row.contender,
            grouped(row.events_per_second),
            row.server_cpu_us_per_event,
            row.delivery_p50_ms,
            row.delivery_p99_ms,
            row.answer_p50_ms,
            row.idle_bytes_per_subscriber / 1024.0,
            row.lost,
            row.repeated
        );
    }
    out.push('\n');
    if let Some(idle) = &of.idle {
        let _ = writeln!(
            out,
            "Durable PUTs with {} subscribers to another collection: {:.2} of those without.\n",
            grouped(whole(idle.subscribers as u64)),
            idle.ratio
        );
    }
}

fn wire(out: &mut String, measured: &Measured<Wire>) {
    if measured.of.rows.is_empty() {
        return;
    }
    line(out, "### On the wire\n");
    setting(
        out,
        measured,
        "Bytes to one subscriber as a share of sending whole documents.",
    );
    picture(out, "wire", "bytes to one subscriber");
    line(
        out,
        "| trace | saves | plain | in gzip |\n|---|---|---|---|",
    );
    for row in &measured.of.rows {
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} % | {:.2} % |",
            row.name(),
            grouped(whole(row.saves)),
            row.share * 100.0,
            row.gzip_share * 100.0
        );
    }
    out.push('\n');
}

fn catchup(out: &mut String, measured: &Measured<Catchup>) {
    let of = &measured.of;
    line(out, "### Catch-up\n");
    let how = format!(
        "{} entries about {} documents, {} rounds, medians.",
        grouped(whole(of.entries)),
        grouped(whole(of.documents)),
        of.rounds
    );
    setting(out, measured, &how);
    line(
        out,
        "| of | as | entries/s | MB/s | bytes an entry | per CPU-s |\n|---|---|---|---|---|---|",
    );
    for row in &of.rows {
        let form = match row.form {
            Form::Lines => "lines",
            Form::Pages => "pages",
        };
        let _ = writeln!(
            out,
            "| `{}` | {form} | {} | {} | {:.0} | {} |",
            row.target,
            grouped(row.entries_per_second),
            grouped(row.megabytes_per_second),
            row.bytes_per_entry,
            grouped(row.entries_per_server_cpu_second)
        );
    }
    out.push('\n');
}

fn growth(out: &mut String, measured: &Measured<Vec<Growth>>) {
    let Some(first) = measured.of.first() else {
        return;
    };
    line(out, "### Growth\n");
    let how = format!(
        "Each size beside {} documents, {} rounds of {} s, medians; the files in the system's \
         memory if they fit.",
        grouped(whole(first.sizes[0])),
        first.rounds,
        first.measured_seconds
    );
    setting(out, measured, &how);
    picture(out, "growth", "the median latency as documents become more");
    line(
        out,
        "| documents | work, connections | answers/s | p50 µs | times that of few | p99 µs | times that of few |\n\
         |---|---|---|---|---|---|---|",
    );
    for of in &measured.of {
        for row in &of.rows {
            let _ = writeln!(
                out,
                "| {} | {} {} | {} | {} | {:.2} | {} | {:.2} |",
                grouped(whole(of.sizes[1])),
                row.work,
                row.connections,
                grouped(row.requests_per_second[1]),
                grouped(row.p50_us[1]),
                row.p50_ratio,
                grouped(row.p99_us[1]),
                row.p99_ratio
            );
        }
    }
    line(
        out,
        "\n| documents | ready after ms | MiB resident when ready | MiB on disk |\n|---|---|---|---|",
    );
    for starts in plots::starts(&measured.of) {
        let _ = writeln!(
            out,
            "| {} | {:.0} | {:.0} | {} |",
            grouped(whole(starts.documents)),
            starts.ready_ms,
            whole(starts.resident_bytes) / MEBIBYTE,
            grouped(whole(starts.disk_bytes) / MEBIBYTE)
        );
    }
    out.push('\n');
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes far below 2^53"
)]
pub(super) fn whole(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::sample;

    #[test]
    fn the_page_tells_ratios_targets_and_what_cannot_be_done() {
        let text = all(&sample());
        assert!(
            text.contains("| PUT with `If-Match` | 6.0 (express) | ≥ 5: met |"),
            "{text}"
        );
        assert!(text.contains("| Matchbook | 12,000 |"), "{text}");
        assert!(text.contains("| nginx dav | 7,000 ~ * |"), "{text}");
        assert!(text.contains("| etcd, JSON gateway | no |"), "{text}");
        assert!(text.contains("Left out: kinto: not installed."), "{text}");
        assert!(
            text.contains("![PUT with `If-Match`](plots/put.svg)"),
            "{text}"
        );
    }

    #[test]
    fn every_table_has_as_many_cells_in_each_line() {
        let text = all(&sample());
        let mut columns = None;
        for line in text.lines() {
            let cells = line.starts_with('|').then(|| line.matches('|').count());
            if let (Some(before), Some(now)) = (columns, cells) {
                assert_eq!(before, now, "{line}");
            }
            columns = cells;
        }
    }
}

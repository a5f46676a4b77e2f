//! Which pictures are made of the figures.

use super::Figures;
use super::tables::{detail_connections, title_of, whole};
use crate::compare::{Comparison, Entry};
use crate::contender::Contender;
use crate::fanout::Fanout;
use crate::fanout::contender::Broadcaster;
use crate::growth::{Growth, Starts};
use crate::report::grouped;
use crate::svg::{Bar, Bars, Colour, Line, Lines};
use crate::wire::Wire;
use crate::work::Work;

/// A picture.
pub(super) struct Plot {
    pub(super) file: String,
    pub(super) svg: String,
}

fn plot(name: &str, svg: String) -> Plot {
    let file = format!("{name}.svg");
    Plot { file, svg }
}

/// All pictures that the figures have enough for.
pub(super) fn all(figures: &Figures) -> Vec<Plot> {
    let mut plots = Vec::new();
    if let Some(measured) = &figures.compare {
        let of = &measured.of;
        plots.extend(of.work.iter().map(|&work| rates(of, work)));
        if !of.leads.is_empty() {
            plots.push(leads(of));
        }
    }
    if let Some(measured) = &figures.fanout {
        plots.push(fanout(&measured.of));
    }
    if let Some(measured) = figures.wire.as_ref().filter(|all| !all.of.rows.is_empty()) {
        plots.push(wire(&measured.of));
    }
    if let Some(measured) = figures.growth.as_ref().filter(|all| !all.of.is_empty()) {
        plots.push(growth(&measured.of));
    }
    plots
}

fn colour(contender: Contender) -> Colour {
    match contender {
        Contender::Matchbook => Colour::Matchbook,
        Contender::Bare => Colour::Ceiling,
        Contender::Nginx => Colour::Files,
        Contender::Express => Colour::First,
        Contender::Django => Colour::Second,
        Contender::Kinto => Colour::Third,
        Contender::Etcd => Colour::Fourth,
    }
}

/// Without the marks of Markdown.
fn plain(title: &str) -> String {
    title.replace('`', "")
}

/// Answers a second over connections, a line for each server.
fn rates(of: &Comparison, work: Work) -> Plot {
    let lines = of.contenders.iter().filter_map(|Entry { contender, .. }| {
        let values = of.connections.iter().map(|&count| {
            let row = of.row(work, count, *contender);
            row.map(|row| row.requests_per_second)
        });
        let values: Vec<Option<f64>> = values.collect();
        let is_there = values.iter().any(Option::is_some);
        is_there.then(|| Line {
            name: contender.title().to_owned(),
            colour: colour(*contender),
            values,
            is_dashed: work.is_write() && !contender.is_durable(),
        })
    });
    let chart = Lines {
        title: format!("{}: answers a second", plain(title_of(work))),
        places_title: if work.is_write() {
            "connections (dashed: not durable)".to_owned()
        } else {
            "connections".to_owned()
        },
        places: of.connections.iter().map(ToString::to_string).collect(),
        lines: lines.collect(),
    };
    plot(&work.to_string(), chart.draw())
}

/// Matchbook against the best peer.
fn leads(of: &Comparison) -> Plot {
    let at = detail_connections(of);
    let bars = of.leads.iter().filter(|lead| lead.connections == at);
    let bars = bars.map(|lead| Bar {
        label: plain(title_of(lead.work)),
        value: lead.ratio,
        text: format!("{:.1} × {}", lead.ratio, lead.best),
        colour: Colour::Matchbook,
        mark: lead.target,
    });
    let chart = Bars {
        title: format!("Matchbook's rate divided by that of the best peer, {at} connections"),
        bars: bars.collect(),
    };
    plot("lead", chart.draw())
}

fn fanout(of: &Fanout) -> Plot {
    let bars = of.rows.iter().map(|row| Bar {
        label: row.contender.to_string(),
        value: row.server_cpu_us_per_event,
        text: format!("{:.1} µs", row.server_cpu_us_per_event),
        colour: match row.contender {
            Broadcaster::Matchbook => Colour::Matchbook,
            Broadcaster::BareBroadcast => Colour::Ceiling,
            Broadcaster::Nchan => Colour::Files,
        },
        mark: None,
    });
    let subscribers = grouped(whole(of.subscribers as u64));
    let chart = Bars {
        title: format!("The server's processor time for one event, {subscribers} subscribers"),
        bars: bars.collect(),
    };
    plot("fanout", chart.draw())
}

fn wire(of: &Wire) -> Plot {
    let bars = of.rows.iter().flat_map(|row| {
        let shares = [("", row.share), (", in gzip", row.gzip_share)];
        shares.map(|(how, share)| Bar {
            label: format!("{}{how}", row.name()),
            value: share,
            text: format!("{:.2} %", share * 100.0),
            colour: Colour::Matchbook,
            mark: None,
        })
    });
    let chart = Bars {
        title: "Bytes to one subscriber, as a share of sending whole documents".to_owned(),
        bars: bars.collect(),
    };
    plot("wire", chart.draw())
}

/// The starts of all sizes: of the smallest those beside the next.
pub(super) fn starts(all: &[Growth]) -> impl Iterator<Item = &Starts> {
    let smallest = all.first().and_then(|first| first.starts.first());
    let others = all.iter().filter_map(|of| of.starts.last());
    smallest.into_iter().chain(others)
}

/// The median latency over the number of documents.
fn growth(all: &[Growth]) -> Plot {
    const COLOURS: [Colour; 4] = [
        Colour::First,
        Colour::Matchbook,
        Colour::Second,
        Colour::Third,
    ];
    let first = all.first();
    let sizes = first.map(|of| of.sizes[0]).into_iter();
    let sizes = sizes.chain(all.iter().map(|of| of.sizes[1]));
    let rows = first.into_iter().flat_map(|of| &of.rows);
    let lines = rows.zip(COLOURS.into_iter().cycle()).map(|(row, colour)| {
        let same = |other: &&crate::growth::Row| {
            (other.work, other.connections) == (row.work, row.connections)
        };
        let many = all
            .iter()
            .map(|of| of.rows.iter().find(same).map(|row| row.p50_us[1]));
        Line {
            name: format!("{}, {} connections", row.work, row.connections),
            colour,
            values: std::iter::once(Some(row.p50_us[0])).chain(many).collect(),
            is_dashed: false,
        }
    });
    let chart = Lines {
        title: "Median latency of Matchbook, µs".to_owned(),
        places_title: "documents".to_owned(),
        places: sizes.map(|size| grouped(whole(size))).collect(),
        lines: lines.collect(),
    };
    plot("growth", chart.draw())
}

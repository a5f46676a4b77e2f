//! Matchbook against the best of those that somebody would choose in its place, and what it
//! has to reach.

use serde::{Deserialize, Serialize};

use crate::cell::{median, ratio};
use crate::compare::{Plan, Record};
use crate::contender::Contender;
use crate::work::Work;

/// One kind of work over so many connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Lead {
    pub(crate) work: Work,
    pub(crate) connections: usize,
    /// Who has the highest median.
    pub(crate) best: Contender,
    /// Matchbook's rate divided by the highest of a round; the median of the rounds.
    pub(crate) ratio: f64,
    /// What it has to be at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<f64>,
}

/// What the ratio to the best peer has to be.
const TARGETS: [(Work, f64); 3] = [(Work::Put, 5.0), (Work::Get, 3.0), (Work::NotModified, 3.0)];

/// Where it has to be so.
const TARGET_CONNECTIONS: usize = 64;

/// All of them, in the order of the plan.
pub(crate) fn leads(plan: &Plan, records: &[Record]) -> Vec<Lead> {
    let cells = plan
        .work
        .iter()
        .flat_map(|&work| plan.connections.iter().map(move |&count| (work, count)));
    cells
        .filter_map(|(work, connections)| lead(work, connections, records))
        .collect()
}

/// One of them, unless Matchbook or all peers cannot do that.
fn lead(work: Work, connections: usize, records: &[Record]) -> Option<Lead> {
    let here = |record: &&Record| (record.work, record.connections) == (work, connections);
    let of_peers = || {
        records
            .iter()
            .filter(here)
            .filter(|r| r.contender.is_peer())
    };
    let rate = |record: &Record| record.cell.requests_per_second;
    let median_of = |peer: Contender| median(of_peers().filter(|r| r.contender == peer).map(rate));
    let best = Contender::ALL
        .into_iter()
        .filter(|contender| contender.is_peer())
        .max_by(|a, b| median_of(*a).total_cmp(&median_of(*b)))?;
    let matchbook = records.iter().filter(here);
    let matchbook = matchbook.filter(|record| record.contender == Contender::Matchbook);
    let ratios: Vec<f64> = matchbook
        .filter_map(|record| {
            let rates = of_peers()
                .filter(|peer| peer.round == record.round)
                .map(rate);
            Some(ratio(rate(record), rates.max_by(f64::total_cmp)?))
        })
        .collect();
    let target = TARGETS.iter().find(|(of, _)| *of == work);
    let target = target.filter(|_| connections == TARGET_CONNECTIONS);
    (!ratios.is_empty()).then(|| Lead {
        work,
        connections,
        best,
        ratio: median(ratios),
        target: target.map(|(_, target)| *target),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::record;

    #[test]
    fn the_lead_is_over_the_best_peer_of_each_round() {
        let records = [
            record(0, Contender::Matchbook, 100.0, 1.0),
            record(0, Contender::Express, 10.0, 1.0),
            record(0, Contender::Etcd, 20.0, 1.0),
            record(0, Contender::Nginx, 90.0, 1.0),
            record(1, Contender::Matchbook, 100.0, 1.0),
            record(1, Contender::Express, 50.0, 1.0),
            record(1, Contender::Etcd, 20.0, 1.0),
        ];
        let lead = lead(Work::Put, 1, &records).unwrap();
        assert_eq!(lead.best, Contender::Express);
        assert!((lead.ratio - 3.5).abs() < 1e-9);
        assert_eq!(lead.target, None);
        assert!(super::lead(Work::Put, 64, &records).is_none());
    }
}

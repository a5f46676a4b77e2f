//! Which elements of an array stay, when others come and go.
//!
//! The ends that agree are cut off first. Between them a longest common subsequence is
//! found with E. W. Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its
//! Variations", 1986), as long as its cost stays within bounds; else the elements that
//! occur once in each array, in an order that both have, must do.

use std::collections::BTreeMap;

use crate::json::scan::{compact, same_tokens};

/// What to do at the next element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It stays as it is.
    Keep,
    /// It becomes the new one in its place.
    Change,
    /// It goes.
    Remove,
    /// A new one comes in front of it.
    Add,
}

/// Most differences that are looked for: their square bounds time and memory.
const DIFFERENCES: usize = 1_000;

/// Bound for elements times differences, for long arrays.
const COMPARISONS: usize = 32_000_000;

/// The number of elements that agree at the beginning, and the steps behind them up to
/// those that agree at the end. `pair` gives the steps for a gap in which nothing stays.
pub(super) fn steps(
    old: &[&str],
    new: &[&str],
    mut pair: impl FnMut(&[&str], &[&str]) -> Vec<Step>,
) -> (usize, Vec<Step>) {
    let pairs = old.iter().zip(new);
    let head = pairs.take_while(|(x, y)| same_tokens(x, y)).count();
    let old = old.get(head..).unwrap_or_default();
    let new = new.get(head..).unwrap_or_default();
    let pairs = old.iter().rev().zip(new.iter().rev());
    let tail = pairs.take_while(|(x, y)| same_tokens(x, y)).count();
    let old = old.get(..old.len() - tail).unwrap_or_default();
    let new = new.get(..new.len() - tail).unwrap_or_default();
    let mut steps = Vec::new();
    let (mut i, mut j) = (0, 0);
    let end = (old.len(), new.len());
    for (next_i, next_j) in common(old, new).into_iter().chain([end]) {
        let gap_old = old.get(i..next_i).unwrap_or_default();
        let gap_new = new.get(j..next_j).unwrap_or_default();
        if gap_old.is_empty() || gap_new.is_empty() {
            steps.extend(in_order(gap_old.len(), gap_new.len()));
        } else {
            steps.extend(pair(gap_old, gap_new));
        }
        steps.push(Step::Keep);
        (i, j) = (next_i + 1, next_j + 1);
    }
    // The step of `end`.
    steps.pop();
    (head, steps)
}

/// The steps that pair the first with the first, and so on.
pub(super) fn in_order(old: usize, new: usize) -> Vec<Step> {
    let mut steps = vec![Step::Change; old.min(new)];
    steps.resize(
        old.max(new),
        if old > new { Step::Remove } else { Step::Add },
    );
    steps
}

/// The steps that make the shortest patch, where an operation without its value has
/// `frame` bytes, and a change as many as `cost` says.
pub(super) fn cheapest(
    old: &[&str],
    new: &[&str],
    frame: usize,
    mut cost: impl FnMut(&str, &str) -> usize,
) -> Vec<Step> {
    // Row by row: the cost of the cheapest way to each place, and its last step.
    let mut above: Vec<(usize, Vec<Step>)> = vec![(0, Vec::new())];
    let grown = |way: &(usize, Vec<Step>), cost: usize, step: Step| {
        let mut steps = way.1.clone();
        steps.push(step);
        (way.0 + cost, steps)
    };
    for y in new {
        let last = above
            .last()
            .map(|way| grown(way, frame + y.len(), Step::Add));
        above.extend(last);
    }
    for x in old {
        let mut row: Vec<(usize, Vec<Step>)> = Vec::with_capacity(above.len());
        row.extend(above.first().map(|way| grown(way, frame, Step::Remove)));
        for (window, y) in above.windows(2).zip(new) {
            let (Some(diagonal), Some(up), Some(left)) =
                (window.first(), window.last(), row.last())
            else {
                break;
            };
            let change = (diagonal.0 + cost(x, y), diagonal, Step::Change);
            let remove = (up.0 + frame, up, Step::Remove);
            let add = (left.0 + frame + y.len(), left, Step::Add);
            let best = [change, remove, add].into_iter().min_by_key(|way| way.0);
            let best = best.map(|(total, way, step)| grown(way, total - way.0, step));
            row.extend(best);
        }
        above = row;
    }
    above.pop().map(|(_, steps)| steps).unwrap_or_default()
}

/// Indices of elements that are alike, in an order that both arrays have.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.is_empty() || new.is_empty() || old.len() == 1 && new.len() == 1 {
        return Vec::new();
    }
    let old: Vec<String> = old.iter().map(|value| compact(value)).collect();
    let new: Vec<String> = new.iter().map(|value| compact(value)).collect();
    let mut numbers = BTreeMap::new();
    let mut number = |value| {
        let next = numbers.len();
        *numbers.entry(value).or_insert(next)
    };
    let old: Vec<usize> = old.iter().map(&mut number).collect();
    let new: Vec<usize> = new.iter().map(&mut number).collect();
    longest(&old, &new).unwrap_or_else(|| unique(&old, &new))
}

/// A longest common subsequence; `None` if finding it costs too much.
fn longest(old: &[usize], new: &[usize]) -> Option<Vec<(usize, usize)>> {
    let total = old.len() + new.len();
    let most = total.min(DIFFERENCES).min(COMPARISONS / total);
    // `reach[k]`: how far in `old` one gets on diagonal `k - most - 1` (the place in
    // `old` less that in `new`) with the present number of differences.
    let mut reach = vec![0_usize; 2 * most + 3];
    let mut history: Vec<Vec<usize>> = Vec::new();
    let origin = most + 1;
    for differences in 0..=most {
        let low = origin - differences;
        for diagonal in (low..=origin + differences).step_by(2) {
            let down = *reach.get(diagonal + 1)?;
            let right = *reach.get(diagonal - 1)?;
            let mut i = if diagonal == low || diagonal != origin + differences && right < down {
                down
            } else {
                right + 1
            };
            let mut j = (i + origin).checked_sub(diagonal)?;
            while old.get(i).is_some_and(|value| new.get(j) == Some(value)) {
                (i, j) = (i + 1, j + 1);
            }
            *reach.get_mut(diagonal)? = i;
            if i >= old.len() && j >= new.len() {
                return trace(&history, origin, old.len(), new.len());
            }
        }
        history.push(reach.get(low..=origin + differences)?.to_vec());
    }
    None
}

/// Walks back through what [`longest`] has reached.
fn trace(
    history: &[Vec<usize>],
    origin: usize,
    old: usize,
    new: usize,
) -> Option<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    let (mut i, mut j) = (old, new);
    for (differences, reach) in history.iter().enumerate().rev() {
        // The round before had the diagonals from `low` on.
        let low = origin - differences;
        let diagonal = i + origin - j;
        let at = |diagonal: usize| {
            diagonal
                .checked_sub(low)
                .and_then(|at| reach.get(at))
                .copied()
        };
        let (down, right) = (at(diagonal + 1), at(diagonal - 1));
        let (from_i, from_j) = match (down, right) {
            (Some(down), right) if right.is_none_or(|right| right < down) => {
                (down, down + origin - (diagonal + 1))
            }
            (_, Some(right)) => (right, right + origin - (diagonal - 1)),
            _ => return None,
        };
        while i > from_i && j > from_j {
            (i, j) = (i - 1, j - 1);
            pairs.push((i, j));
        }
        (i, j) = (from_i, from_j);
    }
    while i > 0 && j > 0 {
        (i, j) = (i - 1, j - 1);
        pairs.push((i, j));
    }
    pairs.reverse();
    Some(pairs)
}

/// The longest row of elements that occur once in each array, in the order of both.
fn unique(old: &[usize], new: &[usize]) -> Vec<(usize, usize)> {
    let (old, new) = (singles(old), singles(new));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (value, i) in &old {
        pairs.extend(new.get(value).map(|j| (*i, *j)));
    }
    pairs.sort_unstable();
    // `piles[n]`: of the rows with n + 1 pairs, the one that ends leftmost in `new`.
    let mut piles: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::new();
    for (index, (_, j)) in pairs.iter().enumerate() {
        let ends_before = |pile: &usize| pairs.get(*pile).is_some_and(|pair| pair.1 < *j);
        let length = piles.partition_point(ends_before);
        previous.push(length.checked_sub(1).and_then(|at| piles.get(at)).copied());
        match piles.get_mut(length) {
            Some(pile) => *pile = index,
            None => piles.push(index),
        }
    }
    let step = |&index: &usize| previous.get(index).copied().flatten();
    let row = std::iter::successors(piles.last().copied(), step);
    let mut row: Vec<_> = row.filter_map(|index| pairs.get(index).copied()).collect();
    row.reverse();
    row
}

/// Where each value is that occurs once.
fn singles(values: &[usize]) -> BTreeMap<usize, usize> {
    let mut places = BTreeMap::new();
    for (place, value) in values.iter().enumerate() {
        let entry = places.entry(*value).or_insert(Some(place));
        if *entry != Some(place) {
            *entry = None;
        }
    }
    let single = |(value, place): (usize, Option<usize>)| Some((value, place?));
    places.into_iter().filter_map(single).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The length of a longest common subsequence, by the textbook.
    fn length(old: &[usize], new: &[usize]) -> usize {
        let mut above = vec![0; new.len() + 1];
        for x in old {
            let mut row = vec![0];
            for (j, y) in new.iter().enumerate() {
                row.push(if x == y {
                    above[j] + 1
                } else {
                    above[j + 1].max(row[j])
                });
            }
            above = row;
        }
        above[new.len()]
    }

    fn assert_common(pairs: &[(usize, usize)], old: &[usize], new: &[usize]) {
        assert!(pairs.iter().all(|&(i, j)| old[i] == new[j]));
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
    }

    proptest! {
        #[test]
        fn a_longest_common_subsequence_is_found(
            old in prop::collection::vec(0..5_usize, 1..20),
            new in prop::collection::vec(0..5_usize, 1..20),
        ) {
            let pairs = longest(&old, &new).unwrap();
            assert_common(&pairs, &old, &new);
            prop_assert_eq!(pairs.len(), length(&old, &new));
        }

        #[test]
        fn what_occurs_once_keeps_its_order(
            old in prop::collection::vec(0..20_usize, 1..20),
            new in prop::collection::vec(0..20_usize, 1..20),
        ) {
            let pairs = unique(&old, &new);
            assert_common(&pairs, &old, &new);
            let once = |values: &[usize], value| values.iter().filter(|v| **v == value).count() == 1;
            let single = |values: &[usize], others: &[usize]| -> Vec<usize> {
                values.iter().copied().filter(|v| once(values, *v) && once(others, *v)).collect()
            };
            prop_assert_eq!(pairs.len(), length(&single(&old, &new), &single(&new, &old)));
        }
    }
}

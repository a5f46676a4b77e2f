//! What a process has used, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The processor time of process `pid` so far, in user and kernel, of all its
/// threads, with those that have ended.
///
/// # Errors
/// There is no such process.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    Ok(times(pid)?.own)
}

/// The processor time of process `pid` and its children so far, with those that it has
/// waited for.
///
/// # Errors
/// There is no such process.
pub(crate) fn family_cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let first = times(pid)?;
    let children = family(pid).into_iter().skip(1);
    // One that has ended since is counted with its parent the next time.
    let children = children.filter_map(|child| times(child).ok());
    let all = std::iter::once(first).chain(children);
    Ok(all.map(|times| times.own + times.of_ended).sum())
}

/// Processor times, in user and kernel together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    own: Duration,
    /// Of children that were waited for.
    of_ended: Duration,
}

fn times(pid: u32) -> anyhow::Result<Times> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let [own, of_ended] = cpu_ticks(&stat).with_context(|| format!("cannot understand {path}"))?;
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / ticks_per_second);
    Ok(Times {
        own: time(own),
        of_ended: time(of_ended),
    })
}

/// Fields 14 to 17. The second field is the program's name in parentheses, which may
/// itself hold spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<[u64; 2]> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let own = next()? + next()?;
    Some([own, next()? + next()?])
}

/// The resident memory of process `pid`, in bytes.
///
/// # Errors
/// There is no such process.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// Process `pid` and its children: a server may work in processes of its own.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children = children.split_ascii_whitespace();
    let children = children.filter_map(|child| child.parse().ok());
    std::iter::once(pid).chain(children).collect()
}

/// The processor time of processes, in all.
///
/// # Errors
/// One of them is gone.
pub(crate) fn cpu_time_of(pids: &[u32]) -> anyhow::Result<Duration> {
    pids.iter().map(|&pid| cpu_time(pid)).sum()
}

/// The resident memory of processes, in bytes. What several share counts once, and one
/// that has ended meanwhile has none.
///
/// # Errors
/// There is none of them.
pub(crate) fn resident_bytes_of(pids: &[u32]) -> anyhow::Result<u64> {
    match pids {
        [pid] => resident_bytes(*pid),
        [first, others @ ..] => {
            let others = others.iter().filter_map(|&pid| shared_bytes(pid).ok());
            Ok(shared_bytes(*first)? + others.sum::<u64>())
        }
        [] => Ok(0),
    }
}

/// The resident memory of process `pid`, of each shared page its share.
fn shared_bytes(pid: u32) -> anyhow::Result<u64> {
    bytes_in(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// The most memory that process `pid` ever had resident, in bytes.
///
/// # Errors
/// There is no such process.
pub(crate) fn peak_resident_bytes(pid: u32) -> anyhow::Result<u64> {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, name: &str) -> anyhow::Result<u64> {
    bytes_in(&format!("/proc/{pid}/status"), name)
}

/// What the line `name` of a file tells, in kB.
fn bytes_in(path: &str, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let kibibytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{path} has no {name}"))?;
    Ok(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_after_a_hostile_name() {
        let stat = "12 (a ) b) S 1 12 12 0 -1 4194560 1 0 0 0 31 11 5 2 20 0 4 0 99";
        assert_eq!(cpu_ticks(stat), Some([42, 7]));
        assert_eq!(cpu_ticks("12 (a"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).unwrap() > 0);
        assert!(peak_resident_bytes(pid).unwrap() >= resident_bytes(pid).unwrap() / 2);
        cpu_time(pid).unwrap();
        assert!(shared_bytes(pid).unwrap() > 0);
        assert_eq!(family(pid).first(), Some(&pid));
    }
}

//! CPU time and memory of a process, from `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// CPU time by thread, in ns, of a process and its children.
#[derive(Debug, Default)]
pub(super) struct Cpu(BTreeMap<u32, u64>);

impl Cpu {
    /// User and system time so far. The scheduler counts it in ns (`schedstat`), while
    /// `/proc/PID/stat` has ticks of 10 ms, too coarse for what a second's idling costs.
    pub(super) fn of(pid: u32) -> Self {
        let mut cpu = Self::default();
        cpu.add(pid);
        cpu
    }

    fn add(&mut self, pid: u32) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let Some(tid) = task.file_name().to_str().and_then(|tid| tid.parse().ok()) else {
                continue;
            };
            let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let ns = schedstat.split(' ').next().and_then(|ns| ns.parse().ok());
            self.0.insert(tid, ns.unwrap_or_default());
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                self.add(child);
            }
        }
    }

    /// Seconds of CPU time since an earlier reading. A thread that ended in between is not counted;
    /// those of the gateway and the floors do not end.
    pub(super) fn seconds_since(&self, earlier: &Self) -> f64 {
        let before = |tid| earlier.0.get(tid).copied().unwrap_or_default();
        let ns: u64 = self.0.iter().map(|(tid, ns)| ns.saturating_sub(before(tid))).sum();
        ns as f64 / 1e9
    }
}

/// Resident memory in bytes.
pub(super) fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_takes_is_seen() {
        let pid = std::process::id();
        let before = Cpu::of(pid);
        let mut sum = 0u64;
        for number in 0..20_000_000u64 {
            sum = std::hint::black_box(sum.wrapping_add(number));
        }
        assert!(Cpu::of(pid).seconds_since(&before) > 0.001, "{sum}");
        assert!(resident_bytes(pid) > 1 << 20);
    }
}

//! The metrics that every process has, by the names that Prometheus gives them, from the process file
//! system of Linux. Elsewhere there are none.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::line;
use crate::process_stat::{TICKS_PER_SECOND, cpu_seconds, field, nth, own, resident_bytes};

struct Row {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: Option<f64>,
}

pub(super) fn render(text: &mut String) {
    let (stat, status) = (own("stat"), own("status"));
    let system = fs::read_to_string("/proc/stat").unwrap_or_default();
    for Row { name, kind, help, value } in rows(&stat, &status, &system) {
        let Some(value) = value else { continue };
        line(text, format_args!("# HELP {name} {help}"));
        line(text, format_args!("# TYPE {name} {kind}"));
        line(text, format_args!("{name} {value}"));
    }
}

fn rows(stat: &str, status: &str, system: &str) -> [Row; 7] {
    let row = |name, kind, help, value| Row { name, kind, help, value };
    let virtual_bytes = || Some(field(status, "VmSize:")? * 1024.0);
    let start = nth(stat, 22).zip(field(system, "btime"));
    let start = start.map(|(ticks, boot)| boot + ticks / TICKS_PER_SECOND);
    [
        row(
            "process_cpu_seconds_total",
            "counter",
            "Time of the CPU that the process has used.",
            cpu_seconds(stat),
        ),
        row(
            "process_resident_memory_bytes",
            "gauge",
            "Memory of the process that is in RAM.",
            resident_bytes(status),
        ),
        row(
            "process_virtual_memory_bytes",
            "gauge",
            "Address space of the process.",
            virtual_bytes(),
        ),
        row("process_threads", "gauge", "Threads of the process.", field(status, "Threads:")),
        row("process_open_fds", "gauge", "Open files and connections.", open_files()),
        row("process_max_fds", "gauge", "The most that the process may open.", files_max()),
        row(
            "process_start_time_seconds",
            "gauge",
            "Unix time at which the process started.",
            start,
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a process has fewer than 2^53 files")]
fn open_files() -> Option<f64> {
    // One of them is the folder that is read.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "a limit is shown well enough in 53 bits")]
fn files_max() -> Option<f64> {
    getrlimit(Resource::Nofile).current.map(|files| files as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) b) (c) R 4 5 6 7 8 9 10 11 12 13 140 160 16 17 18 19 20 21 4200 23";
        let status = "Name:\ta\nVmSize:\t    3060 kB\nVmRSS:\t    1736 kB\nThreads:\t5\n";
        let rows = rows(stat, status, "cpu 1 2\nbtime 1000\n");
        let value = |name: &str| rows.iter().find(|row| row.name == name).unwrap().value.unwrap();
        let expected = [
            ("process_cpu_seconds_total", 3.0),
            ("process_resident_memory_bytes", 1736.0 * 1024.0),
            ("process_virtual_memory_bytes", 3060.0 * 1024.0),
            ("process_threads", 5.0),
            ("process_start_time_seconds", 1042.0),
        ];
        for (name, expected) in expected {
            assert!((value(name) - expected).abs() < 1e-9, "{name}: {}", value(name));
        }
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert!(rows("", "", "").iter().filter(|row| row.value.is_some()).count() <= 2);
        assert!(rows("7 (a) R", "VmRSS:", "btime x")[0].value.is_none());
    }
}

//! The limit on open files.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{FINE, folder};

/// Output of `check` with these limits on open files, soft and hard.
fn check(folder: &Path, limits: &str) -> String {
    let script = format!("{limits} && exec \"$0\" check 2>&1");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_dragoman")])
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("there is a shell");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

#[test]
fn a_hard_limit_below_the_connections_is_a_warning() {
    let some = folder(&format!("{FINE}connections_max = 500\n"));
    let all = folder(&format!("{FINE}connections_max = 0\n"));
    let warning = "warning: connections_max allows 500 connections in all, but the process may \
                   open only 512 files, one for each connection; raise the hard limit (ulimit -n, \
                   LimitNOFILE=) or lower connections_max\n";
    assert!(check(some.path(), "ulimit -n 512").contains(warning));
    assert!(!check(some.path(), "ulimit -n 600").contains("warning"));
    // Only the soft limit is low, and the gateway raises it.
    assert!(!check(some.path(), "ulimit -Sn 100 && ulimit -Hn 600").contains("warning"));
    let said = check(all.path(), "ulimit -n 512");
    assert!(said.contains("frontends.channel.connections_max = 0 allows any number"), "{said}");
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one_at_start() {
    let folder = folder(FINE);
    let script = "ulimit -Sn 100 && exec \"$0\"";
    let mut gateway = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_dragoman")])
        .current_dir(folder.path())
        .env_clear()
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let stderr = gateway.stderr.as_mut().expect("it is piped");
    let mut log = BufReader::new(stderr).lines();
    assert!(log.any(|line| line.expect("it logs").contains("listening")));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id()));
    gateway.kill().expect("it runs");
    gateway.wait().expect("it ends");
    let limits = limits.expect("Linux has it");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let values: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(values[0], values[1], "{line}");
}

//! The limit on open files.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

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

/// Starts the gateway with so many open files; returns it with its log, and where it listens: a front
/// end and the admin listener.
fn start(folder: &Path, files: u32) -> (Child, BufReader<ChildStderr>, [SocketAddr; 2]) {
    let mut gateway = Command::new("sh")
        .args(["-c", &format!("ulimit -n {files} && exec \"$0\"")])
        .arg(env!("CARGO_BIN_EXE_dragoman"))
        .current_dir(folder)
        .env_clear()
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut log = BufReader::new(gateway.stderr.take().expect("it is piped"));
    let mut addresses = [None, None];
    while addresses.contains(&None) {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("it logs") > 0, "it has ended");
        let line: Value = serde_json::from_str(&line).expect("a line of JSON");
        let fields = &line["fields"];
        if fields["message"] == "listening" {
            let address = fields["address"].as_str().expect("an address");
            let place = usize::from(fields["frontend"] == "admin");
            addresses[place] = Some(address.parse().expect("an address"));
        }
    }
    (gateway, log, addresses.map(|address| address.expect("both listen")))
}

#[test]
fn a_reserve_of_open_files_is_for_the_admin_listener() {
    const FILES: u32 = 128;
    let toml = "[server.log]\nformat = \"json\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let folder = folder(&format!("{toml}{FINE}"));
    let (mut gateway, mut log, [channel, admin]) = start(folder.path(), FILES);
    let connect = || TcpStream::connect(channel).expect("the system takes it");
    let silent: Vec<TcpStream> = (0..FILES).map(|_| connect()).collect();
    // From here on it takes no more of them.
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("it logs") > 0, "it has ended");
        if line.contains("cannot accept a connection for now") {
            assert!(line.contains("the last open files are kept for other uses"), "{line}");
            break;
        }
    }
    for _ in 0..3 {
        let mut stream = TcpStream::connect(admin).expect("the system takes it");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a socket");
        stream.write_all(b"GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n").expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    }
    drop(silent);
    gateway.kill().expect("it runs");
    gateway.wait().expect("it ends");
}

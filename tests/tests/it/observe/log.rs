//! The log: how a run begins and ends, and what peers do wrong.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;

use gateway_tests::{Channel, Gateway, Http, Irc, Launch, connect_from, foreign};
use serde_json::json;

use super::{ALL, ops};

/// What no line of the log may have.
const SECRET: &str = "my secret guess";

/// Clients of this machine; 127.0.0.1 is a proxy.
const MALFORMED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const HARMLESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// What a peer sends to have another one banned.
const FORGED: &str = "INFO dragoman::peers: peer faults peer=198.51.100.1 sign_in=99 malformed=0 \
                      refused=0 limited=0 frontend=\"irc\"";

/// The gateway with its log as text or JSON, and where its front ends are.
fn start(format: &str) -> (Gateway, impl Fn(&str) -> SocketAddr) {
    let proxied = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[server.log]";
    let toml = ALL.replacen("[server.log]", proxied, 1);
    let gateway = if format == "json" {
        Gateway::start(&toml)
    } else {
        Launch::of(&toml.replacen("\"json\"", "\"text\"", 1)).spawn()
    };
    let is_json = format == "json";
    let ports: Vec<(String, SocketAddr)> = ["channel", "irc"]
        .into_iter()
        .map(|frontend| {
            let name = match is_json {
                true => format!("\"frontend\":\"{frontend}\""),
                false => format!("frontend=\"{frontend}\""),
            };
            let line = gateway.log().wait_for_line(&["listening", &name, "address"]);
            let rest = line.split("address").nth(1).expect("it has one");
            let rest = rest.trim_start_matches(['=', '"', ':']);
            let end = rest.find(['"', ' ']).unwrap_or(rest.len());
            (frontend.to_owned(), rest[..end].parse().expect("an address"))
        })
        .collect();
    let address = move |frontend: &str| {
        ports.iter().find(|(name, _)| name == frontend).expect("it listens").1
    };
    (gateway, address)
}

/// Has peers misbehave, ends the gateway, and returns all that it logged.
fn misbehave(format: &str) -> String {
    let (mut gateway, address) = start(format);
    Channel::enroll(address("channel"), "ann");
    let mut guess = Channel::connect(address("channel"));
    for _ in 0..6 {
        let body = json!({"name": "ann", "password": SECRET});
        let forwarded = ("X-Forwarded-For", "203.0.113.7");
        guess.try_call("/login", &body, &[forwarded]).expect("it is answered");
    }
    let malformed = connect_from(MALFORMED, address("channel"));
    let mut malformed = Http::over(malformed, address("channel"));
    for _ in 0..25 {
        let headers = [("Content-Type", "application/json")];
        let answer = malformed.request("POST", "/login", &headers, b"{\"nonsense");
        assert_ne!(answer.status, 200);
    }
    let mut harmless = Irc::over(connect_from(HARMLESS, address("irc")));
    harmless.send("NICK bob");
    harmless.send(&format!("USER bob 0 * :\u{1b}[31m {FORGED}"));
    harmless.receive_until(" 422 ");
    harmless.send(&format!("FROB {FORGED}"));
    harmless.receive_until(" 421 ");
    drop(harmless);
    assert_eq!(gateway.terminate(), 0);
    assert!(gateway.log().wait_for_end());
    gateway.log().text()
}

fn lines<'a>(log: &'a str, parts: &[&str]) -> Vec<&'a str> {
    log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
}

#[test]
fn peers_that_misbehave_are_found_by_fault_and_summed_up_by_peer() {
    let log = misbehave("text");
    assert!(!log.contains(SECRET), "{log}");
    assert!(log.chars().all(|it| it == '\n' || !it.is_control()), "{log:?}");
    let fault = "DEBUG dragoman::peers: peer fault";
    let guesses =
        ["peer=203.0.113.7 frontend=\"channel\" fault=\"sign_in\" reason=\"wrong password\""];
    assert_eq!(lines(&log, &[fault, guesses[0]]).len(), 6, "{log}");
    assert!(lines(&log, &[fault, "peer=127.0.0.2", "fault=\"malformed\""]).len() >= 25, "{log}");
    let unknown = "fault=\"malformed\" reason=\"an unknown command\"";
    assert_eq!(lines(&log, &[fault, "peer=127.0.0.3 frontend=\"irc\"", unknown]).len(), 1, "{log}");

    let summary = " INFO dragoman::peers: peer faults peer=";
    assert_eq!(lines(&log, &[summary]).len(), 3, "{log}");
    assert_eq!(lines(&log, &[summary, "=203.0.113.7 sign_in=6 malformed=0"]).len(), 1, "{log}");
    assert_eq!(lines(&log, &[summary, "=127.0.0.2 sign_in=0 malformed=25"]).len(), 1, "{log}");
    assert_eq!(lines(&log, &[summary, "=127.0.0.3 sign_in=0 malformed=1 "]).len(), 1, "{log}");
}

#[test]
fn fail2ban_reads_the_summaries_and_nothing_that_peers_write() {
    for format in ["text", "json"] {
        let log = misbehave(format);
        let Some(found) = filtered(&log) else { return };
        assert_eq!(found, ["127.0.0.2", "203.0.113.7"], "{format}: {log}");
        // As journald shows them.
        let journal = |line: &str| format!("Nov 28 22:11:25 host dragoman[7]: {line}\n");
        let journal: String = log.lines().map(journal).collect();
        let journal = journal.replace("Nov 28 22:11:25 ", "");
        assert_eq!(filtered(&journal).expect("python is there"), found, "{format}");
        matches_fail2ban(&log);
    }
}

/// The addresses that the expressions of the filter find. fail2ban's are Python's, with words for
/// addresses, and it removes the first time from a line.
fn filtered(log: &str) -> Option<Vec<String>> {
    const SCRIPT: &str = r#"
import configparser, re, sys
filters = configparser.ConfigParser()
filters.read(sys.argv[1])
rules = filters["Definition"]["failregex"].split("\n")
rules = [re.compile(rule.strip().replace("<ADDR>", "(?P<ip>[0-9A-Fa-f.:]+)")) for rule in rules]
date = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
for line in sys.stdin:
    line = date.sub("", line.rstrip("\n"), count=1)
    print("\n".join(found["ip"] for found in (rule.search(line) for rule in rules) if found))
"#;
    let mut python = foreign::command("python3")?;
    let python = python.arg("-c").arg(SCRIPT).arg(ops("fail2ban/filter.d/dragoman.conf"));
    let python = python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("it has just been found");
    // Dropped at the end of the statement: the script reads to the end.
    python.stdin.take().expect("it is piped").write_all(log.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let found = String::from_utf8(output.stdout).expect("addresses are ASCII");
    Some(found.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The same by fail2ban itself.
fn matches_fail2ban(log: &str) {
    let Some(mut command) = foreign::command("fail2ban-regex") else { return };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("dragoman.log");
    std::fs::write(&file, log).expect("it is writable");
    let command = command.arg(&file).arg(ops("fail2ban/filter.d/dragoman.conf"));
    let said = foreign::run(command);
    assert!(said.contains(" 2 matched"), "{said}");
}

#[test]
fn a_run_begins_with_what_it_runs_on_and_ends_with_stopped() {
    let (mut gateway, _) = start("text");
    gateway.log().wait_for_line(&["INFO", " ready took_ms=", "frontends=6 listening=6"]);
    assert_eq!(gateway.terminate(), 0);
    assert!(gateway.log().wait_for_end());
    let log = gateway.log().text();
    let first = log.lines().next().expect("it logs");
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    for part in ["dragoman starts", &version, "configuration=", "gateway.toml", "chat.redb"] {
        assert!(first.contains(part), "{part} in {first}");
    }
    let expected = [
        ("token", "listen", "tcp"),
        ("usr_room", "listen", "http"),
        ("chatroom", "listen", "http"),
        ("chatroom", "websocket_listen", "websocket"),
        ("ourchat", "listen", "websocket"),
        ("ourchat", "tcp_listen", "lines"),
        ("channel", "listen", "http"),
        ("irc", "listen", "lines"),
        ("admin", "listen", "http"),
    ];
    assert_eq!(lines(&log, &[": listening frontend="]).len(), expected.len(), "{log}");
    for (frontend, key, transport) in expected {
        let name = format!(" listening frontend=\"{frontend}\" listener=\"{key}\" address=");
        let over = format!(" transport=\"{transport}\" tls=false");
        assert_eq!(lines(&log, &[&name, &over]).len(), 1, "{name} {over}: {log}");
    }
    assert_eq!(lines(&log, &["the pages of the admin listener", "/api/"]).len(), 1, "{log}");
    let last = log.lines().last().expect("it logs");
    assert!(last.contains(" stopped served_s="), "{last}");
}

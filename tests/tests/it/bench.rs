//! `dragoman bench`, with loads so small that they are over at once.

use std::process::Command;

use gateway_tests::{Gateway, program};
use serde_json::Value;

/// Exit code, standard output and standard error.
fn bench(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(program::path()).arg("bench").args(arguments).output();
    let output = output.expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
    let code = output.status.code().expect("it exits by itself");
    (code, text(output.stdout), text(output.stderr))
}

fn with_test(rest: &str) -> Gateway {
    Gateway::start(&format!("[[rooms]]\nname = \"TEST\"\n{rest}"))
}

#[test]
fn the_bench_accounts_for_every_message_in_three_dialects_of_one_room() {
    let gateway = with_test(
        "[frontends.chatroom]\n[frontends.ourchat]\n[frontends.token]\n[frontends.channel]\n",
    );
    let at = |frontend, key| gateway.address(frontend, key);
    let chatroom = format!("ws://{}", at("chatroom", "websocket_listen"));
    let ourchat = format!("ourchat=ws://{}/", at("ourchat", "listen"));
    let token = format!("tcp://{}", at("token", "listen"));
    let channel = format!("channel=http://{}", at("channel", "listen"));
    let mut arguments: Vec<&str> =
        [&chatroom, &ourchat, &token, &channel].iter().flat_map(|url| ["--url", *url]).collect();
    arguments.extend(["--connections", "6", "--senders", "4", "--under-way", "3"]);
    arguments.extend(["--count", "30", "--seconds", "60", "--json"]);
    let (code, stdout, stderr) = bench(&arguments);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let said: Value = serde_json::from_str(&stdout).expect("it is JSON");
    let report = &said["report"];
    assert_eq!((&report["sent"], &report["delivered"]), (&30.into(), &180.into()), "{said}");
    for fault in ["refused", "lost", "doubled", "reordered", "misled", "ended"] {
        assert_eq!(report[fault], 0, "{fault}: {said}");
    }
}

#[test]
fn the_bench_makes_requests_and_prints_a_table() {
    let gateway = with_test("[frontends.chatroom]\n");
    let url = format!("http://{}/chatroom/list", gateway.address("chatroom", "listen"));
    let arguments = ["--url", &url, "--connections", "2", "--count", "10", "--expect", "TEST"];
    let (code, stdout, stderr) = bench(&arguments);
    assert_eq!(code, 0, "{stderr}");
    let line = stdout.lines().find(|line| line.starts_with("messages "));
    assert!(line.is_some_and(|line| line.contains(" 10 ")), "{stdout}");
}

#[test]
fn the_bench_says_why_it_cannot_begin() {
    // No process listens at the address of a closed listener.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let nowhere = format!("ws://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let (code, _, stderr) = bench(&["--url", &nowhere]);
    assert_eq!(code, 1);
    assert!(stderr.contains("is the gateway running, and listening there?"), "{stderr}");

    let gateway = with_test("[frontends.chatroom]\nconnections_max = 2\n");
    let url = format!("ws://{}", gateway.address("chatroom", "websocket_listen"));
    let (code, _, stderr) = bench(&["--url", &url, "--connections", "5"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("HTTP 503; connections_max"), "{stderr}");
    let (code, _, stderr) = bench(&["--url", "wss://127.0.0.1:1"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("TLS is not spoken"), "{stderr}");
}

#[test]
fn requests_over_the_limits_are_counted_but_not_as_faults() {
    let gateway = with_test("[frontends.chatroom]\nmessages_per_s = 1\nmessages_burst = 2\n");
    let url = format!("ws://{}", gateway.address("chatroom", "websocket_listen"));
    let arguments =
        ["--url", &url, "--connections", "2", "--rate", "1000", "--count", "50", "--json"];
    let (code, stdout, stderr) = bench(&arguments);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let said: Value = serde_json::from_str(&stdout).expect("it is JSON");
    let sent = said["report"]["sent"].as_u64();
    let refused = said["report"]["refused"].as_u64();
    let delivered = said["report"]["delivered"].as_u64();
    assert_eq!(sent, Some(50));
    assert!(refused.is_some_and(|refused| refused > 0), "{said}");
    // Both connections get what was not refused.
    assert_eq!(delivered, refused.map(|refused| (50 - refused) * 2), "{said}");
    assert_eq!(said["report"]["lost"], 0, "{said}");
}

//! The configurations of the container image and of Kubernetes, and the duties of process 1.

use std::fs;
use std::fs::File;
use std::process::{Command, Stdio};

use gateway_tests::log::Log;
use gateway_tests::{Launch, foreign, program};
use rustix::process::{Pid, Signal, kill_process};
use toml::Table;

fn shipped(path: &str) -> String {
    fs::read_to_string(program::workspace().join("packaging").join(path)).expect("it is shipped")
}

/// The ports on which the configuration has the gateway listen.
fn ports(config: &str) -> Vec<String> {
    let config: Table = config.parse().expect("it is TOML");
    let frontends = config["frontends"].as_table().expect("it has front ends");
    let keys = frontends.values().flat_map(|one| one.as_table().expect("a section"));
    let listens = keys.filter(|(key, _)| key.ends_with("listen"));
    let port = |text: &str| text.rsplit(':').next().expect("a port").to_owned();
    listens.map(|(_, address)| port(address.as_str().expect("an address"))).collect()
}

#[test]
fn the_configurations_are_valid_and_their_ports_are_published() {
    for (config, lists) in [
        ("container/gateway.toml", &["container/Dockerfile", "container/compose.yaml"][..]),
        ("kubernetes/gateway.toml", &["kubernetes/dragoman.yaml"]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut check = Command::new(program::path());
        check.arg("check").arg("--config").arg(program::workspace().join("packaging").join(config));
        let store = format!("store.path={}", folder.path().join("chat.redb").display());
        check.args(["--set", &store, "--set", "admin.listen=127.0.0.1:0"]);
        for (frontend, key) in [
            ("chatroom", "listen"),
            ("chatroom", "websocket_listen"),
            ("channel", "listen"),
            ("ourchat", "listen"),
            ("irc", "listen"),
        ] {
            if shipped(config).contains(&format!("[frontends.{frontend}]")) {
                check.args(["--set", &format!("frontends.{frontend}.{key}=0.0.0.0:0")]);
            }
        }
        foreign::run(&mut check);
        for list in lists {
            let list = shipped(list);
            for port in ports(&shipped(config)) {
                assert!(list.contains(&port), "{config}: {port}");
            }
        }
    }
}

#[test]
fn what_the_image_runs_is_a_command_line() {
    let dockerfile = shipped("container/Dockerfile");
    assert!(dockerfile.contains("CMD [\"/usr/bin/dragoman\", \"healthcheck\"]"));
    assert!(dockerfile.contains("ENTRYPOINT [\"/usr/bin/dragoman\"]\nCMD [\"serve\"]"));
    let help = foreign::run(Command::new(program::path()).args(["healthcheck", "--help"]));
    assert!(help.contains("--ready"), "{help}");
}

/// In a namespace of its own the gateway is process 1, as in a container.
#[test]
fn as_process_1_it_handles_signals_and_waits_for_orphans() {
    let Some(mut unshare) = foreign::command("unshare") else { return };
    let may = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: this user may not make a namespace");
    }
    let launch = Launch::of("[server.log]\nfilter = \"debug\"\n[frontends.channel]\n");
    let pipe = launch.folder().join("pipe");
    foreign::run(Command::new("mkfifo").arg(&pipe));
    // What reads the pipe becomes a child of process 1 that did not start it.
    let script = "cat pipe & exec \"$0\" --config gateway.toml serve";
    unshare.args(["--pid", "--fork", "--kill-child", "bash", "-c", script]).arg(program::path());
    unshare.current_dir(launch.folder()).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = unshare.spawn().expect("it has just been found");
    let log = Log::of(child.stderr.take().expect("it is piped"));
    log.wait_for_line(&["listening", "channel"]);
    drop(File::options().write(true).open(&pipe).expect("it is read from"));
    log.wait_for_line(&["an orphaned process has ended"]);

    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let children = fs::read_to_string(children).expect("it runs");
    let gateway = children.trim().parse().ok().and_then(Pid::from_raw).expect("one child");
    let own = fs::read_to_string(format!("/proc/{0}/task/{0}/children", gateway.as_raw_nonzero()));
    assert_eq!(own.expect("it runs"), "", "no zombie is left");
    kill_process(gateway, Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{}", log.text());
}

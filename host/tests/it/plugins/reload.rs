//! Plugins in a changed configuration.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use plugin_testkit::plugin;

use super::*;

/// A front end called `line`, loaded from a file.
fn line_from(path: &Path, lines: &str) -> String {
    format!(
        "{BESIDE}[frontends.line]\nplugin = {:?}\nlisten = \"127.0.0.1:0\"\n\
         http_listen = \"127.0.0.1:0\"\n{lines}\n",
        path.display().to_string()
    )
}

#[test]
fn another_path_is_loaded_beside_the_old_one_whose_connections_are_drained() {
    let folder = tempfile::tempdir().unwrap();
    let [former, other] = ["former.so", "other.so"].map(|name| folder.path().join(name));
    for path in [&former, &other] {
        std::fs::copy(plugin("faulty"), path).unwrap();
    }
    let mut gateway = Gateway::start(&line_from(&former, ""), 4);
    let mut beside = TcpStream::connect(gateway.address("channel.listen")).unwrap();
    let mut ask_beside = || {
        let request = "GET / HTTP/1.1\r\nhost: t\r\n\r\n";
        beside.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 16 * 1024];
        let len = beside.read(&mut answer).unwrap();
        assert!(answer[..len].starts_with(b"HTTP/1.1 404"), "the connection is there");
    };
    ask_beside();
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");

    let said = gateway.reload(&line_from(&former, ""));
    assert_eq!(said, [""; 0], "nothing has changed");
    assert_eq!(lines.ask("hello"), "fine\n");

    let said = gateway.reload(&line_from(&other, ""));
    let expected = "line: changed; draining its connections: plugin";
    assert_eq!(said[0], expected, "{said:?}");
    assert_eq!(lines.receive(), "", "it is drained");
    gateway.wait_until_drained(&said);
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");
    ask_beside();
    assert!(gateway.has_mapped(&former) && gateway.has_mapped(&other));

    let said = gateway.reload(BESIDE);
    assert_eq!(said[0], "line: disabled; draining its connections");
    assert_eq!(lines.receive(), "", "it is drained");
    gateway.wait_until_drained(&said);
    assert!(gateway.has_mapped(&other), "it is never unmapped");
    assert!(TcpStream::connect(gateway.address("line.listen")).is_err());
    ask_beside();
}

#[test]
fn a_file_renamed_over_another_is_loaded_and_one_overwritten_in_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [path, next] = ["line.so", "next.so"].map(|name| folder.path().join(name));
    std::fs::copy(plugin("faulty"), &path).unwrap();
    let mut gateway = Gateway::start(&line_from(&path, ""), 4);
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");
    std::fs::copy(plugin("faulty"), &next).unwrap();
    std::fs::rename(&next, &path).unwrap();
    let said = gateway.reload(&line_from(&path, ""));
    assert_eq!(said[0], "line: changed; draining its connections: plugin", "{said:?}");
    assert_eq!(lines.receive(), "", "it is drained");
    gateway.wait_until_drained(&said);
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");

    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"\0").unwrap();
    let said = gateway.reload(&line_from(&path, ""));
    assert!(said[0].contains("was overwritten while this gateway had it loaded"), "{said:?}");
    assert_eq!(lines.ask("hello"), "fine\n");
}

#[test]
fn a_plugin_that_cannot_be_loaded_or_refuses_its_options_changes_nothing() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut lines = gateway.lines();
    for (wrong, why) in [
        (line_from(Path::new("/nowhere/x.so"), ""), "there is no such file"),
        (format!("{BESIDE}{}", faulty("refuse = \"for a reason\"")), "for a reason"),
        (format!("{BESIDE}{}", faulty("panic_in = \"frontend_new\"")), "panicked"),
    ] {
        let said = gateway.reload(&wrong);
        assert!(said[0].contains(why), "{said:?}");
        assert_eq!(lines.ask("hello"), "fine\n");
    }
}

#[test]
fn a_plugin_that_was_taken_down_comes_back_when_its_section_changes() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    for _ in 0..31 {
        assert_eq!(gateway.lines().ask("panic"), "");
    }
    let down = |said: &str| said.starts_with("taken down");
    gateway.read_until(down);
    gateway.reload(&format!("{BESIDE}{}", faulty("")));
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 0, "nothing has changed");
    gateway.reload(&format!("{BESIDE}{}", faulty("room_capacity = 7")));
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 1);
    assert_eq!(gateway.lines().ask("hello"), "fine\n");
    // Its faults are counted anew, and spoken of again.
    assert_eq!(gateway.lines().ask("panic"), "");
    let panicked = |said: &str| said.contains("failed in session_handle");
    gateway.read_until(panicked);
    assert_eq!(gateway.lines().ask("hello"), "fine\n");
    let faults = "plugin_faults_total{frontend=\"faulty\",kind=\"panicked\"}";
    assert_eq!(gateway.metric(faults), 32);
}

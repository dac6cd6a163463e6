//! The systemd unit that is shipped.

use std::fs;
use std::path::Path;

use gateway_tests::{foreign, program};
use tempfile::TempDir;

fn unit() -> String {
    let path = program::workspace().join("packaging/systemd/dragoman.service");
    fs::read_to_string(path).expect("the unit is shipped")
}

/// The unit in a folder of its own; with the program that was built, which must be there.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program::path().to_str().expect("it is text");
    let text = unit().replace("/usr/bin/dragoman ", &format!("{program} "));
    assert!(text.contains(program), "ExecStart= names the program");
    fs::write(folder.path().join("dragoman.service"), text).expect("it is writable");
    let socket = "dragoman-web.socket";
    let shipped = program::workspace().join("packaging/systemd").join(socket);
    fs::copy(shipped, folder.path().join(socket)).expect("the example is shipped");
    folder
}

/// What `systemd-analyze verify` complains of in our files; it reads others as well.
fn complaints(folder: &Path, said: &str) -> Vec<String> {
    let own = folder.to_str().expect("it is text");
    let lines = said.lines().filter(|line| line.contains("dragoman") || line.contains(own));
    // Said by versions before 253, for which the line before it is.
    lines.filter(|line| !line.contains("notify-reload")).map(str::to_owned).collect()
}

#[test]
fn systemd_reads_the_units_without_a_complaint() {
    let folder = folder();
    for name in ["dragoman.service", "dragoman-web.socket"] {
        let Some(mut analyze) = foreign::command("systemd-analyze") else { return };
        let path = folder.path().join(name);
        let output = analyze.args(["verify", "--man=no"]).arg(&path).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(complaints(folder.path(), &said), [""; 0], "{name}");
    }
    let path = folder.path().join("dragoman.service");
    fs::write(&path, unit().replace("ProtectClock=yes", "ProtectClok=yes")).expect("writable");
    let mut analyze = foreign::command("systemd-analyze").expect("it was there");
    let output = analyze.args(["verify", "--man=no"]).arg(&path).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!complaints(folder.path(), &said).is_empty(), "a mistake is found: {said}");
}

#[test]
fn the_service_has_an_exposure_of_at_most_two() {
    let Some(mut analyze) = foreign::command("systemd-analyze") else { return };
    let folder = folder();
    let path = folder.path().join("dragoman.service");
    foreign::run(
        analyze.args(["security", "--no-pager", "--offline=true", "--threshold=20"]).arg(path),
    );
}

#[test]
fn the_unit_waits_longer_than_a_drain_and_has_the_state_of_the_package() {
    let unit = unit();
    let value = |key: &str| {
        let found = unit.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{key}= is missing")).to_owned()
    };
    let drain_secs = 10;
    assert!(value("TimeoutStopSec").parse::<u64>().expect("seconds") > drain_secs);
    assert_eq!(value("Type"), "notify-reload");
    assert_eq!(value("RestartPreventExitStatus"), "2 78", "what a further start does not mend");
    assert_eq!((value("StateDirectory"), value("User")), ("dragoman".into(), "dragoman".into()));
    let shipped = fs::read_to_string(program::workspace().join("gateway.toml")).expect("it is");
    assert!(shipped.contains(&format!("#drain_timeout = \"{drain_secs}s\"")), "the default");
}

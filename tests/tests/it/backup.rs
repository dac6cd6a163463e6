//! `dragoman store`: backups of a gateway that serves, and gateways from backups.

use std::path::Path;
use std::process::Command;

use gateway_tests::{Channel, Gateway, program};

const TOML: &str = "
    [frontends.channel]
    auto_join = [\"tea\"]
    [[rooms]]
    name = \"tea\"
";

/// Exit code, standard output and standard error of `dragoman` beside a gateway's configuration.
pub(crate) fn dragoman(gateway: &Gateway, arguments: &[&str]) -> (i32, String, String) {
    let admin = format!("admin.listen={}", gateway.address("admin", "listen"));
    run(gateway.launch().folder(), &[arguments, &["--set", &admin]].concat())
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(program::path()).current_dir(folder).args(arguments).output();
    let output = output.expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
    let code = output.status.code().expect("it exits by itself");
    (code, text(output.stdout), text(output.stderr))
}

fn texts(ann: &mut Channel) -> Vec<String> {
    ann.history("tea").into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_backup_under_load_restores_what_was_acknowledged_before_it() {
    let gateway = Gateway::start(TOML);
    let address = gateway.address("channel", "listen");
    let mut ann = Channel::enroll(address, "ann");
    for number in 0..50 {
        ann.send("tea", &number.to_string());
    }
    let mut during = ann.reconnect(address);
    let (made, posted) = std::thread::scope(|scope| {
        let making = scope.spawn(|| dragoman(&gateway, &["store", "backup", "one.backup"]));
        let mut number = 50;
        while !making.is_finished() {
            during.send("tea", &number.to_string());
            number += 1;
        }
        (making.join().expect("it does not panic"), number)
    });
    assert_eq!(made.0, 0, "{made:?}");
    assert!(made.1.starts_with("one.backup: ") && made.1.contains(" rows in "), "{made:?}");
    let verified = run(gateway.launch().folder(), &["store", "verify", "one.backup"]);
    assert_eq!(verified.0, 0, "{verified:?}");
    assert!(verified.1.ends_with("\none.backup: no damage found\n"), "{verified:?}");

    let copy = Gateway::start(TOML);
    let folder = copy.launch().folder().to_owned();
    let backup = gateway.launch().folder().join("one.backup").display().to_string();
    let restore = ["store", "restore", &backup];
    let (code, _, said) = dragoman(&copy, &restore);
    assert_eq!(code, 1);
    assert!(
        said.contains("already; stop the gateway and move it away, or add --replace"),
        "{said}"
    );
    let (code, _, said) = dragoman(&copy, &[&restore[..], &["--replace"]].concat());
    assert_eq!(code, 1);
    assert!(said.contains("another process has the store"), "{said}");
    let mut copy = copy;
    copy.kill();
    let (code, said, error) = run(&folder, &[&restore[..], &["--replace"]].concat());
    assert_eq!(code, 0, "{said}{error}");
    copy.restart();
    let restored = texts(&mut ann.reconnect(copy.address("channel", "listen")));
    let all: Vec<String> = (0..posted).map(|number| number.to_string()).collect();
    assert!(restored.len() >= 50, "{restored:?}");
    assert_eq!(restored, all[..restored.len()]);
}

#[test]
fn a_backup_without_a_gateway_is_the_store() {
    let mut gateway = Gateway::start(TOML);
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    ann.send("tea", "hi");
    let folder = gateway.launch().folder().to_owned();
    let online = dragoman(&gateway, &["store", "stats", "--json"]);
    assert_eq!(online.0, 0, "{online:?}");
    gateway.kill();
    for (arguments, ends) in
        [(&["store", "backup", "two.backup"][..], "message 1\n"), (&["store", "stats"], " bytes\n")]
    {
        let (code, said, error) = run(&folder, arguments);
        assert_eq!((code, said.ends_with(ends)), (0, true), "{arguments:?}: {said}{error}");
    }
    let (code, _, said) = run(&folder, &["store", "backup", "two.backup"]);
    assert_eq!((code, said.contains("there is such a file already")), (1, true), "{said}");
}

#[test]
fn what_is_no_whole_backup_restores_nothing() {
    let mut gateway = Gateway::start(TOML);
    let folder = gateway.launch().folder().to_owned();
    gateway.kill();
    assert_eq!(run(&folder, &["store", "backup", "whole"]).0, 0);
    let whole = std::fs::read(folder.join("whole")).expect("it was made");
    std::fs::write(folder.join("cut"), &whole[..whole.len() - 5]).expect("there is space");
    std::fs::write(folder.join("other"), "hello\n").expect("there is space");
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("it exists").collect();
    for (file, why) in [
        ("cut", "the backup is incomplete or damaged: it ends too early"),
        ("other", "this is no backup of a store"),
        ("missing", "there is no such file"),
    ] {
        let cure = "name a file of `dragoman store backup`, or a store";
        for (what, why) in [
            (
                &["store", "restore", file, "--replace"][..],
                format!("{file}: {why}; nothing was restored"),
            ),
            (&["store", "verify", file], format!("{file}: {why}; {cure}")),
        ] {
            let (code, _, said) = run(&folder, what);
            assert_eq!((code, said.contains(&why)), (1, true), "{what:?}: {said}");
        }
    }
    files.extend(std::fs::read_dir(&folder).expect("it exists"));
    assert_eq!(files.len() % 2, 0, "no file is left behind");
    gateway.restart();
}

//! Every subcommand with a standard output that no process reads.

use std::process::{Command, Stdio};

use crate::program::{FINE, folder};

/// Exit code and standard error of a subcommand whose standard output is a broken pipe.
fn run_into_a_broken_pipe(toml: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = folder(toml);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_dragoman"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the program starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("it is UTF-8"))
}

#[test]
fn a_closed_standard_output_ends_no_subcommand_with_a_panic() {
    for arguments in [
        &["dialects"][..],
        &["sdk"],
        &["sdk", "--dialect", "channel", "--lang", "python", "--out", "made", "--print"],
        &["schema", "list"],
        &["schema", "export", "--out", "schemas"],
        &["check"],
        &["--help"],
        &["--version"],
    ] {
        assert_eq!(
            run_into_a_broken_pipe(&format!("{FINE}connections_max = 100\n"), arguments),
            (Some(0), String::new()),
            "{arguments:?}"
        );
    }
}

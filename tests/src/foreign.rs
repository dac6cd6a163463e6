//! Programs that others wrote.

use std::process::Command;

/// A command for this program. Where it is not installed the test is skipped, and says so; in CI
/// everything must be there.
pub fn command(program: &str) -> Option<Command> {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        let why = format!("{program} is not installed");
        assert!(std::env::var_os("CI").is_none(), "{why}, and in CI it must be");
        // Seen with `cargo test -- --nocapture`; the test itself cannot say more.
        eprintln!("skipped: {why}");
    }
    found.then(|| Command::new(program))
}

/// What the command printed, if it succeeded.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("it has just been found");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

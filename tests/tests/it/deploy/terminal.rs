//! A password that is typed at a terminal, and what is left of the terminal.

use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};

use gateway_tests::{Launch, foreign, program};

/// A shell on a terminal of its own, which shows the terminal's modes before and after the program.
struct Terminal {
    child: Child,
    shown: String,
}

impl Terminal {
    /// `None`: script(1) is missing.
    fn start(launch: &Launch, address: &str) -> Option<Self> {
        let mut script = foreign::command("script")?;
        // The shell lives on after Ctrl-C, and the program does not inherit that.
        let line = format!(
            "trap : INT QUIT; echo before $(stty -g); \
             {} user create ann --password --config gateway.toml --set admin.listen={address}; \
             echo code $?; echo after $(stty -g)",
            program::path().display()
        );
        let command = script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let child = command
            .env("SHELL", "/bin/sh")
            .current_dir(launch.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Some(Self { child: child.expect("it has just been found"), shown: String::new() })
    }

    /// Waits until the terminal has shown this.
    fn wait_for(&mut self, what: &str) {
        let stdout = self.child.stdout.as_mut().expect("it is piped");
        let mut byte = [0];
        while !self.shown.contains(what) {
            let read = stdout.read(&mut byte).expect("it is open");
            assert_ne!(read, 0, "{what:?} is missing in {:?}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
    }

    fn type_in(&mut self, text: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(text).and_then(|()| stdin.flush()).expect("the terminal takes it");
    }

    /// What was shown after a word, to the end of its line.
    fn line(&self, word: &str) -> &str {
        let mut lines = self.shown.lines();
        let found = lines.find_map(|line| line.trim_end().strip_prefix(word));
        found.unwrap_or_else(|| panic!("{word} is missing in {:?}", self.shown)).trim()
    }

    /// The exit code of the program, once the terminal is shown to be as it was.
    fn finish(mut self) -> String {
        self.wait_for("\nafter ");
        self.wait_for_end();
        assert_eq!(self.line("after "), self.line("before "), "{:?}", self.shown);
        self.line("code ").to_owned()
    }

    fn wait_for_end(&mut self) {
        let mut rest = Vec::new();
        let stdout = self.child.stdout.as_mut().expect("it is piped");
        stdout.read_to_end(&mut rest).expect("it is open");
        self.shown += &String::from_utf8_lossy(&rest);
        self.child.wait().expect("it ends");
    }
}

/// Has the password of a new user asked for, and types `keys`; returns the exit code.
fn typing(keys: &[&[u8]]) -> Option<(String, String)> {
    let launch = Launch::of("[frontends.channel]\n");
    let gateway = launch.start();
    let address = gateway.address("admin", "listen").to_string();
    let mut terminal = Terminal::start(gateway.launch(), &address)?;
    for (key, prompt) in keys.iter().zip(["new password of ann: ", "once more: "]) {
        terminal.wait_for(prompt);
        terminal.type_in(key);
    }
    terminal.wait_for("\ncode ");
    let shown = terminal.shown.clone();
    Some((terminal.finish(), shown))
}

#[test]
fn a_password_is_not_echoed_and_the_terminal_is_as_it_was() {
    let Some((code, shown)) = typing(&[b"tea for two\n", b"tea for two\n"]) else { return };
    assert_eq!(code, "0", "{shown}");
    assert!(!shown.contains("tea") && shown.contains("password yes"), "{shown}");
}

#[test]
fn after_ctrl_c_and_ctrl_backslash_the_terminal_is_as_it_was() {
    for (key, expected) in [(b"\x03", "130"), (b"\x1c", "131")] {
        let half = [b"tea".as_slice(), key].concat();
        let Some((code, shown)) = typing(&[&half]) else { return };
        assert_eq!(code, expected, "{shown}");
        assert!(!shown.contains("tea") && !shown.contains("uid "), "{shown}");
        let Some((code, shown)) = typing(&[b"tea\n", key]) else { return };
        assert_eq!(code, expected, "{shown}");
    }
}

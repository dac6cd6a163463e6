//! The program: its output and exit codes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// One dialect on a port that is always free.
pub(crate) const FINE: &str = "[frontends.channel]\nlisten = \"127.0.0.1:0\"\n";

/// A folder to start the program in, with a gateway.toml in it.
pub(crate) fn folder(toml: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("gateway.toml"), toml).expect("it is writable");
    folder
}

/// Output and exit code of `dragoman arguments…`, started in `folder`.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> String {
    run_with(folder, arguments, &[])
}

/// The same, with `typed` on standard input.
pub(crate) fn run_typing(folder: &Path, arguments: &[&str], typed: &str) -> String {
    transcript(folder, arguments, &[], typed)
}

fn run_with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    transcript(folder, arguments, environment, "")
}

fn transcript(
    folder: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    typed: &str,
) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dragoman"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // One that asks for nothing may have ended already.
    drop(child.stdin.take().expect("it is piped").write_all(typed.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let mut transcript = format!("$ {}\n", [&["dragoman"], arguments].concat().join(" "));
    transcript += &String::from_utf8(output.stdout).expect("it is UTF-8");
    let stderr = String::from_utf8(output.stderr).expect("it is UTF-8");
    for line in stderr.lines().filter(|line| !is_about_open_files(line)) {
        transcript += &format!("stderr: {line}\n");
    }
    transcript + &format!("exit {}", output.status.code().expect("it exits by itself"))
}

/// The limit on open files is the machine's, and may be low.
fn is_about_open_files(line: &str) -> bool {
    line.contains("(ulimit -n, LimitNOFILE=)")
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    entries.map(|entry| entry.expect("it is").file_name().to_string_lossy().into()).collect()
}

#[test]
fn without_a_file_every_subcommand_that_needs_it_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [&["check"][..], &["serve"], &[], &["dialects", "--config", "gateway.toml"]] {
        let said = run(folder.path(), arguments);
        assert!(said.contains("stderr: cannot read gateway.toml: "), "{said}");
        assert!(said.contains("--config PATH"), "{said}");
        let serves = matches!(arguments, [] | ["serve"]);
        assert!(said.ends_with(if serves { "exit 78" } else { "exit 1" }), "{said}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let folder = folder(FINE);
    for arguments in [&["bogus"][..], &["--bogus"], &["check", "--set", "nonsense"], &["--config"]]
    {
        let said = run(folder.path(), arguments);
        assert!(said.ends_with("exit 2"), "{said}");
    }
}

#[test]
fn check_of_a_fine_configuration_says_so_and_leaves_nothing_behind() {
    let folder = folder(FINE);
    insta::assert_snapshot!(run(folder.path(), &["check"]), @r#"
    $ dragoman check
    gateway.toml: nothing is wrong
      frontends.channel.listen = "127.0.0.1:0"
      store.path = "data/dragoman.redb"
    exit 0
    "#);
    assert_eq!(names_in(folder.path()), ["gateway.toml"]);
}

#[test]
fn check_says_everything_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let port = taken.local_addr().expect("it is bound").port();
    let toml = format!(
        "[store]\npath = \"gateway.toml/chat.redb\"\n\
         [admin]\nlisten = \"127.0.0.1:{port}\"\n\
         [frontends.channel]\nlisten = \"192.0.2.1:5004\"\nhistori = 1\n\
         [frontends.chatroom]\nlisten = \"127.0.0.1:0\"\nwebsocket_listen = \"0.0.0.0:0\"\n\
         sign_in_by_address = true\n"
    );
    let folder = folder(&toml);
    let environment = [("DRAGOMAN_SERVER__THREADS", "0")];
    let said = run_with(folder.path(), &["check", "--set", "rooms=1"], &environment);
    insta::assert_snapshot!(said.replace(&port.to_string(), "<taken>"), @r#"
    $ dragoman check --set rooms=1
    stderr: warning: gateway.toml:11: frontends.chatroom.sign_in_by_address is on: every client at the address of a user who has signed in can act as that user; behind a reverse proxy or a router that is every client
    stderr: gateway.toml:2: store.path = "gateway.toml/chat.redb": gateway.toml is not a folder
    stderr: gateway.toml:4: admin.listen = "127.0.0.1:<taken>": in use; stop the program that listens there (is a gateway already running?) or choose another port
    stderr: gateway.toml:6: frontends.channel.listen = "192.0.2.1:5004": this machine has no such address
    stderr: gateway.toml:7: unknown key frontends.channel.histori; did you mean history?
    stderr: DRAGOMAN_SERVER__THREADS: server.threads = 0: expected a whole number from 1 to 1024
    stderr: --set: rooms = 1: expected a list of tables, [[rooms]] each
    exit 1
    "#);
}

#[test]
fn check_finds_a_store_that_another_process_has_open_and_does_not_touch_it() {
    let folder = folder(FINE);
    let path = folder.path().join("chat.redb");
    std::fs::write(&path, "rooms and users").expect("it is writable");
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, own).expect("it is ours");
    let open = File::open(&path).expect("it is readable");
    open.try_lock().expect("no other process has it open");
    insta::assert_snapshot!(run(folder.path(), &["check", "--set", "store.path=chat.redb"]), @r#"
    $ dragoman check --set store.path=chat.redb
    stderr: --set: store.path = "chat.redb": another process has it open (is a gateway already running?)
    exit 1
    "#);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "rooms and users");
}

#[test]
fn compacting_needs_a_store_that_no_process_has_open() {
    let folder = folder(FINE);
    let compact = || run(folder.path(), &["store", "compact", "--set", "store.path=chat.redb"]);
    insta::assert_snapshot!(compact(), @"
    $ dragoman store compact --set store.path=chat.redb
    stderr: there is no store chat.redb to compact; the gateway creates it at its first start
    exit 1
    ");
    let path = folder.path().join("chat.redb");
    core_engine::compact(&path, 1 << 20).expect("it is made");
    let said = compact();
    assert!(said.contains(" bytes before, ") && said.ends_with("exit 0"), "{said}");
    let open = File::open(&path).expect("it is readable");
    open.try_lock().expect("no other process has it open");
    insta::assert_snapshot!(compact(), @"
    $ dragoman store compact --set store.path=chat.redb
    stderr: another process has the store chat.redb open; stop it, or choose another [store] path
    exit 1
    ");
}

#[test]
fn a_warning_is_no_error() {
    let folder = folder(&format!("{FINE}auto_join = [\"TEST\"]"));
    insta::assert_snapshot!(run(folder.path(), &["check"]), @r#"
    $ dragoman check
    gateway.toml: nothing is wrong
      frontends.channel.listen = "127.0.0.1:0"
      store.path = "data/dragoman.redb"
    stderr: warning: gateway.toml:3: frontends.channel.auto_join: no entry of [[rooms]] is called "TEST"; users join it only once a client has created it
    exit 0
    "#);
}

#[test]
fn files_that_other_users_can_change_or_read_are_warnings() {
    let folder = folder(FINE);
    let file = folder.path().join("gateway.toml");
    let check = |mode: u32, arguments: &[&str]| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).expect("it is ours");
        run(folder.path(), &[&["check"], arguments].concat())
    };
    let key = ["--set", "frontends.channel.api_keys=tea"];
    assert!(!check(0o644, &[]).contains("warning"));
    assert!(!check(0o640, &key).contains("warning"));
    let said = check(0o644, &key);
    assert!(said.contains("warning: gateway.toml has api_keys, and every user"), "{said}");
    let said = check(0o646, &[]);
    let warning =
        "warning: every user of this machine can change gateway.toml: chmod o-w gateway.toml";
    assert!(said.contains(warning), "{said}");
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn the_configuration_may_be_elsewhere_and_its_store_is_beside_it() {
    let folder = folder(FINE);
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("it is new");
    let said = run(&elsewhere, &["--config", "../gateway.toml", "check"]);
    assert!(said.contains("store.path = \"../data/dragoman.redb\""), "{said}");
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn dialects_shows_what_is_on_and_what_each_can_do() {
    let folder = folder("[frontends.channel]\nlisten = \"[::1]:6004\"\n[frontends.ourchat]\n");
    let said = run(folder.path(), &["dialects"]);
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    insta::assert_snapshot!(said, @r#"
    $ dragoman dialects
    dialect        where                            what
    token     off  listen 127.0.0.1:5100            TCP
    usr_room  off  listen 127.0.0.1:5001            HTTP
    chatroom  off  listen 127.0.0.1:5000            HTTP
                   websocket_listen 127.0.0.1:2333  WebSocket
    ourchat   on   listen 127.0.0.1:7777            WebSocket
                   tcp_listen -                     TCP, a line each
    channel   on   listen [::1]:6004                HTTP
    irc       off  listen 127.0.0.1:6667            TCP, a line each

                        token     usr_room  chatroom  ourchat   channel   irc
    post                emulated  exact     exact     exact     exact     exact
    receive by push     emulated  -         exact     exact     -         exact
    receive by polling  -         exact     -         -         exact     -
    direct messages     -         -         -         exact     exact     exact
    presence            exact     -         exact     emulated  -         exact
    history             -         exact     -         emulated  emulated  exact
    search              -         exact     -         -         -         -
    credentials         -         -         emulated  exact     exact     exact

    - not in this dialect; emulated: by an extension, or by other means than its clients expect
    exit 0
    "#);
}

#[test]
fn dialects_needs_no_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run(folder.path(), &["dialects"]);
    assert!(said.contains("token     off"), "{said}");
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn serve_does_not_start_with_a_wrong_configuration() {
    let folder = folder("[frontends.channel]\nlisten = 5004\nhistori = 1\n");
    insta::assert_snapshot!(run(folder.path(), &[]), @r#"
    $ dragoman
    stderr: gateway.toml:2: frontends.channel.listen = 5004: expected an IP address and a port, such as "127.0.0.1:5000", or a unix socket, such as "unix:/run/dragoman/chat.sock"
    stderr: gateway.toml:3: unknown key frontends.channel.histori; did you mean history?
    exit 78
    "#);
    assert_eq!(names_in(folder.path()), ["gateway.toml"]);
}

/// A gateway that runs, killed if a test leaves it.
pub(crate) struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    /// With these variables of the environment.
    pub(crate) fn start_with(
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dragoman"))
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, log }
    }

    /// The next line of its log but the first, which it writes before it opens the store.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.log.read_line(&mut line).expect("it logs");
            if !is_about_open_files(&line) && !line.contains("dragoman starts") {
                return line;
            }
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("it runs");
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn end(mut self) -> ExitStatus {
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::TERM).expect("it runs");
        self.child.wait().expect("it ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_runs_until_it_is_told_to_stop_and_makes_its_store() {
    let folder = folder(FINE);
    let mut gateway = Running::start(folder.path(), &["serve"]);
    for says in ["listening frontend=\"channel\"", "; try: ", "ready took_ms="] {
        let line = gateway.line();
        assert!(line.contains(says), "{line}");
        assert!(!line.contains('\u{1b}'), "{line:?} has colors, and is not on a terminal");
    }
    assert_eq!(gateway.end().code(), Some(0));
    assert_eq!(names_in(&folder.path().join("data")), ["dragoman.redb"]);
}

#[test]
fn the_log_is_json_where_that_is_asked_for() {
    let folder = folder(&format!("{FINE}auto_join = [\"TEST\"]"));
    let mut gateway = Running::start(folder.path(), &["--set", "server.log.format=json"]);
    let line: serde_json::Value = serde_json::from_str(&gateway.line()).expect("it is JSON");
    assert_eq!(line["level"], "WARN");
    let message = line["fields"]["message"].as_str().expect("it has a message");
    assert!(message.starts_with("gateway.toml:3: frontends.channel.auto_join: "), "{message}");
}

#[test]
fn a_store_that_another_gateway_has_open_is_named_by_serve_and_check() {
    let folder = folder(FINE);
    let mut gateway = Running::start(folder.path(), &[]);
    gateway.line();
    for subcommand in ["serve", "check"] {
        let said = run(folder.path(), &[subcommand]);
        assert!(said.contains("data/dragoman.redb"), "{said}");
        assert!(said.ends_with("exit 1"), "{said}");
    }
    assert_eq!(gateway.end().code(), Some(0));
}

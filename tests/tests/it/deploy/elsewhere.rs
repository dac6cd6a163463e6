//! The command line for a gateway on another machine: `--admin-url`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use gateway_tests::{Authority, Gateway, Launch, program};
use serde_json::Value;

const TOML: &str = "[admin]\ntls_listen = \"127.0.0.1:0\"\n\
                    tls = { cert = \"main.pem\", key = \"main.key\" }\n[frontends.channel]\n";

/// A gateway, and a folder of an operator that has neither configuration nor store.
struct Stage {
    gateway: Gateway,
    encrypted: SocketAddr,
    operator: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let authority = Authority::new();
        let launch = Launch::of(TOML);
        authority.server(&["localhost"]).write(launch.folder(), "main");
        let mut gateway = launch.start();
        let encrypted = gateway.wait_for_listener("admin", "tls_listen");
        let operator = tempfile::tempdir().expect("a folder");
        fs::write(operator.path().join("ca.pem"), &authority.pem).expect("it is writable");
        Self { gateway, encrypted, operator }
    }

    /// `https://localhost:…`, as the certificate has it.
    fn url(&self) -> String {
        format!("https://localhost:{}", self.encrypted.port())
    }

    /// Writes a token of this role to a file of the operator.
    fn token(&self, role: &str) -> String {
        let url = format!("http://{}", self.gateway.address("admin", "listen"));
        let create = ["admin", "token", "create", "--role", role, "--json", "--admin-url", &url];
        let output = self.run(&create, &[]);
        let created: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let token = created["token"].as_str().expect("it is text").to_owned();
        fs::write(self.operator.path().join(role), format!("{token}\n")).expect("it is writable");
        token
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(program::path());
        command.args(arguments).env_clear().envs(environment.iter().copied());
        command.current_dir(self.operator.path()).output().expect("the program was built")
    }

    /// What it prints, which must succeed.
    #[track_caller]
    fn done(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run(arguments, environment);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {why}");
        String::from_utf8(output.stdout).expect("it is UTF-8")
    }

    /// Why it is refused.
    #[track_caller]
    fn refused(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run(arguments, environment);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).expect("it is UTF-8")
    }
}

#[test]
fn verbs_work_on_a_gateway_elsewhere_with_the_role_of_their_token() {
    let stage = Stage::new();
    let (operator, monitor) = (stage.token("operator"), stage.token("monitor"));
    let url = stage.url();
    let all = ["--admin-url", &url, "--admin-ca", "ca.pem", "--admin-token-file", "operator"];
    let with = |verb: &[&'static str]| -> Vec<String> {
        verb.iter().copied().chain(all).map(str::to_owned).collect()
    };
    for verb in [
        &["user", "create", "ann"][..],
        &["room", "create", "tea", "--owner", "ann"],
        &["ban", "add", "user:ann", "--reason", "spam"],
        &["session", "list"],
        &["frontend", "list"],
        &["webhook", "list"],
        &["store", "stats"],
        &["ledger"],
        &["healthcheck", "--ready"],
        &["admin", "audit"],
        &["store", "backup", "copy.backup"],
    ] {
        let words = with(verb);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        stage.done(&words, &[]);
    }
    assert!(stage.operator.path().join("copy.backup").exists(), "it is written here");
    assert!(!stage.operator.path().join("data").exists(), "no store is made here");

    // The options may stand first, or be in the environment.
    let first: Vec<&str> = all.into_iter().chain(["user", "show", "ann"]).collect();
    assert!(stage.done(&first, &[]).contains("disabled until enabled: spam"));
    let ca = [("DRAGOMAN_ADMIN_URL", url.as_str()), ("DRAGOMAN_ADMIN_CA", "ca.pem")];
    let variables = [ca[0], ca[1], ("DRAGOMAN_ADMIN_TOKEN", monitor.as_str())];
    assert!(stage.done(&["user", "list"], &variables).contains("ann"));
    let why = stage.refused(&["user", "delete", "ann", "--messages", "keep"], &variables);
    assert!(why.contains("this needs the role operator"), "{why}");
    let named = [ca[0], ca[1], ("DRAGOMAN_ADMIN_TOKEN_FILE", "operator")];
    stage.done(&["user", "rename", "ann", "Ann"], &named);
    let audit = stage.done(&["admin", "audit"], &named);
    assert!(audit.contains("change_user @ann") && !audit.contains(&operator), "{audit}");
}

#[test]
fn what_is_wrong_with_a_gateway_elsewhere_is_a_sentence() {
    let stage = Stage::new();
    stage.token("operator");
    let url = stage.url();
    let list = |more: &[&'static str]| -> Vec<String> {
        let words = ["user", "list", "--admin-url", &url].into_iter().chain(more.iter().copied());
        words.map(str::to_owned).collect()
    };
    let refused = |words: Vec<String>| {
        stage.refused(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    };
    let token = ["--admin-token-file", "operator"];
    let why = refused(list(&token));
    assert!(why.contains(&format!("no gateway answers at {url}: ")), "{why}");
    assert!(why.to_lowercase().contains("certificate"), "{why}");
    let why = refused(list(&["--admin-ca", "ca.pem"]));
    assert!(why.contains("needs a token") && why.contains("--admin-token-file"), "{why}");
    let why = refused(list(&["--admin-ca", "missing.pem", token[0], token[1]]));
    assert!(why.contains("missing.pem"), "{why}");
    fs::write(stage.operator.path().join("wrong"), "dgm_wrong\n").expect("it is writable");
    let why = refused(list(&["--admin-ca", "ca.pem", "--admin-token-file", "wrong"]));
    assert!(why.contains("the token is unknown"), "{why}");
    let why = stage.refused(&["store", "compact", "--admin-url", &url], &[]);
    assert!(why.contains("works on files of this machine"), "{why}");
    let why = stage.refused(&["user", "list", "--admin-ca", "ca.pem"], &[]);
    assert!(why.contains("which gateway?"), "{why}");
    let plain = ["user", "list", "--admin-url", "http://chat.example.org"];
    let output = stage.run(&plain, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("over https only"), "{output:?}");
}

#[test]
fn the_health_of_a_gateway_is_asked_without_curl() {
    let launch = Launch::of("[frontends.channel]\n").start();
    let admin = launch.address("admin", "listen");
    let folder = launch.launch().folder().to_owned();
    let health = |folder: &Path, listen: &str, more: &[&str]| {
        let mut command = Command::new(program::path());
        command.args(["healthcheck", "--config", "gateway.toml", "--set", listen]).args(more);
        command.current_dir(folder).output().expect("the program was built")
    };
    let listen = format!("admin.listen={admin}");
    let output = health(&folder, &listen, &[]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ok\n"[..]));
    let output = health(&folder, &listen, &["--ready"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ready\n"[..]));
    let output = health(&folder, "admin.listen=127.0.0.1:1", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no gateway answers at 127.0.0.1:1"));

    // A front end that does not listen makes it unready, and no less healthy.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let at = taken.local_addr().expect("it is bound");
    let toml = format!("[frontends.channel]\n[frontends.irc]\nlisten = \"{at}\"\n");
    let mut gateway = Launch::of(&toml).spawn();
    let listen = format!("admin.listen={}", gateway.wait_for_listener("admin", "listen"));
    let folder = gateway.launch().folder().to_owned();
    assert!(health(&folder, &listen, &[]).status.success());
    let output = health(&folder, &listen, &["--ready"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("answers /readyz with 503: ") && said.contains("irc"), "{said}");
}

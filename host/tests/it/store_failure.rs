//! A file system without space, and a store that fails.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::{Value, json};

use crate::program::folder;

const TOML: &str = "[server.log]\nformat = \"json\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\nmessages_per_s = 0\nrequests_per_s = 0\n\
    bytes_per_s = 0\n";

/// Starts the gateway by a shell; returns it with the rest of its log and the address of the channel
/// API.
fn start(folder: &Path, script: &str) -> (Child, BufReader<ChildStderr>, SocketAddr) {
    let (gateway, log, address, _) = start_and_read(folder, script);
    (gateway, log, address)
}

/// The same, and what it has logged so far.
fn start_and_read(
    folder: &Path,
    script: &str,
) -> (Child, BufReader<ChildStderr>, SocketAddr, Vec<Value>) {
    #[expect(clippy::zombie_processes, reason = "the caller waits for it")]
    let mut gateway = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_dragoman")])
        .current_dir(folder)
        .env_clear()
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut log = BufReader::new(gateway.stderr.take().expect("it is piped"));
    let mut before = Vec::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("it logs") > 0, "it has ended");
        let line: Value = serde_json::from_str(&line).expect("a line of JSON");
        let fields = &line["fields"];
        if fields["message"] == "listening" {
            let address = fields["address"].as_str().expect("an address");
            return (gateway, log, address.parse().expect("an address"), before);
        }
        before.push(line);
    }
}

/// The body of the answer, if there is one.
fn post(address: SocketAddr, path: &str, token: &str, body: &Value) -> Option<Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    let body = body.to_string();
    let mut answer = String::new();
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// The token of a new user.
fn register(address: SocketAddr) -> String {
    let account = json!({ "name": "ann", "password": "a", "password_repete": "a" });
    let said = post(address, "/register", "", &account).expect("it answers");
    assert_eq!(said["code"], 0, "{said}");
    let said = post(address, "/login", "", &account).expect("it answers");
    said["data"]["token"].as_str().expect("a token").to_owned()
}

fn send(address: SocketAddr, token: &str, text: &str) -> Option<Value> {
    let message = json!({ "name": "tea", "message": text });
    post(address, "/channel/send", token, &message)
}

fn is_about_space(message: &str) -> bool {
    message.starts_with("too little space")
}

#[test]
fn messages_are_refused_while_there_is_too_little_space() {
    let folder = folder(TOML);
    let script = "exec \"$0\" --set store.free_space_min=9000000000000000000";
    let (mut gateway, _log, address, before) = start_and_read(folder.path(), script);
    let why = |line: &&Value| line["fields"]["message"].as_str().is_some_and(is_about_space);
    let line = before.iter().find(why).expect("it is logged");
    let store = line["fields"]["store"].as_str().expect("the store is named");
    assert!(store.ends_with("dragoman.redb"), "{line}");
    let token = register(address);
    let said = send(address, &token, "tea").expect("it answers");
    assert_ne!(said["code"], 0, "{said}");
    assert!(said.to_string().contains("overloaded"), "{said}");
    gateway.kill().expect("it runs");
    gateway.wait().expect("it ends");

    let (mut gateway, _log, address) = start(folder.path(), "exec \"$0\"");
    let login = json!({ "name": "ann", "password": "a" });
    let said = post(address, "/login", "", &login).expect("it answers");
    let token = said["data"]["token"].as_str().expect("a token");
    assert_eq!(send(address, token, "tea").expect("it answers")["code"], 0);
    gateway.kill().expect("it runs");
    gateway.wait().expect("it ends");
}

#[test]
fn a_file_system_that_does_not_say_its_space_is_logged_once() {
    let folder = folder(TOML);
    let script = "exec \"$0\" --set store.free_space_min=1 --set store.path=chat.redb";
    let (mut gateway, log, _) = start(folder.path(), script);
    std::fs::remove_file(folder.path().join("chat.redb")).expect("it is there");
    let lines = log.lines().map(|line| line.expect("it logs"));
    let mut lines = lines.skip_while(|line| !line.contains("cannot tell the free space"));
    let line = lines.next().expect("it is logged");
    assert!(line.contains("WARN") && line.contains("chat.redb"), "{line}");
    gateway.kill().expect("it runs");
    gateway.wait().expect("it ends");
}

#[test]
fn a_failure_of_the_store_ends_the_process_where_that_is_configured() {
    let folder = folder(TOML);
    // The store file may not grow beyond 2 MiB, in blocks of 512 bytes.
    let script = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" --set server.on_store_failure=exit";
    let (mut gateway, log, address) = start(folder.path(), script);
    let token = register(address);
    let text = "t".repeat(16_000);
    while send(address, &token, &text).is_some() {}
    assert_eq!(gateway.wait().expect("it ends").code(), Some(1));
    let last = log.lines().map(|line| line.expect("it logs")).last().expect("a line");
    assert!(last.contains("the store failed: "), "{last}");
}

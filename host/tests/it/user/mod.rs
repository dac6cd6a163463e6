//! `dragoman user`: on a store without a gateway, and through a running gateway.

mod gateway;
mod heads;
mod identities;
mod mistakes;
mod operators;
mod passwords;
mod policies;
mod requests;
mod rooms;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use crate::program::{Running, folder, run, run_typing};

const TOML: &str = "\
    [server.log]\nformat = \"json\"\n\
    [admin]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.usr_room]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.chatroom]\nlisten = \"127.0.0.1:0\"\nwebsocket_listen = \"127.0.0.1:0\"\n\
    [frontends.ourchat]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\n";

/// A running gateway and its addresses.
struct Gateway {
    running: Running,
    addresses: BTreeMap<(String, String), SocketAddr>,
}

impl Gateway {
    fn start(folder: &Path) -> Self {
        Self::start_with(folder, 6)
    }

    /// One with so many listeners.
    fn start_with(folder: &Path, listeners: usize) -> Self {
        let mut running = Running::start(folder, &[]);
        let mut addresses = BTreeMap::new();
        while addresses.len() < listeners {
            let line: Value = serde_json::from_str(&running.line()).expect("a line of JSON");
            let field = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            if field("message").as_deref() == Some("listening") {
                let name = |key| field(key).expect("it says who listens");
                // Unix sockets are none.
                if let Ok(address) = name("address").parse() {
                    addresses.insert((name("frontend"), name("listener")), address);
                }
            }
        }
        Self { running, addresses }
    }

    fn address(&self, frontend: &str) -> SocketAddr {
        self.addresses[&(frontend.to_owned(), "listen".to_owned())]
    }

    fn admin(&self) -> String {
        format!("admin.listen={}", self.address("admin"))
    }

    /// `dragoman arguments…` with the address of the admin listener.
    fn dragoman(&self, folder: &Path, arguments: &[&str]) -> String {
        let admin = self.admin();
        run(folder, &[&["--set", &admin], arguments].concat())
            .replace(&self.address("admin").to_string(), "<admin>")
    }

    /// `dragoman user arguments…` with the address of the admin listener.
    fn user(&self, folder: &Path, arguments: &[&str]) -> String {
        let admin = self.admin();
        run(folder, &[&["--set", &admin, "user"], arguments].concat())
            .replace(&self.address("admin").to_string(), "<admin>")
    }

    /// `dragoman user password who`, with `typed` on standard input.
    fn set_password(&self, folder: &Path, who: &str, typed: &str) -> String {
        run_typing(folder, &["--set", &self.admin(), "user", "password", who], typed)
    }

    fn end(self) {
        assert_eq!(self.running.end().code(), Some(0));
    }
}

/// Status, head and body of the answer to one request.
fn http(address: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let request = format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), head.to_owned(), body.to_owned())
}

fn json_of(address: SocketAddr, head: &str, body: &Value) -> Value {
    let head = format!("{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json");
    let (_, _, body) = http(address, &head, &body.to_string());
    serde_json::from_str(&body).expect("JSON")
}

fn register(gateway: &Gateway, name: &str, password: &str) {
    let account = json!({ "name": name, "password": password, "password_repete": password });
    let said = json_of(gateway.address("channel"), "POST /register", &account);
    assert_eq!(said["code"], 0, "{said}");
}

/// The chatroom's answer to a sign-in by telephone number.
fn sign_in_by_tel(gateway: &Gateway, tel: &str, password: &str) -> Value {
    let login = json!({ "user_tel": tel, "user_password": password });
    json_of(gateway.address("chatroom"), "POST /auth/login", &login)
}

/// Ourchat's answer to a sign-in by email, and the connection.
fn sign_in_by_email(
    gateway: &Gateway,
    email: &str,
    password: &str,
) -> (Value, WebSocket<TcpStream>) {
    let address = gateway.address("ourchat");
    let stream = TcpStream::connect(address).expect("it listens");
    let (mut socket, _) =
        tungstenite::client(format!("ws://{address}/"), stream).expect("a handshake");
    let login = json!({ "code": 6, "login_type": 0, "account": email, "password": password });
    socket.send(Message::text(login.to_string())).expect("it reads");
    let said = socket.read().expect("it answers");
    (serde_json::from_str(said.to_text().expect("a text")).expect("JSON"), socket)
}

/// A folder with a store in which bob (uid 10000) and ann (uid 10001) have an account.
fn populated() -> TempDir {
    let folder = folder(TOML);
    let gateway = Gateway::start(folder.path());
    register(&gateway, "bob", "tea");
    register(&gateway, "ann", "cocoa");
    gateway.end();
    folder
}

/// The transcript without the times of creation, which must be in RFC 3339.
fn without_times(said: &str) -> String {
    let line = |line: &str| match line.strip_prefix("created ") {
        Some(time) => {
            let of_the_form = |(char, form): (char, char)| match form {
                '0' => char.is_ascii_digit(),
                form => char == form,
            };
            assert!(time.chars().zip("0000-00-00T00:00:00".chars()).all(of_the_form), "{time}");
            assert!(time.ends_with('Z'), "{time}");
            "created <time>".to_owned()
        }
        None => line.to_owned(),
    };
    said.lines().map(line).collect::<Vec<_>>().join("\n")
}

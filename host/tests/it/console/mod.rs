//! The console of the admin listener: its files, its sessions, its stream.

mod live;
mod operations;
mod serving;
mod sessions;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Running, folder, run};

const TOML: &str = "\
    [server.log]\nformat = \"json\"\n\
    [admin]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.chatroom]\nlisten = \"127.0.0.1:0\"\nwebsocket_listen = \"127.0.0.1:0\"\n\
    [frontends.irc]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\n";

/// A header that a page of another origin cannot send.
const HEADER: &str = "x-dragoman-admin: 1";

/// A running gateway and its addresses.
struct Gateway {
    running: Running,
    addresses: BTreeMap<(String, String), SocketAddr>,
    folder: TempDir,
}

impl Gateway {
    fn start(toml: &str) -> Self {
        Self::start_in(folder(toml))
    }

    fn start_in(folder: TempDir) -> Self {
        let mut running = Running::start(folder.path(), &[]);
        let mut addresses = BTreeMap::new();
        loop {
            let line: Value = serde_json::from_str(&running.line()).expect("a line of JSON");
            let field = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            match field("message").as_deref() {
                Some("listening") => {
                    let name = |key| field(key).expect("it says who listens");
                    let address = name("address").parse().expect("an address");
                    addresses.insert((name("frontend"), name("listener")), address);
                }
                Some("ready") => return Self { running, addresses, folder },
                _ => (),
            }
        }
    }

    fn address(&self, frontend: &str, listener: &str) -> SocketAddr {
        self.addresses[&(frontend.to_owned(), listener.to_owned())]
    }

    fn admin(&self) -> SocketAddr {
        self.address("admin", "listen")
    }

    /// The answer of the admin listener to `GET /path` with these headers.
    fn ask(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let admin = self.admin();
        let host = format!("host: {admin}");
        let line = format!("{line} HTTP/1.1");
        let head = [&[line.as_str(), &host], headers].concat();
        Answer::read(admin, &head.join("\r\n"), body)
    }

    /// The JSON of an operation of the API, asked for over loopback.
    fn api(&self, line: &str, body: &str) -> Value {
        let answer = self.ask(line, &[HEADER], body);
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// A token of a role.
    fn token(&self, role: &str) -> String {
        let listen = format!("admin.listen={}", self.admin());
        let arguments = ["--set", &listen, "admin", "token", "create", "--role", role];
        let said = run(self.folder.path(), &arguments);
        let token = said.lines().find_map(|line| line.strip_prefix("token "));
        token.unwrap_or_else(|| panic!("no token: {said}")).to_owned()
    }

    fn end(self) {
        assert_eq!(self.running.end().code(), Some(0));
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in lower case.
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    /// The answer to a request with this head and body.
    pub(crate) fn read(address: SocketAddr, head: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let length = body.len();
        let request = format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((request + body).as_bytes()).expect("it reads");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers in UTF-8");
        let (head, body) = said.split_once("\r\n\r\n").expect("a whole head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let status = status.parse().expect("a number");
        Self { status, headers: headers.collect(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

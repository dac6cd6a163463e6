//! Front ends from plugins, served by the program as it is shipped.

mod faults;
mod files;
mod reload;
mod serving;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use plugin_testkit::plugin;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Running, folder, run};

/// A section that loads a plugin, with these lines in it.
fn section(name: &str, lines: &str) -> String {
    let path = plugin(name).display().to_string();
    format!("[frontends.{name}]\nplugin = {path:?}\n{lines}\n")
}

/// The faulty plugin, listening for lines and HTTP.
fn faulty(lines: &str) -> String {
    let anywhere = "listen = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\n";
    section("faulty", &format!("{anywhere}{lines}"))
}

/// A linked front end beside it, and the admin listener.
const BESIDE: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\nrequests_per_s = 0\n";

/// A gateway that runs.
struct Gateway {
    running: Running,
    /// Where it listens, by `<front end>.<key>`.
    addresses: BTreeMap<String, SocketAddr>,
    folder: TempDir,
}

impl Gateway {
    /// Waits until this many listeners are open.
    fn start(toml: &str, listeners: usize) -> Self {
        let folder = folder(&with_json_log(toml));
        let running = Running::start(folder.path(), &[]);
        let mut gateway = Self { running, addresses: BTreeMap::new(), folder };
        let mut is_ready = false;
        while gateway.addresses.len() < listeners || !is_ready {
            let fields = gateway.logged();
            gateway.note(&fields);
            is_ready |= fields["message"] == "ready";
        }
        gateway
    }

    /// Records the address if a line of the log is about a listener.
    fn note(&mut self, fields: &Value) {
        if fields["message"] == "listening" {
            let word = |key: &str| fields[key].as_str().expect(key).to_owned();
            let address = word("address").parse().expect("an address");
            self.addresses.insert(word("frontend") + "." + &word("listener"), address);
        }
    }

    /// Changes the configuration, and waits until it is applied or refused. Returns the messages, as
    /// `<front end>: <message>` if they are about one.
    fn reload(&mut self, toml: &str) -> Vec<String> {
        let path = self.folder.path().join("gateway.toml");
        std::fs::write(path, with_json_log(toml)).expect("it is writable");
        self.running.hang_up();
        self.read_until(|said| {
            said.starts_with("the configuration was read")
                || said.starts_with("the configuration is invalid")
        })
    }

    /// Reads the log up to a line that matches.
    fn read_until(&mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let fields = self.logged();
            self.note(&fields);
            let message = fields["message"].as_str().expect("it has one");
            if last(message) {
                return said;
            }
            said.push(match fields["frontend"].as_str() {
                Some(frontend) => format!("{frontend}: {message}"),
                None => message.to_owned(),
            });
        }
    }

    /// Waits until the front end `line` is drained, unless `said` has that line.
    fn wait_until_drained(&mut self, said: &[String]) {
        if !said.iter().any(|said| said == "line: drained") {
            self.read_until(|said| said == "drained");
        }
    }

    /// Whether the process has the file mapped.
    fn has_mapped(&self, path: &Path) -> bool {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.running.pid()));
        maps.expect("Linux tells").contains(&path.display().to_string())
    }

    /// The fields of the next line of the log. Skips the messages of panics.
    fn logged(&mut self) -> Value {
        loop {
            let line = self.running.line();
            assert!(!line.is_empty(), "the gateway has ended");
            if let Ok(mut line) = serde_json::from_str::<Value>(&line) {
                return line["fields"].take();
            }
        }
    }

    /// The message of the next line of the log that is about this front end's faults.
    fn complaint(&mut self) -> String {
        loop {
            let fields = self.logged();
            let message = fields["message"].as_str().unwrap_or_default();
            if fields["frontend"] == "faulty" && !message.contains("try:") {
                return message.to_owned();
            }
        }
    }

    fn address(&self, listener: &str) -> SocketAddr {
        *self.addresses.get(listener).unwrap_or_else(|| panic!("no {listener}"))
    }

    fn lines(&self) -> Lines {
        Lines::connect(self.address("faulty.listen"))
    }

    /// Status and body of an answer.
    fn get(&self, listener: &str, path: &str) -> (u16, String) {
        http(self.address(listener), "GET", path, "").expect("it answers")
    }

    /// Whether the front end beside still answers.
    fn assert_others_are_served(&self) {
        // Each time another name: repeated failures of one are slowed down.
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let form = format!("name=x{}&password=y", CALLS.fetch_add(1, Ordering::Relaxed));
        let (status, body) = http(self.address("channel.listen"), "POST", "/login", &form).unwrap();
        assert_eq!((status, body.contains("\"code\":3")), (200, true), "{body}");
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> u64 {
        let (_, metrics) = self.get("admin.listen", "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("dragoman_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a number")
    }
}

fn with_json_log(toml: &str) -> String {
    format!("[server.log]\nformat = \"json\"\n{toml}")
}

fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// A connection of lines.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).expect("it listens")))
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it is open");
    }

    /// The next line; empty at the end.
    fn receive(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it is readable");
        line
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.receive()
    }
}

/// What `dragoman dialects` says while the gateway runs.
fn dialects_of(gateway: &Gateway) -> String {
    let admin = format!("admin.listen={}", gateway.address("admin.listen"));
    run(gateway.folder.path(), &["dialects", "--set", &admin])
}

/// What the program says, without the folder that the plugins are in.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let plugins = plugin("faulty").parent().expect("a folder").display().to_string();
    run(folder, arguments).replace(&plugins, "<plugins>")
}

//! The log goes to a pipe that is full or broken: the gateway serves on.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::folder;

const TOML: &str = "[server.log]\nformat = \"json\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\n";

/// A gateway whose log goes to a pipe that the test has both ends of.
struct Gateway {
    child: Child,
    log: BufReader<PipeReader>,
    pipe: PipeWriter,
    admin: SocketAddr,
    channel: SocketAddr,
    _folder: TempDir,
}

impl Gateway {
    fn start() -> Self {
        let folder = folder(TOML);
        let (log, pipe) = std::io::pipe().expect("a pipe");
        let child = Command::new(env!("CARGO_BIN_EXE_dragoman"))
            .current_dir(folder.path())
            .env_clear()
            .stderr(pipe.try_clone().expect("another descriptor"))
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(log);
        let mut admin = None;
        let mut channel = None;
        while admin.is_none() || channel.is_none() {
            let mut line = String::new();
            log.read_line(&mut line).expect("it logs");
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            let fields = &line["fields"];
            if fields["message"] == "listening" {
                let address = fields["address"].as_str().expect("an address").parse().ok();
                let frontend =
                    if fields["frontend"] == "admin" { &mut admin } else { &mut channel };
                *frontend = address;
            }
        }
        let admin = admin.expect("it listens");
        let channel = channel.expect("it listens");
        Self { child, log, pipe, admin, channel, _folder: folder }
    }

    /// Makes the gateway log a line, and waits until it has reloaded.
    fn reload(&self, nth: u64) {
        self.signal(Signal::HUP);
        while self.metric("dragoman_reloads_total{result=\"applied\"}") < nth {}
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    fn metric(&self, name: &str) -> u64 {
        let metrics = http(self.admin, "GET /metrics HTTP/1.0", "");
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.expect("it is a metric").parse().expect("a number")
    }

    fn register(&self, name: &str) -> String {
        let body = format!("{{\"name\":{name:?},\"password\":\"a\",\"password_repete\":\"a\"}}");
        http(self.channel, "POST /register HTTP/1.0\r\ncontent-type: application/json", &body)
    }

    /// Sends SIGTERM; the exit code.
    fn end(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
    }
}

fn http(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "{head}\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Fills a pipe, through a descriptor of its own that does not block.
fn fill(pipe: &PipeWriter) {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut pipe: File = OpenOptions::new()
        .write(true)
        .custom_flags(nonblocking)
        .open(Path::new(&path))
        .expect("a pipe can be opened again");
    let full = loop {
        if let Err(error) = pipe.write(b"x") {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_log_whose_reader_has_gone_is_lost_and_nothing_else() {
    let mut gateway = Gateway::start();
    let (reader, _) = std::io::pipe().expect("a pipe");
    // The only reader of the log.
    drop(std::mem::replace(&mut gateway.log, BufReader::new(reader)));
    gateway.reload(1);
    gateway.reload(2);
    assert!(gateway.register("ann").contains("\"code\":0"));
    assert!(gateway.metric("dragoman_log_lines_dropped_total") > 0);
    assert_eq!(gateway.end(), Some(0));
}

#[test]
fn a_log_that_is_not_read_does_not_block() {
    let gateway = Gateway::start();
    fill(&gateway.pipe);
    gateway.reload(1);
    gateway.reload(2);
    assert!(gateway.register("ann").contains("\"code\":0"));
    assert_eq!(gateway.end(), Some(0));
}

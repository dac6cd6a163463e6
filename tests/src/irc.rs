//! The irc dialect: lines, by a small client and by two that others wrote.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::log::Log;
use crate::{connect, foreign};

/// A client of a few lines.
#[derive(Debug)]
pub struct Irc {
    lines: BufReader<TcpStream>,
}

impl Irc {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(connect(address))
    }

    /// On a connection that there is already.
    pub fn over(stream: TcpStream) -> Self {
        Self { lines: BufReader::new(stream) }
    }

    /// Signs on as a guest, or as an account by its password, and reads the greeting.
    #[track_caller]
    pub fn sign_on(address: SocketAddr, nick: &str, password: Option<&str>) -> Self {
        let mut irc = Self::connect(address);
        if let Some(password) = password {
            irc.send(&format!("PASS :{password}"));
        }
        irc.send(&format!("NICK {nick}"));
        irc.send(&format!("USER {nick} 0 * :{nick}"));
        irc.receive_until(" 422 ");
        irc
    }

    /// Signs on to an account with capabilities, from a device unless it is "".
    #[track_caller]
    pub fn sign_on_from(
        address: SocketAddr,
        account: (&str, &str),
        device: &str,
        caps: &str,
    ) -> Self {
        let (nick, password) = account;
        let at = if device.is_empty() { "" } else { "@" };
        let mut irc = Self::connect(address);
        irc.send(&format!("CAP REQ :{caps}"));
        irc.send(&format!("PASS :{password}"));
        irc.send(&format!("NICK {nick}"));
        irc.send(&format!("USER {nick}{at}{device} 0 * :{nick}"));
        irc.send("CAP END");
        irc.receive_until(" 422 ");
        irc
    }

    /// What has arrived, up to the answer to a PING of the client. Answers no PING of the server.
    #[track_caller]
    pub fn drain(&mut self) -> Vec<String> {
        self.send("PING :drained");
        let mut lines = Vec::new();
        loop {
            let line = self.receive();
            if line.ends_with(" PONG irc.localhost :drained") {
                return lines;
            }
            lines.push(line);
        }
    }

    /// What arrives up to a PING of the server that asks for messages, which it answers; and what has
    /// arrived when the answer has.
    #[track_caller]
    pub fn acknowledge(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.receive();
            if let Some(token) = line.strip_prefix("PING :m") {
                self.send(&format!("PONG :m{token}"));
                lines.extend(self.drain());
                return lines;
            }
            lines.push(line);
        }
    }

    /// Joins and reads to the end of NAMES; returns the occupants.
    #[track_caller]
    pub fn join(&mut self, channel: &str) -> String {
        self.send(&format!("JOIN {channel}"));
        let names = self.receive_until(" 353 ");
        self.receive_until(" 366 ");
        names.rsplit_once(" :").expect("names come last").1.to_owned()
    }

    /// The stream below, to do what a client would not.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.lines.get_mut()
    }

    #[track_caller]
    pub fn send(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        self.lines.get_mut().write_all(line.as_bytes()).expect("the gateway takes it");
    }

    #[track_caller]
    pub fn receive(&mut self) -> String {
        self.try_receive().unwrap_or_else(|error| panic!("{error}"))
    }

    /// `Err` when the connection is over.
    pub fn try_receive(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let whole = line.strip_suffix("\r\n").map(str::to_owned);
        whole.ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, format!("no line: {line:?}"))
        })
    }

    /// The first line from here on that has this in it.
    #[track_caller]
    pub fn receive_until(&mut self, part: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.receive();
            if line.contains(part) {
                return line;
            }
            assert!(!line.starts_with("ERROR "), "no {part:?} in {before:#?}, but {line}");
            before.push(line);
        }
    }
}

/// Who a client signs on as, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub handle: &'a str,
    pub password: &'a str,
    pub channel: &'a str,
    /// The CA of a gateway that speaks TLS, PEM; without it, TLS is not spoken.
    pub authority: Option<&'a Path>,
}

/// irssi, in a pseudo-terminal.
#[derive(Debug)]
pub struct Irssi {
    home: TempDir,
    terminal: Child,
}

impl Irssi {
    /// Starts it, to sign on by SASL and join. `None` where it is not installed.
    pub fn start(address: SocketAddr, account: Account<'_>) -> Option<Self> {
        foreign::command("irssi")?;
        let mut script = foreign::command("script")?;
        let home = TempDir::new().expect("there is room for a folder");
        let config = irssi_config(home.path(), address, account);
        std::fs::write(home.path().join("config"), config).expect("it is writable");
        script
            .args(["--quiet", "--flush", "--return", "--command"])
            .arg(format!("irssi --home={}", home.path().display()))
            .arg("/dev/null")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let terminal = script.spawn().expect("it has just been found");
        Some(Self { home, terminal })
    }

    /// Types a line.
    #[track_caller]
    pub fn enter(&mut self, line: &str) {
        let keyboard = self.terminal.stdin.as_mut().expect("it is piped");
        keyboard.write_all(format!("{line}\r").as_bytes()).expect("irssi runs");
    }

    /// What it shows of a channel, or of the messages of one user.
    pub fn window(&self, target: &str) -> Window {
        Window::of(&self.home.path().join(format!("{target}.log")))
    }
}

impl Drop for Irssi {
    fn drop(&mut self) {
        end(&mut self.terminal);
    }
}

/// It may have several lines entered at once, and sends as fast as it can.
fn irssi_config(home: &Path, address: SocketAddr, account: Account<'_>) -> String {
    let Account { handle, password, channel, authority } = account;
    // It looks for a name in the certificate, and not for an address.
    let (host, tls) = match authority {
        None => (address.ip().to_string(), "use_tls = \"no\";".to_owned()),
        Some(ca) => {
            let ca = ca.display();
            let tls = format!("use_tls = \"yes\"; tls_verify = \"yes\"; tls_cafile = \"{ca}\";");
            ("localhost".to_owned(), tls)
        }
    };
    let (port, home) = (address.port(), home.display());
    format!(
        r##"
        servers = ({{ address = "{host}"; port = "{port}"; chatnet = "gateway"; autoconnect = "yes"; {tls} }});
        chatnets = {{ gateway = {{
            type = "IRC"; nick = "{handle}";
            sasl_mechanism = "PLAIN"; sasl_username = "{handle}"; sasl_password = "{password}";
        }}; }};
        channels = ({{ name = "{channel}"; chatnet = "gateway"; autojoin = "yes"; }});
        settings = {{
            core = {{ nick = "{handle}"; user_name = "{handle}"; real_name = "{handle}"; }};
            "irc/core" = {{ cmd_queue_speed = "1msec"; cmds_max_at_once = "100"; }};
            "fe-text" = {{ paste_detect_time = "0"; paste_verify_line_count = "0"; }};
            "fe-common/core" = {{ autolog = "yes"; autolog_level = "ALL"; autolog_path = "{home}/$0.log"; }};
        }};
        "##
    )
}

/// WeeChat, without a terminal.
#[derive(Debug)]
pub struct Weechat {
    home: TempDir,
    child: Child,
    /// Where it takes commands from, once they are first needed.
    fifo: Option<File>,
}

impl Weechat {
    /// Starts it, to sign on by SASL and join. `None` where it is not installed.
    pub fn start(address: SocketAddr, account: Account<'_>) -> Option<Self> {
        let mut command = foreign::command("weechat-headless")?;
        let home = TempDir::new().expect("there is room for a folder");
        command
            .arg("--dir")
            .arg(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for line in weechat_commands(address, account) {
            command.arg("--run-command").arg(line);
        }
        let child = command.spawn().expect("it has just been found");
        Some(Self { home, child, fifo: None })
    }

    /// Enters a line in the window of a channel.
    #[track_caller]
    pub fn enter(&mut self, channel: &str, line: &str) {
        let path = self.home.path().join("fifo");
        let fifo = self.fifo.get_or_insert_with(|| {
            let opened = OpenOptions::new().write(true).open(&path);
            opened.unwrap_or_else(|error| panic!("weechat-plugins is needed: {error}"))
        });
        fifo.write_all(format!("irc.gateway.{channel} *{line}\n").as_bytes()).expect("it runs");
    }

    /// What it shows of a channel, or of the messages of one user.
    pub fn window(&self, target: &str) -> Window {
        Window::of(&self.home.path().join(format!("logs/irc.gateway.{target}.weechatlog")))
    }
}

impl Drop for Weechat {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Whether a server speaks TLS is `ssl` until version 4, and `tls` from then on.
fn weechat_commands(address: SocketAddr, account: Account<'_>) -> Vec<String> {
    let Account { handle, password, channel, authority } = account;
    let tls = if authority.is_some() { "on" } else { "off" };
    let server = [
        ("nicks", handle),
        ("sasl_username", handle),
        ("sasl_password", password),
        ("autojoin", channel),
        ("ssl", tls),
        ("tls", tls),
    ];
    let mut commands = vec![
        "/set fifo.file.path ${weechat_data_dir}/fifo".into(),
        "/set logger.file.flush_delay 0".into(),
        format!("/server add gateway {}/{}", address.ip(), address.port()),
    ];
    if let Some(ca) = authority {
        commands.push(format!("/set weechat.network.gnutls_ca_user {}", ca.display()));
    }
    commands.extend(server.map(|(key, value)| format!("/set irc.server.gateway.{key} {value}")));
    commands.push("/connect gateway".into());
    commands
}

/// What a client writes to a log of its own, as it comes.
#[derive(Debug)]
pub struct Window {
    log: Arc<Log>,
    tail: Child,
}

impl Window {
    fn of(path: &Path) -> Self {
        let mut tail = Command::new("tail")
            .args(["--quiet", "--lines=+1", "--follow=name", "--retry"])
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("every system has it");
        let log = Log::of(tail.stdout.take().expect("it is piped"));
        Self { log, tail }
    }

    /// Waits for a line with all of these in it.
    #[track_caller]
    pub fn wait_for(&self, parts: &[&str]) {
        self.log.wait_for_line(parts);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        end(&mut self.tail);
    }
}

fn end(child: &mut Child) {
    // It may have ended already.
    drop(child.kill());
    drop(child.wait());
}

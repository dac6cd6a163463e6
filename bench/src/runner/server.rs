//! Servers as children of the bench: the gateway with a configuration of its own, and the floors.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::identity::Identity;
use super::process::{self, Cpu};
use crate::load::{Encryption, HttpCall, Seat, Talk, prepare};

/// Deadline for a server to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Deadline for the gateway to exit after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A gateway or a floor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Side {
    Gateway,
    /// Another build of the gateway.
    GatewayBefore,
    /// The gateway with chatroom loaded from a shared library.
    GatewayPlugin,
    /// The gateway with TLS on chatroom.
    GatewayTls,
    FloorWs,
    FloorWsTls,
    FloorDurable,
    FloorHttp,
    FloorHttpTls,
    /// Handshakes only.
    FloorHandshakes,
}

impl Side {
    /// Whether the side speaks the dialects.
    pub(super) fn is_gateway(self) -> bool {
        matches!(self, Self::Gateway | Self::GatewayBefore | Self::GatewayPlugin | Self::GatewayTls)
    }

    /// Whether the side speaks TLS.
    pub(super) fn is_encrypted(self) -> bool {
        matches!(
            self,
            Self::GatewayTls | Self::FloorWsTls | Self::FloorHttpTls | Self::FloorHandshakes
        )
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::GatewayBefore => "gateway-before",
            Self::GatewayPlugin => "gateway-plugin",
            Self::GatewayTls => "gateway-tls",
            Self::FloorWs => "floor-ws",
            Self::FloorWsTls => "floor-ws-tls",
            Self::FloorDurable => "floor-durable",
            Self::FloorHttp => "floor-http",
            Self::FloorHttpTls => "floor-http-tls",
            Self::FloorHandshakes => "floor-handshakes",
        }
    }
}

/// How to start servers.
pub(super) struct Stage {
    /// The program `dragoman`.
    pub(super) gateway: PathBuf,
    /// Another build to compare with.
    pub(super) before: Option<PathBuf>,
    /// chatroom as a shared library, if it was built.
    pub(super) plugin: Option<PathBuf>,
    /// A folder on the disk to measure.
    pub(super) folder: tempfile::TempDir,
    /// Further keys of gateway.toml.
    pub(super) set: Vec<String>,
    /// Size of the reply of floor-http.
    pub(super) reply_bytes: Cell<usize>,
    /// Of the servers that speak TLS.
    pub(super) identity: Identity,
    /// Number of servers started so far; each listens on its own loopback address.
    started: AtomicU32,
}

/// A running server. Dropping it kills the process.
pub(super) struct Server {
    child: Child,
    ip: IpAddr,
    /// Addresses for many connections to come from.
    pub(super) clients: [IpAddr; 4],
    /// How TLS is spoken to it, if it is.
    pub(super) encryption: Option<Encryption>,
}

/// Ports of the listeners, on the server's own address.
pub(super) const CHATROOM: u16 = 5000;
pub(super) const CHATROOM_WEBSOCKET: u16 = 2333;
pub(super) const USR_ROOM: u16 = 5001;
pub(super) const CHANNEL: u16 = 5004;
pub(super) const TOKEN: u16 = 5100;
pub(super) const OURCHAT: u16 = 7777;
pub(super) const OURCHAT_TCP: u16 = 7778;
pub(super) const IRC: u16 = 6667;
/// Over TLS; of gateways at their defaults.
pub(super) const IRCS: u16 = 6697;
pub(super) const ADMIN: u16 = 5090;
pub(super) const FLOOR: u16 = 9000;

impl Stage {
    pub(super) fn new(
        gateway: PathBuf,
        before: Option<PathBuf>,
        plugin: Option<PathBuf>,
        folder: &Path,
        set: Vec<String>,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = tempfile::Builder::new().prefix("bench").tempdir_in(folder)?;
        let identity = Identity::write(folder.path())?;
        Ok(Self {
            gateway,
            before,
            plugin,
            folder,
            set,
            reply_bytes: Cell::new(0),
            identity,
            started: AtomicU32::new(0),
        })
    }

    /// Starts a server with an empty store and `rooms` rooms: `bench-0` and so on, which the
    /// gateway numbers from 1.
    pub(super) fn start(&self, side: Side, rooms: u32) -> io::Result<Server> {
        self.start_on(side, rooms, &self.new_store()?)
    }

    /// The path for a new store.
    pub(super) fn new_store(&self) -> io::Result<PathBuf> {
        let store = self.folder.path().join("store.redb");
        if store.exists() {
            fs::remove_file(&store)?;
        }
        Ok(store)
    }

    /// Bytes of the store on disk.
    pub(super) fn store_bytes(&self) -> u64 {
        let store = self.folder.path().join("store.redb");
        store.metadata().map_or(0, |file| file.blocks() * 512)
    }

    /// Starts a server on an existing store.
    pub(super) fn start_on(&self, side: Side, rooms: u32, store: &Path) -> io::Result<Server> {
        self.start_with(side, rooms, store, &[])
    }

    /// Starts a server with further keys of gateway.toml.
    pub(super) fn start_with(
        &self,
        side: Side,
        rooms: u32,
        store: &Path,
        set: &[String],
    ) -> io::Result<Server> {
        self.start_limited(side, rooms, store, set, NO_LIMITS)
    }

    /// Starts a gateway with an empty store, at its defaults.
    pub(super) fn start_at_defaults(&self, rooms: u32) -> io::Result<Server> {
        self.start_limited(Side::Gateway, rooms, &self.new_store()?, &[], "")
    }

    fn start_limited(
        &self,
        side: Side,
        rooms: u32,
        store: &Path,
        set: &[String],
        limits: &str,
    ) -> io::Result<Server> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let ip = own_address(number);
        let mut text = configuration(ip, rooms, store, limits);
        if limits.is_empty() {
            text += &encrypted_irc(ip, &self.identity);
        }
        let text = if side == Side::GatewayBefore { without_new_limits(&text) } else { text };
        fs::write(self.config(), text)?;
        let plugin = |path: &PathBuf| format!("frontends.chatroom.plugin={}", path.display());
        let plugin = self.plugin.iter().map(plugin).filter(|_| side == Side::GatewayPlugin);
        let tls = format!("frontends.chatroom.tls={}", self.identity.table());
        let tls = (side == Side::GatewayTls).then_some(tls);
        let set: Vec<String> = set.iter().cloned().chain(plugin).chain(tls).collect();
        let mut command = match side {
            Side::Gateway | Side::GatewayPlugin | Side::GatewayTls => {
                self.gateway(&self.gateway, &set)
            }
            Side::GatewayBefore => {
                let before = self.before.as_ref().unwrap_or(&self.gateway);
                self.gateway(before, &set)
            }
            Side::FloorWs | Side::FloorWsTls => floor("ws", ip)?,
            Side::FloorHandshakes => floor("handshakes", ip)?,
            Side::FloorHttp | Side::FloorHttpTls => {
                let mut command = floor("http", ip)?;
                command.arg("--reply-bytes").arg(self.reply_bytes.get().to_string());
                command
            }
            Side::FloorDurable => {
                let mut command = floor("durable", ip)?;
                command.arg("--store").arg(store);
                command
            }
        };
        if side.is_encrypted() && !side.is_gateway() {
            command.arg("--identity").arg(&self.identity.file);
        }
        let log = self.folder.path().join(format!("{}-{number}.log", side.name()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let encryption = side.is_encrypted().then(|| self.identity.client(true));
        let clients = client_addresses(number);
        let mut server = Server { child: command.spawn()?, ip, clients, encryption };
        let ready = match side {
            side if side.is_gateway() => server.wait_until_ready(),
            _ => server.wait_until(|server| TcpStream::connect(server.at(FLOOR)).is_ok()),
        };
        ready.map_err(|error| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            io::Error::new(error.kind(), format!("{} does not start: {error}\n{log}", side.name()))
        })?;
        Ok(server)
    }

    /// The program and the configuration of the gateway that was started last.
    pub(super) fn program(&self) -> (PathBuf, PathBuf) {
        (self.gateway.clone(), self.config())
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    fn gateway(&self, program: &Path, set: &[String]) -> Command {
        let mut command = Command::new(program);
        command.arg("--config").arg(self.config());
        for set in set.iter().chain(&self.set) {
            command.arg("--set").arg(set);
        }
        command.arg("serve");
        command
    }
}

/// 127.x.y.z, unique to this process and this server.
fn own_address(number: u32) -> IpAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 1 + high % 250, low, 1 + (number % 250) as u8).into()
}

/// Client addresses 127.251.x.y and so on, new for each turn. Ports of earlier connections stay in
/// TIME_WAIT for a minute, and for a bound socket the kernel searches them one by one.
fn client_addresses(number: u32) -> [IpAddr; 4] {
    let [.., low] = std::process::id().to_be_bytes();
    [251, 252, 253, 254].map(|net| Ipv4Addr::new(127, net, low, 1 + (number % 250) as u8).into())
}

fn floor(kind: &str, ip: IpAddr) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", kind, "--listen"]).arg(SocketAddr::new(ip, FLOOR).to_string());
    Ok(command)
}

/// Limits are not what most jobs measure.
const NO_LIMITS: &str = "connections_max = 0\nconnections_per_address_max = 0\nrequests_per_s = 0\n\
                         messages_per_s = 0\nbytes_per_s = 0\nroom_capacity = 100000\n\
                         guests_per_address_max = 0\n";

/// The same without the limits that former builds do not know; those have no limit of that kind.
fn without_new_limits(text: &str) -> String {
    text.replace("bytes_per_s = 0\n", "").replace("guests_per_address_max = 0\n", "")
}

/// gateway.toml, with these keys in the section of each front end.
fn configuration(ip: IpAddr, rooms: u32, store: &Path, limits: &str) -> String {
    let store = store.display();
    let (threads, capacity) = match limits {
        "" => ("", ""),
        _ => ("[server]\npassword_threads = 2\n", "capacity = 100000\n"),
    };
    let mut text = format!(
        "{threads}[store]\npath = \"{store}\"\n[admin]\nlisten = \"{ip}:{ADMIN}\"\n\
         [frontends.token]\nlisten = \"{ip}:{TOKEN}\"\n{limits}\
         [frontends.usr_room]\nlisten = \"{ip}:{USR_ROOM}\"\n{limits}\
         [frontends.chatroom]\nlisten = \"{ip}:{CHATROOM}\"\n\
         websocket_listen = \"{ip}:{CHATROOM_WEBSOCKET}\"\n{limits}\
         [frontends.ourchat]\nlisten = \"{ip}:{OURCHAT}\"\ntcp_listen = \"{ip}:{OURCHAT_TCP}\"\n\
         auto_join = [\"bench-0\"]\n{limits}\
         [frontends.channel]\nlisten = \"{ip}:{CHANNEL}\"\n{limits}"
    );
    if !limits.is_empty() {
        text += &format!("[frontends.irc]\nlisten = \"{ip}:{IRC}\"\n{limits}");
    }
    for room in 0..rooms {
        text += &format!("[[rooms]]\nname = \"bench-{room}\"\n{capacity}");
    }
    text
}

/// A section of another irc, over TLS, to be attacked.
fn encrypted_irc(ip: IpAddr, identity: &Identity) -> String {
    let tls = identity.table();
    format!(
        "[frontends.irc]\nlisten = [\"{ip}:{IRC}\", {{ address = \"{ip}:{IRCS}\", tls = {tls} }}]\n"
    )
}

impl Server {
    /// A connection to one of its ports.
    pub(super) fn seat(&self, port: u16, room: u32, talk: Talk) -> Seat {
        Seat { encryption: self.encryption.clone(), ..Seat::new(self.at(port), room, talk) }
    }

    pub(super) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    pub(super) fn cpu(&self) -> Cpu {
        Cpu::of(self.child.id())
    }

    pub(super) fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.child.id())
    }

    /// Sends one request and reads the reply.
    pub(super) fn ask(&self, port: u16, target: &str, body: Option<&str>) -> io::Result<String> {
        prepare::succeed(self.at(port), &HttpCall::request(target, "", body), "")
    }

    /// Stops the gateway with SIGTERM.
    pub(super) fn stop(mut self) -> io::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let until = Instant::now() + STOP_TIMEOUT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the gateway does not stop"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        self.wait_until(|server| server.ask(ADMIN, "/readyz", None).is_ok())
    }

    fn wait_until(&mut self, ready: impl Fn(&Self) -> bool) -> io::Result<()> {
        let until = Instant::now() + START_TIMEOUT;
        while !ready(self) {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended: {status}")));
            }
            if Instant::now() > until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if the process has exited.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

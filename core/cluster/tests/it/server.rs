//! `nats-server` as a process, on an address of its own.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use core_cluster::Settings;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Nothing of these tests takes this long, but on a machine that does other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CLIENT_PORT: u16 = 4222;
const ROUTE_PORT: u16 = 6222;
const MONITORING_PORT: u16 = 8222;

/// The program, or nothing and a word about it.
pub(crate) fn program() -> Option<PathBuf> {
    let named = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    let installed = installed.join("nats-server/bin/nats-server");
    let candidates = named.into_iter().chain([installed, PathBuf::from("nats-server")]);
    let runs = |path: &PathBuf| Command::new(path).arg("--version").output().is_ok();
    let found = candidates.into_iter().find(runs);
    if found.is_none() {
        let why = "nats-server is neither in NATS_SERVER nor installed";
        assert!(std::env::var_os("CI").is_none(), "{why}, and in CI it must be");
        // Seen with `cargo test -- --nocapture`; the test itself cannot say more.
        eprintln!("skipped: {why}");
    }
    found
}

/// An address of the loopback network that no other test has: so all servers have the usual ports,
/// and keep them when they are started again.
pub(crate) fn own_host() -> Ipv4Addr {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high.max(1), low, LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) host: Ipv4Addr,
    program: PathBuf,
    folder: TempDir,
    running: Option<Child>,
}

impl Server {
    /// A single server with JetStream.
    pub(crate) fn start(program: &Path) -> Self {
        Self::with(program, "jetstream {}")
    }

    /// A single server; `$dir` in the configuration is its folder.
    pub(crate) fn with(program: &Path, config: &str) -> Self {
        Self::at(program, own_host(), config)
    }

    pub(crate) fn at(program: &Path, host: Ipv4Addr, config: &str) -> Self {
        let mut server = Self::new(program, "n1", host, config);
        server.run();
        server
    }

    /// Three servers that know each other.
    pub(crate) fn three(program: &Path) -> [Self; 3] {
        let hosts = [own_host(), own_host(), own_host()];
        let routes = hosts.map(|host| format!("nats://{host}:{ROUTE_PORT}")).join(", ");
        let cluster = |host| {
            format!(
                "jetstream {{}}\ncluster {{ name: test, listen: \"{host}:{ROUTE_PORT}\", \
                 routes: [{routes}] }}"
            )
        };
        let names = ["n1", "n2", "n3"];
        let mut servers: [Self; 3] =
            std::array::from_fn(|i| Self::new(program, names[i], hosts[i], &cluster(hosts[i])));
        servers.iter_mut().for_each(Self::run);
        servers
    }

    fn new(program: &Path, name: &str, host: Ipv4Addr, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "server_name: {name}\nlisten: \"{host}:{CLIENT_PORT}\"\nhttp: \
             \"{host}:{MONITORING_PORT}\"\n{config}"
        );
        let store = format!("jetstream {{\nstore_dir: \"{}\"\n", folder.path().display());
        let config = config.replace("jetstream {", &store);
        let config = config.replace("$dir", &folder.path().display().to_string());
        std::fs::write(folder.path().join("server.conf"), config).unwrap();
        Self { name: name.to_owned(), host, program: program.to_owned(), folder, running: None }
    }

    /// Starts the program, and waits until it takes clients.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.folder.path().join("server.conf"));
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let ready = Arc::new((Mutex::new((false, String::new())), Condvar::new()));
        let errors = BufReader::new(child.stderr.take().unwrap());
        let seen = ready.clone();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut state = seen.0.lock().unwrap();
                state.0 |= line.contains("Server is ready");
                if !state.0 {
                    state.1.push_str(&line);
                    state.1.push('\n');
                }
                seen.1.notify_all();
            }
        });
        let state = ready.0.lock().unwrap();
        let (state, _) = ready.1.wait_timeout_while(state, PATIENCE, |state| !state.0).unwrap();
        assert!(state.0, "the server is not ready: {}", state.1);
        self.running = Some(child);
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.running.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Keeps what a stopped server has on disk, or puts it back: a disk that lost its last writes.
    pub(crate) fn copy_disk(&self, to: &Path) {
        copy(self.folder.path(), to);
    }

    pub(crate) fn restore_disk(&self, from: &Path) {
        std::fs::remove_dir_all(self.folder.path().join("jetstream")).unwrap();
        copy(from, self.folder.path());
    }

    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.running.as_ref().unwrap());
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (self.host, CLIENT_PORT).into()
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Whether it leads what makes streams and consumers, as its monitoring says.
    pub(crate) fn leads_all(&self) -> bool {
        let mut stream = TcpStream::connect((self.host, MONITORING_PORT)).unwrap();
        stream.write_all(b"GET /jsz HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let leader = answer.split("\"leader\": \"").nth(1).and_then(|rest| rest.split('"').next());
        leader == Some(&self.name)
    }

    pub(crate) fn monitoring(&self) -> String {
        format!("http://{}:{MONITORING_PORT}", self.host)
    }

    /// A log on this server alone, of a size that a test can fill.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new("test", vec![self.url()]);
        settings.replicas = 1;
        settings.log_bytes_max = 4 << 20;
        settings
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for found in std::fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let to = to.join(found.file_name());
        if found.file_type().unwrap().is_dir() {
            copy(&found.path(), &to);
        } else {
            std::fs::copy(found.path(), to).unwrap();
        }
    }
}

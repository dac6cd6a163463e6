//! The gateway as a process.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use toml::{Table, Value};

use crate::encrypted::Encryption;
use crate::log::{Log, fields};
use crate::program;

/// The keys of a linked front end that say where it listens, and have a default.
fn listener_keys(frontend: &str) -> Vec<String> {
    let dialect = frontend_all::find(frontend);
    let listeners = dialect.into_iter().flat_map(|dialect| dialect.manifest().listeners);
    listeners.filter(|listener| listener.address.is_some()).map(|listener| listener.key).collect()
}

/// Any port that is free.
pub const ANYWHERE: &str = "127.0.0.1:0";

/// A listener: the front end (or `admin`) and the key.
type Listener = (String, String);

/// How a gateway is to be started.
#[derive(Clone, Debug)]
pub struct Launch {
    folder: Arc<TempDir>,
    config: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    listeners: Vec<Listener>,
    /// Whether the front ends are loaded, rather than those that are linked in.
    loaded: bool,
    /// What the service manager passes, with its names.
    passed: Vec<(String, Arc<OwnedFd>)>,
}

impl Launch {
    /// With this configuration, in a new folder. What it does not say: every listener is at a
    /// free port, the log is JSON, the store is in the folder.
    pub fn of(toml: &str) -> Self {
        Self::empty().with_config(toml)
    }

    /// With the configuration that is shipped, as it is; ports, store and form of the log come
    /// from the environment.
    pub fn shipped() -> Self {
        let mut launch = Self::empty();
        launch.config = program::workspace().join("gateway.toml");
        let store = launch.folder.path().join("chat.redb").display().to_string();
        launch = launch
            .with_environment("DRAGOMAN_STORE__PATH", &store)
            .with_environment("DRAGOMAN_SERVER__LOG__FORMAT", "json")
            .with_environment("DRAGOMAN_ADMIN__LISTEN", ANYWHERE);
        launch.listeners.push(("admin".into(), "listen".into()));
        let shipped = std::fs::read_to_string(&launch.config).expect("gateway.toml is shipped");
        let mut shipped: Table = shipped.parse().expect("gateway.toml is well-formed");
        for (frontend, _) in section(&mut shipped, "frontends").iter() {
            for key in listener_keys(frontend) {
                let variable = format!("DRAGOMAN_FRONTENDS__{frontend}__{key}").to_uppercase();
                launch = launch.with_environment(&variable, ANYWHERE);
                launch.listeners.push((frontend.clone(), key));
            }
        }
        launch
    }

    fn empty() -> Self {
        let folder = Arc::new(TempDir::new().expect("there is room for a folder"));
        let config = folder.path().join("gateway.toml");
        let (arguments, environment, listeners, loaded, passed) = Default::default();
        Self { folder, config, arguments, environment, listeners, loaded, passed }
    }

    /// The same, with every front end loaded from a shared library.
    pub fn loaded(toml: &str) -> Self {
        Self { loaded: true, ..Self::empty() }.with_config(toml)
    }

    /// With another configuration, in the same folder, on the same store.
    #[must_use]
    pub fn with_config(mut self, toml: &str) -> Self {
        let mut table = completed(toml.parse().expect("the test's TOML is well-formed"));
        if self.loaded {
            load(&mut table);
        }
        self.listeners = listeners(&table);
        std::fs::write(&self.config, table.to_string()).expect("it is writable");
        self
    }

    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// `--set key=value`
    #[must_use]
    pub fn with_setting(mut self, setting: &str) -> Self {
        self.arguments.extend(["--set".into(), setting.into()]);
        self
    }

    /// Passes a socket under a name, as systemd does; it stays open here.
    #[must_use]
    pub fn with_socket(mut self, name: &str, socket: impl Into<OwnedFd>) -> Self {
        self.passed.push((name.to_owned(), Arc::new(socket.into())));
        self
    }

    /// The folder in which configuration and store are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, and waits until it listens everywhere.
    #[track_caller]
    pub fn start(self) -> Gateway {
        let mut gateway = self.spawn();
        gateway.wait_until_it_listens();
        gateway
    }

    /// Starts it.
    pub fn spawn(self) -> Gateway {
        let (child, log) = self.run();
        Gateway { launch: self, child, log, addresses: BTreeMap::new() }
    }

    fn run(&self) -> (Child, Arc<Log>) {
        let (mut command, _passed) = self.command();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DRAGOMAN_") {
                command.env_remove(name);
            }
        }
        command
            .arg("--config")
            .arg(&self.config)
            .arg("serve")
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let log = Log::of(child.stderr.take().expect("it is piped"));
        (child, log)
    }

    /// The program; with sockets, by way of a shell that moves them to descriptor 3 and up and says
    /// so in the environment (sd_listen_fds(3)). They are to stay open until it is spawned.
    fn command(&self) -> (Command, Vec<OwnedFd>) {
        if self.passed.is_empty() {
            return (Command::new(program::path()), Vec::new());
        }
        let mut script = String::new();
        let mut names = Vec::new();
        let mut open = Vec::new();
        for (nth, (name, socket)) in self.passed.iter().enumerate() {
            let copy = fcntl_dupfd_cloexec(socket, ABOVE_PASSED).expect("there are descriptors");
            fcntl_setfd(&copy, FdFlags::empty()).expect("it is open");
            let at = copy.as_raw_fd();
            script += &format!("exec {}<&{at} {at}<&-; ", 3 + nth);
            names.push(name.as_str());
            open.push(copy);
        }
        let (count, names) = (names.len(), names.join(":"));
        script += &format!("export LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names}; ");
        let mut command = Command::new("bash");
        command.args(["-c", &(script + "exec \"$0\" \"$@\"")]).arg(program::path());
        (command, open)
    }
}

/// Above the descriptors that the program gets.
const ABOVE_PASSED: i32 = 100;

/// A gateway that runs, or has ended. It is killed when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    launch: Launch,
    child: Child,
    log: Arc<Log>,
    addresses: BTreeMap<Listener, SocketAddr>,
}

impl Gateway {
    /// [`Launch::of`] this configuration, listening everywhere.
    #[track_caller]
    pub fn start(toml: &str) -> Self {
        Launch::of(toml).start()
    }

    /// How it was started.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Where a front end (or `admin`) listens.
    #[track_caller]
    pub fn address(&self, frontend: &str, key: &str) -> SocketAddr {
        let listener = (frontend.to_owned(), key.to_owned());
        let address = self.addresses.get(&listener).copied();
        address.unwrap_or_else(|| panic!("{frontend}.{key} does not listen: {:?}", self.addresses))
    }

    /// Has clients connect to every front end by TLS from now on: to addresses from which it is spoken.
    pub fn encrypt(&mut self, encryption: &Encryption) {
        let fronts = self.addresses.iter_mut().filter(|((frontend, _), _)| frontend != "admin");
        for (_, address) in fronts {
            *address = encryption.to(*address);
        }
    }

    /// Waits until one listener listens.
    #[track_caller]
    pub fn wait_for_listener(&mut self, frontend: &str, key: &str) -> SocketAddr {
        let listener = (frontend.to_owned(), key.to_owned());
        let address = self.log.wait_for(&format!("{frontend}.{key} listening"), |lines| {
            lines
                .iter()
                .rev()
                .filter_map(|line| listening(line))
                .find_map(|(other, address)| (other == listener).then_some(address))
        });
        self.addresses.insert(listener, address);
        address
    }

    #[track_caller]
    fn wait_until_it_listens(&mut self) {
        for (frontend, key) in self.launch.listeners.clone() {
            self.wait_for_listener(&frontend, &key);
        }
    }

    /// Starts it again on the same store, after killing it where it runs. Ports may be others.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        (self.child, self.log) = self.launch.run();
        self.addresses.clear();
        self.wait_until_it_listens();
    }

    /// SIGKILL: it ends in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// SIGKILL, and no waiting.
    pub fn signal_kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and no waiting.
    pub fn signal_term(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGINT, and no waiting.
    pub fn signal_int(&self) {
        self.signal(Signal::INT);
    }

    /// SIGHUP, and no waiting.
    pub fn signal_hup(&self) {
        self.signal(Signal::HUP);
    }

    /// Changes the configuration to this, in the same folder, and waits until it is applied.
    #[track_caller]
    pub fn reload(&mut self, toml: &str) {
        self.launch = self.launch.clone().with_config(toml);
        self.reload_with("the configuration was read again");
    }

    /// The same with one that is wrong.
    #[track_caller]
    pub fn reload_wrong(&mut self, toml: &str) {
        std::fs::write(&self.launch.config, toml).expect("it is writable");
        self.reload_with("nothing is changed");
    }

    #[track_caller]
    fn reload_with(&self, words: &str) {
        let count = |lines: &[String]| lines.iter().filter(|line| line.contains(words)).count();
        let before = self.log.wait_for("any line", |lines| Some(count(lines)));
        self.signal_hup();
        self.log.wait_for(words, |lines| (count(lines) > before).then_some(()));
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is our child, and not waited for yet");
    }

    /// Writes another configuration in the same folder, which the gateway does not read yet.
    pub fn configure(&mut self, toml: &str) {
        self.launch = self.launch.clone().with_config(toml);
    }

    /// Has the gateway read its configuration, and waits until it is applied.
    #[track_caller]
    pub fn reread(&self) {
        self.reload_with("the configuration was read again");
    }

    /// Standard output, standard error and exit code of `dragoman arguments…`, for this gateway.
    #[track_caller]
    pub fn dragoman(&self, arguments: &[&str]) -> (String, String, i32) {
        let admin = format!("admin.listen={}", self.address("admin", "listen"));
        let output = Command::new(program::path())
            .arg("--config")
            .arg(&self.launch.config)
            .args(["--set", &admin])
            .args(arguments)
            .current_dir(self.launch.folder())
            .output()
            .expect("the program was built");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
        let code = output.status.code().expect("it exits by itself");
        (text(output.stdout), text(output.stderr), code)
    }

    /// SIGTERM: its exit code when it has drained.
    #[track_caller]
    pub fn terminate(&mut self) -> i32 {
        self.signal_term();
        self.wait_for_exit()
    }

    /// Waits until it ends by itself, and gives its exit code; -1 after a signal.
    #[track_caller]
    pub fn wait_for_exit(&mut self) -> i32 {
        if !self.log.wait_for_end() {
            panic!("the gateway does not end; it wrote:\n{}", self.log.text());
        }
        self.child.wait().expect("it is our child").code().unwrap_or(-1)
    }

    /// The store, to look at from outside.
    pub fn store(&self) -> File {
        let path = self.launch.folder().join("chat.redb");
        File::open(path).expect("the gateway made it")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already, and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            self.log.wait_for_end();
            eprintln!("--- the gateway wrote:\n{}\n---", self.log.text());
        }
    }
}

/// Which listener a line of the log says to listen, and where.
fn listening(line: &str) -> Option<(Listener, SocketAddr)> {
    let fields = fields(line)?;
    let text = |key: &str| fields.get(key)?.as_str();
    let address = text("address")?.parse().ok()?;
    let says_so = text("message")? == "listening";
    says_so.then_some(((text("frontend")?.into(), text("listener")?.into()), address))
}

/// The configuration with what a test needs in addition.
fn completed(mut config: Table) -> Table {
    let server = section(&mut config, "server");
    section(server, "log").entry("format").or_insert("json".into());
    section(&mut config, "store").entry("path").or_insert("chat.redb".into());
    section(&mut config, "admin").entry("listen").or_insert(ANYWHERE.into());
    let frontends = section(&mut config, "frontends");
    for (name, frontend) in frontends.iter_mut() {
        let frontend = frontend.as_table_mut().expect("a front end is a section");
        let dialect = frontend.get("dialect").and_then(Value::as_str).unwrap_or(name).to_owned();
        for key in listener_keys(&dialect) {
            frontend.entry(key).or_insert(ANYWHERE.into());
        }
    }
    config
}

/// Has every front end loaded.
fn load(config: &mut Table) {
    for (name, section) in section(config, "frontends").iter_mut() {
        let path = plugin_testkit::plugin(name).display().to_string();
        section.as_table_mut().expect("it is a section").insert("plugin".into(), path.into());
    }
}

fn section<'a>(table: &'a mut Table, key: &str) -> &'a mut Table {
    let section = table.entry(key).or_insert(Table::new().into());
    section.as_table_mut().unwrap_or_else(|| panic!("{key} is no table"))
}

/// Where the configuration has the gateway listen.
fn listeners(config: &Table) -> Vec<Listener> {
    let sections = config["frontends"].as_table().expect("it is completed").iter();
    let enabled = |section: &Value| section.get("enabled") != Some(&false.into());
    let mut listeners = vec![("admin".to_owned(), "listen".to_owned())];
    for (frontend, section) in sections.filter(|(_, section)| enabled(section)) {
        let keys = section.as_table().expect("it is a section").keys();
        let keys = keys.filter(|key| key.ends_with("listen"));
        listeners.extend(keys.map(|key| (frontend.clone(), key.clone())));
    }
    listeners
}

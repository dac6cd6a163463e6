//! What a supervisor learns of the gateway: sd_notify(3).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};

use gateway_tests::{Launch, PATIENCE};

/// The socket of a supervisor.
struct Supervisor(UnixDatagram);

impl Supervisor {
    /// One whose socket is in the folder of the gateway.
    fn of(launch: Launch) -> (Self, Launch) {
        let path = launch.folder().join("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("the folder is writable");
        let path = path.to_str().expect("it is text").to_owned();
        (Self::with(socket), launch.with_environment("NOTIFY_SOCKET", &path))
    }

    fn with(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("it is open");
        Self(socket)
    }

    /// The next message, a state a line.
    fn next(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).expect("the gateway notifies");
        let text = String::from_utf8(bytes[..length].to_vec()).expect("it is UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// The next message with this state; others are passed over.
    fn wait_for(&self, state: &str) -> Vec<String> {
        loop {
            let states = self.next();
            if states.iter().any(|one| one == state) {
                return states;
            }
        }
    }
}

#[test]
fn a_supervisor_learns_when_the_gateway_is_ready_reloads_and_stops() {
    let (supervisor, launch) = Supervisor::of(Launch::of(""));
    let socket = launch.folder().join("chat.sock");
    let toml = format!("[frontends.channel]\nlisten = \"unix:{}\"\n", socket.display());
    let mut gateway = launch.with_config(&toml).spawn();
    assert_eq!(supervisor.next(), ["STATUS=opening the store"]);
    assert_eq!(supervisor.next(), ["READY=1", "STATUS=serving"]);
    UnixStream::connect(socket).expect("ready is when it listens");

    gateway.signal_hup();
    let states = supervisor.next();
    assert_eq!(states[0], "RELOADING=1");
    let moment = states[1].strip_prefix("MONOTONIC_USEC=").expect("in the same message");
    assert!(moment.parse::<u64>().is_ok(), "{moment}");
    assert_eq!(supervisor.next(), ["READY=1", "STATUS=serving"]);

    // A reload that is refused ends as well, or systemd would wait for it.
    gateway.reload_wrong("nonsense");
    assert_eq!(supervisor.next()[0], "RELOADING=1");
    let states = supervisor.next();
    assert_eq!(states[0], "READY=1");
    assert!(states[1].contains("was not carried out"), "{states:?}");

    gateway.signal_term();
    assert_eq!(supervisor.next()[0], "STOPPING=1");
    assert_eq!(gateway.wait_for_exit(), 0);
}

/// One without work makes progress: it is not to be restarted.
#[test]
fn the_watchdog_of_an_idle_gateway_is_fed() {
    let (supervisor, launch) = Supervisor::of(Launch::of("[frontends.channel]\n"));
    let mut gateway = launch.with_environment("WATCHDOG_USEC", "200000").spawn();
    supervisor.wait_for("READY=1");
    for _ in 0..10 {
        supervisor.wait_for("WATCHDOG=1");
    }
    assert_eq!(gateway.terminate(), 0);
}

#[test]
fn without_a_watchdog_none_is_fed_and_the_socket_may_be_abstract() {
    let name = format!("dragoman-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let supervisor = Supervisor::with(UnixDatagram::bind_addr(&address).expect("it is free"));
    let launch = Launch::of("[frontends.channel]\n");
    let mut gateway = launch.with_environment("NOTIFY_SOCKET", &format!("@{name}")).spawn();
    supervisor.wait_for("READY=1");
    gateway.signal_term();
    assert_eq!(supervisor.next()[0], "STOPPING=1");
    assert_eq!(gateway.wait_for_exit(), 0);
}

/// A supervisor that has gone away is no reason to stop.
#[test]
fn a_socket_that_does_not_answer_is_a_warning() {
    let launch = Launch::of("[frontends.channel]\n");
    let nowhere = launch.folder().join("nowhere.sock");
    let launch = launch.with_environment("NOTIFY_SOCKET", nowhere.to_str().expect("it is text"));
    let mut gateway = launch.start();
    gateway.log().wait_for_line(&["WARN", "cannot notify the supervisor at NOTIFY_SOCKET"]);
    assert_eq!(gateway.terminate(), 0);
}

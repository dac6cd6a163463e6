//! Listening sockets that the service manager opens and passes on: sd_listen_fds(3).

use std::cmp::Ordering;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use listenfd::ListenFd;
use socket2::{SockAddr, Socket};

/// What systemd calls a descriptor without a name, and one that was passed without names.
const NO_NAME: &str = "unknown";

/// The sockets of this process. Not set: the program does not serve, and none are passed to it.
static RECEIVED: OnceLock<Received> = OnceLock::new();

/// What was passed to a process, in its order.
#[derive(Debug, Default)]
pub struct Received(Vec<Passed>);

/// A descriptor, under the name that the socket unit gives it (`FileDescriptorName=`). Several may
/// have the same.
#[derive(Debug)]
struct Passed {
    name: String,
    /// `Err`: why nothing can be accepted from it.
    socket: Result<Arc<PassedSocket>, String>,
}

/// A socket that listens. It is never closed, so that a front end that a reload turns off and on
/// again finds it.
#[derive(Debug)]
pub struct PassedSocket {
    name: String,
    /// Its position among those that were passed.
    nth: usize,
    socket: Socket,
    bound: Bound,
}

/// Where a passed socket listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bound {
    Ip(SocketAddr),
    /// A path, or `@name` outside of the file system (unix(7), abstract).
    Unix(PathBuf),
}

/// Takes what was passed to this process. Called once, while the process has one thread, and by the
/// command that serves only.
pub fn receive() {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut passed = ListenFd::from_env();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let received = (0..passed.len()).map(|nth| {
        let name = names.next().unwrap_or(NO_NAME).to_owned();
        let socket = take(&mut passed, nth).and_then(|socket| {
            let bound = bound(&socket)?;
            Ok(Arc::new(PassedSocket { name: name.clone(), nth, socket, bound }))
        });
        Passed { name, socket }
    });
    let received = Received(received.collect());
    RECEIVED.set(received).expect("a process receives its sockets once");
}

/// What was passed to this process. `None`: it does not serve.
pub fn received() -> Option<&'static Received> {
    RECEIVED.get()
}

impl Received {
    /// The sockets with a name. `Err`: there is none, or one is not of use.
    pub fn named(&self, name: &str) -> Result<Vec<Arc<PassedSocket>>, String> {
        let mut found = Vec::new();
        for passed in self.0.iter().filter(|passed| passed.name == name) {
            let socket = passed.socket.as_ref().map_err(|why| {
                format!("what the service manager passes under this name is of no use: {why}")
            });
            found.push(socket?.clone());
        }
        if found.is_empty() {
            return Err(format!("no socket with this name was passed; {}", self.names()));
        }
        Ok(found)
    }

    fn names(&self) -> String {
        if self.0.is_empty() {
            return "none was passed at all: start the gateway by its socket unit \
                    (Sockets= in its service), or name an address"
                .into();
        }
        let names: Vec<&str> = self.0.iter().map(|passed| passed.name.as_str()).collect();
        format!("passed are {}: see FileDescriptorName= in the socket unit", names.join(", "))
    }

    /// A warning for each descriptor that no listener uses.
    pub fn unused(&self, is_used: impl Fn(&PassedSocket) -> bool) -> Vec<String> {
        let warning = |passed: &Passed| {
            let name = &passed.name;
            match &passed.socket {
                Ok(socket) if is_used(socket) => None,
                Ok(socket) => Some(format!(
                    "the service manager passes the socket {name:?} ({socket:#}), and nothing \
                     accepts its connections; set listen = \"systemd:{name}\" where it belongs, or \
                     remove it from the socket unit"
                )),
                Err(why) => {
                    Some(format!("the service manager passes {name:?}, which is of no use: {why}"))
                }
            }
        };
        self.0.iter().filter_map(warning).collect()
    }
}

impl PassedSocket {
    /// Another handle of the socket, to accept from.
    pub fn open(&self) -> std::io::Result<Socket> {
        self.socket.try_clone()
    }

    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// `None`: a unix socket.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self.bound {
            Bound::Ip(address) => Some(address),
            Bound::Unix(_) => None,
        }
    }

    /// Whether it is a unix socket to which every user of the machine may connect.
    pub fn is_open_to_all_users(&self) -> bool {
        match &self.bound {
            Bound::Ip(_) => false,
            Bound::Unix(path) => {
                let mode = path.metadata().map(|metadata| metadata.permissions().mode());
                // Outside of the file system there are no permissions.
                mode.map_or(true, |mode| mode & 0o002 != 0)
            }
        }
    }
}

/// `systemd:web`, as in the configuration; the alternate form is where it listens.
impl fmt::Display for PassedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bound {
            _ if !f.alternate() => write!(f, "systemd:{}", self.name),
            Bound::Ip(address) => address.fmt(f),
            Bound::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl PartialEq for PassedSocket {
    fn eq(&self, other: &Self) -> bool {
        self.nth == other.nth
    }
}

impl Eq for PassedSocket {}

impl PartialOrd for PassedSocket {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PassedSocket {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nth.cmp(&other.nth)
    }
}

/// Takes a descriptor, whatever stream socket it is.
fn take(passed: &mut ListenFd, nth: usize) -> Result<Socket, String> {
    if let Ok(Some(tcp)) = passed.take_tcp_listener(nth) {
        return Ok(OwnedFd::from(tcp).into());
    }
    match passed.take_unix_listener(nth) {
        Ok(Some(unix)) => Ok(OwnedFd::from(unix).into()),
        Ok(None) | Err(_) => {
            Err("it is no stream socket of TCP or unix; the socket unit needs ListenStream=".into())
        }
    }
}

/// Where a socket listens. `Err`: it does not.
fn bound(socket: &Socket) -> Result<Bound, String> {
    if !socket.is_listener().unwrap_or(false) {
        return Err(
            "it is a connection and does not listen; the socket unit needs Accept=no".into()
        );
    }
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    let ip = address.as_socket().map(Bound::Ip);
    ip.or_else(|| unix(&address)).ok_or_else(|| "it is of a family without name".into())
}

fn unix(address: &SockAddr) -> Option<Bound> {
    let path = address.as_pathname().map(PathBuf::from);
    let name = || {
        let name = String::from_utf8_lossy(address.as_abstract_namespace()?).into_owned();
        Some(PathBuf::from(format!("@{name}")))
    };
    path.or_else(name).map(Bound::Unix)
}

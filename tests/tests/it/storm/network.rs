//! The network between the clients and the gateway: it resets connections, and lets others fall
//! silent. Its addresses stay when the gateway's change.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gateway_tests::Gateway;
use socket2::SockRef;

/// How long a client waits for an answer before it takes the connection for dead.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// How often a connection looks whether it was broken meanwhile.
const TICK: Duration = Duration::from_millis(20);

/// A listener of the gateway: front end and key.
pub(crate) type Listener = (&'static str, &'static str);

const WHOLE: u8 = 0;
const RESET: u8 = 1;
const SILENT: u8 = 2;

/// A connection's state.
type Health = Arc<AtomicU8>;

#[derive(Clone, Default)]
pub(crate) struct Network {
    shared: Arc<Mutex<Shared>>,
    /// The gateway has started.
    started: Arc<Condvar>,
}

#[derive(Default)]
struct Shared {
    /// Where the gateway listens now; none while it is dead.
    targets: BTreeMap<Listener, SocketAddr>,
    /// Where the network does.
    addresses: BTreeMap<Listener, SocketAddr>,
    connections: Vec<Health>,
}

impl Network {
    pub(crate) fn between(listeners: &[Listener]) -> Self {
        let network = Self::default();
        for listener in listeners {
            let socket = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
            let address = socket.local_addr().expect("it is bound");
            network.with(|shared| shared.addresses.insert(*listener, address));
            let (network, listener) = (network.clone(), *listener);
            thread::spawn(move || {
                for near in socket.incoming().map_while(Result::ok) {
                    network.join(near, listener);
                }
            });
        }
        network
    }

    fn with<R>(&self, act: impl FnOnce(&mut Shared) -> R) -> R {
        act(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The gateway has started.
    pub(crate) fn lead_to(&self, gateway: &Gateway) {
        self.with(|shared| {
            for (frontend, key) in shared.addresses.keys() {
                shared.targets.insert((*frontend, *key), gateway.address(frontend, key));
            }
        });
        self.started.notify_all();
    }

    /// The gateway is dead.
    pub(super) fn lead_nowhere(&self) {
        self.with(|shared| shared.targets.clear());
    }

    /// A client's connection, once the gateway is there.
    pub(super) fn connect(&self, listener: Listener) -> io::Result<TcpStream> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let is_dead = |shared: &mut Shared| shared.targets.is_empty();
        let started = self.started.wait_while(shared, is_dead);
        let address = started.unwrap_or_else(PoisonError::into_inner).addresses[&listener];
        let stream = TcpStream::connect_timeout(&address, SILENCE)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Resets connections, the newest first.
    pub(super) fn reset(&self, count: usize) -> usize {
        self.mark(count, RESET)
    }

    /// Has connections fall silent in both directions, while both ends stay open.
    pub(super) fn silence(&self, count: usize) -> usize {
        self.mark(count, SILENT)
    }

    fn mark(&self, count: usize, health: u8) -> usize {
        self.with(|shared| {
            shared.connections.retain(|one| Arc::strong_count(one) > 1);
            let whole = shared.connections.iter().rev();
            let whole = whole.filter(|one| one.load(Ordering::SeqCst) == WHOLE).take(count);
            whole.map(|one| one.store(health, Ordering::SeqCst)).count()
        })
    }

    /// Joins a client with the gateway.
    fn join(&self, near: TcpStream, listener: Listener) {
        let Some(target) = self.with(|shared| shared.targets.get(&listener).copied()) else {
            return;
        };
        let Ok(far) = TcpStream::connect_timeout(&target, SILENCE) else { return };
        let health = Health::default();
        self.with(|shared| shared.connections.push(health.clone()));
        let there = (near.try_clone().expect("it is open"), far.try_clone().expect("it is open"));
        let health_there = health.clone();
        thread::spawn(move || forward(there.0, there.1, &health_there));
        thread::spawn(move || forward(far, near, &health));
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, health: &AtomicU8) {
    let prepared = from.set_read_timeout(Some(TICK)).and(to.set_write_timeout(Some(SILENCE)));
    prepared.expect("it is a time");
    let mut buffer = [0; 16 << 10];
    loop {
        let read = from.read(&mut buffer);
        match (health.load(Ordering::SeqCst), read) {
            (RESET, _) => {
                // The last handle that is dropped sends the reset.
                drop(SockRef::from(&from).set_linger(Some(Duration::ZERO)));
                drop(SockRef::from(&to).set_linger(Some(Duration::ZERO)));
                return;
            }
            (_, Err(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Nothing of it arrives, and neither does its end.
            (SILENT, Ok(1..)) => {}
            (SILENT, _) => return,
            (_, Ok(count @ 1..)) if to.write_all(&buffer[..count]).is_ok() => {}
            _ => {
                drop(to.shutdown(Shutdown::Write));
                return;
            }
        }
    }
}

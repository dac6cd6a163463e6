//! A way to the gateway that can be lost, as a network can, or that acknowledges what it does not pass
//! on, as a proxy does.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::{PATIENCE, try_connect};

/// Forwards one connection until it is cut. Then both ends stay open and hear nothing more of each
/// other, until the tunnel is dropped.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    mode: Mutex<Mode>,
    swallowed: Condvar,
}

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Open,
    Cut,
    /// What the gateway sends is kept here instead; what the client sends is passed on.
    Swallowing(Vec<u8>),
}

impl State {
    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToGateway,
    ToClient,
}

impl Tunnel {
    /// To a listener; takes one connection.
    #[track_caller]
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::<State>::default();
        let there = Arc::clone(&state);
        thread::spawn(move || {
            let (near, _) = listener.accept().expect("it listens");
            let far = try_connect(target).expect("the gateway listens");
            let [far_read, near_write] =
                [&far, &near].map(|stream| stream.try_clone().expect("it is open"));
            let back = Arc::clone(&there);
            thread::spawn(move || forward(far_read, near_write, Direction::ToClient, &back));
            forward(near, far, Direction::ToGateway, &there);
        });
        Self { address, state }
    }

    /// Where to connect instead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on everything is swallowed, in both directions.
    pub fn cut(&self) {
        *self.state.mode() = Mode::Cut;
    }

    /// From now on what the gateway sends is taken from it, and does not reach the client.
    pub fn swallow(&self) {
        *self.state.mode() = Mode::Swallowing(Vec::new());
    }

    /// Waits until what was swallowed has this in it.
    #[track_caller]
    pub fn await_swallowed(&self, part: &[u8]) {
        let lacks = |mode: &mut Mode| match mode {
            Mode::Swallowing(bytes) => !bytes.windows(part.len()).any(|window| window == part),
            Mode::Open | Mode::Cut => panic!("it does not swallow"),
        };
        let waited = self.state.swallowed.wait_timeout_while(self.state.mode(), PATIENCE, lacks);
        let waited = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.1.timed_out(), "{} never came", part.escape_ascii());
    }
}

/// The end of one side is passed on unless the tunnel is cut.
fn forward(mut from: TcpStream, mut to: TcpStream, direction: Direction, state: &State) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..len];
        let passes = match &mut *state.mode() {
            Mode::Swallowing(swallowed) if direction == Direction::ToClient => {
                swallowed.extend_from_slice(bytes);
                false
            }
            Mode::Open | Mode::Swallowing(_) => true,
            Mode::Cut => false,
        };
        state.swallowed.notify_all();
        if passes && to.write_all(bytes).is_err() {
            break;
        }
    }
    if !matches!(&*state.mode(), Mode::Cut) {
        drop(to.shutdown(Shutdown::Write));
    }
}

//! A TCP proxy that can hold all it carries, as a network does that has lost a link.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::server::{CLIENT_PORT, own_host};

pub(crate) struct Proxy {
    address: SocketAddr,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_cut: Mutex<bool>,
    healed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let cut = self.is_cut.lock().unwrap();
        drop(self.healed.wait_while(cut, |cut| *cut).unwrap());
    }

    fn set(&self, is_cut: bool) {
        *self.is_cut.lock().unwrap() = is_cut;
        self.healed.notify_all();
    }
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr) -> Self {
        Self::at((own_host(), CLIENT_PORT).into(), server)
    }

    pub(crate) fn at(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate::default());
        let shared = gate.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A server that is away ends the connection, as it would itself.
                if let Ok(server) = TcpStream::connect(server) {
                    carry(&client, &server, &shared);
                    carry(&server, &client, &shared);
                }
            }
        });
        Self { address, gate }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Nothing comes through, and no end notices.
    pub(crate) fn cut(&self) {
        self.gate.set(true);
    }

    pub(crate) fn heal(&self) {
        self.gate.set(false);
    }
}

fn carry(from: &TcpStream, to: &TcpStream, gate: &Arc<Gate>) {
    let mut from = from.try_clone().unwrap();
    let mut to = to.try_clone().unwrap();
    to.set_nodelay(true).unwrap();
    let gate = gate.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(len) = from.read(&mut buffer)
            && len > 0
        {
            gate.pass();
            if to.write_all(&buffer[..len]).is_err() {
                break;
            }
        }
        // The other direction goes on until its end: what is held of it still arrives.
        let _ = from.shutdown(Shutdown::Read);
        let _ = to.shutdown(Shutdown::Write);
    });
}

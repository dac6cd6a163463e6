//! A way to the gateway that can be lost, as a network can.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::try_connect;

/// Forwards one connection until it is cut. Then both ends stay open and hear nothing more of each
/// other, until the tunnel is dropped.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl Tunnel {
    /// To a listener; takes one connection.
    #[track_caller]
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let address = listener.local_addr().expect("it is bound");
        let is_cut = Arc::<AtomicBool>::default();
        let is_cut_there = Arc::clone(&is_cut);
        thread::spawn(move || {
            let (near, _) = listener.accept().expect("it listens");
            let far = try_connect(target).expect("the gateway listens");
            let back =
                (far.try_clone().expect("it is open"), near.try_clone().expect("it is open"));
            let is_cut_back = Arc::clone(&is_cut_there);
            thread::spawn(move || forward(back.0, back.1, &is_cut_back));
            forward(near, far, &is_cut_there);
        });
        Self { address, is_cut }
    }

    /// Where to connect instead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on everything is swallowed, in both directions.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }
}

/// The end of one side is passed on unless the tunnel is cut.
fn forward(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if !is_cut.load(Ordering::SeqCst) && to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    if !is_cut.load(Ordering::SeqCst) {
        drop(to.shutdown(Shutdown::Write));
    }
}

//! Attacks by handshakes of TLS, each from ten addresses with a thousand connections, the most
//! that an address may have.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustls::ClientConnection;

use super::Target;
use crate::runner::server::IRCS;

/// Of each address.
const CONNECTIONS: usize = 1000;

/// Between two connections of an address: all ten thousand are there after two seconds. Opening them at
/// once would take both cores, which those who are measured share with the attacker.
const OPENING_PERIOD: Duration = Duration::from_millis(2);

/// Between two bytes of a slow client.
const BYTE_PERIOD: Duration = Duration::from_secs(1);

/// Sends whole ClientHellos, and does not go on. What the gateway has closed is opened again.
pub(super) fn halves(target: &Target, nth: u32) -> u64 {
    let hello = hello(target);
    let mut opened = 0;
    while !target.is_over() {
        let streams = open(target, nth, &hello);
        opened += streams.len() as u64;
        // Most of the time that a handshake may take.
        pause(target, Duration::from_secs(8));
    }
    opened
}

/// Sends ClientHellos byte by byte.
pub(super) fn slow_hellos(target: &Target, nth: u32) -> u64 {
    let hello = hello(target);
    let mut streams = open(target, nth, &hello[..1]);
    let opened = streams.len() as u64;
    for byte in hello[1..].chunks(1) {
        // One that the gateway has closed is gone.
        streams.retain_mut(|stream| !target.is_over() && stream.write_all(byte).is_ok());
        pause(target, BYTE_PERIOD);
    }
    opened
}

/// Shakes hands as fast as it goes, and hangs up.
pub(super) fn whole(target: &Target, nth: u32) -> u64 {
    let mut done = 0;
    while !target.is_over() {
        let Some(mut stream) = target.connect_from_own(nth, IRCS) else { continue };
        let mut session = session(target);
        while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
        done += u64::from(!session.is_handshaking());
    }
    done
}

fn session(target: &Target) -> ClientConnection {
    let client = &target.encryption;
    let session = ClientConnection::new(client.config.clone(), client.host.clone());
    session.expect("the configuration is valid")
}

/// The first bytes of a client.
fn hello(target: &Target) -> Vec<u8> {
    let mut hello = Vec::new();
    session(target).write_tls(&mut hello).expect("there is memory");
    hello
}

fn open(target: &Target, nth: u32, bytes: &[u8]) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = target.connect_from_own(nth, IRCS)?;
        stream.write_all(bytes).ok()?;
        pause(target, OPENING_PERIOD);
        Some(stream)
    };
    (0..CONNECTIONS).take_while(|_| !target.is_over()).filter_map(open).collect()
}

fn pause(target: &Target, time: Duration) {
    thread::sleep(time.min(target.until.saturating_duration_since(std::time::Instant::now())));
}

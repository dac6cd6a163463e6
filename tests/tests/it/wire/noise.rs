//! Noise on every listener.

use std::thread::scope;

use gateway_tests::{Gateway, Raw};

use super::{ALL, Bystanders, LISTENERS};

/// Marsaglia's xorshift64: the same noise in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// Beginnings that lead further into each protocol than noise alone.
const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"\0\0\0\x40",
    b"POST /login HTTP/1.1\r\nContent-Length: 500\r\n\r\n",
    b"POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"{\"code\":6,\"login_type\":0,\"account\":\"",
];

#[test]
fn noise_ends_and_disturbs_no_other_client() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    scope(|threads| {
        for (seed, (frontend, key)) in (1..).zip(LISTENERS) {
            let address = gateway.address(frontend, key);
            threads.spawn(move || {
                let mut noise = Noise(0x9e37_79b9_7f4a_7c15 ^ seed);
                for round in 0..60 {
                    let len = noise.next() as usize % 3_000;
                    let bytes = [BEGINNINGS[round % BEGINNINGS.len()], &noise.bytes(len)].concat();
                    let mut raw = Raw::connect(address);
                    raw.send(&bytes);
                    match round % 3 {
                        0 => drop(raw),
                        // It ends, and within the deadline.
                        _ => drop(raw.end().receive_end()),
                    }
                }
            });
        }
    });
    bystanders.check();
    let log = gateway.log().text();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

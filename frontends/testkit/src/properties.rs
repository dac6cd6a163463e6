//! Properties that hold for every dialect.

use core_model::Timestamp;
use frontend_api::http::Request;
use frontend_api::{Frontend, Input, Outbox, Output, Peer};

/// Checks that the points at which TCP splits a stream make no difference.
#[track_caller]
pub fn assert_cut_invariant(frontend: &dyn Frontend, bytes: &[u8]) {
    let whole = said_and_asked(frontend, &[bytes]);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(whole, said_and_asked(frontend, &[head, tail]), "cut at byte {cut}");
    }
}

/// Feeds `rounds` of seeded noise as bytes, text and binary messages, and as query and body of a
/// request. Passes if nothing panics.
pub fn assert_noise_is_harmless(frontend: &dyn Frontend, rounds: u32) {
    assert_noise_is_harmless_as(frontend, &Peer::default(), rounds);
}

/// Like [`assert_noise_is_harmless`], with a given peer.
pub fn assert_noise_is_harmless_as(frontend: &dyn Frontend, peer: &Peer, rounds: u32) {
    outputs_of_noise(frontend, peer, rounds);
}

/// Feeds the same noise and returns the outputs of all sessions in sequence.
pub fn outputs_of_noise(frontend: &dyn Frontend, peer: &Peer, rounds: u32) -> Vec<Output> {
    let mut noise = Noise::new();
    let mut outputs = Vec::new();
    for _ in 0..rounds {
        let bytes: Vec<u8> = (0..noise.below(64)).map(|_| noise.below(256) as u8).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let request = noisy_request(frontend, &mut noise, &bytes);
        let mut session = frontend.open(peer);
        let mut out = Outbox::default();
        for input in [
            Input::Opened,
            Input::Bytes(&bytes),
            Input::Text(&text),
            Input::Binary(&bytes),
            Input::Request(&request),
        ] {
            session.handle(Timestamp(0), input, &mut out);
        }
        outputs.extend(out.drain());
    }
    outputs
}

/// A request to a path of the front end, or to an unknown one.
fn noisy_request(frontend: &dyn Frontend, noise: &mut Noise, bytes: &[u8]) -> Request {
    let routes = frontend.manifest().listeners.iter().flat_map(|listener| &listener.routes);
    let paths: Vec<&str> = routes.map(|route| route.path.as_str()).chain(["/noise"]).collect();
    let content_types = ["application/json", "application/x-www-form-urlencoded", "x/noise"];
    let mut any = |among: &[&str]| among[noise.below(among.len() as u64) as usize].to_owned();
    Request {
        method: any(&["POST", "POST", "GET", "BREW"]),
        path: any(&paths),
        query: bytes.iter().filter(|byte| byte.is_ascii_graphic()).map(|b| *b as char).collect(),
        headers: vec![("content-type".into(), any(&content_types))],
        body: bytes.to_vec(),
    }
}

fn said_and_asked(frontend: &dyn Frontend, pieces: &[&[u8]]) -> Vec<Output> {
    let mut session = frontend.open(&Peer::default());
    let mut out = Outbox::default();
    for piece in pieces {
        session.handle(Timestamp(0), Input::Bytes(piece), &mut out);
    }
    out.drain().filter(|output| !matches!(output, Output::WakeAt(_))).collect()
}

/// A splitmix64 generator: random enough for a test, without a dependency.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

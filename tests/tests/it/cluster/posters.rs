//! Clients that post all the time, wherever their gateway is, and know what was acknowledged.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway_tests::{Channel, Http, PATIENCE, try_connect};
use serde_json::json;

/// Between two messages, and after an attempt that led to nothing.
const PACE: Duration = Duration::from_millis(20);

/// The posters of all gateways.
pub(super) struct Posters {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    is_over: bool,
    /// Where the channel dialect of each gateway is.
    addresses: Vec<SocketAddr>,
    /// In the order of their acknowledgements: the gateway, and the text.
    acknowledged: Vec<(usize, String)>,
    /// How often a gateway has said that it is overloaded.
    refused: Vec<usize>,
}

impl Posters {
    /// Some for each gateway.
    pub(super) fn start(addresses: Vec<SocketAddr>, each: usize) -> Self {
        let refused = vec![0; addresses.len()];
        let gateways = addresses.len();
        let state = State { is_over: false, addresses, acknowledged: Vec::new(), refused };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut threads = Vec::new();
        for gateway in 0..gateways {
            for nth in 0..each {
                let name = format!("poster-{gateway}-{nth}");
                let token = Channel::enroll(shared.address(gateway), &name).token;
                let shared = shared.clone();
                threads.push(std::thread::spawn(move || post(&shared, gateway, &name, token)));
            }
        }
        Self { shared, threads }
    }

    /// A gateway has another address.
    pub(super) fn moved(&self, gateway: usize, address: SocketAddr) {
        self.shared.lock().addresses[gateway] = address;
    }

    /// Waits until a gateway has acknowledged this many more, and returns how long that took.
    #[track_caller]
    pub(super) fn go_on(&self, gateway: usize, more: usize) -> Duration {
        let from = Instant::now();
        let count = |state: &State| state.acknowledged.iter().filter(|it| it.0 == gateway).count();
        let before = count(&self.shared.lock());
        self.wait("goes on", gateway, |state| count(state) >= before + more);
        from.elapsed()
    }

    /// Waits until each of the three has.
    #[track_caller]
    pub(super) fn all_go_on(&self, more: usize) {
        for gateway in 0..3 {
            self.go_on(gateway, more);
        }
    }

    /// Waits until a gateway has refused this many more.
    #[track_caller]
    pub(super) fn are_refused(&self, gateway: usize, more: usize) {
        let before = self.shared.lock().refused[gateway];
        self.wait("refuses", gateway, |state| state.refused[gateway] >= before + more);
    }

    #[track_caller]
    fn wait(&self, what: &str, gateway: usize, is_so: impl Fn(&State) -> bool) {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| !is_so(state));
        let is_over = waited.expect("no poster has panicked").1.timed_out();
        assert!(!is_over, "gateway {gateway} never {what}");
    }

    /// Ends them; returns what was acknowledged.
    pub(super) fn finish(self) -> BTreeSet<String> {
        self.shared.lock().is_over = true;
        for thread in self.threads {
            thread.join().expect("no poster has panicked");
        }
        let state = self.shared.lock();
        let texts: BTreeSet<_> = state.acknowledged.iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(texts.len(), state.acknowledged.len(), "one was acknowledged twice");
        texts
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no poster has panicked")
    }

    fn address(&self, gateway: usize) -> SocketAddr {
        self.lock().addresses[gateway]
    }

    /// Waits a moment. Returns whether all is over.
    fn pause(&self) -> bool {
        let paused = self.changed.wait_timeout_while(self.lock(), PACE, |state| !state.is_over);
        paused.expect("no poster has panicked").0.is_over
    }
}

/// One message after the other, each with a key, so that one without an answer is sent again.
fn post(shared: &Shared, gateway: usize, name: &str, token: Option<String>) {
    let mut connection = None;
    for n in 0.. {
        let text = format!("{name} {n}");
        loop {
            if shared.pause() {
                return;
            }
            match send(&mut connection, shared.address(gateway), &token, &text) {
                Ok(200) => break,
                Ok(503) => shared.lock().refused[gateway] += 1,
                Ok(status) => panic!("{status} for {text}"),
                Err(_) => connection = None,
            }
            shared.changed.notify_all();
        }
        shared.lock().acknowledged.push((gateway, text));
        shared.changed.notify_all();
    }
}

fn send(
    connection: &mut Option<Channel>,
    address: SocketAddr,
    token: &Option<String>,
    text: &str,
) -> io::Result<u16> {
    let channel = match connection {
        Some(channel) => channel,
        None => {
            let http = Http::over(try_connect(address)?, address);
            connection.insert(Channel { http, token: token.clone() })
        }
    };
    let body = json!({"name": "TEST", "message": text});
    let response = channel.try_call("/channel/send", &body, &[("Idempotency-Key", text)])?;
    if response.status == 200 {
        assert_eq!(response.json()["code"], 0, "{response}");
    }
    Ok(response.status)
}

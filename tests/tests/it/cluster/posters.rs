//! Clients of six dialects that post all the time, wherever their gateway is, and know what was
//! acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway_tests::{Gateway, PATIENCE};

use crate::storm::network::Network;
use crate::storm::posters::{Open, POSTERS};
use crate::storm::{CHANNEL, CHATROOM, IRC, OURCHAT, TOKEN, USR_ROOM, enroll};

/// Between two messages, and after an attempt that led to nothing.
const PACE: Duration = Duration::from_millis(50);

/// The posters of all gateways.
pub(super) struct Posters {
    shared: Arc<Shared>,
    /// Between the posters of a gateway and the gateway.
    networks: Vec<Network>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    is_over: bool,
    /// In the order of their acknowledgements: the gateway, the poster, and the text.
    acknowledged: Vec<(usize, &'static str, String)>,
    /// How often a gateway has said that it is overloaded, over HTTP.
    refused: Vec<usize>,
}

impl Posters {
    /// One of each dialect for each gateway.
    pub(super) fn start(gateways: &[Gateway]) -> Self {
        let refused = vec![0; gateways.len()];
        let state = State { is_over: false, acknowledged: Vec::new(), refused };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let listeners = [TOKEN, USR_ROOM, CHATROOM, OURCHAT, CHANNEL, IRC];
        let networks: Vec<_> = gateways.iter().map(|_| Network::between(&listeners)).collect();
        let mut posters = Vec::new();
        for (nth, (gateway, network)) in gateways.iter().zip(&networks).enumerate() {
            network.lead_to(gateway);
            for (name, open, can_repeat) in POSTERS {
                let who = format!("{name}-{nth}");
                enroll(gateway, name, &who);
                posters.push(Poster { gateway: nth, name, who, open, can_repeat });
            }
        }
        let run = |poster: Poster| {
            let (shared, network) = (shared.clone(), networks[poster.gateway].clone());
            std::thread::spawn(move || poster.post(&shared, &network))
        };
        let threads = posters.into_iter().map(run).collect();
        Self { shared, networks, threads }
    }

    /// A gateway has other addresses.
    pub(super) fn follow(&self, nth: usize, gateway: &Gateway) {
        self.networks[nth].lead_to(gateway);
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

    /// Waits until each of the three has. Returns how long each took.
    #[track_caller]
    pub(super) fn all_go_on(&self, more: usize) -> [Duration; 3] {
        let from = Instant::now();
        let seen = self.shared.lock().acknowledged.len();
        std::array::from_fn(|gateway| {
            let count = |state: &State| {
                state.acknowledged[seen..].iter().filter(|it| it.0 == gateway).count()
            };
            self.wait("goes on", gateway, |state| count(state) >= more);
            from.elapsed()
        })
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
        self.shared.changed.notify_all();
        for thread in self.threads {
            thread.join().expect("no poster has panicked");
        }
        let state = self.shared.lock();
        let mut counts: BTreeMap<(&str, usize), usize> = BTreeMap::new();
        for (gateway, name, _) in &state.acknowledged {
            *counts.entry((*name, *gateway)).or_default() += 1;
        }
        println!("acknowledged: {counts:?}");
        assert_eq!(counts.len(), POSTERS.len() * self.networks.len(), "some never posted");
        let texts: BTreeSet<_> = state.acknowledged.iter().map(|it| it.2.clone()).collect();
        assert_eq!(texts.len(), state.acknowledged.len(), "one was acknowledged twice");
        texts
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no poster has panicked")
    }

    /// Waits a moment. Returns whether all is over.
    fn pause(&self) -> bool {
        let paused = self.changed.wait_timeout_while(self.lock(), PACE, |state| !state.is_over);
        paused.expect("no poster has panicked").0.is_over
    }
}

struct Poster {
    gateway: usize,
    name: &'static str,
    who: String,
    open: Open,
    /// Whether the dialect has a name for a message, so that one without an answer is sent again.
    can_repeat: bool,
}

impl Poster {
    /// One message after the other.
    fn post(&self, shared: &Shared, network: &Network) {
        let mut connection = None;
        for n in 0.. {
            let text = format!("{}-{n}", self.who);
            loop {
                if shared.pause() {
                    return;
                }
                let opened = match connection.take() {
                    Some(connection) => Ok(connection),
                    None => (self.open)(network, &self.who),
                };
                let posted = opened.and_then(|mut opened| {
                    opened.post(&text, &text)?;
                    connection = Some(opened);
                    Ok(())
                });
                let mut state = shared.lock();
                match &posted {
                    Ok(()) => state.acknowledged.push((self.gateway, self.name, text.clone())),
                    Err(why) if why.to_string().starts_with("503 ") => {
                        state.refused[self.gateway] += 1;
                    }
                    Err(_) => (),
                }
                drop(state);
                shared.changed.notify_all();
                if posted.is_ok() || !self.can_repeat {
                    break;
                }
            }
        }
    }
}

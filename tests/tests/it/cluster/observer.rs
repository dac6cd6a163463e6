//! Clients that read all the time.

use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex};

use gateway_tests::{Irc, PATIENCE};

use super::site::Site;

/// A client of a gateway, which it loses at most once.
pub(super) struct Observer {
    shared: Arc<(Mutex<Heard>, Condvar)>,
    /// How many lines were looked at.
    seen: usize,
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    is_over: bool,
}

impl Observer {
    pub(super) fn join(site: &Site, gateway: usize, nick: &str) -> Self {
        let mut irc = Irc::sign_on(site.address(gateway, "irc", "listen"), nick, None);
        irc.join("#TEST");
        let shared = <Arc<(Mutex<Heard>, Condvar)>>::default();
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            loop {
                let line = irc.try_receive();
                if let Some(payload) = line.as_ref().ok().and_then(|it| it.strip_prefix("PING ")) {
                    // An error shows at the next read.
                    drop(irc.stream().write_all(format!("PONG {payload}\r\n").as_bytes()));
                }
                let mut heard = of_thread.0.lock().expect("no panic");
                heard.is_over = line.is_err();
                heard.lines.extend(line);
                of_thread.1.notify_all();
                if heard.is_over {
                    return;
                }
            }
        });
        Self { shared, seen: 0 }
    }

    /// Waits for the next line with this part.
    #[track_caller]
    pub(super) fn wait_for(&mut self, part: &str) -> String {
        let mut seen = self.seen;
        let mut found = None;
        let heard = self.shared.0.lock().expect("no panic");
        let waited = self.shared.1.wait_timeout_while(heard, PATIENCE, |heard| {
            found = heard.lines[seen..].iter().position(|line| line.contains(part));
            let at = seen;
            seen = heard.lines.len();
            found = found.map(|nth| at + nth);
            found.is_none() && !heard.is_over
        });
        let heard = waited.expect("no panic").0;
        let found = found.unwrap_or_else(|| panic!("no {part:?}; over: {}", heard.is_over));
        self.seen = found + 1;
        heard.lines[found].clone()
    }

    /// Waits until the gateway has closed the connection.
    #[track_caller]
    pub(super) fn wait_for_end(&self) {
        let heard = self.shared.0.lock().expect("no panic");
        let waited = self.shared.1.wait_timeout_while(heard, PATIENCE, |heard| !heard.is_over);
        assert!(!waited.expect("no panic").1.timed_out(), "the connection stays");
    }

    /// It has heard a part of this history, each message once and in this order; to the end, if it
    /// lives.
    #[track_caller]
    pub(super) fn has_heard(mut self, history: &[String]) {
        let last = history.last().expect("there are messages");
        if !self.shared.0.lock().expect("no panic").is_over {
            self.seen = 0;
            self.wait_for(&format!(" PRIVMSG #TEST :{last}"));
        }
        let heard = self.shared.0.lock().expect("no panic");
        let texts: Vec<&str> = heard
            .lines
            .iter()
            .filter_map(|line| Some(line.split_once(" PRIVMSG #TEST :")?.1))
            .collect();
        let first = texts.first().expect("it has heard something");
        let from = history.iter().position(|text| text == first).expect("it was posted");
        let expected = history[from..].iter().take(texts.len());
        assert!(expected.eq(texts.iter()), "it has heard something else than the room has");
        assert!(heard.is_over || texts.last() == Some(&last.as_str()), "it misses the end");
    }
}

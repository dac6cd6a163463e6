//! What a gateway writes to standard error, line by line, as it comes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;

#[derive(Debug, Default)]
pub struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Collects the lines that come from `source` until it ends.
    pub fn of(source: impl Read + Send + 'static) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = log.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                writer.add(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
            writer.end();
        });
        log
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.state().lines.join("\n")
    }

    /// Waits until `find` finds something in the lines. Panics when it does not in time, or when
    /// the gateway ended without it.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, find: impl Fn(&[String]) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(found) = find(&state.lines) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                let why = if state.ended { "the gateway ended" } else { "time is up" };
                let wrote = state.lines.join("\n");
                // The log is asked once more while the panic unwinds.
                drop(state);
                panic!("{why} without {what}; it wrote:\n{wrote}");
            }
            state = self.changed.wait_timeout(state, left).expect("no thread panics with it").0;
        }
    }

    /// Waits for the first line that contains all of `parts`, and gives it.
    #[track_caller]
    pub fn wait_for_line(&self, parts: &[&str]) -> String {
        self.wait_for(&format!("a line with {parts:?}"), |lines| {
            lines.iter().find(|line| parts.iter().all(|part| line.contains(part))).cloned()
        })
    }

    /// Waits until there will be no more lines. False: not in time.
    pub fn wait_for_end(&self) -> bool {
        let state = self.state();
        let not_ended = |state: &mut State| !state.ended;
        let waited = self.changed.wait_timeout_while(state, PATIENCE, not_ended);
        waited.expect("no thread panics with it").0.ended
    }

    fn add(&self, line: String) {
        self.state().lines.push(line);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }
}

/// The fields of a line of the JSON log.
pub fn fields(line: &str) -> Option<Value> {
    let mut line = serde_json::from_str::<Value>(line).ok()?;
    Some(line.get_mut("fields")?.take())
}

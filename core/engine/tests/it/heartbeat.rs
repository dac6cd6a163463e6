//! Whether the writer makes progress.

use std::sync::Arc;
use std::sync::mpsc::channel;

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{ConnectionId, Timestamp};

use crate::build::start;
use crate::memory::Memory;

fn envelope() -> Envelope {
    Envelope {
        at: Timestamp(1_000),
        steady_ms: 1_000,
        connection: ConnectionId(0),
        address: None,
        frontend: Arc::new(FrontendSettings::default()),
        key: None,
        command: start(),
    }
}

#[test]
fn a_writer_that_hangs_makes_no_progress_until_it_goes_on() {
    let (entered, has_entered) = channel();
    let (release, is_released) = channel::<()>();
    let publish = move |_: Vec<Done<()>>| {
        entered.send(()).expect("the test listens");
        // An error: the test is over.
        let _ = is_released.recv();
    };
    let options = Options { cache_bytes: 1 << 20, ..Options::default() };
    let engine = Engine::open_with_backend(Memory::default(), options, publish).expect("a store");
    assert!(engine.submit(envelope(), ()).is_ok());
    has_entered.recv().expect("the writer publishes");
    let hanging = engine.heartbeat();
    assert!(!engine.heartbeat().is_progress_since(&hanging));
    // That there is more to do changes nothing.
    assert!(engine.submit(envelope(), ()).is_ok());
    assert!(!engine.heartbeat().is_progress_since(&hanging));

    release.send(()).expect("the writer waits");
    has_entered.recv().expect("the writer publishes");
    assert!(engine.heartbeat().is_progress_since(&hanging));
    drop(release);
    engine.stop();
    let ended = engine.heartbeat();
    assert!(!engine.heartbeat().is_progress_since(&ended), "a writer that has ended lives no more");
}

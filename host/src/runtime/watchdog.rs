//! Feeds the supervisor's watchdog while the engine's writer makes progress, so that a gateway which
//! hangs is restarted.

use std::sync::Arc;
use std::time::Duration;

use core_engine::Heartbeat;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::runtime::net::state::GatewayState;
use crate::supervisor;

/// Looks at the writer in each timeout of the watchdog. A batch that is under way at one look must be
/// done at the next but two.
const LOOKS_PER_TIMEOUT: u32 = 4;

/// Feeds the watchdog until the gateway stops.
pub(crate) async fn feed(state: Arc<GatewayState>, timeout: Duration) {
    let engine = &state.services.engine;
    tokio::select! {
        () = feed_while_alive(timeout, || engine.heartbeat(), supervisor::alive) => (),
        () = state.shutdown.stopping() => (),
    }
}

async fn feed_while_alive(timeout: Duration, look: impl Fn() -> Heartbeat, alive: impl Fn()) {
    let period = (timeout / LOOKS_PER_TIMEOUT).max(Duration::from_millis(1));
    let mut looks = interval_at(Instant::now() + period, period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = look();
    let mut is_logged = false;
    alive();
    loop {
        looks.tick().await;
        let now = look();
        let makes_progress = now.is_progress_since(&before);
        if makes_progress {
            alive();
        } else if !is_logged {
            tracing::error!("the writer of the store makes no progress; the watchdog is not fed");
        }
        is_logged = !makes_progress;
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc::channel;

    use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
    use core_model::{Command, ConnectionId, Timestamp};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn envelope() -> Envelope {
        Envelope {
            at: Timestamp(1),
            steady_ms: 1,
            connection: ConnectionId(0),
            address: None,
            frontend: Arc::new(FrontendSettings::default()),
            key: None,
            command: Command::Expire,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_while_the_writer_makes_progress_and_not_while_it_hangs() {
        let folder = tempfile::tempdir().expect("a folder");
        let (entered, has_entered) = channel();
        let (release, is_released) = channel::<()>();
        let publish = move |_: Vec<Done<()>>| {
            entered.send(()).expect("the test listens");
            let _ = is_released.recv();
        };
        let path = folder.path().join("chat.redb");
        let engine = Engine::open(&path, Options::default(), publish).expect("a store");
        let fed = Cell::new(0);
        let feed = feed_while_alive(TIMEOUT, || engine.heartbeat(), || fed.set(fed.get() + 1));
        let mut feed = std::pin::pin!(feed);
        // Time is paused, and goes on only where everything waits for it.
        let mut pass = async |time: Duration| {
            assert!(tokio::time::timeout(time, &mut feed).await.is_err(), "it has no end");
        };

        assert!(engine.submit(envelope(), ()).is_ok());
        has_entered.recv().expect("the writer publishes");
        pass(Duration::from_secs(1)).await;
        let before = fed.replace(0);
        assert_eq!(before, 1, "at the start");
        pass(TIMEOUT * 2).await;
        assert_eq!(fed.get(), 0, "the writer hangs");

        assert!(engine.submit(envelope(), ()).is_ok());
        release.send(()).expect("the writer waits");
        has_entered.recv().expect("the writer publishes");
        pass(TIMEOUT / LOOKS_PER_TIMEOUT).await;
        assert_eq!(fed.get(), 1, "the writer has gone on");
        drop(release);
        engine.stop();
    }
}

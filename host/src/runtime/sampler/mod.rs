//! Samples the metrics once a second, for the console. What messages cost does not change with it:
//! it reads counters that are there anyway.

mod reading;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;
use reading::Reading;

const PERIOD: Duration = Duration::from_secs(1);

/// Samples of a second that one of the coarse ring covers.
const COARSE_EVERY: u32 = 10;

/// The readings that the next samples are differences to.
struct Former {
    fine: Reading,
    coarse: Reading,
    /// Samples since the coarse one.
    since_coarse: u32,
}

/// Samples until the gateway drains, while the console is on.
pub(super) async fn run(state: Arc<GatewayState>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut former = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => (),
            () = state.shutdown.draining() => return,
        }
        if is_on(&state.peek_registry()) {
            former = Some(sample(&state, former));
        } else if former.take().is_some() {
            state.console.live.clear();
        }
    }
}

/// Whether anyone can look.
fn is_on(registry: &FrontendRegistry) -> bool {
    registry.console && (registry.admin.is_some() || registry.admin_tls.is_some())
}

fn sample(state: &GatewayState, former: Option<Former>) -> Former {
    let reading = Reading::take(state);
    let Some(former) = former else {
        return Former { fine: reading.clone(), coarse: reading, since_coarse: 0 };
    };
    let live = &state.console.live;
    live.push_fine(reading.since(&former.fine));
    let since_coarse = former.since_coarse + 1;
    if since_coarse < COARSE_EVERY {
        return Former { fine: reading, since_coarse, ..former };
    }
    live.push_coarse(reading.since(&former.coarse));
    Former { fine: reading.clone(), coarse: reading, since_coarse: 0 }
}

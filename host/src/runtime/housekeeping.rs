//! Has the engine forget messages that need not be kept, in small steps beside the traffic.

use core_model::{Command, Reply, RoomId, Timestamp};

use crate::config::StoreConfig;
use crate::runtime::bounds::{PRUNE_MESSAGES_MAX, PRUNE_PAUSE, PRUNE_PERIOD};
use crate::runtime::net::listener::Held;
use crate::runtime::session::services::{Phase, Shared};
use crate::runtime::start;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What is kept, if not everything.
#[derive(Clone, Copy)]
pub(crate) struct Retention {
    days: Option<u64>,
    messages_per_room: Option<u32>,
}

impl Retention {
    /// None: everything is kept.
    pub(crate) fn of(config: &StoreConfig) -> Option<Self> {
        let given = |max: u32| Some(max).filter(|max| *max > 0);
        let days = given(config.keep_days).map(u64::from);
        let messages_per_room = given(config.keep_messages_per_room);
        let is_any = days.is_some() || messages_per_room.is_some();
        is_any.then_some(Self { days, messages_per_room })
    }

    /// One step of a pass. None: the pass is over, or the engine takes no more.
    pub(crate) async fn step(self, shared: &Shared, from: RoomId) -> Option<RoomId> {
        let now = shared.clock.now().0;
        let before = self.days.map(|days| Timestamp(now.saturating_sub(days * DAY_MS)));
        let keep_per_room = self.messages_per_room;
        let command = Command::Prune { before, keep_per_room, from, limit: PRUNE_MESSAGES_MAX };
        match start::by_the_gateway(shared, command).await {
            Ok(Reply::Pruned { messages, next }) => {
                shared.totals.pruned.add(messages.into());
                next
            }
            // The log has the reason already.
            _ => None,
        }
    }

    /// Pass after pass; the first goes on from `next`.
    pub(crate) async fn keep_to(self, held: Held, mut next: Option<RoomId>) {
        let mut phase = held.shared.phase.subscribe();
        loop {
            let pause = if next.is_some() { PRUNE_PAUSE } else { PRUNE_PERIOD };
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            }
            next = self.step(&held.shared, next.unwrap_or(RoomId(0))).await;
        }
    }
}

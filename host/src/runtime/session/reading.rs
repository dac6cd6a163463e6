//! What is answered from the newest committed state, without the writer.

use std::sync::Arc;

use core_engine::Deferred;
use core_model::{
    Command, ConnectionId, ConversationRef, Detail, Outcome, Query, Refusal, Timestamp,
};

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::metrics::Limit;
use crate::runtime::session::reply_size;
use crate::runtime::session::services::Services;

/// Messages that a query may ask for and still be answered on the connection's own task; a larger
/// one runs on a thread for heavy ones.
const LIGHT_MESSAGES_MAX: u32 = 64;

/// Messages that a [`Command::Receive`] finds again, likewise. They are known by number when it is
/// decided, and may have 64 KiB each.
const LIGHT_RECEIVED_MAX: usize = 16;

/// Rooms that may exist for a query over all of them to be answered likewise: some microseconds
/// each, while handing it to another thread costs some ten.
const LIGHT_ROOMS_MAX: u64 = 32;

impl Services {
    /// Answers a query on this thread.
    pub(crate) fn query(
        &self,
        frontend: &FrontendHandle,
        at: Timestamp,
        connection: ConnectionId,
        query: &Query,
    ) -> Outcome {
        frontend.metrics.queries.add(1);
        let answered = self.engine.query(at, connection, query);
        self.refresh(frontend, answered.refresh);
        answered.outcome
    }

    /// Answers a query on a thread that may block. The answer takes memory of `unread`.
    pub(crate) async fn query_blocking(
        self: Arc<Self>,
        frontend: Arc<FrontendHandle>,
        connection: ConnectionId,
        query: Box<Query>,
        mut unread: Reservation,
    ) -> (Outcome, Reservation) {
        let bytes = reply_size::expected_bytes(reply_size::messages_of(&query));
        if unread.resize_within(bytes, reply_size::PATIENCE).await.is_err() {
            frontend.metrics.note_refused(Limit::Unread);
            return (Err(Refusal::Overloaded), unread);
        }
        if let Some(cluster) = self.reads_fresh()
            && let Err(refusal) = cluster.node.fresh().await
        {
            return (Err(refusal), unread);
        }
        let services = self.clone();
        let answered = self.run_heavy(move || {
            let outcome = services.query(&frontend, services.clock.now(), connection, &query);
            unread.hold(reply_size::bytes_of(&outcome));
            (outcome, unread)
        });
        answered.await.unwrap_or_else(|why| {
            (Err(Refusal::Internal { why }), self.unread_budget.reservation(None))
        })
    }

    /// Reads much of the store on a thread for that, when fewer do than may. Error: why it failed.
    async fn run_heavy<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let turn = self.heavy_queries.clone().acquire_owned().await;
        let run = move || {
            // Held until the query is done, even if the caller is gone.
            let _held = turn;
            read()
        };
        self.heavy_threads.run(run).await.map_err(|error| format!("the query failed: {error}"))
    }

    /// Encodes a long answer on such a thread, as many at once as there are network threads: this leaves a
    /// core for those and for the writer, whatever a burst of requests asks for. Error: why it failed.
    pub(super) async fn encode_long<T: Send + 'static>(
        &self,
        encode: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let turn = self.long_answers.clone().acquire_owned().await;
        self.run_heavy(move || {
            // Held until it is done, even if the caller is gone.
            let _held = turn;
            encode()
        })
        .await
    }

    /// Answers a command that would change nothing and finds few messages.
    pub(crate) fn try_read_only(
        &self,
        frontend: &FrontendHandle,
        at: Timestamp,
        connection: ConnectionId,
        command: &Command,
    ) -> Result<Outcome, Deferred> {
        self.read_only(frontend, at, connection, command, LIGHT_RECEIVED_MAX)
    }

    /// The same for many messages, on a thread that may take long. Gives the command back.
    pub(crate) async fn read_only_blocking(
        self: &Arc<Self>,
        frontend: Arc<FrontendHandle>,
        connection: ConnectionId,
        command: Box<Command>,
    ) -> Result<(Box<Command>, Result<Outcome, Deferred>), Refusal> {
        let services = self.clone();
        let read = self.run_heavy(move || {
            let now = services.clock.now();
            let answered = services.read_only(&frontend, now, connection, &command, usize::MAX);
            (command, answered)
        });
        read.await.map_err(|why| Refusal::Internal { why })
    }

    fn read_only(
        &self,
        frontend: &FrontendHandle,
        at: Timestamp,
        connection: ConnectionId,
        command: &Command,
        messages_max: usize,
    ) -> Result<Outcome, Deferred> {
        if self.reads_fresh().is_some() {
            return Err(Deferred::MustSubmit { messages: usize::MAX });
        }
        let answered = self.engine.try_read_only(at, connection, command, messages_max)?;
        frontend.metrics.commands.add(1);
        self.refresh(frontend, answered.refresh);
        Ok(answered.outcome)
    }

    /// Whether a query may take so long that other connections would wait for it, or waits itself.
    pub(crate) fn is_heavy(&self, query: &Query) -> bool {
        // A session that only waits for its turn sees nothing.
        if self.reads_fresh().is_some() && !matches!(query, Query::LastChange) {
            return true;
        }
        match query {
            Query::Members { .. }
            | Query::Occupants { .. }
            | Query::Conversations { .. }
            | Query::Excerpt { conversation: ConversationRef::User(_), .. } => true,
            Query::Rooms { detail, .. } | Query::SearchRooms { detail, .. } => {
                is_detailed(detail) || self.engine.rooms() > LIGHT_ROOMS_MAX
            }
            Query::History { limit, .. }
            | Query::Missed { limit, .. }
            | Query::Excerpt { limit, .. } => *limit > LIGHT_MESSAGES_MAX,
            Query::Room { detail, .. } => is_detailed(detail),
            Query::LastChange
            | Query::ReadMarker { .. }
            | Query::RoomIds { .. }
            | Query::User { .. } => false,
        }
    }
}

/// Whether the answer has much detail for each room.
fn is_detailed(detail: &Detail) -> bool {
    detail.members || detail.people || detail.messages > LIGHT_MESSAGES_MAX
}

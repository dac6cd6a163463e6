//! Every bound of the runtime that no key of gateway.toml sets, with its reason. The others are
//! in [`Limits`](crate::config::Limits).

use std::time::Duration;

/// Calls and queries of one connection that may be unanswered before reading from it stops: deep
/// enough that a pipelining client keeps a commit busy, shallow enough that one peer cannot fill
/// the engine's queue.
pub(crate) const UNANSWERED_MAX: usize = 64;

/// Commands that may wait for the engine's writer, or committed for the hub, while a peer that has
/// some under way may still post: some 20 ms' work, and eight times what one peer may have under
/// way. Beyond it, whoever waits for no answer goes first, and the others are told to slow down.
pub(crate) const FIRST_COME_MAX: usize = 512;

/// The first and the longest moment for which a connection is not read from after it was refused:
/// so short that a peer that is refused once does not notice, so long that a thousand that do
/// nothing but ask leave most of a thread to the others.
pub(crate) const HOLD: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(20));

/// The longest such moment where it was refused because much waits: what waits is done by then,
/// and those who were refused are needed again for the writer to be busy.
pub(crate) const HOLD_BEHIND: Duration = Duration::from_millis(5);

/// How long they are told to wait, in ms: until some batches have been committed.
pub(crate) const BEHIND_RETRY_MS: u64 = 100;

/// Answers told to a session in one go, so that a session that asks again at every answer does
/// not keep a thread from its other connections.
pub(crate) const ANSWERS_AT_ONCE: usize = 64;

/// What is read from a TCP stream in one go; also what a pipelining client can have taken in
/// beyond [`UNANSWERED_MAX`].
pub(crate) const CHUNK_BYTES: usize = 8 * 1024;

/// What tungstenite holds for each WebSocket, idle or not. Chat messages are smaller; larger ones
/// only take more reads.
pub(crate) const WEBSOCKET_BUFFER_BYTES: usize = 1024;

/// Frames that leave in one write: 64 slices are 1 KiB of stack, and more do not save time.
pub(crate) const FRAMES_A_WRITE: usize = 64;

/// Committed batches that may wait for the hub before the writer waits for it. A batch is at most
/// what the engine commits at once.
pub(crate) const BATCHES_WAITING_MAX: usize = 64;

/// Mails that the hub hands out before others on its thread have their turn: some milliseconds'
/// work, and enough of a large room's messages that many leave in one write.
pub(crate) const MAILS_AT_ONCE: usize = 32_768;

/// Commands that the hub tells of before others on its thread have their turn: a quarter of what
/// a mailbox takes, so that nobody who reads is cut off for a batch.
pub(crate) const COMMANDS_AT_ONCE: usize = 256;

/// Text of the messages that a connection is told in one mail: no more than leaves in one write.
pub(crate) const RUN_BYTES_MAX: usize = 64 * 1024;

/// Passwords that may wait for the pool: at 30 ms each a minute's work of one thread.
pub(crate) const PASSWORDS_WAITING_MAX: usize = 2048;

/// Messages that a query may ask for and still be answered on the connection's own task; more
/// are read on a thread that may block.
pub(crate) const LIGHT_MESSAGES_MAX: u32 = 64;

/// Rooms that there may be for a query that looks at all of them to be answered likewise: some
/// microseconds each, while handing it to another thread costs some ten.
pub(crate) const LIGHT_ROOMS_MAX: u64 = 32;

/// Heavy queries that run at once, for each network thread: they read from memory or disk, so
/// a few more than there are cores.
pub(crate) const HEAVY_QUERIES_A_THREAD: usize = 4;

/// Addresses whose request rate is remembered, for each front end: 100 bytes each. Beyond it,
/// those at rest are forgotten first.
pub(crate) const PACED_ADDRESSES_MAX: usize = 65_536;

/// The head of an HTTP request. Enough for any cookie jar.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long the body of a request may take.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The body of a request to the admin listener: a user and an identity, at most 1 KiB each.
pub(crate) const ADMIN_BODY_BYTES_MAX: usize = 16 * 1024;

/// What is read and thrown away of a body that is too large, before that is said: many clients
/// read nothing until they have sent everything.
pub(crate) const DISCARDED_BYTES_MAX: usize = 16 << 20;

/// Looks that a connection takes at its socket and mailbox before others have their turn: so many
/// messages of each who floods are between two of who does not.
pub(crate) const LOOKS_AT_ONCE: u32 = 4;

/// Reads from a connection that drains, so that what had arrived before is answered.
pub(crate) const DRAINED_MAX: u32 = 1024;

/// How long what a peer asked before it or the host stopped reading may take to be answered.
pub(crate) const FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the last words to a peer that reads may take to leave.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for a peer that was cut off because it does not read.
pub(crate) const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection that the host ends is still read from after its last words: closing
/// with unread bytes would make the peer's system throw the last words away.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections over a limit that are told so at once, and read from for [`LINGER_TIMEOUT`]; with
/// more, they are hung up on without a word. Each is a file descriptor.
pub(crate) const TURNED_AWAY_MAX: usize = 256;

/// Pings of a WebSocket that may be unanswered when the next is due.
pub(crate) const PINGS_UNANSWERED_MAX: u8 = 2;

/// The backlog of a listening socket: a burst of reconnecting clients after a restart.
pub(crate) const BACKLOG: u32 = 4096;

/// How long accepting pauses after it failed, mostly because no file descriptors are left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The first and the longest pause before another try to listen where the address was in use.
pub(crate) const LISTEN_RETRY: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(60));

/// How often it is looked at when something runs out: the resolution of leases.
pub(crate) const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// How long after one pass over what need not be kept the next begins.
pub(crate) const PRUNE_PERIOD: Duration = Duration::from_secs(60);

/// How long after one step of a pass the next comes, and how many messages it removes at most: a
/// step costs some milliseconds, and all who post wait for it. So a pass leaves most of the time to
/// them, and yet removes more than twenty thousand messages a second.
pub(crate) const PRUNE_PAUSE: Duration = Duration::from_millis(20);
pub(crate) const PRUNE_MESSAGES_MAX: u32 = 512;

/// How long a room that somebody could not join on signing in is not spoken of again in the log.
pub(crate) const SKIPPED_QUIET: Duration = Duration::from_secs(60);

/// Rooms and reasons of which that is remembered.
pub(crate) const SKIPPED_MAX: usize = 256;

/// How long tasks that were told to stop at once may take to.
pub(crate) const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Faults of a plugin within [`PLUGIN_FAULTS_WINDOW`] that cost only their sessions; with one
/// more the front end is taken down. Enough for a mistake that is met now and then, too few for a
/// plugin that serves nobody any more.
pub(crate) const PLUGIN_FAULTS_MAX: usize = 30;

/// Within which time faults of a plugin are counted together.
pub(crate) const PLUGIN_FAULTS_WINDOW: Duration = Duration::from_secs(60);

/// How long one kind of fault of a plugin is not spoken of again in the log.
pub(crate) const PLUGIN_QUIET: Duration = Duration::from_secs(60);

/// How long a call into a plugin may last before the reserve goes on with what its thread has
/// left to do: much longer than one that keeps to the contract, also where a busy machine
/// interrupts it.
pub(crate) const CALL_LONG: Duration = Duration::from_millis(20);

/// How often calls into plugins are looked at. A long one is seen this much later at most.
pub(crate) const CALLS_LOOK_PERIOD: Duration = Duration::from_millis(10);

/// Without any call for so long nobody looks: an idle gateway sleeps.
pub(crate) const CALLS_QUIET: Duration = Duration::from_secs(1);

/// How long calls are made apart after one that was long has ended: where a plugin blocks again
/// and again, nobody waits for it again and again.
pub(crate) const APART_AT_LEAST: Duration = Duration::from_secs(1);

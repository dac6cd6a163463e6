//! Rooms, users and messages on redb: commands in, outcomes and events out.
//!
//! One thread writes. It takes the waiting commands, carries them out in one transaction, commits
//! with fsync, and only then answers and publishes: no client sees anything before it is durable.
//! Queries run on their callers' threads, each on a committed snapshot.
//!
//! | module | holds |
//! |---|---|
//! | `engine`, `envelope`, `heartbeat` | the handle, what goes through it, whether its writer lives |
//! | `queue`, `writer`, `store` | commands that wait, the thread that commits them, the open database |
//! | `log`, `entry`, `marks` | a log that several gateways share, its entries, how far a store has followed it |
//! | `digest`, `row_scan` | whether the stores that follow one log are equal |
//! | `rules` | what each command does |
//! | `admin`, `bans`, `trace` | what operators read; bans and mutes |
//! | `queries`, `receive`, `search` | queries, and the commands that read |
//! | `lookalike`, `letters` | names that resemble a handle |
//! | `clock` | the engine's time, and jumps of the host's clock |
//! | `lookup`, `message_reader`, `message_index` | rows, references and views, for rules and queries |
//! | `event_log` | the order of events that webhooks read |
//! | `missed`, `removed` | what a reader missed, and which messages are gone |
//! | `state`, `cache` | snapshots and batches with their caches |
//! | `backup` | copies of a store, and how much its tables hold |
//! | `moving` | exports and imports |
//! | `check` | whether a store is whole |
//! | `tables`, `rows`, `open`, `store_file`, `migrate` | the layout of the store, its file and its formats |

mod admin;
mod backup;
mod bans;
mod cache;
mod check;
mod chosen_name;
mod clock;
mod decoration;
mod digest;
mod engine;
mod entry;
mod envelope;
mod error;
mod event_log;
mod excerpt;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod heartbeat;
mod id_run;
mod indexing;
mod letters;
mod log;
mod lookalike;
mod lookup;
mod marks;
mod message_index;
mod message_reader;
mod message_search;
mod migrate;
mod missed;
mod moving;
mod open;
mod open_error;
mod policy;
mod policy_row;
mod queries;
mod queue;
mod read_markers;
mod receive;
mod removed;
mod row_scan;
mod rows;
mod rules;
mod rules_version;
mod search;
mod sign_ins;
mod signatures;
mod state;
mod steady;
mod store;
mod store_file;
mod stream_cursor;
mod tables;
mod terms;
mod trace;
mod writer;

pub use admin::{AdminPage, Invited, LiveConnection, Muted, RoomPolicy, UserRecord};
pub use backup::{
    BackupError, FollowedHeader, Header, Summary, TableStats, back_up, inspect, restore,
    restore_following, stats,
};
pub use check::{Report, check, check_backend};
pub use chosen_name::{
    check_room_name as check_new_room_name, is_reserved as is_reserved_display_name,
};
pub use digest::Checkpoint;
pub use engine::{Engine, Options};
pub use entry::{
    ENTRY_BYTES_MAX, Entry, EntryBuilder, EntryFault, EntryId, Fate, LoggedEntry, Unloggable,
};
pub use envelope::{
    Answered, Deferred, Done, Envelope, FrontendSettings, Owed, Quotas, ROOM_CAPACITY_DEFAULT,
};
pub use event_log::{
    DeadLetterView, EventPage, Happened, Logged, LoggedEvent, Wanted, WebhookState,
};
pub use heartbeat::Heartbeat;
pub use log::{Entries, Equality, Followed, Log, LogEntry, Next, Progress};
pub use message_search::MessageSearch;
pub use migrate::FORMAT as STORE_FORMAT;
pub use moving::{ExportSummary, Import, ImportError, ImportOptions, Taken};
pub use open::{
    FileId, OpenError, compact, compact_backend, create_whole, follow_log, follow_log_backend,
    followed, rename_new, replace_log, store_format, sync_folder,
};
pub use queue::Submitted;
pub use rules::RunView;
pub use rules_version::{RULES, rules_of};
pub use sign_ins::SignIn;
pub use steady::SteadyWriter;
pub use store_file::{has_store, open_regular, special as special_file, store_target};
pub use trace::{MessageTrace, ReaderTrace, ReaderWay, TracedMessage};

//! The admin API: what operators can ask of a gateway, through `/api/v1/…` of the admin listener and
//! by the command line.
//!
//! An [`Endpoint`] has its path, the role that it needs and its types; `schemas/admin/openapi.json` is
//! made of the table of all. What needs nothing but the store is [`OnStore`], and works without a
//! gateway as well.

pub mod audit;
mod backup;
mod bans;
mod cluster_types;
mod config_types;
mod endpoint;
mod export_schema;
mod frontend_types;
mod live_types;
mod message_query;
mod message_report;
mod messages;
mod openapi;
mod pages;
mod playground_types;
mod policies;
pub mod policy_types;
mod problem;
mod rooms;
mod sign_in_types;
mod sign_ins;
mod store;
mod store_report;
mod target;
mod token_types;
mod tokens;
pub mod types;
mod users;
mod watching_types;

pub use backup::{BACKUP_MEDIA_TYPE, EXPORT_MEDIA_TYPE};
pub use endpoint::{AddMask, ChangePolicy, RemoveMask, SetRole, ShowPolicy};
pub use endpoint::{
    AddToken, Announce, AnnounceToAll, ApplyConfig, BackUpStore, ChangeRoom, ChangeUser,
    CheckConfig, CloseSession, CreateRoom, CreateUser, DeleteMessage, DeleteRoom, DeleteUser,
    DisableFrontend, DisableUser, DrainFrontend, EnableFrontend, EnableUser, ExportStore,
    ExportUser, Kick, LiftBan, LinkIdentity, ListAudit, ListBackups, ListBans, ListConfig,
    ListFrontends, ListMembers, ListMessages, ListPlugins, ListRooms, ListSessions, ListTokens,
    ListUsers, ListWebhooks, MakeBackup, Mute, OpenTap, PlanConfig, PutBan, RemoveToken,
    ReplayWebhook, ResumeWebhook, RevokeSignIns, RollBackConfig, SearchMessages, SetOwner,
    SetPassword, ShowCluster, ShowConfig, ShowFrontend, ShowRoom, ShowStore, ShowUser, StoreStats,
    TraceMessage, UnlinkIdentity, Unmute, VerifyBackup, ViewRoom, ViewUser, WatchLive,
};
pub use endpoint::{ClosePlayer, ListPlayers, OpenPlayer, PlayerFrames, PlayerInput};
pub use endpoint::{Endpoint, Row, empty_parameter, path_of, rows};
pub use endpoint::{ListSignIns, RevokeSignIn};
pub use export_schema::export_schema;
pub(crate) use message_report::report as message_report;
pub use messages::no_message_id;
pub use openapi::{EVENTS_MEDIA_TYPE, document};
pub use pages::{LIMIT_MAX, check_reason, cursor, limit, no_items};
pub use playground_types::{
    PlaygroundInput, PlaygroundOpen, PlaygroundRequest, PlaygroundSession, PlaygroundStep,
};
pub use problem::{Problem, WrongPart, status_of};
pub use sign_in_types::{SignInKind, SignInReport};
pub use sign_ins::sign_in_id;
pub use store::{Ended, OnStore, Store, carry_out, with_near};
pub use target::{Target, in_network, network};
pub use tokens::{TOKEN_PREFIX, hash_of, id as token_id};
pub use watching_types::{
    ReaderState, ReadingWay, StageName, Trace, TraceDelivery, TraceReader, TraceStage, View,
};

/// A header that every request without a token must have, with any value. A web page of another
/// origin cannot send it without a preflight, which the gateway never answers.
pub const ADMIN_HEADER: &str = "x-dragoman-admin";

/// An optional header with the [`store_mark`](crate::users::store_mark) of the store that the client
/// means.
pub const STORE_HEADER: &str = "x-dragoman-store";

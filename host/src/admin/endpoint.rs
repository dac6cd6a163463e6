//! The table of operations.

use core_model::AdminRole;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::playground_types::*;
use super::policy_types::*;
use super::sign_in_types::SignInReport;
use super::types::*;
use super::watching_types::{Trace, View};
use crate::rooms::RoomReport;
use crate::tap::{TapQuery, TapStream};
use crate::users::Account;
use crate::webhooks::wire::{Begun, WebhookReport};

/// An operation of the API: a method of a path, and what goes in and out.
pub trait Endpoint: Send + Sync + 'static {
    const ROW: Row;
    /// The parameters of the query.
    type Query: DeserializeOwned + Serialize + JsonSchema + Send;
    type Body: DeserializeOwned + Serialize + JsonSchema + Send;
    type Reply: DeserializeOwned + Serialize + JsonSchema + Send;
}

/// What all operations have.
#[derive(Clone, Copy)]
pub struct Row {
    /// The operation's id: `list_users`.
    pub name: &'static str,
    pub method: &'static str,
    /// With places for parameters: `/api/v1/users/{user}`.
    pub path: &'static str,
    /// The role that it needs.
    pub role: AdminRole,
    pub about: &'static str,
    /// The schemas of query, body and reply.
    pub schemas: fn(&mut SchemaGenerator) -> [Value; 3],
}

impl Row {
    /// Whether it is in the audit log: it changes something, or shows what people write while they do.
    pub fn is_audited(&self) -> bool {
        self.method != "GET" || self.name == OpenTap::ROW.name
    }
}

fn schemas_of<E: Endpoint>(generator: &mut SchemaGenerator) -> [Value; 3] {
    [
        generator.subschema_for::<E::Query>().into(),
        generator.subschema_for::<E::Body>().into(),
        generator.subschema_for::<E::Reply>().into(),
    ]
}

/// The path of an operation with its parameters filled in.
pub fn path_of(row: &Row, parameters: &[&str]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let mut path = String::new();
    let mut parameters = parameters.iter();
    for part in row.path.split('/').skip(1) {
        path.push('/');
        if part.starts_with('{') {
            let parameter = parameters.next().expect("each place has its parameter");
            path.extend(utf8_percent_encode(parameter, NON_ALPHANUMERIC));
        } else {
            path.push_str(part);
        }
    }
    path
}

/// The name of a parameter that is empty, which no path can have.
pub fn empty_parameter(row: &Row, parameters: &[&str]) -> Option<&'static str> {
    let names = row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.zip(parameters).find_map(|(name, parameter)| parameter.is_empty().then_some(name))
}

macro_rules! endpoints {
    ($($(#[doc = $about:literal])* $name:ident $id:literal $method:ident $path:literal $role:ident
        ($query:ty, $body:ty) -> $reply:ty;)*) => {
        $($(#[doc = $about])*
        pub struct $name;

        impl Endpoint for $name {
            const ROW: Row = Row {
                name: $id,
                method: stringify!($method),
                path: concat!("/api/v1", $path),
                role: AdminRole::$role,
                about: concat!($($about),*),
                schemas: schemas_of::<$name>,
            };
            type Query = $query;
            type Body = $body;
            type Reply = $reply;
        })*

        /// Every operation.
        pub fn rows() -> Vec<Row> {
            vec![$($name::ROW),*]
        }
    };
}

endpoints! {
    /// Lists the open stream connections, by id.
    ListSessions "list_sessions" GET "/sessions" Monitor (SessionQuery, Nothing) -> Page<Session>;
    /// Closes a stream connection.
    CloseSession "close_session" DELETE "/sessions/{session}" Moderator (Nothing, Nothing) -> Done;

    /// Shows the frames of sessions as they pass, decoded and with their secrets masked, as
    /// server-sent events, until the client closes the connection.
    OpenTap "open_tap" GET "/tap" Operator (TapQuery, Nothing) -> TapStream;

    /// Lists accounts, by uid.
    ListUsers "list_users" GET "/users" Monitor (SearchQuery, Nothing) -> Page<Account>;
    /// Creates an account.
    CreateUser "create_user" POST "/users" Operator (Nothing, CreatedUser) -> Account;
    /// Shows an account.
    ShowUser "show_user" GET "/users/{user}" Monitor (Nothing, Nothing) -> Account;
    /// Changes the display name of a user.
    ChangeUser "change_user" PATCH "/users/{user}" Operator (Nothing, UserChange) -> Account;
    /// Deletes an account for good. What becomes of its messages is to be chosen.
    DeleteUser "delete_user" DELETE "/users/{user}" Operator (DeletionQuery, Nothing) -> Account;
    /// Bans a user as such, ends its sessions and keeps its sign-ins, until it is enabled again.
    DisableUser "disable_user" POST "/users/{user}/disable" Moderator (Nothing, Reason) -> Account;
    /// Lifts the ban of a user.
    EnableUser "enable_user" POST "/users/{user}/enable" Moderator (Nothing, Nothing) -> Account;
    /// Ends the sessions of a user and every sign-in by token or address.
    RevokeSignIns "revoke_sign_ins" POST "/users/{user}/revoke" Moderator
        (Nothing, Nothing) -> Account;
    /// Lists the tokens and addresses that sign a user in, the newest first, at most 1000; never a token
    /// itself.
    ListSignIns "list_sign_ins" GET "/users/{user}/sign-ins" Monitor
        (Nothing, Nothing) -> Page<SignInReport>;
    /// Revokes one of them, and ends the sessions that began with it.
    RevokeSignIn "revoke_sign_in" DELETE "/users/{user}/sign-ins/{sign_in}" Moderator
        (Nothing, Nothing) -> SignInReport;
    /// Links an identity to a user, who can then sign in with it.
    LinkIdentity "link_identity" POST "/users/{user}/identities" Operator
        (Nothing, IdentityChange) -> Account;
    /// Unlinks an identity from a user.
    UnlinkIdentity "unlink_identity" DELETE "/users/{user}/identities" Operator
        (IdentityChange, Nothing) -> Account;
    /// Sets the password of a user and ends its sign-ins by token or address.
    SetPassword "set_password" PUT "/users/{user}/password" Operator
        (Nothing, NewPassword) -> Account;
    /// Returns what the store has of a person: the account, its rooms, and a page of the messages
    /// that it wrote or was sent.
    ExportUser "export_user" GET "/users/{user}/export" Operator (PageQuery, Nothing) -> PersonalData;

    /// Shows what each front end shows of a person, made anew by the front end itself: what a client
    /// gets that asks for the user, and what others in a room see when the user comes in.
    ViewUser "view_user" GET "/users/{user}/views" Moderator (Nothing, Nothing) -> Page<View>;

    /// Lists bans: of users, then identities, then networks.
    ListBans "list_bans" GET "/bans" Monitor (PageQuery, Nothing) -> Page<BanReport>;
    /// Bans a user, an identity, or an address or network, and ends the sessions that it has.
    PutBan "ban" POST "/bans" Moderator (Nothing, NewBan) -> BanReport;
    /// Lifts a ban.
    LiftBan "lift_ban" DELETE "/bans" Moderator (TargetQuery, Nothing) -> Done;

    /// Lists rooms, closed ones too, by id.
    ListRooms "list_rooms" GET "/rooms" Monitor (SearchQuery, Nothing) -> Page<RoomReport>;
    /// Creates a room.
    CreateRoom "create_room" POST "/rooms" Operator (Nothing, CreatedRoom) -> RoomReport;
    /// Shows a room.
    ShowRoom "show_room" GET "/rooms/{room}" Monitor (Nothing, Nothing) -> RoomReport;
    /// Changes the title, section or description of a room.
    ChangeRoom "change_room" PATCH "/rooms/{room}" Moderator (Nothing, RoomChange) -> RoomReport;
    /// Deletes a room and its messages.
    DeleteRoom "delete_room" DELETE "/rooms/{room}" Operator (Nothing, Nothing) -> Done;
    /// Gives a room to a user, or to none; its members stay.
    SetOwner "set_owner" PUT "/rooms/{room}/owner" Operator (Nothing, RoomOwner) -> RoomReport;
    /// Lists the durable members of a room, in the order of joining, and the muted users.
    ListMembers "list_members" GET "/rooms/{room}/members" Monitor (PageQuery, Nothing) -> Members;
    /// Ends the membership and the seats of a user in a room.
    Kick "kick" POST "/rooms/{room}/kick" Moderator (Nothing, Removal) -> Done;
    /// Refuses a user's messages in a room.
    Mute "mute" POST "/rooms/{room}/mute" Moderator (Nothing, NewMute) -> Done;
    /// Lets a muted user post again.
    Unmute "unmute" POST "/rooms/{room}/unmute" Moderator (Nothing, Unmuted) -> Done;

    /// Shows who may find, enter and post to a room beyond its members: what operators of rooms have
    /// set, the lists, open invitations, and who holds a role now.
    ShowPolicy "show_policy" GET "/rooms/{room}/policy" Monitor (Nothing, Nothing) -> PolicyReport;
    /// Changes who may find, enter and post to a room.
    ChangePolicy "change_policy" PATCH "/rooms/{room}/policy" Moderator
        (Nothing, PolicyPatch) -> PolicyReport;
    /// Adds a mask to a list of a room.
    AddMask "add_mask" POST "/rooms/{room}/masks" Moderator (Nothing, ListedMask) -> PolicyReport;
    /// Removes a mask from a list of a room.
    RemoveMask "remove_mask" DELETE "/rooms/{room}/masks" Moderator
        (ListedMask, Nothing) -> PolicyReport;
    /// Gives a role to a user who is in a room now, or takes it, until the user leaves.
    SetRole "set_role" PUT "/rooms/{room}/roles" Moderator (Nothing, RoleChange) -> PolicyReport;

    /// Shows what each front end shows of a room, made anew by the front end itself: its entry in a list,
    /// and its newest message.
    ViewRoom "view_room" GET "/rooms/{room}/views" Moderator (Nothing, Nothing) -> Page<View>;

    /// Lists the messages of a room, the newest before `before`, oldest first.
    ListMessages "list_messages" GET "/rooms/{room}/messages" Moderator
        (BeforeQuery, Nothing) -> Page<MessageReport>;
    /// Searches the messages of rooms for words in any case, or, in scripts without spaces, for parts of
    /// the text; newest first.
    SearchMessages "search_messages" GET "/messages" Moderator
        (MessageQuery, Nothing) -> Page<MessageReport>;
    /// Deletes a message: no dialect shows it any more. Clients that have it already keep it.
    DeleteMessage "delete_message" DELETE "/messages/{message}" Moderator (Nothing, Nothing) -> Done;
    /// Shows the way of a message: the frame that it came in and the stages after it, if they are
    /// recorded, what each front end makes of it, and who has it.
    TraceMessage "trace_message" GET "/messages/{message}/trace" Moderator (Nothing, Nothing) -> Trace;
    /// Posts a notice to a room.
    Announce "announce" POST "/rooms/{room}/announce" Moderator (Nothing, Announcement) -> Announced;
    /// Posts a notice to every room.
    AnnounceToAll "announce_to_all" POST "/announce" Operator (Nothing, Announcement) -> Announced;

    /// Streams what the gateway does, as server-sent events: once `history`, then `sample` each
    /// second. The console draws its plots from it; without the console (`[admin] console`) there is
    /// no such path.
    WatchLive "watch_live" GET "/live" Monitor (Nothing, Nothing) -> LiveEvent;

    /// Lists the sessions of the playground. The playground is there where `[admin] playground` says so,
    /// for requests over loopback.
    ListPlayers "list_playground_sessions" GET "/playground/sessions" Operator
        (Nothing, Nothing) -> Page<PlaygroundSession>;
    /// Opens a session of a front end, signs it in, and enters a room if one is named: a client that
    /// the gateway drives.
    OpenPlayer "open_playground_session" POST "/playground/sessions" Operator
        (Nothing, PlaygroundOpen) -> PlaygroundSession;
    /// Has a session of the playground do one thing.
    PlayerInput "play" POST "/playground/sessions/{session}/input" Operator
        (Nothing, PlaygroundInput) -> PlaygroundStep;
    /// Shows the frames of a session of the playground, as server-sent events: what has passed, then
    /// what passes.
    PlayerFrames "playground_frames" GET "/playground/sessions/{session}/frames" Operator
        (Nothing, Nothing) -> TapStream;
    /// Ends a session of the playground.
    ClosePlayer "close_playground_session" DELETE "/playground/sessions/{session}" Operator
        (Nothing, Nothing) -> Done;

    /// Lists the front ends.
    ListFrontends "list_frontends" GET "/frontends" Monitor (Nothing, Nothing) -> Page<FrontendState>;
    /// Shows a front end: listeners, limits and how near they are, certificates, and what was counted.
    ShowFrontend "show_frontend" GET "/frontends/{frontend}" Monitor
        (Nothing, Nothing) -> FrontendDetail;
    /// Lists the plugins that are loaded.
    ListPlugins "list_plugins" GET "/plugins" Monitor (Nothing, Nothing) -> Page<PluginState>;
    /// Has a front end refuse connections and requests, and closes its connections in order, until it
    /// is enabled or the gateway starts again.
    DisableFrontend "disable_frontend" POST "/frontends/{frontend}/disable" Operator
        (Nothing, Reason) -> FrontendState;
    /// Has a disabled front end serve again.
    EnableFrontend "enable_frontend" POST "/frontends/{frontend}/enable" Operator
        (Nothing, Nothing) -> FrontendState;
    /// Closes the connections of a front end in order; it goes on to accept new ones.
    DrainFrontend "drain_frontend" POST "/frontends/{frontend}/drain" Operator
        (Nothing, Nothing) -> FrontendState;

    /// Shows where the configuration is, and which addresses are open.
    ShowConfig "show_config" GET "/config" Monitor (Nothing, Nothing) -> ConfigState;
    /// Tells what a reload of the configuration would do now. Nothing is changed.
    PlanConfig "plan_config" GET "/config/plan" Operator (ConfigChoice, Nothing) -> ConfigPlan;
    /// Reloads the configuration. If a part of it does not come up, the former one is in effect again;
    /// rooms that it named stay.
    ApplyConfig "apply_config" POST "/config/apply" Operator (Nothing, ConfigChoice) -> ConfigPlan;

    /// Lists every key of the configuration in effect with its value and the layer that it is from.
    /// Secrets are masked.
    ListConfig "list_config" GET "/config/effective" Operator (Nothing, Nothing) -> Page<EffectiveKey>;
    /// Tells what is wrong with a text that would replace that of gateway.toml, and what a reload with
    /// it would do. Nothing is changed, and no library is loaded that is not already.
    CheckConfig "check_config" POST "/config/check" Operator (Nothing, ConfigText) -> ConfigPlan;
    /// Applies the configuration that was in effect before the last change. The file stays as it is.
    RollBackConfig "roll_back_config" POST "/config/rollback" Operator
        (Nothing, Nothing) -> ConfigPlan;

    /// Lists the webhooks, with what waits for their receivers.
    ListWebhooks "list_webhooks" GET "/webhooks" Monitor (Nothing, Nothing) -> Page<WebhookReport>;
    /// Sends the dead letters of a webhook again, oldest first, until one is not taken.
    ReplayWebhook "replay_webhook" POST "/webhooks/{webhook}/replay" Operator
        (Nothing, Nothing) -> Begun;
    /// Goes on with a receiver that has answered 410.
    ResumeWebhook "resume_webhook" POST "/webhooks/{webhook}/resume" Operator
        (Nothing, Nothing) -> Begun;

    /// Shows the place of this gateway in its cluster, and the runs of all.
    ShowCluster "show_cluster" GET "/cluster" Monitor (Nothing, Nothing) -> ClusterState;

    /// Lists the tokens of this API, the oldest first; never the tokens themselves.
    ListTokens "list_tokens" GET "/tokens" Operator (Nothing, Nothing) -> Page<TokenReport>;
    /// Creates a token. It is shown this once.
    AddToken "create_token" POST "/tokens" Operator (Nothing, NewToken) -> CreatedToken;
    /// Revokes a token.
    RemoveToken "revoke_token" DELETE "/tokens/{token}" Operator (Nothing, Nothing) -> TokenReport;

    /// Shows where the store is, how much space it has, and what is kept.
    ShowStore "show_store" GET "/store" Monitor (Nothing, Nothing) -> StoreState;
    /// Lists the backups in the configured folder, the newest first.
    ListBackups "list_backups" GET "/store/backups" Monitor (Nothing, Nothing) -> Page<BackupFile>;
    /// Makes a backup in the configured folder now, and removes the oldest as the schedule does. Answers
    /// when it is made.
    MakeBackup "make_backup" POST "/store/backups" Operator (Nothing, Nothing) -> MadeBackup;
    /// Reads a backup of the configured folder, makes a store of it beside it, reads all of that and
    /// removes it. Answers when that is done.
    VerifyBackup "verify_backup" POST "/store/verify" Operator
        (Nothing, BackupChoice) -> VerifiedBackup;
    /// Shows how much the store and each of its tables hold.
    StoreStats "store_stats" GET "/store/stats" Monitor (Nothing, Nothing) -> StoreReport;
    /// Returns a backup: the store as it is now, while the gateway goes on. `dragoman store restore`
    /// makes a store of it. One backup is made at a time.
    BackUpStore "back_up_store" POST "/store/backup" Operator (Nothing, Nothing) -> BackupStream;
    /// Returns users, rooms, messages and cursors as JSON lines: the store as it is now, while the
    /// gateway goes on. `dragoman import` reads them. One backup or export is made at a time.
    ExportStore "export_store" POST "/store/export" Operator (Nothing, Nothing) -> ExportStream;

    /// Lists the changes that were made through this API and the command line, the newest first.
    ListAudit "list_audit" GET "/audit" Operator (BeforeQuery, Nothing) -> Page<AuditEntry>;
}

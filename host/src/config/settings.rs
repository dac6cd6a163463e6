//! The typed form of gateway.toml.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use core_engine::Quotas;
use core_model::NewRoom;
use frontend_api::{Frontend, Listener};
use ipnet::IpNet;
use serde_json::Value;

use super::auth_settings::{ApiKey, ApiKeysFile, AuthConfig};
use super::cluster_settings::ClusterConfig;
use super::endpoint::{Endpoint, ListenAddress};
use super::upstreams::UpstreamConfig;
use crate::plugin::Loaded;
use crate::tls::Tls;
use crate::webhooks::WebhookConfig;

/// A checked configuration.
#[derive(Clone)]
pub struct Config {
    pub server: ServerConfig,
    pub store: StoreConfig,
    /// `[cluster]`: the log that the store follows. None: it has commands of its own.
    pub cluster: Option<ClusterConfig>,
    pub admin: AdminConfig,
    pub auth: AuthConfig,
    /// `[[rooms]]`: created at start where they are missing.
    pub rooms: Vec<NewRoom>,
    /// The enabled front ends: linked dialects in the order of their table, then the others.
    pub frontends: Vec<FrontendConfig>,
    /// `[[webhooks]]`, in their order.
    pub webhooks: Vec<WebhookConfig>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// How long connections get to finish after SIGTERM. Default 10 s.
    pub drain_timeout: Duration,
    pub log: LogConfig,
    /// Threads of the network runtime. Default: half of the cores, at least 1.
    pub threads: usize,
    /// Concurrent password hashes. Default: half of the cores, at least 1.
    pub password_threads: usize,
    /// Peers whose `X-Forwarded-For` is trusted. Default: none.
    pub trusted_proxies: TrustedProxies,
    /// Whether each front end serves its schemas. Default true.
    pub well_known: bool,
    /// Default: recover.
    pub on_store_failure: OnStoreFailure,
    pub unread: UnreadLimits,
}

/// The bytes of replies that peers may leave unread; 0: any number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnreadLimits {
    /// `unread_bytes_max`: of all peers together. Default 128 MiB.
    pub total: u32,
    /// `unread_bytes_per_address_max`. Default 32 MiB.
    pub per_address: u32,
}

impl Default for UnreadLimits {
    fn default() -> Self {
        Self { total: 128 << 20, per_address: 32 << 20 }
    }
}

/// The proxies whose word about their clients counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedProxies {
    pub networks: Vec<IpNet>,
    /// Whether those on unix sockets do.
    pub unix: bool,
}

/// What the gateway does when the store fails.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnStoreFailure {
    /// Opens the store again until that works.
    #[default]
    Recover,
    /// Exits with code 1, for a supervisor that restarts it.
    Exit,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogConfig {
    pub format: LogFormat,
    /// A filter in the notation of `RUST_LOG`. Default `info`.
    pub filter: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreConfig {
    /// The redb file; its folder is created where missing. Default `data/dragoman.redb`.
    pub path: PathBuf,
    /// The page cache. Default 256 MiB.
    pub cache_bytes: usize,
    /// Commands that may wait for the writer. Default 16384.
    pub queue_max: usize,
    /// Days for which messages are kept; 0: forever. Default 0.
    pub keep_days: u32,
    /// How many of a room's newest messages are kept; 0: all. Default 0.
    pub keep_messages_per_room: u32,
    /// Free bytes of the file system below which posts are refused; 0: none. Default 64 MiB.
    pub free_space_min: u64,
    /// Whether an index of messages is kept for searches. Default true.
    pub search: bool,
    /// Backups that the gateway makes by itself. Default none.
    pub backup: Option<BackupConfig>,
}

/// When the gateway makes backups, and how many it keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupConfig {
    /// Created where missing. Default `backups` beside the store.
    pub folder: PathBuf,
    pub every: Duration,
    /// Older ones are removed. Default 7.
    pub keep: u32,
}

impl StoreConfig {
    pub const FREE_SPACE_MIN: u64 = 64 << 20;
}

#[derive(Clone, Debug, PartialEq)]
pub struct AdminConfig {
    /// The address of the admin listener. Default none.
    pub listen: Option<ListenAddress>,
    /// Another one, whose connections are encrypted and whose requests need a token. Default none.
    pub tls_listen: Option<(ListenAddress, Arc<Tls>)>,
    /// Whether /api/ shows the schemas of every front end. Default true.
    pub api_page: bool,
    /// Whether /console/ serves the console. Default true.
    pub console: bool,
    /// Of how many messages it is kept how they came and went. Default 0.
    pub trace: usize,
    /// Whether the admin API has a playground, over loopback only. Default false.
    pub playground: bool,
    /// Names that clients may call the unencrypted listener by. Default none.
    pub hosts: Vec<String>,
}

/// One enabled front end.
#[derive(Clone)]
pub struct FrontendConfig {
    /// Its name in gateway.toml.
    pub name: String,
    /// Whether the gateway stops when this front end cannot start.
    pub required: bool,
    pub frontend: Arc<dyn Frontend>,
    /// Its own keys: all of them for a linked dialect, the given ones for a plugin.
    pub options: Value,
    /// `None`: a linked dialect.
    pub plugin: Option<Loaded>,
    /// The manifest's listeners that have an address, once for each.
    pub listeners: Vec<(Listener, Endpoint)>,
    /// The servers that it asks.
    pub upstreams: Vec<UpstreamConfig>,
    pub limits: Limits,
    pub guard: Guard,
    /// Origins allowed by CORS; `*` is all.
    pub cors_origins: Vec<String>,
    /// Names that HTTP clients may call this host by on a private listener.
    pub hosts: Vec<String>,
    /// Seats of a room that this front end creates without a capacity. Default 500.
    pub room_capacity: u32,
    /// Rooms that every user joins at sign-in.
    pub auto_join: Vec<String>,
}

impl FrontendConfig {
    /// The name of its dialect, which several front ends may have.
    pub fn dialect(&self) -> &str {
        &self.frontend.manifest().dialect
    }
}

/// Bounds of one front end; 0 is off, except for sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// 50000
    pub connections_max: u32,
    /// 1000
    pub connections_per_address_max: u32,
    /// 200 for each peer (a connection; for HTTP an address)
    pub requests_per_s: u32,
    /// 1000
    pub requests_burst: u32,
    /// 100
    pub messages_per_s: u32,
    /// 500
    pub messages_burst: u32,
    /// 1 MiB: text and avatars that a peer has others sent. The burst is one second's worth, a quarter
    /// of a mailbox, so that one peer cannot cut off those who read
    pub bytes_per_s: u32,
    /// 1 MiB: an HTTP body
    pub body_bytes_max: u32,
    /// 1 MiB: a WebSocket message or a line
    pub message_bytes_max: u32,
    /// 16384: the text of one message
    pub text_chars_max: u32,
    /// 10 s: until the request head or WebSocket handshake is complete
    pub handshake_timeout: Duration,
    /// Off: how long a silent connection is kept
    pub idle_timeout: Duration,
    /// 30 s: between pings of a WebSocket, which is cut when two go unanswered
    pub ping_interval: Duration,
    /// 1024: frames that may wait in one connection's mailbox
    pub mailbox_max: u32,
    /// 4 MiB: bytes of frames that may wait there
    pub mailbox_bytes_max: u32,
    /// How much one user, connection or address may have.
    pub quotas: Quotas,
}

/// The quotas of a front end that says nothing of them. All clients of a trusted app come from its
/// address, so nothing is counted for that.
pub(crate) fn default_quotas(trusted_app: bool) -> Quotas {
    let by_address = |max| if trusted_app { 0 } else { max };
    Quotas {
        accounts_per_address_per_hour_max: by_address(1_000),
        rooms_per_address_per_day_max: by_address(200),
        unowned_rooms_max: 10_000,
        rooms_per_owner_max: 1_000,
        memberships_per_user_max: 1_000,
        groups_per_user_max: 200,
        tokens_per_user_max: 64,
        keys_per_address_max: 100_000,
        leases_per_address_max: by_address(10),
        names_per_connection_max: by_address(8),
        guests_per_address_max: by_address(200),
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 50_000,
            connections_per_address_max: 1_000,
            requests_per_s: 200,
            requests_burst: 1_000,
            messages_per_s: 100,
            messages_burst: 500,
            bytes_per_s: 1 << 20,
            body_bytes_max: 1 << 20,
            message_bytes_max: 1 << 20,
            text_chars_max: 16_384,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::ZERO,
            ping_interval: Duration::from_secs(30),
            mailbox_max: 1_024,
            mailbox_bytes_max: 4 << 20,
            quotas: default_quotas(false),
        }
    }
}

impl Guard {
    /// Whether a client must show something to use the front end.
    pub(crate) fn has_keys(&self) -> bool {
        !self.api_keys.is_empty() || self.api_keys_file.is_some() || !self.jwt_subjects.is_empty()
    }
}

/// Which clients may use a front end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guard {
    /// Keys for `X-Api-Key` or `Authorization: Bearer`. Without them, and without
    /// `jwt_subjects`, no key is required.
    pub api_keys: Vec<ApiKey>,
    /// Further ones.
    pub api_keys_file: Option<ApiKeysFile>,
    /// The subjects whose JSON Web Tokens count like a key.
    pub jwt_subjects: Vec<String>,
    /// Addresses that may connect; empty: all.
    pub allow: Vec<IpNet>,
}

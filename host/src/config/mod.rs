//! The configuration: reads gateway.toml and its overrides into typed values.

mod acme;
mod api_keys;
mod auth;
mod auth_settings;
mod cluster;
mod cluster_rows;
mod cluster_settings;
mod defaults;
mod endpoint;
mod endpoints;
mod frontend_rows;
mod frontends;
mod layers;
mod listens;
mod parse;
mod paths;
mod problem;
mod public_url;
mod reach;
mod read;
mod schema;
mod schema_rows;
mod secret_file;
mod section;
mod servers;
mod settings;
mod shapes;
mod shown;
mod tls;
mod upstreams;
mod webhooks;

pub(crate) use auth::read_keys;
pub use auth_settings::{ApiKey, ApiKeysFile, AuthConfig};
pub(crate) use auth_settings::{CaFile, HttpAuthConfig, JwtAuthConfig, KeySource};
pub use cluster_settings::{ClusterConfig, ClusterLogin, ClusterTls, Reads, Sync};
pub use defaults::defaults;
pub use endpoint::{Endpoint, EndpointOptions, ListenAddress, SocketAccess, is_private};
pub use layers::{Pasted, Setting, Sources, WhichConfig};
pub use listens::{Listen, collide, is_in_the_way};
pub use problem::{Problem, Problems, ValueSource};
pub use public_url::PublicUrl;
pub use read::{Draft, draft, draft_of};
pub use schema::schema;
pub(crate) use secret_file::read_secret;
pub use section::NamedRoom;
pub use servers::server;
pub use settings::{
    AdminConfig, BackupConfig, Config, FrontendConfig, Guard, Limits, LogConfig, LogFormat,
    OnStoreFailure, ServerConfig, StoreConfig, TrustedProxies, UnreadLimits,
};
pub use shown::{ShownConfig, ShownKey, shown};
pub use upstreams::UpstreamConfig;

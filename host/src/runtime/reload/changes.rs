//! How two configurations differ.

use std::sync::Arc;

use crate::config::{Config, Endpoint, FrontendConfig, LogFormat, OnStoreFailure, StoreConfig};
use crate::plugin::Loaded;
use crate::runtime::frontends::instance::FrontendHandle;

/// The keys that take effect only at the next start.
#[derive(Clone)]
pub(crate) struct StartupKeys {
    threads: usize,
    password_threads: usize,
    format: LogFormat,
    store: StoreConfig,
    on_store_failure: OnStoreFailure,
}

impl StartupKeys {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            threads: config.server.threads,
            password_threads: config.server.password_threads,
            format: config.server.log.format,
            store: config.store.clone(),
            on_store_failure: config.server.on_store_failure,
        }
    }

    /// The keys with other values there.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let store = &self.store;
        let other_store = &other.store;
        let keep_per_room = store.keep_messages_per_room != other_store.keep_messages_per_room;
        changed([
            ("server.threads", self.threads != other.threads),
            ("server.password_threads", self.password_threads != other.password_threads),
            ("server.log.format", self.format != other.format),
            ("store.path", store.path != other_store.path),
            ("store.cache_bytes", store.cache_bytes != other_store.cache_bytes),
            ("store.queue_max", store.queue_max != other_store.queue_max),
            ("store.keep_days", store.keep_days != other_store.keep_days),
            ("store.keep_messages_per_room", keep_per_room),
            ("store.free_space_min", store.free_space_min != other_store.free_space_min),
            ("server.on_store_failure", self.on_store_failure != other.on_store_failure),
        ])
    }
}

/// What a reload does to a configured front end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    New,
    Unchanged,
    /// The instance goes on; later connections get the new settings.
    Reconfigured,
    /// A new instance takes its place.
    Replaced,
}

impl Fate {
    pub(super) fn of(
        before: Option<(&FrontendConfig, &Arc<FrontendHandle>)>,
        wanted: &FrontendConfig,
    ) -> Self {
        let Some((before, frontend)) = before else { return Self::New };
        let changes = frontend_changes(before, wanted);
        if changes.is_empty() {
            return Self::Unchanged;
        }
        let needs_new = changes.iter().any(|key| NEEDS_NEW_INSTANCE.contains(key));
        if frontend.down().is_some() || needs_new { Self::Replaced } else { Self::Reconfigured }
    }

    pub(super) fn log(
        self,
        frontend: &str,
        before: Option<&FrontendConfig>,
        wanted: &FrontendConfig,
    ) {
        let changes =
            || before.map(|before| frontend_changes(before, wanted).join(", ")).unwrap_or_default();
        match self {
            Self::Unchanged => (),
            Self::New => tracing::info!(frontend, "enabled"),
            Self::Reconfigured => {
                tracing::info!(frontend, "changed for new connections: {}", changes());
            }
            Self::Replaced => {
                tracing::info!(frontend, "changed; draining its connections: {}", changes());
            }
        }
    }
}

const NEEDS_NEW_INSTANCE: [&str; 2] = ["its own keys", "plugin"];

/// The keys in which two sections of a front end differ; the dialect's own keys count as one.
fn frontend_changes(before: &FrontendConfig, wanted: &FrontendConfig) -> Vec<&'static str> {
    let same_plugin = match (&before.plugin, &wanted.plugin) {
        (None, None) => true,
        (Some(before), Some(wanted)) => Loaded::is_same(before, wanted),
        (None, Some(_)) | (Some(_), None) => false,
    };
    changed([
        ("plugin", !same_plugin),
        ("its own keys", before.options != wanted.options),
        ("its servers or secrets", before.upstreams != wanted.upstreams),
        ("its addresses", addresses(before) != addresses(wanted)),
        ("its limits", before.limits != wanted.limits),
        ("allow", before.guard.allow != wanted.guard.allow),
        ("api_keys", before.guard.api_keys != wanted.guard.api_keys),
        ("cors_origins", before.cors_origins != wanted.cors_origins),
        ("hosts", before.hosts != wanted.hosts),
        ("room_capacity", before.room_capacity != wanted.room_capacity),
        ("auto_join", before.auto_join != wanted.auto_join),
        ("required", before.required != wanted.required),
    ])
}

pub(super) fn changed<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
}

pub(super) fn addresses(config: &FrontendConfig) -> Vec<(&str, &Endpoint)> {
    let listeners = config.listeners.iter();
    listeners.map(|(listener, endpoint)| (listener.key.as_str(), endpoint)).collect()
}

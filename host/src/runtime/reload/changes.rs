//! How two configurations differ.

use std::sync::Arc;

use core_engine::Quotas;
use serde_json::{Map, Value};

use crate::config::{
    ClusterConfig, Config, Endpoint, FrontendConfig, Limits, LogFormat, OnStoreFailure,
    StoreConfig, UnreadLimits, UpstreamConfig,
};
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
    unread: UnreadLimits,
    cluster: Option<ClusterConfig>,
}

impl StartupKeys {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            threads: config.server.threads,
            password_threads: config.server.password_threads,
            format: config.server.log.format,
            store: config.store.clone(),
            on_store_failure: config.server.on_store_failure,
            unread: config.server.unread,
            cluster: config.cluster.clone(),
        }
    }

    /// The keys with other values there.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
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
            ("store.search", store.search != other_store.search),
            ("store.backup", store.backup != other_store.backup),
            ("store.free_space_min", store.free_space_min != other_store.free_space_min),
            ("cluster", self.cluster != other.cluster),
            ("server.on_store_failure", self.on_store_failure != other.on_store_failure),
            ("server.unread_bytes_max", self.unread.total != other.unread.total),
            (
                "server.unread_bytes_per_address_max",
                self.unread.per_address != other.unread.per_address,
            ),
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
        let changes = Changes::of(before, wanted);
        if changes.keys.is_empty() {
            return Self::Unchanged;
        }
        let needs_new = frontend.down().is_some() || changes.needs_new;
        if needs_new { Self::Replaced } else { Self::Reconfigured }
    }

    pub(super) fn log(
        self,
        frontend: &str,
        before: Option<&FrontendConfig>,
        wanted: &FrontendConfig,
    ) {
        let changes =
            || before.map(|before| Changes::of(before, wanted).keys.join(", ")).unwrap_or_default();
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

/// How two sections of a front end differ.
#[derive(Default)]
pub(super) struct Changes {
    /// The keys, as gateway.toml has them.
    pub(super) keys: Vec<String>,
    /// Whether a new instance has to take the place of the front end's.
    needs_new: bool,
}

impl Changes {
    pub(super) fn of(before: &FrontendConfig, wanted: &FrontendConfig) -> Self {
        let same_plugin = match (&before.plugin, &wanted.plugin) {
            (None, None) => true,
            (Some(before), Some(wanted)) => Loaded::is_same(before, wanted),
            (None, Some(_)) | (Some(_), None) => false,
        };
        let own = changed_options(&before.options, &wanted.options);
        let same_dialect = before.dialect() == wanted.dialect();
        let needs_new = !same_plugin || !same_dialect || !own.is_empty();
        let others = changed([
            ("dialect", !same_dialect),
            ("plugin", !same_plugin),
            ("allow", before.guard.allow != wanted.guard.allow),
            ("api_keys", before.guard.api_keys != wanted.guard.api_keys),
            ("api_keys_file", before.guard.api_keys_file != wanted.guard.api_keys_file),
            ("jwt_subjects", before.guard.jwt_subjects != wanted.guard.jwt_subjects),
            ("cors_origins", before.cors_origins != wanted.cors_origins),
            ("hosts", before.hosts != wanted.hosts),
            ("room_capacity", before.room_capacity != wanted.room_capacity),
            ("auto_join", before.auto_join != wanted.auto_join),
            ("required", before.required != wanted.required),
        ]);
        let others = others.into_iter().chain(changed_limits(&before.limits, &wanted.limits));
        let mut keys: Vec<String> = own.into_iter().chain(others.map(String::from)).collect();
        keys.extend(changed_listeners(before, wanted));
        keys.extend(changed_upstreams(before, wanted));
        keys.sort();
        keys.dedup();
        Self { keys, needs_new }
    }
}

/// The dialect's own keys that differ.
fn changed_options(before: &Value, wanted: &Value) -> Vec<String> {
    let empty = Map::new();
    let [one, other] = [before, wanted].map(|options| options.as_object().unwrap_or(&empty));
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    keys.filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

fn changed_limits(before: &Limits, wanted: &Limits) -> Vec<&'static str> {
    // The pattern has each field, so that none can be forgotten.
    macro_rules! differing {
        ($type:ident, $before:expr, $wanted:expr, ($($other:ident)?); $($key:ident,)*) => {{
            let $type { $($key: _,)* $($other: _)? } = $before;
            changed([$((stringify!($key), $before.$key != $wanted.$key)),*])
        }};
    }
    let mut keys = differing!(Limits, before, wanted, (quotas);
        connections_max,
        connections_per_address_max,
        requests_per_s,
        requests_burst,
        messages_per_s,
        messages_burst,
        bytes_per_s,
        body_bytes_max,
        message_bytes_max,
        text_chars_max,
        handshake_timeout,
        idle_timeout,
        ping_interval,
        mailbox_max,
        mailbox_bytes_max,
    );
    keys.extend(differing!(Quotas, &before.quotas, &wanted.quotas, ();
        accounts_per_address_per_hour_max,
        rooms_per_address_per_day_max,
        unowned_rooms_max,
        rooms_per_owner_max,
        memberships_per_user_max,
        groups_per_user_max,
        tokens_per_user_max,
        keys_per_address_max,
        leases_per_address_max,
        names_per_connection_max,
        guests_per_address_max,
    ));
    keys
}

/// The keys of listeners whose addresses differ, or how connections are accepted there.
fn changed_listeners(before: &FrontendConfig, wanted: &FrontendConfig) -> Vec<String> {
    let (one, other) = (addresses(before), addresses(wanted));
    let of = |all: &[(&str, &Endpoint)], key: &str| -> Vec<Endpoint> {
        let mine = all.iter().filter(|(found, _)| *found == key);
        mine.map(|(_, endpoint)| (*endpoint).clone()).collect()
    };
    let keys = one.iter().chain(&other).map(|(key, _)| *key);
    keys.filter(|key| of(&one, key) != of(&other, key)).map(String::from).collect()
}

/// The keys of servers whose URL, secret or time-out differs.
fn changed_upstreams(before: &FrontendConfig, wanted: &FrontendConfig) -> Vec<String> {
    let (one, other) = (&before.upstreams, &wanted.upstreams);
    let differing = |of: &[UpstreamConfig], than: &[UpstreamConfig]| -> Vec<String> {
        let missing = of.iter().filter(|upstream| !than.contains(upstream));
        missing.map(|upstream| upstream.key.clone()).collect()
    };
    [differing(one, other), differing(other, one)].concat()
}

/// The keys of what all front ends share that differ and take effect at once.
pub(super) fn changed_of_gateway(running: &Config, new: &Config) -> Vec<&'static str> {
    let (former, server) = (&running.server, &new.server);
    changed([
        ("server.drain_timeout", former.drain_timeout != server.drain_timeout),
        ("server.log.filter", former.log.filter != server.log.filter),
        ("server.trusted_proxies", former.trusted_proxies != server.trusted_proxies),
        ("server.well_known", former.well_known != server.well_known),
        ("admin.api_page", running.admin.api_page != new.admin.api_page),
        ("admin.console", running.admin.console != new.admin.console),
        ("admin.trace", running.admin.trace != new.admin.trace),
        ("admin.hosts", running.admin.hosts != new.admin.hosts),
        ("admin.playground", running.admin.playground != new.admin.playground),
        ("auth", running.auth != new.auth),
    ])
}

fn changed<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
}

pub(super) fn addresses(config: &FrontendConfig) -> Vec<(&str, &Endpoint)> {
    let listeners = config.listeners.iter();
    listeners.map(|(listener, endpoint)| (listener.key.as_str(), endpoint)).collect()
}

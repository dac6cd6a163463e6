//! From the merged layers to a [`Config`]: one function a section.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use core_engine::ROOM_CAPACITY_DEFAULT;
use core_model::NewRoom;
use figment::value::Value;
use frontend_api::{Frontend, Listener, Manifest, OptionFault, Transport};

use super::layers::{Layers, Sources};
use super::listens::{Listen, collisions};
use super::problem::{Problem, Problems, ValueSource};
use super::section::{Reader, Section, hint};
use super::{
    AdminConfig, Config, FrontendConfig, Guard, Limits, LogConfig, LogFormat, ServerConfig,
    StoreConfig, is_private, parse,
};
use crate::dialects::Dialect;
use crate::plugin::{self, Loaded, Plugin};

/// A rate of so many a second allows five times as many at once.
const BURST_PER_RATE: u32 = 5;

/// More threads than this are a typing mistake.
const THREADS_MAX: u32 = 1024;

/// A configuration as far as it could be read: what is wrong counts as absent.
pub struct Draft {
    pub config: Config,
    /// Every address that would be listened on, with where it was written.
    pub listens: Vec<Listen>,
    /// Where the path of the store was written.
    pub store_source: ValueSource,
    /// What keeps the gateway from starting.
    pub problems: Problems,
    /// What does not, but should be known.
    pub warnings: Problems,
    /// Every key that there is for the front ends that have a section, dotted.
    pub keys: BTreeSet<String>,
}

/// Reads a configuration, and everything that is wrong with it. Fails where there is none: the
/// file cannot be read or is no TOML.
pub fn draft(sources: &Sources, dialects: &[Dialect]) -> Result<Draft, Problems> {
    let reader = Reader::new(Layers::read(sources)?);
    let root = reader.layers().root();
    let section = Section::root(&reader, &root);
    let folder = sources.file.parent().unwrap_or(Path::new(""));
    let store_section = section.table("store");
    let rooms = rooms(&section);
    let frontends_section = section.table("frontends");
    let mut listens = Vec::new();
    let config = Config {
        server: server(&section.table("server")),
        store: store(&store_section, folder),
        admin: admin(&section.table("admin"), &mut listens),
        frontends: frontends(&reader, &frontends_section, folder, dialects, &rooms, &mut listens),
        rooms,
    };
    section.finish();
    let store_source = store_section.source_or_default("path");
    check_that_something_is_on(&reader, &config, dialects);
    for Problem { source, what } in collisions(&listens) {
        reader.complain(source, what);
    }
    let (problems, warnings, keys) = reader.finish();
    Ok(Draft { config, listens, store_source, problems, warnings, keys })
}

fn server(section: &Section<'_>) -> ServerConfig {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let threads = |key| section.read(key, parse::number(1..=THREADS_MAX)).map(|n| n as usize);
    let config = ServerConfig {
        drain_timeout: section
            .read("drain_timeout", parse::duration)
            .unwrap_or(Duration::from_secs(10)),
        log: log(section),
        threads: threads("threads").unwrap_or((cores / 2).max(1)),
        password_threads: threads("password_threads").unwrap_or((cores / 2).max(1)),
        trusted_proxies: section.list("trusted_proxies", "networks", parse::network),
        well_known: section.read("well_known", parse::flag).unwrap_or(true),
    };
    section.finish();
    config
}

/// `log = "debug"` is short for `log = { filter = "debug" }`.
fn log(server: &Section<'_>) -> LogConfig {
    let default = LogConfig { format: LogFormat::Text, filter: "info".into() };
    if let Some(Value::String(..)) = server.value("log") {
        let filter = server.read("log", parse::log_filter).unwrap_or(default.filter);
        return LogConfig { filter, ..default };
    }
    let section = server.table("log");
    let format = |value: &Value| match value.as_str() {
        Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        _ => Err("expected \"text\" or \"json\"".into()),
    };
    let config = LogConfig {
        format: section.read("format", format).unwrap_or(default.format),
        filter: section.read("filter", parse::log_filter).unwrap_or(default.filter),
    };
    section.finish();
    config
}

/// A relative path is taken from the folder of gateway.toml, wherever the gateway is started.
fn store(section: &Section<'_>, folder: &Path) -> StoreConfig {
    let path = section.read("path", parse::path);
    let config = StoreConfig {
        path: folder.join(path.unwrap_or_else(|| "data/dragoman.redb".into())),
        cache_bytes: section.read("cache_bytes", parse::bytes).unwrap_or(256 << 20),
        queue_max: section
            .read("queue_max", parse::number(1..=u32::MAX))
            .map_or(16_384, |max| max as usize),
        keep_days: section.read("keep_days", parse::limit).unwrap_or(0),
        keep_messages_per_room: section.read("keep_messages_per_room", parse::limit).unwrap_or(0),
    };
    section.finish();
    config
}

fn admin(section: &Section<'_>, listens: &mut Vec<Listen>) -> AdminConfig {
    let listen = section.read("listen", parse::address);
    if let Some(address) = listen {
        listens.push(Listen {
            key: section.shown("listen"),
            transport: Transport::Http,
            routes: None,
            address,
            source: section.source_or_default("listen"),
        });
    }
    let api_page = section.read("api_page", parse::flag).unwrap_or(true);
    section.finish();
    AdminConfig { listen, api_page }
}

fn rooms(root: &Section<'_>) -> Vec<NewRoom> {
    let mut rooms: Vec<NewRoom> = Vec::new();
    for section in root.tables("rooms") {
        let Some(room) = room(&section) else { continue };
        match rooms.iter().any(|other| other.name == room.name) {
            true => section.complain("name", "another of the [[rooms]] has this name"),
            false => rooms.push(room),
        }
    }
    rooms
}

fn room(section: &Section<'_>) -> Option<NewRoom> {
    let name = section.read("name", parse::room_name);
    let room = NewRoom {
        name: name.clone(),
        insist: true,
        section: section.read("section", parse::text).unwrap_or_default(),
        description: section.read("description", parse::text).unwrap_or_default(),
        capacity: section.read("capacity", parse::number(1..=u32::MAX)),
        ..NewRoom::default()
    };
    if section.is_present() && !section.keys().any(|key| key == "name") {
        section.complain_of_absent("name", "missing; every one of the [[rooms]] has a name");
    }
    section.finish();
    name.map(|_| room)
}

fn frontends(
    reader: &Reader,
    section: &Section<'_>,
    folder: &Path,
    dialects: &[Dialect],
    rooms: &[NewRoom],
    listens: &mut Vec<Listen>,
) -> Vec<FrontendConfig> {
    let names: BTreeSet<String> = dialects.iter().map(|dialect| dialect.name.into()).collect();
    let listed = dialects.iter().map(|dialect| dialect.name);
    let listed = listed.filter(|name| section.keys().any(|key| key == *name));
    let others = section.keys().filter(|key| !names.contains(*key));
    let mut frontends = Vec::new();
    for name in listed.chain(others) {
        if !names.contains(name) && !section.has_table_with(name, PLUGIN) {
            let what = format!("unknown front end {}{}", section.shown(name), hint(name, &names));
            reader.complain(section.source_of(name), what);
            continue;
        }
        if !is_name(name) {
            let what = format!("{}: a name is letters, digits, _ and -", section.shown(name));
            reader.complain(section.source_of(name), what);
            continue;
        }
        let section = section.table(name);
        if let Some(config) = frontend(reader, name, &section, folder, dialects, listens) {
            warn_of_undeclared_rooms(reader, &section, &config, rooms);
            frontends.push(config);
        }
    }
    frontends
}

/// What stands in metrics and in the keys of the engine.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// The key that says where a front end is loaded from.
const PLUGIN: &str = "plugin";

/// One front end, if it is enabled and its own options make sense.
fn frontend(
    reader: &Reader,
    name: &str,
    section: &Section<'_>,
    folder: &Path,
    dialects: &[Dialect],
    listens: &mut Vec<Listen>,
) -> Option<FrontendConfig> {
    let enabled = section.read("enabled", parse::flag).unwrap_or(true);
    let required = section.read("required", parse::flag).unwrap_or(false);
    let limits = limits(section);
    let guard = Guard {
        api_keys: section.list("api_keys", "API keys", parse::api_key),
        allow: section.list("allow", "networks", parse::network),
    };
    let cors_origins = section.list("cors_origins", "origins", parse::cors_origin);
    let room_capacity = section.read("room_capacity", parse::number(1..=u32::MAX));
    let auto_join = section.list("auto_join", "room names", parse::room_name);
    let maker = maker(section, name, folder, dialects, enabled)?;
    let made = made(section, &maker);
    let manifest =
        made.as_ref().map_or_else(|| maker.manifest(), |made| made.frontend.manifest().clone());
    let listeners = listeners(section, &manifest.listeners);
    section.finish();

    let Made { frontend, options, plugin } = made.filter(|_| enabled)?;
    let config = FrontendConfig {
        name: name.to_owned(),
        required,
        frontend,
        options,
        plugin,
        listeners,
        limits,
        guard,
        cors_origins,
        room_capacity: room_capacity.unwrap_or(ROOM_CAPACITY_DEFAULT),
        auto_join,
    };
    if let Some(dialect) = dialects.iter().find(|dialect| dialect.name == manifest.dialect) {
        check_guard(section, dialect, &config);
        warn_of_risk(reader, section, dialect, &config);
    }
    if let Maker::Loaded(plugin) = &maker
        && plugin.is_newer()
    {
        let what = format!("the plugin of {name} is {}", plugin::IS_NEWER);
        reader.warn(section.source_of(PLUGIN), what);
    }
    listens.extend(config.listeners.iter().map(|(listener, address)| Listen {
        key: section.shown(&listener.key),
        transport: listener.transport,
        routes: Some(listener.routes.clone()),
        address: *address,
        source: section.source_or_default(&listener.key),
    }));
    Some(config)
}

/// What a front end is made by.
enum Maker<'a> {
    Linked(&'a Dialect),
    Loaded(Box<Plugin>),
}

/// A front end, what it was made from, and where it was loaded from if it was.
struct Made {
    frontend: Arc<dyn Frontend>,
    options: serde_json::Value,
    plugin: Option<Loaded>,
}

impl Maker<'_> {
    fn manifest(&self) -> Manifest {
        match self {
            Self::Linked(dialect) => dialect.manifest(),
            Self::Loaded(plugin) => plugin.manifest().clone(),
        }
    }

    fn make(
        &self,
        options: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Made, Vec<OptionFault>> {
        match self {
            Self::Linked(dialect) => {
                let frontend = dialect.configure(options.clone())?;
                Ok(Made { frontend, options: dialect.in_full(options), plugin: None })
            }
            Self::Loaded(plugin) => {
                let (frontend, loaded) = plugin.configure(options.clone())?;
                Ok(Made { frontend, options: options.into(), plugin: Some(loaded) })
            }
        }
    }
}

/// None: there is a plugin, and it cannot be loaded, or should not be; then nobody knows which
/// keys are its own. To load is to run, so one that is not enabled is left alone.
fn maker<'a>(
    section: &Section<'_>,
    name: &str,
    folder: &Path,
    dialects: &'a [Dialect],
    enabled: bool,
) -> Option<Maker<'a>> {
    let is_linked = section.value(PLUGIN).is_none();
    let common = section.known();
    if is_linked {
        return dialects.iter().find(|dialect| dialect.name == name).map(Maker::Linked);
    }
    let path = section.read(PLUGIN, parse::path)?;
    if !enabled {
        return None;
    }
    match Plugin::open(&folder.join(path), common) {
        Ok(plugin) => Some(Maker::Loaded(Box::new(plugin))),
        Err(error) => {
            section.complain(PLUGIN, &error.to_string());
            None
        }
    }
}

/// The front end, made from the keys that are its own.
fn made(section: &Section<'_>, maker: &Maker<'_>) -> Option<Made> {
    let mut options = serde_json::Map::new();
    for key in plugin::option_keys(&maker.manifest()) {
        if let Some(value) = section.value(&key) {
            let value = serde_json::to_value(value).expect("a value of TOML is one of JSON");
            options.insert(key, value);
        }
    }
    let faults = match maker.make(options) {
        Ok(made) => return Some(made),
        Err(faults) => faults,
    };
    for fault in faults {
        section.complain(&fault.key, &fault.why);
    }
    None
}

/// Those that have an address, from their keys or from the manifest.
fn listeners(section: &Section<'_>, listeners: &[Listener]) -> Vec<(Listener, SocketAddr)> {
    let mut listening = Vec::new();
    for listener in listeners {
        let address = match section.value(&listener.key) {
            Some(_) => section.read(&listener.key, parse::address),
            None => listener.address.as_deref().map(|address| {
                address.parse().expect("a manifest's default address is an address")
            }),
        };
        listening.extend(address.map(|address| (listener.clone(), address)));
    }
    listening
}

fn limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    let limit = |key| section.read(key, parse::limit);
    let size = |key, default| section.read(key, parse::size).unwrap_or(default);
    let at_least_one = |key| section.read(key, parse::number(1..=u32::MAX));
    let duration = |key, default| section.read(key, parse::duration).unwrap_or(default);
    let requests_per_s = limit("requests_per_s").unwrap_or(default.requests_per_s);
    let messages_per_s = limit("messages_per_s").unwrap_or(default.messages_per_s);
    let burst = |rate: u32| rate.saturating_mul(BURST_PER_RATE);
    Limits {
        connections_max: limit("connections_max").unwrap_or(default.connections_max),
        connections_per_address_max: limit("connections_per_address_max")
            .unwrap_or(default.connections_per_address_max),
        requests_per_s,
        requests_burst: at_least_one("requests_burst").unwrap_or(burst(requests_per_s)),
        messages_per_s,
        messages_burst: at_least_one("messages_burst").unwrap_or(burst(messages_per_s)),
        body_bytes_max: size("body_bytes_max", default.body_bytes_max),
        message_bytes_max: size("message_bytes_max", default.message_bytes_max),
        text_chars_max: size("text_chars_max", default.text_chars_max),
        handshake_timeout: duration("handshake_timeout", default.handshake_timeout),
        idle_timeout: duration("idle_timeout", default.idle_timeout),
        ping_interval: duration("ping_interval", default.ping_interval),
        mailbox_max: at_least_one("mailbox_max").unwrap_or(default.mailbox_max),
        mailbox_bytes_max: at_least_one("mailbox_bytes_max").unwrap_or(default.mailbox_bytes_max),
    }
}

/// A dialect without credentials is open to whoever reaches it. And keys that nobody can present
/// would guard nothing.
fn check_guard(section: &Section<'_>, dialect: &Dialect, config: &FrontendConfig) {
    let Guard { api_keys, allow } = &config.guard;
    let speaks_http = |(listener, _): &(Listener, SocketAddr)| match listener.transport {
        Transport::Http | Transport::WebSocket => true,
        Transport::Tcp | Transport::TcpLines => false,
    };
    if !api_keys.is_empty() && !config.listeners.iter().any(speaks_http) {
        section.complain("api_keys", "only HTTP carries keys; use allow to guard this front end");
    }
    if !dialect.trusted_app || !api_keys.is_empty() || !allow.is_empty() {
        return;
    }
    for (listener, _) in config.listeners.iter().filter(|(_, at)| !at.ip().is_loopback()) {
        section.complain(
            &listener.key,
            "this dialect asks nobody for credentials; say with api_keys or allow who may use it, \
             or listen on a loopback address",
        );
    }
}

fn warn_of_risk(
    reader: &Reader,
    section: &Section<'_>,
    dialect: &Dialect,
    config: &FrontendConfig,
) {
    let Some((key, why)) = dialect.risky_in_public else { return };
    let is_on = section.value(key).and_then(Value::to_bool).unwrap_or(false);
    let public = config.listeners.iter().find(|(_, address)| !is_private(address.ip()));
    if let (true, Some((_, address))) = (is_on, public) {
        let what = format!("{} is on while listening on {address}: {why}", section.shown(key));
        reader.warn(section.source_of(key), what);
    }
}

fn warn_of_undeclared_rooms(
    reader: &Reader,
    section: &Section<'_>,
    config: &FrontendConfig,
    rooms: &[NewRoom],
) {
    let declared = |name: &String| rooms.iter().any(|room| room.name.as_ref() == Some(name));
    for name in config.auto_join.iter().filter(|name| !declared(name)) {
        let key = section.shown("auto_join");
        let what = format!(
            "{key}: none of the [[rooms]] is called {name:?}; nobody joins it until somebody makes it"
        );
        reader.warn(section.source_of("auto_join"), what);
    }
}

fn check_that_something_is_on(reader: &Reader, config: &Config, dialects: &[Dialect]) {
    if config.frontends.is_empty() && reader.is_content() {
        let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name).collect();
        let what = format!(
            "no front end is on; write a section [frontends.<name>], without enabled = false, for at \
             least one of {}",
            names.join(", ")
        );
        reader.complain(ValueSource::Default, what);
    }
}

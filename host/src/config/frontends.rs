//! The sections `[frontends.<name>]`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use core_engine::{Quotas, ROOM_CAPACITY_DEFAULT};
use core_model::NewRoom;
use figment::value::Value;
use frontend_api::{Frontend, Listener, Manifest, OptionFault, Transport};

use super::api_keys::{api_keys, api_keys_file};
use super::endpoint::Endpoint;
use super::endpoints::{self, EndpointReader, Found};
use super::listens::Listen;
use super::parse;
use super::reach;
use super::section::{Reader, Section, hint};
use super::settings::{FrontendConfig, Guard, Limits, TrustedProxies, default_quotas};
use super::shapes::Shapes;
use super::tls::SharedTls;
use super::upstreams::upstreams;
use crate::dialects::Dialect;
use crate::plugin::{self, Loaded, Plugin};

/// The default burst, as a multiple of the rate per second.
const BURST_PER_RATE: u32 = 5;

/// What the reading of every front end needs.
pub(super) struct Context<'a> {
    pub(super) reader: &'a Reader,
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    pub(super) dialects: &'a [Dialect],
    pub(super) shared: &'a SharedTls<'a>,
    pub(super) trusted_proxies: &'a TrustedProxies,
    /// Whether there is an issuer of tokens.
    pub(super) has_issuer: bool,
    /// The only libraries that may be loaded, if not all may.
    pub(super) plugins: Option<&'a BTreeSet<PathBuf>>,
}

pub(super) fn frontends(
    context: &Context<'_>,
    section: &Section<'_>,
    rooms: &[NewRoom],
    listens: &mut Vec<Listen>,
) -> Vec<FrontendConfig> {
    let Context { reader, dialects, .. } = *context;
    let names: BTreeSet<String> = dialects.iter().map(|dialect| dialect.name.into()).collect();
    let listed = dialects.iter().map(|dialect| dialect.name);
    let listed = listed.filter(|name| section.keys().any(|key| key == *name));
    let others = section.keys().filter(|key| !names.contains(*key));
    let mut frontends = Vec::new();
    for name in listed.chain(others) {
        if let Err(why) = check_name(section, name, &names) {
            reader.complain(section.source_of(name), why);
            continue;
        }
        let section = section.table(name);
        if let Some(config) = frontend(context, name, &section, listens) {
            for room in &config.auto_join {
                section.name_room("auto_join", room, false);
            }
            warn_of_undeclared_rooms(reader, &section, &config, rooms);
            frontends.push(config);
        }
    }
    frontends
}

/// The key with the shared library of a front end.
const PLUGIN: &str = "plugin";

/// The key with the dialect of a front end, where its name does not say that.
const DIALECT: &str = "dialect";

/// The longest name of a front end.
const NAME_CHARS_MAX: usize = 64;

/// Folders that `dragoman schema export` writes beside those of front ends.
const RESERVED: [&str; 4] = ["admin", "auth", "engine", "webhooks"];

/// Refuses a name that says no dialect and one that is not safe in metrics, paths and file names.
fn check_name(
    section: &Section<'_>,
    name: &str,
    dialects: &BTreeSet<String>,
) -> Result<(), String> {
    let shown = section.shown(name);
    let has = |key| section.has_table_with(name, key);
    if !dialects.contains(name) && !has(PLUGIN) && !has(DIALECT) {
        let hint = hint(name, dialects);
        return Err(format!(
            "unknown front end {shown}{hint} (one of another name has {DIALECT} or {PLUGIN})"
        ));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(format!("{shown}: a name is 1 to {NAME_CHARS_MAX} letters, digits, _ and -"));
    }
    if RESERVED.contains(&name) {
        return Err(format!("{shown}: this name is reserved; choose another"));
    }
    Ok(())
}

/// The linked dialect that a section names, by its key or by its own name. `None`: it names none, or
/// a wrong one, which is reported.
fn dialect_of<'a>(
    section: &Section<'_>,
    name: &str,
    dialects: &'a [Dialect],
) -> Option<&'a Dialect> {
    let find = |wanted: &str| dialects.iter().find(|dialect| dialect.name == wanted);
    let own = find(name);
    if section.value(DIALECT).is_none() {
        return own;
    }
    if section.value(PLUGIN).is_some() {
        let why = "the plugin says which dialect it is; leave out dialect or plugin";
        section.complain_of_absent(DIALECT, why);
        return own;
    }
    let dialect = section.read(DIALECT, |value| {
        let wanted = parse::text(value)?;
        let names: BTreeSet<String> = dialects.iter().map(|one| one.name.to_owned()).collect();
        find(&wanted).ok_or_else(|| format!("there is no such dialect{}", hint(&wanted, &names)))
    })?;
    match own {
        Some(own) if own.name != dialect.name => {
            let why =
                format!("{name} is the name of another dialect; give the section another name");
            section.complain(DIALECT, &why);
            None
        }
        _ => Some(dialect),
    }
}

/// One front end, if it is enabled and its own options are valid.
fn frontend(
    context: &Context<'_>,
    name: &str,
    section: &Section<'_>,
    listens: &mut Vec<Listen>,
) -> Option<FrontendConfig> {
    let Context { reader, folder, dialects, shared, .. } = *context;
    let enabled = section.read("enabled", parse::flag).unwrap_or(true);
    let required = section.read("required", parse::flag).unwrap_or(false);
    let dialect = dialect_of(section, name, dialects);
    let limits = limits(section, dialect.is_some_and(|dialect| dialect.trusted_app));
    let guard = guard(section, folder);
    let cors_origins = section.list("cors_origins", "origins", parse::cors_origin);
    let hosts = section.list("hosts", "host names", parse::host_name);
    let room_capacity = section.read("room_capacity", parse::number(1..=u32::MAX));
    let auto_join = section.list("auto_join", "room names", parse::room_name);
    let given = endpoints::given(section, shared);
    let maker = maker(section, dialect, context, enabled)?;
    let made = made(section, &maker);
    let manifest =
        made.as_ref().map_or_else(|| maker.manifest(), |made| made.frontend.manifest().clone());
    let found = dialects.iter().find(|dialect| dialect.name == manifest.dialect);
    let protocol = found.and_then(|dialect| dialect.alpn);
    let has_public_url = given.public_url.is_some();
    let endpoints = EndpointReader { reader, section, folder, given, shared, protocol };
    let found: Vec<_> = manifest.listeners.iter().flat_map(|one| endpoints.of(one)).collect();
    endpoints::check_socket_keys(section, found.iter().map(|one| &one.endpoint.address));
    check_public_url(section, has_public_url, &found);
    let upstreams =
        if enabled { upstreams(reader, section, &manifest, folder) } else { Vec::new() };
    section.finish();

    let Made { frontend, options, plugin } = made.filter(|_| enabled)?;
    let config = FrontendConfig {
        name: name.to_owned(),
        required,
        frontend,
        options,
        plugin,
        listeners: found.iter().map(|one| (one.listener.clone(), one.endpoint.clone())).collect(),
        upstreams,
        limits,
        guard,
        cors_origins,
        hosts,
        room_capacity: room_capacity.unwrap_or(ROOM_CAPACITY_DEFAULT),
        auto_join,
    };
    if let Some(dialect) = dialects.iter().find(|dialect| dialect.name == manifest.dialect) {
        check_guard(section, dialect, &config);
        warn_of_risk(reader, section, dialect);
        warn_of_unsent_cookies(reader, section, dialect, &config);
        reach::warn_of_tls_port(reader, section, dialect, &config);
    }
    reach::check_proxies(section, &found, context.trusted_proxies);
    reach::check_subjects(section, &config, context.has_issuer);
    maker.warn_if_newer(reader, section, name);
    listens.extend(found.into_iter().map(|one| one.listen));
    Some(config)
}

fn check_public_url(section: &Section<'_>, is_given: bool, found: &[Found]) {
    if is_given && !found.iter().any(|one| one.endpoint.public_url.is_some()) {
        let why = "none of its listeners is reached by a URL of this kind: those of HTTP have http or \
                   https, WebSockets ws or wss, others tcp or tls";
        section.complain("public_url", why);
    }
}

fn guard(section: &Section<'_>, folder: &Path) -> Guard {
    Guard {
        api_keys: api_keys(section),
        api_keys_file: api_keys_file(section, folder),
        jwt_subjects: section.list("jwt_subjects", "subjects", parse::text),
        allow: section.list("allow", "networks", parse::network),
    }
}

/// What constructs a front end.
enum Maker<'a> {
    Linked(&'a Dialect),
    Loaded(Box<Plugin>),
}

/// A front end, its own options, and its plugin if it was loaded.
struct Made {
    frontend: Arc<dyn Frontend>,
    options: serde_json::Value,
    plugin: Option<Loaded>,
}

impl Maker<'_> {
    fn warn_if_newer(&self, reader: &Reader, section: &Section<'_>, name: &str) {
        if let Self::Loaded(plugin) = self
            && plugin.is_newer()
        {
            let what = format!("the plugin of {name} is {}", plugin::IS_NEWER);
            reader.warn(section.source_of(PLUGIN), what);
        }
    }

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

/// `None` if the plugin cannot be loaded or is not enabled; its own keys are then unknown. Loading a
/// library runs its code, so a disabled one is not loaded.
fn maker<'a>(
    section: &Section<'_>,
    dialect: Option<&'a Dialect>,
    context: &Context<'_>,
    enabled: bool,
) -> Option<Maker<'a>> {
    let is_linked = section.value(PLUGIN).is_none();
    let common = section.known();
    if is_linked {
        return dialect.map(Maker::Linked);
    }
    let path = section.path(PLUGIN)?;
    if !enabled {
        return None;
    }
    let path = context.folder.join(path);
    if context.plugins.is_some_and(|loaded| !loaded.contains(&path)) {
        section.complain(
            PLUGIN,
            "the gateway has not loaded this library, and does not for a text that is only checked; \
             put the text into a file, and use `dragoman check` or `dragoman config plan`",
        );
        return None;
    }
    match Plugin::open(&path, common) {
        Ok(plugin) => Some(Maker::Loaded(Box::new(plugin))),
        Err(error) => {
            section.complain(PLUGIN, &error.to_string());
            None
        }
    }
}

/// Makes the front end from its own keys.
fn made(section: &Section<'_>, maker: &Maker<'_>) -> Option<Made> {
    let mut options = serde_json::Map::new();
    let manifest = maker.manifest();
    for key in plugin::option_keys(&manifest) {
        if let Some(value) = section.value_for(&key, Shapes::of(&manifest.options, &key)) {
            let value = serde_json::to_value(value).expect("every TOML value has a JSON form");
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

fn limits(section: &Section<'_>, trusted_app: bool) -> Limits {
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
        bytes_per_s: limit("bytes_per_s").unwrap_or(default.bytes_per_s),
        body_bytes_max: size("body_bytes_max", default.body_bytes_max),
        message_bytes_max: size("message_bytes_max", default.message_bytes_max),
        text_chars_max: size("text_chars_max", default.text_chars_max),
        handshake_timeout: duration("handshake_timeout", default.handshake_timeout),
        idle_timeout: duration("idle_timeout", default.idle_timeout),
        ping_interval: duration("ping_interval", default.ping_interval),
        mailbox_max: at_least_one("mailbox_max").unwrap_or(default.mailbox_max),
        mailbox_bytes_max: at_least_one("mailbox_bytes_max").unwrap_or(default.mailbox_bytes_max),
        quotas: quotas(section, trusted_app),
    }
}

fn quotas(section: &Section<'_>, trusted_app: bool) -> Quotas {
    let default = default_quotas(trusted_app);
    let quota = |key, default| section.read(key, parse::limit).unwrap_or(default);
    macro_rules! quotas {
        ($($key:ident),* $(,)?) => {
            Quotas { $($key: quota(stringify!($key), default.$key),)* }
        };
    }
    quotas! {
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
    }
}

/// A dialect without credentials is open to every client that reaches it, so it needs a guard unless
/// it listens on loopback. API keys guard nothing if no listener speaks HTTP.
fn check_guard(section: &Section<'_>, dialect: &Dialect, config: &FrontendConfig) {
    let guard = &config.guard;
    let speaks_http = |(listener, _): &(Listener, Endpoint)| match listener.transport {
        Transport::Http | Transport::WebSocket => true,
        Transport::Tcp | Transport::TcpLines => false,
    };
    if guard.has_keys() && !config.listeners.iter().any(speaks_http) {
        let key = if guard.api_keys_file.is_some() { "api_keys_file" } else { "api_keys" };
        section.complain(key, "only HTTP requests carry API keys; guard this front end with allow");
    }
    // A file that cannot be read is reported already.
    let wants_keys = guard.has_keys() || section.value("api_keys_file").is_some();
    if !dialect.trusted_app || wants_keys || !guard.allow.is_empty() {
        return;
    }
    for (listener, _) in config.listeners.iter().filter(|(_, at)| !at.is_guarded()) {
        section.complain(
            &listener.key,
            "this dialect has no credentials; restrict its clients with api_keys, allow or a tls \
             with client_ca, or listen on a loopback address",
        );
    }
}

fn warn_of_risk(reader: &Reader, section: &Section<'_>, dialect: &Dialect) {
    let Some((key, why)) = dialect.risky else { return };
    if section.value(key).and_then(Value::to_bool) == Some(true) {
        reader.warn(section.source_of(key), format!("{} is on: {why}", section.shown(key)));
    }
}

/// Browsers send a cookie to pages of other sites only if it says so.
fn warn_of_unsent_cookies(
    reader: &Reader,
    section: &Section<'_>,
    dialect: &Dialect,
    config: &FrontendConfig,
) {
    let Some(key) = dialect.cookie_key else { return };
    if !config.cors_origins.is_empty() && section.value(key).is_none() {
        let what = format!(
            "{}: pages of another site stay signed out, since browsers do not send them the cookie \
             of a login; set {key} to \"none\" (https only), or to \"lax\" if they are of the same site",
            section.shown("cors_origins")
        );
        reader.warn(section.source_of("cors_origins"), what);
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
            "{key}: no entry of [[rooms]] is called {name:?}; users join it only once a client has created it"
        );
        reader.warn(section.source_of("auto_join"), what);
    }
}

//! From the merged layers to a [`Config`]: one function a section.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use core_model::NewRoom;
use figment::value::Value;
use frontend_api::Transport;

use super::auth::auth;
use super::cluster::cluster;
use super::endpoint::{EndpointOptions, ListenAddress};
use super::endpoints::{Place, passed_sockets};
use super::frontends::{Context, frontends};
use super::layers::{Layers, Pasted, Sources};
use super::listens::{Listen, collisions};
use super::parse;
use super::problem::{Problem, Problems, ValueSource};
use super::section::{Findings, NamedRoom, Reader, Section};
use super::settings::{
    AdminConfig, BackupConfig, Config, LogConfig, LogFormat, ServerConfig, StoreConfig,
    TrustedProxies, UnreadLimits,
};
use super::tls::SharedTls;
use super::webhooks::webhooks;
use crate::dialects::Dialect;
use crate::passed::{self, PassedSocket};

/// Two backups begin at least so far apart.
const BACKUP_PERIOD_MIN: Duration = Duration::from_secs(60);

/// A larger number is taken for a typing mistake.
const BACKUPS_MAX: u32 = 10_000;

/// A larger number of threads is taken for a typing mistake.
const THREADS_MAX: u32 = 1024;

/// A configuration as far as it could be read: invalid values count as absent.
pub struct Draft {
    pub config: Config,
    /// Every listener, with the source of its address.
    pub listens: Vec<Listen>,
    /// Every room that the configuration names.
    pub named_rooms: Vec<NamedRoom>,
    /// The source of the store's path.
    pub store_source: ValueSource,
    /// Errors, which keep the gateway from starting.
    pub problems: Problems,
    /// Warnings, which do not.
    pub warnings: Problems,
    /// Every key known for the configured front ends, dotted.
    pub keys: BTreeSet<String>,
    pub(super) layers: Layers,
}

/// Reads a configuration and collects all its problems. Fails if the file cannot be read or is not
/// TOML.
pub fn draft(sources: &Sources, dialects: &[Dialect]) -> Result<Draft, Problems> {
    draft_of(sources, None, dialects)
}

/// The same, with another text in the place of the file's if there is one.
pub fn draft_of(
    sources: &Sources,
    pasted: Option<&Pasted>,
    dialects: &[Dialect],
) -> Result<Draft, Problems> {
    let reader = Reader::new(Layers::read(sources, pasted)?);
    let root = reader.layers().root();
    let section = Section::root(&reader, &root);
    let folder = sources.file.parent().unwrap_or(Path::new(""));
    let store_section = section.table("store");
    let rooms = rooms(&section);
    let frontends_section = section.table("frontends");
    let shared = SharedTls::read(&reader, &section, folder);
    let gateway = server(&section.table("server"));
    let context = Context {
        reader: &reader,
        folder,
        dialects,
        shared: &shared,
        trusted_proxies: &gateway.trusted_proxies,
        has_issuer: section.has_table_with("auth", "jwt"),
        plugins: pasted.map(|pasted| &pasted.plugins),
    };
    let mut listens = Vec::new();
    let store = store(&store_section, folder);
    let admin = admin(&reader, &section.table("admin"), &shared, &mut listens);
    let auth = auth(&reader, &section.table("auth"), folder);
    let frontends = frontends(&context, &frontends_section, &rooms, &mut listens);
    let config = Config {
        server: gateway,
        store,
        cluster: cluster(&section.table("cluster"), folder),
        admin,
        auth,
        frontends,
        rooms,
        webhooks: webhooks(&reader, &section, folder),
    };
    section.finish();
    let store_source = store_section.source_or_default("path");
    check_that_something_is_on(&reader, &config, dialects);
    for Problem { source, what } in collisions(&listens) {
        reader.complain(source, what);
    }
    warn_of_unused_sockets(&reader, &listens);
    let Findings { problems, warnings, keys, named_rooms, layers } = reader.finish();
    Ok(Draft { config, listens, named_rooms, store_source, problems, warnings, keys, layers })
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
        trusted_proxies: trusted_proxies(section),
        well_known: section.read("well_known", parse::flag).unwrap_or(true),
        on_store_failure: section
            .read("on_store_failure", parse::on_store_failure)
            .unwrap_or_default(),
        unread: unread(section),
    };
    section.finish();
    config
}

fn unread(section: &Section<'_>) -> UnreadLimits {
    let UnreadLimits { total, per_address } = UnreadLimits::default();
    UnreadLimits {
        total: section.read("unread_bytes_max", parse::limit).unwrap_or(total),
        per_address: section
            .read("unread_bytes_per_address_max", parse::limit)
            .unwrap_or(per_address),
    }
}

/// Networks, and `unix:` for the peers on unix sockets.
fn trusted_proxies(section: &Section<'_>) -> TrustedProxies {
    let proxy = |value: &Value| match value.as_str() {
        Some("unix:") => Ok(None),
        _ => parse::network(value).map(Some),
    };
    let proxies = section.list("trusted_proxies", "networks", proxy);
    let unix = proxies.contains(&None);
    TrustedProxies { networks: proxies.into_iter().flatten().collect(), unix }
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

/// A relative path starts at the folder of gateway.toml, not at the working directory.
fn store(section: &Section<'_>, folder: &Path) -> StoreConfig {
    let path = section.path("path");
    let config = StoreConfig {
        path: folder.join(path.unwrap_or_else(|| "data/dragoman.redb".into())),
        cache_bytes: section.read("cache_bytes", parse::bytes).unwrap_or(256 << 20),
        queue_max: section
            .read("queue_max", parse::number(1..=u32::MAX))
            .map_or(16_384, |max| max as usize),
        keep_days: section.read("keep_days", parse::limit).unwrap_or(0),
        keep_messages_per_room: section.read("keep_messages_per_room", parse::limit).unwrap_or(0),
        free_space_min: section
            .read("free_space_min", parse::bytes)
            .map_or(StoreConfig::FREE_SPACE_MIN, |bytes| bytes as u64),
        search: section.read("search", parse::flag).unwrap_or(true),
        backup: None,
    };
    let backup = backup(&section.table("backup"), folder, &config.path);
    section.finish();
    StoreConfig { backup, ..config }
}

fn backup(section: &Section<'_>, folder: &Path, store: &Path) -> Option<BackupConfig> {
    let beside = || store.with_file_name("backups");
    let config = BackupConfig {
        folder: section.path("folder").map_or_else(beside, |path| folder.join(path)),
        every: section.read("every", backup_period).unwrap_or_default(),
        keep: section.read("keep", parse::number(1..=BACKUPS_MAX)).unwrap_or(7),
    };
    section.finish();
    Some(config).filter(|config| !config.every.is_zero())
}

/// A backup reads the whole store, so one follows another after a minute at least.
fn backup_period(value: &Value) -> Result<Duration, String> {
    let period = parse::duration(value)?;
    if !period.is_zero() && period < BACKUP_PERIOD_MIN {
        return Err("expected at least \"1m\", or 0 for no backups".into());
    }
    Ok(period)
}

fn admin(
    reader: &Reader,
    section: &Section<'_>,
    shared: &SharedTls<'_>,
    listens: &mut Vec<Listen>,
) -> AdminConfig {
    let mut address = |key: &str| {
        let place = (section.shown(key), section.source_or_default(key));
        let address = section.read(key, |value| admin_address(value, reader, &place)).flatten()?;
        listens.push(Listen {
            key: section.shown(key),
            transport: Transport::Http,
            routes: None,
            address: address.clone(),
            options: EndpointOptions::default(),
            source: section.source_or_default(key),
        });
        Some(address)
    };
    let (listen, tls_listen) = (address("listen"), address("tls_listen"));
    let tls = shared.choice(section);
    if tls_listen.is_some() && (section.value("tls").is_none() || tls == Some(None)) {
        let what = "missing; name a table [tls.<name>], or give cert and key of tls_listen";
        section.complain_of_absent("tls", what);
    } else if tls_listen.is_none() && matches!(tls, Some(Some(_))) {
        section.complain("tls", "is for tls_listen, which is not set; set it, or remove tls");
    }
    let tls_listen = tls_listen.zip(tls.flatten());
    let api_page = section.read("api_page", parse::flag).unwrap_or(true);
    let console = section.read("console", parse::flag).unwrap_or(true);
    let trace = section.read("trace", traced).unwrap_or(0);
    let playground = section.read("playground", parse::flag).unwrap_or(false);
    let hosts = section.list("hosts", "host names", parse::host_name);
    let is_loopback = |address: &ListenAddress| {
        address.ip().is_some_and(|it| it.ip().to_canonical().is_loopback())
    };
    if playground && listen.as_ref().is_some_and(|address| !is_loopback(address)) {
        let what = "is served over a loopback address only; set listen = \"127.0.0.1:5090\", or \
                    remove playground";
        section.complain("playground", what);
    }
    section.finish();
    AdminConfig { listen, tls_listen, api_page, console, trace, playground, hosts }
}

/// The most messages whose way may be kept: their frames take some megabytes.
const TRACED_MAX: u32 = 10_000;

fn traced(value: &Value) -> Result<usize, String> {
    match parse::limit(value)? {
        traced if traced <= TRACED_MAX => Ok(traced as usize),
        traced => Err(format!("expected a number of messages up to {TRACED_MAX}, not {traced}")),
    }
}

/// An address, or `systemd:<name>`: one socket of TCP, since requests are only answered to peers
/// with an address. `None`: passed sockets are not known here.
fn admin_address(
    value: &Value,
    reader: &Reader,
    place: &Place,
) -> Result<Option<ListenAddress>, String> {
    let sockets = value.as_str().and_then(|text| passed_sockets(text, reader, place));
    let Some(sockets) = sockets else {
        return parse::address(value).map(|address| Some(address.into()));
    };
    let sockets = sockets?;
    match &sockets[..] {
        [] => Ok(None),
        [socket] if socket.ip().is_some() => Ok(Some(ListenAddress::Passed(socket.clone()))),
        [socket] => Err(format!(
            "{socket:#} was passed under this name, and the admin listener takes TCP only: give \
             the socket unit a port, ListenStream=127.0.0.1:5090"
        )),
        sockets => Err(format!(
            "{} sockets were passed under this name, and the admin listener takes one; give them \
             names of their own (FileDescriptorName=)",
            sockets.len()
        )),
    }
}

/// Clients that connect to a socket which nothing accepts from wait for ever.
fn warn_of_unused_sockets(reader: &Reader, listens: &[Listen]) {
    let Some(received) = passed::received() else { return };
    let is_used = |socket: &PassedSocket| {
        let mut addresses = listens.iter().map(|listen| &listen.address);
        addresses.any(|one| matches!(one, ListenAddress::Passed(used) if **used == *socket))
    };
    for warning in received.unused(is_used) {
        reader.warn(ValueSource::Default, warning);
    }
}

fn rooms(root: &Section<'_>) -> Vec<NewRoom> {
    let mut rooms: Vec<NewRoom> = Vec::new();
    for section in root.tables("rooms") {
        let Some(room) = room(&section) else { continue };
        if rooms.iter().any(|other| other.name == room.name) {
            section.complain("name", "another of the [[rooms]] has this name");
        } else {
            section.name_room("name", room.name.as_deref().unwrap_or_default(), true);
            rooms.push(room);
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
        section.complain_of_absent("name", "missing; every entry of [[rooms]] needs a name");
    }
    section.finish();
    name.map(|_| room)
}

fn check_that_something_is_on(reader: &Reader, config: &Config, dialects: &[Dialect]) {
    if config.frontends.is_empty() && reader.has_no_problems() {
        let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name).collect();
        let what = format!(
            "no front end is on; add a section [frontends.<name>], without enabled = false, for at \
             least one of {}",
            names.join(", ")
        );
        reader.complain(ValueSource::Default, what);
    }
}

#[cfg(all(test, not(feature = "acme")))]
mod acme_tests {
    use crate::config::{Sources, draft};
    use crate::dialects::DIALECTS;

    #[test]
    fn a_build_without_acme_refuses_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let acme = "[tls.main.acme]\ndomains = [\"chat.example.org\"]\naccept_terms = true\n";
        std::fs::write(&file, format!("{acme}[frontends.channel]\ntls = \"main\"\n")).unwrap();
        let sources = Sources { file, environment: Vec::new(), set: Vec::new() };
        let problems = draft(&sources, DIALECTS).map(|draft| draft.problems).unwrap();
        let said = problems.to_string();
        assert!(
            said.contains(&format!("tls.main.acme: {}", crate::config::acme::NOT_BUILT)),
            "{said}"
        );
    }
}

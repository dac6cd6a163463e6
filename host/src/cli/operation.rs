//! An operator's command on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use core_engine::{
    Done, Engine, Envelope, FrontendSettings, OpenError, ROOM_CAPACITY_DEFAULT, STORE_FORMAT,
    SteadyWriter, Summary, create_whole,
};
use core_model::{Command, ConnectionId, Outcome, Refusal, Timestamp};
use hyper::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::Client;
use super::files;
use crate::admin::audit::{AuditLog, shown};
use crate::admin::types::{AuditEntry, Nothing};
use crate::admin::{BackUpStore, Endpoint, ExportStore, OnStore, Store, carry_out, status_of};
use crate::config::Config;
use crate::store_preview::{StorePreview, check_filled, quietly};
use crate::users::{Failure, rfc3339};

/// What carries out a verb.
pub(super) enum Backend {
    /// The store of this configuration, or the gateway of this machine that has it open.
    Here(Box<Config>),
    /// The gateway that `--admin-url` names.
    Elsewhere(Box<Client>),
}

/// The store.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(config) => config.store.path.display().fmt(f),
            Self::Elsewhere(client) => write!(f, "the store of {client}"),
        }
    }
}

/// Escapes what a terminal does not show as a character: users choose their names and texts, which
/// must not move the cursor, begin another line, or turn the rest of the line round.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    let mut before = ' ';
    for char in text.chars() {
        // What joins the parts of an emoji, or of a word in Persian, joins nothing in ASCII.
        let joins = matches!(char, '\u{200c}' | '\u{200d}') && !before.is_ascii();
        match joins || is_drawn(char) {
            true => printable.push(char),
            false => printable.extend(char.escape_default()),
        }
        before = char;
    }
    printable
}

/// Neither a control character, nor one that only says how others are drawn, nor the end of a line.
fn is_drawn(char: char) -> bool {
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
    let is_blank = matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    let category = char.general_category();
    !is_blank
        && !matches!(
            category,
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

/// Carries an operation out on the store or, if a gateway has it open, through that gateway.
pub(super) fn call<E: OnStore>(
    backend: &Backend,
    path: &[&str],
    query: E::Query,
    body: E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    let Backend::Here(config) = backend else {
        return call_gateway::<E>(backend, path, &query, &body);
    };
    let store = &config.store.path;
    check_filled(store, "yet; the gateway creates it at its first start")?;
    match OfflineStore::open(config) {
        Ok(open) => caught(config, || on_the_store::<E>(config, open, path, query, body)),
        Err(OpenError::FollowsLog { .. }) if !E::ROW.is_audited() => caught(config, || {
            let open = OfflineStore::open_to_look(config)?;
            on_the_store::<E>(config, open, path, query, body)
        }),
        Err(OpenError::Locked { .. }) => {
            let what = format!("another process has the store {} open, and ", store.display());
            let stop = "; or stop the gateway first";
            through_the_gateway::<E>(config, (&what, stop), path, &query, &body)
        }
        Err(error) => Err(error.into()),
    }
}

/// Has the running gateway carry an operation out that needs one.
pub(super) fn call_gateway<E: Endpoint>(
    backend: &Backend,
    path: &[&str],
    query: &E::Query,
    body: &E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    match backend {
        Backend::Here(config) => through_the_gateway::<E>(config, ("", ""), path, query, body),
        Backend::Elsewhere(client) => {
            let called = client.call::<E>(path, query, body)?;
            called.map_err(|error| client.silent(&error).into())
        }
    }
}

/// Writes a backup of the store to a new file, through the gateway if one has the store open.
pub(super) fn back_up(backend: &Backend, file: &Path) -> Result<Summary, Box<dyn Error>> {
    let to_file = |error: Box<dyn Error>| files::cannot_write(file, &*error);
    let config = match backend {
        Backend::Here(config) => config,
        Backend::Elsewhere(client) => {
            return Ok(create_whole(file, |copy| download(client, copy)).map_err(to_file)?);
        }
    };
    let store = &config.store.path;
    check_filled(store, "to back up; the gateway creates it at its first start")?;
    match core_engine::store_format(store, config.store.cache_bytes) {
        Ok(format) if format < STORE_FORMAT => {
            let why = "this version writes";
            return Err(format!(
                "the store {} has format {format}, and {why} {STORE_FORMAT}: back it up with the \
                 version that wrote it, or copy the file while no gateway runs",
                store.display()
            )
            .into());
        }
        _ => (),
    }
    match OfflineStore::open(config) {
        Ok(open) => caught(config, || {
            Ok(open.engine.backup_to(file, |_| Ok(())).map_err(|why| to_file(why.into()))?)
        }),
        Err(OpenError::FollowsLog { .. }) => {
            let made = quietly(|| core_engine::back_up(store, config.store.cache_bytes, file));
            Ok(made.map_err(|why| to_file(why.into()))?)
        }
        Err(OpenError::Locked { .. }) => {
            let client = Client::of_configuration(config).map_err(|why| {
                format!("another process has the store {} open, and {why}", store.display())
            })?;
            Ok(create_whole(file, |copy| download(&client, copy)).map_err(to_file)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Has the gateway send a backup, writes it to a file and reads it back.
fn download(client: &Client, mut file: File) -> Result<Summary, Box<dyn Error>> {
    let mut writer = SteadyWriter::new(&file);
    receive::<BackUpStore>(client, |piece| writer.write_all(piece))?;
    file.rewind()?;
    Ok(core_engine::inspect(BufReader::with_capacity(1 << 20, file))?)
}

/// Gives the lines of an export to `write`, from the gateway if one has the store open.
pub(super) fn export(
    backend: &Backend,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let config = match backend {
        Backend::Here(config) => config,
        Backend::Elsewhere(client) => return receive::<ExportStore>(client, write),
    };
    let store = &config.store.path;
    check_filled(store, "to export; the gateway creates it at its first start")?;
    match OfflineStore::open(config) {
        Ok(open) => caught(config, || {
            let done = open.engine.export(|piece| write(&piece));
            let problem = done.as_ref().err().map(ToString::to_string);
            audit(config, ExportStore::ROW.name, json!({}), problem)?;
            done?;
            Ok(())
        }),
        Err(OpenError::Locked { .. }) => {
            let client = Client::of_configuration(config).map_err(|why| {
                format!("another process has the store {} open, and {why}", store.display())
            })?;
            receive::<ExportStore>(&client, write)
        }
        Err(error) => Err(error.into()),
    }
}

/// Has the gateway answer with a stream, and gives its pieces to `write`.
fn receive<E: Endpoint<Query = Nothing, Body = Nothing>>(
    client: &Client,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let request = client.request::<E>(&[], &Nothing {}, &Nothing {})?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut response = client.begin(request).await?;
        if response.status() != StatusCode::OK {
            return Err(client.problem(response).await?.detail.into());
        }
        while let Some(bytes) = Client::next_bytes(&mut response).await? {
            write(&bytes)?;
        }
        Ok(())
    })
}

/// A store that no gateway has open.
struct OfflineStore {
    engine: Engine<()>,
    outcomes: mpsc::Receiver<Outcome>,
}

impl OfflineStore {
    fn open(config: &Config) -> Result<Self, OpenError> {
        let (sender, outcomes) = mpsc::channel();
        let publish = move |batch: Vec<Done<()>>| {
            for done in batch {
                // The receiver is dropped only after it has its answer.
                drop(sender.send(done.outcome));
            }
        };
        let options = core_engine::Options {
            queue_max: config.store.queue_max,
            cache_bytes: config.store.cache_bytes,
        };
        Ok(Self { engine: Engine::open(&config.store.path, options, publish)?, outcomes })
    }

    /// A store that follows a log, for queries: whatever opening it writes goes to memory, so that it
    /// stays what the log has made of it.
    fn open_to_look(config: &Config) -> Result<Self, Box<dyn Error>> {
        let path = &config.store.path;
        let opened = StorePreview::open(path)
            .map_err(|why| format!("the store {} {why}", path.display()))?;
        let Some(preview) = opened else {
            let why =
                "needs a migration that is too large to look into it; start the gateway first";
            return Err(format!("the store {} {why}", path.display()).into());
        };
        let (_, outcomes) = mpsc::channel();
        Ok(Self { engine: preview.into_engine(), outcomes })
    }
}

impl Store for OfflineStore {
    type Ticket = ();

    fn engine(&self) -> &Engine<()> {
        &self.engine
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn is_running(&self) -> bool {
        false
    }

    fn submit(&self, command: Command) -> Outcome {
        let frontend = Arc::new(FrontendSettings {
            room_capacity: ROOM_CAPACITY_DEFAULT,
            ..FrontendSettings::default()
        });
        let (at, connection) = (self.now(), ConnectionId(0));
        let envelope =
            Envelope { at, steady_ms: 0, connection, address: None, frontend, key: None, command };
        self.engine.submit(envelope, ()).map_err(|((), refusal)| refusal)?;
        let lost = |_| Refusal::Internal { why: "the engine stopped before it answered".into() };
        self.outcomes.recv().map_err(lost)?
    }
}

/// Works on an open store. redb panics on some damaged files, also long after it has opened one.
fn caught<R>(
    config: &Config,
    work: impl FnOnce() -> Result<R, Box<dyn Error>>,
) -> Result<R, Box<dyn Error>> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        let why = said.unwrap_or("it cannot be read").lines().next().unwrap_or_default().to_owned();
        Err(OpenError::Damaged { path: config.store.path.clone(), why }.into())
    })
}

fn on_the_store<E: OnStore>(
    config: &Config,
    store: OfflineStore,
    path: &[&str],
    query: E::Query,
    body: E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    let value = |part: Result<serde_json::Value, _>| part.unwrap_or_default();
    let with = shown(value(serde_json::to_value(&query)), value(serde_json::to_value(&body)));
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    let done = carry_out::<E, _>(&store, &path, query, body);
    if E::ROW.is_audited() {
        let failure = done.as_ref().err();
        let status = failure.map_or(200, |failure| status_of(failure).0);
        let outcome = (status, failure.map(Failure::to_string));
        append(config, E::ROW.name, path, with, outcome)?;
    }
    done.map_err(|failure| in_words(config, &failure))
}

/// A failure of an operation on the store of this configuration.
fn in_words(config: &Config, failure: &Failure) -> Box<dyn Error> {
    if !matches!(failure, Failure::Store(_)) {
        return failure.to_string().into();
    }
    let store = config.store.path.display();
    let cure = "look for damage with `dragoman store check`, and restore a backup if there is any";
    format!("{store}: {failure}; {cure}").into()
}

/// Notes a change of the store that the command line has made by itself.
pub(super) fn audit(
    config: &Config,
    operation: &str,
    with: serde_json::Value,
    problem: Option<String>,
) -> Result<(), Box<dyn Error>> {
    let status = if problem.is_some() { 409 } else { 200 };
    append(config, operation, Vec::new(), with, (status, problem))
}

fn append(
    config: &Config,
    operation: &str,
    path: Vec<String>,
    with: serde_json::Value,
    (status, problem): (u16, Option<String>),
) -> Result<(), Box<dyn Error>> {
    let entry = AuditEntry {
        id: 0,
        at: rfc3339(now()),
        who: format!("local uid {}", rustix::process::getuid().as_raw()),
        from: "command line".into(),
        operation: operation.to_owned(),
        path,
        with,
        status,
        problem,
    };
    let log = AuditLog::beside(&config.store.path);
    let written = log.append(entry);
    Ok(written.map_err(|error| format!("cannot write to {}: {error}", log.path().display()))?)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// `around`: what to say before and after why the gateway cannot be reached.
fn through_the_gateway<E: Endpoint>(
    config: &Config,
    around: (&str, &str),
    path: &[&str],
    query: &E::Query,
    body: &E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    let (before, after) = around;
    let client = Client::of_configuration(config).map_err(|why| format!("{before}{why}{after}"))?;
    let called = client.call::<E>(path, query, body)?;
    called.map_err(|error| {
        let or_stop =
            if before.is_empty() { "" } else { ", or stop the process that has the store open" };
        format!("{before}{}{or_stop}", client.silent(&error)).into()
    })
}

/// Asks the running gateway for a path of its admin listener.
pub(super) fn get<T: DeserializeOwned>(backend: &Backend, path: &str) -> Result<T, Box<dyn Error>> {
    match backend {
        Backend::Here(config) => Client::of_configuration(config)?.get_json(path),
        Backend::Elsewhere(client) => client.get_json(path),
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_is_not_drawn_is_escaped() {
        for (text, shown) in [
            ("a\n\u{1b}[2J", "a\\n\\u{1b}[2J"),
            ("\u{202e}nna", "\\u{202e}nna"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{200d}b", "a\\u{200d}b"),
            ("\u{2028}\u{2066}\u{3164}", "\\u{2028}\\u{2066}\\u{3164}"),
            ("茶 é 👩\u{200d}💻", "茶 é 👩\u{200d}💻"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}

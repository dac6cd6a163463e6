//! An operator's command on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Seek as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use core_engine::{
    Done, Engine, Envelope, FrontendSettings, OpenError, ROOM_CAPACITY_DEFAULT, STORE_FORMAT,
    Summary, create_whole,
};
use core_model::{Command, ConnectionId, Outcome, Refusal, Timestamp};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::admin::audit::{AuditLog, shown};
use crate::admin::types::{AuditEntry, Nothing};
use crate::admin::{
    ADMIN_HEADER, BackUpStore, Endpoint, OnStore, Problem, STORE_HEADER, Store, path_of, status_of,
};
use crate::config::{AdminConfig, Config, ListenAddress};
use crate::users::{Failure, rfc3339, store_mark};

/// How long a gateway may take to answer. Removing all messages of a user may take that long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer that is read: a page of messages has 4 MiB of text at most.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// The fields of an object as the query of a URL.
fn form(fields: &serde_json::Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::String(text) => form.append_pair(name, text),
            other => form.append_pair(name, &other.to_string()),
        };
    }
    form.finish()
}

/// Escapes control characters: users choose their names, and a name must not move the cursor or
/// begin another line.
pub(super) fn printable(text: &str) -> String {
    let escaped = |char: char| {
        if char.is_control() { char.escape_default().to_string() } else { char.to_string() }
    };
    text.chars().map(escaped).collect()
}

/// Carries an operation out on the store or, if a gateway has it open, through that gateway.
pub(super) fn call<E: OnStore>(
    config: &Config,
    path: &[&str],
    query: E::Query,
    body: E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    let store = &config.store.path;
    if !store.exists() {
        let why = "the gateway creates it at its first start";
        return Err(format!("there is no store {} yet; {why}", store.display()).into());
    }
    match OfflineStore::open(config) {
        Ok(open) => on_the_store::<E>(config, &open, path, query, body),
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
    config: &Config,
    path: &[&str],
    query: &E::Query,
    body: &E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    through_the_gateway::<E>(config, ("", ""), path, query, body)
}

/// Writes a backup of the store to a new file, through the gateway if one has the store open.
pub(super) fn back_up(config: &Config, file: &Path) -> Result<Summary, Box<dyn Error>> {
    let store = &config.store.path;
    if !store.exists() {
        return Err(format!("there is no store {} to back up", store.display()).into());
    }
    let to_file = |error: Box<dyn Error>| format!("cannot write {}: {error}", file.display());
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
        Ok(open) => {
            Ok(open.engine.backup_to(file, |_| Ok(())).map_err(|why| to_file(why.into()))?)
        }
        Err(OpenError::Locked { .. }) => {
            let address = admin_address(&config.admin).map_err(|why| {
                format!("another process has the store {} open, and {why}", store.display())
            })?;
            Ok(create_whole(file, |copy| download(config, address, copy)).map_err(to_file)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Has the gateway send a backup, writes it to a file and reads it back.
fn download(
    config: &Config,
    address: SocketAddr,
    mut file: File,
) -> Result<Summary, Box<dyn Error>> {
    let request = request::<BackUpStore>(config, address, &[], &Nothing {}, &Nothing {})?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut response = timeout(ANSWER_TIMEOUT, respond(address, request)).await??;
        if response.status() != StatusCode::OK {
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| error.to_string())?;
            return Err(read::<Problem>(address, &body.to_bytes())?.detail.into());
        }
        while let Some(frame) = timeout(ANSWER_TIMEOUT, response.frame()).await? {
            if let Ok(bytes) = frame?.into_data() {
                file.write_all(&bytes)?;
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    file.rewind()?;
    Ok(core_engine::inspect(BufReader::with_capacity(1 << 20, file))?)
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
}

impl Store for OfflineStore {
    type Ticket = ();

    fn engine(&self) -> &Engine<()> {
        &self.engine
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
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

fn on_the_store<E: OnStore>(
    config: &Config,
    store: &OfflineStore,
    path: &[&str],
    query: E::Query,
    body: E::Body,
) -> Result<E::Reply, Box<dyn Error>> {
    let value = |part: Result<serde_json::Value, _>| part.unwrap_or_default();
    let with = shown(value(serde_json::to_value(&query)), value(serde_json::to_value(&body)));
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    let done = E::run(store, &path, query, body);
    if E::ROW.is_change() {
        let failure = done.as_ref().err();
        let entry = AuditEntry {
            id: 0,
            at: rfc3339(store.now()),
            who: format!("local uid {}", rustix::process::getuid().as_raw()),
            from: "command line".into(),
            operation: E::ROW.name.to_owned(),
            path,
            with,
            status: failure.map_or(200, |failure| status_of(failure).0),
            problem: failure.map(Failure::to_string),
        };
        let log = AuditLog::beside(&config.store.path);
        let written = log.append(entry);
        written.map_err(|error| format!("cannot write to {}: {error}", log.path().display()))?;
    }
    Ok(done?)
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
    let address = admin_address(&config.admin).map_err(|why| format!("{before}{why}{after}"))?;
    let request = request::<E>(config, address, path, query, body)?;
    let (status, body) = ask(send(address, request)).map_err(|error| {
        let or_stop =
            if before.is_empty() { "" } else { ", or stop the process that has the store open" };
        format!(
            "{before}no gateway answers at {address} ([admin] listen): {error}; start the gateway \
             with this configuration{or_stop}"
        )
    })?;
    match status {
        StatusCode::OK => read(address, &body),
        _ => Err(read::<Problem>(address, &body)?.detail.into()),
    }
}

/// Asks the gateway of this configuration for a path of its admin listener.
pub(super) fn get<T: DeserializeOwned>(config: &Config, path: &str) -> Result<T, Box<dyn Error>> {
    let address = admin_address(&config.admin)?;
    let request = Request::get(path).header(HOST, address.to_string()).body(Full::default())?;
    let response = ask(send(address, request));
    let (status, body) = response.map_err(|error| {
        format!(
            "no gateway answers at {address} ([admin] listen): {error}; start the gateway with \
             this configuration"
        )
    })?;
    match status {
        StatusCode::OK => read(address, &body),
        _ => Err(format!("the program at {address} is not a gateway of this version").into()),
    }
}

type Answer = Result<(StatusCode, Bytes), Box<dyn Error>>;

/// Waits for an answer, but not forever.
fn ask(answer: impl Future<Output = Answer>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = timeout(ANSWER_TIMEOUT, answer).await;
        answer.unwrap_or_else(|_| Err("it does not answer".into()))
    })
}

/// The loopback address of this configuration's admin listener, which accepts these requests over
/// loopback only. `Err`: there is none, and what to do.
pub(super) fn admin_address(admin: &AdminConfig) -> Result<SocketAddr, String> {
    let Some(listen) = admin.listen.as_ref().and_then(ListenAddress::ip) else {
        let example = "127.0.0.1:5090";
        return Err(format!(
            "[admin] listen is not set, so the gateway cannot be reached; set it, for example to \
             {example:?}, and restart the gateway"
        ));
    };
    if listen.port() == 0 {
        return Err("[admin] listen has port 0; set a port, and restart the gateway".into());
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip if ip.to_canonical().is_loopback() => ip,
        ip => {
            return Err(format!(
                "[admin] listen is {ip}, while users are managed over a loopback address only; \
                 set it to one, and restart the gateway"
            ));
        }
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// Sends one request; returns status and body of the response.
async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let response = respond(address, request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

/// Sends one request; returns the response, whose body follows.
async fn respond(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // `send_request` reports the connection's errors.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

fn request<E: Endpoint>(
    config: &Config,
    address: SocketAddr,
    path: &[&str],
    query: &E::Query,
    body: &E::Body,
) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
    let mut target = path_of(&E::ROW, path);
    let query = form(&serde_json::to_value(query)?);
    if !query.is_empty() {
        target = format!("{target}?{query}");
    }
    let mut request = Request::builder()
        .method(E::ROW.method)
        .uri(target)
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, "application/json")
        .header(ADMIN_HEADER, "1");
    // Without a store there is nothing to compare; the gateway answers for its own.
    if let Ok(mark) = store_mark(&config.store.path) {
        request = request.header(STORE_HEADER, mark);
    }
    Ok(request.body(Full::new(serde_json::to_vec(body)?.into()))?)
}

fn read<T: DeserializeOwned>(address: SocketAddr, body: &[u8]) -> Result<T, Box<dyn Error>> {
    serde_json::from_slice(body)
        .map_err(|_| format!("the program at {address} is not a gateway of this version").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_listener_is_asked_over_loopback_or_not_at_all() {
        let admin = |listen: Option<SocketAddr>| AdminConfig {
            tls_listen: None,
            listen: listen.map(ListenAddress::Ip),
            api_page: true,
        };
        let asked = |listen: &str| admin_address(&admin(Some(listen.parse().expect(listen))));
        for (listen, address) in [
            ("127.0.0.1:5090", "127.0.0.1:5090"),
            ("[::1]:5090", "[::1]:5090"),
            ("0.0.0.0:5090", "127.0.0.1:5090"),
            ("[::]:5090", "[::1]:5090"),
        ] {
            assert_eq!(asked(listen), Ok(address.parse().expect(address)));
        }
        for listen in ["127.0.0.1:0", "10.0.0.5:5090", "[2001:db8::1]:5090"] {
            assert!(asked(listen).is_err(), "{listen}");
        }
        assert!(admin_address(&admin(None)).is_err());
    }
}

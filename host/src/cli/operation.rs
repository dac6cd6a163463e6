//! An operator's command on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use core_engine::{Done, Engine, Envelope, FrontendSettings, OpenError};
use core_model::{Command, ConnectionId, Outcome, Refusal, Timestamp};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{AdminConfig, Config, ListenAddress};
use crate::users::Failure;
use crate::users::wire::{ADMIN_HEADER, Refused, STORE_HEADER, store_mark};

/// How long a gateway may take to answer: many times a commit's time on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read: far more than an account with 16 identities, or a room.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What an operator wants done, and how a running gateway is asked for it.
pub(super) trait Operation {
    type Report: DeserializeOwned;

    /// The command that carries it out, unless looking is enough.
    fn command(&self) -> Option<Command>;

    /// What it was done to, afterwards. `done` is the outcome of the command.
    fn report<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        at: Timestamp,
        done: Option<Outcome>,
    ) -> Result<Self::Report, Failure>;

    /// The report while no gateway runs.
    fn offline(report: Self::Report) -> Self::Report {
        report
    }

    /// The method, target and body of the request to a running gateway.
    fn request(&self) -> serde_json::Result<(Method, String, Vec<u8>)>;
}

/// A path with one parameter.
pub(super) fn with_query(path: &str, name: &str, value: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", query.append_pair(name, value).finish())
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
pub(super) fn carry_out<O: Operation>(
    config: &Config,
    operation: &O,
) -> Result<O::Report, Box<dyn Error>> {
    let path = &config.store.path;
    if !path.exists() {
        let why = "the gateway creates it at its first start";
        return Err(format!("there is no store {} yet; {why}", path.display()).into());
    }
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
    match Engine::open(path, options, publish) {
        Ok(engine) => on_the_store(&engine, &outcomes, operation),
        Err(OpenError::Locked { .. }) => through_the_gateway(config, operation),
        Err(error) => Err(error.into()),
    }
}

fn on_the_store<O: Operation>(
    engine: &Engine<()>,
    outcomes: &mpsc::Receiver<Outcome>,
    operation: &O,
) -> Result<O::Report, Box<dyn Error>> {
    let at = now();
    let done = operation.command().map(|command| {
        let (connection, frontend) = (ConnectionId(0), Arc::<FrontendSettings>::default());
        let envelope =
            Envelope { at, steady_ms: 0, connection, address: None, frontend, key: None, command };
        engine.submit(envelope, ()).map_err(|((), refusal)| refusal)?;
        let lost = |_| Refusal::Internal { why: "the engine stopped before it answered".into() };
        outcomes.recv().map_err(lost)?
    });
    Ok(O::offline(operation.report(engine, at, done)?))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Sends the command to the gateway that has the store open.
fn through_the_gateway<O: Operation>(
    config: &Config,
    operation: &O,
) -> Result<O::Report, Box<dyn Error>> {
    let path = &config.store.path;
    let address = admin_address(&config.admin).map_err(|why| {
        format!(
            "another process has the store {} open, and {why}; or stop the gateway first",
            path.display()
        )
    })?;
    let mark = store_mark(path)?;
    let response = ask(send(address, request(address, &mark, operation)?));
    let (status, body) = response.map_err(|error| {
        format!(
            "another process has the store {} open, and no gateway answers at {address} \
             ([admin] listen): {error}; start the gateway with this configuration, or stop \
             the process that has the store open",
            path.display()
        )
    })?;
    match status {
        StatusCode::OK => read(address, &body),
        _ => Err(read::<Refused>(address, &body)?.error.into()),
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

/// Sends a request of an operator to the gateway of this configuration.
pub(super) fn ask_gateway<T: DeserializeOwned>(
    config: &Config,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<T, Box<dyn Error>> {
    let address = admin_address(&config.admin)?;
    let mut request = admin_request(address, method, path.to_owned(), body)?;
    if let Ok(mark) = store_mark(&config.store.path) {
        request.headers_mut().insert(STORE_HEADER, mark.parse()?);
    }
    let response = ask(send(address, request));
    let (status, body) = response.map_err(|error| {
        format!(
            "no gateway answers at {address} ([admin] listen): {error}; start the gateway with \
             this configuration"
        )
    })?;
    match status {
        StatusCode::OK => read(address, &body),
        _ => Err(read::<Refused>(address, &body)?.error.into()),
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
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // `send_request` reports the connection's errors.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

fn request<O: Operation>(
    address: SocketAddr,
    mark: &str,
    operation: &O,
) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
    let (method, target, body) = operation.request()?;
    let mut request = admin_request(address, method, target, body)?;
    request.headers_mut().insert(STORE_HEADER, mark.parse()?);
    Ok(request)
}

fn admin_request(
    address: SocketAddr,
    method: Method,
    target: String,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, "application/json")
        .header(ADMIN_HEADER, "1");
    Ok(request.body(Full::new(body.into()))?)
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

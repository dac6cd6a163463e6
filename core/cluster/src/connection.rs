//! The connection to the servers, and requests to JetStream's API.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ContextBuilder, ErrorCode};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::settings::{Credentials, MESSAGE_BYTES_MAX, Settings};

/// The first version whose behaviour the log relies on.
const VERSION_MIN: (u32, u32) = (2, 14);
const VERSION_MIN_TEXT: &str = "2.14";

/// After this long without an acknowledgement an entry is sent again.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(1);
/// After this long without an answer a request has none.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that leaves two pings without a pong is taken for dead.
const PING_INTERVAL: Duration = Duration::from_millis(500);
const RECONNECT_PAUSE_STEP: Duration = Duration::from_millis(50);
const RECONNECT_PAUSE_STEPS_MAX: usize = 10;
/// More than the proposer's window and the barriers need.
const ACKS_IN_FLIGHT_MAX: usize = 256;

#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// For requests.
    pub(crate) jetstream: jetstream::Context,
    /// For entries.
    pub(crate) publisher: jetstream::Context,
    /// What the client last complained of.
    complaint: Arc<Mutex<Option<String>>>,
    /// How often a server was lost.
    losses: Arc<AtomicU64>,
}

impl Connection {
    pub(crate) async fn open(settings: &Settings, servers: &[String]) -> Result<Self, Error> {
        settings.check()?;
        let complaint = Arc::new(Mutex::new(None));
        let losses = Arc::<AtomicU64>::default();
        let options = options(settings).await?.event_callback({
            let (complaint, losses) = (complaint.clone(), losses.clone());
            move |event| {
                if event == Event::Disconnected {
                    losses.fetch_add(1, Ordering::Relaxed);
                }
                note(&complaint, &event);
                std::future::ready(())
            }
        });
        let client =
            options.connect(servers).await.map_err(|error| connect_error(settings, error))?;
        let context = |timeout| {
            let builder =
                ContextBuilder::new().timeout(timeout).max_ack_inflight(ACKS_IN_FLIGHT_MAX);
            builder.build(client.clone())
        };
        let jetstream = context(REQUEST_TIMEOUT);
        let publisher = context(ACK_TIMEOUT);
        let connection = Self { client, jetstream, publisher, complaint, losses };
        connection.check_server()?;
        Ok(connection)
    }

    /// The same connection, whose requests have this much time.
    pub(crate) fn with_patience(&self, patience: Duration) -> Self {
        let mut connection = self.clone();
        connection.jetstream.set_timeout(patience);
        connection
    }

    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often a server was lost, with what it had not answered.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    pub(crate) fn complaint(&self) -> Option<String> {
        self.complaint.lock().clone()
    }

    /// Name and address of the server at the other end, for messages.
    pub(crate) fn server(&self) -> String {
        let info = self.client.server_info();
        format!("{} ({}:{})", info.server_name, info.host, info.port)
    }

    /// Another server may answer after a reconnection, so this is asked again then.
    pub(crate) fn check_server(&self) -> Result<(), Error> {
        let info = self.client.server_info();
        if !is_recent(&info.version) {
            let (server, version) = (self.server(), info.version);
            return Err(Error::OldServer { server, version, wanted: VERSION_MIN_TEXT });
        }
        if info.max_payload < MESSAGE_BYTES_MAX {
            let (server, found) = (self.server(), info.max_payload);
            return Err(Error::SmallPayload { server, found, wanted: MESSAGE_BYTES_MAX });
        }
        Ok(())
    }

    /// The answer to a request to JetStream's API.
    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        what: &str,
        subject: String,
        payload: &impl Serialize,
    ) -> Result<T, Failure> {
        match self.jetstream.request(subject, payload).await {
            Ok(Response::Ok(answer)) => Ok(answer),
            Ok(Response::Err { error }) => Err(self.refused(what, &error)),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => {
                    Failure::new(self.no_jetstream("no server answers for it"))
                }
                RequestErrorKind::TimedOut => {
                    let why = self.complaint().unwrap_or_else(|| "no answer".to_owned());
                    Failure::new(Error::NoQuorum { what: what.to_owned(), why })
                }
                _ => Failure::new(Error::Refused { what: what.to_owned(), why: error.to_string() }),
            }),
        }
    }

    fn refused(&self, what: &str, error: &jetstream::Error) -> Failure {
        let code = error.error_code();
        let why = error.to_string();
        let error = match code {
            ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                self.no_jetstream(&why)
            }
            ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_NOT_ACTIVE
            | ErrorCode::CLUSTER_NOT_LEADER
            | ErrorCode::CLUSTER_INCOMPLETE => Error::NoQuorum { what: what.to_owned(), why },
            code if is_full(code) => Error::Full { why },
            _ => Error::Refused { what: what.to_owned(), why },
        };
        Failure { code: Some(code), error }
    }

    fn no_jetstream(&self, why: &str) -> Error {
        Error::NoJetStream { server: self.server(), why: why.to_owned() }
    }
}

/// A request without a good answer, with JetStream's code if it answered.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Option<ErrorCode>,
    pub(crate) error: Error,
}

impl Failure {
    fn new(error: Error) -> Self {
        Self { code: None, error }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// The codes of a stream, an account or a server that has no room.
pub(crate) fn is_full(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::STREAM_STORE_FAILED
    )
}

fn is_recent(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= VERSION_MIN
}

fn note(complaint: &Mutex<Option<String>>, event: &Event) {
    match event {
        Event::Connected => {
            tracing::info!("connected to the cluster's servers");
            *complaint.lock() = None;
        }
        Event::Disconnected => tracing::warn!("the connection to the cluster's servers ended"),
        Event::ServerError(error) => *complaint.lock() = Some(error.to_string()),
        Event::ClientError(error) => *complaint.lock() = Some(error.to_string()),
        _ => {}
    }
}

async fn options(settings: &Settings) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .name(format!("dragoman {}", settings.name))
        .connection_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .ignore_discovered_servers()
        .reconnect_delay_callback(|attempts| {
            RECONNECT_PAUSE_STEP * attempts.min(RECONNECT_PAUSE_STEPS_MAX) as u32
        });
    options = match &settings.credentials {
        Credentials::None => options,
        Credentials::User { user, password } => {
            options.user_and_password(user.clone(), password.clone())
        }
        Credentials::Token(token) => options.token(token.clone()),
        Credentials::Nkey(seed) => options.nkey(seed.clone()),
        Credentials::File(path) => {
            options.credentials_file(path).await.map_err(|error| Error::Setting {
                key: "cluster.credentials",
                value: path.to_string_lossy().into_owned(),
                why: error.to_string(),
            })?
        }
    };
    if let Some(ca) = &settings.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&settings.tls.cert, &settings.tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(options)
}

fn connect_error(settings: &Settings, error: ConnectError) -> Error {
    let servers = settings.servers_text();
    let why = causes(&error);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            Error::Credentials { keys: settings.credentials.keys(), servers, why }
        }
        ConnectErrorKind::Tls => Error::Tls { servers, why },
        _ if is_of_tls(&error) => Error::Tls { servers, why },
        _ => Error::Unreachable { servers, why },
    }
}

/// What rustls finds wrong arrives inside an error of input and output.
fn is_of_tls(error: &ConnectError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let inner = source.and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<async_nats::rustls::Error>())
}

/// An error with those below it.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        below = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_recent("2.14.0"));
        assert!(is_recent("2.15.1-beta.2"));
        assert!(is_recent("3.0.0"));
        assert!(!is_recent("2.9.10"));
        assert!(!is_recent("2.13.9"));
        assert!(!is_recent("unknown"));
    }
}

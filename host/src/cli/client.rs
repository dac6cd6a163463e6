//! The requests of the verbs: to the gateway of a configuration on this machine, or to one elsewhere.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::admin::{ADMIN_HEADER, Endpoint, Problem, STORE_HEADER, empty_parameter, path_of};
use crate::config::{AdminConfig, Config, ListenAddress};
use crate::outgoing::HttpClient;
use crate::users::store_mark;

/// How long a gateway may take to answer. Removing all messages of a user may take that long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer that is read: a page of messages has 4 MiB of text at most.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A gateway's admin listener, and how to reach it.
pub(super) struct Client {
    route: Route,
    /// Which store the gateway must have open.
    store: Option<String>,
}

enum Route {
    /// `[admin] listen` of the configuration.
    Address(SocketAddr),
    /// `--admin-url`.
    Url(Box<Remote>),
}

struct Remote {
    /// `https://chat.example.org:5091`
    origin: String,
    host: String,
    token: Option<HeaderValue>,
    http: HttpClient,
}

type Answer = Result<(StatusCode, Bytes), Box<dyn Error>>;

impl Client {
    /// For the gateway of this configuration. `Err`: it cannot be reached, and what to do.
    pub(super) fn of_configuration(config: &Config) -> Result<Self, String> {
        let address = admin_address(&config.admin)?;
        // Without a store there is nothing to compare; the gateway answers for its own.
        let store = store_mark(&config.store.path).ok();
        Ok(Self { route: Route::Address(address), store })
    }

    /// For the health of the gateway of this configuration, which every address answers.
    pub(super) fn of_health(config: &Config) -> Result<Self, String> {
        let address = listen_address(&config.admin)?;
        Ok(Self { route: Route::Address(address), store: None })
    }

    /// For a gateway elsewhere: `origin` is like `https://chat.example.org:5091`, `host` its part
    /// after the slashes.
    pub(super) fn of_url(
        origin: String,
        host: String,
        token: Option<HeaderValue>,
        http: HttpClient,
    ) -> Self {
        let remote = Remote { origin, host, token, http };
        Self { route: Route::Url(Box::new(remote)), store: None }
    }

    /// The request of an operation.
    pub(super) fn request<E: Endpoint>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &E::Body,
    ) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
        if let Some(name) = empty_parameter(&E::ROW, path) {
            return Err(format!("an empty text names no {name}").into());
        }
        let mut target = path_of(&E::ROW, path);
        let query = form(&serde_json::to_value(query)?);
        if !query.is_empty() {
            target = format!("{target}?{query}");
        }
        let mut request = self.to(&target).method(E::ROW.method);
        request = request.header(CONTENT_TYPE, "application/json").header(ADMIN_HEADER, "1");
        if let Some(mark) = &self.store {
            request = request.header(STORE_HEADER, mark);
        }
        Ok(request.body(Full::new(serde_json::to_vec(body)?.into()))?)
    }

    /// A request to a path, without its body.
    fn to(&self, target: &str) -> Builder {
        match &self.route {
            Route::Address(address) => {
                Request::builder().uri(target).header(HOST, address.to_string())
            }
            Route::Url(remote) => {
                let uri = format!("{}{target}", remote.origin);
                let request = Request::builder().uri(uri).header(HOST, &remote.host);
                match &remote.token {
                    Some(token) => request.header(AUTHORIZATION, token),
                    None => request,
                }
            }
        }
    }

    /// Carries an operation out. `Ok(Err)`: no gateway answers, and why.
    pub(super) fn call<E: Endpoint>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &E::Body,
    ) -> Result<Result<E::Reply, String>, Box<dyn Error>> {
        let request = self.request::<E>(path, query, body)?;
        match self.ask(request, ANSWER_TIMEOUT) {
            Err(error) => Ok(Err(error.to_string())),
            Ok((StatusCode::OK, body)) => Ok(Ok(self.read(&body)?)),
            Ok((_, body)) => Err(self.read::<Problem>(&body)?.detail.into()),
        }
    }

    /// Asks for a path of the admin listener. `Err`: no gateway answers, and why.
    pub(super) fn get(
        &self,
        path: &str,
        within: Duration,
    ) -> Result<(StatusCode, Bytes), Box<dyn Error>> {
        self.ask(self.to(path).body(Full::default())?, within)
    }

    /// Asks for a path whose answer is JSON.
    pub(super) fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Box<dyn Error>> {
        let answer = self.get(path, ANSWER_TIMEOUT);
        let (status, body) = answer.map_err(|error| self.silent(&*error))?;
        match status {
            StatusCode::OK => self.read(&body),
            // Other listeners of the gateway, and other programs, refuse in their own form.
            _ => match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => Err(problem.detail.into()),
                Err(_) => Err(self.strange().into()),
            },
        }
    }

    /// Reads the body of an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Box<dyn Error>> {
        serde_json::from_slice(body).map_err(|_| self.strange().into())
    }

    fn strange(&self) -> String {
        let place = match &self.route {
            Route::Address(address) => address.to_string(),
            Route::Url(remote) => remote.origin.clone(),
        };
        format!("the program at {place} is not a gateway of this version")
    }

    /// What to say where no gateway answers, without what else could be done.
    pub(super) fn silent(&self, error: &(impl fmt::Display + ?Sized)) -> String {
        let what_to_do = match &self.route {
            Route::Address(_) => "start the gateway with this configuration",
            Route::Url(_) => "is it running, with [admin] tls_listen or behind a tunnel?",
        };
        format!("no gateway answers at {self}: {error}; {what_to_do}")
    }

    /// Waits for an answer, but not forever.
    fn ask(&self, request: Request<Full<Bytes>>, within: Duration) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let answer = timeout(within, self.send(request)).await;
            answer.unwrap_or_else(|_| Err("it does not answer".into()))
        })
    }

    /// Sends one request; returns status and body of the response.
    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.respond(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
    }

    /// Sends one request; returns the response, whose body follows.
    pub(super) async fn respond(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Box<dyn Error>> {
        let address = match &self.route {
            Route::Url(remote) => {
                return remote.http.send(request).await.map_err(|failure| failure.why.into());
            }
            Route::Address(address) => address,
        };
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // `send_request` reports the connection's errors.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }

    /// As [`respond`](Self::respond), but does not wait forever for the head of the response.
    pub(super) async fn begin(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Box<dyn Error>> {
        timeout(ANSWER_TIMEOUT, self.respond(request)).await?
    }

    /// The next bytes of a response, within the time of an answer. `None`: its end.
    pub(super) async fn next_bytes(
        response: &mut Response<Incoming>,
    ) -> Result<Option<Bytes>, Box<dyn Error>> {
        while let Some(frame) = timeout(ANSWER_TIMEOUT, response.frame()).await? {
            if let Ok(bytes) = frame?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The problem that a response reports.
    pub(super) async fn problem(
        &self,
        response: Response<Incoming>,
    ) -> Result<Problem, Box<dyn Error>> {
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        self.read(&body.map_err(|error| error.to_string())?.to_bytes())
    }
}

/// Where it is, for messages.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            Route::Address(address) => write!(f, "{address} ([admin] listen)"),
            Route::Url(remote) => f.write_str(&remote.origin),
        }
    }
}

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

/// The loopback address of this configuration's admin listener, which accepts these requests over
/// loopback only. `Err`: there is none, and what to do.
pub(super) fn admin_address(admin: &AdminConfig) -> Result<SocketAddr, String> {
    let address = listen_address(admin)?;
    if address.ip().to_canonical().is_loopback() {
        return Ok(address);
    }
    Err(format!(
        "[admin] listen is {}, while users are managed over a loopback address only; set it to \
         one, and restart the gateway",
        address.ip()
    ))
}

/// The address of this configuration's admin listener, seen from this machine.
fn listen_address(admin: &AdminConfig) -> Result<SocketAddr, String> {
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
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
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
            console: true,
            trace: 0,
            playground: false,
            hosts: Vec::new(),
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

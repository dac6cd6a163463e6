//! An address that is listened on, and the front ends behind it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::{ArcSwap, Guard};
use frontend_api::{Listener, Route, RouteKind, Transport};
use hyper::header::HeaderValue;
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::sync::watch;

use crate::config::{EndpointOptions, ListenAddress, PublicUrl};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::Operations;
use crate::runtime::net::bind::{FileIdentity, identity, set_access};
use crate::runtime::net::shutdown::Shutdown;
use crate::tls::Tls;

/// One address. HTTP and WebSocket listeners may share it. A reload may replace its bindings while
/// it stays open.
pub(crate) struct BoundListener {
    pub(crate) key: ListenerKey,
    /// How its connections are accepted; of the last reload.
    acceptance: ArcSwap<Acceptance>,
    /// Each request reads it.
    bindings: ArcSwap<Bindings>,
    /// Changes with `bindings`.
    rebound: watch::Sender<Bindings>,
    state: watch::Sender<ListenState>,
    /// Of its unix socket, once that is bound.
    socket_file: Mutex<Option<FileIdentity>>,
    /// The HTTP connections that it accepted and that are open.
    http_connections: AtomicU32,
    /// Of the connections that it accepted.
    pub(crate) shutdown: Shutdown,
}

/// Counts an HTTP connection of a listener while it is open.
pub(crate) struct OpenHttp<'a>(&'a BoundListener);

impl Drop for OpenHttp<'_> {
    fn drop(&mut self) {
        self.0.http_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What tells one listener from another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ListenerKey {
    /// As configured; its port may be 0.
    pub(crate) address: ListenAddress,
    /// Whether it leaves IPv4 to others. It cannot be changed once a socket is bound, so one that
    /// has to is opened anew.
    pub(crate) only_v6: bool,
    /// Of a listener that is not shared: the front end, the key of its listener, and which of its
    /// addresses it is.
    pub(crate) owner: Option<(String, String, usize)>,
}

/// How the connections of a listener are accepted.
pub(crate) struct Acceptance {
    pub(crate) options: EndpointOptions,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Acceptance {
    /// Whether a connection begins with the dialect.
    pub(crate) fn is_plain(&self) -> bool {
        self.tls.is_none() && !self.options.proxy_protocol
    }

    /// The value of Strict-Transport-Security (RFC 6797), where responses have one.
    pub(crate) fn hsts(&self) -> Option<HeaderValue> {
        let seconds = self.options.tls.as_ref()?.settings.hsts.as_secs();
        let value = format!("max-age={seconds}");
        (seconds > 0).then(|| HeaderValue::try_from(value).expect("it is ASCII"))
    }

    fn of(options: EndpointOptions) -> Self {
        let protocols: Vec<&str> = options.protocol.into_iter().collect();
        let tls = options.tls.as_ref().map(|tls| tls.server_config(&protocols));
        Self { options, tls }
    }
}

/// The front ends behind a listener; none behind the admin listener.
pub(crate) type Bindings = Arc<[Arc<ListenerBinding>]>;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ListenState {
    NotYet,
    Listening(ListenAddress),
    Closed,
}

/// One front end's listener, on the address it shares.
pub(crate) struct ListenerBinding {
    pub(crate) frontend: Arc<FrontendHandle>,
    pub(crate) listener: Listener,
    pub(crate) operations: Operations,
    /// Where clients reach it, if not at its address.
    pub(crate) public_url: Option<PublicUrl>,
}

impl ListenerBinding {
    pub(crate) fn new(
        frontend: Arc<FrontendHandle>,
        listener: Listener,
        public_url: Option<PublicUrl>,
    ) -> Self {
        let operations = Operations::new(&frontend.metrics.http, &listener.routes);
        Self { frontend, listener, operations, public_url }
    }

    pub(crate) fn is_http(&self) -> bool {
        matches!(self.listener.transport, Transport::Http | Transport::WebSocket)
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.listener.transport == Transport::WebSocket
    }

    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.route(path).is_some()
    }

    /// Whether it takes upgrades at this path: a WebSocket listener at any.
    pub(crate) fn is_websocket_at(&self, path: &str) -> bool {
        self.is_websocket() || self.is_kind(path, RouteKind::WebSocket)
    }

    /// Whether links of other sites may lead to this path.
    pub(crate) fn is_page(&self, path: &str) -> bool {
        self.is_kind(path, RouteKind::Page)
    }

    /// The methods of a path.
    pub(crate) fn methods(&self, path: &str) -> Vec<String> {
        self.route(path).map_or_else(Vec::new, |route| route.methods.clone())
    }

    /// Compares the kind first: each request asks, and most dialects have no such path.
    fn is_kind(&self, path: &str, kind: RouteKind) -> bool {
        self.listener.routes.iter().any(|route| route.kind == kind && route.path == path)
    }

    fn route(&self, path: &str) -> Option<&Route> {
        self.listener.routes.iter().find(|route| route.path == path)
    }
}

impl BoundListener {
    pub(crate) fn new(
        key: ListenerKey,
        options: EndpointOptions,
        bindings: Vec<Arc<ListenerBinding>>,
        shutdown: Shutdown,
    ) -> Self {
        let bindings: Bindings = bindings.into();
        Self {
            key,
            acceptance: ArcSwap::from_pointee(Acceptance::of(options)),
            bindings: ArcSwap::from_pointee(bindings.clone()),
            rebound: watch::Sender::new(bindings),
            state: watch::Sender::new(ListenState::NotYet),
            socket_file: Mutex::default(),
            http_connections: AtomicU32::new(0),
            shutdown,
        }
    }

    /// Counts an HTTP connection.
    pub(crate) fn open_http(&self) -> OpenHttp<'_> {
        self.http_connections.fetch_add(1, Ordering::Relaxed);
        OpenHttp(self)
    }

    /// How many HTTP connections that it accepted are open.
    pub(crate) fn http_connections(&self) -> u32 {
        self.http_connections.load(Ordering::Relaxed)
    }

    /// The address it listens on, while it does.
    pub(crate) fn bound(&self) -> Option<ListenAddress> {
        match &*self.state.borrow() {
            ListenState::Listening(address) => Some(address.clone()),
            ListenState::NotYet | ListenState::Closed => None,
        }
    }

    /// Whether the file of its unix socket is gone, so that no client reaches it.
    pub(crate) fn is_lost(&self) -> bool {
        match (&self.key.address, *self.socket_file.lock()) {
            (ListenAddress::Unix(path), Some(own)) => {
                !identity(path).is_ok_and(|found| found == own)
            }
            _ => false,
        }
    }

    /// Waits until it listens, or will not.
    pub(crate) async fn until_bound(&self) {
        let mut state = self.state.subscribe();
        // The sender is in `self`.
        drop(state.wait_for(|state| *state != ListenState::NotYet).await);
    }

    /// Whether it listens where clients reach it, or will.
    pub(crate) fn is_usable(&self) -> bool {
        let is_ending = self.shutdown.is_draining() || *self.state.borrow() == ListenState::Closed;
        !is_ending && !self.is_lost()
    }

    pub(crate) fn acceptance(&self) -> Arc<Acceptance> {
        self.acceptance.load_full()
    }

    /// Changes how connections are accepted from now on. Fails, with the rest changed, if the file of
    /// its unix socket cannot have the permissions: why, which is logged.
    pub(crate) fn set_options(&self, options: EndpointOptions) -> Result<(), String> {
        let former = self.acceptance();
        // Sessions can be resumed as long as nothing changes.
        if former.options == options {
            return Ok(());
        }
        let mut set = Ok(());
        if let ListenAddress::Unix(path) = &self.key.address
            && former.options.socket != options.socket
            && let Err(error) = set_access(path, &options.socket)
        {
            let address = &self.key.address;
            tracing::error!(%address, "cannot set the permissions of the socket: {error}");
            set = Err(format!("cannot set the permissions of {address}: {error}"));
        }
        self.acceptance.store(Arc::new(Acceptance::of(options)));
        set
    }

    /// Serves what was read again of the files that it serves, if it is of these.
    pub(crate) fn replace_tls(&self, tls: &Arc<Tls>) {
        let options = self.acceptance().options.clone();
        if options.tls.as_ref().is_some_and(|served| served.settings == tls.settings) {
            let set = self.set_options(EndpointOptions { tls: Some(tls.clone()), ..options });
            debug_assert!(set.is_ok(), "the permissions stay");
        }
    }

    pub(crate) fn bindings(&self) -> Bindings {
        self.rebound.borrow().clone()
    }

    /// The same for a look at them, which counts no reference.
    pub(crate) fn peek_bindings(&self) -> Guard<Arc<Bindings>> {
        self.bindings.load()
    }

    /// Follows the bindings as they are replaced.
    pub(crate) fn watch_bindings(&self) -> watch::Receiver<Bindings> {
        self.rebound.subscribe()
    }

    pub(crate) fn leads_to(&self, frontend: &FrontendHandle) -> bool {
        self.peek_bindings().iter().any(|binding| binding.frontend.index() == frontend.index())
    }

    /// Replaces the bindings, for connections accepted from now on.
    pub(crate) fn rebind(&self, bindings: Vec<Arc<ListenerBinding>>) {
        let bindings: Bindings = bindings.into();
        self.bindings.store(Arc::new(bindings.clone()));
        let former = self.rebound.send_replace(bindings);
        if let Some(bound) = self.bound() {
            self.log_open(&bound, &former);
        }
    }

    /// Whether peers from the public internet cannot reach it.
    pub(crate) fn is_private(&self) -> bool {
        self.key.address.is_private()
    }

    /// Accepts no more connections. HTTP connections end after their current response.
    pub(crate) fn close(&self) {
        self.shutdown.drain();
        self.state.send_if_modified(|state| {
            let never_opened = *state == ListenState::NotYet;
            if never_opened {
                *state = ListenState::Closed;
            }
            never_opened
        });
    }

    /// Waits until it no longer listens, after [`close`](Self::close).
    pub(crate) async fn until_closed(&self) {
        // Cannot fail: the sender lives as long as `self`.
        drop(self.state.subscribe().wait_for(|state| *state == ListenState::Closed).await);
    }

    /// Its socket listens. Logs a line per binding, for programs to read.
    pub(crate) fn set_open(&self, bound: ListenAddress, socket_file: Option<FileIdentity>) {
        // Of a front end that was disabled and is enabled again, the file is another one.
        *self.socket_file.lock() = socket_file;
        self.state.send_replace(ListenState::Listening(bound.clone()));
        self.log_open(&bound, &[]);
    }

    /// Its socket is closed.
    pub(crate) fn set_closed(&self) {
        self.state.send_replace(ListenState::Closed);
    }

    /// `former`: bindings that were logged before.
    fn log_open(&self, bound: &ListenAddress, former: &[Arc<ListenerBinding>]) {
        let bindings = self.bindings();
        let tls = self.acceptance().tls.is_some();
        if bindings.is_empty() {
            let listener = self.key.owner.as_ref().map_or("listen", |(_, key, _)| key.as_str());
            let (frontend, transport) = ("admin", "http");
            tracing::info!(frontend, listener, address = %bound, transport, tls, "listening");
        }
        for binding in bindings.iter() {
            let frontend = &binding.frontend.name;
            let listener = &binding.listener.key;
            let is_same = |former: &Arc<ListenerBinding>| {
                former.frontend.name == *frontend && former.listener.key == *listener
            };
            if !former.iter().any(is_same) {
                let transport = transport(&binding.listener);
                tracing::info!(frontend, listener, address = %bound, transport, tls, "listening");
            }
        }
    }

    pub(crate) fn log_bind_error(&self, error: &io::Error) {
        let address = &self.key.address;
        let bindings = self.bindings();
        if bindings.is_empty() {
            tracing::error!(%address, "the admin listener cannot listen: {error}");
        }
        for binding in bindings.iter() {
            let frontend = &binding.frontend.name;
            let listener = &binding.listener.key;
            tracing::error!(frontend, listener, %address, "cannot listen: {error}");
        }
    }
}

pub(crate) fn transport(listener: &Listener) -> &'static str {
    match listener.transport {
        Transport::Http => "http",
        Transport::Tcp => "tcp",
        Transport::TcpLines => "lines",
        Transport::WebSocket => "websocket",
    }
}

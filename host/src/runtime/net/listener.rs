//! An address that is listened on, and the front ends behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use frontend_api::{Listener, Transport};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::config::is_private;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::shutdown::Shutdown;

/// The backlog of a listening socket: a burst of reconnecting clients after a restart.
const BACKLOG: u32 = 4096;

/// One address. HTTP and WebSocket listeners may share it. A reload may replace its bindings while
/// it stays open.
pub(crate) struct BoundListener {
    pub(crate) key: ListenerKey,
    bindings: watch::Sender<Bindings>,
    state: watch::Sender<ListenState>,
    /// Of the connections that it accepted.
    pub(crate) shutdown: Shutdown,
}

/// What tells one listener from another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ListenerKey {
    /// As configured; its port may be 0.
    pub(crate) address: SocketAddr,
    /// Of a listener that is not shared: the front end and the key of its listener.
    pub(crate) owner: Option<(String, String)>,
}

/// The front ends behind a listener; none behind the admin listener.
pub(crate) type Bindings = Arc<[Arc<ListenerBinding>]>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ListenState {
    NotYet,
    Listening(SocketAddr),
    Closed,
}

/// One front end's listener, on the address it shares.
pub(crate) struct ListenerBinding {
    pub(crate) frontend: Arc<FrontendHandle>,
    pub(crate) listener: Listener,
}

impl ListenerBinding {
    pub(crate) fn is_http(&self) -> bool {
        matches!(self.listener.transport, Transport::Http | Transport::WebSocket)
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.listener.transport == Transport::WebSocket
    }

    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.listener.routes.iter().any(|route| route.path == path)
    }

    /// The methods of a path.
    pub(crate) fn methods(&self, path: &str) -> Vec<String> {
        let route = self.listener.routes.iter().find(|route| route.path == path);
        route.map_or_else(Vec::new, |route| route.methods.clone())
    }
}

impl BoundListener {
    pub(crate) fn new(
        key: ListenerKey,
        bindings: Vec<Arc<ListenerBinding>>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            key,
            bindings: watch::Sender::new(bindings.into()),
            state: watch::Sender::new(ListenState::NotYet),
            shutdown,
        }
    }

    /// The address it listens on, while it does.
    pub(crate) fn bound(&self) -> Option<SocketAddr> {
        match *self.state.borrow() {
            ListenState::Listening(address) => Some(address),
            ListenState::NotYet | ListenState::Closed => None,
        }
    }

    /// Whether it listens, or will.
    pub(crate) fn is_usable(&self) -> bool {
        !self.shutdown.is_draining() && *self.state.borrow() != ListenState::Closed
    }

    pub(crate) fn bindings(&self) -> Bindings {
        self.bindings.borrow().clone()
    }

    /// Follows the bindings as they are replaced.
    pub(crate) fn watch_bindings(&self) -> watch::Receiver<Bindings> {
        self.bindings.subscribe()
    }

    pub(crate) fn leads_to(&self, frontend: &FrontendHandle) -> bool {
        self.bindings.borrow().iter().any(|binding| binding.frontend.index() == frontend.index())
    }

    /// Replaces the bindings, for connections accepted from now on.
    pub(crate) fn rebind(&self, bindings: Vec<Arc<ListenerBinding>>) {
        let former = self.bindings.send_replace(bindings.into());
        if let Some(bound) = self.bound() {
            self.log_open(bound, &former);
        }
    }

    /// Whether peers from the public internet cannot reach it.
    pub(crate) fn is_private(&self) -> bool {
        is_private(self.key.address.ip())
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
    pub(crate) fn set_open(&self, bound: SocketAddr) {
        self.state.send_replace(ListenState::Listening(bound));
        self.log_open(bound, &[]);
    }

    /// Its socket is closed.
    pub(crate) fn set_closed(&self) {
        self.state.send_replace(ListenState::Closed);
    }

    /// `former`: bindings that were logged before.
    fn log_open(&self, bound: SocketAddr, former: &[Arc<ListenerBinding>]) {
        let bindings = self.bindings();
        if bindings.is_empty() {
            tracing::info!(frontend = "admin", listener = "listen", address = %bound, "listening");
        }
        for binding in bindings.iter() {
            let frontend = &binding.frontend.name;
            let listener = &binding.listener.key;
            let is_same = |former: &Arc<ListenerBinding>| {
                former.frontend.name == *frontend && former.listener.key == *listener
            };
            if !former.iter().any(is_same) {
                tracing::info!(frontend, listener, address = %bound, "listening");
            }
        }
    }

    pub(crate) fn log_bind_error(&self, error: &io::Error) {
        let address = self.key.address;
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

/// When a silent connection is first probed, how often then, and how many probes may go unanswered
/// before its peer counts as gone.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How long bytes that were sent may be unacknowledged before the peer counts as gone.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(90);

/// Sets what accepted sockets inherit. Chat messages are small packets that a peer waits for:
/// Nagle's algorithm only delays them. A peer that vanished without a word is noticed by the
/// system, whether or not anything is sent to it.
fn set_options(socket: &TcpSocket) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    Ok(())
}

/// Binds an address and listens on it.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    set_options(&socket)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_notices_a_peer_that_vanishes() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = bind(address.parse().unwrap()) else { continue };
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            assert!(accepted.nodelay().unwrap());
            let accepted = SockRef::from(&accepted);
            assert!(accepted.keepalive().unwrap(), "{address}");
            assert_eq!(accepted.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
            assert_eq!(accepted.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
            assert_eq!(accepted.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
            #[cfg(target_os = "linux")]
            assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_TIMEOUT));
        }
    }
}

//! An address that is listened on, and who is behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use frontend_api::{Listener, Peer, Transport};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::bounds::{ACCEPT_PAUSE, BACKLOG, LISTEN_RETRY};
use super::connection::run;
use super::conversation::Conversation;
use super::limits::Permit;
use super::link::Link;
use super::mailbox::Mailbox;
use super::metrics::Limit;
use super::served::Served;
use super::shared::{Phase, Shared};
use super::tcp::{Lines, Tcp};
use super::wire::Wire;
use super::{admin, http};
use crate::config::{Limits, is_private};

/// What every task of a connection holds on to.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) shared: Arc<Shared>,
    /// Dropped last: when all of them are gone, so is everyone for whom draining waits.
    busy: mpsc::Sender<()>,
    /// When all of these are gone, so are all tasks.
    alive: mpsc::Sender<()>,
}

/// What a task holds on to for which draining does not wait: it ends when the gateway is over.
struct Loosely {
    shared: Arc<Shared>,
    busy: mpsc::WeakSender<()>,
    alive: mpsc::Sender<()>,
}

impl Loosely {
    /// What a connection holds on to; none when the gateway has drained.
    fn held(&self) -> Option<Held> {
        let busy = self.busy.upgrade()?;
        Some(Held { shared: self.shared.clone(), busy, alive: self.alive.clone() })
    }
}

impl Held {
    pub(super) fn new(
        shared: Arc<Shared>,
        busy: mpsc::Sender<()>,
        alive: mpsc::Sender<()>,
    ) -> Self {
        Self { shared, busy, alive }
    }

    fn loosely(&self) -> Loosely {
        let (shared, alive) = (self.shared.clone(), self.alive.clone());
        Loosely { shared, busy: self.busy.downgrade(), alive }
    }

    /// The hub's end of a new connection.
    pub(super) fn link(&self, served: &Served, wire: Wire) -> Arc<Link> {
        let Limits { mailbox_max, mailbox_bytes_max, .. } = served.limits;
        let mailbox = Mailbox::new(mailbox_max, mailbox_bytes_max);
        Arc::new(Link::new(self.shared.next_connection(), served.index, wire, mailbox))
    }
}

/// One address. HTTP front ends and WebSockets may share it.
pub(super) struct Door {
    pub(super) entrances: Vec<Entrance>,
    /// As configured; its port may be 0.
    pub(super) wanted: SocketAddr,
    bound: OnceLock<SocketAddr>,
}

/// A listener of a front end, on the address it shares. The admin's door has none.
pub(super) struct Entrance {
    pub(super) served: Arc<Served>,
    pub(super) listener: Listener,
}

impl Entrance {
    pub(super) fn is_http(&self) -> bool {
        matches!(self.listener.transport, Transport::Http | Transport::WebSocket)
    }

    fn has(&self, path: &str) -> bool {
        self.listener.routes.iter().any(|route| route.path == path)
    }

    /// The methods of a path.
    pub(super) fn methods(&self, path: &str) -> Vec<String> {
        let route = self.listener.routes.iter().find(|route| route.path == path);
        route.map_or_else(Vec::new, |route| route.methods.clone())
    }
}

impl Door {
    pub(super) fn new(wanted: SocketAddr, entrances: Vec<Entrance>) -> Self {
        Self { entrances, wanted, bound: OnceLock::new() }
    }

    /// The address it listens on, once it does.
    pub(super) fn bound(&self) -> Option<SocketAddr> {
        self.bound.get().copied()
    }

    /// Whether no stranger from the internet can come in here.
    pub(super) fn is_private(&self) -> bool {
        is_private(self.wanted.ip())
    }

    /// Whose a request is: the one whose documents are at this path, else the one with this path,
    /// else one that takes every path, else the first.
    pub(super) fn entrance(&self, path: &str, upgrade: bool) -> &Entrance {
        let is_described =
            |entrance: &&Entrance| http::well_known::document(&entrance.served, path).is_some();
        if let Some(entrance) = self.entrances.iter().find(is_described).filter(|_| !upgrade) {
            return entrance;
        }
        let is_websocket =
            |entrance: &Entrance| entrance.listener.transport == Transport::WebSocket;
        let upgrade = upgrade && self.entrances.iter().any(is_websocket);
        let fits = |entrance: &&Entrance| is_websocket(entrance) == upgrade;
        let fitting = || self.entrances.iter().filter(fits);
        let found = fitting().find(|entrance| entrance.has(path));
        let found =
            found.or_else(|| fitting().find(|entrance| entrance.listener.routes.is_empty()));
        found.or_else(|| fitting().next()).unwrap_or(&self.entrances[0])
    }

    /// The most patient of those behind it; zero is without end.
    pub(super) fn handshake_timeout(&self) -> Duration {
        let timeouts =
            self.entrances.iter().map(|entrance| entrance.served.limits.handshake_timeout);
        let timeouts: Vec<_> = timeouts.collect();
        let endless = timeouts.iter().any(Duration::is_zero);
        if endless { Duration::ZERO } else { timeouts.into_iter().max().unwrap_or_default() }
    }

    /// Listens, and lets in whoever comes, until the gateway drains; the operator also then.
    pub(super) fn open(self: &Arc<Self>, held: &Held) -> io::Result<()> {
        let listener = listen(self.wanted)?;
        let bound = listener.local_addr()?;
        // Only ever set by one task, once.
        let _ = self.bound.set(bound);
        self.announce(bound);
        match self.entrances.is_empty() {
            true => drop(tokio::spawn(accept_operator(bound, listener, held.loosely()))),
            false => drop(tokio::spawn(accept(self.clone(), listener, held.clone()))),
        }
        Ok(())
    }

    /// Waits until every front end behind it was taken down. The admin's door is never deserted.
    async fn deserted(&self) {
        if self.entrances.is_empty() {
            return std::future::pending().await;
        }
        for entrance in &self.entrances {
            entrance.served.until_down().await;
        }
    }

    /// Says in the log that it is open, a line each listener, for programs to read.
    fn announce(&self, bound: SocketAddr) {
        if self.entrances.is_empty() {
            tracing::info!(frontend = "admin", listener = "listen", address = %bound, "listening");
        }
        for entrance in &self.entrances {
            let (frontend, listener) = (&entrance.served.name, &entrance.listener.key);
            tracing::info!(frontend, listener, address = %bound, "listening");
        }
    }

    /// Tries to open it until that works or the gateway drains.
    pub(super) async fn keep_trying(self: Arc<Self>, held: Held) {
        let mut phase = held.shared.phase.subscribe();
        let (mut pause, pause_max) = LISTEN_RETRY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                () = self.deserted() => return,
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            }
            match self.open(&held) {
                Ok(()) => return,
                Err(error) => self.complain(&error),
            }
            pause = (pause * 2).min(pause_max);
        }
    }

    /// Says in the log that it could not be opened.
    pub(super) fn complain(&self, error: &io::Error) {
        let address = self.wanted;
        if self.entrances.is_empty() {
            tracing::error!(%address, "the admin listener cannot listen: {error}");
        }
        for entrance in &self.entrances {
            let (frontend, listener) = (&entrance.served.name, &entrance.listener.key);
            tracing::error!(frontend, listener, %address, "cannot listen: {error}");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(door: Arc<Door>, listener: TcpListener, held: Held) {
    let mut phase = held.shared.phase.subscribe();
    let deserted = door.deserted();
    let mut deserted = pin!(deserted);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            () = deserted.as_mut() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => let_in(&door, stream, remote.ip(), &held),
            Err(error) => pause(door.wanted, &error).await,
        }
    }
}

async fn accept_operator(bound: SocketAddr, listener: TcpListener, loosely: Loosely) {
    let mut phase = loosely.shared.phase.subscribe();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match loosely.held() {
                Some(held) => drop(tokio::spawn(admin::serve(stream, held))),
                None => return,
            },
            Err(error) => pause(bound, &error).await,
        }
    }
}

/// Waits until there may be room for another connection.
async fn pause(address: SocketAddr, error: &io::Error) {
    tracing::warn!(%address, "cannot accept a connection for now: {error}");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn let_in(door: &Arc<Door>, stream: TcpStream, remote: IpAddr, held: &Held) {
    // Chat is small packets that somebody waits for. Without it, it is only slower.
    drop(stream.set_nodelay(true));
    let first = &door.entrances[0];
    let served = &first.served;
    if !first.is_http() && !served.allows(remote) {
        served.counters.refused(Limit::Guard);
        return;
    }
    // A proxy stands for many.
    let address = (!held.shared.trusts(remote)).then_some(remote);
    match served.census.admit(address, &served.limits) {
        Err(limit) => {
            served.counters.refused(limit);
            if first.is_http() {
                turn_away(stream);
            }
        }
        Ok(permit) => {
            served.counters.opened.add(1);
            if first.is_http() {
                tokio::spawn(http::serve(door.clone(), stream, remote, permit, held.clone()));
            } else {
                converse(door, stream, remote, permit, held);
            }
        }
    }
}

/// The shortest way to say that there are too many.
fn turn_away(stream: TcpStream) {
    const RESPONSE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    if let Ok(mut stream) = stream.into_std() {
        // A new connection has room for it; where it has not, nobody listens.
        drop(io::Write::write(&mut stream, RESPONSE));
    }
}

fn converse(door: &Door, stream: TcpStream, remote: IpAddr, permit: Permit, held: &Held) {
    let entrance = &door.entrances[0];
    let served = &entrance.served;
    let peer = Peer {
        address: remote.to_canonical().to_string(),
        private_listener: door.is_private(),
        listener: entrance.listener.key.clone(),
        ..Peer::default()
    };
    let open = AssertUnwindSafe(|| served.frontend.open(&peer));
    let Ok(session) = catch_unwind(open) else {
        return served.panicked("opening a session");
    };
    let lines = entrance.listener.transport == Transport::TcpLines;
    let link = held.link(served, if lines { Wire::Lines } else { Wire::Tcp });
    let conversation = Conversation::new(held.shared.clone(), served.clone(), link, session);
    if lines {
        let socket = Lines::new(stream, served.limits.message_bytes_max);
        tokio::spawn(run(held.clone(), permit, socket, conversation));
    } else {
        tokio::spawn(run(held.clone(), permit, Tcp::new(stream), conversation));
    }
}

//! An address that is listened on, and who is behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use frontend_api::{Listener, Peer, Transport};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::config::{Limits, is_private};
use crate::runtime::bounds::{ACCEPT_PAUSE, BACKLOG, LISTEN_RETRY};
use crate::runtime::fanout::framing::Wire;
use crate::runtime::fanout::handle::Link;
use crate::runtime::fanout::mailbox::Mailbox;
use crate::runtime::frontends::instance::Served;
use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::connection::{linger, run};
use crate::runtime::net::tcp::{Lines, Tcp};
use crate::runtime::session::driver::Conversation;
use crate::runtime::session::services::{Phase, Shared};
use crate::runtime::{admin, net::http};

/// What every task of a connection holds on to.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) shared: Arc<Shared>,
    /// Dropped last: when all of them are gone, so is everyone for whom draining waits.
    busy: mpsc::Sender<()>,
    /// When all of these are gone, so are all tasks.
    alive: mpsc::Sender<()>,
}

/// What a task holds on to for which draining does not wait: it ends when the gateway is over.
pub(crate) struct Loosely {
    pub(crate) shared: Arc<Shared>,
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
    pub(crate) fn new(
        shared: Arc<Shared>,
        busy: mpsc::Sender<()>,
        alive: mpsc::Sender<()>,
    ) -> Self {
        Self { shared, busy, alive }
    }

    pub(crate) fn loosely(&self) -> Loosely {
        let (shared, alive) = (self.shared.clone(), self.alive.clone());
        Loosely { shared, busy: self.busy.downgrade(), alive }
    }

    /// The hub's end of a new connection.
    pub(crate) fn link(&self, served: &Served, wire: Wire) -> Arc<Link> {
        let Limits { mailbox_max, mailbox_bytes_max, .. } = served.limits;
        let mailbox = Mailbox::new(mailbox_max, mailbox_bytes_max);
        Arc::new(Link::new(self.shared.next_connection(), served.index(), wire, mailbox))
    }
}

/// One address. HTTP front ends and WebSockets may share it. A reload may put others behind it,
/// while it stays open.
pub(crate) struct Door {
    pub(crate) place: Place,
    entrances: watch::Sender<Entrances>,
    state: watch::Sender<State>,
    /// Where those who came in by it are: as it is with the gateway as a whole.
    phase: watch::Sender<Phase>,
}

/// What tells one door from another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// As configured; its port may be 0.
    pub(crate) address: SocketAddr,
    /// Whose it is, where it can be nobody else's: a front end and the key of its listener.
    pub(crate) own: Option<(String, String)>,
}

impl Place {
    fn of_the_operator(address: SocketAddr) -> Self {
        Self { address, own: Some(("admin".into(), "listen".into())) }
    }
}

/// Those behind a door; none: it is the operator's.
type Entrances = Arc<[Arc<Entrance>]>;

/// How it is with listening.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    NotYet,
    Listening(SocketAddr),
    NoMore,
}

/// A listener of a front end, on the address it shares.
pub(crate) struct Entrance {
    pub(crate) served: Arc<Served>,
    pub(crate) listener: Listener,
}

impl Entrance {
    pub(crate) fn is_http(&self) -> bool {
        matches!(self.listener.transport, Transport::Http | Transport::WebSocket)
    }

    fn has(&self, path: &str) -> bool {
        self.listener.routes.iter().any(|route| route.path == path)
    }

    /// The methods of a path.
    pub(crate) fn methods(&self, path: &str) -> Vec<String> {
        let route = self.listener.routes.iter().find(|route| route.path == path);
        route.map_or_else(Vec::new, |route| route.methods.clone())
    }
}

impl Door {
    pub(crate) fn new(place: Place, entrances: Vec<Arc<Entrance>>) -> Self {
        Self {
            place,
            entrances: watch::Sender::new(entrances.into()),
            state: watch::Sender::new(State::NotYet),
            phase: watch::Sender::new(Phase::Serving),
        }
    }

    /// The operator's.
    pub(crate) fn of_the_operator(address: SocketAddr) -> Self {
        Self::new(Place::of_the_operator(address), Vec::new())
    }

    /// The address it listens on, while it does.
    pub(crate) fn bound(&self) -> Option<SocketAddr> {
        match *self.state.borrow() {
            State::Listening(address) => Some(address),
            State::NotYet | State::NoMore => None,
        }
    }

    /// Whether it listens, or will.
    pub(crate) fn is_of_use(&self) -> bool {
        !self.is_closing() && *self.state.borrow() != State::NoMore
    }

    /// Those behind it.
    pub(crate) fn entrances(&self) -> Entrances {
        self.entrances.borrow().clone()
    }

    pub(crate) fn leads_to(&self, served: &Served) -> bool {
        self.entrances.borrow().iter().any(|entrance| entrance.served.index() == served.index())
    }

    /// Puts others behind it: whoever comes from now on comes to them.
    pub(crate) fn lead_to(&self, entrances: Vec<Arc<Entrance>>) {
        let former = self.entrances.send_replace(entrances.into());
        if let Some(bound) = self.bound() {
            self.announce(bound, &former);
        }
    }

    /// Whether no stranger from the internet can come in here.
    pub(crate) fn is_private(&self) -> bool {
        is_private(self.place.address.ip())
    }

    /// Whether it is about to be gone.
    pub(crate) fn is_closing(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// How long those who came in by it are served.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Lets nobody in any more. HTTP connections end with what they are answered.
    pub(crate) fn close(&self) {
        self.phase.send_replace(Phase::Draining);
        self.state.send_if_modified(|state| {
            let never = *state == State::NotYet;
            if never {
                *state = State::NoMore;
            }
            never
        });
    }

    /// Waits until it listens no more, after [`close`](Self::close).
    pub(crate) async fn until_closed(&self) {
        // The sender is part of this, and so is there as long.
        drop(self.state.subscribe().wait_for(|state| *state == State::NoMore).await);
    }

    /// Ends the HTTP connections that are left.
    pub(crate) fn give_up(&self) {
        self.phase.send_replace(Phase::Over);
    }

    /// Whose a request is: the one whose documents are at this path, else the one with this path,
    /// else one that takes every path, else the first.
    pub(crate) fn entrance(&self, path: &str, upgrade: bool) -> Arc<Entrance> {
        let entrances = self.entrances.borrow();
        let is_described = |entrance: &&Arc<Entrance>| {
            http::well_known::document(&entrance.served, path).is_some()
        };
        if let Some(entrance) = entrances.iter().find(is_described).filter(|_| !upgrade) {
            return entrance.clone();
        }
        let is_websocket =
            |entrance: &Entrance| entrance.listener.transport == Transport::WebSocket;
        let upgrade = upgrade && entrances.iter().any(|entrance| is_websocket(entrance));
        let fits = |entrance: &&Arc<Entrance>| is_websocket(entrance) == upgrade;
        let fitting = || entrances.iter().filter(fits);
        let found = fitting().find(|entrance| entrance.has(path));
        let found =
            found.or_else(|| fitting().find(|entrance| entrance.listener.routes.is_empty()));
        found.or_else(|| fitting().next()).unwrap_or(&entrances[0]).clone()
    }

    /// The most patient of those behind it; zero is without end.
    pub(crate) fn handshake_timeout(&self) -> Duration {
        let entrances = self.entrances.borrow();
        let timeouts = entrances.iter().map(|entrance| entrance.served.limits.handshake_timeout);
        let timeouts: Vec<_> = timeouts.collect();
        let endless = timeouts.iter().any(Duration::is_zero);
        if endless { Duration::ZERO } else { timeouts.into_iter().max().unwrap_or_default() }
    }

    /// Takes its address, without listening to anyone yet.
    pub(crate) fn bind(place: &Place) -> io::Result<TcpListener> {
        listen(place.address)
    }

    /// Listens, and lets in whoever comes, until the gateway drains; the operator also then.
    pub(crate) fn open(self: &Arc<Self>, held: &Held) -> io::Result<()> {
        self.open_with(listen(self.place.address)?, held)
    }

    /// The same where its address is taken already.
    pub(crate) fn open_with(
        self: &Arc<Self>,
        listener: TcpListener,
        held: &Held,
    ) -> io::Result<()> {
        let bound = listener.local_addr()?;
        self.state.send_replace(State::Listening(bound));
        self.announce(bound, &[]);
        match self.entrances.borrow().is_empty() {
            true => drop(tokio::spawn(accept_operator(self.clone(), listener, held.loosely()))),
            false => drop(tokio::spawn(accept(self.clone(), listener, held.clone()))),
        }
        Ok(())
    }

    /// Says in the log that it is open, a line each listener, for programs to read. `former` were
    /// behind it before.
    fn announce(&self, bound: SocketAddr, former: &[Arc<Entrance>]) {
        let entrances = self.entrances();
        if entrances.is_empty() {
            tracing::info!(frontend = "admin", listener = "listen", address = %bound, "listening");
        }
        for entrance in entrances.iter() {
            let (frontend, listener) = (&entrance.served.name, &entrance.listener.key);
            let is_it = |former: &Arc<Entrance>| {
                (&former.served.name, &former.listener.key) == (frontend, listener)
            };
            if !former.iter().any(is_it) {
                tracing::info!(frontend, listener, address = %bound, "listening");
            }
        }
    }

    /// Tries to open it until that works, it is closed, or the gateway drains.
    pub(crate) async fn keep_trying(self: Arc<Self>, held: Held) {
        let mut phase = held.shared.phase.subscribe();
        let (mut own_phase, mut entrances) = (self.phase(), self.entrances.subscribe());
        let (mut pause, pause_max) = LISTEN_RETRY;
        loop {
            let behind = entrances.borrow_and_update().clone();
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                _ = entrances.changed() => continue,
                () = deserted(&behind) => return self.close(),
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
                _ = own_phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            }
            match self.open(&held) {
                Ok(()) => return,
                Err(error) => self.complain(&error),
            }
            pause = (pause * 2).min(pause_max);
        }
    }

    /// Says in the log that it could not be opened.
    pub(crate) fn complain(&self, error: &io::Error) {
        let address = self.place.address;
        let entrances = self.entrances();
        if entrances.is_empty() {
            tracing::error!(%address, "the admin listener cannot listen: {error}");
        }
        for entrance in entrances.iter() {
            let (frontend, listener) = (&entrance.served.name, &entrance.listener.key);
            tracing::error!(frontend, listener, %address, "cannot listen: {error}");
        }
    }
}

/// Waits until every one of them was taken down. The operator's door is never deserted.
async fn deserted(entrances: &[Arc<Entrance>]) {
    if entrances.is_empty() {
        return std::future::pending().await;
    }
    for entrance in entrances {
        entrance.served.until_down().await;
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

/// Accepts until the door is closed, deserted, or the gateway drains.
async fn accept(door: Arc<Door>, listener: TcpListener, held: Held) {
    let mut phase = held.shared.phase.subscribe();
    let (mut own_phase, mut entrances) = (door.phase(), door.entrances.subscribe());
    'door: loop {
        let behind = entrances.borrow_and_update().clone();
        let deserted = deserted(&behind);
        let mut deserted = pin!(deserted);
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => break 'door,
                _ = own_phase.wait_for(|phase| *phase >= Phase::Draining) => break 'door,
                _ = entrances.changed() => break,
                () = deserted.as_mut() => break 'door,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => let_in(&door, stream, remote.ip(), &held),
                Err(error) => pause(door.place.address, &error).await,
            }
        }
    }
    drop(listener);
    door.state.send_replace(State::NoMore);
}

async fn accept_operator(door: Arc<Door>, listener: TcpListener, loosely: Loosely) {
    let (mut phase, mut own_phase) = (loosely.shared.phase.subscribe(), door.phase());
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase == Phase::Over) => break,
            _ = own_phase.wait_for(|phase| *phase >= Phase::Draining) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match loosely.held() {
                Some(held) => drop(tokio::spawn(admin::serve(stream, held))),
                None => break,
            },
            Err(error) => pause(door.place.address, &error).await,
        }
    }
    drop(listener);
    door.state.send_replace(State::NoMore);
}

/// Waits until there may be room for another connection.
async fn pause(address: SocketAddr, error: &io::Error) {
    tracing::warn!(%address, "cannot accept a connection for now: {error}");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn let_in(door: &Arc<Door>, stream: TcpStream, remote: IpAddr, held: &Held) {
    // Chat is small packets that somebody waits for. Without it, it is only slower.
    drop(stream.set_nodelay(true));
    let first = door.entrances()[0].clone();
    let served = &first.served;
    if !first.is_http() && !served.allows(remote) {
        served.counters.refused(Limit::Guard);
        return;
    }
    // A proxy stands for many.
    let address = (!held.shared.roster().trusts(remote)).then_some(remote);
    match served.census.admit(address, &served.limits) {
        Err(limit) => {
            served.counters.refused(limit);
            if first.is_http() {
                turn_away(stream, held);
            }
        }
        Ok(permit) => {
            served.counters.opened.add(1);
            if first.is_http() {
                tokio::spawn(http::serve(door.clone(), stream, remote, permit, held.clone()));
            } else {
                converse(door, &first, stream, remote, permit, held);
            }
        }
    }
}

/// The shortest way to say that there are too many. Whoever is turned away is read from for a
/// while: closing with the request unread would have the words lost. Where too many are turned
/// away at once, they are hung up on.
fn turn_away(mut stream: TcpStream, held: &Held) {
    const RESPONSE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    let Ok(turn) = held.shared.turned_away.clone().try_acquire_owned() else { return };
    tokio::spawn(async move {
        let _turn = turn;
        // A new connection has room for it; where it has not, nobody listens.
        if stream.write_all(RESPONSE).await.is_ok() {
            linger(&mut stream).await;
        }
    });
}

fn converse(
    door: &Door,
    entrance: &Entrance,
    stream: TcpStream,
    remote: IpAddr,
    permit: Permit,
    held: &Held,
) {
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

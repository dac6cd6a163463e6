//! Accepts connections.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use frontend_api::{Peer, Transport};
use gateway_fanout::Framing;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::config::ListenAddress;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::bind::{ListenSocket, bind};
use crate::runtime::net::connection::run;
use crate::runtime::net::handshake::{NoHandshake, shake_hands};
use crate::runtime::net::http;
use crate::runtime::net::linger::linger;
use crate::runtime::net::listener::{Acceptance, BoundListener, ListenerBinding};
use crate::runtime::net::proxied::{NoHeader, read_header};
use crate::runtime::net::remote::Remote;
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;
use crate::runtime::net::tcp::{Lines, Tcp};
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::peer_log::{PeerFault, PeerLog};
use crate::runtime::session::stream::StreamSession;

/// Connections that are accepted before others of the thread have their turn: each is some 30 µs'
/// work with its first request, and a thousand opened at once must not delay the others.
const ACCEPTED_PER_TURN: u32 = 8;

/// How long accepting pauses after it failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The first and the longest pause before another attempt to bind an address.
const BIND_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Opens a listener: binds its address and spawns the task that accepts.
pub(crate) type Open = fn(&Arc<BoundListener>, &Arc<GatewayState>) -> io::Result<()>;

/// Opens a listener of front ends.
pub(crate) fn open(listener: &Arc<BoundListener>, state: &Arc<GatewayState>) -> io::Result<()> {
    open_with(listener, bind(&listener.key.address, &listener.acceptance().options)?, state)
}

/// Opens a listener of front ends whose address is bound already.
pub(crate) fn open_with(
    listener: &Arc<BoundListener>,
    socket: ListenSocket,
    state: &Arc<GatewayState>,
) -> io::Result<()> {
    listener.set_open(socket.local_address()?, socket.file_identity());
    state.spawn(accept(listener.clone(), socket, state.clone()));
    Ok(())
}

/// Tries to open a listener until that works, it is closed, or the gateway drains.
pub(crate) async fn retry_bind(listener: Arc<BoundListener>, state: Arc<GatewayState>, open: Open) {
    let mut bindings = listener.watch_bindings();
    let (mut pause, pause_max) = BIND_RETRY;
    loop {
        let current = bindings.borrow_and_update().clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => (),
            _ = bindings.changed() => continue,
            () = until_all_down(&current) => return listener.close(),
            () = state.shutdown.draining() => return,
            () = listener.shutdown.draining() => return,
        }
        match open(&listener, &state) {
            Ok(()) => return,
            Err(error) => listener.log_bind_error(&error),
        }
        pause = (pause * 2).min(pause_max);
    }
}

/// Waits until every front end was taken down; for ever if there is none (the admin listener).
async fn until_all_down(bindings: &[Arc<ListenerBinding>]) {
    if bindings.is_empty() {
        return std::future::pending().await;
    }
    for binding in bindings {
        binding.frontend.until_down().await;
    }
}

/// Accepts until the listener is closed, all its front ends are down, or the gateway drains.
async fn accept(listener: Arc<BoundListener>, socket: ListenSocket, state: Arc<GatewayState>) {
    let mut bindings = listener.watch_bindings();
    let mut turn = Turn::default();
    'open: loop {
        let current = bindings.borrow_and_update().clone();
        let all_down = until_all_down(&current);
        let mut all_down = pin!(all_down);
        loop {
            let accepted = tokio::select! {
                biased;
                () = listener.shutdown.draining() => break 'open,
                _ = bindings.changed() => break,
                () = all_down.as_mut() => break 'open,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if !state.files.admits(stream.descriptor()) => {
                    listener.bindings()[0].frontend.metrics.note_refused(Limit::Connections);
                    drop(stream);
                    let why = io::Error::other("the last open files are kept for other uses");
                    pause(&state, &listener.key.address, &why).await;
                }
                Ok((stream, remote)) => {
                    admit(&listener, stream, remote, &state);
                    turn.count_one().await;
                }
                Err(error) => pause(&state, &listener.key.address, &error).await,
            }
        }
    }
    drop(socket);
    listener.set_closed();
}

/// Counts what is accepted before other tasks of the thread have their turn.
#[derive(Default)]
struct Turn {
    accepted: u32,
}

impl Turn {
    async fn count_one(&mut self) {
        self.accepted = (self.accepted + 1) % ACCEPTED_PER_TURN;
        if self.accepted == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until another connection may be accepted, after an error.
pub(crate) async fn pause(state: &GatewayState, address: &ListenAddress, error: &io::Error) {
    if state.accept_log.admit(address.to_string(), Instant::now()) {
        tracing::warn!(%address, "cannot accept a connection for now: {error}");
    }
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

const NOT_ALLOWED: &str = "`allow` does not have the address";

/// An accepted connection, on its way to a session.
struct Accepted {
    listener: Arc<BoundListener>,
    /// The first of the listener.
    binding: Arc<ListenerBinding>,
    acceptance: Arc<Acceptance>,
    remote: Remote,
    permit: Permit,
}

fn admit(listener: &Arc<BoundListener>, stream: Stream, remote: Remote, state: &Arc<GatewayState>) {
    let binding = listener.bindings()[0].clone();
    let frontend = &binding.frontend;
    let acceptance = listener.acceptance();
    let is_trusted = state.registry().trusts(&remote);
    if let Err(why) = check_guard(&acceptance, &binding, &remote, is_trusted) {
        frontend.metrics.note_refused(Limit::Guard);
        let address = remote.counted_address();
        state.services.peer_log.note(&frontend.name, address, PeerFault::Refused, why);
        return;
    }
    // A proxy stands for many addresses.
    let address = remote.address.filter(|_| !is_trusted);
    match frontend.connections.admit(address, &frontend.limits) {
        Err(full) => {
            frontend.note_full(full);
            if binding.is_http() && acceptance.is_plain() {
                reject(stream, state);
            }
        }
        Ok(permit) => {
            frontend.metrics.opened.add(1);
            let listener = listener.clone();
            let accepted = Accepted { listener, binding, acceptance, remote, permit };
            if accepted.acceptance.is_plain() {
                open_connection(accepted, stream, state);
            } else {
                state.spawn(prepare(accepted, stream, state.clone()));
            }
        }
    }
}

/// Whether the direct peer may connect; if not, why.
fn check_guard(
    acceptance: &Acceptance,
    binding: &ListenerBinding,
    remote: &Remote,
    is_trusted: bool,
) -> Result<(), &'static str> {
    let uids = &acceptance.options.socket.allow_uids;
    if remote.uid.is_some_and(|uid| !uids.is_empty() && !uids.contains(&uid)) {
        return Err("allow_uids does not have the user of the process");
    }
    if acceptance.options.proxy_protocol {
        let why = "proxy_protocol is required, and trusted_proxies does not have the peer";
        return if is_trusted { Ok(()) } else { Err(why) };
    }
    let is_allowed = binding.is_http() || binding.frontend.allows(remote.address);
    if is_allowed { Ok(()) } else { Err(NOT_ALLOWED) }
}

/// What comes before the dialect: the header of a proxy, and the handshake of TLS.
async fn prepare(mut accepted: Accepted, mut stream: Stream, state: Arc<GatewayState>) {
    let frontend = accepted.binding.frontend.clone();
    let draining = accepted.listener.shutdown.clone();
    let limit = frontend.limits.handshake_timeout;
    let limit = if limit.is_zero() { Duration::MAX } else { limit };
    let prepared = async {
        if accepted.acceptance.options.proxy_protocol {
            read_header(&mut stream, &mut accepted.remote).await?;
            accepted.check_client(&state)?;
        }
        match accepted.acceptance.tls.clone() {
            None => Ok(stream),
            Some(tls) => {
                let shared = (&state.handshakes, &*state.challenges);
                let shaken = shake_hands(stream, tls, shared, &mut accepted.remote).await;
                shaken.map_err(Unprepared::NoHandshake)
            }
        }
    };
    let prepared = tokio::select! {
        prepared = timeout(limit, prepared) => prepared.unwrap_or(Err(Unprepared::Late)),
        () = draining.draining() => return,
    };
    match prepared {
        Ok(stream) => open_connection(accepted, stream, &state),
        Err(why) => why.note(&frontend, &accepted.remote, &state.services.peer_log),
    }
}

/// Why a connection did not come to its dialect.
enum Unprepared {
    NoHeader(NoHeader),
    NoHandshake(NoHandshake),
    Late,
    /// The client that the proxy names may not connect; it is counted.
    Refused,
}

impl From<NoHeader> for Unprepared {
    fn from(why: NoHeader) -> Self {
        Self::NoHeader(why)
    }
}

impl Unprepared {
    /// Noise of the internet, and no fault: it is counted, and logged for those who look for it.
    fn note(self, frontend: &FrontendHandle, remote: &Remote, log: &PeerLog) {
        let why = match self {
            Self::Refused
            | Self::NoHeader(NoHeader::Nothing)
            | Self::NoHandshake(NoHandshake::Nothing | NoHandshake::Challenge) => return,
            Self::NoHeader(NoHeader::Wrong(why)) => why,
            Self::NoHandshake(NoHandshake::Failed(error)) => format!("no TLS handshake: {error}"),
            Self::Late => "the handshake took longer than handshake_timeout".into(),
        };
        frontend.metrics.note_refused(Limit::Handshakes);
        log.note(&frontend.name, remote.counted_address(), PeerFault::Malformed, &why);
    }
}

impl Accepted {
    /// Limits and `allow`, for the client that a proxy names.
    fn check_client(&mut self, state: &GatewayState) -> Result<(), Unprepared> {
        let frontend = &self.binding.frontend;
        if !self.binding.is_http() && !frontend.allows(self.remote.address) {
            frontend.metrics.note_refused(Limit::Guard);
            let address = self.remote.counted_address();
            let log = &state.services.peer_log;
            log.note(&frontend.name, address, PeerFault::Refused, NOT_ALLOWED);
            return Err(Unprepared::Refused);
        }
        let is_trusted = state.registry().trusts(&self.remote);
        let address = self.remote.address.filter(|_| !is_trusted);
        self.permit.readdress(address, &frontend.limits).map_err(|full| {
            frontend.note_full(full);
            Unprepared::Refused
        })
    }
}

fn open_connection(accepted: Accepted, stream: Stream, state: &Arc<GatewayState>) {
    let Accepted { listener, binding, remote, permit, .. } = accepted;
    if binding.is_http() {
        state.spawn(http::serve(listener, stream, remote, permit, state.clone()));
    } else {
        open_stream(&listener, &binding, stream, remote, permit, state);
    }
}

/// Answers 503 and lingers: closing with the request unread would discard the answer. If too many
/// are rejected at once, closes without an answer.
fn reject(mut stream: Stream, state: &GatewayState) {
    const RESPONSE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    let Ok(permit) = state.rejections.clone().try_acquire_owned() else { return };
    let stopping = state.services.stopping.clone();
    tokio::spawn(async move {
        let _permit = permit;
        // A new connection has buffer space for it.
        if stream.write_all(RESPONSE).await.is_ok() {
            linger(&mut stream, &stopping).await;
        }
    });
}

fn open_stream(
    listener: &BoundListener,
    binding: &ListenerBinding,
    stream: Stream,
    remote: Remote,
    permit: Permit,
    state: &GatewayState,
) {
    let frontend = &binding.frontend;
    let peer = Peer {
        address: remote.shown_address(),
        proxied: remote.is_proxied || state.registry().trusts(&remote),
        secure: remote.secure,
        certificate: remote.certified_identity(),
        accepts_tokens: state.services.accepts_tokens(),
        private_listener: listener.is_private(),
        listener: binding.listener.key.clone(),
        ..Peer::default()
    };
    let services = state.services.clone();
    let address = remote.counted_address();
    let driver = SessionDriver::open_stream(services, frontend.clone(), peer, address);
    let Ok(driver) = driver else { return };
    if binding.listener.transport == Transport::TcpLines {
        let reservation = state.services.memory_budget.reservation(remote.address);
        let socket = Lines::new(stream, frontend.limits.message_bytes_max, reservation);
        state.spawn(run(permit, socket, StreamSession::new(driver, Framing::Lines)));
    } else {
        let socket = Tcp::new(stream);
        state.spawn(run(permit, socket, StreamSession::new(driver, Framing::Tcp)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_have_their_turn_while_many_connections_are_accepted() {
        let (turns, mut turn) = (Arc::new(std::sync::atomic::AtomicU32::new(0)), Turn::default());
        let counted = turns.clone();
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..4 * ACCEPTED_PER_TURN {
            turn.count_one().await;
        }
        assert_eq!(turns.load(std::sync::atomic::Ordering::Relaxed), 4);
        other.abort();
    }
}

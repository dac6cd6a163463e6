//! Accepts connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use frontend_api::{Peer, Transport};
use gateway_fanout::Framing;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::runtime::limits::Permit;
use crate::runtime::metrics::Limit;
use crate::runtime::net::connection::run;
use crate::runtime::net::http;
use crate::runtime::net::linger::linger;
use crate::runtime::net::listener::{BoundListener, ListenerBinding, bind};
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::tcp::{Lines, Tcp};
use crate::runtime::session::driver::SessionDriver;
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
    open_with(listener, bind(listener.key.address)?, state)
}

/// Opens a listener of front ends whose address is bound already.
pub(crate) fn open_with(
    listener: &Arc<BoundListener>,
    socket: TcpListener,
    state: &Arc<GatewayState>,
) -> io::Result<()> {
    listener.set_open(socket.local_addr()?);
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
async fn accept(listener: Arc<BoundListener>, socket: TcpListener, state: Arc<GatewayState>) {
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
                Ok((stream, remote)) => {
                    admit(&listener, stream, remote.ip(), &state);
                    turn.count_one().await;
                }
                Err(error) => pause(listener.key.address, &error).await,
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
pub(crate) async fn pause(address: SocketAddr, error: &io::Error) {
    tracing::warn!(%address, "cannot accept a connection for now: {error}");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn admit(
    listener: &Arc<BoundListener>,
    stream: TcpStream,
    remote: IpAddr,
    state: &Arc<GatewayState>,
) {
    let first = listener.bindings()[0].clone();
    let frontend = &first.frontend;
    if !first.is_http() && !frontend.allows(Some(remote)) {
        frontend.metrics.note_refused(Limit::Guard);
        return;
    }
    // A proxy stands for many addresses.
    let address = (!state.registry().trusts(remote)).then_some(remote);
    match frontend.connections.admit(address, &frontend.limits) {
        Err(full) => {
            frontend.note_full(full);
            if first.is_http() {
                reject(stream, state);
            }
        }
        Ok(permit) => {
            frontend.metrics.opened.add(1);
            if first.is_http() {
                state.spawn(http::serve(listener.clone(), stream, remote, permit, state.clone()));
            } else {
                open_stream(listener, &first, stream, remote, permit, state);
            }
        }
    }
}

/// Answers 503 and lingers: closing with the request unread would discard the answer. If too many
/// are rejected at once, closes without an answer.
fn reject(mut stream: TcpStream, state: &GatewayState) {
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
    stream: TcpStream,
    remote: IpAddr,
    permit: Permit,
    state: &GatewayState,
) {
    let frontend = &binding.frontend;
    let peer = Peer {
        address: remote.to_canonical().to_string(),
        proxied: state.registry().trusts(remote),
        private_listener: listener.is_private(),
        listener: binding.listener.key.clone(),
        ..Peer::default()
    };
    let services = state.services.clone();
    let address = remote.to_canonical();
    let driver = SessionDriver::open_stream(services, frontend.clone(), peer, address);
    let Ok(driver) = driver else { return };
    if binding.listener.transport == Transport::TcpLines {
        let reservation = state.services.memory_budget.reservation(Some(remote));
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

//! A session of the playground over a stream: the other end of its connection.

use std::sync::{Arc, Weak};

use frontend_api::http::Request;
use frontend_api::{Listener, Peer, Transport};
use futures_util::{SinkExt as _, StreamExt as _};
use gateway_fanout::Framing;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{ADDRESS, Failure};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::connection::run;
use crate::runtime::net::players::{Link, Player, StreamLink};
use crate::runtime::net::state::GatewayState;
use crate::runtime::net::stream::Stream;
use crate::runtime::net::tcp::{Lines, Tcp};
use crate::runtime::net::websocket::WebSocket;
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::stream::StreamSession;
use crate::tap::{Direction, Masker, Reassembly, Shown};

/// Inputs that wait to be written.
const INPUTS_MAX: usize = 64;

/// What is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Opens a session on one end of a pair of sockets.
pub(super) fn connect(
    state: &Arc<GatewayState>,
    frontend: &Arc<FrontendHandle>,
    listener: &Listener,
) -> Result<StreamLink, Failure> {
    let (own, other) = UnixStream::pair().map_err(|error| format!("no sockets: {error}"))?;
    let permit = frontend.connections.admit(Some(ADDRESS), &frontend.limits);
    let permit =
        permit.map_err(|_| format!("{} has as many connections as it may", frontend.name))?;
    let peer = Peer {
        address: ADDRESS.to_string(),
        private_listener: true,
        listener: listener.key.clone(),
        upgrade: (listener.transport == Transport::WebSocket).then(|| Request {
            method: "GET".into(),
            path: "/".into(),
            ..Request::default()
        }),
        ..Peer::default()
    };
    let services = &state.services;
    let driver = SessionDriver::open_stream(services.clone(), frontend.clone(), peer, ADDRESS);
    let driver = driver.map_err(|_| "the front end failed".to_owned())?;
    let reservation = services.memory_budget.reservation(Some(ADDRESS));
    let stream = Stream::Unix(other);
    match listener.transport {
        Transport::WebSocket => {
            let socket = WebSocket::new(stream, Vec::new(), &frontend.limits, reservation);
            state.spawn(run(permit, socket, StreamSession::new(driver, Framing::WebSocket)));
        }
        Transport::TcpLines => {
            let socket = Lines::new(stream, frontend.limits.message_bytes_max, reservation);
            state.spawn(run(permit, socket, StreamSession::new(driver, Framing::Lines)));
        }
        Transport::Tcp | Transport::Http => {
            state.spawn(run(permit, Tcp::new(stream), StreamSession::new(driver, Framing::Tcp)));
        }
    }
    let (inputs, received) = mpsc::channel(INPUTS_MAX);
    Ok(StreamLink {
        transport: listener.transport,
        inputs,
        end: Mutex::new(Some((own, received))),
        sent: Mutex::new(Reassembly::from_the_start()),
    })
}

/// Reads and writes at the client's end, until the session or the connection ends.
pub(super) fn follow(link: &StreamLink, state: &Arc<GatewayState>, player: &Arc<Player>) {
    let Some((end, inputs)) = link.end.lock().take() else { return };
    let mut has_ended = player.log.watch();
    let (gateway, player) = (state.clone(), Arc::downgrade(player));
    let is_websocket = link.transport == Transport::WebSocket;
    state.spawn_background(async move {
        let ended = async { drop(has_ended.wait_for(|newest| newest.has_ended).await) };
        let talk = async {
            if is_websocket {
                messages(&gateway, &player, end, inputs).await;
            } else {
                bytes(&gateway, &player, end, inputs).await;
            }
        };
        tokio::select! {
            () = ended => (),
            () = talk => (),
        }
        if let Some(player) = player.upgrade() {
            player.log.push(gateway.services.clock.now(), vec![Shown::closed()]);
        }
    });
}

pub(super) async fn send_text(
    link: &StreamLink,
    state: &GatewayState,
    player: &Player,
    text: String,
) -> Result<(), Failure> {
    let message = match link.transport {
        Transport::WebSocket => Message::text(text),
        Transport::TcpLines => Message::binary(format!("{text}\r\n").into_bytes()),
        Transport::Tcp | Transport::Http => {
            return Err("this front end takes bytes: send `base64`".into());
        }
    };
    send(link, state, player, message).await
}

pub(super) async fn send_bytes(
    link: &StreamLink,
    state: &GatewayState,
    player: &Player,
    bytes: Vec<u8>,
) -> Result<(), Failure> {
    send(link, state, player, Message::binary(bytes)).await
}

async fn send(
    link: &StreamLink,
    state: &GatewayState,
    player: &Player,
    message: Message,
) -> Result<(), Failure> {
    let shown = match (&message, link.transport) {
        (Message::Text(text), _) => vec![player.masker.text(Direction::In, text)],
        (message, Transport::TcpLines) => {
            let text = String::from_utf8_lossy(&message.clone().into_data()).into_owned();
            lines(&player.masker, Direction::In, &text)
        }
        (message, Transport::Tcp) => {
            let bytes = message.clone().into_data();
            link.sent.lock().push(&player.masker, Direction::In, &bytes)
        }
        (message, _) => {
            vec![player.masker.binary(Direction::In, &message.clone().into_data())]
        }
    };
    player.log.push(state.services.clock.now(), shown);
    let sent = link.inputs.send(message).await;
    sent.map_err(|_| "the connection has ended; open another session".into())
}

async fn messages(
    state: &GatewayState,
    player: &Weak<Player>,
    end: UnixStream,
    mut inputs: mpsc::Receiver<Message>,
) {
    let mut socket = WebSocketStream::from_raw_socket(end, Role::Client, None).await;
    loop {
        let message = tokio::select! {
            input = inputs.recv() => {
                let Some(input) = input else { return };
                if socket.send(input).await.is_err() {
                    return;
                }
                continue;
            }
            message = socket.next() => message,
        };
        let (Some(Ok(message)), Some(player)) = (message, player.upgrade()) else { return };
        let shown = match &message {
            Message::Text(text) => player.masker.text(Direction::Out, text),
            Message::Binary(bytes) => player.masker.binary(Direction::Out, bytes),
            // tungstenite answers pings when it is polled again.
            _ => continue,
        };
        player.log.push(state.services.clock.now(), vec![shown]);
    }
}

async fn bytes(
    state: &GatewayState,
    player: &Weak<Player>,
    mut end: UnixStream,
    mut inputs: mpsc::Receiver<Message>,
) {
    let (mut received, mut unfinished) = (Reassembly::from_the_start(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = tokio::select! {
            input = inputs.recv() => {
                let Some(input) = input else { return };
                if end.write_all(&input.into_data()).await.is_err() {
                    return;
                }
                continue;
            }
            read = end.read(&mut buffer) => read,
        };
        let (Ok(count @ 1..), Some(player)) = (read, player.upgrade()) else { return };
        let bytes = &buffer[..count];
        let is_lines =
            matches!(&player.link, Link::Stream(it) if it.transport == Transport::TcpLines);
        let shown = if is_lines {
            unfinished.extend_from_slice(bytes);
            let last = unfinished.iter().rposition(|byte| *byte == b'\n');
            let whole: Vec<u8> = unfinished.drain(..last.map_or(0, |at| at + 1)).collect();
            let whole = String::from_utf8_lossy(&whole);
            answer_pings(&player, &whole);
            lines(&player.masker, Direction::Out, &whole)
        } else {
            received.push(&player.masker, Direction::Out, bytes)
        };
        player.log.push(state.services.clock.now(), shown);
    }
}

/// Answers the PINGs of irc, as any client does: else the connection would end.
fn answer_pings(player: &Player, text: &str) {
    let Link::Stream(link) = &player.link else { return };
    if player.dialect != "irc" {
        return;
    }
    for token in text.lines().filter_map(|line| line.strip_prefix("PING ")) {
        // One that does not fit is answered with the next.
        drop(link.inputs.try_send(Message::binary(format!("PONG {token}\r\n").into_bytes())));
    }
}

fn lines(masker: &Masker, direction: Direction, text: &str) -> Vec<Shown> {
    let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    lines.filter(|line| !line.is_empty()).map(|line| masker.text(direction, line)).collect()
}

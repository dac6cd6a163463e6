//! floor-ws and floor-durable: a WebSocket message goes to every connection on the same path.
//!
//! tungstenite does the handshake and reads. Each message is framed once, the same bytes are put in
//! every queue, and a queue is written in one call. One task per connection.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::store::{Posted, Store};

/// Frames per write.
const FRAMES_A_WRITE: usize = 64;

/// Size of tungstenite's read buffer: small, because most connections are idle.
const BUFFER_BYTES: usize = 4096;

#[derive(Default)]
struct Rooms {
    peers: RefCell<HashMap<u32, Vec<Rc<Peer>>>>,
}

#[derive(Default)]
struct Peer {
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    waker: Option<Waker>,
}

pub(super) async fn serve(
    listen: SocketAddr,
    tls: Option<TlsAcceptor>,
    store: Option<&Path>,
) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let rooms = Rc::new(Rooms::default());
    let store = match store {
        None => None,
        Some(path) => {
            let (store, mut batches) = Store::open(path)?;
            let rooms = rooms.clone();
            tokio::task::spawn_local(async move {
                while let Some(batch) = batches.recv().await {
                    for posted in batch {
                        rooms.broadcast(posted.room, &posted.text);
                    }
                }
            });
            Some(store)
        }
    };
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (tls, rooms, store) = (tls.clone(), rooms.clone(), store.clone());
        tokio::task::spawn_local(async move {
            match tls {
                None => connection(stream, rooms, store).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, rooms, store).await;
                    }
                }
            }
        });
    }
}

async fn connection<S>(stream: S, rooms: Rc<Rooms>, store: Option<Store>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut room = 0;
    #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let path = |request: &Request, response: Response| {
        room = request.uri().path()[1..].parse().unwrap_or_default();
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0);
    let accepted =
        tokio_tungstenite::accept_hdr_async_with_config(stream, path, Some(config)).await;
    let Ok(mut socket) = accepted else { return };
    let peer = Rc::new(Peer::default());
    rooms.enter(room, peer.clone());
    poll_fn(|cx| {
        loop {
            if peer.poll_write(&mut socket, cx).is_err() {
                return Poll::Ready(());
            }
            match socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => match &store {
                    None => rooms.broadcast(room, text.as_bytes()),
                    Some(store) => store.push(Posted { room, text: text.as_bytes().to_vec() }),
                },
                Poll::Ready(Some(Ok(_))) => (),
                Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    rooms.leave(room, &peer);
}

impl Rooms {
    fn enter(&self, room: u32, peer: Rc<Peer>) {
        self.peers.borrow_mut().entry(room).or_default().push(peer);
    }

    fn leave(&self, room: u32, peer: &Rc<Peer>) {
        if let Some(peers) = self.peers.borrow_mut().get_mut(&room) {
            peers.retain(|other| !Rc::ptr_eq(other, peer));
        }
    }

    fn broadcast(&self, room: u32, text: &[u8]) {
        let frame = frame(text);
        if let Some(peers) = self.peers.borrow().get(&room) {
            for peer in peers {
                let mut queue = peer.queue.borrow_mut();
                queue.frames.push_back(frame.clone());
                if let Some(waker) = queue.waker.take() {
                    waker.wake();
                }
            }
        }
    }
}

impl Peer {
    /// Writes the queue, and registers the task to be woken by the next message.
    fn poll_write<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut WebSocketStream<S>,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let mut queue = self.queue.borrow_mut();
        while !queue.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_A_WRITE];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&queue.frames) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            let stream = Pin::new(socket.get_mut());
            match stream.poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(written) => queue.advance(written?),
                Poll::Pending => break,
            }
        }
        // TLS keeps what the socket did not take.
        if let Poll::Ready(flushed) = Pin::new(socket.get_mut()).poll_flush(cx) {
            flushed?;
        }
        queue.waker = Some(cx.waker().clone());
        Ok(())
    }
}

impl Queue {
    fn advance(&mut self, mut written: usize) {
        while let Some(frame) = self.frames.front_mut() {
            if frame.len() > written {
                frame.advance(written);
                return;
            }
            written -= frame.len();
            self.frames.pop_front();
        }
    }
}

/// A text frame of a server. The texts of a floor are shorter than 64 KiB.
fn frame(text: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(text.len() + 4);
    frame.push(0x81);
    match text.len() {
        len @ 0..=125 => frame.push(len as u8),
        len => {
            frame.push(126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(text);
    frame.into()
}

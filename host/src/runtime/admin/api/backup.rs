//! `POST /api/v1/store/backup` and `…/export`: the store as a stream, while the gateway goes on.

use std::io;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use core_engine::{BackupError, Engine};
use gateway_fanout::Ticket;
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

use super::{Context, Routes};
use crate::admin::types::Nothing;
use crate::admin::{BACKUP_MEDIA_TYPE, BackUpStore, EXPORT_MEDIA_TYPE, ExportStore, Problem};
use crate::runtime::limits::Pace;

/// How long a client may leave a megabyte unread. A backup holds pages of the store that were
/// replaced meanwhile, so it does not wait for ever.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Pieces of about a megabyte between the store and the client.
const PIECES_MAX: usize = 2;

type Piece = io::Result<Frame<Bytes>>;

/// The body of the response.
struct Pieces(Receiver<Piece>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Piece>> {
        self.0.poll_recv(cx)
    }
}

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes
        .raw::<BackUpStore, _, _, _>(back_up, |pieces| streamed(pieces, BACKUP_MEDIA_TYPE))
        .raw::<ExportStore, _, _, _>(export, |pieces| streamed(pieces, EXPORT_MEDIA_TYPE))
}

fn streamed(pieces: Receiver<Piece>, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::new(Pieces(pieces)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn back_up(cx: Context, _: Nothing, _: Nothing) -> Result<Receiver<Piece>, Problem> {
    begin(cx, "backup", |engine, sink| {
        engine.backup(sink).map(|summary| (summary.rows, summary.bytes))
    })
}

async fn export(cx: Context, _: Nothing, _: Nothing) -> Result<Receiver<Piece>, Problem> {
    begin(cx, "export", |engine, sink| {
        engine.export(sink).map(|summary| (summary.records, summary.bytes))
    })
}

/// Takes the pieces of a stream.
type Sink<'a> = &'a mut dyn FnMut(Vec<u8>) -> io::Result<()>;

/// Has `write` begin; its pieces follow. It returns how many rows and bytes it has written.
fn begin(
    cx: Context,
    what: &'static str,
    write: impl FnOnce(&Engine<Ticket>, Sink<'_>) -> Result<(u64, u64), BackupError> + Send + 'static,
) -> Result<Receiver<Piece>, Problem> {
    let state = cx.state;
    let turn = state.backup_turn.clone().try_acquire_owned().map_err(|_| {
        let why = "another backup or export is being made; wait until it is done";
        Problem::new(409, "conflict", why)
    })?;
    if let Some(why) = state.services.engine.problem() {
        return Err(Problem::new(503, "store", format!("the store has failed: {why}")));
    }
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut pace = Pace::begin(|| state.shutdown.is_draining());
        let mut sink = |piece: Vec<u8>| {
            pace.spend(piece.len())?;
            runtime.block_on(send(&sender, Ok(Frame::data(piece.into()))))
        };
        match write(&state.services.engine, &mut sink) {
            Ok((rows, bytes)) => tracing::info!(rows, bytes, "the {what} of the store was sent"),
            Err(error) => {
                tracing::warn!("the {what} of the store was not sent: {error}");
                // Ends the response in the middle, so that the client notices.
                let cut = Err(io::Error::other(error.to_string()));
                drop(runtime.block_on(send(&sender, cut)));
            }
        }
    });
    Ok(pieces)
}

async fn send(sender: &Sender<Piece>, piece: Piece) -> io::Result<()> {
    match timeout(STALL_TIMEOUT, sender.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(io::Error::other("the client has closed the connection")),
        Err(_) => Err(io::Error::other("the client does not read")),
    }
}

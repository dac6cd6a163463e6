//! `POST /api/v1/store/backup` and `…/export`: the store as a stream, while the gateway goes on.

use std::io;

use core_engine::{BackupError, Engine};
use gateway_fanout::Ticket;
use tokio::runtime::Handle;

use super::streamed::{Pieces, pieces, streamed};
use super::{Context, Routes};
use crate::admin::types::Nothing;
use crate::admin::{BACKUP_MEDIA_TYPE, BackUpStore, EXPORT_MEDIA_TYPE, ExportStore, Problem};
use crate::runtime::limits::Pace;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes
        .raw::<BackUpStore, _, _, _>(back_up, |pieces| streamed(pieces, BACKUP_MEDIA_TYPE))
        .raw::<ExportStore, _, _, _>(export, |pieces| streamed(pieces, EXPORT_MEDIA_TYPE))
}

async fn back_up(cx: Context, _: Nothing, _: Nothing) -> Result<Pieces, Problem> {
    begin(cx, "backup", |engine, sink| {
        engine.backup(sink).map(|summary| (summary.rows, summary.bytes))
    })
}

async fn export(cx: Context, _: Nothing, _: Nothing) -> Result<Pieces, Problem> {
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
) -> Result<Pieces, Problem> {
    let state = cx.state;
    let turn = state.backup_turn.clone().try_acquire_owned().map_err(|_| {
        let why = "another backup or export is being made; wait until it is done";
        Problem::new(409, "conflict", why)
    })?;
    if let Some(why) = state.services.engine.problem() {
        return Err(Problem::new(503, "store", format!("the store has failed: {why}")));
    }
    let (sender, pieces) = pieces();
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut pace = Pace::begin(|| state.shutdown.is_draining());
        let mut sink = |piece: Vec<u8>| {
            pace.spend(piece.len())?;
            runtime.block_on(sender.send(piece))
        };
        match write(&state.services.engine, &mut sink) {
            Ok((rows, bytes)) => tracing::info!(rows, bytes, "the {what} of the store was sent"),
            Err(error) => {
                tracing::warn!("the {what} of the store was not sent: {error}");
                runtime.block_on(sender.cut(error.to_string()));
            }
        }
    });
    Ok(pieces)
}

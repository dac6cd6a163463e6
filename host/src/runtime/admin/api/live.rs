//! `GET /api/v1/live`: what the gateway does, as server-sent events.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::streamed::{PieceSender, Pieces, pieces, streamed};
use super::{Context, Routes};
use crate::admin::types::{Nothing, Sample};
use crate::admin::{EVENTS_MEDIA_TYPE, Problem, WatchLive};
use crate::runtime::net::live::Rings;

/// Samples of the history in one piece: some ten kilobytes, written while others of the thread wait.
const SAMPLES_PER_PIECE: usize = 64;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    if !routes.state.peek_registry().console {
        return routes;
    }
    routes.raw::<WatchLive, _, _, _>(open, |pieces| streamed(pieces, EVENTS_MEDIA_TYPE))
}

async fn open(cx: Context, _: Nothing, _: Nothing) -> Result<Pieces, Problem> {
    let streams = cx.state.console.live.streams.clone();
    let permit = streams.try_acquire_owned().map_err(|_| {
        let what = "too many consoles are open; close one";
        Problem::new(503, "overloaded", what)
    })?;
    let (sender, pieces) = pieces();
    let state = cx.state.clone();
    state.clone().spawn_background(async move {
        let _permit = permit;
        // Draining waits for the connection.
        tokio::select! {
            _ = feed(&cx, &sender) => (),
            () = sender.closed() => (),
            () = state.shutdown.draining() => (),
        }
    });
    Ok(pieces)
}

/// Sends samples while the console is on and the client may see them.
async fn feed(cx: &Context, sender: &PieceSender) -> io::Result<()> {
    let (rings, mut newest) = cx.state.console.live.subscribe();
    send_history(&rings, sender).await?;
    drop(rings);
    while newest.changed().await.is_ok() {
        let Some(json) = newest.borrow_and_update().clone() else { break };
        if !cx.is_still_admitted::<WatchLive>() {
            break;
        }
        sender.send([b"event: sample\ndata: ".as_slice(), &json, b"\n\n"].concat()).await?;
    }
    Ok(())
}

async fn send_history(rings: &Rings, sender: &PieceSender) -> io::Result<()> {
    sender.send("event: history\ndata: {\"fine\":[").await?;
    send_samples(&rings.fine, sender).await?;
    sender.send("],\"coarse\":[").await?;
    send_samples(&rings.coarse, sender).await?;
    sender.send("]}\n\n").await
}

async fn send_samples(samples: &VecDeque<Arc<Sample>>, sender: &PieceSender) -> io::Result<()> {
    let mut piece = Vec::new();
    for (at, sample) in samples.iter().enumerate() {
        if at > 0 {
            piece.push(b',');
        }
        serde_json::to_writer(&mut piece, &**sample).expect("a sample is plain data");
        if (at + 1) % SAMPLES_PER_PIECE == 0 {
            sender.send(std::mem::take(&mut piece)).await?;
        }
    }
    sender.send(piece).await
}

//! `GET /api/v1/tap`: the frames of sessions as server-sent events, with their secrets masked.

mod events;
mod viewer;

use std::io;
use std::time::Duration;

use core_model::ConnectionId;
use serde_json::json;
use tokio::time::sleep;

use super::streamed::{PieceSender, Pieces, pieces, streamed};
use super::{Context, Routes, frontends, sessions};
use crate::admin::types::Nothing;
use crate::admin::{EVENTS_MEDIA_TYPE, OpenTap, Problem, network};
use crate::runtime::session::taps::{TAPS_MAX, Tap, TapFilter};
use crate::tap::TapQuery;
pub(super) use events::{COMMENT, event};
use viewer::Viewer;
pub(super) use viewer::shown_of;

/// How often a comment shows that the tap is there, so that a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long frames are gathered before they are shown.
const GATHER: Duration = Duration::from_millis(20);

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.raw::<OpenTap, _, _, _>(open, |pieces| streamed(pieces, EVENTS_MEDIA_TYPE))
}

async fn open(cx: Context, query: TapQuery, _: Nothing) -> Result<Pieces, Problem> {
    let address = query.peer.as_deref().map(network).transpose();
    let network = address.map_err(|why| Problem::invalid(format!("peer: {why}")))?;
    let filter = TapFilter {
        frontend: query.frontend.clone(),
        session: query.session.map(ConnectionId),
        network,
        engine: query.engine,
    };
    check_names(&cx, &query).await?;
    let taps = &cx.state.services.taps;
    // Opened first, so that no sign-in is missed between it and what is read of those before.
    let tap = taps.open(filter).ok_or_else(|| {
        let why = format!("{TAPS_MAX} taps are open; end one of them first");
        Problem::new(409, "conflict", why)
    })?;
    let viewer = Viewer::new(&cx.state, &query).await?;
    let (sender, pieces) = pieces();
    let state = cx.state.clone();
    state.clone().spawn_background(async move {
        tokio::select! {
            // Draining waits for the connection.
            () = state.shutdown.draining() => (),
            () = sender.closed() => (),
            _ = pass_on(&cx, &tap, viewer, &sender) => (),
        }
    });
    Ok(pieces)
}

/// Refuses a tap of what does not exist: it would show nothing, like one of what is idle.
async fn check_names(cx: &Context, query: &TapQuery) -> Result<(), Problem> {
    if let Some(name) = &query.frontend {
        frontends::find(&cx.state, name)?;
    }
    if let Some(name) = &query.room {
        sessions::check_room(&cx.state, name).await?;
    }
    match query.session.map(ConnectionId) {
        Some(id) if !sessions::open(&cx.state).contains_key(&id) => Err(sessions::unknown(id)),
        _ => Ok(()),
    }
}

/// Shows frames while the client reads them and may see them.
async fn pass_on(
    cx: &Context,
    tap: &Tap,
    mut viewer: Viewer,
    sender: &PieceSender,
) -> io::Result<()> {
    sender.send(event("ready", &json!({}))).await?;
    loop {
        tokio::select! {
            biased;
            () = tap.arrived() => (),
            () = sleep(KEEP_ALIVE) => sender.send(COMMENT).await?,
        }
        if !cx.is_still_admitted::<OpenTap>() {
            return Ok(());
        }
        sleep(GATHER).await;
        let taken = tap.take();
        if taken.frames.is_empty() && taken.dropped == 0 {
            continue;
        }
        viewer.refresh(&cx.state).await;
        for raw in taken.frames {
            for frame in viewer.show(&cx.state, raw) {
                sender.send(event("frame", &frame)).await?;
            }
        }
        if taken.dropped > 0 {
            viewer.note_gap();
            sender.send(event("dropped", &json!({ "count": taken.dropped }))).await?;
        }
    }
}

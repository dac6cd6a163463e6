//! `/api/v1/playground/…`.

mod forms;

use std::io;
use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::json;
use tokio::time::{Duration, timeout};

use super::streamed::{PieceSender, Pieces, pieces, streamed};
use super::tap::{COMMENT, event};
use super::{Context, OnGateway, Routes};
use crate::admin::types::{Done, Nothing, Page};
use crate::admin::{
    ClosePlayer, EVENTS_MEDIA_TYPE, ListPlayers, OpenPlayer, PlayerFrames, PlayerInput,
    PlaygroundInput, PlaygroundOpen, PlaygroundSession, PlaygroundStep, Problem,
};
use crate::runtime::net::players::Player;
use crate::runtime::net::playground::{self, Input};
use crate::runtime::net::state::GatewayState;
use crate::tap::{Direction, Shown, TapFrame};

/// How often a comment shows that the session is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes
        .on_gateway::<ListPlayers>()
        .on_gateway::<OpenPlayer>()
        .on_gateway::<PlayerInput>()
        .raw::<PlayerFrames, _, _, _>(frames, |pieces| streamed(pieces, EVENTS_MEDIA_TYPE))
        .on_gateway::<ClosePlayer>()
}

/// Refuses where the playground is off, or the request comes from another machine.
fn check(cx: &Context) -> Result<(), Problem> {
    if !cx.state.registry().playground {
        let what = "the playground is off; set playground = true in [admin]";
        return Err(Problem::new(404, "unknown", what));
    }
    if !cx.peer.is_local {
        let what = "the playground is for requests over a loopback address only";
        return Err(Problem::new(403, "forbidden", what));
    }
    Ok(())
}

fn failed(why: String) -> Problem {
    Problem::new(409, "conflict", why)
}

fn find(cx: &Context) -> Result<Arc<Player>, Problem> {
    check(cx)?;
    let found = cx.path[0].parse().ok().and_then(|id| cx.state.players.find(id));
    found.ok_or_else(|| {
        let detail = format!("there is no session {} in the playground", cx.path[0]);
        Problem::new(404, "unknown", detail).about(&["session"])
    })
}

fn session(player: &Player) -> PlaygroundSession {
    PlaygroundSession {
        id: player.id,
        frontend: player.frontend.clone(),
        dialect: player.dialect.clone(),
        name: player.name.clone(),
        room: player.room().map(|(_, name)| name),
    }
}

impl OnGateway for ListPlayers {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<PlaygroundSession>, Problem> {
        check(&cx)?;
        let players = cx.state.players.all();
        Ok(Page { items: players.iter().map(|player| session(player)).collect(), next: None })
    }
}

impl OnGateway for OpenPlayer {
    async fn run(
        cx: Context,
        _: Nothing,
        wanted: PlaygroundOpen,
    ) -> Result<PlaygroundSession, Problem> {
        check(&cx)?;
        let PlaygroundOpen { frontend, name, room } = wanted;
        let found = cx.state.registry().named(&frontend).cloned();
        let found = found.filter(|frontend| frontend.down().is_none()).ok_or_else(|| {
            let detail = format!("no front end {frontend} serves; list them with `frontend list`");
            Problem::new(404, "unknown", detail).about(&["frontend"])
        })?;
        if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric()) {
            return Err(Problem::invalid(
                "name: give ASCII letters and digits, which fit everywhere",
            ));
        }
        let player = playground::open(&cx.state, &found, &name).await.map_err(failed)?;
        if let Some(room) = room
            && let Err(why) = player.join(&cx.state, &room).await
        {
            cx.state.players.close(player.id);
            return Err(failed(why));
        }
        Ok(session(&player))
    }
}

impl OnGateway for PlayerInput {
    async fn run(
        cx: Context,
        _: Nothing,
        wanted: PlaygroundInput,
    ) -> Result<PlaygroundStep, Problem> {
        let player = find(&cx)?;
        let before = player.log.newest();
        let code = forms::code(&player, &wanted);
        carry_out(&cx.state, &player, wanted).await?;
        let frames = player.log.after(before).into_iter().map(|(_, at, shown)| (at.0, shown));
        let sent: Vec<(u64, Shown)> =
            frames.filter(|(_, shown)| shown.direction == Direction::In).collect();
        Ok(PlaygroundStep {
            curl: sent.iter().filter_map(|(_, it)| forms::curl(&cx.state, &player, it)).collect(),
            code,
            transcript: forms::transcript(&player, &sent),
            frames: sent.into_iter().map(|(_, shown)| shown).collect(),
        })
    }
}

async fn carry_out(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
    wanted: PlaygroundInput,
) -> Result<(), Problem> {
    let PlaygroundInput { join, say, leave, text, base64, http } = wanted;
    let given = [join.is_some(), say.is_some(), leave, text.is_some(), base64.is_some()];
    if given.into_iter().chain([http.is_some()]).filter(|given| *given).count() != 1 {
        let what = "give one of join, say, leave, text, base64 and http";
        return Err(Problem::invalid(what).about(&[""]));
    }
    let done = match (join, say, text, base64, http) {
        (Some(room), ..) => player.join(state, &room).await,
        (_, Some(text), ..) => player.say(state, &text).await,
        (_, _, Some(text), ..) => player.input(state, Input::Text(text)).await,
        (_, _, _, Some(base64), _) => {
            let bytes = BASE64.decode(base64.as_bytes());
            let bytes = bytes.map_err(|why| Problem::invalid(format!("base64: {why}")))?;
            player.input(state, Input::Bytes(bytes)).await
        }
        (.., Some(http)) => {
            player.input(state, Input::Request(Box::new(forms::request(http)))).await
        }
        _ => player.leave(state).await,
    };
    done.map_err(failed)
}

impl OnGateway for ClosePlayer {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Done, Problem> {
        let player = find(&cx)?;
        // What has no words for leaving stays a member.
        drop(player.leave(&cx.state).await);
        cx.state.players.close(player.id);
        Ok(Done {})
    }
}

async fn frames(cx: Context, _: Nothing, _: Nothing) -> Result<Pieces, Problem> {
    let player = find(&cx)?;
    let (sender, pieces) = pieces();
    let state = cx.state.clone();
    state.clone().spawn_background(async move {
        tokio::select! {
            // Draining waits for the connection.
            () = state.shutdown.draining() => (),
            () = sender.closed() => (),
            _ = pass_on(&cx, &player, &sender) => (),
        }
    });
    Ok(pieces)
}

/// Sends what has passed, then what passes, until the session ends.
async fn pass_on(cx: &Context, player: &Player, sender: &PieceSender) -> io::Result<()> {
    let mut newest = player.log.watch();
    let mut shown = 0;
    sender.send(event("ready", &json!({}))).await?;
    loop {
        if !cx.is_still_admitted::<PlayerFrames>() {
            return Ok(());
        }
        for (number, at, frame) in player.log.after(shown) {
            shown = number;
            let frame = TapFrame {
                at_ms: at.0,
                session: player.id,
                frontend: player.frontend.clone(),
                dialect: player.dialect.clone(),
                peer: "127.0.0.1".into(),
                user: Some(player.name.clone()),
                shown: frame,
            };
            sender.send(event("frame", &frame)).await?;
        }
        let arrived = newest.wait_for(|newest| newest.number > shown || newest.has_ended);
        let arrived = timeout(KEEP_ALIVE, arrived).await;
        let has_ended = arrived
            .map(|newest| newest.is_ok_and(|newest| newest.has_ended && newest.number <= shown));
        let has_ended = match has_ended {
            Ok(has_ended) => has_ended,
            Err(_) => {
                sender.send(COMMENT).await?;
                false
            }
        };
        if has_ended {
            return Ok(());
        }
    }
}

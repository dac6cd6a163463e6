//! The playground: real sessions of front ends, whose peer is the gateway itself.
//!
//! A session over a stream has one end of a pair of sockets, as if it were a connection that a listener
//! has accepted; a request over HTTP is an exchange. So what happens is what happens to any client.

mod dialects;
mod http;
mod polling;
mod stream;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use core_model::{AdminCommand, Command, Refusal, RoomId, RoomRef};
use frontend_api::Transport;
use parking_lot::Mutex;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::frame_log::FrameLog;
use crate::runtime::net::players::{Link, Place, Player};
use crate::runtime::net::served::documents;
use crate::runtime::net::state::GatewayState;
use crate::tap::Masker;

/// Sessions at once.
pub(crate) const SESSIONS_MAX: usize = 32;

/// Where the sessions come from.
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Why a step cannot be done, for the operator.
pub(crate) type Failure = String;

/// What goes to the front end as it is.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Text(String),
    Bytes(Vec<u8>),
    Request(Box<frontend_api::http::Request>),
}

/// Opens a session of a front end, and signs it in under a name.
pub(crate) async fn open(
    state: &Arc<GatewayState>,
    frontend: &Arc<FrontendHandle>,
    name: &str,
) -> Result<Arc<Player>, Failure> {
    let id = state.players.next_id(SESSIONS_MAX).ok_or_else(|| {
        format!("{SESSIONS_MAX} sessions of the playground are open; end one first")
    })?;
    let dialect = frontend.frontend.manifest().dialect.clone();
    let described = documents(&state.registry(), frontend);
    let masker = Masker::new(&dialect, described.as_deref().unwrap_or_default());
    let listener = dialects::listener(frontend)
        .ok_or_else(|| format!("{} has no listener that can be played with", frontend.name))?;
    let link = match listener.transport {
        Transport::Http => Link::Http,
        _ => Link::Stream(stream::connect(state, frontend, &listener)?),
    };
    let player = Arc::new(Player {
        id,
        frontend: frontend.name.clone(),
        dialect,
        name: name.to_owned(),
        listener: listener.key.clone(),
        log: FrameLog::default(),
        masker,
        link,
        place: Mutex::new(Place::default()),
    });
    if let Link::Stream(link) = &player.link {
        stream::follow(link, state, &player);
    } else {
        polling::follow(state, &player);
    }
    if let Err(why) = dialects::sign_in(state, &player).await {
        player.log.end();
        return Err(why);
    }
    state.players.add(player.clone());
    Ok(player)
}

impl Player {
    /// Sends what the operator has written.
    pub(crate) async fn input(
        self: &Arc<Self>,
        state: &Arc<GatewayState>,
        input: Input,
    ) -> Result<(), Failure> {
        match (&self.link, input) {
            (Link::Stream(link), Input::Text(text)) => {
                stream::send_text(link, state, self, text).await
            }
            (Link::Stream(link), Input::Bytes(bytes)) => {
                stream::send_bytes(link, state, self, bytes).await
            }
            (Link::Http, Input::Request(request)) => {
                http::ask(state, self, &request).await?;
                Ok(())
            }
            (Link::Stream(_), Input::Request(_)) => {
                Err("this session is no HTTP: send `text` or `base64`".into())
            }
            (Link::Http, _) => Err("this front end is asked over HTTP: send `http`".into()),
        }
    }

    /// Enters a room as the dialect does.
    pub(crate) async fn join(
        self: &Arc<Self>,
        state: &Arc<GatewayState>,
        room: &str,
    ) -> Result<(), Failure> {
        let found = state.services.engine.room(&RoomRef::Name(room.to_owned()));
        let found = found.map_err(|_| format!("there is no room {room}; create it first"))?;
        self.place.lock().room = Some((found.id, found.name.clone()));
        let joined = dialects::join(state, self, found.id, &found.name).await;
        if joined.is_err() {
            self.place.lock().room = None;
        }
        joined
    }

    /// Posts to the room that it has entered.
    pub(crate) async fn say(
        self: &Arc<Self>,
        state: &Arc<GatewayState>,
        text: &str,
    ) -> Result<(), Failure> {
        let (id, name) = self.room().ok_or("the session has entered no room; send `join` first")?;
        dialects::say(state, self, (id, &name), text).await
    }

    /// Leaves the room.
    pub(crate) async fn leave(self: &Arc<Self>, state: &Arc<GatewayState>) -> Result<(), Failure> {
        let Some((id, name)) = self.room() else { return Ok(()) };
        dialects::leave(state, self, (id, &name)).await?;
        self.place.lock().room = None;
        Ok(())
    }

    /// Makes the user a member of a room, where the dialect has no words for that.
    async fn be_added(&self, state: &GatewayState, room: RoomId) -> Result<(), Failure> {
        let user = self.place.lock().user.clone().ok_or("the session has no account")?;
        let join = Command::Join { room: RoomRef::Id(room), user };
        let joined = state.services.submit_of_operator(join).await;
        joined.map(drop).map_err(|refusal| refusal.to_string())
    }

    /// Ends the membership, likewise.
    async fn be_removed(&self, state: &GatewayState, room: RoomId) -> Result<(), Failure> {
        let Some(user) = self.place.lock().user.clone() else { return Ok(()) };
        let room = RoomRef::Id(room);
        let kick = AdminCommand::Kick { room, user, reason: String::new() };
        let kicked = state.services.submit_of_operator(Command::Admin(Box::new(kick))).await;
        match kicked {
            Ok(_) | Err(Refusal::NotInRoom) => Ok(()),
            Err(refusal) => Err(refusal.to_string()),
        }
    }
}

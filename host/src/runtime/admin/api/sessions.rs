//! The open stream connections, and ending them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use core_engine::LiveConnection;
use core_model::{Banned, ConnectionId, Person, Refusal, RoomRef, RoomTag, Uid, UserRef};
use ipnet::IpNet;

use super::{Context, OnGateway, Routes};
use crate::admin::types::{Done, Nothing, Page, Session, SessionQuery};
use crate::admin::{
    CloseSession, Ended, ListAudit, ListSessions, Problem, cursor, in_network, limit, network,
    sign_in_id, with_near,
};
use crate::peer_address;
use crate::runtime::frontends::instance::FrontendInstance;
use crate::runtime::frontends::stream_activity::OpenStream;
use crate::runtime::net::state::GatewayState;
use crate::users::{Failure, Who, rfc3339};

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ListSessions>().on_gateway::<CloseSession>().on_gateway::<ListAudit>()
}

pub(super) type Live = BTreeMap<ConnectionId, LiveConnection>;

/// The people on each connection, read on a thread that may block.
pub(super) async fn live(state: &Arc<GatewayState>) -> Result<Live, Problem> {
    let services = state.services.clone();
    let read = tokio::task::spawn_blocking(move || services.engine.live_connections()).await;
    let failed = |why: String| Problem::new(503, "store", why);
    let read = read.map_err(|error| failed(error.to_string()))?;
    read.map_err(|refusal| failed(refusal.to_string()))
}

/// The open streams of all front ends, by id.
pub(super) fn open(
    state: &GatewayState,
) -> BTreeMap<ConnectionId, (Arc<FrontendInstance>, OpenStream)> {
    let registry = state.registry();
    let streams = registry.instances().flat_map(|instance| {
        let streams = instance.streams().into_iter();
        streams.map(|stream| (stream.handle.id, (instance.clone(), stream)))
    });
    streams.collect()
}

impl OnGateway for ListSessions {
    async fn run(cx: Context, query: SessionQuery, _: Nothing) -> Result<Page<Session>, Problem> {
        let limit = limit(query.limit)?;
        let after: u64 = cursor("after", query.after.as_deref(), 0)?;
        let filter = Filter::of(&cx.state, &query).await?;
        let live = live(&cx.state).await?;
        let open = open(&cx.state);
        let now_ms = cx.state.services.clock.now().0;
        let none = LiveConnection::default();
        let mut items = Vec::new();
        for (id, (instance, stream)) in open.range(ConnectionId(after.saturating_add(1))..) {
            let on = live.get(id).unwrap_or(&none);
            if !filter.takes(instance, stream, on) {
                continue;
            }
            if items.len() == limit {
                let next = items.last().map(|last: &Session| last.id.to_string());
                return Ok(Page { items, next });
            }
            items.push(report(instance, stream, on, now_ms));
        }
        Ok(Page { items, next: None })
    }
}

fn report(
    instance: &FrontendInstance,
    stream: &OpenStream,
    on: &LiveConnection,
    now_ms: u64,
) -> Session {
    let OpenStream { handle, activity } = stream;
    let person = on.user.as_ref().or(on.seats.first().map(|(_, person)| person));
    let secs = |since: u64| now_ms.saturating_sub(since) / 1000;
    Session {
        id: handle.id.0,
        frontend: instance.name.clone(),
        address: peer_address::shown(activity.address),
        user: person.map(|person| person.handle.clone()),
        uid: person.and_then(|person| person.uid).map(|uid| uid.0),
        rooms: room_names(on),
        opened: rfc3339(activity.opened),
        age_s: secs(activity.opened.0),
        idle_s: secs(activity.heard_ms()),
        received: activity.received(),
        sent_bytes: activity.sent_bytes(),
        mailbox: handle.mailbox.depth() as u64,
    }
}

/// Their names, each once: a connection may have several seats in a room.
fn room_names(on: &LiveConnection) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = rooms(on).map(|room| room.name.to_string());
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// The rooms whose messages a connection gets.
pub(super) fn rooms(on: &LiveConnection) -> impl Iterator<Item = &RoomTag> {
    on.seats.iter().map(|(room, _)| room).chain(&on.rooms)
}

/// Which sessions are asked for.
struct Filter {
    frontend: Option<String>,
    person: Option<PersonFilter>,
    room: Option<String>,
    network: Option<IpNet>,
}

pub(super) enum PersonFilter {
    Account(u64),
    Guest(String),
}

impl PersonFilter {
    pub(super) fn is(&self, one: &Person) -> bool {
        match self {
            Self::Account(uid) => one.uid.is_some_and(|it| it.0 == *uid),
            Self::Guest(handle) => one.handle == *handle,
        }
    }
}

impl Filter {
    async fn of(state: &Arc<GatewayState>, query: &SessionQuery) -> Result<Self, Problem> {
        if let Some(name) = &query.frontend {
            super::frontends::find(state, name)?;
        }
        if let Some(name) = &query.room {
            check_room(state, name).await?;
        }
        let address = query.address.as_deref().map(network).transpose();
        Ok(Self {
            frontend: query.frontend.clone(),
            person: query.user.as_deref().map(|text| person(state, text)).transpose()?,
            room: query.room.as_deref().map(core_model::normalize),
            network: address.map_err(|why| Problem::invalid(format!("address: {why}")))?,
        })
    }

    fn takes(&self, instance: &FrontendInstance, stream: &OpenStream, on: &LiveConnection) -> bool {
        let is_of = |frontend: &String| *frontend == instance.name;
        let is_in = |room: &String| rooms(on).any(|tag| *tag.name == **room);
        let address = peer_address::known(stream.activity.address);
        let is_at = |network: &IpNet| address.is_some_and(|address| network.contains(&address));
        let is_person = |person: &PersonFilter| people(on).any(|one| person.is(one));
        self.frontend.as_ref().is_none_or(is_of)
            && self.room.as_ref().is_none_or(is_in)
            && self.network.as_ref().is_none_or(is_at)
            && self.person.as_ref().is_none_or(is_person)
    }
}

/// Refuses the name of a room that does not exist.
pub(super) async fn check_room(state: &Arc<GatewayState>, name: &str) -> Result<(), Problem> {
    let (services, name) = (state.services.clone(), name.to_owned());
    let checked = tokio::task::spawn_blocking(move || {
        let engine = &services.engine;
        let failure = match engine.room(&RoomRef::Name(name.clone())) {
            Ok(_) => return Ok(()),
            Err(Refusal::UnknownRoom) => Failure::UnknownRoom(name),
            Err(refusal) => Failure::of(refusal),
        };
        Err(with_near(engine, failure).into())
    });
    checked.await.map_err(|error| Problem::new(503, "store", error.to_string()))?
}

pub(super) fn unknown(id: ConnectionId) -> Problem {
    let detail = format!("there is no session {id}; list them with `session list`");
    Problem::new(404, "unknown", detail).about(&["session"])
}

pub(super) fn person(state: &GatewayState, text: &str) -> Result<PersonFilter, Problem> {
    if text.starts_with(core_model::GUEST_PREFIX) {
        return Ok(PersonFilter::Guest(text.to_owned()));
    }
    let who: Who = text.parse().map_err(|why| Problem::invalid(format!("user: {why}")))?;
    let services = &state.services;
    let record = services.engine.user_record(services.clock.now(), &who.user_ref());
    let record =
        record.map_err(|refusal| with_near(&services.engine, Failure::about(&who, refusal)))?;
    Ok(PersonFilter::Account(record.user.person.uid.unwrap_or_default().0))
}

/// The people on a connection, once for each seat.
pub(super) fn people(on: &LiveConnection) -> impl Iterator<Item = &Person> {
    let seated = on.seats.iter().map(|(_, person)| &**person);
    on.user.as_deref().into_iter().chain(seated)
}

impl OnGateway for CloseSession {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Done, Problem> {
        let id = cx.path[0].parse().map(ConnectionId);
        let id = id.map_err(|_| {
            let why = format!("{:?} is no session id; expected a whole number", cx.path[0]);
            Problem::invalid(why).about(&["session"])
        })?;
        match open(&cx.state).get(&id) {
            Some((_, stream)) => {
                stream.close();
                Ok(Done {})
            }
            None => Err(unknown(id)),
        }
    }
}

/// Closes the connections that end with an operation.
pub(super) async fn end(state: &Arc<GatewayState>, ended: Ended) {
    match ended {
        Ended::All(whose) => end_all(state, whose).await,
        Ended::SignIn { uid, id } => {
            let proven = |stream: &OpenStream| stream.activity.is_by(|key| sign_in_id(key) == id);
            end_of_user(state, uid, proven).await;
        }
    }
}

/// Closes the connections of a user, of who has an identity, or from a network.
async fn end_all(state: &Arc<GatewayState>, whose: Banned) {
    let services = &state.services;
    let uid = match whose {
        Banned::Network(banned) => {
            let is_banned = |address: IpAddr| in_network(banned, address);
            let open = open(state);
            let within = open.values().filter(|(_, stream)| is_banned(stream.activity.address));
            return within.for_each(|(_, stream)| stream.close());
        }
        Banned::User(uid) => Some(uid),
        Banned::Identity(identity) => {
            let user = UserRef::Identity(identity);
            let record = services.engine.user_record(services.clock.now(), &user);
            record.ok().and_then(|record| record.user.person.uid)
        }
    };
    if let Some(uid) = uid {
        end_of_user(state, uid, |_| true).await;
    }
}

/// Closes those connections of a user for which `is_meant` holds.
async fn end_of_user(state: &Arc<GatewayState>, uid: Uid, is_meant: impl Fn(&OpenStream) -> bool) {
    // Without the store nothing new is admitted either.
    let Ok(live) = live(state).await else { return };
    for (id, (_, stream)) in open(state) {
        let is_of_user = |on: &LiveConnection| people(on).any(|person| person.uid == Some(uid));
        if live.get(&id).is_some_and(is_of_user) && is_meant(&stream) {
            stream.close();
        }
    }
}

impl OnGateway for ListAudit {
    async fn run(
        cx: Context,
        query: crate::admin::types::BeforeQuery,
        _: Nothing,
    ) -> Result<Page<crate::admin::types::AuditEntry>, Problem> {
        let services = cx.state.services.clone();
        let read = tokio::task::spawn_blocking(move || services.audit.page(&query)).await;
        let read = read.map_err(|error| Problem::new(503, "store", error.to_string()))?;
        Ok(read?)
    }
}

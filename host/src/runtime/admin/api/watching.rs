//! `GET …/views` and `GET /api/v1/messages/{message}/trace`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core_engine::{LiveConnection, MessageTrace, ReaderTrace, ReaderWay, TracedMessage};
use core_model::{Message, MessageId, Recipient, RoomRef};

use super::sessions::{Live, live, open, people, rooms};
use super::tap::shown_of;
use super::{Context, OnGateway, Routes};
use crate::admin::types::{Nothing, Page};
use crate::admin::{
    Problem, ReaderState, ReadingWay, StageName, Trace, TraceDelivery, TraceMessage, TraceReader,
    TraceStage, View, ViewRoom, ViewUser, message_report, no_message_id, with_near,
};
use crate::peer_address;
use crate::runtime::admin::maskers::Maskers;
use crate::runtime::admin::observer::{self, Subject};
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::recent::Recent;
use crate::users::{Failure, Who, account};

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ViewRoom>().on_gateway::<ViewUser>().on_gateway::<TraceMessage>()
}

/// Runs what reads the store on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(503, "store", error.to_string()))?
}

fn near(cx: &Context, failure: Failure) -> Failure {
    with_near(&cx.state.services.engine, failure)
}

impl OnGateway for ViewRoom {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<View>, Problem> {
        blocking(move || {
            let room = RoomRef::Name(cx.path[0].clone());
            let subject = Subject::of_room(&cx.state, &room).map_err(|refusal| match refusal {
                core_model::Refusal::UnknownRoom => Failure::UnknownRoom(cx.path[0].clone()),
                refusal => Failure::of(refusal),
            });
            let subject = subject.map_err(|failure| near(&cx, failure))?;
            Ok(views(&cx.state, &subject))
        })
        .await
    }
}

impl OnGateway for ViewUser {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<View>, Problem> {
        let who: Who =
            cx.path[0].parse().map_err(|why| Problem::invalid(format!("user: {why}")))?;
        blocking(move || {
            let subject = Subject::of_user(&cx.state, &who.user_ref());
            let subject = subject.map_err(|refusal| near(&cx, Failure::about(&who, refusal)))?;
            Ok(views(&cx.state, &subject))
        })
        .await
    }
}

fn views(state: &GatewayState, subject: &Subject) -> Page<View> {
    let mut maskers = Maskers::default();
    let registry = state.registry();
    let items = registry.frontends.iter().filter(|frontend| frontend.down().is_none());
    let items = items.map(|frontend| {
        let mut frames = observer::view(state, &mut maskers, frontend, subject);
        if subject.user.is_none() {
            frames.extend(observer::message(state, &mut maskers, frontend, subject).frames);
        }
        View {
            frontend: frontend.name.clone(),
            dialect: frontend.frontend.manifest().dialect.clone(),
            frames,
        }
    });
    Page { items: items.collect(), next: None }
}

impl OnGateway for TraceMessage {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Trace, Problem> {
        let id = cx.path[0].parse().map(MessageId);
        let id = id.map_err(|_| no_message_id(&cx.path[0]))?;
        let live = live(&cx.state).await?;
        blocking(move || {
            let state = &cx.state;
            let found = state.services.engine.trace_message(id).map_err(Failure::of)?;
            let why = match found {
                TracedMessage::Found(found) => return trace(state, &live, found),
                TracedMessage::Removed { is_newer_than_kept: true } => format!(
                    "message {id} was posted, and was deleted, or was more than its room keeps: \
                     older messages have not expired yet"
                ),
                TracedMessage::Removed { is_newer_than_kept: false } => {
                    format!("message {id} was posted, and has expired or was deleted")
                }
                TracedMessage::NeverPosted => format!("there never was a message {id}"),
            };
            Err(Problem::new(404, "unknown", why).about(&["message"]))
        })
        .await
    }
}

fn trace(state: &Arc<GatewayState>, live: &Live, found: MessageTrace) -> Result<Trace, Problem> {
    let MessageTrace { message, readers, is_complete } = found;
    let recent = state.services.recent.find(message.id);
    let mut maskers = Maskers::default();
    let frames_in = recent.as_ref().and_then(|recent| recent.frame.as_ref());
    let frames_in = frames_in.map(|frame| {
        let masker = maskers.of(state, &frame.frontend, &frame.dialect);
        shown_of(&masker, &frame.content)
    });
    let subject = Subject::of_message(state, message.clone()).map_err(Failure::of)?;
    let deliveries = deliveries(state, live, &subject, &message, recent.as_ref());
    let sessions = pushed_to(state, live, &deliveries, &message);
    let readers = readers.into_iter().map(|reader| {
        let is_deleted = is_deleted(state, &reader);
        trace_reader(&reader, &sessions, is_deleted)
    });
    Ok(Trace {
        message: message_report(&message),
        recorded: recent.is_some(),
        stages: recent.as_ref().map(stages).unwrap_or_default(),
        frames_in: frames_in.unwrap_or_default(),
        deliveries,
        readers: readers.collect(),
        readers_complete: is_complete,
    })
}

/// To how many open sessions of each account such a message is pushed.
fn pushed_to(
    state: &GatewayState,
    live: &Live,
    deliveries: &[TraceDelivery],
    message: &Message,
) -> BTreeMap<u64, u32> {
    let mut sessions = BTreeMap::new();
    for (id, (instance, _)) in open(state) {
        let is_pushed = deliveries.iter().any(|it| it.pushed && it.frontend == instance.name);
        let Some(on) = live.get(&id).filter(|on| is_pushed && gets(on, message)) else { continue };
        let uids: BTreeSet<u64> = people(on).filter_map(|one| Some(one.uid?.0)).collect();
        for uid in uids {
            *sessions.entry(uid).or_default() += 1;
        }
    }
    sessions
}

/// Whether the account of a reader was deleted.
fn is_deleted(state: &GatewayState, reader: &ReaderTrace) -> bool {
    let services = &state.services;
    let Some(uid) = reader.user.uid else { return false };
    let record = services.engine.user_record(services.clock.now(), &Who::Uid(uid).user_ref());
    record.is_ok_and(|record| account(&record).deleted)
}

fn trace_reader(
    reader: &ReaderTrace,
    sessions: &BTreeMap<u64, u32>,
    is_deleted: bool,
) -> TraceReader {
    let sessions = reader.user.uid.and_then(|uid| sessions.get(&uid.0)).copied();
    let sessions = sessions.unwrap_or_default();
    let (way, state) = match (reader.way, reader.has) {
        (ReaderWay::Sessions, true) => (ReadingWay::Sessions, ReaderState::Acknowledged),
        (ReaderWay::Device, true) => (ReadingWay::Device, ReaderState::Acknowledged),
        (ReaderWay::Polling, true) => (ReadingWay::Polling, ReaderState::Fetched),
        (ReaderWay::Sessions, false) if is_deleted => (ReadingWay::Sessions, ReaderState::Deleted),
        (ReaderWay::Device, false) if is_deleted => (ReadingWay::Device, ReaderState::Deleted),
        (ReaderWay::Polling, false) if is_deleted => (ReadingWay::Polling, ReaderState::Deleted),
        (ReaderWay::Unknown, _) if is_deleted => (ReadingWay::Unknown, ReaderState::Deleted),
        (ReaderWay::Sessions, false) => (ReadingWay::Sessions, unacknowledged(sessions)),
        (ReaderWay::Device, false) => (ReadingWay::Device, unacknowledged(sessions)),
        (ReaderWay::Polling, false) => (ReadingWay::Polling, ReaderState::Owed),
        (ReaderWay::Unknown, _) => (ReadingWay::Unknown, ReaderState::Unknown),
    };
    TraceReader { user: reader.user.handle.clone(), way, has: reader.has, state, sessions }
}

fn unacknowledged(sessions: u32) -> ReaderState {
    if sessions > 0 { ReaderState::Pending } else { ReaderState::Owed }
}

fn stages(recent: &Recent) -> Vec<TraceStage> {
    let stage =
        |stage, at_us| TraceStage { stage, at_us, frontend: None, connection: None, peer: None };
    let received = recent.frame.as_ref().map(|frame| TraceStage {
        frontend: Some(frame.frontend.clone()),
        connection: Some(recent.connection.0),
        peer: Some(peer_address::shown(frame.address)),
        ..stage(StageName::Received, frame.at.0 * 1000)
    });
    let mut stages = Vec::from_iter(received);
    stages.extend(recent.queued_us.map(|at_us| stage(StageName::Queued, at_us)));
    stages.push(stage(StageName::Taken, recent.taken_us));
    stages.push(stage(StageName::Committed, recent.committed_us));
    stages.extend(recent.fanned_out_us.map(|at_us| stage(StageName::FannedOut, at_us)));
    stages
}

fn deliveries(
    state: &GatewayState,
    live: &Live,
    subject: &Subject,
    message: &Message,
    recent: Option<&Recent>,
) -> Vec<TraceDelivery> {
    let mut maskers = Maskers::default();
    let open = open(state);
    let registry = state.registry();
    let deliveries = registry.frontends.iter().map(|frontend| {
        let observed = observer::message(state, &mut maskers, frontend, subject);
        let own = open.iter().filter(|(_, (instance, _))| instance.name == frontend.name);
        let hears = |id| live.get(id).is_some_and(|on| gets(on, message));
        let audience: Vec<_> = own.filter(|(id, _)| hears(id)).collect();
        let is_guest = |id| live.get(id).is_some_and(|on| people(on).all(|one| one.uid.is_none()));
        let guests = audience.iter().filter(|(id, _)| is_guest(id)).count();
        let sessions = recent.map(|recent| recent.sessions.get(&frontend.name).copied());
        TraceDelivery {
            frontend: frontend.name.clone(),
            dialect: frontend.frontend.manifest().dialect.clone(),
            pushed: observed.is_pushed,
            frames: observed.frames,
            sessions: sessions.map(Option::unwrap_or_default),
            audience: u32::try_from(audience.len()).unwrap_or(u32::MAX),
            guests: u32::try_from(guests).unwrap_or(u32::MAX),
        }
    });
    deliveries.collect()
}

/// Whether a connection gets a message.
fn gets(on: &LiveConnection, message: &Message) -> bool {
    match &message.to {
        Recipient::Room(room) => rooms(on).any(|one| one.id == room.id),
        Recipient::User(person) => people(on).any(|one| one.uid.is_some() && one.uid == person.uid),
    }
}

//! `GET …/views` and `GET /api/v1/messages/{message}/trace`.

use std::sync::Arc;

use core_engine::{LiveConnection, MessageTrace, ReaderWay};
use core_model::{Message, MessageId, Recipient, RoomRef};

use super::sessions::{Live, live, open, people, rooms};
use super::tap::shown_of;
use super::{Context, OnGateway, Routes};
use crate::admin::types::{Nothing, Page};
use crate::admin::{
    Problem, ReadingWay, StageName, Trace, TraceDelivery, TraceMessage, TraceReader, TraceStage,
    View, ViewRoom, ViewUser, message_report,
};
use crate::runtime::admin::maskers::Maskers;
use crate::runtime::admin::observer::{self, Subject};
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::recent::Recent;
use crate::users::{Failure, Who};

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

impl OnGateway for ViewRoom {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<View>, Problem> {
        blocking(move || {
            let room = RoomRef::Name(cx.path[0].clone());
            let subject = Subject::of_room(&cx.state, &room).map_err(|refusal| match refusal {
                core_model::Refusal::UnknownRoom => Failure::UnknownRoom(cx.path[0].clone()),
                refusal => Failure::of(refusal),
            })?;
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
            let subject = subject.map_err(|refusal| Failure::about(&who, refusal))?;
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
        let id = id.map_err(|_| Problem::invalid(format!("{:?} is no message id", cx.path[0])))?;
        let live = live(&cx.state).await?;
        blocking(move || {
            let state = &cx.state;
            let found = state.services.engine.trace_message(id).map_err(Failure::of)?;
            let found = found.ok_or_else(|| {
                Problem::new(404, "unknown", format!("there is no message {id}, or no more"))
            })?;
            trace(state, &live, found)
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
    let readers = readers.into_iter().map(|reader| TraceReader {
        user: reader.user.handle.clone(),
        way: match reader.way {
            ReaderWay::Sessions => ReadingWay::Sessions,
            ReaderWay::Device => ReadingWay::Device,
            ReaderWay::Polling => ReadingWay::Polling,
            ReaderWay::Unknown => ReadingWay::Unknown,
        },
        has: reader.has,
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

fn stages(recent: &Recent) -> Vec<TraceStage> {
    let stage =
        |stage, at_us| TraceStage { stage, at_us, frontend: None, connection: None, peer: None };
    let received = recent.frame.as_ref().map(|frame| TraceStage {
        frontend: Some(frame.frontend.clone()),
        connection: Some(recent.connection.0),
        peer: Some(frame.address.to_string()),
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
        let audience = own.filter(|(id, _)| hears(id)).count();
        let sessions = recent.map(|recent| recent.sessions.get(&frontend.name).copied());
        TraceDelivery {
            frontend: frontend.name.clone(),
            dialect: frontend.frontend.manifest().dialect.clone(),
            pushed: observed.is_pushed,
            frames: observed.frames,
            sessions: sessions.map(Option::unwrap_or_default),
            audience: u32::try_from(audience).unwrap_or(u32::MAX),
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

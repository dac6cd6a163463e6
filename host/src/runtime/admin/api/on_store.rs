//! Operations that need nothing but the store, which the gateway has open.

use std::sync::Arc;

use core_engine::Engine;
use core_model::{Command, Outcome, Timestamp};
use gateway_fanout::Ticket;
use tokio::runtime::Handle;

use super::{Context, Routes, sessions};
use crate::admin::{self, Endpoint as _, OnStore, Problem, Store};
use crate::runtime::session::services::Services;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    let routes = routes
        .on_store::<admin::ListUsers>()
        .on_store::<admin::CreateUser>()
        .on_store::<admin::ShowUser>()
        .on_store::<admin::ChangeUser>()
        .on_store::<admin::DeleteUser>()
        .on_store::<admin::DisableUser>()
        .on_store::<admin::EnableUser>()
        .on_store::<admin::RevokeSignIns>()
        .on_store::<admin::ListSignIns>()
        .on_store::<admin::RevokeSignIn>()
        .on_store::<admin::LinkIdentity>()
        .on_store::<admin::UnlinkIdentity>()
        .on_store::<admin::SetPassword>()
        .on_store::<admin::ExportUser>();
    let routes = routes
        .on_store::<admin::ListBans>()
        .on_store::<admin::PutBan>()
        .on_store::<admin::LiftBan>()
        .on_store::<admin::ListTokens>()
        .on_store::<admin::AddToken>()
        .on_store::<admin::RemoveToken>();
    let routes = routes
        .on_store::<admin::ShowPolicy>()
        .on_store::<admin::ChangePolicy>()
        .on_store::<admin::AddMask>()
        .on_store::<admin::RemoveMask>()
        .on_store::<admin::SetRole>();
    routes
        .on_store::<admin::ListRooms>()
        .on_store::<admin::CreateRoom>()
        .on_store::<admin::ShowRoom>()
        .on_store::<admin::ChangeRoom>()
        .on_store::<admin::DeleteRoom>()
        .on_store::<admin::SetOwner>()
        .on_store::<admin::ListMembers>()
        .on_store::<admin::Kick>()
        .on_store::<admin::Mute>()
        .on_store::<admin::Unmute>()
        .on_store::<admin::ListMessages>()
        .on_store::<admin::SearchMessages>()
        .on_store::<admin::DeleteMessage>()
        .on_store::<admin::Announce>()
        .on_store::<admin::AnnounceToAll>()
        .on_store::<admin::StoreStats>()
}

/// The store of the running gateway. Not to be used on a network thread.
struct OpenStore {
    services: Arc<Services>,
    runtime: Handle,
}

impl Store for OpenStore {
    type Ticket = Ticket;

    fn engine(&self) -> &Engine<Ticket> {
        &self.services.engine
    }

    fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    fn is_running(&self) -> bool {
        true
    }

    fn submit(&self, command: Command) -> Outcome {
        self.runtime.block_on(self.services.submit_of_operator(command))
    }
}

/// The operations after which the banned networks are read again.
const BANS: [&str; 2] = [admin::PutBan::ROW.name, admin::LiftBan::ROW.name];

/// Carries an operation out on a thread that may block, and ends the sessions that end with it.
pub(super) async fn run<E: OnStore>(
    cx: Context,
    query: E::Query,
    body: E::Body,
) -> Result<E::Reply, Problem> {
    let Context { state, path, .. } = cx;
    let store = OpenStore { services: state.services.clone(), runtime: Handle::current() };
    let done =
        tokio::task::spawn_blocking(move || admin::carry_out::<E, _>(&store, &path, query, body))
            .await;
    let failed = |error: tokio::task::JoinError| {
        Problem::new(503, "store", format!("the operation failed: {error}"))
    };
    let reply = done.map_err(failed)??;
    if BANS.contains(&E::ROW.name) {
        let services = state.services.clone();
        let read = move || services.network_bans.read(&services.engine, services.clock.now());
        let read = tokio::task::spawn_blocking(read).await.map_err(failed)?;
        read.map_err(|refusal| {
            let detail = format!(
                "the ban is stored, but what counts of the networks could not be read again: \
                 {refusal}; repeat the operation"
            );
            Problem::new(503, "store", detail)
        })?;
    }
    if let Some(ended) = E::ends(&reply) {
        sessions::end(&state, ended).await;
    }
    Ok(reply)
}

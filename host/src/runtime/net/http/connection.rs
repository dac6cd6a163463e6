//! What all requests of one HTTP connection share.

use std::net::IpAddr;
use std::sync::Arc;

use frontend_api::Peer;
use frontend_api::http::HttpError;
use parking_lot::Mutex;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::Permit;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::listener::{BoundListener, ListenerBinding};
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::exchange::retry_later;

pub(super) struct HttpConnection {
    pub(super) listener: Arc<BoundListener>,
    pub(super) remote: IpAddr,
    pub(super) state: Arc<GatewayState>,
    /// The connection's own permit, for a WebSocket to take over.
    permit: Mutex<Option<Permit>>,
}

impl HttpConnection {
    pub(super) fn new(
        listener: Arc<BoundListener>,
        remote: IpAddr,
        permit: Permit,
        state: Arc<GatewayState>,
    ) -> Self {
        Self { listener, remote, state, permit: Mutex::new(Some(permit)) }
    }

    pub(super) fn peer(&self, binding: &ListenerBinding, caller: Caller) -> Peer {
        Peer {
            address: caller.address.map(|address| address.to_string()).unwrap_or_default(),
            proxied: caller.proxied,
            private_listener: self.listener.is_private(),
            listener: binding.listener.key.clone(),
            upgrade: None,
            connection: None,
        }
    }

    /// The connection's own permit if it is one of this front end, else a new one.
    pub(super) fn permit_for(
        &self,
        frontend: &FrontendHandle,
        caller: Caller,
    ) -> Result<Permit, HttpError> {
        let mut own = self.permit.lock();
        let permit = match own.take_if(|permit| permit.is_of(&frontend.connections)) {
            Some(mut permit) => permit.readdress(caller.address, &frontend.limits).map(|()| permit),
            None => frontend.connections.admit(caller.address, &frontend.limits),
        };
        permit.map_err(|full| {
            frontend.note_full(full);
            retry_later(503, "too many connections", 1_000)
        })
    }
}

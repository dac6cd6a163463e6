//! What all requests of one HTTP connection share.

use std::sync::Arc;

use frontend_api::Peer;
use frontend_api::http::HttpError;
use hyper::header::HeaderValue;
use parking_lot::Mutex;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::Permit;
use crate::runtime::net::http::caller::Caller;
use crate::runtime::net::listener::{BoundListener, ListenerBinding};
use crate::runtime::net::remote::Remote;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::exchange::retry_later;

pub(super) struct HttpConnection {
    pub(super) listener: Arc<BoundListener>,
    pub(super) remote: Remote,
    /// The address of `remote` as text: writing it for each request costs 1,300 instructions of
    /// 29,000.
    remote_text: String,
    pub(super) state: Arc<GatewayState>,
    /// Whether a page of the internet can reach it by a name that it points here: not over TLS, since
    /// the certificate is for other names, and not where connections begin with a proxy's header.
    pub(super) can_be_rebound: bool,
    /// The last host that was asked for and needs no check.
    pub(super) known_host: Mutex<Option<HeaderValue>>,
    /// What responses say of how long browsers are to use https only.
    pub(super) hsts: Option<HeaderValue>,
    /// The connection's own permit, for a WebSocket to take over.
    permit: Mutex<Option<Permit>>,
}

impl HttpConnection {
    pub(super) fn new(
        listener: Arc<BoundListener>,
        remote: Remote,
        permit: Permit,
        state: Arc<GatewayState>,
    ) -> Self {
        let acceptance = listener.acceptance();
        let can_be_rebound = listener.is_private() && acceptance.is_plain();
        let hsts = acceptance.hsts().filter(|_| remote.secure);
        let permit = Mutex::new(Some(permit));
        let remote_text = remote.address.map(|address| address.to_string()).unwrap_or_default();
        let known_host = Mutex::default();
        Self { listener, remote, remote_text, state, can_be_rebound, known_host, hsts, permit }
    }

    pub(super) fn peer(&self, binding: &ListenerBinding, caller: Caller) -> Peer {
        let address = match caller.address {
            address if address == self.remote.address => self.remote_text.clone(),
            Some(address) => address.to_string(),
            None => String::new(),
        };
        Peer {
            address,
            proxied: caller.proxied,
            secure: caller.secure,
            certificate: self.remote.certified_identity(),
            token_identity: None,
            accepts_tokens: self.state.services.accepts_tokens(),
            private_listener: self.listener.is_private(),
            listener: binding.listener.key.clone(),
            upgrade: None,
            connection: None,
        }
    }

    /// Gives the connection's own permit back: a client that has ended its side may connect again as
    /// soon as it sees the end.
    pub(super) fn release(&self) {
        drop(self.permit.lock().take());
    }

    /// The connection's own permit if it is one of this front end, else a new one. Refused: the
    /// connection keeps its own, and stays counted.
    pub(super) fn permit_for(
        &self,
        frontend: &FrontendHandle,
        caller: Caller,
    ) -> Result<Permit, HttpError> {
        let mut own = self.permit.lock();
        let (address, limits) = (caller.address, &frontend.limits);
        let admitted = match own.take_if(|permit| permit.is_of(&frontend.connections)) {
            Some(mut permit) => match permit.readdress(address, limits) {
                Ok(()) => Ok(permit),
                Err(full) => {
                    *own = Some(permit);
                    Err(full)
                }
            },
            None => {
                let new = frontend.connections.admit(address, limits);
                new.inspect(|_| frontend.metrics.opened.add(1))
            }
        };
        admitted.map_err(|full| {
            frontend.note_full(full);
            retry_later(503, "too many connections", 1_000)
        })
    }
}

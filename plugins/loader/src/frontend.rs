//! A front end in a shared library, as the gateway sees it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use core_model::{ConnectionId, Person, Recorded};
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frontend, Manifest, Peer, Session};
use serde_json::{Map, Value};

use crate::deadline::{START_TIMEOUT, within};
use crate::faults::{Faults, PluginFault};
use crate::instance::Instance;
use crate::session::LoadedSession;
use crate::{LoadError, Plugin};

/// A front end in a shared library.
pub struct LoadedFrontend {
    instance: Arc<Instance>,
    manifest: Manifest,
}

impl Plugin {
    /// Makes a front end from its own keys of gateway.toml. Waits at most [`START_TIMEOUT`].
    pub fn frontend(&self, options: &Map<String, Value>) -> Result<LoadedFrontend, LoadError> {
        self.frontend_within(START_TIMEOUT, options)
    }

    /// As [`Plugin::frontend`], with another timeout.
    pub fn frontend_within(
        &self,
        timeout: Duration,
        options: &Map<String, Value>,
    ) -> Result<LoadedFrontend, LoadError> {
        let plugin = self.clone();
        let options = options.clone();
        let start = move || Instance::new(plugin, &options);
        let (instance, manifest) = within(timeout, &self.path, "frontend_new", start)?;
        Ok(LoadedFrontend { instance: Arc::new(instance), manifest })
    }
}

impl LoadedFrontend {
    /// [`Plugin::open`] and [`Plugin::frontend`] in one.
    pub fn open(path: &Path, options: &Map<String, Value>) -> Result<Self, LoadError> {
        Plugin::open(path)?.frontend(options)
    }

    /// Calls `observer` for each fault, on the thread where it happened. Only the first observer
    /// is kept.
    #[must_use]
    pub fn on_fault(self, observer: impl Fn(&PluginFault<'_>) + Send + Sync + 'static) -> Self {
        self.instance.observe(Box::new(observer));
        self
    }

    /// As [`Frontend::open`], without the box: each indirection on the path of a message is a
    /// possible cache miss.
    pub fn session(&self, peer: &Peer) -> LoadedSession {
        LoadedSession::open(self.instance.clone(), peer)
    }

    /// As [`Frontend::schemas`], but says why the plugin could not describe its dialect.
    pub(crate) fn documents(&self) -> Result<Vec<Document>, LoadError> {
        self.instance
            .schemas()
            .map_err(|failure| LoadError::BadSchemas { path: self.path().into(), why: failure.why })
    }

    /// The counters of faults. They stay valid after this front end became a `dyn Frontend`.
    pub fn faults(&self) -> Arc<Faults> {
        self.instance.faults()
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        self.instance.path()
    }
}

impl Frontend for LoadedFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(self.session(peer))
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        let broadcast = self.instance.broadcast(event);
        broadcast.unwrap_or_else(|failure| {
            self.instance.report("frontend_broadcast", &failure);
            Broadcast::Nothing
        })
    }

    fn account_made(&self, account: &Person) -> Vec<ConnectionId> {
        self.instance.account_made(account).unwrap_or_else(|failure| {
            self.instance.report("frontend_account_made", &failure);
            Vec::new()
        })
    }

    fn schemas(&self) -> Vec<Document> {
        self.instance.schemas().unwrap_or_else(|failure| {
            self.instance.report("frontend_schemas", &failure);
            Vec::new()
        })
    }

    fn fault(&self, fault: &HttpError) -> Response {
        let response = self.instance.fault(fault).unwrap_or_else(|failure| {
            self.instance.report("frontend_fault", &failure);
            None
        });
        response.unwrap_or_else(|| Response::text(fault.status, &fault.reason))
    }
}

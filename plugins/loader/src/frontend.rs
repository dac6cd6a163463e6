//! A front end that a plugin made.

use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use core_model::Recorded;
use frontend_api::http::{self, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frame, Frontend, Manifest, Peer, Session};
use plugin_abi::{GW_ASK, GW_EVERYONE, GW_OK, GwBytes, GwFrontend};
use serde_json::{Map, Value};

use crate::call::{Failure, Nothing, call};
use crate::encode::{with_event, with_json};
use crate::faults::{Faults, PluginFault};
use crate::session::LoadedSession;
use crate::{LoadError, Plugin};

/// A front end in a shared library.
pub struct LoadedFrontend {
    instance: Arc<Instance>,
    manifest: Manifest,
}

/// What is told of each fault.
type Observer = Box<dyn Fn(&PluginFault<'_>) + Send + Sync>;

/// The plugin's own front end, which must outlive its sessions.
pub(crate) struct Instance {
    pub(crate) plugin: Plugin,
    frontend: NonNull<GwFrontend>,
    dialect: String,
    faults: Arc<Faults>,
    observer: OnceLock<Observer>,
}

// SAFETY: the contract lets the front end's functions be called from any thread, several at a
// time.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl LoadedFrontend {
    /// [`Plugin::open`] and [`Plugin::frontend`] in one.
    pub fn open(path: &Path, options: &Map<String, Value>) -> Result<Self, LoadError> {
        Plugin::open(path)?.frontend(options)
    }

    pub(crate) fn new(plugin: Plugin, options: &Map<String, Value>) -> Result<Self, LoadError> {
        let path = || plugin.path.to_path_buf();
        let (frontend, made) = with_json(options, |options| {
            // SAFETY: the table keeps to the contract; the options are borrowed for the call.
            call(Nothing, |host, emit| unsafe {
                (plugin.table.frontend_new)(GwBytes::new(options), host, emit)
            })
        });
        let Some(frontend) = NonNull::new(frontend) else {
            return Err(LoadError::WouldNotStart { path: path(), faults: made.into_reasons() });
        };
        let (dialect, faults) = (String::new(), Arc::default());
        let mut instance =
            Instance { plugin, frontend, dialect, faults, observer: OnceLock::new() };
        let manifest = instance.manifest()?;
        instance.dialect.clone_from(&manifest.dialect);
        Ok(Self { instance: Arc::new(instance), manifest })
    }

    /// Has `observer` told of each fault, on the thread where it happened. The first observer
    /// stays.
    #[must_use]
    pub fn on_fault(self, observer: impl Fn(&PluginFault<'_>) + Send + Sync + 'static) -> Self {
        let _ = self.instance.observer.set(Box::new(observer));
        self
    }

    /// As [`Frontend::open`], for whoever has a place for the session: it is on the way of every
    /// message, and each further place is one more that is not in the processor's cache.
    pub fn session(&self, peer: &Peer) -> LoadedSession {
        LoadedSession::open(self.instance.clone(), peer)
    }

    /// The documents that describe it, as [`Frontend::schemas`] gives them; refused: why there are
    /// none.
    pub(crate) fn documents(&self) -> Result<Vec<Document>, LoadError> {
        let path = || self.path().to_path_buf();
        self.instance
            .schemas()
            .map_err(|failure| LoadError::BadSchemas { path: path(), why: failure.why })
    }

    /// The counters, which go on after this front end was given away as `dyn Frontend`.
    pub fn faults(&self) -> Arc<Faults> {
        self.instance.faults.clone()
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.instance.plugin.path
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

    fn schemas(&self) -> Vec<Document> {
        self.instance.schemas().unwrap_or_else(|failure| {
            self.instance.report("frontend_schemas", &failure);
            Vec::new()
        })
    }

    fn fault(&self, fault: &http::HttpError) -> Response {
        let response = self.instance.fault(fault).unwrap_or_else(|failure| {
            self.instance.report("frontend_fault", &failure);
            None
        });
        response.unwrap_or_else(|| Response::text(fault.status, &fault.reason))
    }
}

impl Instance {
    pub(crate) fn frontend(&self) -> *mut GwFrontend {
        self.frontend.as_ptr()
    }

    fn manifest(&self) -> Result<Manifest, LoadError> {
        // SAFETY: the front end was made by this table and is not freed.
        let (code, done) = call(None, |host, emit| unsafe {
            (self.plugin.table.frontend_manifest)(self.frontend(), host, emit)
        });
        let why = match done.end(code, GW_OK) {
            Ok((_, Some(manifest))) => return Ok(manifest),
            Ok((_, None)) => "there is none".into(),
            Err(failure) => failure.why,
        };
        Err(LoadError::BadManifest { path: self.plugin.path.to_path_buf(), why })
    }

    fn broadcast(&self, event: &Recorded) -> Result<Broadcast, Failure> {
        let Some(broadcast) = self.plugin.table.frontend_broadcast else {
            return Ok(Broadcast::Nothing);
        };
        let (code, done) = with_event(event, |event| {
            // SAFETY: as above; the event is borrowed for the call.
            call(None::<Frame>, |host, emit| unsafe {
                broadcast(self.frontend(), GwBytes::new(event), host, emit)
            })
        });
        match done.end(code, GW_ASK)? {
            (GW_OK, _) => Ok(Broadcast::Nothing),
            (GW_ASK, _) => Ok(Broadcast::PerSession),
            (_, None) => Err(Failure::malformed("it emitted no frame for anyone")),
            (GW_EVERYONE, Some(frame)) => Ok(Broadcast::Everyone(frame)),
            (_, Some(frame)) => Ok(Broadcast::Others(frame)),
        }
    }

    fn schemas(&self) -> Result<Vec<Document>, Failure> {
        let Some(describe) = self.plugin.table.frontend_schemas else { return Ok(Vec::new()) };
        // SAFETY: as above.
        let (code, done) =
            call(Vec::new(), |host, emit| unsafe { describe(self.frontend(), host, emit) });
        done.end(code, GW_OK).map(|(_, documents)| documents)
    }

    /// None: the plugin has nothing to say about faults.
    fn fault(&self, fault: &http::HttpError) -> Result<Option<Response>, Failure> {
        let Some(say) = self.plugin.table.frontend_fault else { return Ok(None) };
        let (code, done) = with_json(fault, |fault| {
            // SAFETY: as above; the fault is borrowed for the call.
            call(None::<Response>, |host, emit| unsafe {
                say(self.frontend(), GwBytes::new(fault), host, emit)
            })
        });
        match done.end(code, GW_OK)? {
            (_, None) => Err(Failure::malformed("it emitted no response")),
            (_, response) => Ok(response),
        }
    }

    /// Counts a failure, and tells of it.
    pub(crate) fn report(&self, function: &'static str, failure: &Failure) {
        self.faults.count(failure.kind);
        if let Some(observer) = self.observer.get() {
            let (plugin, path) = (self.dialect.as_str(), &*self.plugin.path);
            observer(&PluginFault {
                plugin,
                path,
                function,
                kind: failure.kind,
                why: &failure.why,
            });
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: it was made by this table, and every session of it is freed: each holds this.
        unsafe { (self.plugin.table.frontend_free)(self.frontend()) }
    }
}

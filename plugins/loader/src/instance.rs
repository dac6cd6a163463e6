//! One front end that a plugin made, and the calls into it.

use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use core_model::{ConnectionId, Person, Recorded};
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frame, Manifest, OptionFault};
use plugin_abi::{GW_ASK, GW_EVERYONE, GW_OK, GwBytes, GwFrontend};
use serde_json::{Map, Value};

use crate::call::{Failure, Nothing, call};
use crate::encode::{with_event, with_json};
use crate::faults::{Faults, PluginFault};
use crate::table::Table;
use crate::{LoadError, Plugin};

/// Called for each fault.
type Observer = Box<dyn Fn(&PluginFault<'_>) + Send + Sync>;

/// The plugin's own front end. Each session holds an `Arc` of it, so that it outlives them.
pub(crate) struct Instance {
    plugin: Plugin,
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

impl Instance {
    /// Has the plugin make a front end, and asks it for its manifest.
    pub(crate) fn new(
        plugin: Plugin,
        options: &Map<String, Value>,
    ) -> Result<(Self, Manifest), LoadError> {
        let (frontend, done) = with_json(options, |options| {
            // SAFETY: the table keeps to the contract; the options are borrowed for the call.
            call(Nothing, |host, emit| unsafe {
                (plugin.table.frontend_new)(GwBytes::new(options), host, emit)
            })
        });
        let path = plugin.path.to_path_buf();
        let Some(frontend) = NonNull::new(frontend) else {
            return Err(LoadError::WouldNotStart { path, faults: done.into_reasons() });
        };
        let mut instance = Self {
            plugin,
            frontend,
            dialect: String::new(),
            faults: Arc::default(),
            observer: OnceLock::new(),
        };
        if let Err(failure) = done.end(GW_OK, GW_OK) {
            let faults = vec![OptionFault::new("", failure.why)];
            return Err(LoadError::WouldNotStart { path, faults });
        }
        let manifest = instance.manifest()?;
        instance.dialect.clone_from(&manifest.dialect);
        Ok((instance, manifest))
    }

    pub(crate) fn frontend(&self) -> *mut GwFrontend {
        self.frontend.as_ptr()
    }

    pub(crate) fn table(&self) -> &Table {
        &self.plugin.table
    }

    pub(crate) fn path(&self) -> &Path {
        &self.plugin.path
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        self.faults.clone()
    }

    /// Sets the observer, unless there is one.
    pub(crate) fn observe(&self, observer: Observer) {
        let _ = self.observer.set(observer);
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

    pub(crate) fn broadcast(&self, event: &Recorded) -> Result<Broadcast, Failure> {
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

    pub(crate) fn schemas(&self) -> Result<Vec<Document>, Failure> {
        let Some(describe) = self.plugin.table.frontend_schemas else { return Ok(Vec::new()) };
        // SAFETY: as above.
        let (code, done) =
            call(Vec::new(), |host, emit| unsafe { describe(self.frontend(), host, emit) });
        done.end(code, GW_OK).map(|(_, documents)| documents)
    }

    pub(crate) fn account_made(&self, account: &Person) -> Result<Vec<ConnectionId>, Failure> {
        let Some(tell) = self.plugin.table.frontend_account_made else { return Ok(Vec::new()) };
        let (code, done) = with_json(account, |account| {
            // SAFETY: as above; the account is borrowed for the call.
            call(Vec::new(), |host, emit| unsafe {
                tell(self.frontend(), GwBytes::new(account), host, emit)
            })
        });
        done.end(code, GW_OK).map(|(_, woken)| woken)
    }

    /// `None`: the plugin leaves the response to the host.
    pub(crate) fn fault(&self, fault: &HttpError) -> Result<Option<Response>, Failure> {
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

    /// Counts a failure and gives it to the observer.
    pub(crate) fn report(&self, function: &'static str, failure: &Failure) {
        self.faults.count(failure.kind);
        if let Some(observer) = self.observer.get() {
            observer(&PluginFault {
                plugin: &self.dialect,
                path: self.path(),
                function,
                kind: failure.kind,
                why: &failure.why,
            });
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: this table made it, and its sessions are freed: each holds an `Arc` of this.
        unsafe { (self.plugin.table.frontend_free)(self.frontend()) }
    }
}

//! A session that a plugin opened.

use std::ptr::NonNull;
use std::sync::Arc;

use core_model::Timestamp;
use frontend_api::{Input, Outbox, Peer, Session};
use plugin_abi::{GW_OK, GwBytes, GwSession};

use crate::call::{Failure, Nothing, call};
use crate::encode::{with_input, with_json};
use crate::instance::Instance;

/// A session in a shared library.
pub struct LoadedSession {
    instance: Arc<Instance>,
    /// `None`: the plugin could not open it.
    session: Option<NonNull<GwSession>>,
    /// After a failure the state of the session is undefined, and only `session_free` is called.
    failed: bool,
}

// SAFETY: the contract lets any thread call a session, one at a time.
unsafe impl Send for LoadedSession {}

impl LoadedSession {
    pub(crate) fn open(instance: Arc<Instance>, peer: &Peer) -> Self {
        let (session, done) = with_json(peer, |peer| {
            // SAFETY: the front end was made by this table; the peer is borrowed for the call.
            call(Nothing, |host, emit| unsafe {
                let open = instance.table().session_open;
                open(instance.frontend(), GwBytes::new(peer), host, emit)
            })
        });
        let session = NonNull::new(session);
        let failure = match session {
            None => Some(done.failed()),
            Some(_) => done.end(GW_OK, GW_OK).err(),
        };
        if let Some(failure) = &failure {
            instance.report("session_open", failure);
        }
        Self { instance, session, failed: failure.is_some() }
    }

    fn call(
        &self,
        session: NonNull<GwSession>,
        now: Timestamp,
        input: Input<'_>,
        out: &mut Outbox,
    ) -> Result<(), Failure> {
        let handle = self.instance.table().session_handle;
        let (code, done) = with_input(input, |kind, payload, body| {
            let payload = GwBytes::new(payload);
            let body = GwBytes::new(body);
            // SAFETY: this table opened the session, which is not freed yet; `&mut self` of the
            // caller excludes other calls; payload and body are borrowed for the call.
            call(out, |host, emit| unsafe {
                handle(session.as_ptr(), now.0, kind, payload, body, host, emit)
            })
        });
        done.end(code, GW_OK).map(drop)
    }
}

impl Session for LoadedSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        let (false, Some(session)) = (self.failed, self.session) else {
            return out.close();
        };
        let before = out.len();
        if let Err(failure) = self.call(session, now, input, out) {
            self.failed = true;
            self.instance.report("session_handle", &failure);
            out.truncate(before);
            out.close();
        }
    }

    fn has_failed(&self) -> bool {
        self.failed
    }
}

impl Drop for LoadedSession {
    fn drop(&mut self) {
        if let Some(session) = self.session {
            // SAFETY: this table opened it, and it is freed only here.
            unsafe { (self.instance.table().session_free)(session.as_ptr()) }
        }
    }
}

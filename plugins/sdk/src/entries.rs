//! The functions of the table. Each only converts pointers and calls the front end.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::ptr;
use std::sync::Once;

use core_model::Timestamp;
use frontend_api::{Configure, Outbox, Output, Peer, Session};
use plugin_abi::{GW_OK, GW_OUT_MANIFEST, GW_PANICKED};
use plugin_abi::{GwBytes, GwEmit, GwFrontend, GwHost, GwSession};

use crate::host::{Failed, Host};
use crate::input;

thread_local! {
    /// Where this thread last panicked: `src/lib.rs:7:5`.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// A thin pointer to a fat one: `Box<dyn Session>` does not fit in a `void *`.
type SessionCell = Box<dyn Session>;

pub(crate) unsafe extern "C" fn frontend_new<F: Configure>(
    options: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> *mut GwFrontend {
    let host = Host::new(host, emit);
    let made = guard(&host, || {
        note_where_panics_are();
        // SAFETY: the options are borrowed for this call.
        let options = unsafe { options.as_slice() };
        let options = serde_json::from_slice(options).map_err(|error| {
            Failed::malformed(format!("the options are not an object: {error}"))
        })?;
        match frontend_api::options::configure::<F>(options) {
            Ok(frontend) => Ok(Box::into_raw(Box::new(frontend)).cast()),
            Err(faults) => {
                faults.iter().for_each(|fault| host.reason(&fault.why, &fault.key));
                Ok(ptr::null_mut())
            }
        }
    });
    made.unwrap_or(ptr::null_mut())
}

pub(crate) unsafe extern "C" fn frontend_manifest<F: Configure>(
    frontend: *mut GwFrontend,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    let host = Host::new(host, emit);
    code(guard(&host, || {
        // SAFETY: the host passes back what `frontend_new` returned.
        let frontend = unsafe { &*frontend.cast::<F>() };
        host.emit_json(GW_OUT_MANIFEST, frontend.manifest(), &[])?;
        Ok(GW_OK)
    }))
}

pub(crate) unsafe extern "C" fn frontend_free<F: Configure>(frontend: *mut GwFrontend) {
    // SAFETY: the host frees what `frontend_new` returned, once.
    free(|| drop(unsafe { Box::from_raw(frontend.cast::<F>()) }));
}

pub(crate) unsafe extern "C" fn frontend_broadcast<F: Configure>(
    frontend: *mut GwFrontend,
    event: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    let host = Host::new(host, emit);
    code(guard(&host, || {
        // SAFETY: the host passes back what `frontend_new` returned; the event is borrowed.
        let (frontend, event) = unsafe { (&*frontend.cast::<F>(), event.as_slice()) };
        match input::event(event)? {
            Some(event) => host.broadcast(frontend.broadcast(&event)),
            None => Ok(GW_OK),
        }
    }))
}

pub(crate) unsafe extern "C" fn frontend_fault<F: Configure>(
    frontend: *mut GwFrontend,
    fault: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    let host = Host::new(host, emit);
    code(guard(&host, || {
        // SAFETY: the host passes back what `frontend_new` returned; the fault is borrowed.
        let (frontend, fault) = unsafe { (&*frontend.cast::<F>(), fault.as_slice()) };
        let fault = input::json("a fault", fault)?;
        host.respond(&frontend.fault(&fault))?;
        Ok(GW_OK)
    }))
}

pub(crate) unsafe extern "C" fn frontend_schemas<F: Configure>(
    frontend: *mut GwFrontend,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    let host = Host::new(host, emit);
    code(guard(&host, || {
        // SAFETY: the host passes back what `frontend_new` returned.
        let frontend = unsafe { &*frontend.cast::<F>() };
        frontend.schemas().iter().try_for_each(|document| host.document(document))?;
        Ok(GW_OK)
    }))
}

pub(crate) unsafe extern "C" fn frontend_account_made<F: Configure>(
    frontend: *mut GwFrontend,
    account: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    let host = Host::new(host, emit);
    code(guard(&host, || {
        // SAFETY: the host passes back what `frontend_new` returned; the account is borrowed.
        let (frontend, account) = unsafe { (&*frontend.cast::<F>(), account.as_slice()) };
        let account = input::json("an account", account)?;
        let woken = frontend.account_made(&account).into_iter();
        woken.map(Output::Wake).try_for_each(|wake| host.output(wake))?;
        Ok(GW_OK)
    }))
}

pub(crate) unsafe extern "C" fn session_open<F: Configure>(
    frontend: *mut GwFrontend,
    peer: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> *mut GwSession {
    let host = Host::new(host, emit);
    let opened = guard(&host, || {
        // SAFETY: the host passes back what `frontend_new` returned; the peer is borrowed.
        let (frontend, peer) = unsafe { (&*frontend.cast::<F>(), peer.as_slice()) };
        let peer: Peer = input::json("a peer", peer)?;
        let cell: Box<SessionCell> = Box::new(frontend.open(&peer));
        Ok(Box::into_raw(cell).cast())
    });
    opened.unwrap_or(ptr::null_mut())
}

pub(crate) unsafe extern "C" fn session_handle(
    session: *mut GwSession,
    now_ms: u64,
    kind: u32,
    payload: GwBytes,
    body: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    let host = Host::new(host, emit);
    code(guard(&host, || {
        // SAFETY: the host passes back what `session_open` returned, one call at a time.
        let session = unsafe { &mut *session.cast::<SessionCell>() };
        // SAFETY: both are borrowed for this call.
        let (payload, body) = unsafe { (payload.as_slice(), body.as_slice()) };
        let mut out = Outbox::default();
        input::read(kind, payload, body, |input| {
            session.handle(Timestamp(now_ms), input, &mut out);
        })?;
        out.drain().try_for_each(|output| host.output(output))?;
        Ok(GW_OK)
    }))
}

pub(crate) unsafe extern "C" fn session_free(session: *mut GwSession) {
    // SAFETY: the host frees what `session_open` returned, once.
    free(|| drop(unsafe { Box::from_raw(session.cast::<SessionCell>()) }));
}

/// Catches panics, which must not unwind into the host, and reports them as reasons.
fn guard<T>(host: &Host, work: impl FnOnce() -> Result<T, Failed>) -> Result<T, i32> {
    let failed = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(failed)) => failed,
        Err(panic) => {
            let why = (panic.downcast_ref::<&str>().copied())
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("no words");
            let place = PLACE.take().unwrap_or_else(|| "an unknown place".into());
            let failed = Failed { code: GW_PANICKED, why: format!("panicked at {place}: {why}") };
            // Dropping the payload could panic again, outside `catch_unwind`.
            std::mem::forget(panic);
            failed
        }
    };
    if !failed.why.is_empty() {
        host.reason(&failed.why, "");
    }
    Err(failed.code)
}

/// Records where each thread last panicked: the payload of a panic does not have its location.
fn note_where_panics_are() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |panic| {
            PLACE.set(panic.location().map(ToString::to_string));
            previous(panic);
        }));
    });
}

fn code(result: Result<i32, i32>) -> i32 {
    result.unwrap_or_else(|code| code)
}

/// Ignores a panic: the functions that free have no way to report one.
fn free(work: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
        std::mem::forget(panic);
    }
}

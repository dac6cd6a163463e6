//! Faults that the Rust SDK does not let a front end commit.

use std::sync::Once;

use plugin_sdk::abi::{
    GW_EVERYONE, GW_IN_TEXT, GW_MALFORMED, GW_OK, GW_OUT_CALL, GW_OUT_DOCUMENT, GW_OUT_MANIFEST,
    GW_OUT_RESPOND, GW_OUT_SEND_BYTES, GW_OUT_SEND_TEXT, GwBytes, GwEmit, GwFrontend, GwHost,
    GwPlugin, GwSession,
};

use crate::Faulty;

/// The correct table.
const PROPER: GwPlugin = plugin_sdk::table::<Faulty>();

/// The correct table with some functions replaced.
static TABLE: GwPlugin = GwPlugin {
    frontend_new: Some(frontend_new),
    frontend_manifest: Some(frontend_manifest),
    frontend_broadcast: Some(frontend_broadcast),
    frontend_fault: Some(frontend_fault),
    frontend_schemas: Some(frontend_schemas),
    frontend_account_made: Some(frontend_account_made),
    session_open: Some(session_open),
    session_handle: Some(session_handle),
    ..PROPER
};

// SAFETY: nothing else in this library has this name.
#[unsafe(no_mangle)]
extern "C" fn gw_plugin_v1() -> *const GwPlugin {
    // Its panics are intended; do not print them among the results of tests.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    &TABLE
}

/// The host, within one call.
#[derive(Clone, Copy)]
struct Host {
    host: *mut GwHost,
    emit: GwEmit,
}

impl Host {
    fn emit(self, kind: u32, payload: &[u8]) -> i32 {
        self.emit_raw(kind, GwBytes::new(payload), GwBytes::EMPTY)
    }

    fn emit_raw(self, kind: u32, payload: GwBytes, body: GwBytes) -> i32 {
        // SAFETY: both pointers came with the current call.
        unsafe { (self.emit)(self.host, kind, payload, body) }
    }
}

/// Whether the options ask for malformed output in this function.
///
/// # Safety
/// `frontend` is what `frontend_new` returned: a box of `Faulty`.
unsafe fn is_malformed_in(frontend: *mut GwFrontend, function: &str) -> bool {
    // SAFETY: the caller's promise, above.
    let frontend = unsafe { &*frontend.cast::<Faulty>() };
    frontend.options.malformed_in.as_deref() == Some(function)
}

unsafe extern "C" fn frontend_new(
    options: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> *mut GwFrontend {
    // SAFETY: the host passes arguments as the ABI requires; the front end is a box of `Faulty`,
    // and it is freed only where it is not returned.
    unsafe {
        let proper = PROPER.frontend_new;
        let frontend = proper.map_or(std::ptr::null_mut(), |proper| proper(options, host, emit));
        if frontend.is_null() {
            return frontend;
        }
        if is_malformed_in(frontend, "frontend_new") {
            Host { host, emit }.emit(GW_OUT_SEND_TEXT, b"too early");
        }
        if is_malformed_in(frontend, "no frontend_new") {
            Host { host, emit }.emit(GW_OUT_SEND_TEXT, b"too early");
            PROPER.frontend_free.inspect(|free| free(frontend));
            return std::ptr::null_mut();
        }
        frontend
    }
}

unsafe extern "C" fn frontend_manifest(
    frontend: *mut GwFrontend,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        if is_malformed_in(frontend, "frontend_manifest") {
            return Host { host, emit }.emit(GW_OUT_MANIFEST, br#"{"dialect":7}"#);
        }
        PROPER.frontend_manifest.map_or(GW_MALFORMED, |proper| proper(frontend, host, emit))
    }
}

unsafe extern "C" fn frontend_broadcast(
    frontend: *mut GwFrontend,
    event: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        if is_malformed_in(frontend, "frontend_broadcast") {
            return GW_EVERYONE;
        }
        PROPER.frontend_broadcast.map_or(GW_OK, |proper| proper(frontend, event, host, emit))
    }
}

unsafe extern "C" fn frontend_fault(
    frontend: *mut GwFrontend,
    fault: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        if is_malformed_in(frontend, "frontend_fault") {
            Host { host, emit }.emit(GW_OUT_RESPOND, br#"{"status":7}"#);
            return GW_OK;
        }
        PROPER.frontend_fault.map_or(GW_OK, |proper| proper(frontend, fault, host, emit))
    }
}

unsafe extern "C" fn frontend_schemas(
    frontend: *mut GwFrontend,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        if is_malformed_in(frontend, "frontend_schemas") {
            return Host { host, emit }.emit(GW_OUT_DOCUMENT, br#"{"name":"x.json"}"#);
        }
        PROPER.frontend_schemas.map_or(GW_OK, |proper| proper(frontend, host, emit))
    }
}

unsafe extern "C" fn frontend_account_made(
    frontend: *mut GwFrontend,
    account: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        if is_malformed_in(frontend, "frontend_account_made") {
            return Host { host, emit }.emit(GW_OUT_SEND_TEXT, b"news");
        }
        PROPER.frontend_account_made.map_or(GW_OK, |proper| proper(frontend, account, host, emit))
    }
}

unsafe extern "C" fn session_open(
    frontend: *mut GwFrontend,
    peer: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> *mut GwSession {
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        if is_malformed_in(frontend, "session_open") {
            Host { host, emit }.emit(GW_OUT_SEND_TEXT, b"too early");
        }
        let proper = PROPER.session_open;
        proper.map_or(std::ptr::null_mut(), |proper| proper(frontend, peer, host, emit))
    }
}

unsafe extern "C" fn session_handle(
    session: *mut GwSession,
    now_ms: u64,
    kind: u32,
    payload: GwBytes,
    body: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    // SAFETY: the payload is borrowed for this call.
    let line = unsafe { payload.as_slice() };
    let words = std::str::from_utf8(line).ok().filter(|_| kind == GW_IN_TEXT);
    if let Some(code) = words.and_then(|words| obey(words, Host { host, emit })) {
        return code;
    }
    // SAFETY: the host passes arguments as the ABI requires.
    unsafe {
        PROPER
            .session_handle
            .map_or(GW_MALFORMED, |proper| proper(session, now_ms, kind, payload, body, host, emit))
    }
}

/// Executes a line that asks for a fault. `None`: the line asks for none.
fn obey(line: &str, host: Host) -> Option<i32> {
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    let number = |nth: usize| words.get(nth)?.parse::<usize>().ok();
    match *words.first()? {
        "emit" => {
            let payload = line.splitn(3, ' ').nth(2).unwrap_or_default();
            host.emit(number(1)? as u32, payload.as_bytes());
            // The host has noted what is wrong with it.
            Some(GW_OK)
        }
        "emit-bytes" => {
            host.emit(GW_OUT_SEND_TEXT, &[0xFF, 0xFE]);
            host.emit(GW_OUT_SEND_BYTES, b"this is never seen");
            Some(GW_OK)
        }
        "emit-null" => {
            let nothing = GwBytes { ptr: std::ptr::null(), len: 7 };
            let (payload, body) = match words.get(1) {
                Some(&"body") => (GwBytes::EMPTY, nothing),
                _ => (nothing, GwBytes::EMPTY),
            };
            host.emit_raw(GW_OUT_SEND_BYTES, payload, body);
            Some(GW_OK)
        }
        "emit-endless" => {
            let endless = GwBytes { len: usize::MAX, ..GwBytes::new(b"x") };
            host.emit_raw(GW_OUT_SEND_BYTES, endless, GwBytes::EMPTY);
            Some(GW_OK)
        }
        "emit-nonsense" => Some(host.emit(GW_OUT_CALL, b"{")),
        "flood" => {
            let kind = number(1)? as u32;
            let times = number(2)?;
            let payload = vec![b'x'; number(3)?];
            (0..times)
                .map(|_| host.emit(kind, &payload))
                .find(|code| *code != GW_OK)
                .or(Some(GW_OK))
        }
        "return" => {
            host.emit(GW_OUT_SEND_TEXT, b"this is never seen");
            words.get(1)?.parse().ok()
        }
        _ => None,
    }
}

//! The contract between the gateway and a front end in a shared library.
//!
//! A library exports one function, gw_plugin_v1, which returns a table of functions. The gateway
//! (the host) makes front ends of it, opens a session for each connection or HTTP exchange, tells
//! the session what happened and carries out what the session asks.
//!
//! Bytes. A `GwBytes` is borrowed for the length of the call that it is passed to, in both
//! directions. The receiver copies what it wants to keep. Nothing is freed across the border.
//!
//! Threads. The functions of the front end may be called from any thread, several at a time. The
//! functions of one session are called one at a time, from any thread. `emit` may be called only
//! from within the call that it was passed to, and only on that call's thread.
//!
//! Time. No function may block or take long: other connections wait meanwhile. The time is an
//! argument.
//!
//! Failure. Nothing unwinds across: no C++ exception, no panic. A function that cannot go on emits
//! `GW_OUT_REASON` and returns a negative code. A session that failed is closed, and nothing that
//! it emitted in that call is carried out; the others go on.
//!
//! JSON. The host's is UTF-8 without white space between its parts, and without escapes in strings
//! but those of quotation marks, backslashes and control characters. A plugin's may be any JSON. What
//! it says is described in docs/plugins.md and, as JSON Schema, in schemas/engine.
//!
//! Growth. Numbers never change their meaning; new kinds of inputs get new numbers, and a plugin
//! returns `GW_OK` to kinds that it does not know. New functions are added at the end of the table,
//! and may be absent. JSON gets new fields and new values of `did`, `event` and `refused`; a plugin
//! ignores those that it does not know.

/// What `abi` in the table is. It changes when something in this file changes its meaning; a host
/// refuses a plugin that has another.
pub const GW_ABI: u32 = 1;

/// The name of the one exported function.
pub const GW_ENTRY: &str = "gw_plugin_v1";

/// Done. From `frontend_broadcast`: this dialect does not tell of it.
pub const GW_OK: i32 = 0;

/// From `frontend_broadcast`: the frame that was emitted goes to everyone concerned.
pub const GW_EVERYONE: i32 = 1;

/// From `frontend_broadcast`: the frame goes to all but the connection that caused the event.
pub const GW_OTHERS: i32 = 2;

/// From `frontend_broadcast`: each session concerned is given the event, as `GW_IN_EVENT`.
pub const GW_ASK: i32 = 3;

/// Something went wrong inside: a panic, memory has run out, no such function.
pub const GW_PANICKED: i32 = -1;

/// What was given makes no sense. `emit` returns it too, and then the call counts as failed.
pub const GW_MALFORMED: i32 = -2;

/// From `emit`: more was emitted in one call than the host takes (65,536 outputs or 64 MiB). The
/// call counts as failed.
pub const GW_TOO_MUCH: i32 = -3;

/// The transport is ready. No payload. The first input of every session.
pub const GW_IN_OPENED: u32 = 1;

/// An HTTP request, whole. Payload: JSON, `{"method":"POST","path":"/x","query":"a=1",
/// "headers":[["host","example.org"]]}`, the path percent-decoded. Body: the request's.
pub const GW_IN_REQUEST: u32 = 2;

/// Bytes from a TCP stream, cut anywhere.
pub const GW_IN_BYTES: u32 = 3;

/// One WebSocket text message, or one line without its end. Payload: UTF-8.
pub const GW_IN_TEXT: u32 = 4;

/// One WebSocket binary message, or one line that is not UTF-8.
pub const GW_IN_BINARY: u32 = 5;

/// The answer to the oldest unanswered `GW_OUT_CALL` or `GW_OUT_ASK`. Payload: JSON,
/// `{"Ok":{"did":...}}` or `{"Err":{"refused":...}}`.
pub const GW_IN_ANSWER: u32 = 6;

/// Something happened that this session is concerned by; only after `GW_ASK`. Payload: JSON, as
/// `frontend_broadcast` is given.
pub const GW_IN_EVENT: u32 = 7;

/// The moment asked for with `GW_OUT_WAKE_AT` has come. No payload.
pub const GW_IN_WOKEN: u32 = 8;

/// The host is about to hang up; last words may be sent. Payload: one word of draining, idle,
/// overlong, slow.
pub const GW_IN_ENDING: u32 = 9;

/// The peer is gone. No payload. Nothing emitted is sent.
pub const GW_IN_CLOSED: u32 = 10;

/// Have the engine carry out a command; an answer will come. Payload: JSON,
/// `{"command":{"do":...},"follow":"seat","key":"...","brief":true}`. `follow` (nothing, seat or
/// user), `key` (an idempotency key) and `brief` may be left out. Where `brief` is true, the answer
/// to a success may be `{"Ok":{"did":"done"}}` instead of one that says more.
pub const GW_OUT_CALL: u32 = 1;

/// Ask the engine; an answer will come. Payload: JSON, `{"ask":...}`.
pub const GW_OUT_ASK: u32 = 2;

/// The answer to an HTTP request; from `frontend_fault` too. Payload: JSON,
/// `{"status":200,"headers":[["content-type","text/plain"]]}`. Body: the response's.
pub const GW_OUT_RESPOND: u32 = 3;

/// Bytes for the peer of a TCP stream; from `frontend_broadcast`: such a frame.
pub const GW_OUT_SEND_BYTES: u32 = 4;

/// One WebSocket text message, or one line without its end, for the peer; from
/// `frontend_broadcast`: such a frame. Payload: UTF-8.
pub const GW_OUT_SEND_TEXT: u32 = 5;

/// Which events this connection wants to hear of. Payload: JSON,
/// `{"messages":true,"presence":true,"population":false}`.
pub const GW_OUT_SET_INTEREST: u32 = 6;

/// Replace the session's one alarm. Payload: JSON, a number: milliseconds since 1970.
pub const GW_OUT_WAKE_AT: u32 = 7;

/// Send what is to be sent, then hang up. No payload.
pub const GW_OUT_CLOSE: u32 = 8;

/// From `frontend_manifest`. Payload: JSON, the manifest.
pub const GW_OUT_MANIFEST: u32 = 9;

/// Why this call will return failure. Payload: a sentence in UTF-8, for the operator. Body: from
/// `frontend_new`, the key of the option that is at fault, if one is; else nothing. `frontend_new`
/// may emit several.
pub const GW_OUT_REASON: u32 = 10;

/// From `frontend_schemas`. Payload: JSON, `{"name":"openapi.json","media_type":
/// "application/json"}`; the name is that of a file: letters, digits, `-`, `_` and `.`, which is not
/// the first. Body: the document, in UTF-8.
pub const GW_OUT_DOCUMENT: u32 = 11;

/// Borrowed bytes. `ptr` may be null if `len` is 0. Text has no zero byte at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GwBytes {
    pub ptr: *const u8,
    pub len: usize,
}

/// The plugin's own: what `frontend_new` made.
#[repr(C)]
pub struct GwFrontend {
    _opaque: [u8; 0],
}

/// The plugin's own: what `session_open` made.
#[repr(C)]
pub struct GwSession {
    _opaque: [u8; 0],
}

/// The host's own: to be passed back to `emit`.
#[repr(C)]
pub struct GwHost {
    _opaque: [u8; 0],
}

/// Gives something to the host: `kind` is a `GW_OUT_...`; what `payload` and `body` are is said
/// there, and they are empty where nothing is said. The host copies. Returns `GW_OK`, or why the
/// call will count as failed.
pub type GwEmit =
    unsafe extern "C" fn(host: *mut GwHost, kind: u32, payload: GwBytes, body: GwBytes) -> i32;

/// The table. It stays valid and unchanged from the moment it is returned; the library is never
/// unmapped.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct GwPlugin {
    /// `GW_ABI`.
    pub abi: u32,

    /// The size of this table in bytes, as the plugin was compiled. The host takes what lies
    /// beyond for absent, and ignores what it does not know.
    pub size: u32,

    /// Makes a front end. `options`: JSON, an object with the plugin's own keys of its section in
    /// gateway.toml; `{}` must do. Returns null after `GW_OUT_REASON` if they make no sense.
    pub frontend_new: Option<
        unsafe extern "C" fn(options: GwBytes, host: *mut GwHost, emit: GwEmit) -> *mut GwFrontend,
    >,

    /// Emits one `GW_OUT_MANIFEST`. Called once, before any session.
    pub frontend_manifest: Option<
        unsafe extern "C" fn(frontend: *mut GwFrontend, host: *mut GwHost, emit: GwEmit) -> i32,
    >,

    /// Frees the front end. Called once, after the last of its sessions was freed.
    pub frontend_free: Option<unsafe extern "C" fn(frontend: *mut GwFrontend)>,

    /// Opens a session: one a TCP connection, WebSocket or HTTP exchange. `peer`: JSON,
    /// `{"address":"192.0.2.7","proxied":false,"private_listener":true,"listener":"listen"}`, for
    /// a WebSocket with `upgrade`, the request that it began with. Returns null if it cannot, after
    /// `GW_OUT_REASON`. Nothing else may be emitted; that waits for `GW_IN_OPENED`.
    pub session_open: Option<
        unsafe extern "C" fn(
            frontend: *mut GwFrontend,
            peer: GwBytes,
            host: *mut GwHost,
            emit: GwEmit,
        ) -> *mut GwSession,
    >,

    /// Tells a session what happened. `now_ms`: milliseconds since 1970, never going backwards;
    /// `kind` is a `GW_IN_...`. May emit `GW_OUT_CALL` to `GW_OUT_CLOSE`, in order. Returns `GW_OK`,
    /// or a negative code; then no more of the session's functions are called but `session_free`.
    pub session_handle: Option<
        unsafe extern "C" fn(
            session: *mut GwSession,
            now_ms: u64,
            kind: u32,
            payload: GwBytes,
            body: GwBytes,
            host: *mut GwHost,
            emit: GwEmit,
        ) -> i32,
    >,

    /// Frees a session. Called once.
    pub session_free: Option<unsafe extern "C" fn(session: *mut GwSession)>,

    /// May be null, then no event is told of. Encodes an event, once for everyone concerned.
    /// `event`: JSON, `{"seq":1,"at":2,"cause":3,"event":{"event":...}}`. Emits at most one
    /// `GW_OUT_SEND_BYTES` or `GW_OUT_SEND_TEXT`, and returns `GW_OK`, `GW_EVERYONE`, `GW_OTHERS`
    /// or `GW_ASK`, or a negative code.
    pub frontend_broadcast: Option<
        unsafe extern "C" fn(
            frontend: *mut GwFrontend,
            event: GwBytes,
            host: *mut GwHost,
            emit: GwEmit,
        ) -> i32,
    >,

    /// May be null, then the host says it in plain text. What the host itself has to say over HTTP
    /// (over a limit, draining), in the dialect's form. `fault`: JSON, `{"status":429,
    /// "reason":"slow down","headers":[["retry-after","1"]]}`; the host adds these headers. Emits
    /// one `GW_OUT_RESPOND` and returns `GW_OK`, or a negative code.
    pub frontend_fault: Option<
        unsafe extern "C" fn(
            frontend: *mut GwFrontend,
            fault: GwBytes,
            host: *mut GwHost,
            emit: GwEmit,
        ) -> i32,
    >,

    /// May be null, then there are none; the first header did not have it. Describes the dialect to
    /// programs (JSON Schema, OpenAPI, AsyncAPI): emits a `GW_OUT_DOCUMENT` for each document, and
    /// returns `GW_OK` or a negative code. The host lists, serves and writes them.
    pub frontend_schemas: Option<
        unsafe extern "C" fn(frontend: *mut GwFrontend, host: *mut GwHost, emit: GwEmit) -> i32,
    >,
}

/// The exported function. It may be called more than once, from any thread, and returns the same
/// table each time.
pub type GwEntry = unsafe extern "C" fn() -> *const GwPlugin;

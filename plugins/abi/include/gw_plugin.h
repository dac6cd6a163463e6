/* The contract between the gateway and a front end in a shared library.
 *
 * A library exports one function, gw_plugin_v1, which returns a table of functions. The gateway
 * (the host) makes front ends with it, opens a session for each connection or HTTP exchange, gives
 * the session its inputs, and carries out its outputs.
 *
 * Bytes. A gw_bytes is borrowed for the length of the call that it is passed to, in both
 * directions. The receiver copies what it keeps. Nothing is freed across the border.
 *
 * Threads. The functions of the front end may be called from any thread, several at a time. The
 * functions of one session are called one at a time, from any thread. emit may be called only
 * from within the call that it was passed to, and only on that call's thread.
 *
 * Time. No function may block or take long: other connections wait for it. The current time is an
 * argument.
 *
 * Failure. No C++ exception and no panic may cross the border. A function that cannot go on emits
 * GW_OUT_REASON and returns a negative code. The host closes a session that failed, and discards
 * what it emitted in that call; other sessions are not affected.
 *
 * JSON. The host writes UTF-8 without white space between tokens, and escapes only quotation marks,
 * backslashes and control characters. A plugin may write any JSON. docs/plugins.md describes the
 * documents, schemas/engine has them as JSON Schema.
 *
 * Growth. Numbers never change their meaning; new kinds of inputs get new numbers, and a plugin
 * returns GW_OK to kinds that it does not know. New functions are added at the end of the table,
 * and may be absent. JSON gets new fields and new values of did, event and refused; a plugin
 * ignores those that it does not know. */

/* Generated from plugins/abi/src/contract.rs. */

#ifndef GW_PLUGIN_H
#define GW_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define GW_EXPORT __declspec(dllexport)
#else
#define GW_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The value of abi in the table. It changes when something in this file changes its meaning; a
 * host refuses a plugin with another value. */
#define GW_ABI UINT32_C(1)

/* The name of the one exported function. */
#define GW_ENTRY "gw_plugin_v1"

/* Success. From frontend_broadcast: this dialect has no frame for the event. */
#define GW_OK 0

/* From frontend_broadcast: the emitted frame goes to every connection concerned. */
#define GW_EVERYONE 1

/* From frontend_broadcast: the emitted frame goes to every connection concerned but the one that
 * caused the event. */
#define GW_OTHERS 2

/* From frontend_broadcast: each session concerned gets the event, as GW_IN_EVENT. */
#define GW_ASK 3

/* An internal error: a panic, out of memory, no such function. */
#define GW_PANICKED (-1)

/* An argument is malformed. If emit returns it, the call counts as failed. */
#define GW_MALFORMED (-2)

/* From emit: the call emitted more than the host accepts (65,536 outputs or 64 MiB), and counts
 * as failed. */
#define GW_TOO_MUCH (-3)

/* The transport is ready. No payload. The first input of every session. */
#define GW_IN_OPENED UINT32_C(1)

/* An HTTP request, whole. Payload: JSON, {"method":"POST","path":"/x","query":"a=1",
 * "headers":[["host","example.org"]]}, the path percent-decoded. Body: the request's. */
#define GW_IN_REQUEST UINT32_C(2)

/* Bytes from a TCP stream, cut anywhere. */
#define GW_IN_BYTES UINT32_C(3)

/* One WebSocket text message, or one line without its end. Payload: UTF-8. */
#define GW_IN_TEXT UINT32_C(4)

/* One WebSocket binary message, or one line that is not UTF-8. */
#define GW_IN_BINARY UINT32_C(5)

/* The answer to the oldest unanswered GW_OUT_CALL, GW_OUT_ASK, GW_OUT_FETCH or
 * GW_OUT_AUTHORIZE. Payload: JSON,
 * {"Ok":{"did":...}} or {"Err":{"refused":...}}. */
#define GW_IN_ANSWER UINT32_C(6)

/* An event that concerns this session; only after GW_ASK, or if the session's interest has
 * per_session. Payload: JSON, as in frontend_broadcast. */
#define GW_IN_EVENT UINT32_C(7)

/* The time set with GW_OUT_WAKE_AT has come, or another session has emitted GW_OUT_WAKE for this
 * one. No payload. */
#define GW_IN_WOKEN UINT32_C(8)

/* The host is about to close the connection; the session may send a farewell. Payload: one of the
 * words draining, idle, overlong, slow. */
#define GW_IN_ENDING UINT32_C(9)

/* The connection is closed. No payload. Nothing emitted is sent. */
#define GW_IN_CLOSED UINT32_C(10)

/* A command for the engine; an answer follows. Payload: JSON,
 * {"command":{"do":...},"follow":"seat","key":"...","brief":true}. follow (nothing, seat or
 * user), key (an idempotency key) and brief may be left out. If brief is true, a success may be
 * answered by {"Ok":{"did":"done"}} instead of an answer with more in it. */
#define GW_OUT_CALL UINT32_C(1)

/* A query for the engine; an answer follows. Payload: JSON, {"ask":...}. */
#define GW_OUT_ASK UINT32_C(2)

/* The answer to an HTTP request; from frontend_fault too. Payload: JSON,
 * {"status":200,"headers":[["content-type","text/plain"]]}. Body: the response's. */
#define GW_OUT_RESPOND UINT32_C(3)

/* Bytes for the peer of a TCP stream; from frontend_broadcast: such a frame. */
#define GW_OUT_SEND_BYTES UINT32_C(4)

/* One WebSocket text message, or one line without its end, for the peer; from
 * frontend_broadcast: such a frame. Payload: UTF-8. */
#define GW_OUT_SEND_TEXT UINT32_C(5)

/* Which events this connection receives. Payload: JSON,
 * {"messages":true,"presence":true,"population":false}. room_changes and per_session may be
 * left out; if per_session is true, the session gets each event itself, as GW_IN_EVENT. */
#define GW_OUT_SET_INTEREST UINT32_C(6)

/* Sets the session's one alarm. Payload: JSON, a number: milliseconds since 1970. */
#define GW_OUT_WAKE_AT UINT32_C(7)

/* Close the connection after sending what was emitted before. No payload. */
#define GW_OUT_CLOSE UINT32_C(8)

/* From frontend_manifest. Payload: JSON, the manifest. */
#define GW_OUT_MANIFEST UINT32_C(9)

/* Why this call is going to return failure. Payload: a sentence in UTF-8, for the operator. Body:
 * from frontend_new, the key of the option at fault, if there is one; else nothing.
 * frontend_new may emit several. */
#define GW_OUT_REASON UINT32_C(10)

/* From frontend_schemas. Payload: JSON, {"name":"openapi.json","media_type":
 * "application/json"}; the name is a file name: letters, digits, -, _ and ., but no . at
 * the beginning. Body: the document, in UTF-8. */
#define GW_OUT_DOCUMENT UINT32_C(11)

/* From a session: what it emitted to send so far has the messages to the session's user up to this
 * one. When the peer has shown to have it, the host acknowledges them, and they are not delivered
 * again. Payload: JSON, the message's id. Not known to hosts before 0.2. */
#define GW_OUT_MARK UINT32_C(12)

/* From a session: the peer has shown, in the dialect's own words, to have the messages to the
 * session's user up to this one. Payload: JSON, the message's id. Not known to hosts before 0.2. */
#define GW_OUT_ACKNOWLEDGE UINT32_C(13)

/* Wakes the session of another connection of this front end, by GW_IN_WOKEN. Payload: JSON, a
 * number: the connection of its peer. Only for a plugin whose own peers have a connection:
 * older gateways do not know this output. */
#define GW_OUT_WAKE UINT32_C(14)

/* A request to a server that the manifest names in upstreams; an answer follows. Payload: JSON,
 * {"upstream":"code_exchange","fields":{"code":"..."}}. */
#define GW_OUT_FETCH UINT32_C(15)

/* A question about a token of the admin API; an answer follows. Payload: JSON,
 * {"token":"...","role":"moderator","operation":"kill","with":{"nick":"zed"}}. Only for sessions
 * of a gateway that knows this output: older ones end the session. */
#define GW_OUT_AUTHORIZE UINT32_C(16)

/* Borrowed bytes. ptr may be null if len is 0. Text is not zero-terminated. */
typedef struct gw_bytes {
    const uint8_t *ptr;
    size_t len;
} gw_bytes;

/* The plugin's own: what frontend_new made. */
typedef struct gw_frontend gw_frontend;

/* The plugin's own: what session_open made. */
typedef struct gw_session gw_session;

/* The host's own: to pass back to emit. */
typedef struct gw_host gw_host;

/* Gives an output to the host. kind is a GW_OUT_..., which defines payload and body; either
 * is empty where it defines none. The host copies them. Returns GW_OK, or the code that says why
 * the call counts as failed. */
typedef int32_t (*gw_emit)(gw_host *host, uint32_t kind, gw_bytes payload, gw_bytes body);

/* The table. It stays valid and unchanged from the moment it is returned; the library is never
 * unmapped. */
typedef struct gw_plugin {
    /* GW_ABI. */
    uint32_t abi;

    /* The size of this table in bytes when the plugin was compiled. Functions beyond it are
     * absent; the host ignores those that it does not know. */
    uint32_t size;

    /* Makes a front end. options: JSON, an object with the plugin's own keys of its section in
     * gateway.toml; {} must be accepted. Returns null after GW_OUT_REASON if they are invalid. */
    gw_frontend *(*frontend_new)(gw_bytes options, gw_host *host, gw_emit emit);

    /* Emits one GW_OUT_MANIFEST. Called once, before any session. */
    int32_t (*frontend_manifest)(gw_frontend *frontend, gw_host *host, gw_emit emit);

    /* Frees the front end. Called once, after its last session is freed. */
    void (*frontend_free)(gw_frontend *frontend);

    /* Opens a session for a TCP connection, WebSocket or HTTP exchange. peer: JSON,
     * {"address":"192.0.2.7","proxied":false,"private_listener":true,"listener":"listen"}, for
     * a WebSocket with upgrade, the request that opened it. Returns null after GW_OUT_REASON on
     * failure. May emit nothing else; the first outputs follow GW_IN_OPENED. */
    gw_session *(*session_open)(gw_frontend *frontend, gw_bytes peer, gw_host *host, gw_emit emit);

    /* Gives an input to a session. now_ms: milliseconds since 1970, never going backwards;
     * kind is a GW_IN_.... May emit GW_OUT_CALL to GW_OUT_CLOSE, GW_OUT_MARK,
     * GW_OUT_ACKNOWLEDGE, GW_OUT_WAKE, GW_OUT_FETCH and GW_OUT_AUTHORIZE, in order. Returns
     * GW_OK, or a negative code; after that only session_free is called for the session. */
    int32_t (*session_handle)(
        gw_session *session,
        uint64_t now_ms,
        uint32_t kind,
        gw_bytes payload,
        gw_bytes body,
        gw_host *host,
        gw_emit emit);

    /* Frees a session. Called once. */
    void (*session_free)(gw_session *session);

    /* May be null: clients then get no events. Encodes an event once for all connections.
     * event: JSON, {"seq":1,"at":2,"cause":3,"event":{"event":...}}. Emits at most one
     * GW_OUT_SEND_BYTES or GW_OUT_SEND_TEXT, and returns GW_OK, GW_EVERYONE, GW_OTHERS
     * or GW_ASK, or a negative code. */
    int32_t (*frontend_broadcast)(
        gw_frontend *frontend,
        gw_bytes event,
        gw_host *host,
        gw_emit emit);

    /* May be null: the host then responds in plain text. Puts an HTTP error of the host's own
     * (over a limit, draining) into the form of the dialect. fault: JSON, {"status":429,
     * "reason":"slow down","headers":[["retry-after","1"]]}; the host adds these headers. Emits
     * one GW_OUT_RESPOND and returns GW_OK, or a negative code. */
    int32_t (*frontend_fault)(gw_frontend *frontend, gw_bytes fault, gw_host *host, gw_emit emit);

    /* May be null: there are no documents then. The first header did not have it. Emits a
     * GW_OUT_DOCUMENT for each document that describes the dialect to programs (JSON Schema,
     * OpenAPI, AsyncAPI), and returns GW_OK or a negative code. The host serves and exports them. */
    int32_t (*frontend_schemas)(gw_frontend *frontend, gw_host *host, gw_emit emit);

    /* May be null; former headers did not have it. An account has come into being, by whatever
     * dialect. account: JSON, {"uid":10000,"handle":"ann","name":"Ann"}. Emits a GW_OUT_WAKE
     * for each connection whose session has to know, such as that of a guest called so, and returns
     * GW_OK or a negative code. Called before a client learns of the account. */
    int32_t (*frontend_account_made)(
        gw_frontend *frontend,
        gw_bytes account,
        gw_host *host,
        gw_emit emit);
} gw_plugin;

/* The exported function. It may be called more than once, from any thread, and returns the same
 * table each time. */
GW_EXPORT const gw_plugin *gw_plugin_v1(void);

#ifdef __cplusplus
}
#endif

#endif

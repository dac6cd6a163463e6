/* A plugin as somebody wrote it when the first header was released, gw_plugin.h beside it. Both
 * stay as they are: the gateway of today must load what is built from them.
 *
 * It uses every function, every input and every output of that header. */

#include "gw_plugin.h"

#include <stdlib.h>
#include <string.h>

struct gw_frontend {
    int made;
};

struct gw_session {
    gw_frontend *frontend;
};

static gw_bytes bytes_of(const char *words)
{
    gw_bytes bytes;
    bytes.ptr = (const uint8_t *)words;
    bytes.len = strlen(words);
    return bytes;
}

static int contains(gw_bytes bytes, const char *words)
{
    size_t at, length = strlen(words);
    for (at = 0; at + length <= bytes.len; at++)
        if (memcmp(bytes.ptr + at, words, length) == 0)
            return 1;
    return 0;
}

static gw_frontend *frontend_new(gw_bytes options, gw_host *host, gw_emit emit)
{
    gw_frontend *frontend;
    if (contains(options, "\"bad\"")) {
        emit(host, GW_OUT_REASON, bytes_of("must be good"), bytes_of("bad"));
        return NULL;
    }
    frontend = (gw_frontend *)malloc(sizeof *frontend);
    if (frontend != NULL)
        frontend->made = 1;
    return frontend;
}

static int32_t frontend_manifest(gw_frontend *frontend, gw_host *host, gw_emit emit)
{
    (void)frontend;
    return emit(host, GW_OUT_MANIFEST,
                bytes_of("{\"dialect\":\"compat\",\"title\":\"of the first release\","
                         "\"version\":\"1\",\"listeners\":[{\"key\":\"listen\","
                         "\"transport\":\"tcp\",\"address\":\"127.0.0.1:5900\"}]}"),
                bytes_of(""));
}

static void frontend_free(gw_frontend *frontend)
{
    free(frontend);
}

static gw_session *session_open(gw_frontend *frontend, gw_bytes peer, gw_host *host, gw_emit emit)
{
    gw_session *session;
    if (contains(peer, "\"192.0.2.1\"")) {
        emit(host, GW_OUT_REASON, bytes_of("not for this address"), bytes_of(""));
        return NULL;
    }
    session = (gw_session *)malloc(sizeof *session);
    if (session != NULL)
        session->frontend = frontend;
    return session;
}

static void session_free(gw_session *session)
{
    free(session);
}

static int32_t hear(gw_bytes line, gw_host *host, gw_emit emit)
{
    gw_bytes none = bytes_of("");
    if (contains(line, "bye"))
        return emit(host, GW_OUT_CLOSE, none, none);
    if (contains(line, "ask"))
        return emit(host, GW_OUT_ASK, bytes_of("{\"ask\":\"last_change\"}"), none);
    if (contains(line, "enter"))
        return emit(host, GW_OUT_CALL,
                    bytes_of("{\"command\":{\"do\":\"enter\",\"room\":{\"id\":7},\"user\":"
                             "\"session\",\"seat\":\"connection\"},\"follow\":\"seat\","
                             "\"key\":\"k\"}"),
                    none);
    return emit(host, GW_OUT_SEND_TEXT, line, none);
}

static int32_t session_handle(gw_session *session, uint64_t now_ms, uint32_t kind, gw_bytes payload,
                              gw_bytes body, gw_host *host, gw_emit emit)
{
    gw_bytes none = bytes_of("");
    if (!session->frontend->made)
        return GW_PANICKED;
    switch (kind) {
    case GW_IN_OPENED:
        emit(host, GW_OUT_SET_INTEREST,
             bytes_of("{\"messages\":true,\"presence\":false,\"population\":false}"), none);
        return emit(host, GW_OUT_WAKE_AT, bytes_of("5000"), none);
    case GW_IN_REQUEST:
        if (!contains(payload, "\"path\":\"/echo\""))
            return GW_OK;
        return emit(host, GW_OUT_RESPOND,
                    bytes_of("{\"status\":200,\"headers\":[[\"content-type\",\"text/plain\"]]}"),
                    body);
    case GW_IN_BYTES:
    case GW_IN_BINARY:
        return emit(host, GW_OUT_SEND_BYTES, payload, none);
    case GW_IN_TEXT:
        return hear(payload, host, emit);
    case GW_IN_ANSWER:
    case GW_IN_EVENT:
    case GW_IN_ENDING:
        return emit(host, GW_OUT_SEND_TEXT, payload, none);
    case GW_IN_WOKEN:
        return emit(host, GW_OUT_SEND_TEXT, bytes_of(now_ms >= 5000 ? "awake" : "too early"), none);
    case GW_IN_CLOSED:
    default:
        return GW_OK;
    }
}

static int32_t frontend_broadcast(gw_frontend *frontend, gw_bytes event, gw_host *host,
                                  gw_emit emit)
{
    (void)frontend;
    if (contains(event, "\"event\":\"room_deleted\""))
        return GW_OK;
    if (contains(event, "\"event\":\"posted\""))
        return GW_ASK;
    emit(host, GW_OUT_SEND_BYTES, bytes_of("news"), bytes_of(""));
    return contains(event, "\"event\":\"population_changed\"") ? GW_EVERYONE : GW_OTHERS;
}

static int32_t frontend_fault(gw_frontend *frontend, gw_bytes fault, gw_host *host, gw_emit emit)
{
    (void)frontend;
    return emit(host, GW_OUT_RESPOND,
                bytes_of(contains(fault, "\"status\":429") ? "{\"status\":429}" : "{\"status\":503}"),
                bytes_of("no"));
}

static const gw_plugin TABLE = {
    GW_ABI,       sizeof(gw_plugin), frontend_new, frontend_manifest,  frontend_free,
    session_open, session_handle,    session_free, frontend_broadcast, frontend_fault,
};

const gw_plugin *gw_plugin_v1(void)
{
    return &TABLE;
}

/* A chat for netcat, as a plugin in C: each request and each answer is one line.
 *
 *     register <name> <password>     login <name> <password>      join <room>
 *     say <room> <text>              who <room>                   history <room>
 *     help                           quit
 *
 * Build:  cc -std=c11 -shared -fPIC -O2 -I plugins/abi/include -o line.so plugins/examples/line.c
 * Use:    in gateway.toml  [frontends.line] plugin = "./line.so"
 * Try:    nc 127.0.0.1 5200
 *
 * Four tables define the dialect: its requests, and the formats of answers, refusals and events.
 * The JSON functions that they need come before them, the functions of the ABI after them. */

#include "gw_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Slices of borrowed bytes. */

static const gw_bytes NONE = {NULL, 0};

static int is(gw_bytes piece, const char *word)
{
    return piece.len == strlen(word) && memcmp(piece.ptr, word, piece.len) == 0;
}

/* Removes the next word and the space after it from `rest`, and returns the word. */
static gw_bytes next_word(gw_bytes *rest)
{
    gw_bytes word = {rest->ptr, 0};
    while (word.len < rest->len && word.ptr[word.len] != ' ')
        word.len++;
    rest->ptr += word.len + (word.len < rest->len);
    rest->len -= word.len + (word.len < rest->len);
    return word;
}

/* ---- Reading JSON as the gateway writes it: without white space between tokens, and with escapes
 * only for quotation marks, backslashes and control characters. */

/* The value at the beginning. */
static gw_bytes value_at(const uint8_t *at, const uint8_t *end)
{
    gw_bytes value = {at, 0};
    int depth = 0, quoted = 0;
    for (; at < end; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (quoted && *at == '\\' && end - at > 1)
            at++;
        else if (!quoted && (*at == '{' || *at == '['))
            depth++;
        else if (!quoted && depth == 0 && (*at == ',' || *at == ':' || *at == ']' || *at == '}'))
            break;
        else if (!quoted && (*at == ']' || *at == '}'))
            depth--;
    }
    value.len = (size_t)(at - value.ptr);
    return value;
}

/* The value after this one in a list or an object, whose keys count as values; after NONE, the
 * first one. */
static gw_bytes next(gw_bytes of, gw_bytes value)
{
    const uint8_t *mark = value.len == 0 ? of.ptr : value.ptr + value.len;
    if (of.len == 0 || of.ptr + of.len - mark < 2 || strchr("[{,:", *mark) == NULL)
        return NONE;
    return value_at(mark + 1, of.ptr + of.len);
}

/* The content of a string, still escaped. */
static gw_bytes inside(gw_bytes string)
{
    if (string.len <= 2 || *string.ptr != '"')
        return NONE;
    string.ptr++;
    string.len -= 2;
    return string;
}

/* The value at a path such as "user.handle", which ends at any other character. */
static gw_bytes find(gw_bytes of, const char *path)
{
    size_t length;
    for (; (length = strcspn(path, ".: ]$")) > 0; path += length + (path[length] == '.')) {
        gw_bytes key = next(of, NONE);
        while (key.len > 0 && (key.len != length + 2 || memcmp(key.ptr + 1, path, length) != 0)) {
            gw_bytes value = next(of, key);
            key = value.len == 0 ? NONE : next(of, value);
        }
        of = key.len == 0 ? NONE : next(of, key);
    }
    return of;
}

/* ---- A call of the gateway, and the text that it builds. */

typedef struct call {
    gw_host *host;
    gw_emit emit;
    uint8_t *bytes;
    size_t length, capacity;
    int broken; /* out of memory; checked at the end */
} call;

/* Emits the text. If the gateway refuses it, the call counts as failed anyway. */
static void emit(call *in, uint32_t kind)
{
    gw_bytes payload = {in->bytes, in->length};
    if (!in->broken)
        in->emit(in->host, kind, payload, NONE);
    in->length = 0;
}

static int32_t out_of_memory(gw_host *host, gw_emit to)
{
    gw_bytes why = {(const uint8_t *)"out of memory", 13};
    to(host, GW_OUT_REASON, why, NONE);
    return GW_PANICKED;
}

static int32_t end(call *in, int32_t code)
{
    free(in->bytes);
    return in->broken ? out_of_memory(in->host, in->emit) : code;
}

static void put(call *in, uint8_t byte)
{
    if (in->length == in->capacity) {
        uint8_t *grown = (uint8_t *)realloc(in->bytes, in->capacity * 2 + 64);
        in->broken |= grown == NULL;
        if (grown == NULL)
            return;
        in->bytes = grown;
        in->capacity = in->capacity * 2 + 64;
    }
    in->bytes[in->length++] = byte;
}

/* Appends the content of a JSON string, unescaped and on one line: control characters and `blank`
 * become spaces. */
static void put_string(call *in, gw_bytes inner, char blank)
{
    const uint8_t *at = inner.ptr, *end = at + inner.len;
    for (; at < end; at++) {
        if (*at != '\\' || end - at < 2) {
            put(in, *at == blank ? ' ' : *at);
        } else {
            at++;
            put(in, *at == '"' || *at == '\\' ? *at : ' ');
            at += *at == 'u' && end - at > 4 ? 4 : 0;
        }
    }
}

/* Appends text as a JSON string. */
static void put_quoted(call *in, gw_bytes words)
{
    char escaped[8], *at;
    put(in, '"');
    for (; words.len > 0; words.ptr++, words.len--) {
        int is_plain = *words.ptr >= ' ' && *words.ptr != '"' && *words.ptr != '\\';
        snprintf(escaped, sizeof escaped, is_plain ? "%c" : "\\u%04x", *words.ptr);
        for (at = escaped; *at != '\0'; at++)
            put(in, (uint8_t)*at);
    }
    put(in, '"');
}

/* Appends a format. In it, `$user.handle` stands for the content of the string at this path of
 * `json`, `%refused` for the same with spaces for underscores, `@1` and `@2` for one of the words as
 * a JSON string, and ' for a quotation mark. */
static void fill(call *in, const char *form, gw_bytes json, const gw_bytes *words)
{
    for (; *form != '\0'; form++) {
        if (*form == '$' || *form == '%') {
            put_string(in, inside(find(json, form + 1)), *form == '%' ? '_' : '\t');
            form += strcspn(form + 1, ": ]$");
        } else if (*form == '@') {
            put_quoted(in, words[*++form - '1']);
        } else {
            put(in, *form == '\'' ? '"' : (uint8_t)*form);
        }
    }
}

static void tell(call *in, const char *form, gw_bytes json)
{
    fill(in, form, json, NULL);
    emit(in, GW_OUT_SEND_TEXT);
}

/* ---- Requests. Each is one command or one query; the answer comes later. */

static const struct request {
    const char *verb;
    int words; /* after the verb; the second is the rest of the line */
    uint32_t kind;
    const char *form;
} REQUESTS[] = {
    {"register", 2, GW_OUT_CALL,
     "{'command':{'do':'register','user':{'insist':true,'handle':@1,'password':{'plain':@2}}}}"},
    /* Following the user subscribes to every room of the user, present and future. */
    {"login", 2, GW_OUT_CALL,
     "{'command':{'do':'sign_in','session':true,'user':{'handle':@1},"
     "'credential':{'password':@2}},'follow':'user'}"},
    {"join", 1, GW_OUT_CALL, "{'command':{'do':'join','user':'session','room':{'name':@1}}}"},
    /* Posting joins the room, and creates it if there is none. */
    {"say", 2, GW_OUT_CALL,
     "{'command':{'do':'post','author':'session','room':{'name':@1},'text':@2,"
     "'standing':{'joining':{'create':true}}}}"},
    {"who", 1, GW_OUT_ASK, "{'ask':'members','caller':'session','room':{'name':@1}}"},
    {"history", 1, GW_OUT_ASK,
     "{'ask':'history','caller':'session','limit':20,'room':{'name':@1}}"},
    {"quit", 0, GW_OUT_CLOSE, ""},
    {"", -1, GW_OUT_SEND_TEXT,
     "! register <name> <password>, login <name> <password>, join <room>, say <room> <text>, "
     "who <room>, history <room>, quit"},
};

static void handle_line(call *in, gw_bytes line)
{
    const struct request *one = REQUESTS;
    gw_bytes verb = next_word(&line), words[2];
    int count;
    words[0] = next_word(&line);
    words[1] = line;
    count = words[0].len == 0 ? 0 : 1 + (words[1].len > 0);
    while (one->words >= 0 && !(is(verb, one->verb) && one->words == count))
        one++;
    fill(in, one->form, NONE, words);
    emit(in, one->kind);
}

/* ---- The formats of answers, refusals and events. The last row is for all others; without a
 * format, nothing is sent. */

typedef struct look {
    const char *kind, *form;
} look;

/* A message is for a room or a user; a path that is absent is written as nothing. */
#define MESSAGE(at) "[$" at "to.room.name$" at "to.user.handle] $" at "author.handle: $" at "text"

static const look ANSWERS[] = {
    {"registered", "* registered, now login"},
    {"signed_in", "* welcome, $user.person.handle"},
    {"joined", "* you are in $room.name"},
    {NULL, NULL},
};

static const look REFUSALS[] = {
    {"unknown_user", "! wrong name or password"},
    {"wrong_password", "! wrong name or password"},
    {NULL, "! %refused"},
};

static const look EVENTS[] = {
    {"posted", MESSAGE("message.")},
    {"entered", "[$room.name] $user.handle came"},
    {"left", "[$room.name] $user.handle went"},
    {NULL, NULL},
};

static const char *form_of(const look *looks, gw_bytes kind)
{
    while (looks->kind != NULL && !is(kind, looks->kind))
        looks++;
    return looks->form;
}

static void tell_each(call *in, gw_bytes list, const char *form, const char *none)
{
    gw_bytes one = next(list, NONE);
    if (one.len == 0 && list.len > 0)
        tell(in, none, NONE);
    for (; one.len > 0; one = next(list, one))
        tell(in, form, one);
}

/* The poster sees the message by its event, as all others do, so its answer has no format. */
static void handle_answer(call *in, gw_bytes outcome)
{
    gw_bytes reply = find(outcome, "Ok"), error = find(outcome, "Err");
    const char *form = reply.len == 0 ? form_of(REFUSALS, inside(find(error, "refused")))
                                       : form_of(ANSWERS, inside(find(reply, "did")));
    if (form != NULL)
        tell(in, form, reply.len == 0 ? error : reply);
    tell_each(in, find(reply, "messages"), MESSAGE(""), "* nothing was said there yet");
    tell_each(in, find(reply, "members"), "* $handle is there", "* the room is empty");
}

/* ---- The functions of the ABI. */

static const char MANIFEST[] =
    "{'dialect':'line','title':'a chat for netcat','version':'1.0.0','listeners':["
    "{'key':'listen','transport':'tcp_lines','address':'127.0.0.1:5200'}],"
    "'capabilities':{'post':'exact','receive_push':'exact','presence':'exact',"
    "'history':'exact','credentials':'exact'},'hint':'echo help | nc {listen}',"
    "'options':{'type':'object','additionalProperties':false,'properties':{'greeting':"
    "{'type':'string','minLength':1,'default':'* hello',"
    "'description':'The line sent to each client that connects.'}}}}";

/* The front end, and behind it the bytes of its options. */
struct gw_frontend {
    gw_bytes options;
};

/* The gateway has checked the options against the schema in the manifest. */
static gw_frontend *frontend_new(gw_bytes options, gw_host *host, gw_emit to)
{
    gw_frontend *frontend = (gw_frontend *)malloc(sizeof *frontend + options.len);
    if (frontend == NULL) {
        out_of_memory(host, to);
        return NULL;
    }
    frontend->options.ptr = (uint8_t *)memcpy(frontend + 1, options.ptr, options.len);
    frontend->options.len = options.len;
    return frontend;
}

static int32_t frontend_manifest(gw_frontend *frontend, gw_host *host, gw_emit to)
{
    call in = {host, to, NULL, 0, 0, 0};
    (void)frontend;
    fill(&in, MANIFEST, NONE, NULL);
    emit(&in, GW_OUT_MANIFEST);
    return end(&in, GW_OK);
}

static void frontend_free(gw_frontend *frontend)
{
    free(frontend);
}

/* Encodes an event once for all connections concerned. */
static int32_t frontend_broadcast(gw_frontend *frontend, gw_bytes bytes, gw_host *host,
                                  gw_emit to)
{
    call in = {host, to, NULL, 0, 0, 0};
    gw_bytes event = find(bytes, "event");
    const char *form = form_of(EVENTS, inside(find(event, "event")));
    (void)frontend;
    if (form != NULL)
        tell(&in, form, event);
    return end(&in, form == NULL ? GW_OK : GW_EVERYONE);
}

/* A session has no state: the engine knows the signed-in user and the rooms, and an answer names its
 * request. So a session is its front end. */
static gw_session *session_open(gw_frontend *frontend, gw_bytes peer, gw_host *host, gw_emit to)
{
    (void)peer, (void)host, (void)to;
    return (gw_session *)frontend;
}

static void session_free(gw_session *session)
{
    (void)session;
}

static int32_t session_handle(gw_session *session, uint64_t now_ms, uint32_t kind, gw_bytes payload,
                              gw_bytes body, gw_host *host, gw_emit to)
{
    call in = {host, to, NULL, 0, 0, 0};
    gw_bytes options = ((gw_frontend *)session)->options;
    (void)now_ms, (void)body;
    if (kind == GW_IN_OPENED)
        tell(&in, find(options, "greeting").len == 0 ? "* hello" : "$greeting", options);
    else if (kind == GW_IN_TEXT)
        handle_line(&in, payload);
    else if (kind == GW_IN_BINARY)
        tell(&in, "! that is not UTF-8", NONE);
    else if (kind == GW_IN_ANSWER)
        handle_answer(&in, payload);
    else if (kind == GW_IN_ENDING)
        tell(&in, "* the gateway hangs up", NONE);
    /* Woken, closed, or an input of a later version. */
    return end(&in, GW_OK);
}

/* ---- The table, without frontend_fault, which is for HTTP, and what is optional after it. */

static const gw_plugin TABLE = {
    GW_ABI,       sizeof(gw_plugin), frontend_new, frontend_manifest,  frontend_free,
    session_open, session_handle,    session_free, frontend_broadcast, NULL,
    NULL,         NULL,
};

const gw_plugin *gw_plugin_v1(void)
{
    return &TABLE;
}

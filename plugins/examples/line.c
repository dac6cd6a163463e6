/* A chat for netcat, as a plugin in C: one line a request, one line an answer.
 *
 *     register <name> <password>     login <name> <password>      join <room>
 *     say <room> <text>              who <room>                   history <room>
 *     help                           quit
 *
 * Build:  cc -std=c11 -shared -fPIC -O2 -I plugins/abi/include -o line.so plugins/examples/line.c
 * Use:    in gateway.toml  [frontends.line] plugin = "./line.so"
 * Try:    nc 127.0.0.1 5200
 *
 * The file reads from the outside in: the table, what it says of itself, what happens to a
 * session, what events look like, and at the end the little of JSON that it takes. A session keeps
 * nothing at all: the engine knows who is signed in and where, and an answer says what it is an
 * answer to. */

#include "gw_plugin.h"

#include <stdlib.h>
#include <string.h>

/* ---- Text that grows. After memory ran out it is `broken`, and that is noticed at the end. */

typedef struct text {
    char *bytes;
    size_t length, capacity;
    int broken;
} text;

static void put(text *to, const char *bytes, size_t length)
{
    if (to->broken || length == 0)
        return;
    if (length > to->capacity - to->length) {
        size_t capacity = (to->length + length) * 2;
        char *grown = (char *)realloc(to->bytes, capacity);
        if (grown == NULL) {
            to->broken = 1;
            return;
        }
        to->bytes = grown;
        to->capacity = capacity;
    }
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void say(text *to, const char *words)
{
    put(to, words, strlen(words));
}

/* ---- A piece of something else: a word of a line, or a value in JSON. `at` is null for none. */

typedef struct piece {
    const char *at, *end;
} piece;

static const piece NONE = {NULL, NULL};

static size_t length_of(piece of)
{
    return of.at == NULL ? 0 : (size_t)(of.end - of.at);
}

static int is(piece of, const char *word)
{
    return of.at != NULL && length_of(of) == strlen(word) &&
           memcmp(of.at, word, length_of(of)) == 0;
}

/* Takes the first word off `rest`; none where nothing is left. */
static piece next_word(piece *rest)
{
    piece word;
    while (rest->at < rest->end && *rest->at == ' ')
        rest->at++;
    word = *rest;
    while (rest->at < rest->end && *rest->at != ' ')
        rest->at++;
    word.end = rest->at;
    if (rest->at < rest->end)
        rest->at++;
    return word.at == word.end ? NONE : word;
}

/* ---- Reading JSON, as the gateway writes it. A value is a piece that begins with its first
 * byte; where it ends is found while it is read. What is not there is NONE, all the way down. */

static const char *after_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* From a quotation mark to behind its partner. */
static const char *after_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

static const char *after_value(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = after_string(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0)
                return at;
            depth--;
            at++;
        } else if (*at == ',' && depth == 0) {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return end;
}

static piece value_at(const char *at, const char *end)
{
    piece value;
    value.at = after_space(at, end);
    value.end = after_value(value.at, end);
    return value.at < value.end ? value : NONE;
}

/* The first element of an array or key of an object, and the one after it: after a key, its
 * value. */
static piece first(piece of)
{
    return of.at == NULL || length_of(of) < 2 ? NONE : value_at(of.at + 1, of.end);
}

static piece next(piece of, piece element)
{
    const char *at = after_space(element.end, of.end);
    return at < of.end && (*at == ',' || *at == ':') ? value_at(at + 1, of.end) : NONE;
}

/* Whether a value is this string. */
static int says(piece value, const char *word)
{
    size_t length = strlen(word);
    return length_of(value) == length + 2 && *value.at == '"' &&
           memcmp(value.at + 1, word, length) == 0;
}

/* NONE where `of` is no object, or has no such key. */
static piece member(piece of, const char *name)
{
    piece key, value;
    if (of.at == NULL || *of.at != '{')
        return NONE;
    for (key = first(of); key.at != NULL && *key.at == '"'; key = next(of, value)) {
        value = next(of, key);
        if (value.at == NULL || says(key, name))
            return value;
    }
    return NONE;
}

static unsigned four_digits(const char *at, const char *end)
{
    unsigned number = 0;
    int nth;
    for (nth = 0; nth < 4 && at < end; nth++, at++) {
        int digit = *at >= 'a' ? *at - 'a' + 10 : *at >= 'A' ? *at - 'A' + 10 : *at - '0';
        number = number * 16 + ((unsigned)digit & 15);
    }
    return number;
}

static void put_character(text *to, unsigned long code)
{
    char bytes[4];
    if (code < 0x80) {
        bytes[0] = (char)code;
        put(to, bytes, 1);
    } else if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3F));
        put(to, bytes, 2);
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        put(to, bytes, 3);
    } else {
        bytes[0] = (char)(0xF0 | code >> 18);
        bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (code & 0x3F));
        put(to, bytes, 4);
    }
}

/* An escape at `at`, behind its backslash; returns where it ends. Line feeds and their like become
 * spaces, or one message would be several lines. */
static const char *put_escape(text *to, const char *at, const char *end)
{
    unsigned long code = ' ';
    if (*at == 'u') {
        code = four_digits(at + 1, end);
        at = end - at > 4 ? at + 5 : end;
        if (code >= 0xD800 && code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
            unsigned low = four_digits(at + 2, end);
            code = 0x10000 + ((code - 0xD800) << 10) + (low & 0x3FF);
            at += 6;
        }
        if (code >= 0xD800 && code < 0xE000)
            code = 0xFFFD;
        put_character(to, code < ' ' ? ' ' : code);
        return at;
    }
    if (*at == '"' || *at == '\\' || *at == '/')
        code = (unsigned char)*at;
    put_character(to, code);
    return at + 1;
}

/* What a JSON string says. */
static void put_string(text *to, piece value)
{
    const char *at, *end;
    if (length_of(value) < 2 || *value.at != '"')
        return;
    for (at = value.at + 1, end = value.end - 1; at < end;) {
        if (*at == '\\' && at + 1 < end) {
            at = put_escape(to, at + 1, end);
        } else {
            put(to, at, 1);
            at++;
        }
    }
}

/* ---- Writing JSON: a string with its quotation marks. */

static void quote(text *to, piece words)
{
    static const char digits[] = "0123456789abcdef";
    const char *at;
    say(to, "\"");
    for (at = words.at; at < words.end; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            put(to, "\\", 1);
            put(to, at, 1);
        } else if (byte < ' ') {
            say(to, "\\u00");
            put(to, &digits[byte >> 4], 1);
            put(to, &digits[byte & 15], 1);
        } else {
            put(to, at, 1);
        }
    }
    say(to, "\"");
}

/* ---- The host, within one call. */

typedef struct call {
    gw_host *host;
    gw_emit emit;
    int32_t code;
} call;

static gw_bytes bytes_of(const char *bytes, size_t length)
{
    gw_bytes borrowed;
    borrowed.ptr = (const uint8_t *)bytes;
    borrowed.len = length;
    return borrowed;
}

static piece piece_of(gw_bytes bytes)
{
    piece all;
    all.at = (const char *)bytes.ptr;
    all.end = bytes.len == 0 ? all.at : all.at + bytes.len;
    return all;
}

static void emit(call *in, uint32_t kind, gw_bytes payload)
{
    int32_t code = in->emit(in->host, kind, payload, bytes_of(NULL, 0));
    if (in->code == GW_OK)
        in->code = code;
}

static void emit_words(call *in, uint32_t kind, const char *words)
{
    emit(in, kind, bytes_of(words, strlen(words)));
}

static int32_t out_of_memory(call *in)
{
    emit_words(in, GW_OUT_REASON, "out of memory");
    return GW_PANICKED;
}

/* Emits a text, and is done with it. */
static void emit_text(call *in, uint32_t kind, text *made)
{
    if (made->broken)
        in->code = out_of_memory(in);
    else
        emit(in, kind, bytes_of(made->bytes, made->length));
    free(made->bytes);
    memset(made, 0, sizeof *made);
}

/* ---- Requests. Each is one command or one query; the answer comes later. */

#define CALL(json) "{\"command\":{\"do\":" json

static void ask_to_register(call *in, piece name, piece password)
{
    text json = {0};
    say(&json, CALL("\"register\",\"user\":{\"insist\":true,\"handle\":"));
    quote(&json, name);
    say(&json, ",\"password\":{\"plain\":");
    quote(&json, password);
    say(&json, "}}}}");
    emit_text(in, GW_OUT_CALL, &json);
}

/* Following the user is to hear of every room that the user is a member of, now and later. */
static void ask_to_sign_in(call *in, piece name, piece password)
{
    text json = {0};
    say(&json, CALL("\"sign_in\",\"session\":true,\"user\":{\"handle\":"));
    quote(&json, name);
    say(&json, "},\"credential\":{\"password\":");
    quote(&json, password);
    say(&json, "}},\"follow\":\"user\"}");
    emit_text(in, GW_OUT_CALL, &json);
}

static void ask_to_join(call *in, piece room)
{
    text json = {0};
    say(&json, CALL("\"join\",\"user\":\"session\",\"room\":{\"name\":"));
    quote(&json, room);
    say(&json, "}}}");
    emit_text(in, GW_OUT_CALL, &json);
}

/* Whoever posts joins, and makes the room where there is none. */
static void ask_to_post(call *in, piece room, piece words)
{
    text json = {0};
    say(&json, CALL("\"post\",\"author\":\"session\",\"room\":{\"name\":"));
    quote(&json, room);
    say(&json, "},\"standing\":{\"joining\":{\"create\":true}},\"text\":");
    quote(&json, words);
    say(&json, "}}");
    emit_text(in, GW_OUT_CALL, &json);
}

static void ask_about(call *in, const char *query, piece room)
{
    text json = {0};
    say(&json, "{\"ask\":");
    say(&json, query);
    say(&json, ",\"caller\":\"session\",\"room\":{\"name\":");
    quote(&json, room);
    say(&json, "}}");
    emit_text(in, GW_OUT_ASK, &json);
}

static void hear_line(call *in, piece line)
{
    piece verb = next_word(&line), what = next_word(&line);
    int rest = length_of(line) > 0;
    if (is(verb, "register") && what.at && rest)
        ask_to_register(in, what, line);
    else if (is(verb, "login") && what.at && rest)
        ask_to_sign_in(in, what, line);
    else if (is(verb, "join") && what.at && !rest)
        ask_to_join(in, what);
    else if (is(verb, "say") && what.at && rest)
        ask_to_post(in, what, line);
    else if (is(verb, "who") && what.at && !rest)
        ask_about(in, "\"members\"", what);
    else if (is(verb, "history") && what.at && !rest)
        ask_about(in, "\"history\",\"limit\":20", what);
    else if (is(verb, "quit"))
        emit(in, GW_OUT_CLOSE, bytes_of(NULL, 0));
    else
        emit_words(in, GW_OUT_SEND_TEXT,
                   "! register <name> <password>, login <name> <password>, join <room>, "
                   "say <room> <text>, who <room>, history <room>, quit");
}

/* ---- Messages, in answers and events. */

/* [room] name: words */
static void put_message(text *line, piece message)
{
    piece to = member(message, "to");
    say(line, "[");
    if (member(to, "room").at != NULL) {
        put_string(line, member(member(to, "room"), "name"));
    } else {
        say(line, "to ");
        put_string(line, member(member(to, "user"), "handle"));
    }
    say(line, "] ");
    put_string(line, member(member(message, "author"), "handle"));
    say(line, ": ");
    put_string(line, member(message, "text"));
}

/* ---- Answers. */

static void tell_messages(call *in, piece messages)
{
    piece message = first(messages);
    if (message.at == NULL)
        emit_words(in, GW_OUT_SEND_TEXT, "* nothing was said there yet");
    for (; message.at != NULL; message = next(messages, message)) {
        text line = {0};
        put_message(&line, message);
        emit_text(in, GW_OUT_SEND_TEXT, &line);
    }
}

static void tell_members(call *in, piece members)
{
    text line = {0};
    piece one = first(members);
    say(&line, one.at == NULL ? "* nobody" : "*");
    for (; one.at != NULL; one = next(members, one)) {
        say(&line, " ");
        put_string(&line, member(one, "handle"));
    }
    emit_text(in, GW_OUT_SEND_TEXT, &line);
}

/* `unknown_room` is `! unknown room`: good enough for netcat, and for refusals of later versions. */
static void tell_refusal(call *in, piece refused)
{
    text line = {0};
    size_t nth;
    say(&line, "! ");
    if (says(refused, "unknown_user") || says(refused, "wrong_password"))
        say(&line, "wrong name or password");
    else
        put_string(&line, refused);
    for (nth = 0; !line.broken && nth < line.length; nth++)
        if (line.bytes[nth] == '_')
            line.bytes[nth] = ' ';
    emit_text(in, GW_OUT_SEND_TEXT, &line);
}

static void hear_answer(call *in, piece outcome)
{
    piece reply = member(outcome, "Ok"), did = member(reply, "did");
    text line = {0};
    if (reply.at == NULL) {
        tell_refusal(in, member(member(outcome, "Err"), "refused"));
    } else if (says(did, "registered")) {
        emit_words(in, GW_OUT_SEND_TEXT, "* registered, now login");
    } else if (says(did, "signed_in")) {
        say(&line, "* welcome, ");
        put_string(&line, member(member(member(reply, "user"), "person"), "handle"));
        emit_text(in, GW_OUT_SEND_TEXT, &line);
    } else if (says(did, "joined")) {
        say(&line, "* you are in ");
        put_string(&line, member(member(reply, "room"), "name"));
        emit_text(in, GW_OUT_SEND_TEXT, &line);
    } else if (says(did, "members")) {
        tell_members(in, member(reply, "members"));
    } else if (says(did, "messages")) {
        tell_messages(in, member(reply, "messages"));
    }
    /* Who posted sees it as everyone does, by the event. */
}

/* ---- The session. It keeps nothing, but must be something. */

struct gw_session {
    gw_frontend *frontend;
};

/* The front end: what its options say. */
struct gw_frontend {
    text greeting;
};

static gw_session *session_open(gw_frontend *frontend, gw_bytes peer, gw_host *host, gw_emit give)
{
    call in = {host, give, GW_OK};
    gw_session *session = (gw_session *)malloc(sizeof *session);
    (void)peer;
    if (session == NULL)
        out_of_memory(&in);
    else
        session->frontend = frontend;
    return session;
}

static void session_free(gw_session *session)
{
    free(session);
}

static int32_t session_handle(gw_session *session, uint64_t now_ms, uint32_t kind, gw_bytes payload,
                              gw_bytes body, gw_host *host, gw_emit give)
{
    call in = {host, give, GW_OK};
    text *greeting = &session->frontend->greeting;
    text line = {0};
    (void)now_ms;
    (void)body;
    switch (kind) {
    case GW_IN_OPENED:
        emit(&in, GW_OUT_SEND_TEXT, bytes_of(greeting->bytes, greeting->length));
        break;
    case GW_IN_TEXT:
        hear_line(&in, piece_of(payload));
        break;
    case GW_IN_BINARY:
        emit_words(&in, GW_OUT_SEND_TEXT, "! that is not UTF-8");
        break;
    case GW_IN_ANSWER:
        hear_answer(&in, piece_of(payload));
        break;
    case GW_IN_ENDING:
        say(&line, "* the gateway hangs up: ");
        put(&line, (const char *)payload.ptr, payload.len);
        emit_text(&in, GW_OUT_SEND_TEXT, &line);
        break;
    default: /* Woken, closed, and whatever later versions bring. */
        break;
    }
    return in.code;
}

/* ---- Events: encoded once for everyone who is concerned. */

static int32_t frontend_broadcast(gw_frontend *frontend, gw_bytes bytes, gw_host *host,
                                  gw_emit give)
{
    call in = {host, give, GW_OK};
    piece event = member(piece_of(bytes), "event"), kind = member(event, "event");
    int came = says(kind, "entered"), went = says(kind, "left");
    text line = {0};
    (void)frontend;
    if (says(kind, "posted")) {
        put_message(&line, member(event, "message"));
    } else if (came || went) {
        say(&line, "[");
        put_string(&line, member(member(event, "room"), "name"));
        say(&line, "] ");
        put_string(&line, member(member(event, "user"), "handle"));
        say(&line, came ? " came" : " went");
    } else {
        return GW_OK;
    }
    emit_text(&in, GW_OUT_SEND_TEXT, &line);
    return in.code == GW_OK ? GW_EVERYONE : in.code;
}

/* ---- The front end. */

static const char MANIFEST[] =
    "{\"dialect\":\"line\",\"title\":\"a chat for netcat\",\"version\":\"1.0.0\","
    "\"listeners\":[{\"key\":\"listen\",\"transport\":\"tcp_lines\","
    "\"address\":\"127.0.0.1:5200\"}],"
    "\"capabilities\":{\"post\":\"exact\",\"receive_push\":\"exact\",\"presence\":\"exact\","
    "\"history\":\"exact\",\"credentials\":\"exact\"},"
    "\"hint\":\"echo help | nc {listen}\","
    "\"options\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"greeting\":{\"type\":\"string\",\"description\":\"What is said to everyone who connects.\","
    "\"default\":\"* hello\"}}}}";

static int32_t frontend_manifest(gw_frontend *frontend, gw_host *host, gw_emit give)
{
    call in = {host, give, GW_OK};
    (void)frontend;
    emit_words(&in, GW_OUT_MANIFEST, MANIFEST);
    return in.code;
}

static void frontend_free(gw_frontend *frontend)
{
    free(frontend->greeting.bytes);
    free(frontend);
}

/* Says what is wrong with an option; the key is a JSON string, as it stands in the options. */
static gw_frontend *refuse(gw_host *host, gw_emit give, piece key, const char *why)
{
    give(host, GW_OUT_REASON, bytes_of(why, strlen(why)),
         length_of(key) < 2 ? bytes_of(NULL, 0) : bytes_of(key.at + 1, length_of(key) - 2));
    return NULL;
}

static gw_frontend *frontend_new(gw_bytes options, gw_host *host, gw_emit give)
{
    piece all = piece_of(options), key, value, greeting = NONE;
    gw_frontend *frontend;
    for (key = first(all); key.at != NULL && *key.at == '"'; key = next(all, value)) {
        value = next(all, key);
        if (!says(key, "greeting"))
            return refuse(host, give, key, "there is no such option");
        if (value.at == NULL || *value.at != '"' || length_of(value) < 3)
            return refuse(host, give, key, "expected some words");
        greeting = value;
    }
    frontend = (gw_frontend *)calloc(1, sizeof *frontend);
    if (frontend == NULL)
        return refuse(host, give, NONE, "out of memory");
    if (greeting.at == NULL)
        say(&frontend->greeting, "* hello");
    else
        put_string(&frontend->greeting, greeting);
    if (frontend->greeting.broken) {
        frontend_free(frontend);
        return refuse(host, give, NONE, "out of memory");
    }
    return frontend;
}

/* ---- The table. What an HTTP dialect would add is absent: frontend_fault. */

static const gw_plugin TABLE = {
    GW_ABI,
    sizeof(gw_plugin),
    frontend_new,
    frontend_manifest,
    frontend_free,
    session_open,
    session_handle,
    session_free,
    frontend_broadcast,
    NULL,
    NULL,
};

const gw_plugin *gw_plugin_v1(void)
{
    return &TABLE;
}

//! The web chat, with `page = true`: the files of examples/web, and a WebSocket beside them, so that
//! the page needs no address but its own.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use core_model::Timestamp;
use frontend_api::http::{Exchange, HttpDialect as _, HttpError, Request, Response};
use frontend_api::{Input, Outbox, Peer, Route, RouteKind, Session};

use crate::Chatroom;
use crate::endpoints::login::set_cookie;

/// Where the page is, below the path of the front end.
const PAGE: &str = "/web/";

/// Where a sign-in ends.
const SIGN_OUT: &str = "/web/sign_out";

/// Where the page's WebSocket is.
const SOCKET: &str = "/web/socket";

/// Everything comes from the gateway itself. Trusted Types: no text becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

struct File {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! file {
    ($path:literal, $name:literal, $content_type:expr) => {
        File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../examples/web/", $name)),
        }
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: &[File] = &[
    file!("/web/", "index.html", "text/html; charset=utf-8"),
    file!("/web/chat.css", "chat.css", "text/css; charset=utf-8"),
    file!("/web/icon.svg", "icon.svg", "image/svg+xml"),
    file!("/web/app.js", "app.js", SCRIPT),
    file!("/web/chat.js", "chat.js", SCRIPT),
    file!("/web/dom.js", "dom.js", SCRIPT),
    file!("/web/keep.js", "keep.js", SCRIPT),
    file!("/web/log.js", "log.js", SCRIPT),
    file!("/web/rooms.js", "rooms.js", SCRIPT),
    file!("/web/sdk.js", "sdk.js", SCRIPT),
    file!("/web/words.js", "words.js", SCRIPT),
];

/// What the manifest lists in addition.
pub(crate) fn routes() -> Vec<Route> {
    let route = |path: &str, methods: &[&str], kind| Route {
        path: path.into(),
        methods: methods.iter().map(|method| (*method).into()).collect(),
        kind,
    };
    let kind = |path| if path == PAGE { RouteKind::Page } else { RouteKind::Operation };
    let files = FILES.iter().map(|file| route(file.path, &["GET"], kind(file.path)));
    let others = [
        route("/", &["GET"], RouteKind::Page),
        route(SIGN_OUT, &["POST"], RouteKind::Operation),
        route(SOCKET, &["GET"], RouteKind::WebSocket),
    ];
    others.into_iter().chain(files).collect()
}

/// An exchange that knows the page besides the dialect.
pub(crate) struct PageSession {
    dialect: Arc<Chatroom>,
    exchange: Exchange<Chatroom>,
}

impl PageSession {
    pub(crate) fn new(dialect: Arc<Chatroom>, peer: &Peer) -> Self {
        Self { exchange: Exchange::new(dialect.clone(), peer), dialect }
    }
}

impl Session for PageSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        if let Input::Request(request) = input
            && let Some(response) = answer(&self.dialect, request)
        {
            out.respond(response);
        } else {
            self.exchange.handle(now, input, out);
        }
    }
}

/// None: a path of the dialect, or none at all.
fn answer(dialect: &Chatroom, request: &Request) -> Option<Response> {
    if request.path == SIGN_OUT {
        let respond = || {
            let cookie = set_cookie(dialect, "", 0);
            plain(204).with_header("set-cookie", cookie).with_header("cache-control", "no-store")
        };
        return Some(by_method(dialect, request, "POST", "OPTIONS, POST", respond));
    }
    if request.path == "/" {
        // Relative, for proxies that serve the front end below a path of theirs.
        let respond = || plain(302).with_header("location", "web/");
        return Some(by_method(dialect, request, "GET", "GET, HEAD, OPTIONS", respond));
    }
    let file = FILES.iter().find(|file| file.path == request.path)?;
    let respond = || content(file, request);
    Some(by_method(dialect, request, "GET", "GET, HEAD, OPTIONS", respond))
}

/// The response to a request with the method that is meant for the path.
fn by_method(
    dialect: &Chatroom,
    request: &Request,
    wanted: &str,
    allow: &str,
    respond: impl Fn() -> Response,
) -> Response {
    match request.method.as_str() {
        "HEAD" if wanted == "GET" => respond(),
        "OPTIONS" => plain(204).with_header("allow", allow),
        method if method == wanted => respond(),
        method => {
            let reason = format!("{method} is not among the methods of {}: {allow}", request.path);
            dialect.fault(&HttpError::new(405, reason)).with_header("allow", allow)
        }
    }
}

fn content(file: &File, request: &Request) -> Response {
    let tag = entity_tag(file.bytes);
    let known = request.headers_named("if-none-match").flat_map(|tags| tags.split(','));
    let is_known = known.map(|tag| tag.trim().trim_start_matches("W/")).any(|it| it == tag);
    let response = match is_known {
        true => plain(304),
        false => Response { body: file.bytes.to_vec(), ..plain(200) }
            .with_header("content-type", file.content_type),
    };
    response
        .with_header("etag", tag)
        .with_header("cache-control", "no-cache")
        .with_header("content-security-policy", POLICY)
        .with_header("cross-origin-resource-policy", "same-origin")
        .with_header("referrer-policy", "no-referrer")
        .with_header("x-content-type-options", "nosniff")
}

/// The same for the same bytes, at least in the same program.
fn entity_tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("\"{:016x}\"", hasher.finish())
}

fn plain(status: u16) -> Response {
    Response { status, ..Response::default() }
}

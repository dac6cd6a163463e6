//! A step of the playground in other forms: a command line, code of an SDK, a transcript.

use frontend_api::Transport;
use frontend_api::http::Request;
use serde_json::json;

use crate::admin::{PlaygroundInput, PlaygroundRequest};
use crate::runtime::net::players::Player;
use crate::runtime::net::state::GatewayState;
use crate::tap::{FrameKind, Shown, TapFrame, Transcript};

/// The request that an operator has written.
pub(super) fn request(written: PlaygroundRequest) -> Request {
    let PlaygroundRequest { method, target, headers, body } = written;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.into_bytes(),
    }
}

/// A command line that does the same.
pub(super) fn curl(state: &GatewayState, player: &Player, shown: &Shown) -> Option<String> {
    let (address, transport, is_encrypted) = address(state, player)?;
    let (host, port) = address.rsplit_once(':')?;
    let tls = if is_encrypted { "s" } else { "" };
    match shown.kind {
        FrameKind::Http => {
            let http = shown.http.as_ref()?;
            let (method, target) = (http.method.as_deref()?, http.target.as_deref()?);
            let mut line =
                format!("curl -X {method} {}", quoted(&format!("http{tls}://{address}{target}")));
            for (name, value) in &http.headers {
                line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
            }
            if !http.body.is_empty() {
                line.push_str(&format!(" --data-raw {}", quoted(&http.body)));
            }
            Some(line)
        }
        FrameKind::Text => {
            let text = quoted(shown.text.as_deref()?);
            Some(match (transport, is_encrypted) {
                (Transport::WebSocket, _) => {
                    format!("printf '%s' {text} | websocat -n1 ws{tls}://{address}/")
                }
                (_, false) => format!("printf '%s\\r\\n' {text} | nc {host} {port}"),
                (_, true) => {
                    format!("printf '%s\\r\\n' {text} | openssl s_client -quiet -connect {address}")
                }
            })
        }
        FrameKind::Binary => {
            let base64 = shown.base64.as_deref()?;
            Some(match is_encrypted {
                false => format!("printf %s {base64} | base64 -d | nc {host} {port}"),
                true => format!(
                    "printf %s {base64} | base64 -d | openssl s_client -quiet -connect {address}"
                ),
            })
        }
        _ => None,
    }
}

/// Where the front end listens.
fn address(state: &GatewayState, player: &Player) -> Option<(String, Transport, bool)> {
    let registry = state.registry();
    registry.listeners.iter().find_map(|listener| {
        let bound = listener.bound()?;
        let bindings = listener.bindings();
        let mut own = bindings.iter().filter(|binding| binding.frontend.name == player.frontend);
        let binding = own.find(|binding| binding.listener.key == player.listener)?;
        let is_encrypted = listener.acceptance().tls.is_some();
        Some((bound.to_string(), binding.listener.transport, is_encrypted))
    })
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same with the TypeScript client of `dragoman sdk`, where that has a method for it.
pub(super) fn code(player: &Player, wanted: &PlaygroundInput) -> Option<String> {
    let (room, user) = (player.room(), player.proof_shown());
    let number = room.as_ref().map(|(id, _)| id.0);
    let call = match (player.dialect.as_str(), &wanted.join, &wanted.say) {
        ("chatroom", Some(room), _) => format!("join({})", json!(room)),
        ("channel", Some(room), _) => format!("listenToChannel({})", json!(room)),
        ("token", _, Some(text)) => format!("post({}, {})", number?, json!(text)),
        ("channel", _, Some(text)) => format!("sendToChannel({}, {})", json!(room?.1), json!(text)),
        ("chatroom", _, Some(text)) => format!("say({}, {})", json!(room?.1), json!(text)),
        ("ourchat", _, Some(text)) => {
            format!("send({{ group_id: {} }}, {})", number?, json!(text))
        }
        ("usr_room", _, Some(text)) => {
            format!("sendMessage({}, {}, {})", number?, json!(user), json!(text))
        }
        _ => return None,
    };
    Some(format!("await client.{call};"))
}

/// What was sent, as a script that the testkit plays.
pub(super) fn transcript(player: &Player, sent: &[(u64, Shown)]) -> String {
    let mut transcript = Transcript::default();
    for (at_ms, shown) in sent {
        transcript.add(&TapFrame {
            at_ms: *at_ms,
            session: player.id,
            frontend: player.frontend.clone(),
            dialect: player.dialect.clone(),
            peer: "127.0.0.1".into(),
            user: None,
            shown: shown.clone(),
        });
    }
    transcript.text()
}

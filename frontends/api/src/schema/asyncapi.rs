//! An AsyncAPI 3.0 document of a dialect in which the gateway pushes messages.

use serde_json::{Value, json};

use super::description::{Description, Message};
use super::json::Json;
use super::openapi;
use super::shapes::Defs;
use crate::{Listener, Transport};

pub(super) fn of(described: &Description, defs: &Defs) -> String {
    let manifest = &described.manifest;
    let streams = manifest.listeners.iter().filter(|one| protocol(one).is_some());
    let servers = streams.map(|one| (one.key.clone(), Json::of(&server(one)))).collect();
    let tags = json!([{ "name": manifest.dialect, "description": manifest.title }]);
    let mut info = openapi::info(described);
    info.push("tags", Json::of(&tags));
    let named = described.messages.iter().map(|message| (message.shape.name(), message));
    let messages = named.map(|(name, _)| {
        let about = defs[&name].get("description").and_then(Value::as_str).unwrap_or_default();
        let summary = about.split_once('\n').map_or(about, |(first, _)| first);
        let payload = json!({ "$ref": format!("#/components/schemas/{name}") });
        let message =
            json!({ "name": name, "title": name, "summary": summary, "payload": payload });
        (name, Json::of(&message))
    });
    let messages = messages.collect();
    let wanted = described.messages.iter().map(|message| message.shape.name()).collect();
    let wanted = openapi::closure(wanted, defs);
    Json::map([
        ("asyncapi", Json::string("3.0.0")),
        ("info", info),
        ("defaultContentType", Json::string("application/json")),
        ("servers", Json::Map(servers)),
        ("channels", Json::map([("conversation", channel(described))])),
        ("operations", operations(described)),
        (
            "components",
            Json::map([
                ("messages", Json::Map(messages)),
                ("schemas", openapi::schemas(described, &wanted, defs)),
            ]),
        ),
    ])
    .text()
}

fn protocol(listener: &Listener) -> Option<(&'static str, &'static str)> {
    match listener.transport {
        Transport::WebSocket => {
            Some(("ws", "A WebSocket, on any path: one JSON object a text message."))
        }
        Transport::TcpLines => {
            Some(("tcp", "One JSON object a line, where gateway.toml has this listener."))
        }
        Transport::Http | Transport::Tcp => None,
    }
}

fn server(listener: &Listener) -> Value {
    let (protocol, about) = protocol(listener).unwrap_or_default();
    let host = listener.address.as_deref().unwrap_or("127.0.0.1");
    json!({ "host": host, "protocol": protocol, "description": about })
}

fn channel(described: &Description) -> Json {
    let message = |message: &Message| {
        let name = message.shape.name();
        let reference = json!({ "$ref": format!("#/components/messages/{name}") });
        (name, Json::of(&reference))
    };
    Json::map([
        ("address", Json::string("/")),
        ("title", Json::string(&described.manifest.title)),
        ("description", Json::string("One connection, on which either side may send at any time.")),
        ("messages", Json::Map(described.messages.iter().map(message).collect())),
    ])
}

/// AsyncAPI describes the gateway's side: it receives what clients send.
fn operations(described: &Description) -> Json {
    let side = |from_client: bool| {
        let side = described.messages.iter().filter(move |one| one.from_client == from_client);
        let refer = |message: &Message| {
            let name = message.shape.name();
            json!({ "$ref": format!("#/channels/conversation/messages/{name}") })
        };
        side.map(refer).collect::<Vec<_>>()
    };
    let operation = |action: &str, about: &str, from_client: bool| {
        Json::of(&json!({
            "action": action,
            "title": about,
            "summary": about,
            "description": about,
            "channel": { "$ref": "#/channels/conversation" },
            "messages": side(from_client),
        }))
    };
    Json::map([
        ("fromClient", operation("receive", "What clients send.", true)),
        ("fromServer", operation("send", "What clients receive.", false)),
    ])
}

//! Names and messages that look like something else.

use gateway_tests::Gateway;
use gateway_tests::browser::Browser;
use serde_json::{Value, json};

use super::{TOML, open, visit};

/// What the API answers: this text as every name of a user, a room or an author, and as a message.
fn stub(text: &str) -> String {
    let stub = r#"
(fetched => {
  const text = TEXT, at = "2026-11-28T18:38:48Z";
  const answers = {
    "/api/v1/users": { items: [{ uid: 10000, handle: text, name: text, identities: [text], created: at, online: true, password: false }] },
    "/api/v1/rooms": { items: [{ room_id: 1, name: text, title: text, owner: text, section: text, closed: false, population: 1, capacity: 2 }] },
    "/api/v1/sessions": { items: [{ id: 1, frontend: text, address: text, user: text, rooms: [text], opened: at, age_s: 1, idle_s: 1, in: 1, out_bytes: 1, mailbox: 0 }] },
    "/api/v1/messages": { items: [{ id: 1, at, author: text, room: text, text }] },
    "/api/v1/bans": { items: [{ target: text, reason: text, created: at }] },
    "/api/v1/users/10000": { uid: 10000, handle: text, name: text, identities: [text], created: at, online: true, password: false, disabled: { reason: text } },
    "/api/v1/users/10000/sign-ins": { items: [{ id: "10.0.0.1", kind: "token", uid: 10000, frontend: text, device: text, created: at, expires: at }] },
    "/api/v1/messages/1/trace": {
      message: { id: 1, at, author: text, room: text, text }, recorded: true, stages: [], readers_complete: true,
      frames_in: [{ direction: "in", kind: "text", text }],
      deliveries: [{ frontend: text, dialect: text, pushed: true, audience: 1, guests: 0, frames: [{ direction: "out", kind: "text", text }] }],
      readers: [{ user: text, way: "sessions", has: false, state: "owed", sessions: 0 }],
    },
    "/api/v1/audit": { items: [{ id: 1, at, who: text, from: text, operation: "ban", path: [text], with: { reason: text }, status: 409, problem: text }] },
  };
  window.fetch = (address, options) => {
    const answer = answers[new URL(address, location.href).pathname];
    return answer ? Promise.resolve(new Response(JSON.stringify(answer))) : fetched(address, options);
  };
})(window.fetch.bind(window))
"#;
    stub.replace("TEXT", &json!(text).to_string())
}

const SHOWN: [&str; 9] = [
    "users",
    "users/10000",
    "users/10000?tab=sign-ins",
    "rooms",
    "sessions",
    "rooms?tab=messages&text=x",
    "bans",
    "audit",
    "trace/1",
];

/// A text, and what is to be read of it.
fn texts() -> [(String, String); 6] {
    let same = |text: &str| (text.to_owned(), text.to_owned());
    [
        same("<script>window.pwned = 1</script>"),
        same("<img src=x onerror=\"window.pwned = 1\">"),
        same("مرحبا"),
        ("\u{202e}txet\u{202c}".into(), "U+202Etxet".into()),
        ("zero\u{200b}width".into(), "zeroU+200Bwidth".into()),
        ("x".repeat(10_000), "x".repeat(20)),
    ]
}

#[test]
fn names_and_messages_are_shown_as_text() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    for (text, read) in texts() {
        let page = open(&browser, &gateway, "overview");
        page.eval(&stub(&text));
        for list in SHOWN {
            let shows =
                format!("document.querySelector('main').innerText.includes({})", json!(read));
            visit(&page, list, &shows);
            let found = page.eval(
                "[window.pwned ?? null, document.querySelectorAll('main script, main img').length,
                  document.documentElement.scrollWidth > innerWidth,
                  [...document.querySelectorAll('main bdi')].length > 0]",
            );
            assert_eq!(found, json!([Value::Null, 0, false, true]), "{list}: {read}");
        }
        assert_eq!(page.complaints(), [""; 0], "{read}");
    }
}

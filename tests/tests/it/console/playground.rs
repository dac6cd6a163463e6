//! Two clients of the playground in one room, for every two dialects.

use gateway_tests::Gateway;
use gateway_tests::browser::{Browser, Page};

use super::{TOML, open, visit};

const DIALECTS: [&str; 6] = ["token", "usr_room", "chatroom", "ourchat", "channel", "irc"];

/// What a pane shows, with the letters beside bytes in one piece.
const HELPERS: &str = r#"
window.pane = side => document.querySelectorAll(".pane")[side];
window.shows = (side, text) => {
  const frames = [...pane(side).querySelectorAll(".frame")].map(frame => frame.innerText);
  const letters = frames.map(frame => [...frame.matchAll(/^[0-9a-f]{4}  .{24} (.*)$/gm)].map(row => row[1]).join(""));
  return [...frames, ...letters].some(frame => frame.includes(text));
};
window.send = (side, values) => {
  const form = pane(side).querySelector("form");
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  form.requestSubmit();
};
"#;

#[track_caller]
fn send(page: &Page, side: usize, values: &serde_json::Value) {
    page.eval(&format!("send({side}, {values})"));
}

#[test]
fn the_playground_bridges_every_two_dialects() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let page = open(&browser, &gateway, "overview");
    page.eval(HELPERS);
    let pairs = DIALECTS
        .iter()
        .enumerate()
        .flat_map(|(nth, one)| DIALECTS[nth + 1..].iter().map(move |other| [*one, *other]));
    for (nth, pair) in pairs.enumerate() {
        visit(&page, "playground", "document.querySelectorAll('.pane form').length === 2");
        for (side, dialect) in pair.into_iter().enumerate() {
            let name = format!("play{nth}x{side}");
            send(&page, side, &serde_json::json!({ "frontend": dialect, "name": name }));
            page.until(&format!("pane({side}).querySelector('.passing')"));
        }
        for (side, other) in [(0, 1), (1, 0)] {
            let text = format!("Tea {nth} of {side}?");
            send(&page, side, &serde_json::json!({ "text": text }));
            page.until(&format!("shows({other}, '{text}')"));
        }
        assert_eq!(page.texts(".pane .alert"), [""; 0], "{pair:?}");
        visit(&page, "bans", "true");
    }
    assert_eq!(page.complaints(), [""; 0]);
}

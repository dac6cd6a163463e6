//! The console, as a browser has it.

mod changes;
mod hostile;
mod look;
mod pictures;
mod playground;
mod sessions;
mod sign_in;
mod sign_ins;

use gateway_tests::browser::{Browser, Look, Page};
use gateway_tests::{Channel, Gateway};
use serde_json::json;

/// Every dialect, and a room.
const TOML: &str = r#"
[[rooms]]
name = "tea"
[admin]
playground = true
trace = 100
[frontends.token]
[frontends.usr_room]
[frontends.chatroom]
[frontends.ourchat]
[frontends.channel]
[frontends.irc]
"#;

/// The pages, each with an expression that is true when it shows what it is about.
const PAGES: &[(&str, &str)] = &[
    (
        "overview",
        "document.querySelectorAll('.plot canvas').length === 8 && document.querySelector('.flow')",
    ),
    ("frontends", ROWS),
    ("frontends/irc", "document.querySelector('.facts')"),
    ("sessions", "document.querySelector('.rows')"),
    ("rooms", ROWS),
    ("rooms/tea", "document.querySelector('.messages li')"),
    ("rooms/tea?tab=members", "document.querySelector('[role=tabpanel] h2')"),
    ("rooms/tea?tab=settings", "document.querySelector('[role=tabpanel] .facts')"),
    ("rooms/tea?tab=views", VIEWS),
    ("rooms?tab=messages&text=hello", "document.querySelector('.messages li')"),
    ("users", ROWS),
    ("users/ann", "document.querySelector('[role=tabpanel] .facts')"),
    ("users/ann?tab=sign-ins", ROWS),
    ("users/ann?tab=views", VIEWS),
    ("bans", ROWS),
    ("tap", "document.querySelector('.passing')"),
    ("trace/1", VIEWS),
    ("playground", "document.querySelectorAll('.pane form').length === 2"),
    ("plugins", "document.querySelector('main p')"),
    ("webhooks", "document.querySelector('main p')"),
    ("tokens", "document.querySelectorAll('main p').length === 2"),
    ("configuration", ROWS),
    ("configuration?tab=check", "document.querySelector('textarea')"),
    ("configuration?tab=plan", "document.querySelector('[role=tabpanel] .actions')"),
    ("store", ROWS),
    ("audit", ROWS),
];

const VIEWS: &str = "document.querySelectorAll('.view').length === 6";

const ROWS: &str = "document.querySelector('main tbody tr')";

/// A gateway in which there is something to see on every page.
fn furnished() -> Gateway {
    let gateway = Gateway::start(TOML);
    Channel::enroll(gateway.address("channel", "listen"), "ann");
    for arguments in [
        ["user", "rename", "ann", "Ann Lee"].as_slice(),
        &["ban", "add", "network:203.0.113.0/24", "--reason", "spam"],
        &["message", "announce", "--room", "tea", "hello in here"],
    ] {
        let (_, error, code) = gateway.dragoman(arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
    }
    gateway
}

fn url(gateway: &Gateway, page: &str) -> String {
    format!("http://{}/console/#/{page}", gateway.address("admin", "listen"))
}

fn open(browser: &Browser, gateway: &Gateway, page: &str) -> Page {
    let opened = browser.open(&url(gateway, page), Look::default());
    opened.until("document.querySelector('main h1')");
    opened
}

/// Goes to another page of the console, and waits until what is shown is of that page: the one before
/// stays for a moment.
#[track_caller]
fn visit(page: &Page, to: &str, shows: &str) {
    page.eval(&format!("location.hash = {}", json!(format!("#/{to}"))));
    let is_there = "document.querySelector('main').dataset.address === location.hash";
    page.until(&format!("{is_there} && document.querySelector('main h1') && ({shows})"));
}

/// Sets a choice at the top: 0 the language, 1 the colours.
#[track_caller]
fn choose(page: &Page, nth: usize, value: &str) {
    page.eval(&format!(
        "(select => {{ select.value = '{value}'; select.dispatchEvent(new Event('change', {{ bubbles: true }})); }})
         (document.querySelectorAll('.choice select')[{nth}])"
    ));
}

//! The web chat of examples/web, in a browser.

mod accounts;
mod looks;
mod served;
mod talk;
mod trouble;

use gateway_tests::browser::{Browser, Look, Page};
use gateway_tests::{Gateway, Talk};
use serde_json::Value;

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.chatroom]
    page = true
    [frontends.irc]
";

fn url(gateway: &Gateway) -> String {
    format!("http://{}/", gateway.address("chatroom", "listen"))
}

/// A page that a guest has entered.
fn guest(browser: &Browser, gateway: &Gateway, name: &str, look: Look) -> Page {
    let page = browser.open(&url(gateway), look);
    enter(&page, name);
    page
}

fn enter(page: &Page, name: &str) {
    page.until("document.body?.dataset.ready");
    page.click("[name=name]");
    page.type_text(name);
    page.click("#enter [type=submit]");
    page.until("document.body.dataset.view === 'rooms'");
}

/// Goes to a room of the list, and waits until it is in it.
fn open_room(page: &Page, name: &str) {
    let button = format!(
        "[...document.querySelectorAll('#lists button')].find((one) => one.querySelector('bdi').textContent === {})",
        Value::from(name)
    );
    page.until(&button);
    page.eval(&format!("{button}.click()"));
    page.until("document.querySelector('#connection').dataset.state === 'online'");
    page.until(
        "document.querySelector('#joined [aria-current]')?.closest('li').className === 'in'",
    );
}

fn say(page: &Page, text: &str) {
    page.eval("document.querySelector('#text').focus()");
    page.type_text(text);
    page.press("Enter");
}

/// The texts of the messages that are shown, as the page's own.
fn messages(page: &Page) -> Vec<String> {
    page.texts("#log .text")
}

fn until_said(page: &Page, text: &str) {
    page.until(&format!(
        "[...document.querySelectorAll('#log .text')].some((one) => one.textContent === {})",
        Value::from(text)
    ));
}

/// A guest in a room that is not in a browser.
fn other(gateway: &Gateway, room: &str, name: &str) -> Talk {
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    talk.join(room, name);
    talk
}

/// Nothing was complained of, and all came from the gateway.
#[track_caller]
fn assert_clean(page: &Page, gateway: &Gateway) {
    let complaints = page.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let address = gateway.address("chatroom", "listen").to_string();
    let requests = page.requests();
    let own = [format!("http://{address}/"), format!("ws://{address}/")];
    let is_foreign = |url: &&String| !own.iter().any(|own| url.starts_with(own));
    let foreign: Vec<_> = requests.iter().filter(is_foreign).collect();
    assert!(foreign.is_empty(), "it asks for {foreign:?}");
    assert!(requests.len() > 3, "{requests:?}");
}

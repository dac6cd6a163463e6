//! What the page looks like, whatever users write.

use std::path::Path;

use gateway_tests::browser::{Browser, Look, Page};
use gateway_tests::{Chatroom, Gateway, Talk};
use serde_json::Value;

use super::{TOML, assert_clean, guest, messages, open_room, other, say, until_said, url};

/// Texts that could break a page.
const NASTY: [&str; 6] = [
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\u{202e}right to left\u{202d} and \u{2066}isolated",
    "\u{200b}\u{200b}",
    "${document.title = 'owned'} {{constructor}} &lt;b&gt;",
    "__proto__",
];

#[test]
fn what_users_write_shows_as_text() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let mut rooms = Chatroom::connect(gateway.address("chatroom", "listen"));
    for name in [NASTY[0], NASTY[1], NASTY[5]] {
        rooms.res("/chatroom/create", &[("room_name", name)]);
    }
    let look = Look { width: 400, height: 800, ..Look::default() };
    let ann = guest(&browser, &gateway, "ann", look);
    open_room(&ann, NASTY[0]);
    assert_eq!(ann.texts("#room-name"), [NASTY[0]]);
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    for name in [NASTY[0], NASTY[1], NASTY[5]] {
        talk.join(NASTY[0], name);
        for text in NASTY {
            talk.say(NASTY[0], name, text);
        }
    }
    let long = "x".repeat(10_000);
    talk.say(NASTY[0], NASTY[5], &long);
    until_said(&ann, &long);
    ann.until("document.querySelector('.fold')");
    let shown =
        ann.eval("[...document.querySelectorAll('#log .text')].map((one) => one.textContent)");
    let shown: Vec<&str> = shown.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let wanted = NASTY.map(|text| if text == NASTY[3] { "U+200B U+200B" } else { text });
    assert_eq!(shown[..18], [wanted, wanted, wanted].concat());
    let elements = "document.querySelectorAll('#log :is(script, img, b), #log .text > *').length";
    assert_eq!(ann.eval(elements), 0);
    assert_ne!(ann.eval("document.title"), "owned");
    assert_eq!(ann.overflow(), 0);
    ann.click("#show-members");
    ann.until("document.querySelectorAll('#member-list li').length === 4");
    assert_eq!(ann.overflow(), 0);
    ann.press("Escape");
    ann.until("document.querySelector('#members').hidden");
    ann.press("Escape");
    ann.until("document.body.dataset.view === 'rooms'");
    assert_eq!(ann.overflow(), 0);
    open_room(&ann, NASTY[5]);
    say(&ann, "in a room of this name");
    until_said(&ann, "in a room of this name");
    assert_clean(&ann, &gateway);
}

#[test]
fn it_fits_a_phone_in_both_languages_light_and_dark_and_to_a_screen_reader() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let mut bo = other(&gateway, "TEST", "bo");
    bo.say("TEST", "bo", "hello");
    for (width, dark, language) in [(400, false, "en"), (400, true, "zh-CN"), (1280, true, "en")] {
        let look = Look { width, height: 800, dark, language };
        let page = browser.open(&url(&gateway), look);
        page.until("document.body?.dataset.ready");
        for how in ["guest", "sign-in", "register"] {
            page.click(&format!("[value={how}]"));
            assert_fits(&page, how);
        }
        page.click("[value=guest]");
        super::enter(&page, "ann");
        page.until("document.querySelector('#others button')");
        assert_fits(&page, "rooms");
        open_room(&page, "TEST");
        say(&page, "a message of my own");
        until_said(&page, "a message of my own");
        page.until("!document.querySelector('[data-state=sending]')");
        assert_fits(&page, "room");
        page.click("#show-members");
        assert_fits(&page, "members");
        page.click("#hide-members");
        page.click("#leave");
        page.until("document.body.dataset.view === 'rooms'");
        let title = page.eval("document.title");
        let words = if language == "en" { "Dragoman chat" } else { "Dragoman 聊天" };
        assert_eq!(title, words);
        assert_clean(&page, &gateway);
    }
}

#[track_caller]
fn assert_fits(page: &Page, view: &str) {
    assert_eq!(page.overflow(), 0, "{view}");
    let violations = page.axe();
    assert!(violations.is_empty(), "{view}: {violations:#?}");
}

#[test]
fn it_works_with_the_keyboard_alone() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let page = browser.open(&url(&gateway), Look::default());
    page.until("document.body?.dataset.ready");
    let focus = |id: &str| {
        for _ in 0..40 {
            if page.eval(&format!("document.activeElement.matches({})", Value::from(id))) == true {
                return;
            }
            page.press("Tab");
        }
        panic!("Tab does not lead to {id}");
    };
    focus("[name=name]");
    page.type_text("ann");
    page.press("Enter");
    page.until("document.querySelector('#others button')");
    focus("#others button");
    page.press("Enter");
    page.until("document.activeElement.id === 'text'");
    page.until("document.querySelector('#joined li')?.className === 'in'");
    page.type_text("typed");
    page.press("Enter");
    until_said(&page, "typed");
    assert_eq!(messages(&page), ["typed"]);
    assert_clean(&page, &gateway);
}

#[test]
fn the_picture_of_the_documentation_is_small() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/web-chat.png");
    let bytes = std::fs::metadata(&path).map(|file| file.len()).unwrap_or_default();
    assert!((1..=61_440).contains(&bytes), "{bytes} bytes");
}

//! What is said reaches all, once.

use gateway_tests::browser::{Browser, Look};
use gateway_tests::{Gateway, Irc};

use super::{TOML, assert_clean, enter, guest, messages, open_room, other, say, until_said, url};

#[test]
fn two_pages_and_an_irc_client_chat_with_each_other() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let ann = guest(&browser, &gateway, "ann", Look::default());
    ann.click("#create input");
    ann.type_text("tea room");
    ann.click("#create [type=submit]");
    ann.until_shown("#room-name", "tea room");
    open_room(&ann, "TEST");
    let bo = guest(&browser, &gateway, "bo", Look::default());
    open_room(&bo, "TEST");
    ann.until_shown("#log .notice", "bo joined");
    let mut carl = Irc::sign_on(gateway.address("irc", "listen"), "carl", None);
    carl.join("#TEST");

    say(&ann, "hello from ann");
    carl.receive_until("hello from ann");
    carl.send("PRIVMSG #TEST :hello from irc");
    until_said(&bo, "hello from irc");
    say(&bo, "hello from bo");
    for page in [&ann, &bo] {
        until_said(page, "hello from bo");
        until_said(page, "hello from irc");
        page.until("!document.querySelector('[data-state=sending]')");
        let shown = messages(page);
        assert_eq!(shown, ["hello from ann", "hello from irc", "hello from bo"]);
    }
    assert_eq!(ann.texts(".own .text"), ["hello from ann"]);
    carl.send("QUIT");
    ann.until_shown("#log .notice", "carl");
    ann.until("[...document.querySelectorAll('.notice')].at(-1).innerText.endsWith('left')");
    for page in [&ann, &bo] {
        assert_clean(page, &gateway);
    }
}

#[test]
fn rooms_that_are_not_looked_at_count_what_is_unread() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let ann = guest(&browser, &gateway, "ann", Look::default());
    open_room(&ann, "TEST");
    ann.click("#create input");
    ann.type_text("tea");
    ann.press("Enter");
    ann.until_shown("#room-name", "tea");
    let mut bo = other(&gateway, "TEST", "bo");
    for text in ["one", "two"] {
        bo.say("TEST", "bo", text);
    }
    ann.until("document.title.startsWith('(2) ')");
    assert_eq!(ann.texts("#joined .unread:not([hidden]) [aria-hidden]"), ["2"]);
    // They still are when the page comes again.
    ann.reload();
    ann.until("document.title.startsWith('(2) ')");
    open_room(&ann, "TEST");
    ann.until_shown("#log .mark", "New messages");
    ann.until("!document.title.startsWith('(')");

    // A draft stays with its room.
    ann.type_text("half a ");
    open_room(&ann, "tea");
    assert_eq!(ann.eval("document.querySelector('#text').value"), "");
    ann.reload();
    open_room(&ann, "TEST");
    assert_eq!(ann.eval("document.querySelector('#text').value"), "half a ");

    ann.click("#search");
    ann.type_text("TE");
    ann.until("document.querySelectorAll('#lists li').length === 2");
    ann.type_text("ST");
    ann.until("document.querySelectorAll('#lists li').length === 1");
    assert_clean(&ann, &gateway);
}

#[test]
fn the_past_comes_page_by_page_and_ends_where_messages_are_missing() {
    let Some(browser) = Browser::start() else { return };
    let toml = TOML.replace("page = true", "page = true\nmessages_per_s = 0\nrequests_per_s = 0");
    let gateway = Gateway::start(&toml);
    let mut bo = other(&gateway, "TEST", "bo");
    for number in 0..1_003 {
        bo.send("msg", "TEST", "bo", &format!("number {number}"));
        bo.receive_until(|packet| packet["type"] == "msg");
    }
    let ann = browser.open(&url(&gateway), Look::default());
    enter(&ann, "ann");
    open_room(&ann, "TEST");
    until_said(&ann, "number 1002");
    let first_shown = || messages(&ann)[0].clone();
    assert_eq!(first_shown(), "number 923");
    // Scrolling up brings more, and what was in sight stays there.
    let before = ann.eval(
        "window.known = document.querySelector('#log .text');
         document.querySelector('#scroller').scrollTop = 40;
         window.known.getBoundingClientRect().top",
    );
    let before = before.as_f64().unwrap();
    // What is drawn before the page learns that it was scrolled scrolls it back to its end.
    ann.until(
        "(() => {
          if (document.querySelector('#log .text') !== window.known) return true;
          document.querySelector('#scroller').scrollTop = 40;
          return false;
        })()",
    );
    let after = ann.eval("window.known.getBoundingClientRect().top").as_f64().unwrap();
    assert!((before - after).abs() < 2.0, "{before} {after}");
    assert_eq!(first_shown(), "number 843");
    ann.until(
        "(() => {
          document.querySelector('.note button')?.click();
          return document.querySelector('#log .gap');
        })()",
    );
    assert_eq!(ann.texts("#log .gap"), ["3 messages are not here"]);
    assert_eq!((first_shown().as_str(), messages(&ann).len()), ("number 3", 1_000));
    ann.click("#latest");
    ann.until("document.querySelector('#latest').hidden");
    assert_clean(&ann, &gateway);
}

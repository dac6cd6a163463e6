//! The network fails, the gateway is killed, and messages are refused.

use std::net::{SocketAddr, TcpListener};

use gateway_tests::browser::{Browser, Look, Page};
use gateway_tests::{Gateway, Irc};

use super::{TOML, assert_clean, guest, messages, open_room, other, say, until_said};

/// An address that the gateway has again after it was killed.
fn free_address(ip: &str) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).expect("all of 127.0.0.0/8 is this machine");
    listener.local_addr().expect("it is bound")
}

fn until_connection(page: &Page, state: &str) {
    page.until(&format!("document.querySelector('#connection').dataset.state === '{state}'"));
}

#[test]
fn what_was_said_while_the_gateway_was_gone_comes_once() {
    let Some(browser) = Browser::start() else { return };
    let address = free_address("127.0.95.1");
    let listen = format!("page = true\nlisten = \"{address}\"");
    let mut gateway = Gateway::start(&TOML.replace("page = true", &listen));
    let ann = guest(&browser, &gateway, "ann", Look::default());
    open_room(&ann, "TEST");
    let bo = guest(&browser, &gateway, "bo", Look::default());
    open_room(&bo, "TEST");
    say(&ann, "before");
    until_said(&bo, "before");

    gateway.kill();
    until_connection(&ann, "offline");
    // It waits, and is sent once when it can be.
    say(&ann, "meanwhile");
    ann.until("document.querySelector('[data-state=sending]')");
    gateway.restart();
    let mut carl = Irc::sign_on(gateway.address("irc", "listen"), "carl", None);
    carl.join("#TEST");
    carl.send("PRIVMSG #TEST :from irc");
    for page in [&ann, &bo] {
        until_connection(page, "online");
        until_said(page, "from irc");
        until_said(page, "meanwhile");
    }
    say(&bo, "after");
    for page in [&ann, &bo] {
        until_said(page, "after");
        page.until("!document.querySelector('[data-state=sending]')");
        let shown = messages(page);
        assert_eq!((shown[0].as_str(), shown[3].as_str()), ("before", "after"), "{shown:?}");
        assert_eq!(sorted(shown), ["after", "before", "from irc", "meanwhile"]);
    }
    let of_network = |complaint: &String| complaint.contains("net::ERR_");
    let complaints: Vec<_> = ann.complaints().into_iter().filter(|one| !of_network(one)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn without_a_network_the_page_waits_and_then_shows_what_it_missed() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let ann = guest(&browser, &gateway, "ann", Look::default());
    open_room(&ann, "TEST");
    ann.set_offline(true);
    until_connection(&ann, "offline");
    let mut carl = Irc::sign_on(gateway.address("irc", "listen"), "carl", None);
    carl.join("#TEST");
    for text in ["first", "second"] {
        carl.send(&format!("PRIVMSG #TEST :{text}"));
    }
    carl.drain();
    assert_eq!(messages(&ann), [] as [String; 0]);
    ann.set_offline(false);
    until_said(&ann, "second");
    until_connection(&ann, "online");
    assert_eq!(messages(&ann), ["first", "second"]);
}

#[test]
fn a_refused_message_can_be_sent_again_and_is_there_once() {
    let Some(browser) = Browser::start() else { return };
    let slow = "page = true\nmessages_per_s = 1\nmessages_burst = 1";
    let gateway = Gateway::start(&TOML.replace("page = true", slow));
    let ann = guest(&browser, &gateway, "ann", Look::default());
    open_room(&ann, "TEST");
    let bo = guest(&browser, &gateway, "bo", Look::default());
    open_room(&bo, "TEST");
    // Two in one turn of the page, so that the second is too fast on a slow machine as well.
    let mut wanted = Vec::new();
    while ann.eval("document.querySelector('[data-state=failed]') === null") == true {
        let texts = [1, 2].map(|number| format!("number {}", wanted.len() + number));
        ann.eval(&format!(
            "for (const text of {texts:?}) {{
              document.querySelector('#text').value = text;
              document.querySelector('#composer').requestSubmit();
            }}"
        ));
        // The page shows what has changed a moment later.
        texts.iter().for_each(|text| until_said(&ann, text));
        ann.until("!document.querySelector('[data-state=sending]')");
        wanted.extend(texts);
    }
    ann.until_shown("[data-state=failed] .state", "That was too fast");
    // The page is closed and comes again: the message is not forgotten.
    ann.reload();
    ann.until("document.body?.dataset.ready");
    open_room(&ann, "TEST");
    ann.until_shown("[data-state=failed] .state", "closed before there was an answer");
    ann.until(
        "(() => {
          document.querySelector('[data-state=failed] button')?.click();
          return !document.querySelector('[data-state=failed], [data-state=sending]');
        })()",
    );
    for page in [&ann, &bo] {
        wanted.iter().for_each(|text| until_said(page, text));
        assert_eq!(sorted(messages(page)), sorted(wanted.clone()));
        assert_clean(page, &gateway);
    }
    ann.reload();
    ann.until("document.body?.dataset.ready");
    open_room(&ann, "TEST");
    wanted.iter().for_each(|text| until_said(&ann, text));
    assert_eq!(sorted(messages(&ann)), sorted(wanted), "nothing is left to be sent");
}

/// The order of those that were sent at once, or again, is not what is looked at.
fn sorted(mut messages: Vec<String>) -> Vec<String> {
    messages.sort();
    messages
}

#[test]
fn a_message_that_had_arrived_without_an_answer_is_not_there_twice() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let ann = guest(&browser, &gateway, "ann", Look::default());
    open_room(&ann, "TEST");
    // As another run of the page did, which was closed before it had the answer.
    let mut former = other(&gateway, "TEST", "ann");
    let user = r#"{"user_name":"ann","user_avatar":""}"#;
    former.websocket.send(&format!(
        r#"{{"type":"msg","data":{{"user":{user},"room_name":"TEST","msg":"once","client_id":"k1"}}}}"#
    ));
    former.receive_until(|packet| packet["type"] == "posted");
    until_said(&ann, "once");
    ann.eval(
        "(() => {
          const [key] = Object.keys(localStorage);
          const kept = JSON.parse(localStorage[key]);
          kept.outbox = [{ room: 'TEST', clientId: 'k1', text: 'once', time: Date.now() }];
          localStorage[key] = JSON.stringify(kept);
        })()",
    );
    ann.reload();
    ann.until("document.body?.dataset.ready");
    open_room(&ann, "TEST");
    // One of them waits for the user.
    ann.until("document.querySelectorAll('#log .text').length === 2");
    assert_eq!(messages(&ann), ["once", "once"]);
    ann.click("[data-state=failed] button");
    ann.until("!document.querySelector('[data-state=failed], [data-state=sending]')");
    assert_eq!(messages(&ann), ["once"]);
    ann.until("!Object.values(localStorage).some((one) => one.includes('k1'))");
    assert_clean(&ann, &gateway);
}

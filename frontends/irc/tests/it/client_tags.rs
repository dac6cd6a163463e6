//! Client-only tags, which sessions show each other past the engine.

use std::collections::BTreeMap;

use core_model::{
    ConnectionId, Event, Message, MessageId, Outcome, Person, Recipient, Recorded, Refusal, Reply,
    RoomId, RoomTag, RoomView, Seq, Timestamp,
};
use frontend_api::Input;
use frontend_irc::IrcFrontend;

use crate::client::Client;

fn guest(name: &str) -> Person {
    Person { handle: format!("guest:{name}"), name: name.into(), ..Person::default() }
}

/// zed, yan and xan, with the connections 1, 2 and 3, in a channel; xan reads no tags.
fn guests(frontend: &IrcFrontend) -> [Client; 3] {
    [("zed", "message-tags echo-message"), ("yan", "message-tags"), ("xan", "server-time")]
        .into_iter()
        .zip(1..)
        .map(|((nick, caps), at)| {
            let mut client = Client::guest_as(frontend, nick, at).0;
            client.send(&format!("CAP REQ :{caps}"));
            client.send("JOIN #tea");
            let room = RoomView { id: RoomId(7), name: "tea".into(), ..RoomView::default() };
            let user = guest(nick).into();
            let entered = Reply::Entered { room, user, again: false, cursor: MessageId(0) };
            let members = Reply::Members { members: Vec::new(), roles: BTreeMap::new() };
            let earlier = Reply::Messages { messages: Vec::new() };
            let shows_times = (caps == "server-time").then_some(earlier);
            for reply in [entered, members].into_iter().chain(shows_times) {
                client.feed(Input::Answer(&Ok(reply)));
            }
            client
        })
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|_| unreachable!("there are three"))
}

/// What zed posts.
fn message(id: u64, text: &str) -> Message {
    Message {
        id: MessageId(id),
        at: Timestamp(1_700_000_000_000),
        author: guest("zed").into(),
        to: Recipient::Room(RoomTag { id: RoomId(7), name: "tea".into(), closed: false }),
        text: text.into(),
        notice: false,
    }
}

fn posted(id: u64, text: &str) -> Recorded {
    let event = Event::Posted { message: message(id, text) };
    Recorded { seq: Seq(id), at: Timestamp(0), cause: ConnectionId(1), event }
}

fn answer(id: u64, text: &str) -> Outcome {
    Ok(Reply::Posted { message: message(id, text) })
}

#[test]
fn tags_go_with_their_message_to_clients_that_read_tags() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, mut xan] = guests(&frontend);
    zed.send("@+draft/reply=a\\:b;fizz=1;+x;+=2;+a_b=3 PRIVMSG #tea :hi");
    // The event is before the answer for one, and behind it for another.
    let event = posted(50, "hi");
    let tagged = "@+draft/reply=a\\:b;+x;msgid=50 :zed!guest@irc.localhost PRIVMSG #tea :hi";
    assert_eq!(yan.feed(Input::Event(&event)), [tagged]);
    zed.feed(Input::Answer(&answer(50, "hi")));
    assert_eq!(zed.feed(Input::Event(&event)), [tagged], "the echo");
    let plain = "@time=2023-11-14T22:13:20.000Z :zed!guest@irc.localhost PRIVMSG #tea :hi";
    assert_eq!(xan.feed(Input::Event(&event)), [plain]);
}

#[test]
fn tags_are_those_of_one_message_and_no_other() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, _] = guests(&frontend);
    let bare = |id: u64| format!("@msgid={id} :zed!guest@irc.localhost PRIVMSG #tea :hi");
    // One that was posted before, of the same text, is shown late.
    zed.send("PRIVMSG #tea :hi");
    zed.feed(Input::Answer(&answer(50, "hi")));
    zed.send("@+x=1 PRIVMSG #tea,#tea :hi");
    // The next one has to wait for its answers.
    assert_eq!(zed.send("PRIVMSG #tea :hi"), [""; 0]);
    assert_eq!(yan.feed(Input::Event(&posted(50, "hi"))), [bare(50)]);
    assert_eq!(yan.feed(Input::Event(&posted(51, "hi")))[0], bare(51).replacen('@', "@+x=1;", 1));
    zed.feed(Input::Answer(&answer(51, "hi")));
    zed.feed(Input::Answer(&Err(Refusal::Overloaded)));
    zed.feed(Input::Answer(&answer(52, "hi")));
    assert_eq!(yan.feed(Input::Event(&posted(52, "hi"))), [bare(52)]);
    // Without the capability there are none.
    zed.send("CAP REQ :-message-tags");
    zed.send("@+x=1 PRIVMSG #tea :hi");
    assert_eq!(yan.feed(Input::Event(&posted(53, "hi"))), [bare(53)]);
}

#[test]
fn a_message_of_tags_alone_reaches_channels_and_users_of_irc() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, mut xan] = guests(&frontend);
    let line = |target: &str, id: u64| {
        let id = format!("t1700000000000-{id}");
        format!("@+typing=active;msgid={id} :zed!guest@irc.localhost TAGMSG {target}")
    };
    assert_eq!(zed.send_counted("@+typing=active TAGMSG #TEA"), [line("#tea", 0)], "the echo");
    assert_eq!((yan.woken(), xan.woken()), (vec![line("#tea", 0)], vec![]));
    zed.send_counted("@+typing=active TAGMSG yan,xan");
    assert_eq!((yan.woken(), xan.woken()), (vec![line("yan", 1)], vec![]));
    for (target, numeric) in [("#den", "404"), ("nemo", "401"), ("a,b,c,d,e", "407")] {
        let lines = match target.len() {
            9 => zed.send(&format!("@+a=b TAGMSG {target}")),
            _ => zed.send_counted(&format!("@+a=b TAGMSG {target}")),
        };
        assert!(lines[0].contains(&format!(" {numeric} zed ")), "{lines:?}");
    }
    zed.send("@+a=b TAGMSG #tea");
    let refused = zed.feed(Input::Answer(&Err(Refusal::SlowDown { retry_after_ms: 9 })));
    assert!(refused[0].contains(" 263 zed TAGMSG "), "{refused:?}");
    assert_eq!(zed.send("TAGMSG #tea"), [""; 0], "without a tag there is nothing to send");
    assert_eq!(yan.woken(), [""; 0]);
}

#[test]
fn messages_of_guests_have_ids_and_tags_too() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, mut xan] = guests(&frontend);
    let echo = zed.send_counted("@+x=1 PRIVMSG yan :psst");
    let expected = "@+x=1;msgid=t1700000000000-0 :zed!guest@irc.localhost PRIVMSG yan :psst";
    assert_eq!((echo, yan.woken()), (vec![expected.to_owned()], vec![expected.to_owned()]));
    zed.send_counted("@+x=1 NOTICE xan :psst");
    let plain = "@time=2023-11-14T22:13:20.000Z :zed!guest@irc.localhost NOTICE xan :psst";
    assert_eq!(xan.woken(), [plain]);
}

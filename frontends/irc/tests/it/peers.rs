//! What the sessions of one front end tell each other past the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    ConnectionId, Event, MessageId, Outcome, Person, Recorded, Refusal, Reply, RoomId, RoomTag,
    RoomView, Seq, Timestamp, Uid,
};
use frontend_api::{Frontend, Input};
use frontend_irc::IrcFrontend;

use crate::client::{Client, user};

/// zed, yan and xan are guests with the connections 1, 2 and 3; the first has the capabilities.
fn guests(frontend: &IrcFrontend, caps: &str) -> [Client; 3] {
    let mut guests = [("zed", 1), ("yan", 2), ("xan", 3)]
        .map(|(nick, at)| Client::guest_as(frontend, nick, at).0);
    if !caps.is_empty() {
        guests[0].send(&format!("CAP REQ :{caps}"));
    }
    guests
}

fn join(client: &mut Client, closed: bool) {
    let room = RoomView { id: RoomId(7), name: "tea".into(), closed, ..RoomView::default() };
    let entered =
        Ok(Reply::Entered { room, user: user("x", 1).person, again: false, cursor: MessageId(0) });
    client.send("JOIN #tea");
    for outcome in [entered, Err(Refusal::UnknownRoom)] {
        client.feed(Input::Answer(&outcome));
    }
}

#[test]
fn guests_write_to_each_other_and_to_accounts_that_are_on_irc() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, _] = guests(&frontend, "echo-message");
    let mut ann = Client::account(&frontend, "ann", 10_001);
    assert_eq!(zed.send_counted("PRIVMSG YAN :hi"), [":zed!guest@irc.localhost PRIVMSG yan :hi"]);
    assert_eq!(zed.wakes, [2]);
    assert_eq!(yan.woken(), [":zed!guest@irc.localhost PRIVMSG yan :hi"]);
    assert_eq!(yan.woken(), [""; 0]);
    assert_eq!(yan.send_counted("NOTICE zed :ho"), [""; 0]);
    assert_eq!(zed.woken(), [":yan!guest@irc.localhost NOTICE zed :ho"]);
    ann.send_counted("PRIVMSG zed :hello");
    assert_eq!(zed.woken(), [":ann!10001@irc.localhost PRIVMSG zed :hello"]);
    yan.send_counted("PRIVMSG ann :hello");
    assert_eq!(ann.woken(), [":yan!guest@irc.localhost PRIVMSG ann :hello"]);
    // To oneself: the message and, with the capability, its echo.
    assert_eq!(zed.send_counted("PRIVMSG zed :note").len() + zed.woken().len(), 2);
}

#[test]
fn a_message_of_a_guest_that_cannot_arrive_is_refused_and_a_notice_is_not_answered() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, _] = guests(&frontend, "");
    assert_eq!(zed.send_counted("PRIVMSG nemo :x"), [":irc.localhost 401 zed nemo :No such nick"]);
    let cases: [(Outcome, &str); 3] = [
        (Ok(Reply::User { user: user("bob", 10_002) }), " 486 zed bob "),
        (Err(Refusal::SlowDown { retry_after_ms: 9 }), " 263 zed PRIVMSG "),
        (Err(Refusal::Overloaded), " 263 zed PRIVMSG "),
    ];
    for (outcome, numeric) in &cases {
        zed.send("PRIVMSG bob :x");
        let lines = zed.feed(Input::Answer(outcome));
        assert!(lines.len() == 1 && lines[0].contains(numeric), "{lines:?}");
        zed.send("NOTICE bob :x");
        assert_eq!(zed.feed(Input::Answer(outcome)), [""; 0]);
    }
    // What waits for a session that does not take it is bounded.
    let refused = (0..1000).any(|_| zed.send_counted("PRIVMSG yan :x").concat().contains(" 263 "));
    assert!(refused && yan.woken().len() < 1000);
}

#[test]
fn an_invitation_reaches_the_invited_and_those_who_want_to_know() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, mut xan] = guests(&frontend, "invite-notify");
    join(&mut zed, false);
    join(&mut yan, false);
    let members = Ok(Reply::Members { members: Vec::new(), roles: BTreeMap::new() });
    yan.send("INVITE xan #tea");
    assert_eq!(yan.feed(Input::Answer(&members)), [""; 0]);
    let done = Ok(Reply::Done);
    assert_eq!(yan.feed(Input::Answer(&done)), [":irc.localhost 341 yan xan #tea"]);
    let invitation = [":yan!guest@irc.localhost INVITE xan #tea"];
    assert_eq!(
        (xan.woken(), zed.woken()),
        (invitation.map(String::from).to_vec(), invitation.map(String::from).to_vec())
    );
    yan.send("INVITE xan #tea");
    yan.feed(Input::Answer(&members));
    let refused = yan.feed(Input::Answer(&Err(Refusal::NotAllowed)));
    assert_eq!(refused, [":irc.localhost 482 yan #tea :You're not an operator of the channel"]);
    assert_eq!(xan.woken(), [""; 0]);
    yan.send("INVITE nemo #tea");
    assert_eq!(yan.feed(Input::Answer(&members)), [":irc.localhost 401 yan nemo :No such nick"]);
    xan.send("INVITE zed #tea");
    let lines = xan.feed(Input::Answer(&members));
    assert_eq!(lines, [":irc.localhost 442 xan #tea :You're not on that channel"]);
}

#[test]
fn a_closed_room_has_no_invitations() {
    let frontend = IrcFrontend::default();
    let [mut zed, _, mut xan] = guests(&frontend, "");
    join(&mut zed, true);
    zed.send("INVITE xan #tea");
    let lines = zed
        .feed(Input::Answer(&Ok(Reply::Members { members: Vec::new(), roles: BTreeMap::new() })));
    assert!(lines[0].contains(" 400 zed INVITE "), "{lines:?}");
    assert_eq!(xan.woken(), [""; 0]);
}

#[test]
fn neighbors_hear_of_being_away_and_of_a_real_name_if_they_want_to() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, mut xan] = guests(&frontend, "away-notify setname");
    for client in [&mut zed, &mut yan] {
        join(client, false);
    }
    yan.send_counted("AWAY :tea");
    assert_eq!(zed.woken(), [":yan!guest@irc.localhost AWAY :tea"]);
    yan.send_counted("AWAY :tea");
    assert_eq!(zed.woken(), [""; 0]);
    yan.send_counted("AWAY");
    assert_eq!(zed.woken(), [":yan!guest@irc.localhost AWAY"]);
    assert_eq!(yan.send_counted("SETNAME :Yan the Guest"), [""; 0]);
    assert_eq!(zed.woken(), [":yan!guest@irc.localhost SETNAME :Yan the Guest"]);
    let own = zed.send_counted("SETNAME :Zed");
    assert_eq!(own, [":zed!guest@irc.localhost SETNAME :Zed"]);
    // A user that is away already, as it joins.
    xan.send_counted("AWAY :early");
    let entered = Event::Entered {
        room: RoomTag { id: RoomId(7), name: "tea".into(), closed: false },
        user: Person { handle: "guest:xan".into(), name: "xan".into(), ..Person::default() }.into(),
        avatar: String::new(),
        durable: false,
        opened: false,
        connection: Some(ConnectionId(3)),
        elsewhere: false,
    };
    let (seq, at, cause) = (Seq(1), Timestamp(0), ConnectionId(3));
    let recorded = Recorded { seq, at, cause, event: entered };
    let seen = [":xan!guest@irc.localhost JOIN #tea", ":xan!guest@irc.localhost AWAY :early"];
    assert_eq!(zed.feed(Input::Event(&recorded)), seen);
    assert_eq!(yan.feed(Input::Event(&recorded)), seen[..1]);
    // Without the capabilities, or a common channel, nothing is heard.
    assert_eq!((yan.woken(), xan.woken()), (Vec::new(), Vec::new()));
    let long = "x".repeat(391);
    assert!(zed.send(&format!("SETNAME :{long}"))[0].contains(" FAIL SETNAME INVALID_REALNAME "));
    // After a limit was exceeded nothing has changed.
    yan.send("AWAY :late");
    let lines = yan.feed(Input::Answer(&Err(Refusal::SlowDown { retry_after_ms: 9 })));
    assert!(lines[0].contains(" 263 yan AWAY "), "{lines:?}");
    assert_eq!(zed.woken(), [""; 0]);
}

#[test]
fn a_watched_nick_is_reported_when_it_comes_and_goes() {
    let frontend = IrcFrontend::default();
    let [mut zed, yan, mut xan] = guests(&frontend, "");
    let lines = zed.send("MONITOR + ann,YAN,*!x@y");
    assert_eq!(
        lines,
        [":irc.localhost 730 zed :yan!guest@irc.localhost", ":irc.localhost 731 zed :ann"]
    );
    let mut ann = Client::account(&frontend, "ann", 10_001);
    assert_eq!(ann.wakes, [1]);
    assert_eq!(zed.woken(), [":irc.localhost 730 zed :ann!10001@irc.localhost"]);
    ann.send("QUIT");
    assert_eq!(zed.woken(), [":irc.localhost 731 zed :ann"]);
    // A connection that is gone without a QUIT.
    let mut yan = yan;
    yan.feed(Input::Closed);
    assert_eq!((yan.wakes, zed.woken()), (vec![1], vec![":irc.localhost 731 zed :yan".into()]));
    zed.send("MONITOR + xan,wil");
    zed.send("MONITOR - ann");
    xan.send_counted("NICK Wil");
    let lines = zed.woken();
    assert_eq!(
        lines,
        [":irc.localhost 731 zed :xan", ":irc.localhost 730 zed :Wil!guest@irc.localhost"]
    );
    assert_eq!(zed.send("MONITOR L")[0], ":irc.localhost 732 zed :wil,xan,YAN");
    assert_eq!(zed.send("MONITOR S").len(), 2);
    assert_eq!(zed.send("MONITOR C"), [""; 0]);
    assert_eq!(zed.send("MONITOR L"), [":irc.localhost 733 zed :End of MONITOR list"]);
    assert!(zed.send("MONITOR x")[0].contains(" 461 zed MONITOR "));
    let many: Vec<String> = (0..101).map(|nth| format!("a{nth}")).collect();
    let lines: Vec<String> = many
        .chunks(50)
        .flat_map(|nicks| zed.send(&format!("MONITOR + {}", nicks.join(","))))
        .collect();
    assert_eq!(lines.last().unwrap(), ":irc.localhost 734 zed 100 a100 :Monitor list is full");
}

#[test]
fn a_bot_is_marked_everywhere() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, _] = guests(&frontend, "message-tags");
    assert_eq!(yan.send("MODE yan +B"), [":yan!guest@irc.localhost MODE yan :+B"]);
    assert_eq!(yan.send("MODE yan +B"), [":irc.localhost 221 yan +Bi"]);
    yan.send_counted("PRIVMSG zed :beep");
    assert_eq!(
        zed.woken(),
        ["@msgid=t1700000000000-0;bot :yan!guest@irc.localhost PRIVMSG zed :beep"]
    );
    assert!(zed.send("WHOIS yan").contains(&":irc.localhost 335 zed yan :is a bot".into()));
    assert_eq!(
        zed.send("WHO yan")[0],
        ":irc.localhost 352 zed * ~yan irc.localhost irc.localhost yan HB :0 Real yan"
    );
    assert_eq!(yan.send("MODE yan -B"), [":yan!guest@irc.localhost MODE yan :-B"]);
    yan.send_counted("PRIVMSG zed :hi");
    assert_eq!(zed.woken(), ["@msgid=t1700000000000-1 :yan!guest@irc.localhost PRIVMSG zed :hi"]);
}

#[test]
fn a_nick_with_a_backslash_is_watched_as_users_have_it() {
    let frontend = IrcFrontend::default();
    let [mut zed, _, _] = guests(&frontend, "");
    zed.send("MONITOR + foo\\bar");
    let mut foo = Client::guest_as(&frontend, "foo\\bar", 4).0;
    assert_eq!(zed.woken(), [":irc.localhost 730 zed :foo\\5cbar!guest@irc.localhost"]);
    zed.send("MONITOR - foo\\bar");
    foo.send("QUIT");
    assert_eq!(zed.woken(), [""; 0]);
}

#[test]
fn a_silent_client_gets_one_ping_however_often_it_is_woken() {
    let frontend = IrcFrontend::default();
    let [mut zed, _, _] = guests(&frontend, "");
    for _ in 0..2 {
        zed.now = zed.now.plus_ms(121_000);
        assert_eq!(zed.woken(), ["PING irc.localhost"]);
        assert_eq!(zed.woken(), [""; 0]);
        zed.send("PONG irc.localhost");
    }
}

/// A guest has its nick before an account gets the same handle.
#[test]
fn a_message_to_the_nick_that_an_account_has_got_goes_to_the_account_alone() {
    let frontend = IrcFrontend::default();
    let [mut zed, _, _] = guests(&frontend, "");
    let mut ann = Client::account(&frontend, "ann", 10_001);
    ann.send("PRIVMSG zed :secret");
    ann.feed(Input::Answer(&Err(Refusal::NotSignedIn)));
    // It is posted, and the account has not signed on to irc: only the engine knows it.
    assert_eq!(ann.feed(Input::Answer(&Err(Refusal::Overloaded))).len(), 1);
    let lines = zed.woken();
    assert!(lines[0].starts_with("ERROR :Closing link: Killed (gateway "), "{lines:?}");
    assert_eq!(lines.len(), 1, "{lines:?}");
    // The guest has no nick any more that others could write to.
    ann.send("NOTICE zed :secret");
    ann.feed(Input::Answer(&Err(Refusal::Overloaded)));
    assert_eq!(zed.woken(), [""; 0]);
}

#[test]
fn a_guest_does_not_write_under_the_nick_that_an_account_has_got() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, _] = guests(&frontend, "message-tags");
    for line in ["@+a=b TAGMSG yan", "PRIVMSG yan :I am zed", "NOTICE yan :I am zed"] {
        zed.send(line);
        zed.feed(Input::Answer(&Err(Refusal::NotSignedIn)));
        assert_eq!(yan.woken(), [""; 0], "{line}");
    }
    assert!(zed.woken()[0].starts_with("ERROR :"));
}

#[test]
fn a_guest_leaves_the_nick_to_the_account_that_signs_on() {
    let frontend = IrcFrontend::default();
    let [mut zed, _, _] = guests(&frontend, "");
    let mut account = Client::account(&frontend, "Zed", 10_001);
    assert!(zed.woken()[0].starts_with("ERROR :"));
    assert!(account.send("USERHOST zed")[0].contains("Zed=+"));
}

fn account(handle: &str) -> Person {
    Person {
        uid: Some(Uid(10_001)),
        handle: handle.into(),
        name: handle.into(),
        ..Person::default()
    }
}

#[test]
fn a_guest_leaves_the_nick_to_the_account_that_comes_into_being() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, mut xan] = guests(&frontend, "");
    yan.send("CAP REQ message-tags");
    yan.send("MONITOR + zed");
    assert_eq!(frontend.account_made(&account("wim")), []);
    assert_eq!(frontend.account_made(&account("Zed")), [ConnectionId(1)]);
    // From then on, before the guest's session takes it in.
    assert_eq!(yan.send("USERHOST zed"), [":irc.localhost 302 yan :"]);
    assert_eq!(yan.send("MONITOR S"), [":irc.localhost 731 yan :zed"]);
    assert_eq!(yan.send_counted("@+a=b TAGMSG zed"), [":irc.localhost 401 yan zed :No such nick"]);
    assert_eq!(
        xan.send_counted("PRIVMSG zed :psst"),
        [":irc.localhost 401 xan zed :No such nick"],
        "to the account, a guest may not write"
    );
    for line in ["WHOIS zed", "ISON zed", "WHO zed"] {
        let lines = [yan.send(line), yan.feed(Input::Answer(&Err(Refusal::UnknownUser)))].concat();
        assert!(!lines.iter().any(|line| line.contains("Real zed")), "{lines:?}");
        assert!(!lines.contains(&":irc.localhost 303 yan :zed".to_owned()), "{lines:?}");
    }
    assert_eq!(zed.woken()[0], KILLED);
    assert_eq!(yan.woken(), [":irc.localhost 731 yan :zed"]);
}

const KILLED: &str = "ERROR :Closing link: Killed (gateway (An account has this name: sign in with \
                      SASL or PASS))";

/// The engine answers that the nick is free, and an account gets it before the session reads that.
#[test]
fn an_account_that_comes_into_being_during_a_sign_on_has_the_nick() {
    let frontend = IrcFrontend::default();
    let mut zed = Client::open_as(&frontend, 1);
    zed.send("NICK zed");
    zed.send("USER zed 0 * :Real zed");
    assert_eq!(frontend.account_made(&account("zed")), []);
    zed.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert_eq!(zed.woken()[0], KILLED);
}

#[test]
fn a_full_inbox_does_not_keep_a_guest_from_being_disconnected() {
    let frontend = IrcFrontend::default();
    let [mut zed, mut yan, _] = guests(&frontend, "");
    for _ in 0..300 {
        yan.send_counted("NOTICE zed :x");
    }
    assert_eq!(frontend.account_made(&account("zed")), []);
    assert_eq!(zed.woken().last().map(String::as_str), Some(KILLED));
}

/// A guest of another dialect keeps its seat when an account gets its name.
#[test]
fn what_is_said_of_an_account_is_nothing_that_a_guest_of_its_name_does() {
    let frontend = IrcFrontend::default();
    let [mut zed, _, _] = guests(&frontend, "");
    join(&mut zed, false);
    let guest = Person { handle: "guest:ann".into(), name: "ann".into(), ..Person::default() };
    let occupants = |members: &[&Person]| {
        let members = members.iter().map(|person| Arc::new((*person).clone())).collect();
        Ok(Reply::Members { members, roles: BTreeMap::new() })
    };
    for (members, is_there) in [(vec![&guest], false), (vec![&guest, &account("ann")], true)] {
        zed.send("WHOIS ann");
        zed.feed(Input::Answer(&occupants(&members)));
        let lines = zed.feed(Input::Answer(&Ok(Reply::User { user: user("ann", 10_001) })));
        let channels = ":irc.localhost 319 zed ann :#tea".to_owned();
        assert_eq!(lines.contains(&channels), is_there, "{lines:?}");
    }
}

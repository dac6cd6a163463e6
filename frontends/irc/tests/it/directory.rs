//! What the sessions of one front end know of each other.

use core_model::{Refusal, Reply, Timestamp};
use frontend_api::Input;
use frontend_irc::IrcFrontend;

use crate::client::{Client, user};

#[test]
fn a_nick_that_another_guest_has_is_in_use_in_either_case() {
    let frontend = IrcFrontend::default();
    let (mut zed, _) = Client::guest(&frontend, "zed");
    let (mut other, lines) = Client::guest(&frontend, "Zed");
    assert_eq!(lines, [":irc.localhost 433 * Zed :Nickname is already in use"]);
    // The client tries another nick, then takes the one that has become free.
    other.send("NICK Zed_");
    let lines = other.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert!(lines[0].contains(" 001 Zed_ "), "{lines:?}");
    zed.feed(Input::Closed);
    other.send("NICK Zed");
    let lines = other.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert_eq!(lines, [":Zed_!guest@irc.localhost NICK Zed"]);
}

#[test]
fn a_nick_that_resembles_an_account_is_in_use() {
    let frontend = IrcFrontend::default();
    let mut client = Client::open(&frontend);
    client.send("NICK B\u{43e}b");
    client.send("USER x 0 * :x");
    let lines = client.feed(Input::Answer(&Err(Refusal::NotSignedIn)));
    assert!(lines[0].contains(" 433 * "), "{lines:?}");
}

#[test]
fn away_is_shown_to_those_who_ask_and_to_those_who_write() {
    let frontend = IrcFrontend::default();
    let mut ann = Client::account(&frontend, "ann", 10_001);
    let mut bob = Client::account(&frontend, "bob", 10_002);
    bob.send("AWAY :at lunch");
    let counted = Ok(Reply::User { user: user("bob", 10_002) });
    bob.feed(Input::Answer(&counted));
    let known = Ok(Reply::User { user: user("bob", 10_002) });
    ann.send("WHO BOB");
    assert_eq!(
        ann.feed(Input::Answer(&known))[0],
        ":irc.localhost 352 ann * 10002 irc.localhost irc.localhost bob G :0 Real bob"
    );
    ann.send("WHOIS bob");
    let lines = ann.feed(Input::Answer(&known));
    assert!(lines.contains(&":irc.localhost 301 ann bob :at lunch".into()), "{lines:?}");
    assert_eq!(ann.send("USERHOST bob"), [":irc.localhost 302 ann :bob=-10002@irc.localhost"]);
    let message = core_model::Message {
        id: core_model::MessageId(1),
        at: Timestamp(0),
        author: user("ann", 10_001).person,
        to: core_model::Recipient::User(user("bob", 10_002).person),
        text: "hi".into(),
        notice: false,
    };
    let posted = Ok(Reply::Posted { message });
    ann.send("PRIVMSG bob :hi");
    assert_eq!(ann.feed(Input::Answer(&posted)), [":irc.localhost 301 ann bob :at lunch"]);
    // A notice is not answered.
    ann.send("NOTICE bob :hi");
    assert_eq!(ann.feed(Input::Answer(&posted)), [""; 0]);
    bob.send("AWAY");
    bob.feed(Input::Answer(&counted));
    ann.send("PRIVMSG bob :hi");
    assert_eq!(ann.feed(Input::Answer(&posted)), [""; 0]);
}

#[test]
fn guests_are_found_with_their_real_names_and_remembered_after_they_leave() {
    let frontend = IrcFrontend::default();
    let (mut zed, _) = Client::guest(&frontend, "zed");
    let (mut yan, _) = Client::guest(&frontend, "yan");
    let lines = zed.send("WHOIS yan");
    assert_eq!(lines[0], ":irc.localhost 311 zed yan ~yan irc.localhost * :Real yan");
    assert_eq!(zed.send("ISON YAN"), [":irc.localhost 303 zed :yan"]);
    assert!(
        zed.send("LUSERS")[0].ends_with(" 251 zed :There are 0 users and 2 invisible on 1 servers")
    );
    yan.send("QUIT");
    zed.send("ISON yan");
    let lines = zed.feed(Input::Answer(&Err(Refusal::UnknownUser)));
    assert_eq!(lines, [":irc.localhost 303 zed :"]);
    let lines = zed.send("WHOWAS yan");
    assert_eq!(lines[0], ":irc.localhost 314 zed yan ~yan irc.localhost * :Real yan");
}

//! Every file in `transcripts/` is a conversation; its snapshot is the resulting transcript.

use frontend_irc::IrcFrontend;
use frontend_testkit::play;

/// A guest signs on; the clock stands at the time of most events.
const GUEST: &str = include_str!("../transcripts/guest/begin");

/// An account signs on.
const ACCOUNT: &str = include_str!("../transcripts/account/begin");

/// The transcript of a script, without the part for `before`.
pub(crate) fn transcript(before: &str, script: &str) -> String {
    let frontend = IrcFrontend::default();
    let transcript = play(&frontend, &format!("{before}{script}"));
    transcript
        .strip_prefix(&play(&frontend, before))
        .expect("the transcript begins with `before`")
        .replace('\r', "")
}

/// The folders of scripts, with the script that precedes each.
pub(crate) const FOLDERS: [(&str, &str); 3] =
    [("transcripts", ""), ("transcripts/guest", GUEST), ("transcripts/account", ACCOUNT)];

#[test]
fn from_the_beginning() {
    insta::glob!("..", "transcripts/*.in", |path| {
        insta::assert_snapshot!(transcript("", &std::fs::read_to_string(path).unwrap()));
    });
}

#[test]
fn by_a_guest() {
    insta::glob!("..", "transcripts/guest/*.in", |path| {
        insta::assert_snapshot!(transcript(GUEST, &std::fs::read_to_string(path).unwrap()));
    });
}

#[test]
fn by_an_account() {
    insta::glob!("..", "transcripts/account/*.in", |path| {
        insta::assert_snapshot!(transcript(ACCOUNT, &std::fs::read_to_string(path).unwrap()));
    });
}

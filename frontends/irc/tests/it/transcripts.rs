//! Every file in `transcripts/` is a conversation; its snapshot is what came of it.

use frontend_irc::IrcFrontend;
use frontend_testkit::play;

/// A guest signs on, at a time at which most things happen.
const GUEST: &str = include_str!("../transcripts/guest/begin");

/// An account signs on.
const ACCOUNT: &str = include_str!("../transcripts/account/begin");

/// The transcript of a script, without what came before it.
pub(crate) fn transcript(before: &str, script: &str) -> String {
    let frontend = IrcFrontend::default();
    let transcript = play(&frontend, &format!("{before}{script}"));
    transcript.strip_prefix(&play(&frontend, before)).expect("it begins so").replace('\r', "")
}

/// What comes before the scripts of a folder.
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

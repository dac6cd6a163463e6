//! One script a subject, played with the options in its first line or the defaults. What they give is in `snapshots`.

use frontend_chatroom::{ChatroomFrontend, Options};
use frontend_testkit::{frontend_for, play};

#[test]
fn transcripts() {
    insta::glob!("..", "transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        let frontend: ChatroomFrontend = frontend_for(&script, Options::default());
        insta::assert_snapshot!(play(&frontend, &script));
    });
}

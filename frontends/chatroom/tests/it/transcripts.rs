//! One script a subject, played with the default options. What they give is in `snapshots`.

use frontend_chatroom::ChatroomFrontend;

#[test]
fn transcripts() {
    insta::glob!("..", "transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(frontend_testkit::play(&ChatroomFrontend::default(), &script));
    });
}

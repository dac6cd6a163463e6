//! Plays every script in `../transcripts/`, and decodes the bytes in the snapshot. A first line
//! `# options {…}` is the front end's section of gateway.toml, as JSON.

mod catching_up;
mod document;
mod frames;
mod layout;
mod properties;

use frontend_api::Configure;
use frontend_testkit::Described;
use frontend_token::{Options, TokenFrontend};

#[test]
fn transcripts() {
    insta::glob!("..", "transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        let transcript = frontend_testkit::play(&frontend(&script), &script);
        insta::assert_snapshot!(frames::annotate(&transcript));
    });
}

#[test]
fn the_schemas_describe_every_info() {
    let mut described = Described::new(&[]);
    insta::glob!("..", "transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        let frontend = frontend(&script);
        for (name, info) in frames::infos(&frontend_testkit::play(&frontend, &script)) {
            described.object(&frontend, name, &info);
        }
    });
    described.assert_examples_are_current(concat!(env!("CARGO_MANIFEST_DIR"), "/examples.json"));
}

fn frontend(script: &str) -> TokenFrontend {
    let first = script.lines().next().unwrap_or_default();
    let options = match first.strip_prefix("# options ") {
        Some(options) => serde_json::from_str(options).expect("options"),
        None => Options::default(),
    };
    TokenFrontend::configure(options).expect("options that make sense")
}

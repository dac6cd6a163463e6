//! Plays every script in `transcripts/`. A first line `# options {…}` is the front end's section
//! of gateway.toml, as JSON.

use frontend_api::Frontend;
use frontend_api::http::HttpError;
use frontend_channel::{ChannelFrontend, Options};
use frontend_testkit::Described;

#[test]
fn transcripts() {
    insta::glob!("transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(frontend_testkit::play(&frontend(&script), &script));
    });
}

#[test]
fn the_schemas_describe_every_transcript() {
    // What the schemas cannot say.
    let mut described = Described::new(&["the passwords differ"]).unread(&["not signed in"]);
    insta::glob!("transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        described.play(&frontend(&script), &script);
    });
    described.assert_examples_are_current(concat!(env!("CARGO_MANIFEST_DIR"), "/examples.json"));
}

fn frontend(script: &str) -> ChannelFrontend {
    frontend_testkit::frontend_for(script, Options::default())
}

#[test]
fn an_http_error_is_worded_in_the_dialect() {
    for (status, code) in [(401, 2), (403, 8), (413, 1), (429, 10), (503, 11)] {
        let response = frontend("").fault(&HttpError::new(status, "because"));
        assert_eq!(response.status, status);
        let body = format!(r#"{{"code":{code},"msg":"because"}}"#);
        assert_eq!(String::from_utf8(response.body).unwrap(), body);
    }
}

#[test]
fn every_path_and_option_is_on_the_dialects_page() {
    let page = include_str!("../../../docs/dialects/channel.md");
    let frontend = frontend("");
    let routes = &frontend.manifest().listeners[0].routes;
    for route in routes {
        assert!(page.contains(&format!("### `{}`", route.path)), "{}", route.path);
    }
    let options = frontend.manifest().options["properties"].as_object().expect("an object");
    for key in options.keys() {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
    assert_eq!((routes.len(), options.len()), (8, 7));
}

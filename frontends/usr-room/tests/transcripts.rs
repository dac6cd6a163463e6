//! Every operation in both flavors, and what the operator may configure.

use std::path::Path;

use frontend_api::http::HttpError;
use frontend_api::{Configure, Frontend};
use frontend_testkit::{Described, frontend_for, play};
use frontend_usr_room::{Flavor, Options, UsrRoomFrontend};

fn played(flavor: Flavor, script: &str) -> String {
    let options = Options { flavor, ..Options::default() };
    play(&frontend_for::<UsrRoomFrontend>(script, options), script)
}

fn frontend(flavor: Flavor) -> UsrRoomFrontend {
    UsrRoomFrontend::configure(Options { flavor, ..Options::default() }).unwrap()
}

#[test]
fn document() {
    insta::glob!("transcripts/document/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(played(Flavor::Document, &script));
    });
}

#[test]
fn miniprogram() {
    insta::glob!("transcripts/miniprogram/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(played(Flavor::Miniprogram, &script));
    });
}

#[test]
fn code_exchange() {
    insta::glob!("transcripts/code_exchange/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(played(Flavor::Miniprogram, &script));
    });
}

/// What the schemas cannot say: answers to requests with whose form nothing is wrong.
const WELL_FORMED: &[&str] = &[
    "an openid does not begin with @",
    "code exchange is not configured",
    "the code exchange failed",
    "the code is too long",
    "the code is not valid",
    "the code was refused",
    "server error",
    "no such room",
    r#""rooms":[]"#,
    r#"[{"response_code":0},[]]"#,
    r#"{"response_code":0}"#,
];

#[test]
fn the_schemas_describe_every_transcript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut described = Described::new(WELL_FORMED);
    insta::glob!("transcripts/document/*.in", |path| {
        described.play(&frontend(Flavor::Document), &std::fs::read_to_string(path).unwrap());
    });
    described.assert_examples_are_current(folder.join("examples/document.json"));
    let mut described = Described::new(WELL_FORMED);
    insta::glob!("transcripts/miniprogram/*.in", |path| {
        described.play(&frontend(Flavor::Miniprogram), &std::fs::read_to_string(path).unwrap());
    });
    insta::glob!("transcripts/code_exchange/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        described.play(&frontend_for::<UsrRoomFrontend>(&script, Options::default()), &script);
    });
    described.assert_examples_are_current(folder.join("examples/miniprogram.json"));
}

#[test]
fn every_path_of_a_flavor_has_a_transcript_in_it() {
    for (flavor, folder) in [(Flavor::Document, "document"), (Flavor::Miniprogram, "miniprogram")] {
        let folder = format!("{}/tests/transcripts/{folder}", env!("CARGO_MANIFEST_DIR"));
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(entry.unwrap().path()).unwrap()
        };
        let scripts: String = std::fs::read_dir(folder).unwrap().map(read).collect();
        for route in &frontend(flavor).manifest().listeners[0].routes {
            let method = &route.methods[0];
            let request = format!("> {method} {}\n", route.path);
            assert!(scripts.contains(&request), "{request:?} in flavor {flavor:?}");
        }
    }
}

#[test]
fn the_manifest_names_the_paths_of_its_flavor() {
    let manifest = serde_json::to_string_pretty(frontend(Flavor::Document).manifest()).unwrap();
    insta::assert_snapshot!(manifest);
    let paths = |flavor| {
        let routes = frontend(flavor).manifest().listeners[0].routes.clone();
        routes.into_iter().map(|route| route.path).collect::<Vec<_>>()
    };
    let (document, miniprogram) = (paths(Flavor::Document), paths(Flavor::Miniprogram));
    let (common, more) = miniprogram.split_at(document.len());
    assert_eq!(common, document);
    assert_eq!(more, ["/login", "/recommend", "/room/clear_message", "/room/complete"]);
}

#[test]
fn an_http_error_is_worded_in_the_dialect() {
    let fault =
        HttpError::new(401, "an API key is needed").with_header("www-authenticate", "Bearer");
    let response = frontend(Flavor::Document).fault(&fault);
    assert_eq!(response.status, 401);
    assert_eq!(response.body, br#"{"response_code":0,"error":"an API key is needed"}"#);
}

#[test]
fn another_openid_type_names_and_shows_other_users() {
    let options = Options { openid_type: "qq".into(), ..Options::default() };
    let script = r#"> POST /room/get_message
>>> {"room_id":7,"openid":"o-bob"}
= {"Ok":{"did":"messages","messages":[{"id":1,"at":5,"author":{"uid":10001,"handle":"bob","name":"bob","identities":["openid:wechat/w","openid:qq/q"]},"to":{"room":{"id":7,"name":"x"}},"text":"hi"}]}}
"#;
    insta::assert_snapshot!(play(&UsrRoomFrontend::configure(options).unwrap(), script));
}

#[test]
fn history_bounds_every_reading() {
    let options = Options { history: 2, flavor: Flavor::Miniprogram, ..Options::default() };
    let script = r#"> POST /room/get_message?room_id=7
> POST /room/get_message?room_id=7&limit=1
> POST /room/get_message?room_id=7&limit=3&after=1
> POST /search?room_id=7
"#;
    insta::assert_snapshot!(play(&UsrRoomFrontend::configure(options).unwrap(), script));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |options| UsrRoomFrontend::configure(options).err().map(|fault| fault.key);
    for openid_type in ["", "a/b", "a\nb"] {
        let options = Options { openid_type: openid_type.into(), ..Options::default() };
        assert_eq!(refused(options).as_deref(), Some("openid_type"), "{openid_type:?}");
    }
    assert_eq!(refused(Options { history: 0, ..Options::default() }).as_deref(), Some("history"));
    assert_eq!(refused(Options { history: 1, ..Options::default() }), None);
}

#[test]
fn a_code_exchange_that_makes_no_sense_is_refused() {
    let fault = |keys: &str| {
        let options = format!(r#"{{"flavor":"miniprogram",{keys}}}"#);
        let options = serde_json::from_str(&options).unwrap();
        UsrRoomFrontend::configure(options).err().map(|fault| fault.key)
    };
    for right in [
        r#""code_exchange":"https://h/?c={code}""#,
        r#""code_exchange":"https://h/?c={code}&s={secret}","code_exchange_secret_file":"s""#,
        r#""code_exchange_codes":{"demo":"o-demo"}"#,
    ] {
        assert_eq!(fault(right), None, "{right}");
    }
    for (wrong, key) in [
        (r#""code_exchange":"https://h/""#, "code_exchange"),
        (r#""code_exchange":"https://h/?c={code}&x={x}""#, "code_exchange"),
        (r#""code_exchange":"https://h/?c={code}&s={secret}""#, "code_exchange_secret_file"),
        (r#""code_exchange_secret_file":"s""#, "code_exchange_secret_file"),
        (r#""code_exchange_timeout":"0s""#, "code_exchange_timeout"),
        (r#""code_exchange_codes":{"demo":"@ann"}"#, "code_exchange_codes"),
        (r#""code_exchange_codes":{"":"o-demo"}"#, "code_exchange_codes"),
    ] {
        assert_eq!(fault(wrong).as_deref(), Some(key), "{wrong}");
    }
    let document = r#"{"code_exchange":"https://h/?c={code}"}"#;
    let options = serde_json::from_str(document).unwrap();
    assert_eq!(UsrRoomFrontend::configure(options).err().unwrap().key, "code_exchange");
}

#[test]
fn options_are_read_as_the_configuration_writes_them() {
    let read = serde_json::from_str::<Options>;
    assert_eq!(read("{}").unwrap(), Options::default());
    assert_eq!(read(r#"{"flavor":"miniprogram"}"#).unwrap().flavor, Flavor::Miniprogram);
    assert!(read(r#"{"flavour":"miniprogram"}"#).is_err());
    assert!(read(r#"{"flavor":"Miniprogram"}"#).is_err());
}

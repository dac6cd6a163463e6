//! Plugins in C: one written for the first released header, and the worked example.

use std::path::{Path, PathBuf};

use frontend_api::http::{HttpError, Response};
use frontend_api::{Frontend, Manifest, Peer};
use frontend_testkit::{assert_noise_is_harmless, outputs_of_noise, play};
use plugin_loader::{LoadedFrontend, Plugin};
use plugin_sdk::abi::{GW_ENTRY_NAME, GW_IN_ANSWER, GW_OK, GwBytes, GwEntry, GwHost, GwPlugin};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Compiles a file in plugins/ into a temporary folder.
fn compiled(source: &str, flags: &[&str]) -> Option<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugin.so");
    plugin_testkit::c_plugin(&Path::new("plugins").join(source), flags, &path)?;
    Some((folder, path))
}

fn compat() -> Option<(TempDir, PathBuf)> {
    compiled("compat/v1/frontend.c", &[])
}

fn line() -> Option<(TempDir, PathBuf)> {
    compiled("examples/line.c", &["-I", "plugins/abi/include"])
}

fn options(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(options) => options,
        other => panic!("not an object: {other}"),
    }
}

#[test]
fn a_plugin_of_the_first_release_loads_and_behaves_as_before() {
    let Some((_folder, path)) = compat() else { return };
    let frontend = LoadedFrontend::open(&path, &Map::new()).unwrap();
    let script = include_str!("compat_v1.in");
    insta::assert_snapshot!("compat_v1", play(&frontend, script));
    let said = |status| Response { status, body: b"no".to_vec(), ..Response::default() };
    assert_eq!(frontend.fault(&HttpError::new(429, "slow down")), said(429));
    assert_eq!(frontend.fault(&HttpError::new(413, "too large")), said(503));
    assert_eq!(frontend.schemas(), []);
    assert_noise_is_harmless(&frontend, 100);
    assert_eq!((frontend.faults().panicked(), frontend.faults().malformed()), (0, 0));
    let refused = Plugin::open(&path).unwrap().frontend(&options(json!({ "bad": 1 })));
    let refused = refused.err().expect("it is refused").to_string();
    assert!(refused.ends_with(" would not start: bad: must be good"), "{refused}");
    let unwelcome = Peer { address: "192.0.2.1".into(), ..Peer::default() };
    drop(frontend.open(&unwelcome));
    assert_eq!(frontend.faults().panicked(), 1);
}

/// A number in a released header is compiled into plugins.
#[test]
fn the_current_header_has_every_line_of_code_of_the_first_one() {
    let plugins = plugin_testkit::root().join("plugins");
    let read = |path: &str| std::fs::read_to_string(plugins.join(path)).unwrap();
    let first = read("compat/v1/gw_plugin.h");
    let current = read("abi/include/gw_plugin.h");
    let code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("/*") && !line.starts_with('*')
    };
    let mut rest = current.lines().filter(code);
    for line in first.lines().filter(code) {
        assert!(rest.any(|current| current == line), "gone, or moved: {line}");
    }
}

#[test]
fn the_worked_example_is_a_chat_for_netcat() {
    let Some((_folder, path)) = line() else { return };
    let frontend = LoadedFrontend::open(&path, &Map::new()).unwrap();
    insta::assert_snapshot!("line", play(&frontend, include_str!("line.in")));
    assert_noise_is_harmless(&frontend, 1_000);
    assert_eq!((frontend.faults().panicked(), frontend.faults().malformed()), (0, 0));
}

#[test]
fn the_worked_examples_in_rust_and_c_behave_alike() {
    let rust = LoadedFrontend::open(&plugin_testkit::plugin("line"), &Map::new()).unwrap();
    insta::assert_snapshot!("line", play(&rust, include_str!("line.in")));
    let Some((_folder, path)) = line() else { return };
    let c = LoadedFrontend::open(&path, &Map::new()).unwrap();
    let without_options = |frontend: &LoadedFrontend| {
        let options = frontend.manifest().options["properties"]["greeting"]["default"].clone();
        (Manifest { options: Value::Null, ..frontend.manifest().clone() }, options)
    };
    assert_eq!(without_options(&rust), without_options(&c));
    let noise = |frontend| outputs_of_noise(frontend, &Peer::default(), 1_000);
    assert_eq!(noise(&rust), noise(&c));
}

#[test]
fn the_worked_example_reads_its_options() {
    let Some((_folder, path)) = line() else { return };
    let plugin = Plugin::open(&path).unwrap();
    let greeting = options(json!({ "greeting": "be \"kind\",\n\u{8336} \u{1F375}" }));
    let frontend = plugin.frontend(&greeting).unwrap();
    assert_eq!(play(&frontend, ""), "    send be \"kind\", \u{8336} \u{1F375}\n");
    let manifest = frontend.manifest();
    assert_eq!(manifest.options["properties"]["greeting"]["default"], "* hello");
    assert_eq!(manifest.options["additionalProperties"], false, "the host refuses others");
}

/// The outputs of a session for the first `len` bytes of this outcome.
fn answers(table: &GwPlugin, outcome: &[u8], len: usize) -> Vec<Vec<u8>> {
    unsafe extern "C" fn keep(host: *mut GwHost, _: u32, payload: GwBytes, _: GwBytes) -> i32 {
        // SAFETY: the host is the list below; the payload is borrowed.
        let (kept, payload) = unsafe { (&mut *host.cast::<Vec<Vec<u8>>>(), payload.as_slice()) };
        kept.push(payload.to_vec());
        GW_OK
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let none = GwBytes::EMPTY;
    let host = (&raw mut kept).cast();
    let options = GwBytes::new(b"{}");
    let outcome = GwBytes { ptr: outcome.as_ptr(), len };
    // SAFETY: the functions of the table are called as the contract requires.
    unsafe {
        let frontend = table.frontend_new.unwrap()(options, host, keep);
        let session = table.session_open.unwrap()(frontend, none, host, keep);
        let handle = table.session_handle.unwrap();
        assert_eq!(handle(session, 0, GW_IN_ANSWER, outcome, none, host, keep), GW_OK);
        table.session_free.unwrap()(session);
        table.frontend_free.unwrap()(frontend);
    }
    kept
}

/// The example parses JSON by hand: bytes behind an outcome, cut off anywhere, must not matter.
#[test]
fn the_worked_example_never_reads_beyond_its_payload() {
    let Some((_folder, path)) = line() else { return };
    // SAFETY: the library is never unmapped, and its entry has the type in the header.
    let table = unsafe {
        let library = std::mem::ManuallyDrop::new(libloading::Library::new(&path).unwrap());
        let entry = *library.get::<GwEntry>(GW_ENTRY_NAME).unwrap();
        &*entry()
    };
    let message =
        r#"{"author":{"handle":"a"},"to":{"room":{"name":"t"}},"text":"\\\ud83c\udf75\u00e9\n"}"#;
    let outcomes = [
        format!(r#"{{"Ok":{{"did":"messages","messages":[{message},{message}]}}}}"#),
        r#"{"Ok":{"did":"members","members":[{"handle":"a"},{"handle":"b"}]}}"#.to_owned(),
        r#"{"Err":{"refused":"unknown_room"}}"#.to_owned(),
    ];
    for outcome in outcomes {
        for len in 0..=outcome.len() {
            let followed_by = |tail: &str| {
                let bytes = [&outcome.as_bytes()[..len], tail.repeat(40).as_bytes()].concat();
                answers(table, &bytes, len)
            };
            let alone = followed_by(" ");
            for tail in ["\"", "}", "]}", "\\u", ",\"did\":\"joined\"", "udf75"] {
                assert_eq!(followed_by(tail), alone, "{:?} before {tail}", &outcome[..len]);
            }
        }
    }
}

//! What gateway.toml can change.

use frontend_api::{Configure, Frontend};
use frontend_irc::{IrcFrontend, Options};
use frontend_testkit::play;

fn configured(toml: &str) -> IrcFrontend {
    let options: Options = serde_json::from_str(toml).unwrap();
    IrcFrontend::configure(options).map_err(|fault| fault.why).unwrap()
}

fn refused(toml: &str) -> Option<String> {
    IrcFrontend::configure(serde_json::from_str(toml).unwrap()).err().map(|fault| fault.key)
}

/// What a guest is told, with these options, of what it does.
fn told(toml: &str, script: &str) -> String {
    let before = "< NICK zed\n< USER zed 0 * :Zed\n= {\"Err\":{\"refused\":\"unknown_user\"}}\n";
    let transcript = play(&configured(toml), &format!("{before}{script}"));
    transcript.replace('\r', "")
}

#[test]
fn the_manifest_says_where_it_listens_and_what_can_be_set() {
    let frontend = IrcFrontend::default();
    insta::assert_snapshot!(serde_json::to_string_pretty(frontend.manifest()).unwrap());
}

#[test]
fn an_option_that_does_not_exist_is_an_error() {
    assert!(serde_json::from_str::<Options>(r#"{"serverName":"irc.example.org"}"#).is_err());
    assert_eq!(serde_json::from_str::<Options>("{}").unwrap(), Options::default());
}

#[test]
fn options_that_make_no_sense_are_refused_by_their_key() {
    for name in ["", "localhost", "irc example.org", "irc.example.org:6667", &"a.".repeat(40)] {
        let options = serde_json::json!({ "server_name": name }).to_string();
        assert_eq!(refused(&options).as_deref(), Some("server_name"), "{name}");
    }
    for name in ["", "Tea Net", "茶"] {
        let options = serde_json::json!({ "network": name }).to_string();
        assert_eq!(refused(&options).as_deref(), Some("network"), "{name}");
    }
    assert_eq!(refused(r#"{"channels_max":0}"#).as_deref(), Some("channels_max"));
    assert_eq!(refused(r#"{"history_max":0}"#).as_deref(), Some("history_max"));
    assert_eq!(refused(r#"{"server_name":"a.b","network":"Tea","history":0}"#), None);
}

#[test]
fn the_server_is_called_as_the_operator_says() {
    let options =
        r#"{"server_name":"irc.example.org","network":"Tea","motd":"Welcome.\n\nBe kind."}"#;
    insta::assert_snapshot!(told(options, "< MOTD\n"));
}

#[test]
fn without_guests_only_accounts_sign_on() {
    insta::assert_snapshot!(told(r#"{"guests":false}"#, "< PING 1\n"));
}

#[test]
fn without_auto_create_no_room_is_made() {
    let told = told(r#"{"auto_create":false}"#, "< JOIN #tea\n");
    assert!(told.contains("call and follow the seat") && !told.contains("create_room"), "{told}");
}

#[test]
fn limits_are_what_the_client_is_told() {
    let options = r#"{"channels_max":3,"history_max":7,"history":5,"list_max":2,"backlog":9}"#;
    let script = "< CAP REQ server-time\n< LIST\n= {\"Ok\":{\"did\":\"done\"}}\n= {\"Ok\":{\"did\":\"done\"}}\n< JOIN #tea\n";
    let told = told(options, script);
    for part in ["CHANLIMIT=#:3 ", "CHATHISTORY=7 ", "\"limit\":2,", "\"limit\":5}"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let script = "< PASS x\n< NICK ann\n< USER ann 0 * :Ann\n";
    assert!(play(&configured(options), script).contains("\"backlog_max\":9}"));
}

#[test]
fn without_a_history_nothing_is_asked_for_on_joining() {
    let told = told(r#"{"history":0}"#, "< CAP REQ server-time\n< JOIN #tea\n");
    assert!(!told.contains("\"ask\":\"history\""), "{told}");
}

#[test]
fn a_client_may_be_as_slow_and_as_silent_as_the_operator_says() {
    let options = r#"{"sign_on_timeout":"0s","keepalive":"0s"}"#;
    assert!(!told(options, "").contains("wake at"));
    let options = r#"{"sign_on_timeout":"1s","keepalive":"5s"}"#;
    let told = told(options, "@ 4999\n@ 5000\n@ 9999\n@ 10000\n");
    let ends = ["wake at 1000\n", "PING irc.localhost\n    wake at 10000\n", "ping timeout\n"];
    assert!(ends.iter().all(|part| told.contains(part)), "{told}");
}

//! The options in gateway.toml.

use frontend_api::{Configure, Frontend, Peer};
use frontend_irc::{IrcFrontend, Options};
use frontend_testkit::play;

use crate::client::Client;

fn configured(toml: &str) -> IrcFrontend {
    let options: Options = serde_json::from_str(toml).unwrap();
    IrcFrontend::configure(options).map_err(|fault| fault.why).unwrap()
}

fn refused(toml: &str) -> Option<String> {
    IrcFrontend::configure(serde_json::from_str(toml).unwrap()).err().map(|fault| fault.key)
}

/// The transcript of a guest, with these options.
fn play_guest(toml: &str, script: &str) -> String {
    let before = "< NICK zed\n< USER zed 0 * :Zed\n= {\"Err\":{\"refused\":\"unknown_user\"}}\n";
    let transcript = play(&configured(toml), &format!("{before}{script}"));
    transcript.replace('\r', "")
}

#[test]
fn the_manifest_has_the_listener_and_the_options() {
    let frontend = IrcFrontend::default();
    insta::assert_snapshot!(serde_json::to_string_pretty(frontend.manifest()).unwrap());
}

#[test]
fn an_unknown_option_is_an_error() {
    assert!(serde_json::from_str::<Options>(r#"{"serverName":"irc.example.org"}"#).is_err());
    assert_eq!(serde_json::from_str::<Options>("{}").unwrap(), Options::default());
}

#[test]
fn an_invalid_option_is_refused_by_its_key() {
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
fn server_name_network_and_motd_are_configurable() {
    let options =
        r#"{"server_name":"irc.example.org","network":"Tea","motd":"Welcome.\n\nBe kind."}"#;
    insta::assert_snapshot!(play_guest(options, "< MOTD\n"));
}

#[test]
fn clients_hear_where_the_server_is_encrypted() {
    let listed = |options: &str, secure: bool, request: &str| {
        let peer = Peer { secure, ..Peer::default() };
        Client::open_for(&configured(options), &peer).send(request).join("\n")
    };
    let options = r#"{"sts_port":6697,"sts_duration":"90s"}"#;
    assert!(listed(options, false, "CAP LS 302").ends_with(" sts=port=6697"));
    assert!(listed(options, true, "CAP LS 302").ends_with(" sts=duration=90"));
    // It says nothing without its value, and is nothing to request.
    assert!(!listed(options, false, "CAP LS").contains("sts"));
    assert!(listed(options, false, "CAP REQ sts").contains(" NAK :sts"));
    assert!(!listed("{}", false, "CAP LS 302").contains("sts"));
}

#[test]
fn without_guests_only_accounts_sign_on() {
    insta::assert_snapshot!(play_guest(r#"{"guests":false}"#, "< PING 1\n"));
}

#[test]
fn without_auto_create_no_room_is_made() {
    let transcript = play_guest(r#"{"auto_create":false}"#, "< JOIN #tea\n");
    assert!(
        transcript.contains("call and follow the seat") && !transcript.contains("create_room"),
        "{transcript}"
    );
}

#[test]
fn limits_are_announced_and_applied() {
    let options = r#"{"channels_max":3,"history_max":7,"history":5,"list_max":2,"backlog":9}"#;
    let script = "< CAP REQ server-time\n< LIST\n= {\"Ok\":{\"did\":\"done\"}}\n= {\"Ok\":{\"did\":\"done\"}}\n< JOIN #tea\n";
    let transcript = play_guest(options, script);
    for part in ["CHANLIMIT=#:3 ", "\"limit\":2,", "\"limit\":5}"] {
        assert!(transcript.contains(part), "no {part} in {transcript}");
    }
    let script = "< PASS x\n< NICK ann\n< USER ann 0 * :Ann\n";
    assert!(play(&configured(options), script).contains("\"backlog_max\":9,"));
}

#[test]
fn without_a_history_joining_queries_no_messages() {
    let transcript = play_guest(r#"{"history":0}"#, "< CAP REQ server-time\n< JOIN #tea\n");
    assert!(!transcript.contains("\"ask\":\"history\""), "{transcript}");
}

#[test]
fn the_time_limits_are_configurable() {
    let options = r#"{"sign_on_timeout":"0s","keepalive":"0s"}"#;
    assert!(!play_guest(options, "").contains("wake at"));
    let options = r#"{"sign_on_timeout":"1s","keepalive":"5s"}"#;
    let transcript = play_guest(options, "@ 4999\n@ 5000\n@ 9999\n@ 10000\n");
    let ends = ["wake at 1000\n", "PING irc.localhost\n    wake at 10000\n", "ping timeout\n"];
    assert!(ends.iter().all(|part| transcript.contains(part)), "{transcript}");
}

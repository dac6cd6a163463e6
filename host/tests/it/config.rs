//! Configurations: the values of valid ones, the messages about wrong ones.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use dragoman::config::{Config, Draft, LogFormat, Problems, Setting, Sources, draft};
use dragoman::dialects::DIALECTS;

/// The environment and the command line besides a gateway.toml.
#[derive(Default)]
pub(crate) struct Around<'a> {
    pub(crate) environment: &'a [(&'a str, &'a str)],
    pub(crate) set: &'a [&'a str],
}

fn setting(text: &str) -> Setting {
    text.parse().expect(text)
}

/// Reads a gateway.toml in a folder of its own, and removes that folder from the messages.
///
/// Fails with the problems.
pub(crate) fn read(toml: &str, around: &Around<'_>) -> Result<Draft, String> {
    let (draft, shown) = read_all(toml, around);
    draft.filter(|draft| draft.problems.is_empty()).ok_or(shown)
}

/// The configuration if it is TOML, and the messages: errors, or warnings if there are no errors.
pub(crate) fn read_all(toml: &str, around: &Around<'_>) -> (Option<Draft>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, toml).expect("it is writable");
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let sources = Sources {
        file,
        environment: around.environment.iter().map(owned).collect(),
        set: around.set.iter().map(|text| setting(text)).collect(),
    };
    let folder = format!("{}/", folder.path().display());
    let shown = |problems: &Problems| problems.to_string().replace(&folder, "");
    match draft(&sources, DIALECTS) {
        Err(problems) => (None, shown(&problems)),
        Ok(draft) => {
            let problems =
                if draft.problems.is_empty() { &draft.warnings } else { &draft.problems };
            let shown = shown(problems);
            (Some(draft), shown)
        }
    }
}

pub(crate) fn config(toml: &str, around: &Around<'_>) -> Config {
    read(toml, around).map(|draft| draft.config).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every file in `wrong/` with the messages about it. Lines that begin with `#env ` and `#set ` give
/// a variable and a `--set`.
#[test]
fn mistakes_are_reported_with_their_place_and_what_to_do() {
    insta::glob!("wrong/*.toml", |path| {
        let toml = std::fs::read_to_string(path).expect("it is readable");
        let set: Vec<&str> = toml.lines().filter_map(|line| line.strip_prefix("#set ")).collect();
        let environment: Vec<(&str, &str)> = toml
            .lines()
            .filter_map(|line| line.strip_prefix("#env "))
            .map(|line| line.split_once('=').expect("NAME=VALUE"))
            .collect();
        let (_, said) = read_all(&toml, &Around { environment: &environment, set: &set });
        let mut transcript = String::new();
        for (nth, line) in toml.lines().enumerate() {
            writeln!(transcript, "{:>3} | {line}", nth + 1).expect("it fits in memory");
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{transcript}\n{said}"));
        });
    });
}

#[test]
fn a_section_is_enough_and_brings_the_defaults() {
    let config = config("[frontends.channel]", &Around::default());
    assert_eq!(config.server.drain_timeout, Duration::from_secs(10));
    assert_eq!(config.server.log.format, LogFormat::Text);
    assert_eq!(config.server.log.filter, "info");
    assert!(config.store.path.ends_with("data/dragoman.redb"));
    assert_eq!(config.admin.listen, None);
    assert!(config.rooms.is_empty());
    let [channel] = &config.frontends[..] else { panic!("one front end is on") };
    assert_eq!(channel.name, "channel");
    assert!(!channel.required);
    assert_eq!(channel.limits, dragoman::config::Limits::default());
    assert_eq!(channel.room_capacity, 500);
    let addresses: Vec<String> =
        channel.listeners.iter().map(|(_, at)| at.address.to_string()).collect();
    assert_eq!(addresses, ["127.0.0.1:5004"]);
}

#[test]
fn a_front_end_without_a_section_or_disabled_is_off() {
    let toml = "[frontends.channel]\n[frontends.token]\nenabled = false";
    let names: Vec<String> =
        config(toml, &Around::default()).frontends.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["channel"]);
}

#[test]
fn the_environment_beats_the_file_and_set_beats_the_environment() {
    let toml = "[frontends.channel]\nlisten = \"127.0.0.1:1\"\nroom_capacity = 1\nhistory = 1";
    let environment = [
        ("DRAGOMAN_FRONTENDS__CHANNEL__LISTEN", "127.0.0.1:2"),
        ("DRAGOMAN_FRONTENDS__CHANNEL__ROOM_CAPACITY", "2"),
        ("HOME", "/root"),
    ];
    let set = ["frontends.channel.listen=127.0.0.1:3"];
    let channel =
        config(toml, &Around { environment: &environment, set: &set }).frontends.remove(0);
    assert_eq!(channel.listeners[0].1.address.to_string(), "127.0.0.1:3");
    assert_eq!(channel.room_capacity, 2);
}

#[test]
fn the_later_of_two_settings_counts() {
    let set = ["server.drain_timeout=1s", "server.drain_timeout = \"2s\""];
    let config = config("[frontends.channel]", &Around { set: &set, ..Around::default() });
    assert_eq!(config.server.drain_timeout, Duration::from_secs(2));
}

#[test]
fn a_setting_is_toml_where_it_can_be() {
    let set = [
        "frontends.channel.auto_join=[\"TEST\", 'a = b']",
        "frontends.channel.required=true",
        "server.log={format=\"json\"}",
        "rooms=[{name=\"TEST\"}]",
    ];
    let config = config("", &Around { set: &set, ..Around::default() });
    assert_eq!(config.frontends[0].auto_join, ["TEST", "a = b"]);
    assert!(config.frontends[0].required);
    assert_eq!(config.server.log.format, LogFormat::Json);
    assert_eq!(config.rooms[0].name.as_deref(), Some("TEST"));
}

#[test]
fn what_is_no_setting_is_refused() {
    for text in ["", "a", "=1", "a..b=1", ".a=1"] {
        assert!(text.parse::<Setting>().is_err(), "{text:?}");
    }
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_not_ours() {
    let environment = [
        ("DRAGOMAN_PORT", "tcp://10.0.0.1:5000"),
        ("DRAGOMAN_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ("DRAGOMAN_SERVICE_HOST", "10.0.0.1"),
    ];
    config("[frontends.channel]", &Around { environment: &environment, ..Around::default() });
}

#[test]
fn a_relative_store_is_beside_the_file_and_an_absolute_one_is_where_it_says() {
    for (path, expected) in [("x/y.redb", "/etc/dragoman/x/y.redb"), ("/var/y.redb", "/var/y.redb")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, "[frontends.channel]").expect("it is writable");
        let set = vec![setting(&format!("store.path={path}"))];
        let read = draft(&Sources { file, environment: Vec::new(), set }, DIALECTS);
        let store = read.map(|draft| draft.config.store.path).expect("it is fine");
        let expected = expected.replace("/etc/dragoman", &folder.path().display().to_string());
        assert_eq!(store.display().to_string(), expected);
    }
}

#[test]
fn zero_takes_a_limit_off() {
    let toml = "[frontends.channel]\nconnections_max = 0\nbody_bytes_max = 0\nidle_timeout = 0\n\
                handshake_timeout = \"0s\"";
    let limits = config(toml, &Around::default()).frontends.remove(0).limits;
    assert_eq!((limits.connections_max, limits.body_bytes_max), (0, u32::MAX));
    assert_eq!((limits.idle_timeout, limits.handshake_timeout), (Duration::ZERO, Duration::ZERO));
}

#[test]
fn a_burst_follows_its_rate() {
    let toml = "[frontends.channel]\nrequests_per_s = 10\nmessages_per_s = 1\nmessages_burst = 3";
    let limits = config(toml, &Around::default()).frontends.remove(0).limits;
    assert_eq!((limits.requests_burst, limits.messages_burst), (50, 3));
}

#[test]
fn a_bare_text_for_log_is_its_filter() {
    let toml = "[server]\nlog = \"warn,dragoman=debug\"\n[frontends.channel]";
    let log = config(toml, &Around::default()).server.log;
    assert_eq!((log.filter.as_str(), log.format), ("warn,dragoman=debug", LogFormat::Text));
}

#[test]
fn a_declared_room_is_called_exactly_so() {
    let toml = "[frontends.channel]\n[[rooms]]\nname = \"TEST\"\nsection = \"s\"\ncapacity = 7\n\
                [[rooms]]\nname = \"Cafe\u{301}\"";
    let rooms = config(toml, &Around::default()).rooms;
    assert_eq!(rooms[0].capacity, Some(7));
    assert_eq!(rooms[0].section, "s");
    assert_eq!((rooms[1].name.as_deref(), rooms[1].capacity), (Some("Caf\u{e9}"), None));
    assert!(rooms.iter().all(|room| room.insist));
}

#[test]
fn a_missing_file_is_an_error_that_says_what_to_do() {
    let file = Path::new("no/such/gateway.toml").to_owned();
    let read = draft(&Sources { file, environment: Vec::new(), set: Vec::new() }, DIALECTS);
    insta::assert_snapshot!(read.err().expect("there is no such file").to_string(), @"cannot read no/such/gateway.toml: No such file or directory (os error 2); create it (`dragoman config defaults > gateway.toml`) or name another with --config PATH");
}

#[test]
fn no_dialect_has_a_key_that_all_front_ends_have() {
    for dialect in DIALECTS {
        let toml = format!("[frontends.{}]", dialect.name);
        let keys = read(&toml, &Around::default()).expect(dialect.name).keys;
        let own = dialect.option_keys();
        let listeners = dialect.manifest().listeners;
        for key in ["enabled", "required", "allow", "api_keys", "room_capacity", "mailbox_max"] {
            assert!(keys.contains(&format!("frontends.{}.{key}", dialect.name)), "{key}");
            assert!(!own.iter().any(|own| own == key), "{key}");
            assert!(!listeners.iter().any(|listener| listener.key == key), "{key}");
        }
    }
}

#[test]
fn a_file_in_another_encoding_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    let utf16 = "[store]\n".encode_utf16().flat_map(u16::to_le_bytes);
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16).collect();
    std::fs::write(&file, bytes).expect("it is writable");
    for (file, why) in [
        (file, "valid UTF-8; save it as UTF-8 or name another with --config PATH"),
        (folder.path().to_owned(), "(os error 21); name another with --config PATH"),
    ] {
        let read = draft(&Sources { file, environment: Vec::new(), set: Vec::new() }, DIALECTS);
        let said = read.err().expect("it cannot be read").to_string();
        assert!(said.ends_with(why), "{said}");
    }
}

/// The project's own gateway.toml.
const SHIPPED: &str = include_str!("../../../gateway.toml");

/// The shipped file with every `#key = value` and `#[section]` in force.
pub(crate) fn shipped_in_full() -> String {
    in_force(SHIPPED)
}

pub(crate) fn in_force(toml: &str) -> String {
    let in_force = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => {
            key.to_owned()
        }
        _ => line.to_owned(),
    };
    toml.lines().map(in_force).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_turns_every_dialect_but_irc_on_at_its_default_address() {
    let draft = read(SHIPPED, &Around::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let config = &draft.config;
    let names: Vec<&str> = config.frontends.iter().map(|one| one.name.as_str()).collect();
    let all = DIALECTS.iter().map(|dialect| dialect.name);
    assert_eq!(names, all.filter(|name| *name != "irc").collect::<Vec<_>>());
    let listens: Vec<String> = draft.listens.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(listens.join("\n"), @r#"
    admin.listen = "127.0.0.1:5090"
    frontends.token.listen = "127.0.0.1:5100"
    frontends.usr_room.listen = "127.0.0.1:5001"
    frontends.chatroom.listen = "127.0.0.1:5000"
    frontends.chatroom.websocket_listen = "127.0.0.1:2333"
    frontends.ourchat.listen = "127.0.0.1:7777"
    frontends.channel.listen = "127.0.0.1:5004"
    "#);
    assert!(config.store.path.ends_with("data/dragoman.redb"));
    assert_eq!(config.rooms.len(), 1);
    assert_eq!(config.rooms[0].name.as_deref(), Some("TEST"));
    assert!(draft.warnings.is_empty(), "{}", draft.warnings);
}

#[test]
fn what_the_shipped_file_gives_as_defaults_are_the_defaults() {
    let shipped = config(SHIPPED, &Around::default());
    let full = config(&shipped_in_full(), &Around::default());
    assert_eq!(full.server.drain_timeout, shipped.server.drain_timeout);
    assert_eq!(full.server.log.format, shipped.server.log.format);
    assert_eq!(full.server.log.filter, shipped.server.log.filter);
    assert_eq!(full.server.trusted_proxies, shipped.server.trusted_proxies);
    assert_eq!(full.store.cache_bytes, shipped.store.cache_bytes);
    assert_eq!(full.store.queue_max, shipped.store.queue_max);
    assert_eq!(full.store.keep_days, shipped.store.keep_days);
    assert_eq!(full.store.keep_messages_per_room, shipped.store.keep_messages_per_room);
    assert_eq!(full.store.free_space_min, shipped.store.free_space_min);
    assert_eq!(full.server.on_store_failure, shipped.server.on_store_failure);
    assert_eq!(full.rooms[0].capacity, Some(500));
    for (full, shipped) in full.frontends.iter().zip(&shipped.frontends) {
        assert_eq!(full.limits, shipped.limits);
        assert_eq!(full.guard, shipped.guard);
        assert_eq!(full.required, shipped.required);
        assert_eq!(full.room_capacity, shipped.room_capacity);
        assert_eq!(full.auto_join, shipped.auto_join);
        assert_eq!(full.cors_origins, shipped.cors_origins);
    }
}

#[test]
fn the_shipped_file_gives_every_option_of_every_dialect_with_its_default() {
    let document: toml::Table = shipped_in_full().parse().expect("it is TOML");
    for dialect in DIALECTS {
        let schema = dialect.manifest().options;
        for key in dialect.option_keys() {
            let written = &document["frontends"][dialect.name].get(&key);
            let default = &schema["properties"][&key]["default"];
            // One that has no default value has words for what it is without one.
            if !default.is_null() {
                let written = written.map(|value| serde_json::to_value(value).expect("it is JSON"));
                assert_eq!(written.as_ref(), Some(default), "{}.{key}", dialect.name);
            }
            assert!(written.is_some(), "{}.{key}", dialect.name);
        }
    }
}

#[test]
fn every_key_is_described() {
    let described = include_str!("../../../docs/configuration.md");
    let draft = read(&shipped_in_full(), &Around::default()).expect("it is fine");
    for key in &draft.keys {
        let name = key.rsplit('.').next().expect("a key has a last part");
        let ways = [format!("`{name}`"), format!("[{key}]"), format!("[{key}.")];
        let is_described = ways.iter().any(|way| described.contains(way));
        assert!(is_described, "{key} is not in docs/configuration.md");
    }
}

#[test]
fn a_number_in_the_environment_is_a_string_where_a_string_is_wanted() {
    let environment = [
        ("DRAGOMAN_FRONTENDS__IRC__NETWORK", "2024"),
        ("DRAGOMAN_FRONTENDS__IRC__MOTD", "true"),
        ("DRAGOMAN_FRONTENDS__USR_ROOM__API_KEYS", "0123456789"),
        ("DRAGOMAN_FRONTENDS__IRC__AUTO_JOIN", "TEST"),
        ("DRAGOMAN_FRONTENDS__IRC__HISTORY", "7"),
    ];
    let set = ["frontends.usr_room.openid_type=7", "frontends.usr_room.allow=127.0.0.1"];
    let config = config("[frontends.irc]", &Around { environment: &environment, set: &set });
    let [usr_room, irc] = &config.frontends[..] else { panic!("two front ends are on") };
    let options = &irc.options;
    assert_eq!(options["network"], "2024");
    assert_eq!(options["motd"], "true");
    assert_eq!(options["history"], 7);
    assert_eq!(irc.auto_join, ["TEST"]);
    let keys = usr_room.guard.api_keys.iter().map(|key| (key.name.as_str(), key.key.as_str()));
    assert!(keys.eq([("#1", "0123456789")]));
    assert_eq!(usr_room.guard.allow.len(), 1);
    assert_eq!(usr_room.options["openid_type"], "7");
}

#[test]
fn a_number_in_the_file_is_not_a_string() {
    let said = read("[frontends.irc]\nnetwork = 2024", &Around::default()).err().expect("refused");
    assert_eq!(said, "gateway.toml:2: frontends.irc.network = 2024: expected a string");
}

#[test]
fn variables_of_container_platforms_are_ignored() {
    let names = [
        "PORT",
        "SERVICE_HOST",
        "IRC_SERVICE_HOST",
        "IRC_SERVICE_PORT",
        "CHAT_ROOM_SERVICE_PORT_HTTP",
        "IRC_PORT",
        "IRC_PORT_6667_TCP",
        "IRC_PORT_6667_UDP_ADDR",
        "IRC_PORT_6667_TCP_PORT",
        "PORT_5000_TCP_PROTO",
    ];
    let names = names.map(|name| format!("DRAGOMAN_{name}"));
    let environment: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "tcp://10.0.0.1:6667")).collect();
    let around = Around { environment: &environment, set: &[] };
    let draft = read("[frontends.irc]", &around).unwrap_or_else(|said| panic!("{said}"));
    assert!(draft.warnings.is_empty(), "{}", draft.warnings);
}

#[test]
fn a_variable_without_two_underscores_is_a_warning_with_the_nearest_key() {
    let environment = [("DRAGOMAN_STORE_PATH", "x.redb"), ("DRAGOMAN_IMAGE_TAG", "7")];
    let around = Around { environment: &environment, set: &[] };
    let draft = read("[frontends.irc]", &around).unwrap_or_else(|said| panic!("{said}"));
    let warnings = draft.warnings.to_string();
    assert!(warnings.contains(
        "DRAGOMAN_STORE_PATH: no key has this name; ignored; did you mean DRAGOMAN_STORE__PATH?"
    ));
    assert_eq!(draft.warnings.len(), 2, "{warnings}");
    assert!(draft.config.store.path.ends_with("data/dragoman.redb"));
}

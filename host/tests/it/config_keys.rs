//! The printed defaults, the keys in effect, and values that may be given in several ways.

use std::path::Path;

use dragoman::config::Config;
use dragoman::dialects::DIALECTS;

use crate::config::{Around, config, in_force, read, read_all, shipped_in_full};

/// What `dragoman config defaults` prints, with every `#key = value` in force.
fn defaults_in_force() -> String {
    in_force(&dragoman::config::defaults())
}

#[test]
fn the_printed_defaults_are_the_defaults() {
    let printed = dragoman::config::defaults();
    let draft = read(&printed, &Around::default()).unwrap_or_else(|said| panic!("{said}"));
    assert!(draft.warnings.is_empty(), "{}", draft.warnings);
    let (printed, full) = (draft.config, config(&defaults_in_force(), &Around::default()));
    assert_eq!(full.server, printed.server);
    assert_eq!(full.admin, printed.admin);
    assert!(full.auth == printed.auth);
    // Each is read in a folder of its own.
    let in_folder = |config: &Config| {
        let folder = config.store.path.parent().and_then(Path::parent).expect("data/ is in it");
        let mut store = config.store.clone();
        store.path = store.path.strip_prefix(folder).expect("it is in it").to_owned();
        store
    };
    assert_eq!(in_folder(&full), in_folder(&printed));
    assert_eq!(full.frontends.len(), DIALECTS.len());
    for (full, printed) in full.frontends.iter().zip(&printed.frontends) {
        assert_eq!(full.name, printed.name);
        assert_eq!(full.options, printed.options, "{}", full.name);
        assert_eq!(full.limits, printed.limits);
        assert_eq!(full.guard, printed.guard);
        assert_eq!(full.listeners, printed.listeners);
        assert_eq!((full.required, full.room_capacity), (printed.required, printed.room_capacity));
        assert_eq!((&full.auto_join, &full.hosts), (&printed.auto_join, &printed.hosts));
        assert_eq!(full.cors_origins, printed.cors_origins);
    }
}

#[test]
fn the_printed_defaults_have_every_key() {
    let printed = dragoman::config::defaults();
    let shipped = read(&shipped_in_full(), &Around::default()).expect("it is fine");
    let is_there = |key: &str| {
        let starts = [format!("{key} = "), format!("#{key} = "), format!("# {key} = ")];
        let colon = format!("# {key}: by default");
        let starts = || starts.iter().chain([&colon]);
        printed.lines().any(|line| starts().any(|start| line.starts_with(start)))
    };
    for key in &shipped.keys {
        let is_table = shipped.keys.iter().any(|other| other.starts_with(&format!("{key}.")));
        let name = key.rsplit('.').next().expect("a key has a last part");
        let is_shown = is_table || is_there(name) || printed.contains(&format!("[{key}"));
        assert!(is_shown, "{key}");
    }
}

#[test]
fn what_is_shown_has_its_layer_and_no_secret() {
    let toml = "[server]\nthreads = 3\n[store]\npath = \"/x.redb\"\n[[rooms]]\nname = \"TEST\"\n\
        [[webhooks]]\nname = \"crm\"\nurl = \"https://hooks.example.org/s3cret?k=s3cret\"\n\
        secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"\n\
        [cluster]\nname = \"chat\"\nservers = \"nats://10.0.0.1\"\nuser = \"u\"\npassword = \"s3cret\"\n\
        [frontends.channel]\nrequests_per_s = 7\napi_keys = { backend = \"s3cret\", cron = [\"s3cret\"] }\n\
        [frontends.usr_room_qq]\ndialect = \"usr_room\"\nlisten = \"127.0.0.1:0\"\n\
        flavor = \"miniprogram\"\ncode_exchange_codes = { demo = \"s3cret\" }";
    let environment = [("DRAGOMAN_FRONTENDS__CHANNEL__HISTORY", "9")];
    let set = ["server.log.filter=debug"];
    let draft = read(toml, &Around { environment: &environment, set: &set });
    let keys = dragoman::config::shown(&draft.unwrap_or_else(|said| panic!("{said}")));
    let shown = |name: &str| {
        let key = keys.iter().find(|one| one.key == name).unwrap_or_else(|| panic!("no {name}"));
        (key.toml(), key.layer())
    };
    let is = |name: &str, value: &str, layer: &'static str| {
        assert_eq!(shown(name), (value.to_owned(), layer), "{name}");
    };
    is("server.threads", "3", "file");
    is("server.log.filter", "\"debug\"", "command_line");
    is("server.drain_timeout", "\"10s\"", "default");
    is("frontends.channel.history", "9", "environment");
    is("frontends.channel.requests_burst", "35", "default");
    is("frontends.channel.listen", "\"127.0.0.1:5004\"", "default");
    is("frontends.channel.api_keys.backend", "\"***\"", "file");
    is("frontends.channel.api_keys.cron", "[\"***\"]", "file");
    is("frontends.channel.leases_per_address_max", "10", "default");
    is("frontends.usr_room_qq.leases_per_address_max", "0", "default");
    is("frontends.usr_room_qq.openid_type", "\"wechat\"", "default");
    is("frontends.usr_room_qq.dialect", "\"usr_room\"", "file");
    is("webhooks[0].url", "\"https://hooks.example.org/***\"", "file");
    is("webhooks[0].secret", "\"***\"", "file");
    is("webhooks[0].timeout", "\"10s\"", "default");
    is("rooms[0].capacity", "500", "default");
    is("cluster.password", "\"***\"", "file");
    is("cluster.replicas", "3", "default");
    let all = format!("{keys:?}");
    assert!(!all.contains("s3cret") && !all.contains("MDEyMzQ1"), "{all}");
}

#[test]
fn what_is_wrong_with_a_cluster_is_said_with_its_key_and_without_secrets() {
    let fine = [("name", "\"chat\""), ("servers", "[\"nats://10.0.0.1:4222\"]")];
    let said = |more: &[(&str, &str)]| {
        let is_given = |key: &str| more.iter().any(|(given, _)| *given == key);
        let fine = fine.iter().filter(|(key, _)| !is_given(key));
        let lines = fine.chain(more).filter(|(_, value)| !value.is_empty());
        let lines: String = lines.map(|(key, value)| format!("{key} = {value}\n")).collect();
        read_all(&format!("[cluster]\n{lines}[frontends.channel]\n"), &Around::default()).1
    };
    assert_eq!(said(&[]), "");
    for (more, words) in [
        (&[("name", "")][..], "cluster.name: missing; the name of the cluster"),
        (&[("servers", "")], "cluster.servers: missing; the NATS servers"),
        (&[("name", "\"a b\"")], "cluster.name = \"a b\": must be 1 to 32 letters"),
        (
            &[("servers", "[\"http://a\"]")],
            "cluster.servers: \"http://a\": must begin with nats://",
        ),
        (
            &[("servers", "\"nats://u:s3cret@a\"")],
            "put the user and the password into cluster.user",
        ),
        (&[("replicas", "2")], "cluster.replicas = 2: must be 1, 3 or 5"),
        (&[("sync", "\"none\"")], "cluster.sync = \"none\": expected \"disk\" or \"log\""),
        (&[("reads", "\"old\"")], "expected \"local\" or \"fresh\""),
        (&[("log_age", "\"1s\"")], "cluster.log_age = \"1s\": must be at least a minute"),
        (&[("node", "\"a b\"")], "cluster.node = \"a b\": expected 1 to 64 letters"),
        (&[("user", "\"u\"")], "cluster.password: missing; user has one"),
        (&[("password", "\"s3cret\"")], "cluster.user: missing; it is the user of the password"),
        (
            &[("token", "\"s3cret\""), ("nkey", "\"SUs3cret\"")],
            "cluster.nkey: there is token too, and the servers take one",
        ),
        (&[("nkey", "\"s3cret\"")], "cluster.nkey: must be the seed of a user"),
        (&[("credentials", "\"/nowhere\"")], "cluster.credentials = \"/nowhere\": No such file"),
        (&[("tls.cert", "\"/nowhere\"")], "cluster.tls.cert = \"/nowhere\": needs cluster.tls.key"),
        (&[("server", "\"a\"")], "unknown key cluster.server; did you mean servers?"),
    ] {
        let said = said(more);
        assert!(said.contains(words), "{more:?}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn several_front_ends_of_a_dialect_have_names_of_their_own() {
    let toml = "[frontends.usr_room]\n[frontends.usr_room_qq]\ndialect = \"usr_room\"\n\
                listen = \"127.0.0.1:5011\"\nopenid_type = \"qq\"\n[frontends.channel]\ndialect = \"channel\"";
    let config = config(toml, &Around::default());
    let found: Vec<_> =
        config.frontends.iter().map(|one| (one.name.as_str(), one.dialect())).collect();
    let expected = [("usr_room", "usr_room"), ("channel", "channel"), ("usr_room_qq", "usr_room")];
    assert_eq!(found, expected);
    assert_eq!(config.frontends[2].options["openid_type"], "qq");
    // A dialect's own defaults hold for each.
    assert_eq!(config.frontends[2].limits.quotas.names_per_connection_max, 0);
}

#[test]
fn a_list_of_one_may_be_a_plain_string_in_the_file() {
    let toml = "[server]\ntrusted_proxies = \"10.0.0.0/8\"\n[frontends.channel]\nallow = \"10.0.0.1\"\n\
        api_keys = \"k3y\"\nauto_join = \"TEST\"\ncors_origins = \"https://chat.example.org\"\n\
        hosts = \"chat.example.org\"\n[[rooms]]\nname = \"TEST\"\n[[webhooks]]\nname = \"crm\"\n\
        url = \"http://127.0.0.1/\"\nevents = \"message.created\"\nrooms = \"TEST\"\n\
        allow_private = \"127.0.0.0/8\"\nsecret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"";
    let config = config(toml, &Around::default());
    let channel = &config.frontends[0];
    assert_eq!(channel.guard.allow.len() + channel.guard.api_keys.len(), 2);
    assert_eq!(channel.auto_join, ["TEST"]);
    assert_eq!(channel.cors_origins.len() + channel.hosts.len(), 2);
    assert_eq!(config.server.trusted_proxies.networks.len(), 1);
    assert_eq!(config.webhooks[0].rooms.len(), 1);
}

#[test]
fn secrets_can_come_from_files_and_from_systemds_credentials() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("it is writable");
    };
    write("crm", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
    write("crm-url", "https://crm.example.org/s3cret\n");
    write("users-url", "https://users.example.org/s3cret");
    write("users", "s3cret\n");
    write("keys.toml", "backend = \"s3cret\"");
    let credentials = folder.path().display().to_string();
    let toml = "[[webhooks]]\nname = \"crm\"\nurl_file = \"credential:crm-url\"\n\
        secret_file = \"credential:crm\"\n[auth.http]\nurl_file = \"credential:users-url\"\n\
        secret_file = \"credential:users\"\n[frontends.channel]\napi_keys_file = \"credential:keys.toml\"\n\
        [frontends.usr_room]\ncode_exchange = \"https://x.example.org/?c={code}&s={secret}\"\n\
        code_exchange_secret_file = \"credential:users\"\nflavor = \"miniprogram\"";
    let environment = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    let read_config = config(toml, &Around { environment: &environment, set: &[] });
    assert_eq!(read_config.webhooks[0].url, "https://crm.example.org/s3cret");
    let channel = read_config.frontends.iter().find(|one| one.name == "channel").expect("it is on");
    let file = channel.guard.api_keys_file.as_ref().expect("it is given");
    assert_eq!(file.path, folder.path().join("keys.toml"));
    let (_, said) = read_all(toml, &Around::default());
    let expected = "there is no /run/credentials/dragoman.service/crm: systemd sets it for units with \
                    LoadCredential=crm:…";
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

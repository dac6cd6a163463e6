//! `[auth.http]`: the users that it lets in, and their identities.

use std::net::SocketAddr;
use std::sync::Arc;

use gateway_tests::{Authority, Channel, Chatroom, Gateway, Irc, Launch, Ourchat};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::stand_in::{Answer, Asked, StandIn};

/// Every dialect with credentials, and this address to ask. Nothing is remembered.
pub(super) fn toml(address: SocketAddr, more: &str) -> String {
    format!(
        "[server.log]\nfilter = \"info,dragoman=trace\"\n\
         [auth.http]\nurl = \"http://{address}/check\"\ncache_ttl = 0\ndeny_ttl = 0\n{more}\n\
         [frontends.channel]\n[frontends.chatroom]\n[frontends.irc]\n\
         [frontends.ourchat]\ntcp_listen = \"127.0.0.1:0\"\n"
    )
}

/// What the server knows: users by what they type, each with the password "tea".
pub(super) fn check(asked: &Asked) -> Answer {
    if asked.body["credential"] != "tea" {
        return Answer::Json(json!({ "result": "deny" }));
    }
    Answer::Json(match asked.body["user"].as_str().expect("a text") {
        "5551234" => json!({ "result": "allow", "identity": "ann", "handle": "ann" }),
        "ann@example.org" => json!({ "result": "allow", "identity": "ann", "handle": "ann" }),
        "zoe" => json!({ "result": "allow", "name": "Zoë Z.", "since": 1999 }),
        _ => json!({ "result": "allow" }),
    })
}

fn ourchat(gateway: &Gateway) -> Ourchat {
    Ourchat::lines(gateway.address("ourchat", "tcp_listen"))
}

fn channel(gateway: &Gateway) -> Channel {
    Channel::connect(gateway.address("channel", "listen"))
}

fn chatroom(gateway: &Gateway) -> Chatroom {
    Chatroom::connect(gateway.address("chatroom", "listen"))
}

pub(super) fn log_in(email: &str, password: &str) -> Value {
    json!({ "code": 6, "login_type": 0, "account": email, "password": password })
}

fn irc(gateway: &Gateway, nick: &str, password: &str) -> Irc {
    Irc::sign_on(gateway.address("irc", "listen"), nick, Some(password))
}

#[test]
fn a_user_of_the_server_is_one_account_in_every_dialect() {
    let server = StandIn::start(check);
    let gateway = Gateway::start(&toml(server.address, ""));
    let mut http = channel(&gateway);
    http.login("ann", "tea");
    assert_eq!(
        server.next().body,
        json!({
            "version": 1, "frontend": "channel", "user": "ann", "user_kind": "handle",
            "credential_kind": "password", "credential": "tea", "peer_address": "127.0.0.1",
        })
    );
    let token = http.token.clone().expect("it is logged in");
    http.send("tearoom", "from channel");

    let fields = [("user_tel", "5551234"), ("user_password", "tea")];
    let reply = chatroom(&gateway).get("/auth/login", &fields);
    assert_eq!(reply["data"]["user_name"], "ann", "{reply}");
    assert_eq!(server.next().body["user_kind"], "tel");

    let reply = ourchat(&gateway).call(&log_in("ann@example.org", "tea"));
    assert_eq!(reply["state"], 0, "{reply}");
    assert_eq!(server.next().body["user_kind"], "email");

    // A member of the room that channel made: irc joins it at sign-on.
    let mut by_irc = irc(&gateway, "ann", "tea");
    assert!(by_irc.receive_until(" JOIN ").starts_with(":ann!"), "the same account");
    // The account is linked by now, which the server may want to know.
    assert_eq!(server.next().body["account"], "ann");
    assert!(!gateway.log().text().contains(&token), "no token is in the log");
    assert!(!gateway.log().text().contains("\"tea\""), "and no password");
}

#[test]
fn each_dialect_refuses_in_its_own_words() {
    let server = StandIn::start(check);
    let gateway = Gateway::start(&toml(server.address, ""));
    let reply = channel(&gateway).call("/login", &json!({ "name": "ann", "password": "no" }));
    assert_eq!(reply, json!({ "code": 3, "msg": "wrong name or password" }));
    let fields = [("user_tel", "5551234"), ("user_password", "no")];
    assert_eq!(chatroom(&gateway).res("/auth/login", &fields), "password wrong");
    assert_eq!(ourchat(&gateway).call(&log_in("ann@example.org", "no"))["state"], 1);
    let mut irc = Irc::connect(gateway.address("irc", "listen"));
    for line in ["PASS no", "NICK ann", "USER ann 0 * :ann"] {
        irc.send(line);
    }
    assert!(irc.receive_until(" 464 ").ends_with(" :Wrong name or password"));
}

#[test]
fn a_local_account_is_never_taken_over() {
    let server = StandIn::start(check);
    let gateway = Gateway::start(&toml(server.address, ""));
    let address = gateway.address("channel", "listen");
    // A local account: its own password decides, and the server is not asked.
    let mut local = Channel::enroll(address, "ann");
    local.send("local", "by the local ann");
    let reply = channel(&gateway).call("/login", &json!({ "name": "ann", "password": "tea" }));
    assert_eq!(reply["code"], 3, "{reply}");
    assert_eq!(server.pending(), 0);
    // The server's ann comes by another name, and is another account.
    let fields = [("user_tel", "5551234"), ("user_password", "tea")];
    let reply = chatroom(&gateway).get("/auth/login", &fields);
    let handle = reply["data"]["user_name"].as_str().expect("a name").to_owned();
    assert!(handle.starts_with("ann-"), "{reply}");
    server.next();
    // By its handle too, and as an account that the question calls its own.
    let mut other = channel(&gateway);
    let reply = other.call("/login", &json!({ "name": handle, "password": "tea" }));
    assert_eq!(reply["code"], 0, "{reply}");
    assert_eq!(server.next().body["account"], "ann");
    // An account without a password is no exception.
    local.login("ann", "tea for two");
}

#[test]
fn where_local_passwords_do_not_count_the_server_decides_and_local_accounts_stay_their_own() {
    let server = StandIn::start(check);
    let toml = toml(server.address, "[auth]\nlocal_passwords = false");
    let gateway = Gateway::start(&toml);
    let mut http = channel(&gateway);
    http.register("ann", "tea for two");
    let login = |http: &mut Channel, password: &str| {
        http.call("/login", &json!({ "name": "ann", "password": password }))
    };
    assert_eq!(login(&mut http, "tea for two")["code"], 3);
    assert_eq!(login(&mut http, "tea")["code"], 0, "the server's ann");
    http.login("ann", "tea");
    let shown = http.done("/user/info", &json!({ "name": "ann" }));
    drop(shown);
    assert_eq!(server.pending(), 3);
}

#[test]
fn a_linked_account_is_the_servers_and_without_create_the_only_one() {
    let server = StandIn::start(check);
    let gateway = Gateway::start(&toml(server.address, "create = false"));
    let mut http = channel(&gateway);
    http.register("bob", "tea for two");
    let login = |http: &mut Channel, name: &str, password: &str| {
        http.call("/login", &json!({ "name": name, "password": password }))["code"].clone()
    };
    assert_eq!(login(&mut http, "zoe", "tea"), 3, "no account is made");
    assert_eq!(login(&mut http, "bob", "tea"), 3, "bob is a local account");
    link(&gateway, "bob", "http/bob");
    assert_eq!(login(&mut http, "bob", "tea for two"), 3, "the server decides now");
    assert_eq!(login(&mut http, "bob", "tea"), 0);
}

#[track_caller]
pub(super) fn link(gateway: &Gateway, user: &str, identity: &str) {
    let output = std::process::Command::new(gateway_tests::program::path())
        .args(["--config", "gateway.toml", "--set"])
        .arg(format!("admin.listen={}", gateway.address("admin", "listen")))
        .args(["user", "link", user, identity])
        .current_dir(gateway.launch().folder())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_display_name_is_for_a_new_account_and_unknown_fields_are_ignored() {
    let server = StandIn::start(check);
    let gateway = Gateway::start(&toml(server.address, ""));
    channel(&gateway).login("zoe", "tea");
    let mut irc = irc(&gateway, "ann", "tea");
    irc.send("WHOIS zoe");
    assert!(irc.receive_until(" 311 ").ends_with(" :Zoë Z."));
}

#[test]
fn the_server_sees_the_secret_over_tls_by_a_ca_of_the_operators() {
    let authority = Authority::new();
    let signed = authority.server(&["127.0.0.1"]);
    let chain = CertificateDer::from_pem_slice(signed.cert.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("they match");
    let server = StandIn::over(Some(Arc::new(config)), check);
    let more = "ca_file = \"ca.pem\"\nsecret_file = \"secret\"\nsecret_header = \"X-Hook\"";
    let toml = toml(server.address, more).replace("http://", "https://");
    let launch = Launch::of(&toml);
    std::fs::write(launch.folder().join("ca.pem"), &authority.pem).expect("a file");
    std::fs::write(launch.folder().join("secret"), "s3cret\n").expect("a file");
    let mut gateway = launch.start();
    channel(&gateway).login("ann", "tea");
    assert!(server.next().head.contains("\r\nx-hook: s3cret\r\n"));
    // A reload reads the secret again.
    std::fs::write(gateway.launch().folder().join("secret"), "other\n").expect("a file");
    gateway.reload(&toml);
    channel(&gateway).login("ann", "tea");
    assert!(server.next().head.contains("\r\nx-hook: other\r\n"));
    assert!(!gateway.log().text().contains("s3cret"));
    // Without the CA nothing is asked.
    gateway.reload(&toml.replace("ca_file = \"ca.pem\"\n", ""));
    let reply =
        channel(&gateway).try_call("/login", &json!({"name": "ann", "password": "tea"}), &[]);
    assert_eq!(reply.expect("an answer").status, 503);
    gateway.log().wait_for("the cause", |lines| {
        lines.iter().any(|line| line.contains("UnknownIssuer")).then_some(())
    });
}

#[test]
fn answers_are_remembered_for_the_very_same_question_until_a_reload() {
    let server = StandIn::start(check);
    let toml = toml(server.address, "")
        .replace("cache_ttl = 0", "cache_ttl = \"1h\"")
        .replace("deny_ttl = 0", "deny_ttl = \"1h\"");
    let mut gateway = Gateway::start(&toml);
    let login = |gateway: &Gateway, password: &str| {
        channel(gateway).call("/login", &json!({ "name": "ann", "password": password }))["code"]
            .clone()
    };
    assert_eq!(login(&gateway, "tea"), 0);
    assert_eq!(login(&gateway, "no"), 3);
    server.next();
    server.next();
    // The account is linked by now, so the question is another one, once.
    assert_eq!(login(&gateway, "tea"), 0);
    server.next();
    for _ in 0..3 {
        assert_eq!(login(&gateway, "tea"), 0);
    }
    assert_eq!(server.pending(), 0);
    gateway.reload(&toml);
    assert_eq!(login(&gateway, "tea"), 0);
    assert_eq!(server.pending(), 1, "a reload forgets");
}

#[test]
fn guessing_is_slowed_down_before_the_server_is_asked() {
    let server = StandIn::start(check);
    let gateway = Gateway::start(&toml(server.address, ""));
    let mut http = channel(&gateway);
    let mut statuses = Vec::new();
    for nth in 0..15 {
        let body = json!({ "name": "ann", "password": format!("guess {nth}") });
        statuses.push(http.try_call("/login", &body, &[]).expect("an answer").status);
    }
    let first = statuses.iter().position(|status| *status == 429).expect("it is slowed down");
    assert!(first <= 11, "{statuses:?}");
    assert_eq!(server.pending(), first);
}

//! Receivers that fail, each in its way.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_tests::encrypted::Signed;
use gateway_tests::{Authority, Channel, Gateway, Launch};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::receiver::{Answer, Delivery, Receiver, SECRET, TAKEN, is_signed};
use super::{ann, metric, toml};

/// Answers each event by its text: with the first of these lines until it was asked so often.
fn failing(head: &'static str, times: usize) -> impl FnMut(&Delivery) -> Answer + Send {
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    move |delivery| {
        let asked = asked.entry(delivery.id().to_owned()).or_default();
        *asked += 1;
        if *asked <= times && delivery.text() == "bad" { Answer::Head(head) } else { TAKEN }
    }
}

#[test]
fn an_event_that_is_not_taken_is_sent_again_before_the_next_of_its_room() {
    let receiver = Receiver::answering(failing("500 Oops", 2));
    let gateway = Gateway::start(&toml(&receiver, "retry_max = \"10ms\""));
    let mut ann = ann(&gateway);
    for text in ["one", "bad", "two"] {
        ann.send("tea", text);
    }
    let all = receiver.nexts(5);
    let texts: Vec<String> = all.iter().map(Delivery::text).collect();
    assert_eq!(texts, ["one", "bad", "bad", "bad", "two"]);
    let ids: Vec<&str> = all.iter().map(Delivery::id).collect();
    assert!(ids[1] == ids[2] && ids[2] == ids[3] && ids[0] != ids[1] && ids[3] != ids[4]);
    assert!(all[1].body == all[2].body && all.iter().all(is_signed), "{all:?}");
    assert_eq!(all[0].target, "/events?a=b");
    assert_eq!(all[0].headers["content-type"], "application/json");
    assert_eq!(metric(&gateway, "webhook_failures_total", ",kind=\"server_error\""), 2);
    assert_eq!(metric(&gateway, "webhook_dead_letters", ""), 0);
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it() {
    let receiver = Receiver::answering(failing("429 Slow down\r\nRetry-After: 2", 1));
    let gateway = Gateway::start(&toml(&receiver, "retry_max = \"10ms\""));
    let mut ann = ann(&gateway);
    ann.send("tea", "bad");
    let [first, second] = [receiver.next(), receiver.next()];
    assert_eq!(first.id(), second.id());
    // Two seconds apart, as the headers show whole seconds.
    assert!(second.timestamp() > first.timestamp(), "{first:?} {second:?}");
    assert_eq!(metric(&gateway, "webhook_failures_total", ",kind=\"throttled\""), 1);
}

#[test]
fn a_receiver_that_does_not_answer_in_time_is_asked_again() {
    let mut asked = 0;
    let receiver = Receiver::answering(move |_| {
        asked += 1;
        if asked == 1 { Answer::Never } else { TAKEN }
    });
    let gateway = Gateway::start(&toml(&receiver, "timeout = \"200ms\"\nretry_max = \"10ms\""));
    ann(&gateway).send("tea", "one");
    let [first, second] = [receiver.next(), receiver.next()];
    assert_eq!(first.id(), second.id());
    assert!(metric(&gateway, "webhook_failures_total", ",kind=\"timeout\"") >= 1);
}

/// How a server with this certificate speaks TLS.
fn speaking(signed: &Signed) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("a key");
    let cert = CertificateDer::from_pem_slice(signed.cert.as_bytes()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("ring has them");
    let builder = builder.with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![cert], key).expect("they belong together"))
}

#[test]
fn a_receiver_by_tls_is_trusted_by_the_cas_of_the_section() {
    let authority = Authority::new();
    let receiver = Receiver::encrypted(speaking(&authority.server(&["localhost"])));
    let port = receiver.address.port();
    let hook = |more: &str| {
        format!(
            "[frontends.channel]\n[[webhooks]]\nname = \"hook\"\nretry_max = \"10ms\"\n\
             url = \"https://localhost:{port}/\"\nsecret = \"{SECRET}\"\nallow_private = true\n\
             {more}\n"
        )
    };
    let mut gateway = Gateway::start(&hook(""));
    std::fs::write(gateway.launch().folder().join("ca.pem"), &authority.pem).expect("a file");
    ann(&gateway).send("tea", "one");
    gateway.log().wait_for_line(&["not delivered: invalid peer certificate: UnknownIssuer"]);
    assert!(metric(&gateway, "webhook_failures_total", ",kind=\"connect\"") >= 1);
    gateway.reload(&hook("ca_file = \"ca.pem\""));
    assert_eq!(receiver.next().text(), "one");
}

#[test]
fn a_receiver_that_is_gone_gets_nothing_until_it_is_resumed() {
    let receiver = Receiver::answering(failing("410 Gone", 1));
    let mut gateway = Gateway::start(&toml(&receiver, "retry_max = \"10ms\""));
    let mut ann = ann(&gateway);
    ann.send("tea", "bad");
    assert_eq!(receiver.next().text(), "bad");
    gateway.log().wait_for_line(&["has answered 410", "dragoman webhook resume hook"]);
    assert_eq!(metric(&gateway, "webhook_gone", ""), 1);
    ann.send("tea", "two");
    let listed = super::commands::webhook(&gateway, &["list"]);
    assert!(listed.contains("hook  gone   http://127.0.0.1:"), "{listed}");
    // It stays so over a restart, which has delivered nothing once it drains.
    assert_eq!(gateway.terminate(), 0);
    gateway.restart();
    assert_eq!(metric(&gateway, "webhook_gone", ""), 1);
    assert_eq!(receiver.so_far(), []);
    let said = super::commands::webhook(&gateway, &["resume", "hook"]);
    assert!(said.contains("events are sent again"), "{said}");
    let texts: Vec<String> = receiver.nexts(2).iter().map(Delivery::text).collect();
    assert_eq!(texts, ["bad", "two"]);
    let said = super::commands::webhook(&gateway, &["resume", "hook"]);
    assert!(said.contains("has not answered 410, so there is nothing to resume"), "{said}");
}

#[test]
fn a_redirect_is_not_followed() {
    let inner = Receiver::start();
    let to = format!("http://{}/metadata", inner.address);
    let receiver = Receiver::answering(move |_| Answer::To(to.clone()));
    let gateway = Gateway::start(&toml(&receiver, "retry_max = \"10ms\""));
    ann(&gateway).send("tea", "one");
    let [first, second] = [receiver.next(), receiver.next()];
    assert_eq!(first.id(), second.id());
    assert_eq!(inner.so_far(), []);
    assert!(metric(&gateway, "webhook_failures_total", ",kind=\"redirect\"") >= 1);
}

#[test]
fn a_private_address_is_refused_by_number_and_by_name_until_it_is_allowed() {
    let receiver = Receiver::start();
    let port = receiver.address.port();
    let hook = |host: &str, allowed: &str| {
        format!(
            "[frontends.channel]\n[[webhooks]]\nname = \"hook\"\nretry_max = \"10ms\"\n\
             url = \"http://{host}:{port}/\"\nsecret = \"{SECRET}\"\n{allowed}\n"
        )
    };
    let mut gateway = Gateway::start(&hook("localhost", ""));
    ann(&gateway).send("tea", "one");
    gateway.log().wait_for_line(&["not delivered: ", "1 is not a public address"]);
    for (host, shown) in [
        ("127.0.0.2", "127.0.0.2"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("2852039166", "169.254.169.254"),
    ] {
        gateway.reload(&hook(host, "allow_private = [\"10.0.0.0/8\"]"));
        let line = format!("not delivered: {shown} is not a public address");
        gateway.log().wait_for_line(&[&line]);
    }
    assert_eq!(receiver.so_far(), []);
    assert!(metric(&gateway, "webhook_failures_total", ",kind=\"address\"") >= 5);
    gateway.reload(&hook("localhost", "allow_private = true"));
    assert_eq!(receiver.next().text(), "one");
}

#[test]
fn an_event_that_is_never_taken_becomes_a_dead_letter_that_can_be_sent_again() {
    let receiver = Receiver::answering(failing("400 No", usize::MAX));
    let keys = "retry_max = \"1ms\"\ndead_letter_after = \"0s\"";
    let mut gateway = Gateway::start(&toml(&receiver, keys));
    let mut ann = ann(&gateway);
    ann.send("tea", "bad");
    ann.send("tea", "two");
    let all = receiver.nexts(11);
    assert!(all[..10].iter().all(|one| one.text() == "bad"), "{all:?}");
    assert_eq!(all[10].text(), "two");
    gateway.log().wait_for_line(&["given up, now a dead letter: answered 400", "\"attempts\":10"]);
    // Drained, so that it is noted; killed, the event would be tried again.
    assert_eq!(gateway.terminate(), 0);
    gateway.restart();
    assert_eq!(metric(&gateway, "webhook_dead_letters", ""), 1);
    // What is not taken again stays.
    super::commands::webhook(&gateway, &["replay", "hook"]);
    gateway.log().wait_for_line(&["the replay of dead letters ended: answered 400"]);
    receiver.answer(|_| TAKEN);
    super::commands::webhook(&gateway, &["replay", "hook"]);
    gateway.log().wait_for_line(&["all dead letters are delivered"]);
    assert_eq!(metric(&gateway, "webhook_dead_letters", ""), 0);
    let again = receiver.nexts(2);
    assert!(again.iter().all(|one| one.id() == all[0].id()), "{again:?}");
    assert_eq!(receiver.so_far(), []);
}

#[test]
fn a_receiver_that_takes_all_dead_letters_is_no_longer_failing() {
    let receiver = Receiver::answering(failing("400 No", usize::MAX));
    let keys = "retry_max = \"1ms\"\ndead_letter_after = \"0s\"";
    let mut gateway = Gateway::start(&toml(&receiver, keys));
    let mut one = ann(&gateway);
    one.send("tea", "bad");
    gateway.log().wait_for_line(&["given up, now a dead letter"]);
    assert_eq!(gateway.terminate(), 0);
    gateway.restart();
    let address = gateway.address("channel", "listen");
    let mut again = Channel::connect(address);
    again.token = one.token.clone();
    again.send("tea", "bad");
    receiver.nexts(20);
    gateway.log().wait_for_line(&["given up, now a dead letter"]);
    let listed = super::commands::webhook(&gateway, &["list"]);
    assert!(listed.contains("hook  failing"), "{listed}");
    receiver.answer(|_| TAKEN);
    super::commands::webhook(&gateway, &["replay", "hook"]);
    gateway.log().wait_for_line(&["all dead letters are delivered"]);
    let listed = super::commands::webhook(&gateway, &["list"]);
    assert!(listed.contains("hook  active"), "{listed}");
}

/// The receiver holds one request, and gets no other; the gateway holds a bounded part of the rest.
#[test]
fn a_receiver_that_never_answers_holds_up_no_post() {
    let receiver = Receiver::answering(|_| Answer::Never);
    let gateway = Gateway::start(&toml(&receiver, "timeout = \"5m\""));
    let mut ann = ann(&gateway);
    for number in 0..1_000 {
        ann.send("tea", &number.to_string());
    }
    assert_eq!(ann.history("tea").len(), 1_000);
    assert_eq!(receiver.next().text(), "0");
    assert_eq!(receiver.so_far(), []);
    assert_eq!(metric(&gateway, "webhook_lag_messages", ""), 1_000);
}

#[test]
fn what_retention_has_removed_before_it_was_delivered_is_said() {
    let receiver = Receiver::start();
    let off = toml(&receiver, "enabled = false");
    let mut gateway = Launch::of(&off).start();
    let mut ann = ann(&gateway);
    for number in 1..=9 {
        ann.send("tea", &number.to_string());
    }
    assert_eq!(gateway.terminate(), 0);
    let on = toml(&receiver, "") + "[store]\nkeep_messages_per_room = 3\n";
    let launch = gateway.launch().clone().with_config(&on);
    drop(gateway);
    let gateway = launch.start();
    let gap = receiver.next();
    assert_eq!(gap.kind(), "messages.gone");
    assert_eq!(gap.json()["data"]["count"], 6, "{gap:?}");
    let texts: Vec<String> = receiver.nexts(3).iter().map(Delivery::text).collect();
    assert_eq!(texts, ["7", "8", "9"]);
    drop(gateway);
}

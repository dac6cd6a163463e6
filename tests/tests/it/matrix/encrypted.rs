//! Every dialect over TLS.

use gateway_tests::{Authority, Encryption};
use toml::Value;

use super::messages::{assert_every_client_receives_every_message, texts};
use super::site::{Site, config, launch};

#[test]
fn every_dialect_speaks_over_tls_as_without() {
    let mut config = config();
    let tls = "cert = \"main.pem\"\nkey = \"main.key\"".parse().expect("it is TOML");
    config.insert(
        "tls".into(),
        Value::Table([("main".into(), Value::Table(tls))].into_iter().collect()),
    );
    let frontends = config["frontends"].as_table_mut().expect("it is a section");
    for (_, frontend) in frontends.iter_mut() {
        frontend.as_table_mut().expect("it is a section").insert("tls".into(), "main".into());
    }
    let authority = Authority::new();
    let launch = launch(&config.to_string());
    authority.server(&["chat.example.org"]).write(launch.folder(), "main");
    let mut gateway = launch.start();
    gateway.encrypt(&Encryption::trusting(&authority.pem, "chat.example.org"));
    let site = Site { gateway };
    let room = site.test();
    let mut speakers = site.cast("-speaker");
    let mut listeners = site.cast("-listener");
    assert_every_client_receives_every_message(&room, &mut speakers, &mut listeners, &texts());
}

//! `dragoman webhook`.

use std::process::Command;

use gateway_tests::{Gateway, Launch, program};

use super::receiver::{Answer, Receiver, SECRET, is_signed};
use super::toml;

/// What the subcommand says, standard output first.
#[track_caller]
pub(super) fn webhook(gateway: &Gateway, arguments: &[&str]) -> String {
    let admin = format!("admin.listen={}", gateway.address("admin", "listen"));
    run(gateway.launch(), &[arguments, &["--set", &admin]].concat()).1
}

fn run(launch: &Launch, arguments: &[&str]) -> (i32, String) {
    let config = launch.folder().join("gateway.toml");
    let output = Command::new(program::path())
        .args(["webhook", "--config"])
        .arg(config)
        .args(arguments)
        .output()
        .expect("the program was built");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("it is text");
    (output.status.code().expect("it exits"), said)
}

#[test]
fn a_test_is_signed_and_shows_what_came_back_without_a_gateway() {
    let receiver = Receiver::answering(|_| Answer::Head("200 Fine\r\nX-Tea: green"));
    let launch = Launch::of(&toml(&receiver, ""));
    let (code, said) = run(&launch, &["test", "hook"]);
    assert!(code == 0 && said.starts_with("200 OK after "), "{said}");
    assert!(said.contains("x-tea: green"), "{said}");
    let delivery = receiver.next();
    assert_eq!(delivery.kind(), "webhook.test");
    assert_eq!(delivery.json()["data"]["webhook"], "hook");
    assert!(is_signed(&delivery));
    receiver.answer(|_| Answer::Head("500 Oops"));
    let (code, said) = run(&launch, &["test", "hook"]);
    assert_eq!(code, 1);
    assert!(said.contains("the receiver has not taken it: answered 500"), "{said}");
    let (code, said) = run(&launch, &["test", "nook"]);
    assert_eq!(code, 1);
    assert!(said.contains("there is no webhook \"nook\"; there are hook"), "{said}");
    drop(receiver);
    let (code, said) = run(&launch, &["test", "hook"]);
    assert_eq!(code, 1);
    assert!(said.contains("no answer from http://127.0.0.1:"), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn a_running_gateway_is_asked_by_its_own_name_only() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&toml(&receiver, ""));
    let listed = webhook(&gateway, &["list"]);
    assert!(listed.contains("hook  active  http://127.0.0.1:"), "{listed}");
    assert!(
        webhook(&gateway, &["list", "--json"]).starts_with("{\"webhooks\":[{\"name\":\"hook\"")
    );
    assert!(webhook(&gateway, &["replay", "nook"]).contains("there is no webhook \"nook\""));
    let mut admin = gateway_tests::Http::connect(gateway.address("admin", "listen"));
    let body = serde_json::json!({ "name": "hook" });
    // Without the header that no web page can send.
    assert_eq!(admin.post_json("/api/v1/webhooks/hook/replay", &body).status, 403);
}

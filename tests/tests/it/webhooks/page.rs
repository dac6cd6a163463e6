//! What docs/webhooks.md shows works.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use gateway_tests::{Gateway, foreign, program};

use super::ann;
use super::receiver::SECRET;

/// The code of the page's Python receiver, as a program.
fn example() -> String {
    let page = std::fs::read_to_string(program::workspace().join("docs/webhooks.md"));
    let page = page.expect("the page is there");
    let (_, rest) = page.split_once("```python\n").expect("it has an example");
    rest.split_once("```").expect("it ends").0.to_owned()
}

#[test]
fn the_receiver_in_python_verifies_what_is_sent() {
    let Some(mut python) = foreign::command("python3") else { return };
    let code = example();
    assert!(code.contains(SECRET) && code.contains(", 8080)"), "{code}");
    // At any port, which it says before it serves.
    let code = code.replace(", 8080)", ", 0)").replace(
        "server.serve_forever()",
        "print(server.server_port, flush=True); server.serve_forever()",
    );
    assert!(code.contains("server_port"), "{code}");
    let mut child = python
        .args(["-u", "-c", &code])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python runs");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    let port = next();
    let toml = |secret: &str| {
        format!(
            "[frontends.channel]\n[[webhooks]]\nname = \"hook\"\nallow_private = true\n\
             url = \"http://127.0.0.1:{port}/\"\nsecret = \"{secret}\"\nretry_max = \"10ms\"\n"
        )
    };
    let mut gateway = Gateway::start(&toml("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    ann(&gateway).send("tea", "one");
    gateway.log().wait_for_line(&["not delivered: answered 401"]);
    gateway.reload(&toml(SECRET));
    let mut said = next();
    while said == "wrong signature" {
        said = next();
    }
    assert!(said.contains("message.created") && said.contains("one"), "{said}");
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
}

//! What the README tells a newcomer to type, typed.

use gateway_tests::{Gateway, Launch, foreign, program};

/// Where the shipped configuration listens, by flag of the example.
const ADDRESSES: [(&str, &str, &str, &str); 6] = [
    ("--token", "token", "listen", "127.0.0.1:5100"),
    ("--usr-room", "usr_room", "listen", "127.0.0.1:5001"),
    ("--chatroom", "chatroom", "listen", "127.0.0.1:5000"),
    ("--chatroom-websocket", "chatroom", "websocket_listen", "127.0.0.1:2333"),
    ("--ourchat", "ourchat", "listen", "127.0.0.1:7777"),
    ("--channel", "channel", "listen", "127.0.0.1:5004"),
];

#[test]
fn the_example_bridges_all_five_dialects() {
    let Some(mut python) = foreign::command("python3") else { return };
    let gateway = Launch::shipped().start();
    python.arg(program::workspace().join("examples/bridge.py"));
    for (flag, frontend, key, _) in ADDRESSES {
        python.arg(flag).arg(gateway.address(frontend, key).to_string());
    }
    let said = foreign::run(&mut python);
    assert!(said.ends_with("five dialects, one conversation\n"), "{said}");
}

#[test]
fn the_walk_of_the_readme_works_as_it_is_pasted() {
    let (Some(mut sh), Some(_)) = (foreign::command("bash"), foreign::command("curl")) else {
        return;
    };
    let mut gateway = Launch::shipped().start();
    let readme =
        std::fs::read_to_string(program::workspace().join("README.md")).expect("there is a README");
    let (_, walk) = readme.split_once("## Two people, two dialects").expect("the walk");
    let (before_kill, after_kill) = walk.split_once("kill -9").expect("the kill");
    let said = foreign::run(sh.arg("-ec").arg(commands(before_kill, &gateway)));
    for wanted in [
        r#"{"res":"register successfully"}"#,
        r#""res":"login successfully""#,
        r#"{"code":0,"msg":"success"}"#,
        r#""name":"bob","datetime":"#,
        r#""msg":"hello ann""#,
    ] {
        assert!(said.contains(wanted), "no {wanted} in {said}");
    }
    gateway.kill();
    gateway.restart();
    let mut sh = foreign::command("bash").expect("it was there a moment ago");
    let (after_kill, _) = after_kill.split_once("\n## ").expect("the next section");
    let said = foreign::run(sh.arg("-ec").arg(commands(after_kill, &gateway)));
    assert!(said.contains(r#""openid":"@bob","message":"hello ann""#), "{said}");
}

/// The commands of a part of the README, for the ports that this gateway has. What starts the
/// example is left to its own test.
fn commands(part: &str, gateway: &Gateway) -> String {
    let lines = part.lines().filter_map(|line| line.strip_prefix("    "));
    let mut script: String =
        lines.filter(|line| !line.starts_with("python3")).flat_map(|line| [line, "\n"]).collect();
    for (_, frontend, key, default) in ADDRESSES {
        script = script.replace(default, &gateway.address(frontend, key).to_string());
    }
    script
}

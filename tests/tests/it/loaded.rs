//! The same tests, with every front end loaded from a shared library instead of linked in.

#[path = "irc.rs"]
mod irc;
#[path = "matrix/mod.rs"]
mod matrix;

#[test]
fn they_really_are_loaded() {
    let gateway = gateway_tests::Launch::loaded("[frontends.channel]\n[frontends.token]\n").start();
    let output = std::process::Command::new(gateway_tests::program::path())
        .args(["dialects", "--config", "gateway.toml"])
        .current_dir(gateway.launch().folder())
        .output()
        .expect("the program was built");
    let said = String::from_utf8(output.stdout).expect("it is UTF-8");
    for name in ["channel", "token"] {
        assert!(said.contains(&format!("\n{name} is {name} 0.1.0, loaded from ")), "{said}");
    }
}

//! What docs/plugins.md tells who writes a dialect to type, typed.

use std::path::Path;
use std::process::Command;

use gateway_tests::{Launch, foreign, program};

/// The block of the page that begins with this.
fn block<'a>(page: &'a str, kind: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{kind}\n")).expect(kind);
    rest.split_once("```").expect("it ends").0
}

/// Types these lines in a folder in which what is built is found as in a clone.
#[track_caller]
fn typed(folder: &Path, script: &str) -> String {
    let mut bash = foreign::command("bash").expect("every developer has it");
    foreign::run(bash.current_dir(folder).arg("-ec").arg(script))
}

/// The worked example, built as the page says in this language, used as the page says.
fn walk(language: &str) {
    let root = program::workspace();
    let page = std::fs::read_to_string(root.join("docs/plugins.md")).expect("there is a page");
    let toml = block(&page, "toml").replace("127.0.0.1:5200", "127.0.0.1:0");
    let launch = Launch::of(&toml);
    let folder = launch.folder().to_owned();
    std::os::unix::fs::symlink(root.join("plugins"), folder.join("plugins")).expect("a new name");
    let release = folder.join("target/release");
    std::fs::create_dir_all(&release).expect("a new folder");
    let built = [
        (program::path().to_owned(), "dragoman"),
        (plugin_testkit::plugin("line"), "libplugin_line.so"),
    ];
    for (file, name) in built {
        std::os::unix::fs::symlink(file, release.join(name)).expect("a new name");
    }
    // Cargo has built it already, for all tests.
    let build = block(&page, &format!("sh {language}"));
    let build: Vec<&str> = build.lines().filter(|line| !line.starts_with("cargo ")).collect();
    typed(&folder, &build.join("\n"));

    let said = typed(&folder, block(&page, "sh operator"));
    for wanted in ["line.so\n", "\"greeting\": {", "gateway.toml", "listen"] {
        assert!(said.contains(wanted), "no {wanted:?} in {said}");
    }
    let gateway = launch.start();
    let port = gateway.address("line", "listen").port().to_string();
    let heard = typed(&folder, &block(&page, "sh talk").replace("5200", &port));
    assert_eq!(heard, block(&page, "text"));
}

#[test]
fn the_walk_of_the_page_on_plugins_works_in_c() {
    let compiler = Command::new("cc").arg("--version").output();
    if compiler.is_ok() || std::env::var_os("CI").is_some() {
        walk("c");
    } else {
        eprintln!("skipped: there is no cc");
    }
}

#[test]
fn the_walk_of_the_page_on_plugins_works_in_rust() {
    walk("rust");
}

//! Each rule, broken on a few files.

use super::modules::Modules;
use super::sources::Sources;
use super::{Scope, commits, everything, wording};

/// The findings in a repository of these files.
fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let sources = Sources::of(files);
    let modules = Modules::load(&sources).unwrap();
    let found = everything(&sources, &modules, &Scope(Vec::new()));
    found.iter().map(ToString::to_string).collect()
}

const MANIFEST: &str = "[package]\nname = \"a\"\n";

#[test]
fn files_that_name_each_other_are_a_cycle() {
    let lib = ("a/src/lib.rs", "mod b;\nmod c;\npub use b::B;\n");
    let manifest = ("a/Cargo.toml", MANIFEST);
    let b = ("a/src/b.rs", "use crate::c::C;\npub struct B(C);\n");
    // The crate's root gives B another name; what defines it is b.
    let c = ("a/src/c.rs", "\npub struct C;\nfn f() { g(crate::B::new()) }\n");
    assert_eq!(
        findings(&[manifest, lib, b, c]),
        ["a/src/b.rs: import cycle:\
          \n    a/src/b.rs:1 names crate::c::C of a/src/c.rs\
          \n    a/src/c.rs:3 names crate::B::new of a/src/b.rs"]
    );
    let c = ("a/src/c.rs", "pub struct C;\n");
    assert_eq!(findings(&[manifest, lib, b, c]), [""; 0]);
}

#[test]
fn a_path_in_a_macro_and_a_glob_close_a_cycle_too() {
    let manifest = ("a/Cargo.toml", MANIFEST);
    let lib = ("a/src/lib.rs", "mod b;\nmod c;\n");
    for b in ["fn f() { assert!(crate::c::g()) }", "use super::c::*;\nfn f() { g() }"] {
        let c = ("a/src/c.rs", "fn g() -> bool { super::b::f(); true }\n");
        let found = findings(&[manifest, lib, ("a/src/b.rs", b), c]);
        assert_eq!(found.len(), 1, "{b}: {found:?}");
    }
}

#[test]
fn folders_whose_files_name_each_other_are_a_cycle_and_a_module_with_its_children_is_not() {
    let files = [
        ("a/Cargo.toml", MANIFEST),
        ("a/src/lib.rs", "mod b;\nmod c;\npub struct Options;\nfn f() { b::g() }\n"),
        ("a/src/b/mod.rs", "mod d;\nfn g() { d::h() }\n"),
        ("a/src/b/d.rs", "use crate::Options;\nuse crate::c::C;\nuse super::g;\n"),
        ("a/src/c.rs", "pub struct C;\n"),
    ];
    assert_eq!(findings(&files), [""; 0]);
    let mut files = files;
    files[4].1 = "pub struct C;\nuse crate::b::g;\n";
    let found = findings(&files);
    assert_eq!(
        found,
        ["a/src/b/d.rs: import cycle:\
          \n    a/src/b/d.rs:2 names crate::c::C of a/src/c.rs\
          \n    a/src/c.rs:2 names crate::b::g of a/src/b/mod.rs"]
    );
}

#[test]
fn packages_that_need_each_other_are_a_cycle() {
    let a = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\n";
    let b = "[package]\nname = \"b\"\n[dev-dependencies]\na = { path = \"../a\" }\n";
    let found = findings(&[("a/Cargo.toml", a), ("b/Cargo.toml", b)]);
    assert_eq!(found, ["a/Cargo.toml: packages depend on each other: a → b → a"]);
}

#[test]
fn a_floor_names_nothing_above_it_and_none_beside_it() {
    let files = [
        ("host/Cargo.toml", MANIFEST),
        ("host/src/lib.rs", "mod runtime;\n"),
        (
            "host/src/runtime/mod.rs",
            "mod clock;\nmod limits;\nmod net;\nmod session;\nmod start;\n",
        ),
        ("host/src/runtime/start.rs", "use super::net::Listener;\n"),
        ("host/src/runtime/net/mod.rs", "use super::session::Driver;\npub struct Listener;\n"),
        ("host/src/runtime/session/mod.rs", "pub mod driver;\npub use driver::Driver;\n"),
        (
            "host/src/runtime/session/driver.rs",
            "pub struct Driver;\nfn f() -> super::super::net::Listener;\n",
        ),
        ("host/src/runtime/limits.rs", "use super::clock::Clock;\n"),
        ("host/src/runtime/clock.rs", "pub struct Clock;\n"),
    ];
    // A function without a body is no Rust, but of a trait.
    let files = files.map(|(path, text)| (path, text.replace("fn f() -> super", "type F = super")));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let found = findings(&files);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("host/src/runtime/limits.rs:1: limits names"), "{found:?}");
    assert!(found[1].starts_with("host/src/runtime/net/mod.rs: import cycle"), "{found:?}");
    assert!(
        found[2].starts_with("host/src/runtime/session/driver.rs:2: session names"),
        "{found:?}"
    );
}

#[test]
fn front_ends_and_engine_name_no_file_clock_or_socket() {
    for code in [
        "use std::time::SystemTime;",
        "use std::{io, fs};\nfn f() { fs::read(\"x\"); }",
        "fn f() { std::thread::sleep(d) }",
        "use std::net as n;\nfn f(s: n::UdpSocket) {}",
        "fn f() { assert!(std::fs::exists(\"x\")) }",
        "use tokio::time;",
    ] {
        let found = findings(&[("core/a/Cargo.toml", MANIFEST), ("core/a/src/lib.rs", code)]);
        assert!(!found.is_empty(), "{code}");
        assert!(found.iter().all(|found| found.contains("has no place here")), "{code}: {found:?}");
        let elsewhere = findings(&[("host/Cargo.toml", MANIFEST), ("host/src/lib.rs", code)]);
        assert_eq!(elsewhere, [""; 0], "{code}");
    }
    let address = [("core/a/Cargo.toml", MANIFEST), ("core/a/src/lib.rs", "use std::net::IpAddr;")];
    assert_eq!(findings(&address), [""; 0]);
}

#[test]
fn functions_and_files_have_a_length() {
    let function = |lines: usize| {
        format!("impl A {{\n    fn f() {{\n{}    }}\n}}\n", "        ;\n".repeat(lines - 2))
    };
    assert_eq!(findings(&[("a/src/lib.rs", &function(60))]), [""; 0]);
    let found = findings(&[("a/src/lib.rs", &function(61))]);
    assert_eq!(found, ["a/src/lib.rs:2: f has 61 lines; a function has at most 60"]);
    let found = findings(&[("a/src/lib.rs", &"// a\n".repeat(501))]);
    assert_eq!(found, ["a/src/lib.rs: 501 lines; a file has at most 500"]);
}

#[test]
fn markdown_wraps_but_for_tables_code_and_long_words() {
    let long = "a ".repeat(61);
    let url = format!("* [x](https://example.org/{})", "y".repeat(120));
    for fine in
        [&format!("| {long} |"), &format!("```\n{long}\n```"), &format!("a\n\n    {long}"), &url]
    {
        assert_eq!(findings(&[("a.md", fine)]), [""; 0], "{fine}");
    }
    assert_eq!(
        findings(&[("a.md", &format!("a\n{long}"))]),
        ["a.md:2: 122 columns; Markdown wraps at 120"]
    );
}

#[test]
fn the_page_of_limits_names_constants_with_their_files_and_values() {
    let code = "pub const A_MAX: u32 = 64 * 1024;\nconst B_MAX: u8 = 1 << 3;\n\
                pub(super) const C_TIMEOUT: Duration = Duration::from_secs(2);\n";
    let of = |page: &str| {
        let files = [
            ("a/Cargo.toml", MANIFEST),
            ("a/src/lib.rs", "mod b;\n"),
            ("a/src/b.rs", code),
            ("docs/limits.md", page),
        ];
        findings(&files)
    };
    for fine in [
        "| `A_MAX` (a/b) | 64 Ki | x |\n| `C_TIMEOUT` (b) | 2 s | after `B_MAX` |",
        "| `B_MAX`, `A_MAX` (a, 7) | 8, 65536 | x |",
        "| `A_MAX` (b) | some | of `GET` and `a_max` |",
    ] {
        assert_eq!(of(fine), [""; 0], "{fine}");
    }
    for (wrong, why) in [
        ("| `D_MAX` (a/b) | 1 | x |", "there is no constant D_MAX"),
        ("| `A_MAX` (a/c) | 64 Ki | x |", "A_MAX is not there; one is in a/src/b.rs"),
        ("| `A_MAX` (a/b) | 64 | x |", "A_MAX is 64 * 1024"),
        ("| `A_MAX`, `B_MAX` (b) | 64 Ki, 9 | x |", "B_MAX is 1 << 3"),
        ("| `C_TIMEOUT` (b) | 3 s | x |", "C_TIMEOUT is Duration::from_secs(2)"),
        ("| x | y | within `E_MAX` |", "there is no constant E_MAX"),
    ] {
        assert_eq!(of(wrong), [format!("docs/limits.md:1: {why}")], "{wrong}");
    }
}

#[test]
fn a_subject_has_an_area_an_imperative_and_72_characters() {
    for fine in [
        "docs: describe the proxies",
        "host/net: pass the address on",
        "engine, model: bound names",
    ] {
        assert_eq!(commits::fault(fine), None, "{fine}");
    }
    for wrong in [
        "Describe the proxies",
        "Docs: describe the proxies",
        "docs: described the proxies",
        "docs: describes the proxies",
        "docs: describing the proxies",
        &format!("docs: {}", "a".repeat(67)),
    ] {
        assert!(commits::fault(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn avoided_words_count_in_comments_prose_and_messages() {
    let code = "// A client connects.\n/// Who is it, and whom.\nlet nobody = \"is told\";\nlet whom = 1;\n";
    let transcript = "# Nobody is there.\n< PRIVMSG nobody :\"hello\"\n";
    let page = "It works.\n\n    whoever\n";
    let sources = Sources::of(&[("a.rs", code), ("a.md", page), ("b.in", transcript)]);
    let share = wording::share(&sources, &Scope(Vec::new()));
    let found: Vec<_> =
        share.findings.iter().map(|found| (found.path.as_str(), found.line)).collect();
    assert_eq!(found, [("b.in", 1), ("a.rs", 2), ("a.rs", 3)]);
    assert_eq!(
        share.to_string(),
        "3 of 4 lines of prose have avoided words: 75.00 % (limit 0.1 %)"
    );
    assert!(share.is_over_limit());
}

#[test]
fn a_dialect_depends_on_what_is_allowed() {
    let found = |path: &str, dependencies: &str| {
        let manifest = format!("[package]\nname = \"a\"\n{dependencies}");
        findings(&[(path, &manifest)])
    };
    let dialect = "frontends/tab/Cargo.toml";
    let allowed = "[dependencies]\ncore-model = \"1\"\nfrontend-api.workspace = true\n";
    assert_eq!(found(dialect, allowed), [""; 0]);
    assert_eq!(found(dialect, "[dev-dependencies]\ntokio = \"1\"\n"), [""; 0]);
    assert_eq!(found("host/Cargo.toml", "[dependencies]\ntokio = \"1\"\n"), [""; 0]);
    for (dependencies, name) in [
        ("[dependencies]\ncore-engine.workspace = true\n", "core-engine"),
        ("[dependencies]\nfrontend-irc.workspace = true\n", "frontend-irc"),
        ("[dependencies]\ntime = { package = \"chrono\", version = \"1\" }\n", "chrono"),
        ("[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n", "tokio"),
        ("[build-dependencies]\nuuid = \"1\"\n", "uuid"),
    ] {
        let found = found(dialect, dependencies);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{dialect}:4: {name} is none of")), "{found:?}");
    }
    assert_eq!(found("core/engine/Cargo.toml", "[dependencies]\nrand = \"1\"\n").len(), 1);
    assert_eq!(
        found("frontends/all/Cargo.toml", "[dependencies]\nfrontend-tab = \"1\"\n"),
        [""; 0]
    );
}

#[test]
fn a_path_that_is_no_beginning_of_a_file_is_a_mistake() {
    let sources = Sources::of(&[("a/Cargo.toml", MANIFEST)]);
    assert!(sources.has_any("a") && sources.has_any("./a/C") && !sources.has_any("b"));
}

//! Files and sections of plugins: `check`, `plugin inspect` and `dialects`.

use std::path::Path;

use plugin_testkit::plugin;

use super::*;
use crate::program::{folder, run};

#[test]
fn wrong_options_are_named_with_their_lines() {
    let toml = faulty("refuse = 7\npanic_im = \"session_open\"\nmailbox_max = 0")
        + &section("channel", "history = \"all\"")
        + "[frontends.other]\nplugin = \"other.so\"\nwhatever = 1\n[frontends.third]\nplugin = 3\n";
    insta::assert_snapshot!(said(folder(&toml).path(), &["check"]), @r#"
    $ dragoman check
    stderr: gateway.toml:5: frontends.faulty.refuse = 7: expected a string
    stderr: gateway.toml:6: unknown key frontends.faulty.panic_im; did you mean panic_in?
    stderr: gateway.toml:7: frontends.faulty.mailbox_max = 0: expected a whole number from 1 to 4294967295
    stderr: gateway.toml:10: frontends.channel.history = "all": expected a whole number
    stderr: gateway.toml:12: frontends.other.plugin = "other.so": cannot open other.so: there is no such file
    stderr: gateway.toml:15: frontends.third.plugin = 3: expected a string
    exit 1
    "#);
    let refused = faulty("refuse = \"for a reason\"");
    insta::assert_snapshot!(said(folder(&refused).path(), &["check"]), @r#"
    $ dragoman check
    stderr: gateway.toml:5: frontends.faulty.refuse = "for a reason": for a reason
    exit 1
    "#);
    let place = "stderr: gateway.toml:2: frontends.faulty.plugin = ";
    for (option, why) in [
        ("panic_in = \"frontend_new\"", "would not start: panicked"),
        ("panic_in = \"frontend_manifest\"", "cannot read: panicked"),
        ("malformed_in = \"frontend_manifest\"", "cannot read: it emitted a manifest that"),
    ] {
        let said = said(folder(&faulty(option)).path(), &["check"]);
        assert!(said.contains(place) && said.contains(why), "{said}");
    }
}

#[test]
fn a_relative_path_is_taken_from_the_folder_of_the_configuration() {
    let folder = folder("[frontends.x]\nplugin = \"faulty.so\"\nlisten = \"127.0.0.1:0\"\n");
    std::fs::copy(plugin("faulty"), folder.path().join("faulty.so")).unwrap();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    let arguments = ["check", "--config", "../gateway.toml"];
    let said = run(&folder.path().join("elsewhere"), &arguments);
    assert!(said.contains("frontends.x.listen = \"127.0.0.1:0\""), "{said}");
}

#[test]
fn a_plugin_that_is_not_enabled_is_not_loaded() {
    let toml = "[frontends.other]\nplugin = \"other.so\"\nenabled = false\n\
                [frontends.channel]\nlisten = \"127.0.0.1:0\"\n";
    let said = run(folder(toml).path(), &["check"]);
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn loaded_front_ends_are_among_the_dialects() {
    let toml = faulty("") + &section("channel", "listen = \"127.0.0.1:0\"");
    let said = said(folder(&toml).path(), &["dialects"]);
    let wanted = [
        "faulty  ",
        "faulty is",
        "channel  ",
        "channel is",
        "               websocket_listen -",
        "               http_listen",
    ];
    let is_wanted = |line: &&str| wanted.iter().any(|wanted| line.starts_with(wanted));
    let about: Vec<&str> = said.lines().filter(is_wanted).collect();
    insta::assert_snapshot!(about.join("\n"), @r"
    channel   on   listen 127.0.0.1:0               HTTP
    faulty    on   listen 127.0.0.1:0               TCP, a line each
                   websocket_listen -               WebSocket
                   http_listen 127.0.0.1:0          HTTP
    channel is channel 0.1.0, loaded from <plugins>/libplugin_channel.so
    faulty is faulty 0.1.0, loaded from <plugins>/libplugin_faulty.so
    ");
}

#[test]
fn inspect_describes_a_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let file = plugin("faulty").display().to_string();
    insta::assert_snapshot!(said(folder.path(), &["plugin", "inspect", &file]));
}

/// A library in C: the table that it exports, written in C after `gw_plugin *table =`.
fn library(folder: &Path, name: &str, source: &str) -> Option<()> {
    let from = folder.join("x.c");
    std::fs::write(&from, format!("#include \"gw_plugin.h\"\n{source}\n")).unwrap();
    plugin_testkit::c_plugin(&from, &["-I", "plugins/abi/include"], &folder.join(name))
}

#[test]
fn a_library_that_is_not_a_plugin_or_of_another_abi_has_its_own_message() {
    let folder = folder("");
    let mut all = String::new();
    for (name, source) in [
        ("other.so", "int answer(void); int answer(void) { return 42; }"),
        (
            "newer.so",
            "static const gw_plugin table = { 2, sizeof table, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
             const gw_plugin *gw_plugin_v1(void) { return &table; }",
        ),
        (
            "empty.so",
            "static const gw_plugin table = { 1, sizeof table, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
             const gw_plugin *gw_plugin_v1(void) { return &table; }",
        ),
        ("null.so", "const gw_plugin *gw_plugin_v1(void) { return 0; }"),
        (
            "needy.so",
            "const gw_plugin *elsewhere(void);
             const gw_plugin *gw_plugin_v1(void) { return elsewhere(); }",
        ),
    ] {
        let Some(()) = library(folder.path(), name, source) else { return };
        let said = run(folder.path(), &["plugin", "inspect", name]);
        assert!(said.ends_with("exit 1"), "{said}");
        all += said.lines().find_map(|line| line.strip_prefix("stderr: ")).expect("a sentence");
        all += "\n";
    }
    // The folder is in the system's own words.
    let all = all.replace(&folder.path().canonicalize().unwrap().display().to_string(), "<folder>");
    insta::assert_snapshot!(all, @r"
    other.so is not a plugin of this gateway: it exports no gw_plugin_v1
    newer.so speaks plugin ABI 2, this gateway speaks 1: use a plugin and a gateway that were released together
    empty.so lacks the function frontend_new
    null.so has no table of functions: gw_plugin_v1 returned null
    cannot load needy.so: <folder>/needy.so: undefined symbol: elsewhere
    ");
}

#[test]
fn a_plugin_newer_than_the_gateway_works_with_the_known_functions() {
    let folder = folder("[frontends.line]\nplugin = \"line.so\"\nlisten = \"127.0.0.1:0\"\n");
    // The worked example, with a table of a gateway to come.
    let line = plugin_testkit::root().join("plugins/examples/line.c");
    let line = std::fs::read_to_string(line).unwrap();
    let source = line
        .replace("gw_plugin_v1(void)", "known(void)")
        .replace("const gw_plugin *known", "const gw_plugin *known(void);\nconst gw_plugin *known")
        + "
        static struct { gw_plugin known; void (*later)(void); } newer;
        const gw_plugin *gw_plugin_v1(void)
        {
            newer.known = *known();
            newer.known.size = sizeof newer;
            return &newer.known;
        }";
    let Some(()) = library(folder.path(), "line.so", &source) else { return };
    let said = run(folder.path(), &["plugin", "inspect", "line.so"]);
    let newer = "built for a later gateway; this one ignores its additional functions";
    assert!(said.contains("ABI           1, a table of 96 bytes\n"), "{said}");
    assert!(said.contains(&format!("\nnewer         {newer}\n")), "{said}");
    let absent = "frontend_fault, frontend_schemas, frontend_account_made";
    assert!(said.contains(&format!("\ndoes without  {absent}\n")), "{said}");
    let said = run(folder.path(), &["check"]);
    let warning = format!("stderr: warning: gateway.toml:2: the plugin of line is {newer}");
    assert!(said.contains(&warning) && said.ends_with("exit 0"), "{said}");
}

#[test]
fn each_kind_of_wrong_file_has_its_own_message() {
    let folder = folder("");
    let whole = std::fs::read(plugin("faulty")).unwrap();
    let mut foreign = whole.clone();
    foreign[18..20].copy_from_slice(&243_u16.to_ne_bytes());
    let files: [(&str, &[u8]); 3] =
        [("text.so", b"hello"), ("foreign.so", &foreign), ("cut.so", &whole[..whole.len() / 2])];
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut all = String::new();
    for name in ["text.so", "foreign.so", "cut.so", "missing.so", "."] {
        let inspected = run(folder.path(), &["plugin", "inspect", name]);
        assert!(inspected.ends_with("exit 1"), "{inspected}");
        let sentence = inspected.lines().find_map(|line| line.strip_prefix("stderr: "));
        let sentence = sentence.expect("it says what is wrong");
        // The same, of a section of the configuration.
        let toml = format!("[frontends.x]\nplugin = \"{name}\"\n");
        std::fs::write(folder.path().join("gateway.toml"), toml).unwrap();
        let checked = run(folder.path(), &["check"]);
        let expected =
            format!("stderr: gateway.toml:2: frontends.x.plugin = \"{name}\": {sentence}");
        assert!(checked.contains(&expected), "{checked}\nlacks {expected}");
        all += &format!("{sentence}\n");
    }
    let all = all.replace(std::env::consts::ARCH, "<arch>");
    let bytes = |text: &str| text.chars().all(|char| char.is_ascii_digit()) && text.len() > 4;
    let words: Vec<&str> = all
        .split_inclusive([' ', ';'])
        .map(|w| if bytes(&w[..w.len() - 1]) { "<n> " } else { w })
        .collect();
    insta::assert_snapshot!(words.concat(), @r"
    text.so is not a shared library
    foreign.so is built for riscv, this gateway runs on <arch>
    cut.so is incomplete: it has <n> bytes, and should have at least <n>  copy it again
    cannot open missing.so: there is no such file
    cannot read .: Is a directory (os error 21)
    ");
}

//! `dragoman fidelity`, and the page on what becomes of each field between two dialects.

use std::fmt::Write as _;
use std::path::Path;

use dragoman::schemas;
use frontend_api::Support;
use frontend_api::fidelity::{Carriage, Contract, Fidelity, Field, Pair, Way};
use plugin_testkit::plugin;

use crate::program::{folder, run};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity.md");
const MARK: &str = "rewrites it. -->\n";

#[test]
fn the_page_is_current() {
    let page = std::fs::read_to_string(PAGE).expect("the page");
    let (written, generated) = page.split_once(MARK).expect("the page has the mark");
    let current = generated_part();
    if generated != current {
        std::fs::write(PAGE, format!("{written}{MARK}{current}")).expect("it is writable");
        panic!("docs/fidelity.md was stale, and is rewritten");
    }
}

/// The table of what each dialect carries, its notes, and the table of pairs.
fn generated_part() -> String {
    let declared: Vec<(String, Fidelity)> = schemas::declared()
        .into_iter()
        .map(|(name, fidelity)| (name, fidelity.expect("linked dialects declare what they carry")))
        .collect();
    let names: Vec<&str> = declared.iter().map(|(name, _)| name.as_str()).collect();
    let mut page = format!("\n| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for row in Field::ALL {
        let cells: Vec<String> = declared
            .iter()
            .map(|(_, fidelity)| {
                let given = if row.by_gateway { "" } else { mark(fidelity.given(row.field)) };
                format!("{given} {}", mark(fidelity.shown(row.field))).trim().to_owned()
            })
            .collect();
        writeln!(page, "| `{}`: {} | {} |", row.name, row.about, cells.join(" | ")).unwrap();
    }
    for (name, fidelity) in &declared {
        write!(page, "\n### {name}\n\n| | given | shown |\n|---|---|---|\n").unwrap();
        for row in Field::ALL {
            let Carriage { given, shown } =
                fidelity.fields.get(row.name).cloned().unwrap_or_default();
            if !given.note.is_empty() || !shown.note.is_empty() {
                writeln!(page, "| `{}` | {} | {} |", row.name, noted(&given), noted(&shown))
                    .unwrap();
            }
        }
    }
    page.push_str(
        "\n## All pairs\n\nFields that are exact/emulated/lost, by the writer\'s dialect.\n\n",
    );
    write!(page, "| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len())).unwrap();
    for (name, from) in &declared {
        let cell = |(_, to): &(String, Fidelity)| {
            let Pair { exact, emulated, lost, .. } = Pair::of(Some(from), Some(to));
            format!("{}/{}/{}", exact.len(), emulated.len(), lost.len())
        };
        let cells: Vec<String> = declared.iter().map(cell).collect();
        writeln!(page, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    page
}

fn mark(way: &Way) -> &'static str {
    match way.support {
        Support::Exact => "=",
        Support::Emulated => "~",
        Support::Absent => "-",
    }
}

fn noted(way: &Way) -> String {
    format!("{} {}", mark(way), way.note).trim_end().to_owned()
}

#[test]
fn every_linked_dialect_says_how_texts_authors_and_rooms_are_carried() {
    for (name, fidelity) in schemas::declared() {
        let fidelity = fidelity.unwrap_or_else(|| panic!("{name} declares nothing"));
        for field in Field::texts().chain([Field::MessageAuthor, Field::MessageToRoom]) {
            assert!(fidelity.fields.contains_key(field.name()), "{name}: {}", field.name());
        }
        for known in fidelity.fields.keys() {
            assert!(Field::ALL.iter().any(|row| row.name == known), "{name}: {known}");
        }
    }
}

#[test]
fn a_pair_is_shown_field_by_field() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(folder.path(), &["fidelity", "irc", "token"]));
}

#[test]
fn the_summary_and_the_json_are_those_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(folder.path(), &["fidelity"]));
    let contract = Contract::of(schemas::declared());
    let json = json_of(folder.path(), &["fidelity", "--json"]);
    assert_eq!(serde_json::from_str::<Contract>(&json).expect("a contract"), contract);
    let json = json_of(folder.path(), &["fidelity", "irc", "ourchat", "--json"]);
    let pair: Pair = serde_json::from_str(&json).expect("a pair");
    assert_eq!(pair, contract.pairs["irc"]["ourchat"]);
}

/// What the program prints, without the command and the exit code.
fn json_of(folder: &Path, arguments: &[&str]) -> String {
    let said = run(folder, arguments);
    let (_, said) = said.split_once('\n').expect("a line for the command");
    said.strip_suffix("exit 0").unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn the_configured_flavor_counts_and_a_plugin_that_declares_nothing_is_unknown() {
    let plugin = plugin("faulty").display().to_string();
    let toml = "[frontends.usr_room]\nflavor = \"miniprogram\"\nlisten = \"127.0.0.1:0\"\n"
        .to_owned()
        + &format!("[frontends.faulty]\nplugin = {plugin:?}\n");
    let folder = folder(&toml);
    let pair = |from: &str, to: &str| -> Pair {
        let json = json_of(folder.path(), &["fidelity", from, to, "--json"]);
        serde_json::from_str(&json).expect("a pair")
    };
    assert!(pair("usr_room", "ourchat").exact.contains("person.avatar"));
    assert_eq!(pair("usr_room", "faulty").unknown.len(), Field::ALL.len());
    assert_eq!(pair("faulty", "irc").unknown.len(), Field::ALL.len());
}

#[test]
fn a_dialect_that_there_is_not_is_named_with_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(folder.path(), &["fidelity", "irc", "chanel"]), @r"
    $ dragoman fidelity irc chanel
    stderr: there is no dialect chanel; there are channel, chatroom, irc, ourchat, token, usr_room, usr_room/miniprogram
    exit 1
    ");
}

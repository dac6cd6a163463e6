//! `dragoman sdk`: recipes that fit the dialects, and what the program does with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dragoman::dialects::DIALECTS;
use dragoman::schemas;
use dragoman::sdks::recipes;
use plugin_testkit::plugin;
use serde_json::Map;

use crate::program::{FINE, folder, names_in, run};

/// A recipe to try things on.
const CHANNEL: [&str; 5] = ["sdk", "--dialect", "channel", "--lang", "typescript"];

fn channel(further: &[&'static str]) -> Vec<&'static str> {
    [&CHANNEL, further].concat()
}

#[test]
fn every_recipe_finds_its_documents_in_its_dialect() {
    for recipe in recipes() {
        let title = format!("{}/{}", recipe.language, recipe.dialect);
        assert!(DIALECTS.iter().any(|dialect| dialect.name == recipe.dialect), "{title}");
        let documents = schemas::configured(&recipe.dialect, Map::new()).schemas();
        assert!(!recipe.steps.documents.is_empty(), "{title} is made from nothing");
        for source in &recipe.steps.documents {
            source.prepared(&documents).unwrap_or_else(|fault| panic!("{title}: {fault}"));
            assert!(!recipe.files.contains_key(&source.to), "{title}: {} is twice", source.to);
        }
        assert!(recipe.files.contains_key("README.md"), "{title} does not say what it is");
    }
}

#[test]
fn what_is_in_the_binary_is_what_is_in_the_folder() {
    let sdks = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("sdks");
    for recipe in recipes() {
        let own = sdks.join(&recipe.language).join(&recipe.dialect);
        let shared = sdks.join(&recipe.language).join("shared");
        let mut there: BTreeSet<PathBuf> = files(&own, &own);
        assert!(there.remove(Path::new("recipe.toml")));
        let steps = &recipe.steps;
        there.extend(steps.shared.iter().map(|path| PathBuf::from(steps.shared_path(path))));
        let here: BTreeSet<PathBuf> = recipe.files.keys().map(PathBuf::from).collect();
        assert_eq!(here, there, "build again after `touch host/src/sdks.rs`");
        for (path, text) in &recipe.files {
            let file = fs::read_to_string(own.join(path));
            let path = path.strip_prefix(&steps.shared_into).unwrap_or(path);
            let path = path.trim_start_matches('/');
            let file = file.unwrap_or_else(|_| fs::read_to_string(shared.join(path)).unwrap());
            assert!(file == *text, "{path} differs");
        }
    }
}

fn files(root: &Path, folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let relative = |path: PathBuf| BTreeSet::from([path.strip_prefix(root).unwrap().to_owned()]);
    entries
        .flat_map(|path| if path.is_dir() { files(root, &path) } else { relative(path) })
        .collect()
}

#[test]
fn without_options_it_lists_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), &["sdk"]);
    for recipe in recipes() {
        let mut lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert!(lines.any(|line| line.starts_with(&[&recipe.language, &recipe.dialect])), "{said}");
    }
    assert!(said.ends_with("exit 0"), "{said}");
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn with_print_it_writes_the_package_and_runs_nothing() {
    let folder = folder(FINE);
    let said = run(folder.path(), &channel(&["--out", "made", "--print"]));
    insta::assert_snapshot!(said, @r"
    $ dragoman sdk --dialect channel --lang typescript --out made --print
    made: the channel dialect in typescript
        cd made
        npm ci
        npm run generate
        npm run build

    An example, with the gateway running:

        node dist/example.js
    exit 0
    ");
    let made = folder.path().join("made");
    for file in ["package.json", "src/client.ts", "src/backoff.ts"] {
        assert!(made.join(file).is_file(), "{file} is missing");
    }
    assert!(!made.join("recipe.toml").exists(), "the recipe is the program's own");
    let openapi = fs::read_to_string(made.join("schemas/openapi.json")).unwrap();
    assert!(!openapi.contains("x-www-form-urlencoded"));
}

#[test]
fn where_a_program_is_missing_it_says_which_and_what_to_type() {
    let folder = folder(FINE);
    // The environment is empty, and so is the PATH.
    let said = run(folder.path(), &channel(&["--out", "made"]));
    insta::assert_snapshot!(said, @r"
    $ dragoman sdk --dialect channel --lang typescript --out made
    made: the channel dialect in typescript
    stderr: not on the PATH: node, npm. The files are written; install what is missing, and then:
    stderr: 
    stderr:     cd made
    stderr:     npm ci
    stderr:     npm run generate
    stderr:     npm run build
    stderr: 
    stderr: An example, with the gateway running:
    stderr: 
    stderr:     node dist/example.js
    exit 1
    ");
}

#[test]
fn a_package_is_regenerated_and_keeps_changed_files() {
    let folder = folder(FINE);
    let make = channel(&["--out", "made", "--print"]);
    run(folder.path(), &make);
    let client = folder.path().join("made/src/client.ts");
    let openapi = folder.path().join("made/schemas/openapi.json");
    fs::write(&client, "// mine\n").unwrap();
    fs::write(&openapi, "{}").unwrap();
    let said = run(folder.path(), &make);
    assert!(said.contains("kept: src/client.ts was changed (--force overwrites it)\n"), "{said}");
    assert_eq!(fs::read_to_string(&client).unwrap(), "// mine\n");
    assert_ne!(fs::read_to_string(&openapi).unwrap(), "{}");
    let said = run(folder.path(), &channel(&["--out", "made", "--print", "--force"]));
    assert!(!said.contains("kept"), "{said}");
    assert_ne!(fs::read_to_string(&client).unwrap(), "// mine\n");
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let folder = folder(FINE);
    let said = run(folder.path(), &channel(&["--out", ".", "--print"]));
    assert!(
        said.contains(
            "stderr: . is not empty: name a new folder with --out, or use --force to write into \
             this one\nexit 1"
        ),
        "{said}"
    );
    assert_eq!(names_in(folder.path()), ["gateway.toml"]);
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/.dragoman-sdk"), "python token\n").unwrap();
    let said = run(folder.path(), &channel(&["--out", "other", "--print"]));
    assert!(said.contains("stderr: other holds another SDK (python token): "), "{said}");
    let said = run(folder.path(), &channel(&["--out", "other", "--print", "--force"]));
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn what_there_is_not_is_told_with_what_there_is() {
    let folder = folder(FINE);
    let asked = |dialect, language| {
        let said = run(
            folder.path(),
            &["sdk", "--dialect", dialect, "--lang", language, "--out", "made", "--print"],
        );
        assert!(said.ends_with("exit 1"), "{said}");
        said
    };
    let said = asked("chanel", "typescript");
    assert!(said.contains("stderr: there is no dialect chanel; there are token, "), "{said}");
    let said = asked("channel", "cobol");
    assert!(
        said.contains("stderr: there is no recipe for the language cobol; there are "),
        "{said}"
    );
    let said = asked("irc", "typescript");
    assert!(
        said.contains("stderr: there is no recipe for the dialect irc in typescript; there are "),
        "{said}"
    );
    assert_eq!(names_in(folder.path()), ["gateway.toml"]);
}

#[test]
fn dialect_language_and_folder_go_together() {
    let folder = folder(FINE);
    for arguments in [&["sdk", "--dialect", "channel"][..], &["sdk", "--print"], &CHANNEL] {
        let said = run(folder.path(), arguments);
        assert!(said.ends_with("exit 2"), "{said}");
    }
}

#[test]
fn a_package_is_for_the_dialect_as_it_is_configured() {
    let folder = folder("[frontends.usr_room]\nflavor = \"miniprogram\"\n");
    let make = ["sdk", "--dialect", "usr_room", "--lang", "typescript", "--out", "made", "--print"];
    let said = run(folder.path(), &make);
    assert!(said.ends_with("exit 0"), "{said}");
    let openapi = fs::read_to_string(folder.path().join("made/schemas/openapi.json")).unwrap();
    assert!(openapi.contains("/recommend"), "only the mini-program has that path");
}

#[test]
fn a_loaded_front_end_gets_the_package_of_the_dialect_that_it_speaks() {
    let library = plugin("channel").display().to_string();
    let section = format!("[frontends.talk]\nplugin = {library:?}\nlisten = \"127.0.0.1:0\"\n");
    let folder = folder(&section);
    let make = ["sdk", "--dialect", "talk", "--lang", "typescript", "--out", "made", "--print"];
    let said = run(folder.path(), &make);
    assert!(said.contains("\nmade: the talk dialect in typescript\n"), "{said}");
    let made = folder.path().join("made");
    assert!(fs::read_to_string(made.join("src/client.ts")).unwrap().contains("ChannelClient"));
    assert!(made.join("schemas/openapi.json").is_file());
}

//! An import that is killed and begun again.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gateway_tests::program;

use super::{done, exported, nowhere, run};

/// Messages of the file: several commits.
const MESSAGES: u64 = 120_000;

/// A file of users, rooms, members, messages and cursors.
fn file() -> String {
    let mut lines = String::from("{\"export\":{\"version\":1}}\n");
    let mut records = 0;
    let mut line = |lines: &mut String, record: std::fmt::Arguments<'_>| {
        writeln!(lines, "{record}").expect("it is a text");
        records += 1;
    };
    for uid in 10_000..10_100 {
        line(
            &mut lines,
            format_args!(
                r#"{{"user":{{"uid":{uid},"handle":"user {uid}","identities":["tel/{uid}"]}}}}"#
            ),
        );
    }
    for room in 1..=20 {
        line(
            &mut lines,
            format_args!(r#"{{"room":{{"id":{room},"name":"r{room}","capacity":500}}}}"#),
        );
        for uid in 10_000..10_010 {
            line(&mut lines, format_args!(r#"{{"member":{{"room":{room},"user":{uid}}}}}"#));
        }
    }
    for id in 1..=MESSAGES {
        let (uid, room) = (10_000 + id % 100, 1 + id % 20);
        line(
            &mut lines,
            format_args!(
                r#"{{"message":{{"id":{id},"at":{id},"user":{uid},"room":{room},"text":"message {id}"}}}}"#
            ),
        );
    }
    line(
        &mut lines,
        format_args!(r#"{{"cursor":{{"user":10000,"of":{{"room":1}},"message":9}}}}"#),
    );
    writeln!(lines, r#"{{"end":{{"records":{records}}}}}"#).expect("it is a text");
    lines
}

/// Kills an import as soon as the store has so many bytes. Returns whether it was under way.
fn killed_at(folder: &Path, file: &str, store: &Path, bytes: u64) -> bool {
    let mut child = Command::new(program::path())
        .current_dir(folder)
        .args(["import", file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let has_grown = || store.metadata().is_ok_and(|store| store.len() >= bytes);
    while !has_grown() && child.try_wait().expect("it can be asked").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("it can be killed");
    !child.wait().expect("it ends").success()
}

#[test]
fn an_import_that_was_killed_and_begun_again_equals_one_that_was_not() {
    let at_once = nowhere("[frontends.channel]");
    let folder = at_once.launch().folder();
    let file = folder.join("all.jsonl");
    std::fs::write(&file, self::file()).expect("there is space");
    let file = file.display().to_string();
    done(run(folder, &["import", &file]));
    let expected = exported(folder);
    let stopped = nowhere("[frontends.channel]");
    let folder = stopped.launch().folder();
    let shown = done(run(folder, &["check"]));
    let store = shown.lines().find_map(|line| line.trim().strip_prefix("store.path = \""));
    let store = folder.join(store.expect("it is shown").trim_end_matches('"'));
    // While the store is made, and in the middle of commits.
    let kills = [1, 2 << 20, 8 << 20].map(|bytes| killed_at(folder, &file, &store, bytes));
    assert!(kills[0], "it was killed while it was under way: {kills:?}");
    done(run(folder, &["import", &file]));
    assert!(exported(folder) == expected, "the stores differ");
    done(run(folder, &["store", "check"]));
    let again = done(run(folder, &["import", &file]));
    assert!(again.contains("there already") && exported(folder) == expected, "{again}");
}

//! Files that cannot be imported: each says where and why, and changes nothing.

use super::{exported, nowhere, run};

const FIRST: &str = r#"{"export":{"version":1}}"#;
const ANN: &str = r#"{"user":{"uid":10000,"handle":"ann"}}"#;
const END_1: &str = r#"{"end":{"records":1}}"#;

#[test]
fn a_file_that_is_wrong_says_where_and_changes_nothing() {
    let gateway = nowhere("[frontends.channel]");
    let folder = gateway.launch().folder();
    let lines = |lines: &[&str]| lines.join("\n");
    std::fs::write(folder.join("good"), lines(&[FIRST, ANN, END_1])).expect("there is space");
    assert_eq!(run(folder, &["import", "good"]).0, 0);
    let before = exported(folder);
    let long = format!(r#"{{"user":{{"uid":10000,"handle":"{}"}}}}"#, "a".repeat(9 << 20));
    for (text, why) in [
        (String::new(), "bad:1: the file was cut: it ends without `end`; nothing was imported"),
        ("hello\n".into(), "bad:1: expected value, at column 1; nothing was imported"),
        (lines(&[ANN, END_1]), "bad:1: this is no export: the first line is not"),
        (
            lines(&[r#"{"export":{"version":7}}"#]),
            "bad:1: export.version: is 7, and this version reads 1 to 2",
        ),
        (lines(&[FIRST, ANN]), "bad:3: the file was cut"),
        (
            lines(&[FIRST, ANN, r#"{"end":{"records":2}}"#]),
            "bad:3: end.records: is 2, and 1 records",
        ),
        (lines(&[FIRST, ANN, END_1, ANN]), "bad:4: a line follows `end`"),
        (lines(&[FIRST, FIRST, END_1]), "bad:2: `export` is for the first line"),
        (lines(&[FIRST, "", END_1]), "bad:2: EOF while parsing a value, at column"),
        (lines(&[FIRST, r#"{"user":{"uid":"x","handle":"a"}}"#]), "bad:2: user.uid: invalid type"),
        (lines(&[FIRST, r#"{"user":{"uid":10001}}"#]), "bad:2: user: missing field `handle`"),
        (
            lines(&[FIRST, r#"{"user":{"uid":10001,"handle":"a","x":1}}"#]),
            "bad:2: user.x: unknown field",
        ),
        (lines(&[FIRST, r#"{"planet":{}}"#]), "unknown variant `planet`"),
        (
            lines(&[FIRST, r#"{"user":{"uid":7,"handle":"a"}}"#]),
            "bad:2: user.uid: is 7; expected 10000 to",
        ),
        (
            lines(&[FIRST, r#"{"user":{"uid":10001,"handle":"a","password":"tea"}}"#]),
            "bad:2: user.password: expected argon2id",
        ),
        (lines(&[FIRST, &long, END_1]), "bad:2: the line is longer than 8 MiB"),
        (
            lines(&[FIRST, r#"{"member":{"room":1,"user":10000}}"#, END_1]),
            "bad:2: member.room: there is no room 1 before it",
        ),
        (
            lines(&[FIRST, r#"{"user":{"uid":10000,"handle":"eve"}}"#, END_1]),
            "bad:2: user: the uid 10000 is that of another user, \"ann\"; --on-conflict skip leaves it out",
        ),
    ] {
        std::fs::write(folder.join("bad"), &text).expect("there is space");
        let (code, _, said) = run(folder, &["import", "bad"]);
        let shown: String = text.chars().take(200).collect();
        assert_eq!((code, said.contains(why)), (1, true), "{shown}: {said}");
        assert_eq!(exported(folder), before, "{shown}");
    }
    std::fs::write(folder.join("bad"), [0xff, 0xfe, b'\n']).expect("there is space");
    assert_eq!(run(folder, &["import", "bad"]).0, 1);
    assert_eq!(exported(folder), before);
}

#[test]
fn a_wrong_argument_is_refused() {
    let gateway = nowhere("[frontends.channel]");
    let folder = gateway.launch().folder();
    for (arguments, code, why) in [
        (&["import", "missing"][..], 1, "cannot read missing: there is no such file"),
        (&["import", "."], 1, "cannot read .: this is a folder"),
        (&["import"], 2, "<FILE>"),
        (&["import", "good", "--on-conflict", "maybe"], 2, "possible values: fail, skip"),
        (&["import", "good", "--id-offset=-1"], 2, "--id-offset"),
    ] {
        let (found, _, said) = run(folder, arguments);
        assert_eq!((found, said.contains(why)), (code, true), "{arguments:?}: {said}");
    }
}

#[test]
fn conflicts_are_named_and_counted_and_left_out() {
    let gateway = nowhere("[frontends.channel]");
    let folder = gateway.launch().folder();
    std::fs::write(folder.join("good"), [FIRST, ANN, END_1].join("\n")).expect("there is space");
    assert_eq!(run(folder, &["import", "good"]).0, 0);
    let before = exported(folder);
    let eve = r#"{"user":{"uid":10000,"handle":"eve"}}"#;
    let hers = r#"{"room":{"id":1,"name":"hers","owner":10000,"capacity":5}}"#;
    let text = [FIRST, eve, hers, r#"{"end":{"records":2}}"#].join("\n");
    std::fs::write(folder.join("other"), text).expect("there is space");
    let arguments = ["import", "other", "--on-conflict", "skip", "--json"];
    let (code, summary, named) = run(folder, &arguments);
    assert_eq!(code, 0, "{named}");
    assert!(named.contains("other:2: user: the uid 10000 is that of another user"), "{named}");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("it is JSON");
    assert_eq!(summary["kinds"]["user"]["conflicts"], 1);
    assert_eq!(summary["kinds"]["room"]["left_out"], 1);
    assert_eq!(exported(folder), before);
}

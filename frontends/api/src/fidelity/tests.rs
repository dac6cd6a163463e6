use std::collections::BTreeSet;

use core_model::{Message, RoomView, UserView};
use schemars::schema_for;
use serde_json::json;

use super::*;

#[test]
fn every_row_is_at_the_index_of_its_field_and_has_a_name_of_its_own() {
    for (at, row) in Field::ALL.iter().enumerate() {
        assert_eq!(row.field as usize, at, "{}", row.name);
    }
    let names: BTreeSet<&str> = Field::ALL.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), Field::ALL.len());
}

/// The first two parts of the names of fields: `message.to`.
fn named(kind: &str) -> BTreeSet<String> {
    let names = Field::ALL.iter().filter_map(|row| row.name.strip_prefix(kind));
    names.map(|rest| rest.split('.').nth(1).unwrap_or_default().to_owned()).collect()
}

fn properties(schema: schemars::Schema) -> BTreeSet<String> {
    let schema = schema.to_value();
    let mut found: BTreeSet<String> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.clone())
        .collect();
    if found.remove("person") {
        let person = schema["$defs"]["Person"]["properties"].as_object().expect("a person");
        found.extend(person.keys().cloned());
    }
    found
}

#[test]
fn the_fields_are_those_of_the_model() {
    assert_eq!(named("message"), properties(schema_for!(Message)));
    assert_eq!(named("person"), properties(schema_for!(UserView)));
    let mut room = properties(schema_for!(RoomView));
    // They have fields of their own.
    assert!(room.remove("messages"));
    // It holds in every dialect, and is shown by irc only.
    assert!(room.remove("policy") && room.remove("masks"));
    assert_eq!(named("room"), room);
}

#[test]
fn a_text_is_of_every_kind_that_it_contains() {
    let kinds = |text: &str| -> Vec<&str> {
        let names = Field::of_text(text).skip(1).map(Field::name);
        names.map(|name| name.strip_prefix("message.text.").expect("a kind of text")).collect()
    };
    assert_eq!(kinds("e\u{301} 茶 👩\u{200d}🚀 مرحبا"), [""; 0]);
    assert_eq!(kinds("a\nb"), ["lines"]);
    assert_eq!(kinds("a\r\nb"), ["lines", "returns"]);
    assert_eq!(kinds("a\n\nb"), ["lines", "blank_lines"]);
    assert_eq!(kinds("a\n"), ["lines", "blank_lines"]);
    assert_eq!(kinds("\n"), ["lines", "blank_lines", "blank"]);
    assert_eq!(kinds("\r\r\n"), ["lines", "blank_lines", "blank", "returns"]);
    assert_eq!(kinds("\ta\x1b"), ["control"]);
    assert_eq!(kinds("/me waves\x01\0"), ["action", "mark", "nul"]);
    assert_eq!(kinds(&"茶".repeat(117)), ["long"]);
    assert_eq!(kinds(&["a"; 50].join("\n")), ["lines"]);
    assert_eq!(kinds(&["a"; 51].join("\n")), ["lines", "many_lines"]);
}

#[test]
fn a_field_passes_as_well_as_both_dialects_let_it() {
    let field = Field::RoomSection;
    let dialect = |given: &Way, shown: &Way| Fidelity::of(&[(field, given.clone(), shown.clone())]);
    let (exact, some, none) = (Way::EXACT, Way::emulated("as a number"), Way::absent("no list"));
    let verdict = |given: &Way, shown: &Way| {
        let from = dialect(given, &Way::ABSENT);
        let to = dialect(&Way::ABSENT, shown);
        let Passage { verdict, how } = passage(Some(&from), Some(&to), field);
        (verdict, how)
    };
    assert_eq!(verdict(&exact, &exact), (Verdict::Exact, String::new()));
    assert_eq!(verdict(&exact, &some), (Verdict::Emulated, "as a number".into()));
    assert_eq!(verdict(&some, &some), (Verdict::Emulated, "as a number".into()));
    assert_eq!(verdict(&some, &none), (Verdict::Lost, "no list".into()));
    assert_eq!(verdict(&none, &none), (Verdict::Absent, "no list".into()));
}

#[test]
fn what_the_gateway_makes_is_given_in_every_dialect() {
    let to = Fidelity::of(&[(Field::MessageId, Way::ABSENT, Way::EXACT)]);
    let from = Fidelity::default();
    assert_eq!(passage(Some(&from), Some(&to), Field::MessageId).verdict, Verdict::Exact);
    assert_eq!(passage(Some(&to), Some(&from), Field::MessageId).verdict, Verdict::Lost);
}

#[test]
fn a_loss_is_found_in_the_messages_that_have_what_is_lost() {
    let fidelity = Fidelity::default().with_texts(Way::EXACT, Way::EXACT);
    let fidelity = fidelity.with(&[(Field::TextNul, Way::EXACT, Way::ABSENT)]);
    let losses = Losses::of(Some(&fidelity));
    let lost = |losses: &Losses, text: &str, notice: bool| -> Vec<Field> {
        let message = json!({
            "id": 1, "at": 1, "author": { "handle": "a", "name": "a" },
            "to": { "user": { "handle": "b", "name": "b" } }, "text": text, "notice": notice,
        });
        losses.in_message(&serde_json::from_value(message).expect("a message")).collect()
    };
    assert_eq!(lost(&losses, "a\nb", false), []);
    assert_eq!(lost(&losses, "a\0b", false), [Field::TextNul]);
    assert_eq!(lost(&losses, "a\0b", true), [Field::MessageNotice, Field::TextNul]);
    assert_eq!(lost(&Losses::of(None), "a\0b", true), []);
    let nothing = Losses::of(Some(&Fidelity::default()));
    assert_eq!(lost(&nothing, "a", false), [Field::MessageText]);
}

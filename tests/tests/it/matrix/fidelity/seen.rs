//! What was found by giving and looking, against what is declared.

use std::collections::{BTreeMap, BTreeSet};

use super::contract::{Contract, Row, Verdict, Way};

/// Values, as text.
pub(super) type Values = BTreeSet<String>;

/// The value of each field of a user or a room, with those that the gateway made.
pub(super) type Fields = Vec<(&'static str, String)>;

/// What a client asked for and what became of it, by field.
pub(super) type Wishes = Vec<(&'static str, String, String)>;

/// What each dialect was found to do with each field.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<Row, BTreeSet<Found>>);

/// The dialects that the tests look at users and rooms by. What others declare of these is believed.
const EXAMINED: [&str; 6] = ["token", "usr_room", "chatroom", "ourchat", "channel", "irc"];

/// A verdict, and the value that it is by, where there is one.
type Found = (Verdict, String);

impl Findings {
    fn note(&mut self, dialect: &'static str, field: &str, way: Way, found: Found) {
        self.0.entry((dialect, field.to_owned(), way)).or_default().insert(found);
    }

    pub(super) fn shows(&mut self, dialect: &'static str, field: &str, found: Verdict) {
        self.note(dialect, field, Way::Shown, (found, String::new()));
    }

    pub(super) fn gives(&mut self, dialect: &'static str, field: &str, found: Verdict) {
        self.note(dialect, field, Way::Given, (found, String::new()));
    }

    /// What a reader sees of these fields. A value that two fields share tells nothing of either.
    pub(super) fn see(&mut self, reader: &'static str, fields: &Fields, seen: &Values) {
        for (field, value) in fields {
            if fields.iter().filter(|(_, other)| other == value).count() > 1 {
                continue;
            }
            let traces = traces(field, value, fields);
            let is_there = |trace: &String| seen.iter().any(|value| value.contains(trace));
            let in_seconds = (*field == "person.created").then(|| &value[..value.len() - 3]);
            let found = if seen.contains(value) {
                Verdict::Exact
            } else if traces.iter().any(is_there) || in_seconds.is_some_and(|at| seen.contains(at))
            {
                Verdict::Emulated
            } else {
                Verdict::Lost
            };
            self.note(reader, field, Way::Shown, (found, value.clone()));
        }
    }

    /// What a writer could give: of `all` fields of a kind, those that it has no place for are not
    /// among its wishes.
    pub(super) fn give(&mut self, writer: &'static str, all: &[String], wishes: &Wishes) {
        for field in all {
            let mut wished = wishes.iter().filter(|(name, ..)| name == field).peekable();
            if wished.peek().is_none() {
                self.gives(writer, field, Verdict::Lost);
            }
            for (_, wish, kept) in wished {
                let found = if wish == kept { Verdict::Exact } else { Verdict::Emulated };
                self.gives(writer, field, found);
            }
        }
    }

    /// What is declared is what was found, and any other declaration would be noticed: one that is
    /// better than the truth, and one that is worse.
    #[track_caller]
    pub(super) fn prove(&self, contract: &Contract, kind: &str) {
        for dialect in EXAMINED {
            assert!(self.is_examined(&(dialect, String::new(), Way::Shown)), "{dialect}");
        }
        let wrong = self.disagreements(contract, kind);
        assert!(wrong.is_empty(), "{wrong:#?}");
        for row in contract.rows(kind).iter().filter(|row| self.is_examined(row)) {
            let declared = contract.declared(row);
            for other in [Verdict::Exact, Verdict::Emulated, Verdict::Lost] {
                let wrong = self.disagreements(&contract.declaring(row, other), kind);
                assert_eq!(wrong.is_empty(), other == declared, "{row:?} as {other:?}: {wrong:?}");
            }
        }
    }

    fn disagreements(&self, contract: &Contract, kind: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        for row in contract.rows(kind).into_iter().filter(|row| self.is_examined(row)) {
            let (declared, found) = (contract.declared(&row), self.found(&row));
            if found != Some(declared) {
                let by = self.0.get(&row);
                wrong.push(format!("{row:?} is declared {declared:?}, found {found:?} by {by:?}"));
            }
        }
        wrong
    }

    /// Whether the tests look at users and rooms by this dialect, or make some.
    fn is_examined(&self, (dialect, _, way): &Row) -> bool {
        self.0.keys().any(|(other, _, by)| other == dialect && by == way)
    }

    /// What is exact in some cases alone is emulated.
    fn found(&self, row: &Row) -> Option<Verdict> {
        let found = self.0.get(row)?.iter().map(|(verdict, _)| *verdict);
        match found.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()[..] {
            [only] => Some(only),
            _ => Some(Verdict::Emulated),
        }
    }
}

/// What remains of a value where a dialect shows it in another form.
fn traces(field: &str, value: &str, fields: &Fields) -> Vec<String> {
    match field {
        "room.name" => vec![format!("#{}", escaped(value))],
        "person.handle" => {
            let escaped = escaped(value);
            let of_irc = (escaped != value).then_some(escaped);
            of_irc.into_iter().chain([format!("@{value}")]).collect()
        }
        "person.name" if value.len() > 100 => vec![value.chars().take(30).collect()],
        _ => {
            let others = fields.iter().filter(|(name, _)| *name != field);
            let others: Vec<&str> = others.map(|(_, value)| value.as_str()).collect();
            let words = value.split(|char: char| !char.is_ascii_alphabetic());
            let words = words.filter(|word| word.len() >= 4);
            let own = words.filter(|word| !others.iter().any(|other| other.contains(word)));
            own.map(str::to_owned).collect()
        }
    }
}

/// A name as irc writes it.
pub(super) fn escaped(name: &str) -> String {
    name.replace(' ', "\\20").replace('.', "\\2e")
}

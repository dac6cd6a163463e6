//! `dragoman fidelity`: what becomes of each field of a message, a person and a room on the way from
//! one dialect to another, as the manifests declare it.

use std::collections::BTreeMap;
use std::error::Error;

use clap::Args;
use frontend_api::fidelity::{Contract, Fidelity, Field, Pair, Passage, Verdict, passage};

use super::table::aligned;
use super::{Options, output};
use crate::schemas;

#[derive(Args, Debug)]
pub(super) struct Pairs {
    #[command(flatten)]
    options: Options,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// The writer's dialect, by its name in gateway.toml
    #[arg(requires = "to")]
    from: Option<String>,

    /// The reader's dialect
    to: Option<String>,
}

pub(super) fn run(options: Options, pairs: Pairs) -> Result<(), Box<dyn Error>> {
    let declared = declared(&options.and(pairs.options))?;
    let text = match (pairs.from.as_deref().zip(pairs.to.as_deref()), pairs.json) {
        (None, true) => serde_json::to_string(&Contract::of(declared))?,
        (None, false) => summary(&declared),
        (Some((from, to)), json) => {
            let [from, to] = [find(&declared, from)?, find(&declared, to)?];
            if json { serde_json::to_string(&Pair::of(from, to))? } else { table(from, to) }
        }
    };
    output::line(text)?;
    Ok(())
}

/// What each front end carries: those that are on as they are configured, the other dialects with
/// default options.
fn declared(options: &Options) -> Result<BTreeMap<String, Option<Fidelity>>, Box<dyn Error>> {
    let mut declared = schemas::declared();
    if !options.has_no_file() {
        for on in options.configuration()?.config.frontends {
            let fidelity = on.frontend.manifest().fidelity.clone();
            declared.insert(on.name, fidelity);
        }
    }
    Ok(declared)
}

fn find<'a>(
    declared: &'a BTreeMap<String, Option<Fidelity>>,
    name: &str,
) -> Result<Option<&'a Fidelity>, String> {
    let found = declared.get(name).map(Option::as_ref);
    found.ok_or_else(|| {
        let names: Vec<&str> = declared.keys().map(String::as_str).collect();
        format!("there is no dialect {name}; there are {}", names.join(", "))
    })
}

/// A row for each field.
fn table(from: Option<&Fidelity>, to: Option<&Fidelity>) -> String {
    let row = |field: Field| {
        let Passage { verdict, how } = passage(from, to, field);
        [field.name().to_owned(), word(verdict).to_owned(), how]
    };
    let head = ["field", "", "how, or why not"].map(str::to_owned);
    let rows = std::iter::once(head).chain(Field::ALL.iter().map(|one| row(one.field)));
    format!("{}\n\n{LEGEND}", aligned(rows.collect()))
}

const LEGEND: &str = "exact: as it was given; emulated: in another form; lost: not shown; \
    -: the writer has no place for it";

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Exact => "exact",
        Verdict::Emulated => "emulated",
        Verdict::Lost => "lost",
        Verdict::Absent => "-",
        Verdict::Unknown => "unknown",
    }
}

/// A row for each writer's dialect, a column for each reader's: how many fields are exact, emulated
/// and lost.
fn summary(declared: &BTreeMap<String, Option<Fidelity>>) -> String {
    let cell = |from: &Option<Fidelity>, to: &Option<Fidelity>| {
        let pair = Pair::of(from.as_ref(), to.as_ref());
        if !pair.unknown.is_empty() {
            return word(Verdict::Unknown).to_owned();
        }
        format!("{}/{}/{}", pair.exact.len(), pair.emulated.len(), pair.lost.len())
    };
    let head = std::iter::once("from, to".to_owned()).chain(declared.keys().cloned());
    let row = |(name, from): (&String, &Option<Fidelity>)| {
        let cells = declared.values().map(|to| cell(from, to));
        std::iter::once(name.clone()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(head.collect()).chain(declared.iter().map(row)).collect();
    let all = "fields that are exact/emulated/lost; for each field, name both dialects";
    format!("{}\n\n{all}", aligned(rows))
}

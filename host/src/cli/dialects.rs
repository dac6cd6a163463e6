//! `dragoman dialects`: which dialects are on, where they listen, and what each can do.

use std::error::Error;
use std::path::Path;

use frontend_api::{Listener, Manifest};

use super::table::{CAPABILITIES, Capability, aligned, support, transport};
use super::{DEFAULT_FILE, Options};
use crate::config::{Config, FrontendConfig};
use crate::dialects::DIALECTS;
use crate::plugin::Loaded;

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let nothing_written = options.config.is_none() && !Path::new(DEFAULT_FILE).exists();
    let config = if nothing_written { None } else { Some(options.configuration()?.config) };
    println!("{}", tables(config.as_ref()));
    if nothing_written {
        eprintln!("there is no {DEFAULT_FILE} here: every dialect is off");
    }
    Ok(())
}

/// A dialect in the tables: one of the table of dialects, or a front end that is on.
struct Row<'a> {
    name: String,
    manifest: Manifest,
    on: Option<&'a FrontendConfig>,
}

/// Those of the table of dialects, as they are configured; after them what else is on.
fn rows(config: Option<&Config>) -> Vec<Row<'_>> {
    let on = config.map_or(&[][..], |config| &config.frontends);
    let listed = DIALECTS.iter().map(|dialect| {
        let on = on.iter().find(|frontend| frontend.name == dialect.name);
        let manifest =
            on.map_or_else(|| dialect.manifest(), |frontend| frontend.frontend.manifest().clone());
        Row { name: dialect.name.into(), manifest, on }
    });
    let is_listed = |name: &str| DIALECTS.iter().any(|dialect| dialect.name == name);
    let others = on.iter().filter(|frontend| !is_listed(&frontend.name)).map(|frontend| Row {
        name: frontend.name.clone(),
        manifest: frontend.frontend.manifest().clone(),
        on: Some(frontend),
    });
    listed.chain(others).collect()
}

/// Both tables, at most 100 columns wide for the dialects that are linked in.
fn tables(config: Option<&Config>) -> String {
    let rows = rows(config);
    let where_they_listen = std::iter::once(["dialect", "", "where", "what"].map(str::to_owned))
        .chain(rows.iter().flat_map(places))
        .collect();
    format!(
        "{}\n{}\n{}\n\n- not in this dialect; emulated: by an extension, or by other means than its \
         clients expect",
        aligned(where_they_listen),
        origins(&rows),
        aligned(capabilities(&rows)),
    )
}

/// A line for each front end that is loaded.
fn origins(rows: &[Row<'_>]) -> String {
    let loaded = rows.iter().filter_map(|row| Some((row, row.on?.plugin.as_ref()?)));
    let line = |(row, plugin): (&Row<'_>, &Loaded)| {
        let Manifest { dialect, version, .. } = &row.manifest;
        format!("\n{} is {dialect} {version}, loaded from {}", row.name, plugin.path.display())
    };
    let lines: String = loaded.map(line).collect();
    if lines.is_empty() { lines } else { lines + "\n" }
}

/// A row for each listener of a dialect; its name and whether it is on stand in the first.
fn places(row: &Row<'_>) -> Vec<[String; 4]> {
    let Row { name, manifest, on } = row;
    let place = |nth: usize, listener: &Listener| {
        let address = match on {
            Some(on) => on
                .listeners
                .iter()
                .find_map(|(of, address)| (of.key == listener.key).then(|| address.to_string())),
            None => listener.address.clone(),
        };
        let transport = transport(listener.transport);
        let (name, state) = match nth {
            0 => (name.as_str(), if on.is_some() { "on" } else { "off" }),
            _ => ("", ""),
        };
        let where_to = format!("{} {}", listener.key, address.unwrap_or_else(|| "-".into()));
        [name.to_owned(), state.to_owned(), where_to, transport.to_owned()]
    };
    manifest.listeners.iter().enumerate().map(|(nth, listener)| place(nth, listener)).collect()
}

/// A row for each capability, a column for each dialect.
fn capabilities(rows: &[Row<'_>]) -> Vec<Vec<String>> {
    let names = rows.iter().map(|row| row.name.clone());
    let head = std::iter::once(String::new()).chain(names).collect();
    let row = |(name, of): &Capability| {
        let words = rows.iter().map(|row| support(of(&row.manifest.capabilities)).to_owned());
        std::iter::once((*name).to_owned()).chain(words).collect()
    };
    std::iter::once(head).chain(CAPABILITIES.iter().map(row)).collect()
}

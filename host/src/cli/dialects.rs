//! `dragoman dialects`: which dialects are on, where they listen, and what each can do.

use std::error::Error;
use std::path::Path;

use frontend_api::{Capabilities, Listener, Manifest, Support, Transport};

use super::{DEFAULT_FILE, Options};
use crate::config::{Config, FrontendConfig};
use crate::dialects::DIALECTS;

/// One capability: what it is called, and where the manifest says how well it is there.
type Capability = (&'static str, fn(&Capabilities) -> Support);

/// The rows of the table of capabilities.
const CAPABILITIES: [Capability; 8] = [
    ("post", |can| can.post),
    ("receive by push", |can| can.receive_push),
    ("receive by polling", |can| can.receive_poll),
    ("direct messages", |can| can.direct_messages),
    ("presence", |can| can.presence),
    ("history", |can| can.history),
    ("search", |can| can.search),
    ("credentials", |can| can.credentials),
];

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let nothing_written = options.config.is_none() && !Path::new(DEFAULT_FILE).exists();
    let config = if nothing_written { None } else { Some(options.configuration()?.config) };
    println!("{}", tables(config.as_ref()));
    if nothing_written {
        eprintln!("there is no {DEFAULT_FILE} here: every dialect is off");
    }
    Ok(())
}

/// Both tables, at most 100 columns wide.
fn tables(config: Option<&Config>) -> String {
    let manifests: Vec<Manifest> = DIALECTS.iter().map(|dialect| dialect.manifest()).collect();
    let where_they_listen = std::iter::once(["dialect", "", "where", "what"].map(str::to_owned))
        .chain(manifests.iter().flat_map(|manifest| {
            let on = config.and_then(|config| {
                config.frontends.iter().find(|frontend| frontend.name == manifest.dialect)
            });
            places(manifest, on)
        }))
        .collect();
    format!(
        "{}\n\n{}\n\n- not in this dialect; emulated: by an extension, or by other means than its \
         clients expect",
        aligned(where_they_listen),
        aligned(capabilities(&manifests)),
    )
}

/// A row for each listener of a dialect; its name and whether it is on stand in the first.
fn places(manifest: &Manifest, on: Option<&FrontendConfig>) -> Vec<[String; 4]> {
    let place = |nth: usize, listener: &Listener| {
        let address = match on {
            Some(on) => on
                .listeners
                .iter()
                .find_map(|(of, address)| (of.key == listener.key).then(|| address.to_string())),
            None => listener.address.clone(),
        };
        let transport = match listener.transport {
            Transport::Http => "HTTP",
            Transport::Tcp => "TCP",
            Transport::TcpLines => "TCP, a line each",
            Transport::WebSocket => "WebSocket",
        };
        let (name, state) = match nth {
            0 => (manifest.dialect.as_str(), if on.is_some() { "on" } else { "off" }),
            _ => ("", ""),
        };
        let where_to = format!("{} {}", listener.key, address.unwrap_or_else(|| "-".into()));
        [name.to_owned(), state.to_owned(), where_to, transport.to_owned()]
    };
    manifest.listeners.iter().enumerate().map(|(nth, listener)| place(nth, listener)).collect()
}

/// A row for each capability, a column for each dialect.
fn capabilities(manifests: &[Manifest]) -> Vec<Vec<String>> {
    let word = |support| match support {
        Support::Exact => "exact",
        Support::Emulated => "emulated",
        Support::Absent => "-",
    };
    let names = manifests.iter().map(|manifest| manifest.dialect.clone());
    let head = std::iter::once(String::new()).chain(names).collect();
    let row = |(name, of): &Capability| {
        let words = manifests.iter().map(|manifest| word(of(&manifest.capabilities)).to_owned());
        std::iter::once((*name).to_owned()).chain(words).collect()
    };
    std::iter::once(head).chain(CAPABILITIES.iter().map(row)).collect()
}

/// Columns as wide as their widest cell, two spaces apart.
fn aligned<R: AsRef<[String]>>(rows: Vec<R>) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let cell = |row: &R, column: usize| row.as_ref().get(column).cloned().unwrap_or_default();
    let width = |column: usize| rows.iter().map(|row| cell(row, column).chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &R| {
        let cells =
            widths.iter().enumerate().map(|(nth, width)| format!("{:width$}", cell(row, nth)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

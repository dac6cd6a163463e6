//! `dragoman dialects`: the dialects that are on, their addresses, and their capabilities.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use frontend_api::{Listener, Manifest};

use super::client::admin_address;
use super::table::{CAPABILITIES, Capability, aligned, support, transport};
use super::{DEFAULT_FILE, Options, output};
use crate::config::{Config, FrontendConfig};
use crate::dialects::DIALECTS;
use crate::plugin::Loaded;
use crate::runtime::{IS_DOWN, IS_KEPT};

/// How long a running gateway may take to answer `/readyz`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest answer that is read: a line for each front end, with room for long reasons.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let nothing_written = options.has_no_file();
    let config = if nothing_written { None } else { Some(options.configuration()?.config) };
    output::line(tables(config.as_ref(), &Notes::query(config.as_ref())))?;
    if nothing_written {
        output::note(format_args!("no {DEFAULT_FILE} in this folder: every dialect is off"));
    }
    Ok(())
}

/// A row of the tables: a linked dialect, or another front end that is on.
struct Row<'a> {
    name: String,
    manifest: Manifest,
    on: Option<&'a FrontendConfig>,
    /// Why the gateway took it down.
    down: Option<&'a str>,
    /// Why it does not run with its current configuration.
    kept: Option<&'a str>,
}

/// What a running gateway reports of its front ends, by name.
#[derive(Default)]
struct Notes {
    down: BTreeMap<String, String>,
    kept: BTreeMap<String, String>,
}

/// The linked dialects as they are configured, then every other front end that is on.
fn rows<'a>(config: Option<&'a Config>, notes: &'a Notes) -> Vec<Row<'a>> {
    let down = |name: &str| notes.down.get(name).map(String::as_str);
    let kept = |name: &str| notes.kept.get(name).map(String::as_str);
    let on = config.map_or(&[][..], |config| &config.frontends);
    let listed = DIALECTS.iter().map(|dialect| {
        let on = on.iter().find(|frontend| frontend.name == dialect.name);
        let manifest =
            on.map_or_else(|| dialect.manifest(), |frontend| frontend.frontend.manifest().clone());
        let down = down(dialect.name);
        let kept = kept(dialect.name);
        Row { name: dialect.name.into(), manifest, on, down, kept }
    });
    let is_listed = |name: &str| DIALECTS.iter().any(|dialect| dialect.name == name);
    let others = on.iter().filter(|frontend| !is_listed(&frontend.name)).map(|frontend| Row {
        name: frontend.name.clone(),
        manifest: frontend.frontend.manifest().clone(),
        on: Some(frontend),
        down: down(&frontend.name),
        kept: kept(&frontend.name),
    });
    listed.chain(others).collect()
}

impl Notes {
    /// Asks the gateway of this configuration. Empty if none answers.
    fn query(config: Option<&Config>) -> Self {
        let address = config.and_then(|config| admin_address(&config.admin).ok());
        let answer = address.and_then(|address| readiness(address).ok()).unwrap_or_default();
        let with = |words: &str| {
            let lines = answer.lines().filter_map(|line| line.split_once(words));
            lines.map(|(name, why)| (name.to_owned(), why.to_owned())).collect()
        };
        Self { down: with(IS_DOWN), kept: with(IS_KEPT) }
    }
}

/// The gateway's answer to `/readyz`.
fn readiness(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    write!(stream, "GET /readyz HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Both tables, at most 100 columns wide for the linked dialects.
fn tables(config: Option<&Config>, notes: &Notes) -> String {
    let rows = rows(config, notes);
    let listeners = std::iter::once(["dialect", "", "where", "what"].map(str::to_owned))
        .chain(rows.iter().flat_map(listener_rows))
        .collect();
    format!(
        "{}\n{}\n{}\n\n- not in this dialect; emulated: by an extension, or by other means than its \
         clients expect",
        aligned(listeners),
        remarks(&rows),
        aligned(capabilities(&rows)),
    )
}

/// A line for each front end that is loaded from a plugin, was taken down, or runs with an older
/// configuration.
fn remarks(rows: &[Row<'_>]) -> String {
    let mut lines = String::new();
    for Row { name, manifest, on, down, kept } in rows {
        let plugin = on.and_then(|on| on.plugin.as_ref());
        if let Some(Loaded { path, .. }) = plugin {
            let Manifest { dialect, version, .. } = manifest;
            lines += &format!("\n{name} is {dialect} {version}, loaded from {}", path.display());
        } else if *name != manifest.dialect {
            lines += &format!("\n{name} is {}", manifest.dialect);
        }
        if let Some(why) = down {
            lines += &format!("\n{name}{IS_DOWN}{why}");
        }
        if let Some(why) = kept {
            lines += &format!("\n{name}{IS_KEPT}{why}");
        }
    }
    if lines.is_empty() { lines } else { lines + "\n" }
}

/// A row for each listener of a dialect; the first has its name and state.
fn listener_rows(row: &Row<'_>) -> Vec<[String; 4]> {
    let Row { name, manifest, on, down, .. } = row;
    let listener_row = |nth: usize, listener: &Listener| {
        let address = match on {
            Some(on) => {
                let own = on.listeners.iter().filter(|(of, _)| of.key == listener.key);
                let shown: Vec<_> = own.map(|(_, at)| at.address.to_string()).collect();
                (!shown.is_empty()).then(|| shown.join(", "))
            }
            None => listener.address.clone(),
        };
        let transport = transport(listener.transport);
        let (name, state) = match nth {
            0 if down.is_some() => (name.as_str(), "down"),
            0 => (name.as_str(), if on.is_some() { "on" } else { "off" }),
            _ => ("", ""),
        };
        let bound = format!("{} {}", listener.key, address.unwrap_or_else(|| "-".into()));
        [name.to_owned(), state.to_owned(), bound, transport.to_owned()]
    };
    manifest
        .listeners
        .iter()
        .enumerate()
        .map(|(nth, listener)| listener_row(nth, listener))
        .collect()
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

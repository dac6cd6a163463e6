//! `dragoman plugin`: describes a plugin without serving it.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use frontend_api::schema::Document;
use frontend_api::{Listener, Manifest};
use plugin_loader::Inspection;

use crate::plugin::IS_NEWER;

use super::output;
use super::table::{CAPABILITIES, aligned, support, transport};

#[derive(Args, Debug)]
pub(super) struct Plugin {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Load a plugin and describe it, or say what is wrong with the file
    Inspect {
        /// The shared library
        file: PathBuf,
    },
}

pub(super) fn run(plugin: Plugin) -> Result<(), Box<dyn Error>> {
    let Action::Inspect { file } = plugin.action;
    Ok(output::line(shown(&plugin_loader::inspect(&file)?))?)
}

fn shown(inspection: &Inspection) -> String {
    let Inspection { path, abi, table_bytes, is_newer, absent, manifest, documents } = inspection;
    let Manifest { dialect, title, version, listeners, upstreams, .. } = manifest;
    let Manifest { capabilities, fidelity, hint, options, .. } = manifest;
    let carries = match fidelity {
        Some(fidelity) => {
            format!("{} declared fields; see dragoman fidelity", fidelity.fields.len())
        }
        None => "unknown: the manifest does not declare it".to_owned(),
    };
    let asks: Vec<&str> = upstreams.iter().map(|upstream| upstream.key.as_str()).collect();
    let facts = [
        ("name", dialect.clone()),
        ("title", title.clone()),
        ("version", version.clone()),
        ("file", path.display().to_string()),
        ("ABI", format!("{abi}, a table of {table_bytes} bytes")),
        ("newer", if *is_newer { IS_NEWER.to_owned() } else { String::new() }),
        ("does without", absent.join(", ")),
        ("asks", asks.join(", ")),
        ("carries", carries),
        ("try", hint.clone()),
    ];
    let facts = facts.into_iter().filter(|(_, words)| !words.is_empty());
    let facts = facts.map(|(what, words)| [what.to_owned(), words]).collect();
    let listeners = listeners.iter().flat_map(listener_rows).collect();
    let can =
        |(name, of): &(&str, fn(&_) -> _)| [(*name).to_owned(), support(of(capabilities)).into()];
    let can = CAPABILITIES.iter().map(can).collect();
    let schema = serde_json::to_string_pretty(options).expect("a JSON value serializes");
    let document = |Document { name, media_type, text }: &Document| {
        [name.clone(), media_type.clone(), format!("{} bytes", text.len())]
    };
    let documents: Vec<[String; 3]> = documents.iter().map(document).collect();
    let mut parts = vec![
        aligned::<[String; 2]>(facts),
        format!("listeners\n{}", aligned::<[String; 4]>(listeners)),
        format!("capabilities\n{}", aligned::<[String; 2]>(can)),
    ];
    if !documents.is_empty() {
        parts.push(format!("documents\n{}", aligned(documents)));
    }
    parts.push(format!("options, as JSON Schema\n{schema}"));
    parts.join("\n\n")
}

/// A row for a listener, and one for each of its paths.
fn listener_rows(listener: &Listener) -> Vec<[String; 4]> {
    let address = listener.address.clone().unwrap_or_else(|| "-".into());
    let transport = transport(listener.transport).to_owned();
    let first = [listener.key.clone(), address, transport, String::new()];
    let routes = listener
        .routes
        .iter()
        .map(|route| [String::new(), String::new(), route.path.clone(), route.methods.join(" ")]);
    std::iter::once(first).chain(routes).collect()
}

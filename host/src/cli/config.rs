//! `dragoman config`: the configuration, and what changes of it do to a running gateway.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::Options;
use super::arguments::Common;
use super::operation::{Backend, call_gateway};
use super::output;
use super::table::aligned;
use crate::admin::types::{
    ConfigChoice, ConfigPlan, ConfigState, FrontendFate, FrontendPlan, ListenerPlan, Nothing,
};
use crate::admin::{ApplyConfig, PlanConfig, RollBackConfig, ShowConfig};
use crate::config::{self, ShownKey, shown};
use crate::nearest::did_you_mean;

/// A larger file is no gateway.toml.
const FILE_BYTES_MAX: u64 = 4 << 20;

#[derive(Args, Debug)]
pub(super) struct Config {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a complete gateway.toml: every key with its default
    Defaults,
    /// Show each key with its value and the layer that it is from; secrets are masked
    Show {
        #[command(flatten)]
        common: Common,
        /// Only the keys that begin with this, as in frontends.channel
        #[arg(default_value = "")]
        prefix: String,
        /// Only the keys that are not at their defaults
        #[arg(long)]
        changed: bool,
    },
    /// Tell what a reload would do to the running gateway
    Plan {
        #[command(flatten)]
        common: Common,
        /// Another configuration [default: the gateway's own file, as it is now]
        file: Option<PathBuf>,
    },
    /// Have the running gateway reload; if a part does not come up, the former configuration is back
    Apply {
        #[command(flatten)]
        common: Common,
        /// A configuration to put in the place of the gateway's own file
        file: Option<PathBuf>,
    },
    /// Have the running gateway go back to what was in effect before the last change; the file stays
    Rollback(Common),
}

pub(super) fn run(options: Options, config: Config) -> Result<(), Box<dyn Error>> {
    let options = options.and(config.options);
    match config.what {
        What::Defaults => Ok(output::raw(config::defaults().as_bytes())?),
        What::Show { common, prefix, changed } => {
            let draft = options.and(common.options).configuration()?;
            let keys = below(shown(&draft), &prefix)?.into_iter();
            let keys: Vec<ShownKey> =
                keys.filter(|one| !changed || one.layer() != "default").collect();
            show(common.json, &keys)
        }
        What::Plan { common, file } => {
            let candidate = Candidate::new(&options.and(common.options), file.as_deref())?;
            let plan = candidate.call(|backend, choice| {
                call_gateway::<PlanConfig>(backend, &[], choice, &Nothing {})
            })?;
            print(common.json, &plan)
        }
        What::Apply { common, file } => {
            let candidate = Candidate::new(&options.and(common.options), file.as_deref())?;
            let plan = candidate.call(|backend, choice| {
                call_gateway::<ApplyConfig>(backend, &[], &Nothing {}, choice)
            })?;
            candidate.put_in_place()?;
            print(common.json, &plan)
        }
        What::Rollback(common) => {
            let (backend, none) = (options.and(common.options).lenient_backend()?, Nothing {});
            let plan = call_gateway::<RollBackConfig>(&backend, &[], &none, &none)?;
            print(common.json, &plan)
        }
    }
}

/// The keys that begin with a prefix. `Err`: none does, and which one was probably meant.
fn below(keys: Vec<ShownKey>, prefix: &str) -> Result<Vec<ShownKey>, String> {
    if keys.iter().any(|one| one.key.starts_with(prefix)) {
        return Ok(keys.into_iter().filter(|one| one.key.starts_with(prefix)).collect());
    }
    // Sections too: `frontends.irc`.
    let sections = keys.iter().flat_map(|one| {
        one.key.match_indices('.').map(|(at, _)| &one.key[..at]).chain([one.key.as_str()])
    });
    let near = did_you_mean(prefix, sections);
    Err(format!("no key begins with {prefix:?}{near}; `config show` lists all"))
}

fn show(json: bool, keys: &[ShownKey]) -> Result<(), Box<dyn Error>> {
    if json {
        for key in keys {
            let ShownKey { key: name, value, source, .. } = key;
            let layer = key.layer();
            let line =
                json!({ "key": name, "value": value, "layer": layer, "from": source.to_string() });
            output::line(line)?;
        }
        return Ok(());
    }
    let mut rows = vec![["key", "value", "from"].map(str::to_owned)];
    rows.extend(keys.iter().map(|key| {
        let value = if key.value == Value::Null { "-".to_owned() } else { key.toml() };
        [key.key.clone(), value, key.source.to_string()]
    }));
    Ok(output::line(aligned(rows))?)
}

/// A configuration that a running gateway is asked about.
struct Candidate {
    backend: Backend,
    /// The gateway's own file.
    own: PathBuf,
    /// The file that the command line names.
    named: Option<PathBuf>,
    /// Where the gateway reads it.
    choice: ConfigChoice,
    /// A copy in the folder of the gateway's file.
    staged: Option<StagedFile>,
}

impl Candidate {
    fn new(options: &Options, file: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let backend = options.lenient_backend()?;
        if let (Backend::Elsewhere(_), Some(_)) = (&backend, file) {
            return Err(
                "a FILE is for a gateway of this machine, which reads it; copy it to that of \
                        the gateway, and name it there"
                    .into(),
            );
        }
        let none = Nothing {};
        let ConfigState { file: own, .. } = call_gateway::<ShowConfig>(&backend, &[], &none, &none)
            .map_err(|why| {
                format!("{why}; without a gateway, `dragoman check` looks for mistakes in a file")
            })?;
        let own = PathBuf::from(own);
        let Some(file) = file else {
            let choice = ConfigChoice::default();
            return Ok(Self { backend, own, named: None, choice, staged: None });
        };
        let cannot_read = |error: io::Error| format!("cannot read {}: {error}", file.display());
        let path = file.canonicalize().map_err(cannot_read)?;
        let metadata = path.metadata().map_err(cannot_read)?;
        if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
            return Err(format!("{} is no configuration file", file.display()).into());
        }
        if own.canonicalize().is_ok_and(|own| own == path) {
            let choice = ConfigChoice::default();
            return Ok(Self { backend, own, named: None, choice, staged: None });
        }
        let staged = StagedFile::beside(&own, "candidate", &fs::read(&path).map_err(cannot_read)?)?;
        let choice = ConfigChoice { file: Some(staged.name.clone()) };
        Ok(Self { backend, own, named: Some(file.to_owned()), choice, staged: Some(staged) })
    }

    /// Asks the gateway. Its sentences name the file of the command line, not the copy.
    fn call<T>(
        &self,
        ask: impl FnOnce(&Backend, &ConfigChoice) -> Result<T, Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
        ask(&self.backend, &self.choice).map_err(|why| match (&self.named, &self.choice.file) {
            (Some(named), Some(copy)) => renamed(&why.to_string(), copy, named).into(),
            _ => why,
        })
    }

    /// Makes it the gateway's own file, which the gateway runs with already.
    fn put_in_place(&self) -> Result<(), Box<dyn Error>> {
        let Some(staged) = &self.staged else { return Ok(()) };
        let done = fs::read(&staged.path).and_then(|content| {
            // Where it is a symbolic link, what it leads to is replaced.
            let own = self.own.canonicalize()?;
            let next = StagedFile::beside(&own, "next", &content).map_err(io::Error::other)?;
            fs::rename(&next.path, own)
        });
        let Err(error) = done else { return Ok(()) };
        let none = ConfigChoice::default();
        let back = call_gateway::<ApplyConfig>(&self.backend, &[], &Nothing {}, &none);
        let then = match back {
            Ok(_) => "the gateway has its former configuration again".to_owned(),
            Err(why) => format!("and the gateway did not take its former configuration: {why}"),
        };
        Err(format!("cannot write {}: {error}; {then}", self.own.display()).into())
    }
}

/// A text with another path in place of each that ends with this file name.
fn renamed(text: &str, name: &str, path: &Path) -> String {
    let mut renamed = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let start = rest[..at].rfind([' ', '\n', '"']).map_or(0, |before| before + 1);
        renamed += &format!("{}{}", &rest[..start], path.display());
        rest = &rest[at + name.len()..];
    }
    renamed + rest
}

/// A file beside the gateway's own, of the same owner and permissions; it is removed in the end.
struct StagedFile {
    path: PathBuf,
    name: String,
}

impl StagedFile {
    fn beside(own: &Path, what: &str, content: &[u8]) -> Result<Self, String> {
        let file_name = own.file_name().unwrap_or_default().to_string_lossy();
        let name = format!(".{file_name}.{what}-{}.toml", std::process::id());
        let path = own.with_file_name(&name);
        let written = Self::write(own, &path, content);
        let staged = Self { path, name };
        match written {
            Ok(()) => Ok(staged),
            Err(error) => Err(format!(
                "cannot write {}, from where the gateway would read it: {error}; do this as a user \
                 who may write to that folder",
                staged.path.display()
            )),
        }
    }

    fn write(own: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
        let as_own = own.metadata()?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        let mine = file.metadata()?;
        if (as_own.uid(), as_own.gid()) != (mine.uid(), mine.gid()) {
            fchown(&file, Some(as_own.uid()), Some(as_own.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(as_own.mode() & 0o777))?;
        file.write_all(content)?;
        file.sync_all()
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // An error: it was renamed, or never there.
        drop(fs::remove_file(&self.path));
    }
}

fn print(json: bool, plan: &ConfigPlan) -> Result<(), Box<dyn Error>> {
    if json {
        return Ok(output::line(serde_json::to_string(plan)?)?);
    }
    let mut rows = vec![["front end", "", "connections closed", "keys"].map(str::to_owned)];
    rows.extend(plan.frontends.iter().map(frontend_row));
    output::line(aligned(rows))?;
    let mut rows = vec![["listener", "", "connections closed", "front ends"].map(str::to_owned)];
    rows.extend(plan.listeners.iter().map(listener_row));
    output::line(format_args!("\n{}", aligned(rows)))?;
    for (what, keys) in [("takes effect", &plan.changed), ("needs a restart", &plan.restart)] {
        if !keys.is_empty() {
            output::line(format_args!("\n{what}: {}", keys.join(", ")))?;
        }
    }
    for (what, sentences) in [("problem", &plan.problems), ("warning", &plan.warnings)] {
        for sentence in sentences {
            output::line(format_args!("\n{what}: {sentence}"))?;
        }
    }
    Ok(())
}

fn frontend_row(plan: &FrontendPlan) -> [String; 4] {
    let why = plan
        .why
        .as_ref()
        .filter(|_| matches!(plan.fate, FrontendFate::Kept | FrontendFate::CannotListen));
    let keys = plan.keys.join(", ");
    let keys = why.map_or(keys.clone(), |why| format!("{keys} ({why})"));
    [plan.name.clone(), word(plan.fate), plan.drops.to_string(), keys.trim_start().to_owned()]
}

fn listener_row(plan: &ListenerPlan) -> [String; 4] {
    let frontends = plan.frontends.join(", ");
    [plan.address.clone(), word(plan.fate), plan.drops.to_string(), frontends]
}

/// A word of the API for people: `new settings`.
fn word(fate: impl Serialize) -> String {
    let word = serde_json::to_value(fate).unwrap_or_default();
    word.as_str().unwrap_or_default().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_file_of_the_command_line() {
        let said = "/etc/x/.g.toml.7.toml:2: unknown\nconf/.g.toml.7.toml:9: a = \"b\"";
        let renamed = renamed(said, ".g.toml.7.toml", Path::new("new.toml"));
        assert_eq!(renamed, "new.toml:2: unknown\nnew.toml:9: a = \"b\"");
    }
}

//! The command line: one file a subcommand.
//!
//! Exit codes: 0 on success; 1 if the configuration is invalid, the gateway failed or the command
//! cannot be carried out; 2 if the command line is wrong; 78 if `serve` would end like this at each
//! start. Errors go to standard error.

mod admin;
mod arguments;
mod ban;
mod bench;
mod check;
mod client;
mod cluster;
mod config;
mod dialects;
mod fidelity;
mod files;
mod frontend;
mod healthcheck;
mod help;
mod ledger;
mod message;
mod moving;
mod operation;
mod output;
mod password;
mod permissions;
mod plugin;
mod remote;
mod room;
mod room_policy;
mod schema;
mod sdk;
mod serve;
mod session;
mod shell;
mod store;
mod table;
mod tap;
mod terminal;
mod trace;
mod user;
mod webhook;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, FromArgMatches as _, Parser, Subcommand, ValueHint};

use crate::config::{
    Draft, Problem, Problems, Setting, Sources, ValueSource, WhichConfig, draft, draft_of,
};
use crate::dialects::DIALECTS;
use crate::panics;
use operation::Backend;
use remote::Remote;

/// The configuration that is read unless `--config` names another.
const DEFAULT_FILE: &str = "gateway.toml";

/// The configuration of the package, which is read where the working directory has none.
const PACKAGE_FILE: &str = "/etc/dragoman/gateway.toml";

/// One chat backend, many dialects.
#[derive(Debug, Parser)]
#[command(name = "dragoman")]
struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default)
    Serve(Options),
    /// Check the configuration, the ports and the store, without changing anything
    Check(Options),
    /// Ask a running gateway for its health: exits with 1 unless it is well
    Healthcheck(healthcheck::Healthcheck),
    /// Show the configuration, and plan and apply changes of a running gateway's
    Config(config::Config),
    /// List the dialects: state, addresses and capabilities
    Dialects(Options),
    /// Show what becomes of each field between two dialects; without names, a summary of all pairs
    Fidelity(fidelity::Pairs),
    /// Inspect a plugin
    Plugin(plugin::Plugin),
    /// List or export the schemas of the dialects, gateway.toml and the engine
    Schema(schema::Schema),
    /// Generate a client package for a dialect; without options, list the available recipes
    Sdk(sdk::Sdk),
    /// Back up, restore, check and measure the store
    Store(store::Store),
    /// Begin, join, check and recover the log that several gateways share
    Cluster(cluster::Cluster),
    /// Write users, rooms, messages and cursors as JSON lines, also while the gateway serves
    Export(moving::Export),
    /// Read such lines into the store; the gateway must be stopped
    Import(moving::Import),
    /// Load-test a running gateway and check that no message is lost, doubled or reordered
    Bench(Box<bench::Bench>),
    /// Show what a running gateway owed to its connections, and what became of it
    Ledger(ledger::Ledger),
    /// List and close the connections of a running gateway
    Session(session::Sessions),
    /// Show the frames of a running gateway's sessions as they pass, with their secrets masked
    Tap(tap::Tap),
    /// Show the way of a message through a running gateway
    Trace(trace::Traces),
    /// Manage user accounts, whether or not the gateway is running
    User(user::User),
    /// Ban users, identities and networks, whether or not the gateway is running
    Ban(ban::Ban),
    /// Manage rooms and their members, whether or not the gateway is running
    Room(room::Room),
    /// Test webhooks, and show what became of their events
    Webhook(webhook::Webhook),
    /// Read, delete and announce messages, whether or not the gateway is running
    Message(message::Messages),
    /// List, enable, disable and drain the front ends of a running gateway
    Frontend(frontend::Frontends),
    /// Manage tokens of the admin API, and read the log of changes
    Admin(admin::Admin),
    /// Print a script that completes command lines: bash, elvish, fish, powershell or zsh
    Completions(shell::Completions),
    /// Write the manual pages into a folder
    Man(shell::Man),
}

/// Options of every subcommand, before or after its name. They are not clap's global options:
/// clap drops those before the name if there are any after it.
#[derive(Args, Clone, Debug, Default)]
struct Options {
    /// The configuration file [default: gateway.toml, or else /etc/dragoman/gateway.toml]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Override one key, as in frontends.channel.listen=127.0.0.1:6004; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,

    #[command(flatten)]
    remote: Remote,
}

/// Runs the program.
pub fn run() -> ExitCode {
    panics::until_one_ends_it(run_command)
}

fn run_command() -> ExitCode {
    let matches = help::command().get_matches();
    let Cli { options, command } =
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let command = command.unwrap_or(Command::Serve(Options::default()));
    let serves = matches!(command, Command::Serve(_));
    let done = match command {
        Command::Serve(further) => serve::run(&options.and(further)),
        Command::Check(further) => check::run(&options.and(further)),
        Command::Config(config) => config::run(options, config),
        Command::Dialects(further) => dialects::run(&options.and(further)),
        Command::Fidelity(pairs) => fidelity::run(options, pairs),
        Command::Plugin(plugin) => plugin::run(plugin),
        Command::Schema(schema) => schema::run(options, schema),
        Command::Sdk(sdk) => sdk::run(options, sdk),
        Command::Store(store) => store::run(options, store),
        Command::Cluster(cluster) => cluster::run(options, cluster),
        Command::Export(export) => moving::export(options, export),
        Command::Import(import) => moving::import(options, import),
        Command::Bench(bench) => bench::run(options, *bench),
        Command::Ledger(ledger) => ledger::run(options, ledger),
        Command::Session(sessions) => session::run(options, sessions),
        Command::Tap(tap) => tap::run(options, tap),
        Command::Trace(traces) => trace::run(options, traces),
        Command::User(user) => user::run(options, user),
        Command::Ban(ban) => ban::run(options, ban),
        Command::Room(room) => room::run(options, room),
        Command::Webhook(webhook) => webhook::run(options, webhook),
        Command::Message(messages) => message::run(options, messages),
        Command::Frontend(frontends) => frontend::run(options, frontends),
        Command::Admin(admin) => admin::run(options, admin),
        Command::Healthcheck(check) => healthcheck::run(options, check),
        Command::Completions(completions) => shell::completions(&completions),
        Command::Man(man) => shell::man(&man),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let code = if serves { serve::exit_code(&*why) } else { ExitCode::FAILURE };
            output::note(why);
            code
        }
    }
}

impl Options {
    /// Adds `further` options, which take precedence.
    fn and(self, further: Self) -> Self {
        Self {
            config: further.config.or(self.config),
            set: [self.set, further.set].concat(),
            remote: self.remote.and(further.remote),
        }
    }

    /// With another file in the same folder.
    fn beside(&self, name: &str) -> Self {
        Self { config: Some(self.file().with_file_name(name)), ..self.clone() }
    }

    fn sources(&self) -> Sources {
        let lossy = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        };
        Sources {
            file: self.file(),
            environment: std::env::vars_os().map(lossy).collect(),
            set: self.set.clone(),
        }
    }

    /// The configuration file, whether or not there is one.
    fn file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| default_file([DEFAULT_FILE, PACKAGE_FILE]))
    }

    /// Whether the command line names no configuration, and there is none where it is looked for.
    fn has_no_file(&self) -> bool {
        self.config.is_none() && !self.file().exists()
    }

    /// One of the configurations that a running gateway reads, if it has no problems.
    fn read(&self, which: &WhichConfig) -> Result<Draft, Problems> {
        match which {
            WhichConfig::Own => self.configuration(),
            WhichConfig::Beside(name) => self.beside(name).configuration(),
            WhichConfig::Pasted(pasted) => {
                whole(draft_of(&self.sources(), Some(pasted), DIALECTS)?)
            }
        }
    }

    /// The configuration, if it has no problems.
    fn configuration(&self) -> Result<Draft, Problems> {
        self.refuse_remote()?;
        whole(draft(&self.sources(), DIALECTS)?)
    }

    /// Refuses options for a gateway elsewhere, which would have no effect.
    fn refuse_remote(&self) -> Result<(), Problems> {
        if !self.remote.is_given() {
            return Ok(());
        }
        let mut problems = Problems::default();
        let why = "--admin-url and its like are for verbs that a running gateway carries out; \
                   this one works on files of this machine";
        problems.push(Problem::new(ValueSource::Default, why));
        Err(problems)
    }

    /// What carries out a verb: the gateway elsewhere that is named, or what the configuration names.
    fn backend(&self) -> Result<Backend, Box<dyn Error>> {
        match self.remote.client()? {
            Some(client) => Ok(Backend::Elsewhere(Box::new(client))),
            None => Ok(Backend::Here(Box::new(self.configuration()?.config))),
        }
    }

    /// The same, where mistakes in the configuration are for the gateway to tell.
    fn lenient_backend(&self) -> Result<Backend, Box<dyn Error>> {
        match self.remote.client()? {
            Some(client) => Ok(Backend::Elsewhere(Box::new(client))),
            None => Ok(Backend::Here(Box::new(draft(&self.sources(), DIALECTS)?.config))),
        }
    }
}

/// A draft without problems.
fn whole(mut draft: Draft) -> Result<Draft, Problems> {
    match std::mem::take(&mut draft.problems) {
        problems if problems.is_empty() => Ok(draft),
        problems => Err(problems),
    }
}

/// The first of the files that is there, or else the first.
fn default_file(files: [&str; 2]) -> PathBuf {
    let found = files.iter().find(|file| Path::new(file).exists());
    found.unwrap_or(&files[0]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        help::command().debug_assert();
    }

    #[test]
    fn the_configuration_of_the_package_is_read_where_the_folder_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let [own, packaged] = ["gateway.toml", "packaged.toml"].map(|name| {
            folder.path().join(name).into_os_string().into_string().expect("it is text")
        });
        let found = || default_file([&own, &packaged]);
        assert_eq!(found(), Path::new(&own));
        std::fs::write(&packaged, "").expect("it is writable");
        assert_eq!(found(), Path::new(&packaged));
        std::fs::write(&own, "").expect("it is writable");
        assert_eq!(found(), Path::new(&own));
    }

    fn options(arguments: &[&str]) -> Options {
        let cli = Cli::parse_from(arguments);
        let Some(Command::Check(further)) = cli.command else { panic!("it says check") };
        cli.options.and(further)
    }

    #[test]
    fn options_stand_before_or_after_the_subcommand() {
        let before = options(&["dragoman", "--config", "x", "--set", "a=1", "check"]);
        let after = options(&["dragoman", "check", "--config", "x", "--set", "a=1"]);
        for options in [before, after] {
            assert_eq!(options.config, Some("x".into()));
            assert_eq!(options.set, ["a=1".parse().unwrap()]);
        }
    }

    #[test]
    fn settings_before_and_after_the_subcommand_add_up() {
        let options = options(&["dragoman", "--set", "a=1", "check", "--set", "a=2"]);
        assert_eq!(options.set, ["a=1".parse().unwrap(), "a=2".parse().unwrap()]);
    }
}

//! The command line: one file a subcommand.
//!
//! Exit codes: 0 on success; 1 if the configuration is invalid, the gateway failed or the command
//! cannot be carried out; 2 if the command line is wrong. Errors go to standard error.

mod admin;
mod arguments;
mod ban;
mod bench;
mod check;
mod dialects;
mod fidelity;
mod frontend;
mod ledger;
mod message;
mod operation;
mod output;
mod password;
mod permissions;
mod plugin;
mod room;
mod schema;
mod sdk;
mod serve;
mod session;
mod store;
mod table;
mod user;
mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Draft, Problems, Setting, Sources, draft};
use crate::dialects::DIALECTS;

/// The configuration that is read unless `--config` names another.
const DEFAULT_FILE: &str = "gateway.toml";

/// One chat backend, many dialects.
#[derive(Debug, Parser)]
#[command(name = "dragoman", version)]
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
    /// Offline maintenance of the store file
    Store(store::Store),
    /// Load-test a running gateway and check that no message is lost, doubled or reordered
    Bench(Box<bench::Bench>),
    /// Show what a running gateway owed to its connections, and what became of it
    Ledger(ledger::Ledger),
    /// List and close the connections of a running gateway
    Session(session::Sessions),
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
}

/// Options of every subcommand, before or after its name. They are not clap's global options:
/// clap drops those before the name if there are any after it.
#[derive(Args, Clone, Debug, Default)]
struct Options {
    /// The configuration file [default: gateway.toml]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,

    /// Override one key, as in frontends.channel.listen=127.0.0.1:6004; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    let done = match command.unwrap_or(Command::Serve(Options::default())) {
        Command::Serve(further) => serve::run(&options.and(further)),
        Command::Check(further) => check::run(&options.and(further)),
        Command::Dialects(further) => dialects::run(&options.and(further)),
        Command::Fidelity(pairs) => fidelity::run(options, pairs),
        Command::Plugin(plugin) => plugin::run(plugin),
        Command::Schema(schema) => schema::run(options, schema),
        Command::Sdk(sdk) => sdk::run(options, sdk),
        Command::Store(store) => store::run(options, store),
        Command::Bench(bench) => bench::run(options, *bench),
        Command::Ledger(ledger) => ledger::run(options, ledger),
        Command::Session(sessions) => session::run(options, sessions),
        Command::User(user) => user::run(options, user),
        Command::Ban(ban) => ban::run(options, ban),
        Command::Room(room) => room::run(options, room),
        Command::Webhook(webhook) => webhook::run(options, webhook),
        Command::Message(messages) => message::run(options, messages),
        Command::Frontend(frontends) => frontend::run(options, frontends),
        Command::Admin(admin) => admin::run(options, admin),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            output::note(why);
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// Adds `further` options, which take precedence.
    fn and(self, further: Self) -> Self {
        Self { config: further.config.or(self.config), set: [self.set, further.set].concat() }
    }

    fn sources(&self) -> Sources {
        let lossy = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        };
        Sources {
            file: self.config.clone().unwrap_or_else(|| DEFAULT_FILE.into()),
            environment: std::env::vars_os().map(lossy).collect(),
            set: self.set.clone(),
        }
    }

    /// The configuration, if it has no problems.
    fn configuration(&self) -> Result<Draft, Problems> {
        let mut draft = draft(&self.sources(), DIALECTS)?;
        match std::mem::take(&mut draft.problems) {
            problems if problems.is_empty() => Ok(draft),
            problems => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
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

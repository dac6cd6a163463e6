//! The command line as clap has it, with the subcommands in groups and with examples. `--help`, the
//! completions and the manual pages are all made from it.

use clap::{Command, CommandFactory as _};

use super::Cli;
use crate::version;

/// The subcommands of `dragoman`, in the order of its help.
const GROUPS: &[(&str, &[&str])] = &[
    ("Running", &["serve", "check", "config", "healthcheck"]),
    (
        "Operating",
        &[
            "session", "tap", "trace", "user", "ban", "room", "message", "frontend", "webhook",
            "admin", "ledger",
        ],
    ),
    ("Data", &["store", "cluster", "export", "import"]),
    ("Dialects and clients", &["dialects", "fidelity", "schema", "sdk", "plugin", "bench"]),
    ("Shell", &["completions", "man", "help"]),
];

/// What is not in a group.
const OTHERS: &str = "More";

/// Options of [`super::remote`], which only verbs for running gateways have.
const REMOTE: [&str; 3] = ["admin_url", "admin_token_file", "admin_ca"];

/// The subcommands that work on files of this machine, or have no gateway to ask: the options for a
/// gateway elsewhere are not in their help.
const LOCAL: &[&str] = &[
    "serve",
    "check",
    "dialects",
    "fidelity",
    "plugin",
    "schema",
    "schema list",
    "schema export",
    "config defaults",
    "config show",
    "sdk",
    "bench",
    "store compact",
    "store check",
    "store restore",
    "cluster init",
    "cluster join",
    "cluster status",
    "cluster check",
    "cluster recover",
    "import",
    "webhook test",
];

/// What the examples are below, in the help and in manual pages.
pub(super) const EXAMPLES_HEADING: &str = "Examples:";

/// A subcommand, and command lines with what they do.
type Examples = (&'static str, &'static [(&'static str, &'static str)]);

const EXAMPLES: &[Examples] = &[
    (
        "",
        &[
            ("dragoman check", "what is wrong with gateway.toml, the ports and the store"),
            ("dragoman --config /etc/dragoman/gateway.toml", "run the gateway"),
            ("dragoman session list", "the connections"),
            ("dragoman user list --admin-url https://chat.example.org:5091", "of another machine"),
            ("dragoman help user", "the verbs of a subcommand"),
        ],
    ),
    (
        "serve",
        &[
            ("dragoman serve --config gateway.toml", "run until SIGTERM or SIGINT"),
            ("dragoman serve --set server.log.format=json", "with another value for a key"),
        ],
    ),
    ("check", &[("dragoman check --config gateway.toml", "exits with 1 if something is wrong")]),
    (
        "config",
        &[
            ("dragoman config defaults > gateway.toml", "every key, to start from"),
            ("dragoman config show frontends.irc --changed", "what is not at its default, and why"),
            ("dragoman config plan new.toml", "what a reload with it would do"),
            ("dragoman config rollback", "have what was in effect before the last change again"),
            ("dragoman config apply new.toml", "and go back if a part does not come up"),
        ],
    ),
    (
        "healthcheck",
        &[
            ("dragoman healthcheck", "exits with 1 unless the gateway works"),
            ("dragoman healthcheck --ready", "and unless every front end listens"),
        ],
    ),
    (
        "session",
        &[
            ("dragoman session list --user bob", "the connections of a user"),
            ("dragoman session list --address 10.0.0.0/8 --json", "of a network, for programs"),
            ("dragoman session close 17", "by the id in the list"),
        ],
    ),
    (
        "tap",
        &[
            ("dragoman tap --user bob", "all that passes between bob's clients and the gateway"),
            ("dragoman tap --frontend irc --room tea --json", "of a room, for programs"),
            ("dragoman tap --session 17 --transcript bob.in", "and a script for a test"),
        ],
    ),
    ("trace", &[("dragoman trace msg 4711", "by the id in `message list`")]),
    (
        "user",
        &[
            ("dragoman user list --search bob", "by handle, name or identity"),
            ("dragoman user create ann --identity tel/5551234 --password", "asks for a password"),
            ("dragoman user disable bob --reason spam", "until `user enable bob`"),
            ("dragoman user sign-ins bob", "the tokens and addresses that sign bob in"),
            ("dragoman user revoke bob --sign-in 3f2a90cc41d7be08", "one of them, by its id"),
            ("dragoman user delete bob --messages anonymize", "for good"),
        ],
    ),
    (
        "ban",
        &[
            ("dragoman ban add user:bob --reason spam --ttl 7d", "for a week"),
            ("dragoman ban add network:203.0.113.0/24", "until it is lifted"),
            ("dragoman ban lift user:bob", "before its end"),
        ],
    ),
    (
        "room",
        &[
            ("dragoman room create tea --owner ann", "with its first member"),
            ("dragoman room mute tea bob --ttl 1h", "reads, and does not post"),
            ("dragoman room kick tea bob", "may join again"),
            ("dragoman room policy tea --invite-only true", "shown without options"),
            ("dragoman room mask tea ban \"spam*!guest\"", "neither enters nor posts"),
        ],
    ),
    (
        "message",
        &[
            ("dragoman message list tea --limit 20", "the newest of a room"),
            ("dragoman message delete 4711", "no dialect shows it any more"),
            ("dragoman message announce --all \"maintenance at noon\"", "in every room"),
        ],
    ),
    (
        "frontend",
        &[
            ("dragoman frontend list", "state, connections, addresses"),
            ("dragoman frontend disable irc --reason upgrade", "until it is enabled again"),
        ],
    ),
    (
        "webhook",
        &[
            ("dragoman webhook test crm", "sends a signed event, shows the answer"),
            ("dragoman webhook replay crm", "sends dead letters again"),
        ],
    ),
    (
        "admin",
        &[
            ("dragoman admin token create --role moderator --ttl 90d --label ann", "shown once"),
            ("dragoman admin audit --limit 20", "what operators changed"),
        ],
    ),
    ("ledger", &[("dragoman ledger", "exits with 1 if a delivery is unaccounted for")]),
    (
        "store",
        &[
            ("dragoman store backup chat.backup", "also while the gateway serves"),
            ("dragoman store verify chat.backup", "whether it can be restored"),
            ("dragoman store stats", "rows and bytes of each table"),
        ],
    ),
    (
        "cluster",
        &[
            ("dragoman cluster init", "the first gateway: its store is where the cluster begins"),
            ("dragoman cluster check", "of servers that lose entries in a power cut, and more"),
            ("dragoman cluster status", "the log, its snapshots, and this store"),
            ("dragoman cluster join --replace", "a store that cannot go on: from a snapshot"),
        ],
    ),
    (
        "export",
        &[
            ("dragoman export chat.jsonl", "also while the gateway serves"),
            ("dragoman export --json > chat.jsonl", "to standard output"),
        ],
    ),
    (
        "import",
        &[
            ("dragoman import chat.jsonl --dry-run", "what would be done"),
            ("dragoman import chat.jsonl", "again after a kill: it goes on"),
            ("dragoman import other.jsonl --id-offset 1000000 --on-conflict skip", "of another"),
        ],
    ),
    ("dialects", &[("dragoman dialects", "what is on, where, and what it can do")]),
    ("fidelity", &[("dragoman fidelity irc token", "field by field")]),
    ("schema", &[("dragoman schema export --out schemas", "every schema as a file")]),
    (
        "sdk",
        &[
            ("dragoman sdk", "the languages there are"),
            ("dragoman sdk --dialect channel --lang python --out client", "a package"),
        ],
    ),
    ("plugin", &[("dragoman plugin inspect ./libline.so", "what is in the library")]),
    ("bench", &[("dragoman bench", "the enabled dialects, where gateway.toml has them")]),
    (
        "completions",
        &[
            ("dragoman completions bash > /etc/bash_completion.d/dragoman", "for every user"),
            ("dragoman completions fish > ~/.config/fish/completions/dragoman.fish", "for you"),
        ],
    ),
    ("man", &[("dragoman man /usr/local/share/man/man1", "then: man dragoman-user")]),
];

/// The whole command line.
pub(super) fn command() -> Command {
    let mut command = Cli::command().version(version::shown());
    for (path, examples) in EXAMPLES {
        command = change(command, path, |one| one.after_help(shown(examples)));
    }
    for path in LOCAL {
        command = change(command, path, hide_remote);
    }
    let groups = groups(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}\
         {{after-help}}"
    ))
}

/// Changes the subcommand at a path, as `store compact`; "" is the command itself.
fn change(command: Command, path: &str, how: impl FnOnce(Command) -> Command) -> Command {
    match path.split_once(' ') {
        None if path.is_empty() => how(command),
        None => command.mut_subcommand(path, how),
        Some((first, rest)) => command.mut_subcommand(first, |one| change(one, rest, how)),
    }
}

fn hide_remote(command: Command) -> Command {
    let has = |command: &Command, id: &str| command.get_arguments().any(|one| one.get_id() == id);
    REMOTE.iter().fold(command, |command, id| {
        if has(&command, id) { command.mut_arg(id, |arg| arg.hide(true)) } else { command }
    })
}

/// Each command line with what it does below it, so that a line fits where a page is narrow.
fn shown(examples: &[(&str, &str)]) -> String {
    let lines = examples.iter().map(|(line, what)| format!("\n  {line}\n      {what}"));
    EXAMPLES_HEADING.to_owned() + &lines.collect::<String>()
}

/// A heading for each group, and a line for each of its subcommands.
fn groups(command: &Command) -> String {
    let all = command.get_subcommands().filter(|one| !one.is_hide_set());
    let all: Vec<&str> = all.map(Command::get_name).chain(["help"]).collect();
    let width = all.iter().map(|name| name.len()).max().unwrap_or_default();
    let is_grouped = |name: &&str| GROUPS.iter().any(|(_, names)| names.contains(name));
    let others: Vec<&str> = all.iter().copied().filter(|name| !is_grouped(name)).collect();
    let others = (!others.is_empty()).then_some((OTHERS, others.as_slice()));
    let mut text = String::new();
    for (heading, names) in GROUPS.iter().copied().chain(others) {
        text += &format!("{heading}:\n");
        for name in names {
            let about = match command.find_subcommand(name).and_then(Command::get_about) {
                Some(about) => about.to_string(),
                None => "Print this message, or the help of a subcommand".into(),
            };
            text += &format!("  {name:width$}  {about}\n");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a line as a shell splits it, up to a redirection.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (nth, part) in line.split('"').enumerate() {
            if nth % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        let end = words.iter().position(|word| word == ">").unwrap_or(words.len());
        words.truncate(end);
        words
    }

    #[test]
    fn every_subcommand_is_in_one_group_and_has_examples() {
        let command = command();
        let grouped: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let examples = |name: &str| EXAMPLES.iter().filter(|(path, _)| *path == name).count();
        for one in command.get_subcommands() {
            let name = one.get_name();
            let groups = grouped.iter().filter(|grouped| **grouped == name).count();
            assert_eq!((groups, examples(name)), (1, 1), "{name}: add it to cli/help.rs");
        }
        assert_eq!(grouped.len(), command.get_subcommands().count() + 1, "and help");
    }

    #[test]
    fn every_example_is_a_command_line() {
        for (path, examples) in EXAMPLES {
            for (line, _) in *examples {
                let words = words(line);
                assert!(words.join(" ").starts_with(format!("dragoman {path}").trim()), "{line}");
                if let Err(error) = command().try_get_matches_from(&words) {
                    assert!(!error.use_stderr(), "{line}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_options_for_a_gateway_elsewhere_are_shown_where_they_count() {
        let help = |path: &[&str]| {
            let words = [&["dragoman"], path, &["--help"]].concat();
            command().try_get_matches_from(words).expect_err("it is help").to_string()
        };
        for path in [&["user", "list"][..], &["store", "backup"], &["webhook", "list"], &["ledger"]]
        {
            assert!(help(path).contains("--admin-url"), "{path:?}");
        }
        for path in LOCAL {
            let path: Vec<&str> = path.split(' ').collect();
            assert!(!help(&path).contains("--admin-url"), "{path:?}");
        }
    }

    #[test]
    fn the_help_of_the_program_has_its_groups_options_and_examples() {
        let help = command().try_get_matches_from(["dragoman", "--help"]).expect_err("it is help");
        let help = help.to_string();
        let parts = [
            "One chat backend, many dialects",
            "\n\nUsage: dragoman [OPTIONS] [COMMAND]\n\nRunning:\n  serve        Run the gateway",
            "\n\nOperating:\n  session      List and close",
            "\n\nShell:\n",
            "\n\nOptions:\n",
            "--config <PATH>",
            "--admin-url <URL>",
            "\n\nExamples:\n  dragoman check\n",
        ];
        let mut rest = help.as_str();
        for part in parts {
            let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{part:?}: {help}"));
            rest = after;
        }
        assert!(!help.contains("\n\n\n"), "{help}");
    }
}

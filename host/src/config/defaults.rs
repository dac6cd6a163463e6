//! `dragoman config defaults`: a gateway.toml with every key, made of the rows of the schema.

use std::fmt::Write as _;

use frontend_api::{Manifest, Transport};
use serde_json::{Map, Value};

use super::cluster_rows::{CLUSTER, CLUSTER_TLS};
use super::frontend_rows::FRONTEND;
use super::schema_rows::*;
use crate::dialects::{DIALECTS, Dialect};

/// A section, what it is, and its keys.
struct Table {
    header: &'static str,
    about: &'static str,
    rows: &'static [Row],
    /// Whether the gateway does without it, so that it is only shown.
    is_example: bool,
    /// Keys that are given: without them there is no admin API.
    given: &'static [(&'static str, &'static str)],
}

const fn table(header: &'static str, about: &'static str, rows: &'static [Row]) -> Table {
    Table { header, about, rows, is_example: false, given: &[] }
}

const fn example(header: &'static str, about: &'static str, rows: &'static [Row]) -> Table {
    Table { is_example: true, ..table(header, about, rows) }
}

/// Every table but those of front ends.
const TABLES: &[Table] = &[
    table("[server]", "The process.", SERVER),
    table("[server.log]", "The log, on standard error.", LOG),
    table("[store]", "The store of users, rooms and messages.", STORE),
    table("[store.backup]", "Backups that the gateway makes by itself.", BACKUP),
    Table {
        given: &[("listen", "\"127.0.0.1:5090\"")],
        ..table("[admin]", "The admin listeners, which the command line uses too.", ADMIN)
    },
    table("[auth]", "Other servers that know the users.", AUTH),
    example("[auth.http]", "A server that is asked whether a password is right.", AUTH_HTTP),
    example("[auth.jwt]", "An issuer of JSON Web Tokens.", AUTH_JWT),
    example("[cluster]", "The log that several gateways share.", CLUSTER),
    example("[cluster.tls]", "TLS towards its servers.", CLUSTER_TLS),
    example("[tls.main]", "A certificate for listeners to name: tls = \"main\".", TLS),
    example("[tls.main.acme]", "Has it issued, in place of cert and key.", ACME),
    example("[[tls.main.certificates]]", "A further one, for other names.", CERTIFICATE),
    example("[[rooms]]", "A room that must exist: created if it is missing.", ROOM),
    example("[[webhooks]]", "A server that events are sent to.", WEBHOOK),
];

const HEAD: &str = "\
# The configuration of the gateway, as `dragoman config defaults` prints it: every key with its default.
#
# Remove the # of a line such as `#key = value` to change the default. Lines such as `# key = value` are
# examples of what has no default. `dragoman check` reports mistakes.
#
# Each key can also be set in the environment, DRAGOMAN_STORE__PATH=/var/lib/dragoman/chat.redb, and on the
# command line, --set store.path=/var/lib/dragoman/chat.redb.
";

/// The longest line of a comment, in characters.
const COLUMNS: usize = 100;

/// A gateway.toml with every key at its default. Every linked dialect is on.
pub fn defaults() -> String {
    let mut text = HEAD.to_owned();
    for table in TABLES {
        write_table(&mut text, table);
    }
    let about = "A front end is on if it has a section. Several of one dialect have names of their own, \
                 and say dialect = \"usr_room\" for example.";
    text.push('\n');
    comment(&mut text, about);
    for (nth, dialect) in DIALECTS.iter().enumerate() {
        write_frontend(&mut text, dialect, nth == 0);
    }
    text
}

fn write_table(text: &mut String, table: &Table) {
    text.push('\n');
    comment(text, table.about);
    let mark = if table.is_example { "# " } else { "" };
    line(text, &format!("{mark}{}", table.header));
    for (key, _, default, about) in table.rows {
        comment(text, about);
        match table.given.iter().find(|(given, _)| given == key) {
            Some((key, value)) => line(text, &format!("{key} = {value}")),
            None => line(text, &key_line(key, *default, table.is_example)),
        }
    }
}

fn write_frontend(text: &mut String, dialect: &Dialect, is_first: bool) {
    let manifest = dialect.manifest();
    text.push('\n');
    comment(text, &manifest.title);
    line(text, &format!("[frontends.{}]", dialect.name));
    for listener in &manifest.listeners {
        comment(text, &format!("where it listens: {}", transport(listener.transport)));
        match &listener.address {
            Some(address) => line(text, &format!("#{} = \"{address}\"", listener.key)),
            None => line(text, &format!("# {} = \"127.0.0.1:7000\"", listener.key)),
        }
    }
    let options = dialect.in_full(Map::new());
    for key in dialect.option_keys() {
        comment(text, &about_option(&manifest, &key));
        match options.get(&key).and_then(toml_of) {
            Some(value) => line(text, &format!("#{key} = {value}")),
            None => line(text, &format!("# {key}: by default it depends on other keys")),
        }
    }
    if is_first {
        text.push('\n');
        comment(text, "The keys from here to the next section are the same in every front end.");
        line(text, &key_line("dialect", KeyDefault::Absent("\"token\""), false));
        for (key, _, default, about) in FRONTEND.iter().chain(LISTENER) {
            comment(text, about);
            line(text, &key_line(key, *default, false));
        }
        comment(text, "encrypts connections: the name of a table [tls.<name>], or such a table");
        line(text, "#tls = false");
    }
}

/// The description of a dialect's own key, which its schema has.
fn about_option(manifest: &Manifest, key: &str) -> String {
    let about = manifest.options["properties"][key]["description"].as_str();
    about.unwrap_or_default().replace('\n', " ")
}

/// `#key = value`, or an example.
fn key_line(key: &str, default: KeyDefault, is_example: bool) -> String {
    let mark = if is_example { "# " } else { "#" };
    match default {
        KeyDefault::Is(value) | KeyDefault::ByAddress(value) => format!("{mark}{key} = {value}"),
        KeyDefault::Absent(example) => format!("# {key} = {example}"),
        KeyDefault::HalfOfCores => format!("# {key} = 2"),
        KeyDefault::FiveTimes(of) => format!("# {key}: by default five times {of}"),
    }
}

/// A value of JSON in TOML; `None`: null.
pub(super) fn toml_of(value: &Value) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Http => "HTTP",
        Transport::Tcp => "TCP",
        Transport::TcpLines => "TCP, a line each",
        Transport::WebSocket => "WebSocket",
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("it fits in memory");
}

/// A comment, in lines that are not too long. Empty: none.
fn comment(text: &mut String, about: &str) {
    let mut begun = String::new();
    for word in about.split_whitespace() {
        if !begun.is_empty() && begun.chars().count() + 1 + word.chars().count() > COLUMNS {
            line(text, &begun);
            begun.clear();
        }
        begun += if begun.is_empty() { "# " } else { " " };
        begun += word;
    }
    if !begun.is_empty() {
        line(text, &begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources, draft};

    fn read(toml: &str) -> Config {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, toml).expect("it is writable");
        let sources = Sources { file, environment: Vec::new(), set: Vec::new() };
        let draft = draft(&sources, DIALECTS).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(draft.problems.is_empty(), "{}", draft.problems);
        draft.config
    }

    /// The others are compared in the tests of the program, by what it prints.
    #[test]
    fn the_defaults_of_tables_that_the_gateway_does_without_are_those_of_the_reader() {
        let toml = |with_defaults: bool| {
            let defaults = |rows: &[Row]| {
                let line = |(key, _, default, _): &Row| match default {
                    KeyDefault::Is(value) if with_defaults => format!("{key} = {value}\n"),
                    _ => String::new(),
                };
                rows.iter().map(line).collect::<String>()
            };
            let [http, jwt] = [AUTH_HTTP, AUTH_JWT].map(defaults);
            let [room, webhook, cluster] = [ROOM, WEBHOOK, CLUSTER].map(defaults);
            format!(
                "[auth.http]\nurl = \"http://127.0.0.1/\"\n{http}[auth.jwt]\njwks_url = \
                 \"http://127.0.0.1/\"\nissuer = \"i\"\naudience = \"a\"\n{jwt}[cluster]\nname = \"chat\"\nservers = \"nats://127.0.0.1:4222\"\n{cluster}[[rooms]]\nname = \
                 \"TEST\"\n{room}[[webhooks]]\nname = \"crm\"\nurl = \"http://127.0.0.1/\"\nsecret = \
                 \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"\n{webhook}[frontends.channel]\n"
            )
        };
        let (without, with) = (read(&toml(false)), read(&toml(true)));
        assert!(without.auth == with.auth);
        assert!(without.webhooks == with.webhooks);
        assert_eq!(without.cluster, with.cluster);
        assert_eq!(with.rooms[0].capacity, Some(core_engine::ROOM_CAPACITY_DEFAULT));
        let mut rooms = with.rooms;
        rooms[0].capacity = None;
        assert_eq!(without.rooms, rooms);
    }
}

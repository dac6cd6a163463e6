//! The table of commands.

use frontend_api::Outbox;

use crate::parse::Message;
use crate::state::IrcSession;

/// A command of the protocol.
pub struct Verb {
    pub name: &'static str,
    /// The least number of parameters.
    pub(crate) params_min: usize,
    /// Whether the client may send it before it has signed on.
    pub(crate) early: bool,
    pub(crate) run: Run,
}

type Run = fn(&mut IrcSession, &Message<'_>, &mut Outbox);

const fn early(name: &'static str, params_min: usize, run: Run) -> Verb {
    Verb { name, params_min, early: true, run }
}

const fn verb(name: &'static str, params_min: usize, run: Run) -> Verb {
    Verb { name, params_min, early: false, run }
}

/// All commands.
pub const VERBS: &[Verb] = &[
    // Sign-on: sign_on.rs and sasl.rs.
    early("AUTHENTICATE", 1, IrcSession::authenticate),
    early("CAP", 1, IrcSession::cap),
    early("NICK", 0, IrcSession::change_nick),
    early("PASS", 1, IrcSession::pass),
    early("USER", 4, IrcSession::user),
    // The connection and the server: server.rs.
    verb("ADMIN", 0, IrcSession::admin),
    verb("HELP", 0, IrcSession::help),
    verb("HELPOP", 0, IrcSession::help),
    verb("INFO", 0, IrcSession::info),
    verb("LINKS", 0, IrcSession::links),
    verb("LUSERS", 0, IrcSession::lusers),
    verb("MOTD", 0, IrcSession::motd),
    early("PING", 1, IrcSession::ping),
    early("PONG", 0, IrcSession::pong),
    early("QUIT", 0, IrcSession::quit),
    verb("STATS", 0, IrcSession::stats),
    verb("TIME", 0, IrcSession::time),
    verb("VERSION", 0, IrcSession::version),
    // Operators of the gateway: operators.rs.
    verb("KILL", 1, IrcSession::kill),
    verb("OPER", 2, IrcSession::oper),
    verb("REHASH", 0, IrcSession::rehash),
    verb("WALLOPS", 1, IrcSession::wallops),
    // Channels: rooms.rs, list.rs, moderation.rs and modes.rs.
    verb("INVITE", 2, IrcSession::invite),
    verb("JOIN", 1, IrcSession::join),
    verb("KICK", 2, IrcSession::kick),
    verb("LIST", 0, IrcSession::list),
    verb("MODE", 1, IrcSession::mode),
    verb("NAMES", 0, IrcSession::names),
    verb("PART", 1, IrcSession::part),
    verb("TOPIC", 1, IrcSession::topic),
    // Users: who.rs, whois.rs, peers.rs and monitor.rs.
    verb("AWAY", 0, IrcSession::away),
    verb("ISON", 1, IrcSession::ison),
    verb("MONITOR", 1, IrcSession::monitor),
    verb("SETNAME", 1, IrcSession::set_name),
    verb("USERHOST", 1, IrcSession::userhost),
    verb("WHO", 0, IrcSession::who),
    verb("WHOIS", 0, IrcSession::whois),
    verb("WHOWAS", 0, IrcSession::whowas),
    // Messages: message.rs, client_tags.rs, history.rs, read_marker.rs and redaction.rs.
    verb("BATCH", 0, IrcSession::batch),
    verb("CHATHISTORY", 0, IrcSession::chathistory),
    verb("MARKREAD", 0, IrcSession::mark_read),
    verb("NOTICE", 0, IrcSession::notice),
    verb("PRIVMSG", 0, IrcSession::privmsg),
    verb("REDACT", 2, IrcSession::redact),
    verb("TAGMSG", 1, IrcSession::tagmsg),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::COMMAND_NAMES;

    #[test]
    fn help_lists_all_commands() {
        let mut names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        names.sort_unstable();
        assert_eq!(names, COMMAND_NAMES);
    }
}

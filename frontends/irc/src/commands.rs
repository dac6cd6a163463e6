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
    verb("LUSERS", 0, IrcSession::lusers),
    verb("MOTD", 0, IrcSession::motd),
    early("PING", 1, IrcSession::ping),
    early("PONG", 0, IrcSession::pong),
    early("QUIT", 0, IrcSession::quit),
    verb("TIME", 0, IrcSession::time),
    verb("VERSION", 0, IrcSession::version),
    // Channels: rooms.rs.
    verb("JOIN", 1, IrcSession::join),
    verb("LIST", 0, IrcSession::list),
    verb("MODE", 1, IrcSession::mode),
    verb("NAMES", 0, IrcSession::names),
    verb("PART", 1, IrcSession::part),
    verb("TOPIC", 1, IrcSession::topic),
    // Users: who.rs.
    verb("AWAY", 0, IrcSession::away),
    verb("USERHOST", 1, IrcSession::userhost),
    verb("WHO", 0, IrcSession::who),
    verb("WHOIS", 0, IrcSession::whois),
    verb("WHOWAS", 0, IrcSession::whowas),
    // Messages: message.rs and history.rs.
    verb("CHATHISTORY", 0, IrcSession::chathistory),
    verb("NOTICE", 0, IrcSession::notice),
    verb("PRIVMSG", 0, IrcSession::privmsg),
    verb("TAGMSG", 0, IrcSession::tagmsg),
];

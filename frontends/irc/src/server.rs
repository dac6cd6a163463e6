//! The connection and the server.

use core_model::{Command, MASKS_MAX, ROOM_KEY_BYTES_MAX};
use frontend_api::Outbox;

use crate::directory::Counts;
use crate::encode;
use crate::mask::matches_mask;
use crate::moderation::{KICKED_MAX, REASON_BYTES_MAX};
use crate::modes::{BOT_MODE, CHANGES_MAX, CHANMODES, CHANNEL_MODES, PARAMETER_MODES, USER_MODES};
use crate::monitor::WATCHED_MAX;
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::rooms::{CHANNEL_CHARS_MAX, NAMES_TARGETS_MAX};
use crate::sign_on::USER_NAME_CHARS_MAX;
use crate::state::IrcSession;

/// The software, as VERSION and the greeting have it.
const VERSION: &str = concat!("dragoman-", env!("CARGO_PKG_VERSION"));

/// The commands that HELP lists; a test compares it with the table of commands.
pub(crate) const COMMAND_NAMES: &[&str] = &[
    "ADMIN",
    "AUTHENTICATE",
    "AWAY",
    "BATCH",
    "CAP",
    "CHATHISTORY",
    "HELP",
    "HELPOP",
    "INFO",
    "INVITE",
    "ISON",
    "JOIN",
    "KICK",
    "KILL",
    "LINKS",
    "LIST",
    "LUSERS",
    "MARKREAD",
    "MODE",
    "MONITOR",
    "MOTD",
    "NAMES",
    "NICK",
    "NOTICE",
    "OPER",
    "PART",
    "PASS",
    "PING",
    "PONG",
    "PRIVMSG",
    "QUIT",
    "REDACT",
    "REHASH",
    "SETNAME",
    "STATS",
    "TAGMSG",
    "TIME",
    "TOPIC",
    "USER",
    "USERHOST",
    "VERSION",
    "WALLOPS",
    "WHO",
    "WHOIS",
    "WHOWAS",
];

/// The most targets of one PRIVMSG or NOTICE.
pub(crate) const TARGETS_MAX: usize = 4;

impl IrcSession {
    pub(crate) fn ping(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let server = &self.options.server_name;
        let pong = encode::trailing(format!(":{server} PONG {server}"), message.param(0));
        self.say(vec![pong], out);
    }

    /// Any line resets the keepalive. The token is the last parameter; some clients put the name of
    /// the server before it.
    pub(crate) fn pong(&mut self, message: &Message<'_>, out: &mut Outbox) {
        self.take_token(message.last(), out);
    }

    /// Signs out first, so that others see the reason.
    pub(crate) fn quit(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if self.sign_on.is_none() && !self.rooms.is_empty() {
            let words = encode::cut_to(message.param(0), REASON_BYTES_MAX);
            let reason = if words.is_empty() { "Quit".into() } else { format!("Quit: {words}") };
            out.submit(Command::SignOut { reason });
            self.expect(PendingReply::Ignore);
            // The client gave up its seats itself, and does not hear of it.
            self.rooms.clear();
        }
        self.end("quit", out);
    }

    /// Whether a query is for this server, the only one: by its name, by a user of it, or by a mask.
    /// Sends an error otherwise.
    fn is_this_server(&mut self, target: &str, out: &mut Outbox) -> bool {
        let is_here = target.is_empty()
            || names::same(target, &self.options.server_name)
            || matches_mask(target, &self.options.server_name)
            || self.directory.find(target).is_some();
        if !is_here {
            let line = self.numeric(ERR_NOSUCHSERVER, &[target], "No such server");
            self.say(vec![line], out);
        }
        is_here
    }

    pub(crate) fn info(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.is_this_server(message.param(0), out) {
            return;
        }
        let lines = vec![
            self.numeric(RPL_INFO, &[], &format!("{VERSION}, a gateway of many chat dialects")),
            self.numeric(RPL_ENDOFINFO, &[], "End of INFO"),
        ];
        self.say(lines, out);
    }

    /// Lists the commands: they are those of other servers.
    pub(crate) fn help(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let topic = message.param(0);
        let known = topic.is_empty() || COMMAND_NAMES.iter().any(|name| names::same(name, topic));
        let lines = if known {
            let about = if topic.is_empty() { "*" } else { topic };
            vec![
                self.numeric(RPL_HELPSTART, &[about], "Commands of this server"),
                self.numeric(RPL_HELPTXT, &[about], &COMMAND_NAMES.join(" ")),
                self.numeric(RPL_ENDOFHELP, &[about], "End of HELP"),
            ]
        } else {
            vec![self.numeric(ERR_HELPNOTFOUND, &[topic], "No help is available on this topic")]
        };
        self.say(lines, out);
    }

    pub(crate) fn admin(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.is_this_server(message.param(0), out) {
            return;
        }
        let why = "No administrative information is available";
        let line = self.numeric(ERR_NOADMININFO, &[&self.options.server_name], why);
        self.say(vec![line], out);
    }

    pub(crate) fn links(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        let server = self.options.server_name.clone();
        let lines = vec![
            self.numeric(
                RPL_LINKS,
                &[&server, &server],
                &format!("0 {}", self.options.description()),
            ),
            self.numeric(RPL_ENDOFLINKS, &["*"], "End of LINKS"),
        ];
        self.say(lines, out);
    }

    pub(crate) fn stats(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let about = message.param(0);
        let about = if about.is_empty() { "*" } else { about };
        let line = self.numeric(RPL_ENDOFSTATS, &[about], "End of STATS");
        self.say(vec![line], out);
    }

    pub(crate) fn motd(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.is_this_server(message.param(0), out) {
            return;
        }
        let lines = self.message_of_the_day();
        self.say(lines, out);
    }

    pub(crate) fn lusers(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        let lines = self.lusers_lines();
        self.say(lines, out);
    }

    pub(crate) fn version(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.is_this_server(message.param(0), out) {
            return;
        }
        let server = &self.options.server_name;
        let mut lines = vec![self.numeric(RPL_VERSION, &[VERSION, server], "IRC with IRCv3")];
        lines.extend(self.supported());
        self.say(lines, out);
    }

    pub(crate) fn time(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.is_this_server(message.param(0), out) {
            return;
        }
        let time = encode::time(self.now).unwrap_or_default();
        let line = self.numeric(RPL_TIME, &[&self.options.server_name], &time);
        self.say(vec![line], out);
    }

    /// The lines of the greeting after a sign-on.
    pub(crate) fn greeting(&self) -> Vec<String> {
        let server = &self.options.server_name;
        let network = &self.options.network;
        let mask = self.reader().mask(&self.me);
        let host = format!("Your host is {server}, running {VERSION}");
        let mut lines = vec![
            self.numeric(RPL_WELCOME, &[], &format!("Welcome to {network}, {mask}")),
            self.numeric(RPL_YOURHOST, &[], &host),
            self.numeric(RPL_CREATED, &[], "This server speaks for a gateway of many dialects"),
            self.bare(RPL_MYINFO, &[server, VERSION, USER_MODES, CHANNEL_MODES, PARAMETER_MODES]),
        ];
        lines.extend(self.supported());
        lines.extend(self.lusers_lines());
        lines.extend(self.message_of_the_day());
        lines
    }

    /// The 005 lines. Lengths of names are in characters; an ASCII name has as many bytes.
    fn supported(&self) -> Vec<String> {
        let options = &self.options;
        let tokens = [
            "AWAYLEN=390".into(),
            format!("BOT={BOT_MODE}"),
            "CASEMAPPING=ascii".into(),
            format!("CHANLIMIT=#:{}", options.channels_max),
            format!("CHANMODES={CHANMODES}"),
            format!("CHANNELLEN={CHANNEL_CHARS_MAX}"),
            "CHANTYPES=#".into(),
            format!("CHATHISTORY={}", options.history_max),
            "ELIST=CMNU".into(),
            "EXCEPTS=e".into(),
            "INVEX=I".into(),
            format!("KEYLEN={ROOM_KEY_BYTES_MAX}"),
            "KICKLEN=390".into(),
            "LINELEN=512".into(),
            format!("MAXLIST=b:{MASKS_MAX},e:{MASKS_MAX},I:{MASKS_MAX}"),
            format!("MODES={CHANGES_MAX}"),
            format!("MONITOR={WATCHED_MAX}"),
            "MSGREFTYPES=msgid,timestamp".into(),
            "NAMELEN=390".into(),
            format!("NETWORK={}", options.network),
            "NICKLEN=64".into(),
            "PREFIX=(ov)@+".into(),
            format!(
                "TARGMAX=JOIN:,KICK:{KICKED_MAX},NAMES:{NAMES_TARGETS_MAX},NOTICE:{TARGETS_MAX},\
                 PART:,PRIVMSG:{TARGETS_MAX},TAGMSG:{TARGETS_MAX}"
            ),
            "TOPICLEN=390".into(),
            format!("USERLEN={USER_NAME_CHARS_MAX}"),
            "UTF8ONLY".into(),
            "WHOX".into(),
        ];
        let line = |tokens: &[String]| {
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            self.numeric(RPL_ISUPPORT, &tokens, "are supported by this server")
        };
        // At most thirteen a line: a message of RFC 1459 has at most fifteen parameters.
        tokens.chunks(13).map(line).collect()
    }

    /// The replies to LUSERS: the connections of this front end, all of them with the mode `i`.
    fn lusers_lines(&self) -> Vec<String> {
        let Counts { users, unregistered, most, rooms, operators } = self.directory.counts();
        let client = format!("There are 0 users and {users} invisible on 1 servers");
        let now = users.to_string();
        let max = most.to_string();
        let local = format!("Current local users {now}, max {max}");
        let global = format!("Current global users {now}, max {max}");
        let mut lines = vec![
            self.numeric(RPL_LUSERCLIENT, &[], &client),
            self.numeric(RPL_LUSEROP, &[&operators.to_string()], "operator(s) online"),
        ];
        if unregistered > 0 {
            let unregistered = unregistered.to_string();
            lines.push(self.numeric(RPL_LUSERUNKNOWN, &[&unregistered], "unknown connection(s)"));
        }
        lines.extend([
            self.numeric(RPL_LUSERCHANNELS, &[&rooms.to_string()], "channels formed"),
            self.numeric(RPL_LUSERME, &[], &format!("I have {users} clients and 0 servers")),
            self.numeric(RPL_LOCALUSERS, &[&now, &max], &local),
            self.numeric(RPL_GLOBALUSERS, &[&now, &max], &global),
        ]);
        lines
    }

    fn message_of_the_day(&self) -> Vec<String> {
        let motd = &self.options.motd;
        if motd.is_empty() {
            return vec![self.numeric(ERR_NOMOTD, &[], "There is no message of the day")];
        }
        let start = format!("- {} Message of the day -", self.options.server_name);
        let mut lines = vec![self.numeric(RPL_MOTDSTART, &[], &start)];
        lines.extend(motd.lines().map(|line| self.numeric(RPL_MOTD, &[], &format!("- {line}"))));
        lines.push(self.numeric(RPL_ENDOFMOTD, &[], "End of the message of the day"));
        lines
    }
}

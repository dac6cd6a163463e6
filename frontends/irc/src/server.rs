//! The connection and the server.

use frontend_api::Outbox;

use crate::encode;
use crate::numeric::*;
use crate::parse::Message;
use crate::state::IrcSession;

/// The software, as VERSION and the greeting have it.
const VERSION: &str = concat!("dragoman-", env!("CARGO_PKG_VERSION"));

/// The most targets of one PRIVMSG or NOTICE.
pub(crate) const TARGETS_MAX: usize = 4;

impl IrcSession {
    pub(crate) fn ping(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let server = &self.options.server_name;
        let pong = encode::trailing(format!(":{server} PONG {server}"), message.param(0));
        self.say(vec![pong], out);
    }

    /// Any line resets the keepalive, so a PONG needs nothing more.
    pub(crate) fn pong(&mut self, _message: &Message<'_>, _out: &mut Outbox) {}

    pub(crate) fn quit(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        self.end("quit", out);
    }

    pub(crate) fn motd(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        let lines = self.message_of_the_day();
        self.say(lines, out);
    }

    pub(crate) fn lusers(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        let lines = self.lusers_lines();
        self.say(lines, out);
    }

    pub(crate) fn version(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        let server = &self.options.server_name;
        let mut lines = vec![self.numeric(RPL_VERSION, &[VERSION, server], "IRC with IRCv3")];
        lines.extend(self.supported());
        self.say(lines, out);
    }

    pub(crate) fn time(&mut self, _message: &Message<'_>, out: &mut Outbox) {
        let time = encode::time(self.now).unwrap_or_default();
        let line = self.numeric(RPL_TIME, &[&self.options.server_name], &time);
        self.say(vec![line], out);
    }

    /// The lines of the greeting after a sign-on.
    pub(crate) fn greeting(&self) -> Vec<String> {
        let (server, network) = (&self.options.server_name, &self.options.network);
        let mask = self.reader().mask(&self.me);
        let host = format!("Your host is {server}, running {VERSION}");
        let mut lines = vec![
            self.numeric(RPL_WELCOME, &[], &format!("Welcome to {network}, {mask}")),
            self.numeric(RPL_YOURHOST, &[], &host),
            self.numeric(RPL_CREATED, &[], "This server speaks for a gateway of many dialects"),
            self.bare(RPL_MYINFO, &[server, VERSION, "i", "bnot", "bo"]),
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
            "CASEMAPPING=ascii".into(),
            format!("CHANLIMIT=#:{}", options.channels_max),
            "CHANMODES=b,,,nt".into(),
            "CHANNELLEN=65".into(),
            "CHANTYPES=#".into(),
            format!("CHATHISTORY={}", options.history_max),
            "CLIENTTAGDENY=*".into(),
            "MSGREFTYPES=msgid".into(),
            format!("NETWORK={}", options.network),
            "NICKLEN=64".into(),
            "PREFIX=(o)@".into(),
            format!("TARGMAX=NOTICE:{TARGETS_MAX},PRIVMSG:{TARGETS_MAX}"),
            "TOPICLEN=390".into(),
            "UTF8ONLY".into(),
        ];
        let line = |tokens: &[String]| {
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            self.numeric(RPL_ISUPPORT, &tokens, "are supported by this server")
        };
        // At most thirteen a line: a message of RFC 1459 has at most fifteen parameters.
        tokens.chunks(13).map(line).collect()
    }

    /// The replies to LUSERS, without numbers: the gateway does not count users.
    fn lusers_lines(&self) -> Vec<String> {
        vec![
            self.numeric(RPL_LUSERCLIENT, &[], "Users of all dialects are here, uncounted"),
            self.numeric(RPL_LUSERME, &[], "One server, which is a gateway"),
        ]
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

//! Lines of IRC with their secrets masked.

use super::MASK;
use super::json::Masked;

/// The commands whose parameters are shown; what another line has is masked.
const SHOWN_VERBS: [&str; 62] = [
    "ACCOUNT",
    "ACK",
    "ADMIN",
    "AWAY",
    "BATCH",
    "CAP",
    "CHATHISTORY",
    "CHGHOST",
    "ERROR",
    "FAIL",
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
    "NOTE",
    "NOTICE",
    "PART",
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
    "WARN",
    "WHO",
    "WHOIS",
    "WHOWAS",
    "001",
    "002",
    "003",
    "004",
    "005",
    "RENAME",
    "SUMMON",
    "TRACE",
    "USERS",
    "KNOCK",
    "SILENCE",
    "EXTBAN",
    "PROP",
];

/// Services of other networks, to which clients send passwords by habit.
const SERVICES: [&str; 7] = ["authserv", "chanserv", "nickserv", "ns", "q", "userserv", "x"];

/// RPL_CHANNELMODEIS.
const MODE_NUMERIC: &str = "324";

/// ERR_UNKNOWNCOMMAND quotes what was sent in place of a command.
const UNKNOWN_COMMAND: &str = "421";

/// A line, of the client or to it.
pub(super) fn mask_line(line: &str, is_from_client: bool) -> Masked {
    // The rest is no part of the line for the server.
    let (text, rest) = match line.find(['\r', '\0', '\n']) {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    let rest = rest.trim_end_matches(['\r', '\n']);
    let mut words = Words::of(text);
    let masked = words.mask(is_from_client) | !rest.is_empty();
    let text = if masked { words.text() } else { text.to_owned() };
    let text = if rest.is_empty() { text } else { format!("{text} {MASK}") };
    Masked { text, masked }
}

/// A line taken apart.
struct Words<'a> {
    /// Tags and source, with the space behind each.
    head: String,
    verb: &'a str,
    params: Vec<&'a str>,
    /// Whether the last parameter has a colon.
    has_trailing: bool,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut head = String::new();
        let mut left = text.trim_start_matches(' ');
        for mark in ['@', ':'] {
            if left.starts_with(mark) {
                let (word, rest) = left.split_once(' ').unwrap_or((left, ""));
                head = format!("{head}{word} ");
                left = rest.trim_start_matches(' ');
            }
        }
        let (middle, trailing) = match left.split_once(" :") {
            Some((middle, trailing)) => (middle, Some(trailing)),
            None => (left, None),
        };
        let mut words = middle.split(' ').filter(|word| !word.is_empty());
        let verb = words.next().unwrap_or_default();
        let params = words.chain(trailing).collect();
        Self { head, verb, params, has_trailing: trailing.is_some() }
    }

    fn text(&self) -> String {
        let mut text = format!("{}{}", self.head, self.verb);
        for (at, param) in self.params.iter().enumerate() {
            let is_trailing = self.has_trailing && at + 1 == self.params.len();
            text.push_str(if is_trailing { " :" } else { " " });
            text.push_str(param);
        }
        text
    }

    /// Masks the parameters from this one on; true if there are any.
    fn mask_from(&mut self, first: usize) -> bool {
        let params = self.params.iter_mut().skip(first);
        params.map(|param| *param = MASK).count() > 0
    }

    fn mask(&mut self, is_from_client: bool) -> bool {
        let verb = self.verb.to_ascii_uppercase();
        let has_key = |modes: Option<&&str>| modes.is_some_and(|modes| modes.contains('k'));
        match verb.as_str() {
            "AUTHENTICATE" => self.mask_authenticate(),
            "JOIN" => is_from_client && self.mask_from(1),
            "MODE" => has_key(self.params.get(1)) && self.mask_from(2),
            MODE_NUMERIC => has_key(self.params.get(2)) && self.mask_from(3),
            UNKNOWN_COMMAND => self.mask_unknown_command(),
            "PRIVMSG" | "NOTICE" => {
                let target = self.params.first().copied().unwrap_or_default();
                let name = target.split('@').next().unwrap_or_default().to_ascii_lowercase();
                SERVICES.contains(&name.as_str()) && self.mask_from(1)
            }
            _ if is_shown(&verb) => false,
            "PASS" | "OPER" => self.mask_from(0),
            // It may be a secret that was typed in the wrong place.
            _ if self.verb.is_empty() => false,
            _ => {
                self.verb = MASK;
                self.mask_from(0);
                true
            }
        }
    }

    /// A mechanism, `+` and `*` are shown.
    fn mask_authenticate(&mut self) -> bool {
        let is_shown = |param: &&str| {
            ["+", "*", "PLAIN", "EXTERNAL", "OAUTHBEARER"].contains(&&*param.to_ascii_uppercase())
        };
        let from = usize::from(self.params.first().is_some_and(is_shown));
        self.mask_from(from)
    }

    fn mask_unknown_command(&mut self) -> bool {
        let Some(quoted) = self.params.get_mut(1) else { return false };
        let verb = quoted.to_ascii_uppercase();
        let is_known = is_shown(&verb) || ["PASS", "OPER", "AUTHENTICATE"].contains(&&*verb);
        if !is_known {
            *quoted = MASK;
        }
        !is_known
    }
}

fn is_shown(verb: &str) -> bool {
    SHOWN_VERBS.contains(&verb)
        || (verb.len() == 3 && verb.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_lines_are_masked() {
        for (line, shown) in [
            ("PASS s3cret", "PASS ***"),
            ("  pass :s3cret and more", "pass :***"),
            ("@label=1 :x PASS s3cret", "@label=1 :x PASS ***"),
            ("AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN"),
            ("AUTHENTICATE czNjcmV0", "AUTHENTICATE ***"),
            ("OPER ann s3cret", "OPER *** ***"),
            ("JOIN #tea s3cret", "JOIN #tea ***"),
            (":ann!a@h JOIN #tea ann :Ann", ":ann!a@h JOIN #tea ann :Ann"),
            ("MODE #tea +k s3cret", "MODE #tea +k ***"),
            (":srv MODE #tea +ok ann s3cret", ":srv MODE #tea +ok *** ***"),
            (":srv 324 ann #tea +kn s3cret", ":srv 324 ann #tea +kn ***"),
            ("PRIVMSG NickServ :IDENTIFY s3cret", "PRIVMSG NickServ :***"),
            ("PRIVMSG #tea :hello  there", "PRIVMSG #tea :hello  there"),
            ("PASSS s3cret", "*** ***"),
            ("s3cret", "***"),
            (":srv 421 ann S3CRET :Unknown command", ":srv 421 ann *** :Unknown command"),
            ("NICK ann\rPASS s3cret", "NICK ann ***"),
            ("PASS\ts3cret", "***"),
        ] {
            let is_from_client = !line.starts_with(':');
            assert_eq!(mask_line(line, is_from_client).text, shown, "{line:?}");
        }
        assert_eq!(mask_line(":ann JOIN #tea s3cret", true).text, ":ann JOIN #tea ***");
        assert!(!mask_line("NICK ann", true).masked && mask_line("PASS x", true).masked);
    }
}

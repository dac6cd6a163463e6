//! Lines of IRC with their secrets masked.

use super::MASK;
use super::credentials::is_bouncer_login;
use super::json::Masked;
use super::phrases::{SERVICES, has_secret};

/// The commands that a client may send, with how many of their parameters have a known meaning and
/// are no secrets. What else is in a line is masked.
const OF_CLIENTS: [(&str, usize); 45] = [
    ("ADMIN", 1),
    ("AUTHENTICATE", 1),
    ("AWAY", 1),
    ("BATCH", 3),
    ("CAP", 2),
    ("CHATHISTORY", 5),
    ("HELP", 1),
    ("HELPOP", 1),
    ("INFO", 1),
    ("INVITE", 2),
    ("ISON", PARAMS_MAX),
    ("JOIN", 1),
    ("KICK", 3),
    ("KILL", 2),
    ("LINKS", 2),
    ("LIST", 2),
    ("LUSERS", 2),
    ("MARKREAD", 2),
    ("MODE", PARAMS_MAX),
    ("MONITOR", 2),
    ("MOTD", 1),
    ("NAMES", 2),
    ("NICK", 1),
    ("NOTICE", 2),
    ("OPER", 0),
    ("PART", 2),
    ("PASS", 0),
    ("PING", 2),
    ("PONG", 2),
    ("PRIVMSG", 2),
    ("QUIT", 1),
    ("REDACT", 3),
    ("REHASH", 0),
    ("SETNAME", 1),
    ("STATS", 2),
    ("TAGMSG", 1),
    ("TIME", 1),
    ("TOPIC", 2),
    ("USER", 4),
    ("USERHOST", 5),
    ("VERSION", 1),
    ("WALLOPS", 1),
    ("WHO", 2),
    ("WHOIS", 2),
    ("WHOWAS", 3),
];

/// More than a line may have.
const PARAMS_MAX: usize = usize::MAX;

/// The commands of the server alone, besides numbers.
const OF_THE_SERVER: [&str; 8] =
    ["ACCOUNT", "ACK", "CHGHOST", "ERROR", "FAIL", "NOTE", "RENAME", "WARN"];

/// Tags whose values are no secrets.
const SHOWN_TAGS: [&str; 16] = [
    "+draft/channel-context",
    "+draft/client-msgid",
    "+draft/react",
    "+draft/reply",
    "+draft/typing",
    "+draft/unreact",
    "+react",
    "+reply",
    "+typing",
    "+unreact",
    "account",
    "batch",
    "bot",
    "label",
    "msgid",
    "time",
];

/// RPL_CHANNELMODEIS.
const MODE_NUMERIC: &str = "324";

/// Modes whose parameter is no secret.
const PARAMETER_MODES: &str = "Ibehloqva";

/// Modes without a parameter, of channels and users.
const FLAG_MODES: &str = "BCDGMNOQRSTcimnprstuwz";

/// The most letters of modes that are shown when one of them is not known: a word of more may be a secret
/// in the place of modes.
const MODE_LETTERS_MAX: usize = 3;

/// ERR_INVALIDMODEPARAM quotes the parameter.
const INVALID_MODE_NUMERIC: &str = "696";

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
        let of_verb = match verb.as_str() {
            "" => !self.head.is_empty() && self.mask_all(),
            _ if !is_known(&verb, is_from_client) => self.mask_all(),
            "AUTHENTICATE" => self.mask_authenticate(),
            "MODE" => self.mask_modes(1),
            MODE_NUMERIC => self.mask_modes(2),
            INVALID_MODE_NUMERIC => self.mask_invalid_mode(),
            UNKNOWN_COMMAND => self.mask_unknown_command(),
            "PRIVMSG" | "NOTICE" => self.mask_for_service(),
            "NICK" | "USER" | "432" | "433" | "437" => self.mask_logins(),
            _ => false,
        };
        let shown = if is_from_client { shown_params(&verb) } else { None };
        let of_params = shown.is_some_and(|shown| self.mask_from(shown));
        let of_source = is_from_client && self.mask_source();
        of_verb | of_params | of_source | self.mask_typed(is_from_client) | self.mask_tags()
    }

    /// It may be a secret that was typed in the wrong place.
    fn mask_all(&mut self) -> bool {
        if self.verb.is_empty() {
            self.head.clear();
        }
        self.verb = MASK;
        self.mask_from(0);
        true
    }

    /// A command with a secret that stands where people read it: in a topic, a reason, a message. A client
    /// may have left out the colon before it.
    fn mask_typed(&mut self, is_from_client: bool) -> bool {
        let begin =
            usize::from(["PRIVMSG", "NOTICE"].iter().any(|it| self.verb.eq_ignore_ascii_case(it)));
        let mut end = self.params.len();
        if !is_from_client {
            let first = (begin..end).find(|at| has_secret(self.params[*at]));
            return first.is_some_and(|first| self.mask_from(first));
        }
        // From the last one on behind which the whole secret is; there may be another before it.
        let last = |params: &[&str], end| {
            (begin..end).rev().find(|at| has_secret(&params[*at..end].join(" ")))
        };
        while let Some(at) = last(&self.params, end) {
            self.params[at..end].fill(MASK);
            end = at;
        }
        end < self.params.len()
    }

    /// The parameters of modes, unless all modes are known to have none that is a secret, and what is
    /// more than they have.
    fn mask_modes(&mut self, modes: usize) -> bool {
        let mut words = self.params.iter().skip(modes);
        let is_modes = |word: &&str| word.starts_with(['+', '-']);
        let first = words.next().copied().unwrap_or_default();
        let further: Vec<&str> = words.copied().filter(is_modes).collect();
        let letters = || [first].into_iter().chain(further.iter().copied()).flat_map(str::chars);
        let letters = || letters().filter(|char| !matches!(char, '+' | '-'));
        let is_shown = |char| PARAMETER_MODES.contains(char) || FLAG_MODES.contains(char);
        if letters().all(is_shown) && letters().next().is_some() {
            let params = letters().filter(|char| PARAMETER_MODES.contains(*char)).count();
            return self.mask_from(modes + 1 + further.len() + params);
        }
        let is_word = letters().count() > MODE_LETTERS_MAX;
        self.mask_from(if is_word { modes } else { modes + 1 })
    }

    /// A message for a service. A client may have left out the space before the colon.
    fn mask_for_service(&mut self) -> bool {
        let is_service = |target: &str| {
            let name = target.trim_start_matches(['~', '&', '@', '%', '+']);
            let name = name.split(['@', '!', '%', ':']).next().unwrap_or_default();
            SERVICES.contains(&name.to_ascii_lowercase().as_str())
        };
        let targets = self.params.first().copied().unwrap_or_default();
        targets.split(',').any(is_service) && self.mask_from(usize::from(!targets.contains(':')))
    }

    /// Names with a password, as users of bouncers have them: `ann/net:s3cret`.
    fn mask_logins(&mut self) -> bool {
        let is_login = |param: &&mut &str| !param.contains(' ') && is_bouncer_login(param);
        self.params.iter_mut().filter(is_login).map(|param| *param = MASK).count() > 0
    }

    /// The same in the place of the source.
    fn mask_source(&mut self) -> bool {
        let begin = self.head.find(" :").map_or(0, |at| at + 1);
        let source = self.head[begin..].strip_prefix(':').unwrap_or_default();
        let is_login = is_bouncer_login(source) || has_secret(source);
        if is_login {
            self.head.truncate(begin);
            self.head.push_str(&format!(":{MASK} "));
        }
        is_login
    }

    fn mask_tags(&mut self) -> bool {
        let Some(tags) = self.head.strip_prefix('@') else { return false };
        let (tags, rest) = tags.split_once(' ').unwrap_or((tags, ""));
        let mut masked = false;
        let shown = tags.split(';').map(|tag| match tag.split_once('=') {
            Some((name, value)) if !value.is_empty() && !SHOWN_TAGS.contains(&name) => {
                masked = true;
                format!("{name}={MASK}")
            }
            _ => tag.to_owned(),
        });
        let shown = shown.collect::<Vec<_>>().join(";");
        self.head = format!("@{shown} {rest}");
        masked
    }

    /// A mechanism, `+` and `*` are shown.
    fn mask_authenticate(&mut self) -> bool {
        let is_shown = |param: &&str| {
            ["+", "*", "PLAIN", "EXTERNAL", "OAUTHBEARER"].contains(&&*param.to_ascii_uppercase())
        };
        let from = usize::from(self.params.first().is_some_and(is_shown));
        self.mask_from(from)
    }

    fn mask_invalid_mode(&mut self) -> bool {
        let is_shown = |mode: &&str| mode.len() == 1 && PARAMETER_MODES.contains(*mode);
        !self.params.get(2).is_some_and(is_shown) && self.mask_from(3)
    }

    fn mask_unknown_command(&mut self) -> bool {
        let Some(quoted) = self.params.get_mut(1) else { return false };
        let is_known = shown_params(&quoted.to_ascii_uppercase()).is_some();
        if !is_known {
            *quoted = MASK;
        }
        !is_known
    }
}

/// How many parameters of a client's command are shown. `None`: there is no such command.
fn shown_params(verb: &str) -> Option<usize> {
    OF_CLIENTS.iter().find(|(name, _)| *name == verb).map(|(_, shown)| *shown)
}

fn is_known(verb: &str, is_from_client: bool) -> bool {
    let is_number = || verb.len() == 3 && verb.bytes().all(|byte| byte.is_ascii_digit());
    shown_params(verb).is_some()
        || (!is_from_client && (OF_THE_SERVER.contains(&verb) || is_number()))
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
            ("PRIVMSG nickserv,#k :identify s3cret", "PRIVMSG nickserv,#k :***"),
            ("PRIVMSG #k,NickServ@srv :x s3cret", "PRIVMSG #k,NickServ@srv :***"),
            ("privmsg @nickserv!n@h identify s3cret", "privmsg @nickserv!n@h *** ***"),
            ("NOTICE NICKSERV :identify s3cret", "NOTICE NICKSERV :***"),
            ("PRIVMSG #k :/identify s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :/msg NickServ IDENTIFY s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :NickServ IDENTIFY s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :/usr/bin is a folder", "PRIVMSG #k :/usr/bin is a folder"),
            ("SQUERY NickServ :identify s3cret", "*** *** :***"),
            ("NickServ identify s3cret", "*** *** ***"),
            ("NICK ann s3cret", "NICK ann ***"),
            ("JOIN #tea,#k s3cret,s3cret", "JOIN #tea,#k ***"),
            ("join #k :s3cret", "join #k :***"),
            ("mode #k k s3cret", "mode #k k ***"),
            ("MODE #k +o ann +k s3cret", "MODE #k +o *** *** ***"),
            ("MODE #k -k s3cret", "MODE #k -k ***"),
            ("MODE #k +b ann!*@*", "MODE #k +b ann!*@*"),
            (":srv 696 ann #k k s3cret :no key", ":srv 696 ann #k k *** :***"),
            ("AUTHENTICATE PLAIN s3cret", "AUTHENTICATE PLAIN ***"),
            ("@label=1;+key=s3cret;time=x TAGMSG #k", "@label=1;+key=***;time=x TAGMSG #k"),
            ("@label=1 @time=2 PASS s3cret", "@label=1 *** *** ***"),
            ("@s3cret", "***"),
            (":s3cret", "***"),
            ("@label=1 :s3cret", "***"),
            ("001 s3cret", "*** ***"),
        ] {
            let is_from_client = !line.starts_with(':');
            assert_eq!(mask_line(line, is_from_client).text, shown, "{line:?}");
        }
        assert_eq!(mask_line(":ann JOIN #tea s3cret", true).text, ":ann JOIN #tea ***");
        assert_eq!(mask_line(":PASS s3cret", true).text, ":PASS ***");
        assert_eq!(mask_line(":SET PASSWORD s3cret", true).text, ":SET *** ***");
        assert!(!mask_line("NICK ann", true).masked && mask_line("PASS x", true).masked);
    }

    #[test]
    fn what_is_typed_by_mistake_is_masked() {
        for (line, shown) in [
            ("MODE #k +K s3cret", "MODE #k +K ***"),
            ("MODE #k + k s3cret", "MODE #k + *** ***"),
            ("MODE #k +n s3cret", "MODE #k +n ***"),
            ("MODE #k +b ann!*@* s3cret", "MODE #k +b ann!*@* ***"),
            ("MODE #k +o-v ann bob", "MODE #k +o-v ann bob"),
            ("MODE #k +o ann -v bob", "MODE #k +o ann -v bob"),
            ("MODE #k s3cret", "MODE #k ***"),
            (":srv 696 ann #k K s3cret :no", ":srv 696 ann #k K *** :***"),
            (":srv 696 ann #k l x :no", ":srv 696 ann #k l x :no"),
            ("PRIVMSG #k ::PASS s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :SET PASSWORD s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :set topic to tea", "PRIVMSG #k :set topic to tea"),
            ("PRIVMSG #k :AUTH ann s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :login ann s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :REGISTER s3cret a@b and more", "PRIVMSG #k :***"),
            ("PRIVMSG #k :pass me the milk, please", "PRIVMSG #k :pass me the milk, please"),
            ("PRIVMSG #k :password: s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :password=s3cret", "PRIVMSG #k :***"),
            ("PRIVMSG #k :note: tea", "PRIVMSG #k :note: tea"),
            ("TOPIC #k :identify s3cret", "TOPIC #k :***"),
            ("TOPIC #k identify s3cret", "TOPIC #k *** ***"),
            ("PART #k ::identify s3cret", "PART #k :***"),
            ("QUIT :identify s3cret", "QUIT :***"),
            ("AWAY :NickServ identify s3cret", "AWAY :***"),
            (":ann!a@h TOPIC #k :identify s3cret", ":ann!a@h TOPIC #k :***"),
            (":srv 332 ann #k :identify s3cret", ":srv 332 ann #k :***"),
            (":srv 464 ann :Password incorrect", ":srv 464 ann :Password incorrect"),
        ] {
            let is_from_client = !line.starts_with(':');
            assert_eq!(mask_line(line, is_from_client).text, shown, "{line:?}");
        }
    }
}

//! Lines to the peer, without their ends.

use core_model::{Message, MessageId, Person, Recipient, Timestamp};

use crate::caps::Caps;
use crate::lines::{Line, TEXT_LINES_MAX, cut, floor_char_boundary, lines_of};
use crate::multiline::BATCH_TYPE;
use crate::names;
use crate::numeric::Numeric;
use crate::parse::CONCAT;

/// The most bytes of a line without its tags and its end: RFC 1459, section 2.3. Only names that
/// fill nearly all of it make a line longer.
const LINE_BYTES_MAX: usize = 510;

/// The least room for a text in a line, however long the names before it are.
const TEXT_BYTES_LEAST: usize = 64;

/// The prefix that marks an ACTION in the texts of other dialects.
pub(crate) const ME: &str = "/me ";

/// What lines to a client depend on.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) server: &'a str,
    pub(crate) caps: Caps,
}

/// The contents of the tags of a line.
#[derive(Clone, Copy)]
pub(crate) struct Tags<'a> {
    pub(crate) at: Timestamp,
    pub(crate) by: &'a Person,
    pub(crate) id: Option<MessageId>,
    /// Whether the user has declared itself a bot.
    pub(crate) is_bot: bool,
}

impl Reader<'_> {
    /// A line from the server.
    pub(crate) fn numeric(
        self,
        numeric: Numeric,
        to: &str,
        params: &[&str],
        text: Option<&str>,
    ) -> String {
        let mut line = format!(":{} {numeric} {to}", self.server);
        for param in params {
            line.push(' ');
            line.push_str(middle(param));
        }
        match text {
            Some(text) => trailing(line, text),
            None => line,
        }
    }

    /// `nick!user@host`: a guest is `guest`, an account its uid; the host is the server.
    pub(crate) fn mask(self, person: &Person) -> String {
        format!("{}!{}@{}", names::nick(person), user(person), self.server)
    }

    /// A line from a user.
    pub(crate) fn line_by(self, tags: Tags<'_>, rest: &str) -> String {
        format!("{}:{} {rest}", self.tags(tags), self.mask(tags.by))
    }

    /// The lines of a message.
    pub(crate) fn message(self, message: &Message, is_bot: bool) -> Vec<String> {
        let target = match &message.to {
            Recipient::Room(room) => names::channel(&room.name),
            Recipient::User(person) => names::nick(person),
        };
        let verb = if message.notice { "NOTICE" } else { "PRIVMSG" };
        let head = format!(":{} {verb} {target} :", self.mask(&message.author));
        let tags = |id| Tags { at: message.at, by: &message.author, id, is_bot };
        if self.caps.has(Caps::MULTILINE) && self.caps.has(Caps::BATCH) {
            let lines = lines_of(&message.text, left_of_line(&head));
            if lines.len() > 1 {
                let begin = self.tags(tags(Some(message.id)));
                return self.batched(message, &begin, &target, &head, &lines);
            }
        }
        let pieces = pieces(&message.text, left_of_line(&head)).into_iter().enumerate();
        // Clients drop a second line with the same id as a duplicate.
        let line = |(nth, piece): (usize, String)| {
            let id = (nth == 0).then_some(message.id);
            format!("{}{head}{piece}", self.tags(tags(id)))
        };
        pieces.map(line).collect()
    }

    /// The lines of a message of several: IRCv3 draft/multiline.
    fn batched(
        self,
        message: &Message,
        tags: &str,
        target: &str,
        head: &str,
        lines: &[Line],
    ) -> Vec<String> {
        let batch = format!("m{}", message.id);
        let mask = self.mask(&message.author);
        let begin = format!("{tags}:{mask} BATCH +{batch} {} {target}", BATCH_TYPE);
        let line = |line: &Line| {
            let concat = if line.continues { format!(";{CONCAT}") } else { String::new() };
            format!("@batch={batch}{concat} {head}{}", line.text)
        };
        let end = format!(":{} BATCH -{batch}", self.server);
        std::iter::once(begin).chain(lines.iter().map(line)).chain([end]).collect()
    }

    /// The lines of a message that the engine does not know.
    pub(crate) fn whisper(self, tags: Tags<'_>, verb: &str, to: &str, text: &str) -> Vec<String> {
        let head = format!(":{} {verb} {to} :", self.mask(tags.by));
        let pieces = pieces(text, left_of_line(&head)).into_iter();
        pieces.map(|piece| format!("{}{head}{piece}", self.tags(tags))).collect()
    }

    fn tags(self, tags: Tags<'_>) -> String {
        let Tags { at, by, id, is_bot } = tags;
        let mut all: Vec<String> = Vec::new();
        if let Some(time) = time(at).filter(|_| self.caps.has(Caps::SERVER_TIME)) {
            all.push(format!("time={time}"));
        }
        if let Some(id) = id.filter(|_| self.caps.has(Caps::MESSAGE_TAGS)) {
            all.push(format!("msgid={id}"));
        }
        if is_bot && self.caps.has(Caps::MESSAGE_TAGS) {
            all.push("bot".into());
        }
        if by.uid.is_some() && self.caps.has(Caps::ACCOUNT_TAG) {
            all.push(format!("account={}", tag_value(&names::nick(by))));
        }
        if all.is_empty() { String::new() } else { format!("@{} ", all.join(";")) }
    }
}

/// The user part of a mask; it differs between an account and a guest of the same name.
pub(crate) fn user(person: &Person) -> String {
    person.uid.map_or_else(|| "guest".into(), |uid| uid.to_string())
}

/// `2023-11-14T22:13:20.000Z`
pub(crate) fn time(at: Timestamp) -> Option<String> {
    let ms = i64::try_from(at.0).ok()?;
    let at = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Adds the trailing parameter, cut to the room in the line.
pub(crate) fn trailing(mut line: String, text: &str) -> String {
    line.push_str(" :");
    let text: String = text.chars().map(|char| if is_end(char) { ' ' } else { char }).collect();
    let fits = floor_char_boundary(&text, left_of_line(&line));
    line.push_str(&text[..fits]);
    line
}

fn is_end(char: char) -> bool {
    matches!(char, '\0' | '\r' | '\n')
}

/// A parameter before the last, as the client sent it; `*` where it cannot be one.
fn middle(param: &str) -> &str {
    let sound = !param.is_empty() && !param.starts_with(':') && !param.contains(' ');
    if sound { param } else { "*" }
}

/// The value of a tag: IRCv3 message tags, escaping.
fn tag_value(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            ';' => value.push_str("\\:"),
            ' ' => value.push_str("\\s"),
            '\\' => value.push_str("\\\\"),
            '\r' => value.push_str("\\r"),
            '\n' => value.push_str("\\n"),
            char => value.push(char),
        }
    }
    value
}

/// A line with one more tag.
pub(crate) fn with_tag(tag: &str, line: &str) -> String {
    match line.strip_prefix('@') {
        Some(tagged) => format!("@{tag};{tagged}"),
        None => format!("@{tag} {line}"),
    }
}

/// A line as one of a batch. A line of an inner batch is in the outer one by the start of the inner.
pub(crate) fn in_batch(batch: &str, line: String) -> String {
    if line.starts_with("@batch=") { line } else { with_tag(&format!("batch={batch}"), &line) }
}

/// Words in lines that begin with `head`, as many in each as fit.
pub(crate) fn rows(
    head: &str,
    separator: char,
    words: impl Iterator<Item = String>,
) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in words {
        match rows.last_mut() {
            Some(row) if row.len() + 1 + word.len() <= LINE_BYTES_MAX => {
                row.push(separator);
                row.push_str(&word);
            }
            _ => rows.push(format!("{head}{word}")),
        }
    }
    rows
}

fn left_of_line(head: &str) -> usize {
    LINE_BYTES_MAX.saturating_sub(head.len()).max(TEXT_BYTES_LEAST)
}

/// A text in pieces of one line each, none of them empty. The marks of client-to-client commands
/// are removed; only `/me` becomes one, an ACTION.
fn pieces(text: &str, bytes_max: usize) -> Vec<String> {
    const MARKS_BYTES: usize = "\x01ACTION \x01".len();
    let mut pieces = Vec::new();
    for (nth, line) in lines(text).iter().enumerate() {
        match line.strip_prefix(ME).filter(|_| nth == 0) {
            Some(action) => {
                let actions = cut(action, bytes_max - MARKS_BYTES).into_iter();
                pieces.extend(actions.map(|piece| format!("\x01ACTION {piece}\x01")));
            }
            None => pieces.extend(cut(line, bytes_max).into_iter().map(String::from)),
        }
    }
    if pieces.is_empty() {
        pieces.push(" ".into());
    }
    pieces
}

/// The lines of a text, an empty one between others as a space: a message has a character. Empty
/// lines at the start and the end are left out: many clients end each text with one.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace(['\0', '\x01'], "").replace("\r\n", "\n");
    let shown = |line: &str| if line.is_empty() { " ".into() } else { line.into() };
    let within = text.trim_matches(is_end);
    let within = if within.is_empty() { None } else { Some(within) };
    let mut lines = within.into_iter().flat_map(|text| text.split(is_end)).map(shown);
    let mut shown: Vec<String> = lines.by_ref().take(TEXT_LINES_MAX - 1).collect();
    let rest: Vec<String> = lines.collect();
    if !rest.is_empty() {
        shown.push(rest.join(" "));
    }
    shown
}

/// A text, cut between characters to at most so many bytes.
pub(crate) fn cut_to(text: &str, bytes_max: usize) -> &str {
    &text[..floor_char_boundary(text, bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_line_ends_and_between_characters() {
        assert_eq!(pieces("a\n\r\n b\rc\n", 64), ["a", " ", " b", "c"]);
        assert_eq!(pieces("\n\na\n\n\nb\r\n\r\n", 64), ["a", " ", " ", "b"]);
        assert_eq!(pieces("a\r\nb", 64), ["a", "b"]);
        assert_eq!(pieces("茶茶茶", 64 / 9), ["茶茶", "茶"]);
        assert_eq!(pieces(&"x".repeat(130), 64).iter().map(String::len).sum::<usize>(), 130);
        assert_eq!(pieces("\n\n", 64), [" "]);
    }

    #[test]
    fn a_text_becomes_at_most_fifty_lines_and_loses_nothing() {
        let pieces = pieces(&"a\n".repeat(60), 64);
        assert_eq!(pieces.len(), 50);
        assert_eq!(pieces[49], "a a a a a a a a a a a");
    }

    #[test]
    fn only_actions_are_client_to_client_commands() {
        assert_eq!(pieces("\x01VERSION\x01", 64), ["VERSION"]);
        assert_eq!(pieces("/me waves\n/me smiles", 64), ["\x01ACTION waves\x01", "/me smiles"]);
        assert_eq!(pieces("/meow", 64), ["/meow"]);
        let long = pieces(&format!("/me {}", "x".repeat(100)), 64);
        assert!(long.iter().all(|piece| piece.len() <= 64 && piece.starts_with("\x01ACTION ")));
    }

    #[test]
    fn a_trailing_parameter_is_cut_and_has_no_line_ends() {
        let line = trailing("x".repeat(500), "one\r\ntwo \u{0} three");
        assert_eq!(line.len(), 500 + 2 + "one  two   three".len());
        let line = trailing("x".repeat(400), &"茶".repeat(100));
        assert_eq!(line.len(), 400 + 2 + 108);
    }

    #[test]
    fn a_time_is_in_the_format_of_server_time() {
        let at = |ms| time(Timestamp(ms));
        assert_eq!(at(1_700_000_000_007).as_deref(), Some("2023-11-14T22:13:20.007Z"));
        assert_eq!(at(u64::MAX), None);
    }

    #[test]
    fn a_tag_value_is_escaped() {
        assert_eq!(tag_value("a b;c\\d"), "a\\sb\\:c\\\\d");
    }
}

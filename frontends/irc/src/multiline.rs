//! Texts of several lines, and of lines that are longer than the protocol's: IRCv3
//! draft/multiline. A client that has the capability sends and receives them as one message.

use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode::{self, TEXT_LINES_MAX};
use crate::message::Draft;
use crate::names;
use crate::numeric::ERR_UNKNOWNCOMMAND;
use crate::parse::Message;
use crate::state::IrcSession;

/// The type of the batch.
pub(crate) const BATCH_TYPE: &str = "draft/multiline";

/// The longest text of a batch, in bytes, with its line ends: as much as a text of the other dialects
/// has by default, in Latin letters.
pub(crate) const BYTES_MAX: usize = 16_384;

/// The value of the capability.
pub(crate) const LIMITS: &str = "max-bytes=16384,max-lines=50";

/// A batch that the client has begun.
pub(crate) struct Multiline {
    reference: String,
    target: String,
    /// The label and the client's own id in its first line, which are those of the whole.
    label: Option<String>,
    client_id: Option<String>,
    verb: Option<&'static str>,
    text: String,
    lines: usize,
    /// Whether the client knows already that nothing of it will be posted.
    is_refused: bool,
}

/// Why a batch is refused: the code of the standard reply, what it is about, and the text.
type Fault = (&'static str, Vec<String>, &'static str);

/// A line of a text, as much of it as a line of the protocol holds.
pub(crate) struct Line {
    pub(crate) text: String,
    /// Whether it continues the one before it.
    pub(crate) continues: bool,
}

/// The lines of a text, of at most so many bytes each. Lines beyond the most become one, as for
/// clients without the capability. A text of nothing but line ends has none.
pub(crate) fn lines(text: &str, bytes_max: usize) -> Vec<Line> {
    let text = text.replace(['\0', '\x01'], "").replace("\r\n", "\n").replace('\r', "\n");
    if text.bytes().all(|byte| byte == b'\n') {
        return Vec::new();
    }
    let mut lines: Vec<&str> = text.split('\n').collect();
    let rest = lines.split_off(lines.len().min(TEXT_LINES_MAX - 1));
    let joined = rest.join(" ");
    lines.extend((!rest.is_empty()).then_some(joined.as_str()));
    lines.into_iter().flat_map(|line| pieces(line, bytes_max)).collect()
}

/// A line in pieces, at least one.
fn pieces(line: &str, bytes_max: usize) -> Vec<Line> {
    let mut pieces = encode::cut(line, bytes_max);
    if pieces.is_empty() {
        pieces.push("");
    }
    let piece = |(nth, text): (usize, &str)| Line { text: text.into(), continues: nth > 0 };
    pieces.into_iter().enumerate().map(piece).collect()
}

impl IrcSession {
    /// Whether the client can send and receive texts of several lines: it needs both capabilities.
    pub(crate) fn has_multiline(&self) -> bool {
        self.has(Caps::MULTILINE) && self.has(Caps::BATCH)
    }

    /// `BATCH +reference draft/multiline target` and `BATCH -reference`.
    pub(crate) fn batch(&mut self, message: &Message<'_>, out: &mut Outbox) {
        if !self.has_multiline() {
            let line = self.numeric(ERR_UNKNOWNCOMMAND, &["BATCH"], "Unknown command");
            return self.say(vec![line], out);
        }
        let param = message.param(0);
        if let Some(reference) = param.strip_prefix('+') {
            self.begin_batch(reference, message, out);
        } else if let Some(reference) = param.strip_prefix('-') {
            self.end_batch(reference, out);
        } else {
            self.refuse_batch(("MULTILINE_INVALID", vec![param.into()], "That is no batch"), out);
        }
    }

    fn begin_batch(&mut self, reference: &str, message: &Message<'_>, out: &mut Outbox) {
        let target = message.param(2);
        let fault = if self.multiline.is_some() {
            Some("Another batch has not ended")
        } else if message.param(1) != BATCH_TYPE {
            Some("Batches of this type are not accepted")
        } else if reference.is_empty() || target.is_empty() || target.contains(',') {
            Some("A batch has a reference and one target")
        } else {
            None
        };
        self.multiline = Some(Multiline {
            reference: reference.into(),
            target: target.into(),
            label: message.label.map(str::to_owned),
            client_id: message.client_id.map(str::to_owned),
            verb: None,
            text: String::new(),
            lines: 0,
            is_refused: false,
        });
        if let Some(why) = fault {
            self.refuse_batch(("MULTILINE_INVALID", vec![reference.into()], why), out);
        }
    }

    /// The label of the batch that ends here.
    pub(crate) fn batch_label(&self, param: &str) -> Option<&str> {
        let reference = param.strip_prefix('-')?;
        let batch = self.multiline.as_ref().filter(|batch| batch.reference == reference)?;
        batch.label.as_deref()
    }

    /// Adds a line of a batch to it; false if the line is of none.
    pub(crate) fn take_batched(
        &mut self,
        verb: &'static str,
        message: &Message<'_>,
        out: &mut Outbox,
    ) -> bool {
        let Some(reference) = message.batch.filter(|_| self.has_multiline()) else {
            return false;
        };
        let fault = match &mut self.multiline {
            Some(batch) if batch.reference == reference => batch.add(verb, message).err(),
            _ => Some(("MULTILINE_INVALID", vec![reference.into()], "There is no such batch")),
        };
        if let Some(fault) = fault {
            self.refuse_batch(fault, out);
        }
        true
    }

    fn end_batch(&mut self, reference: &str, out: &mut Outbox) {
        let batch = self.multiline.take_if(|batch| batch.reference == reference);
        let Some(Multiline { target, verb, text, client_id, is_refused, .. }) = batch else {
            let why = "There is no such batch";
            return self.refuse_batch(("MULTILINE_INVALID", vec![reference.into()], why), out);
        };
        let is_blank = text.chars().all(|char| char == '\n');
        match verb {
            _ if is_refused => (),
            Some(verb) if !is_blank => {
                let quiet = verb == "NOTICE";
                let (targets, client_id) = (target.as_str(), client_id.as_deref());
                self.post_draft(&Draft { verb, targets, text: &text, client_id, quiet }, out);
            }
            _ => {
                let why = "A batch has a line that is not empty";
                self.refuse_batch(("MULTILINE_INVALID", vec![reference.into()], why), out);
            }
        }
    }

    /// Tells the client once why a batch is refused, and passes over what is left of it.
    fn refuse_batch(&mut self, (code, about, why): Fault, out: &mut Outbox) {
        let is_known = self.multiline.as_mut().is_some_and(|batch| {
            batch.text.clear();
            std::mem::replace(&mut batch.is_refused, true)
        });
        if !is_known {
            let about: Vec<&str> = about.iter().map(String::as_str).collect();
            let line = self.fail("BATCH", code, &about, why);
            self.say(vec![line], out);
        }
    }
}

impl Multiline {
    fn add(&mut self, verb: &'static str, message: &Message<'_>) -> Result<(), Fault> {
        if self.is_refused {
            return Ok(());
        }
        let line = message.param(1);
        if *self.verb.get_or_insert(verb) != verb || (message.continues && line.is_empty()) {
            let why = "The lines of a batch are all PRIVMSG or all NOTICE, and continue with text";
            return Err(("MULTILINE_INVALID", vec![self.reference.clone()], why));
        }
        if !names::same(message.param(0), &self.target) {
            let about = vec![self.target.clone(), message.param(0).into()];
            return Err(("MULTILINE_INVALID_TARGET", about, "The lines have one target"));
        }
        if self.lines > 0 && !message.continues {
            self.text.push('\n');
        }
        self.lines += usize::from(self.lines == 0 || !message.continues);
        self.text.push_str(line);
        if self.lines > TEXT_LINES_MAX {
            let max = vec![TEXT_LINES_MAX.to_string()];
            return Err(("MULTILINE_MAX_LINES", max, "The batch has too many lines"));
        }
        if self.text.len() > BYTES_MAX {
            return Err((
                "MULTILINE_MAX_BYTES",
                vec![BYTES_MAX.to_string()],
                "The batch is too long",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, bytes_max: usize) -> Vec<String> {
        let mark = |line: Line| format!("{}{}", if line.continues { "+" } else { "" }, line.text);
        lines(text, bytes_max).into_iter().map(mark).collect()
    }

    #[test]
    fn a_text_is_whole_in_its_lines() {
        assert_eq!(parts("a\n\n b\r\nc\n", 64), ["a", "", " b", "c", ""]);
        assert_eq!(parts("茶茶茶\nx", 7), ["茶茶", "+茶", "x"]);
        assert_eq!(parts("/me waves\x01\0", 64), ["/me waves"]);
        assert_eq!(parts("\n\r\n", 64), [""; 0]);
    }

    #[test]
    fn lines_beyond_the_fiftieth_are_joined() {
        let lines = parts(&"a\n".repeat(60), 64);
        assert_eq!(lines.len(), 50);
        assert_eq!(lines[49], "a a a a a a a a a a a ");
        for count in [2, 49, 50] {
            assert_eq!(parts(&vec!["a"; count].join("\n"), 64), vec!["a"; count]);
        }
    }

    #[test]
    fn the_value_of_the_capability_has_the_limits() {
        assert_eq!(LIMITS, format!("max-bytes={BYTES_MAX},max-lines={TEXT_LINES_MAX}"));
    }
}

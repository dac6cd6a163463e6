//! A batch of lines that are one message, as a client sends it: IRCv3 draft/multiline.

use std::sync::Arc;

use crate::lines::TEXT_LINES_MAX;
use crate::names;
use crate::parse::Message;

/// The type of the batch.
pub(crate) const BATCH_TYPE: &str = "draft/multiline";

/// The longest text of a batch, in bytes, with its line ends: as much as a text of the other dialects
/// has by default, in Latin letters.
pub(crate) const BYTES_MAX: usize = 16_384;

/// The value of the capability.
pub(crate) const LIMITS: &str = "max-bytes=16384,max-lines=50";

/// A batch that the client has begun.
pub(crate) struct Multiline {
    pub(crate) reference: String,
    pub(crate) target: String,
    /// The label, the client's own id and the client-only tags in its first line, which are those of
    /// the whole.
    pub(crate) label: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) tags: Option<Arc<str>>,
    pub(crate) verb: Option<&'static str>,
    pub(crate) text: String,
    pub(crate) lines: usize,
    /// Whether the client knows already that nothing of it will be posted.
    pub(crate) is_refused: bool,
}

/// Why a batch is refused: the code of the standard reply, what it is about, and the text.
pub(crate) type Fault = (&'static str, Vec<String>, &'static str);

impl Multiline {
    pub(crate) fn add(&mut self, verb: &'static str, message: &Message<'_>) -> Result<(), Fault> {
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

    #[test]
    fn the_value_of_the_capability_has_the_limits() {
        assert_eq!(LIMITS, format!("max-bytes={BYTES_MAX},max-lines={TEXT_LINES_MAX}"));
    }
}

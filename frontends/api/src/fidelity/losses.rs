//! What of a message is lost on readers of a dialect, while the gateway runs.

use core_model::Message;

use super::{Fidelity, Field};
use crate::support::Support;

/// The fields of a message that a dialect does not show, prepared for asking often.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    notice: bool,
    /// Kinds of text.
    texts: Vec<Field>,
    /// Whether only texts with control characters can lose anything.
    only_with_controls: bool,
}

impl Losses {
    /// The fields whose loss depends on the message.
    pub fn fields() -> impl Iterator<Item = Field> {
        std::iter::once(Field::MessageNotice).chain(Field::texts())
    }

    /// Those of [`Self::fields`] that readers of the dialect can lose.
    pub fn possible(&self) -> impl Iterator<Item = Field> + '_ {
        let notice = self.notice.then_some(Field::MessageNotice);
        notice.into_iter().chain(self.texts.iter().copied())
    }

    /// Whether readers of the dialect lose nothing, whatever the message.
    pub fn is_empty(&self) -> bool {
        !self.notice && self.texts.is_empty()
    }

    /// What readers of a dialect lose. Nothing is known of a dialect that declares nothing.
    pub fn of(fidelity: Option<&Fidelity>) -> Self {
        let Some(fidelity) = fidelity else { return Self::default() };
        let is_lost = |field: &Field| fidelity.shown(*field).support == Support::Absent;
        let texts: Vec<Field> = Field::texts().filter(is_lost).collect();
        let whole = [Field::MessageText, Field::TextLong, Field::TextAction];
        let only_with_controls = !texts.iter().any(|field| whole.contains(field));
        Self { notice: is_lost(&Field::MessageNotice), texts, only_with_controls }
    }

    /// The fields of this message that are lost. Costs next to nothing where none is.
    pub fn in_message<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = Field> + 'a {
        let notice = (self.notice && message.notice).then_some(Field::MessageNotice);
        let texts = if self.can_lose(&message.text) { self.texts.as_slice() } else { &[] };
        let is_in = |field: &&Field| Field::of_text(&message.text).any(|found| found == **field);
        notice.into_iter().chain(texts.iter().filter(is_in).copied())
    }

    fn can_lose(&self, text: &str) -> bool {
        !self.texts.is_empty() && (!self.only_with_controls || text.bytes().any(|byte| byte < b' '))
    }
}

//! Texts of several lines, and of lines that are longer than the protocol's: IRCv3
//! draft/multiline. A client that has the capability sends and receives them as one message.

use frontend_api::Outbox;

use crate::caps::Caps;
use crate::message::Draft;
use crate::multiline::{BATCH_TYPE, Fault, Multiline};
use crate::numeric::ERR_UNKNOWNCOMMAND;
use crate::parse::Message;
use crate::state::IrcSession;

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
            tags: self.client_tags(message),
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

    /// A line was refused before it was known whether it is of the batch: without it the batch would
    /// be another message.
    pub(crate) fn spoil_batch(&mut self, out: &mut Outbox) {
        if let Some(batch) = &self.multiline {
            let about = vec![batch.reference.clone()];
            self.refuse_batch(("MULTILINE_INVALID", about, "A line was refused"), out);
        }
    }

    fn end_batch(&mut self, reference: &str, out: &mut Outbox) {
        let batch = self.multiline.take_if(|batch| batch.reference == reference);
        let Some(Multiline { target, verb, text, client_id, tags, is_refused, .. }) = batch else {
            let why = "There is no such batch";
            return self.refuse_batch(("MULTILINE_INVALID", vec![reference.into()], why), out);
        };
        let is_blank = text.chars().all(|char| char == '\n');
        match verb {
            _ if is_refused => (),
            Some(verb) if !is_blank => {
                let (targets, client_id) = (target.as_str(), client_id.as_deref());
                let quiet = self.is_quiet(verb, client_id);
                let draft = Draft { verb, targets, text: &text, client_id, tags, quiet };
                self.post_draft(&draft, out);
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

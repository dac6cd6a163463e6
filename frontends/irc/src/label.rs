//! labeled-response of IRCv3: the lines that a request led to carry the label of the request.

use frontend_api::{Outbox, Output};

use crate::caps::Caps;
use crate::encode;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::pending_lines::Label;
use crate::state::{IrcSession, send};

/// The longest label: IRCv3 labeled-response.
const LABEL_BYTES_MAX: usize = 64;

impl IrcSession {
    /// The label of a request. A response of several lines is a batch, so a client needs both
    /// capabilities.
    ///
    /// What a batch leads to comes at its end, so its label counts there.
    pub(crate) fn label_of(&self, message: &Message<'_>) -> Option<String> {
        let label = match message.verb.as_str() {
            "BATCH" if self.has_multiline() => self.batch_label(message.param(0)),
            _ => message.label,
        };
        self.usable_label(label)
    }

    /// A label, if the client has the capabilities and it is well-formed.
    pub(crate) fn usable_label(&self, label: Option<&str>) -> Option<String> {
        let is_offered = self.has(Caps::LABELED_RESPONSE) && self.has(Caps::BATCH);
        let label = label.filter(|label| !label.is_empty())?;
        (is_offered && label.len() <= LABEL_BYTES_MAX).then(|| label.to_owned())
    }

    /// Runs a request, and keeps what it sends if it has a label.
    pub(crate) fn with_label(
        &mut self,
        message: &Message<'_>,
        out: &mut Outbox,
        run: impl FnOnce(&mut Self, &mut Outbox),
    ) {
        self.with_label_of(self.label_of(message), out, run);
    }

    /// The same for a request whose label is known.
    pub(crate) fn with_label_of(
        &mut self,
        label: Option<String>,
        out: &mut Outbox,
        run: impl FnOnce(&mut Self, &mut Outbox),
    ) {
        let Some(label) = label else { return run(self, out) };
        self.label = Some(Label { value: label, lines: Vec::new() });
        self.capture(out, run);
        self.end_label(out);
    }

    /// Does something whose lines belong to the response to the labeled request, if there is one.
    pub(crate) fn capture(&mut self, out: &mut Outbox, act: impl FnOnce(&mut Self, &mut Outbox)) {
        if self.label.is_none() {
            return act(self, out);
        }
        let mut inner = Outbox::default();
        act(self, &mut inner);
        for output in inner.drain() {
            match (output, &mut self.label) {
                // A PING is no response to anything.
                (Output::SendText(line), Some(label)) if !line.starts_with("PING ") => {
                    label.lines.push(line);
                }
                (Output::Close, _) => {
                    self.send_labeled(out);
                    out.close();
                }
                (output, _) => out.push(output),
            }
        }
    }

    /// Sends the response, or waits until all of it is known.
    pub(crate) fn end_label(&mut self, out: &mut Outbox) {
        if self.label.is_none() {
        } else if self.pending.is_idle() {
            self.send_labeled(out);
        } else {
            self.wait_turn(PendingReply::LabelEnd, out);
        }
    }

    fn send_labeled(&mut self, out: &mut Outbox) {
        let Some(Label { value, mut lines }) = self.label.take() else { return };
        let (server, tag) = (&self.options.server_name, format!("label={value}"));
        match lines.len() {
            0 => send(format!("@{tag} :{server} ACK"), out),
            1 => out.send_text(encode::with_tag(&tag, &lines.remove(0))),
            _ if is_one_batch(&lines) => {
                out.send_text(encode::with_tag(&tag, &lines.remove(0)));
                lines.into_iter().for_each(|line| out.send_text(line));
            }
            _ => {
                self.batches += 1;
                let batch = format!("l{}", self.batches);
                send(format!("@{tag} :{server} BATCH +{batch} labeled-response"), out);
                lines.into_iter().for_each(|line| out.send_text(encode::in_batch(&batch, line)));
                send(format!(":{server} BATCH -{batch}"), out);
            }
        }
    }
}

/// Whether lines are a batch from the first to the last: then the label belongs to that batch.
fn is_one_batch(lines: &[String]) -> bool {
    let batch = |line: &'_ String, sign| -> Option<String> {
        let mut words = line.trim_end().split(' ').skip(1);
        let name = words.next().filter(|verb| *verb == "BATCH").and_then(|_| words.next())?;
        name.strip_prefix(sign).map(String::from)
    };
    let begun = lines.first().and_then(|line| batch(line, '+'));
    begun.is_some() && begun == lines.last().and_then(|line| batch(line, '-'))
}

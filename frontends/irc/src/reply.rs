//! Lines to the client, made with what the session knows of it.

use core_model::{Outcome, Person, Refusal};
use frontend_api::Outbox;

use crate::encode::{self, Reader, Tags};
use crate::numeric::Numeric;
use crate::refusal::{self, About, RequestKind};
use crate::state::{IrcSession, send};

impl IrcSession {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { server: &self.options.server_name, caps: self.caps }
    }

    pub(crate) fn numeric(&self, numeric: Numeric, params: &[&str], text: &str) -> String {
        self.reader().numeric(numeric, &self.nick, params, Some(text))
    }

    /// A numeric without a text.
    pub(crate) fn bare(&self, numeric: Numeric, params: &[&str]) -> String {
        self.reader().numeric(numeric, &self.nick, params, None)
    }

    /// A line whose source is the client itself.
    pub(crate) fn my_line(&self, rest: &str) -> String {
        self.line_by(&self.me, rest)
    }

    /// A line whose source is a user, stamped with the current time.
    pub(crate) fn line_by(&self, by: &Person, rest: &str) -> String {
        self.reader().line_by(Tags { at: self.now, by, id: None, is_bot: self.is_bot(by) }, rest)
    }

    /// A FAIL of IRCv3 standard replies.
    pub(crate) fn fail(&self, verb: &str, code: &str, about: &[&str], text: &str) -> String {
        let mut head = format!(":{} FAIL {verb} {code}", self.options.server_name);
        for about in about.iter().filter(|about| !about.is_empty() && !about.contains(' ')) {
            head.push(' ');
            head.push_str(about.trim_start_matches(':'));
        }
        encode::trailing(head, text)
    }

    /// The numeric for a refusal.
    pub(crate) fn refusal_line(
        &self,
        request: RequestKind,
        verb: &str,
        target: &str,
        refusal: &Refusal,
    ) -> String {
        let report = refusal::report(request, refusal);
        let params: &[&str] = match report.about {
            About::Nothing => &[],
            About::Verb => &[verb],
            About::Target => &[target],
        };
        self.numeric(report.numeric, params, &report.text)
    }

    /// Sends the numeric for an outcome other than the one that the request expects. A reply of
    /// another kind counts as an internal error.
    pub(crate) fn report(
        &self,
        request: RequestKind,
        verb: &str,
        target: &str,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let unexpected = Refusal::Internal { why: String::new() };
        let refusal = outcome.as_ref().err().unwrap_or(&unexpected);
        send(self.refusal_line(request, verb, target, refusal), out);
    }
}

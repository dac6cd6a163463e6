//! Begins with the requests of a stream session, in their turn.

use super::StreamSession;
use crate::runtime::session::admission::needs_passwords;
use crate::runtime::session::pending::{self, Finished, Pending};
use crate::runtime::session::unread;

impl StreamSession {
    /// Begins with the oldest request, which waited for all before it.
    pub(super) fn begin(&mut self) {
        let Some(head) = self.pending.front_mut() else { return };
        let request = std::mem::replace(head, Pending::Running);
        let services = &self.driver.services;
        match request {
            Pending::Query(query) if services.is_heavy(&query) => {
                let answer = self.driver.query_blocking(query);
                self.running = Some(Box::pin(async {
                    let (outcome, unread) = answer.await;
                    Finished::Answer(Box::new(outcome), Some(unread))
                }));
            }
            Pending::Query(query) => {
                let has_room = unread::has_room_for(services, self.driver.address, &query);
                let decided = if has_room {
                    let outcome = self.driver.query(services.clock.now(), &query);
                    self.decided(outcome)
                } else {
                    self.refuse_unread()
                };
                self.replace_head(decided);
            }
            Pending::Fetch(fetch) => {
                let (services, frontend) = (services.clone(), self.driver.frontend.clone());
                self.running = Some(Box::pin(async move {
                    let answer = services.fetcher.fetch(&frontend, &fetch).await;
                    Finished::Answer(Box::new(answer), None)
                }));
            }
            Pending::Authorize(ask) => {
                let answer = self.driver.authorize(*ask);
                self.running =
                    Some(Box::pin(async { Finished::Answer(Box::new(answer.await), None) }));
            }
            Pending::Command(command) if needs_passwords(&command.command) => {
                self.running = Some(Box::pin(pending::settle(
                    services.clone(),
                    self.driver.frontend.clone(),
                    self.driver.address,
                    command,
                )));
            }
            Pending::Command(command) => {
                let submitted = self.submit_now(*command);
                self.replace_head(submitted);
            }
            _ => unreachable!("only what was not begun yet is begun"),
        }
    }

    fn replace_head(&mut self, head: Pending) {
        self.unsubmitted -= 1;
        self.pending[0] = head;
        self.submit_unblocked();
    }

    /// Submits the commands that nothing before them holds back any more.
    pub(super) fn submit_unblocked(&mut self) {
        for at in 0..self.pending.len() {
            match &self.pending[at] {
                Pending::Answered(..) | Pending::Decided(_) | Pending::Submitted { .. } => (),
                Pending::Command(command) if !needs_passwords(&command.command) => {
                    let taken = std::mem::replace(&mut self.pending[at], Pending::Running);
                    let Pending::Command(command) = taken else { unreachable!("matched above") };
                    self.pending[at] = self.submit_now(*command);
                    self.unsubmitted -= 1;
                }
                _ => return,
            }
        }
    }
}

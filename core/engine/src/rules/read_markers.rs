//! Marking conversations as read.

use core_model::{ConversationRef, Reply, Timestamp, UserRef};

use super::context::{BatchContext, CommandContext};
use crate::error::Error;
use crate::read_markers;

/// Conversations of a user with a mark: more than a person has, few enough that one account cannot
/// fill the table.
const MARKERS_MAX: usize = 1_000;

impl BatchContext<'_> {
    pub(super) fn mark_read(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        conversation: &ConversationRef,
        at: Timestamp,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        let stream = read_markers::find(&self.batch, cx.request, uid, conversation)?;
        if let ConversationRef::User(UserRef::Token(hash)) = conversation {
            self.slide(cx.request.now, hash)?;
        }
        let known = read_markers::get(&self.batch, uid, stream)?;
        let at = at.min(Timestamp(cx.request.now));
        if known.unwrap_or_default() >= at {
            return Ok(Reply::ReadMarker { at: known });
        }
        if known.is_none() {
            let markers = read_markers::all(&self.batch, uid)?;
            if markers.len() >= MARKERS_MAX
                && let Some((earliest, _)) = markers.into_iter().min_by_key(|(_, at)| *at)
            {
                self.batch.cursors_mut()?.remove((uid, earliest))?;
            }
        }
        self.batch.cursors_mut()?.insert((uid, stream), at.0)?;
        Ok(Reply::ReadMarker { at: Some(at) })
    }
}

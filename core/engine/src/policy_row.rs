//! What rows say of the policies of rooms.

use core_model::{ExportedPolicy, MaskList, Policy, TokenHash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What holds in a room.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct PolicyRow {
    pub(crate) moderated: bool,
    pub(crate) secret: bool,
    pub(crate) invite_only: bool,
    pub(crate) open_topic: bool,
    pub(crate) open_posts: bool,
    /// The hash of the key: see [`PolicyRow::key_hash`].
    pub(crate) key: Option<[u8; 32]>,
    /// How many rows of each list, by [`ListId`], the room has in `room_masks`.
    pub(crate) masks: [u32; 4],
}

/// A list of a room in `room_masks`.
#[derive(Clone, Copy)]
pub(crate) enum ListId {
    Bans = 0,
    Exceptions = 1,
    Invitations = 2,
    /// Users that may enter once, by the keys of persons instead of masks.
    Invited = 3,
}

impl From<MaskList> for ListId {
    fn from(list: MaskList) -> Self {
        match list {
            MaskList::Ban => Self::Bans,
            MaskList::Exception => Self::Exceptions,
            MaskList::Invitation => Self::Invitations,
        }
    }
}

impl PolicyRow {
    pub(crate) fn has(&self, list: ListId) -> bool {
        self.masks[list as usize] > 0
    }

    /// Whether entering takes more than room.
    pub(crate) fn guards_entrance(&self) -> bool {
        self.invite_only || self.key.is_some() || self.has(ListId::Bans)
    }

    /// What is stored of a key: a reader of the store cannot use it elsewhere.
    pub(crate) fn key_hash(room: u32, key: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"room key\0")
            .chain_update(room.to_be_bytes())
            .chain_update(key.as_bytes())
            .finalize()
            .into()
    }

    pub(crate) fn view(&self) -> Policy {
        Policy {
            moderated: self.moderated,
            secret: self.secret,
            invite_only: self.invite_only,
            open_topic: self.open_topic,
            open_posts: self.open_posts,
            keyed: self.key.is_some(),
        }
    }
}

impl From<ExportedPolicy> for PolicyRow {
    fn from(policy: ExportedPolicy) -> Self {
        let ExportedPolicy { moderated, secret, invite_only, open_topic, open_posts, key_hash } =
            policy;
        let key = key_hash.map(|hash| hash.0);
        Self { moderated, secret, invite_only, open_topic, open_posts, key, masks: [0; 4] }
    }
}

impl From<&PolicyRow> for ExportedPolicy {
    fn from(row: &PolicyRow) -> Self {
        let PolicyRow { moderated, secret, invite_only, open_topic, open_posts, key, masks: _ } =
            *row;
        let key_hash = key.map(TokenHash);
        Self { moderated, secret, invite_only, open_topic, open_posts, key_hash }
    }
}

/// A row of a list of masks.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct MaskRow {
    /// The handle of the user that has added it; "" for the gateway.
    pub(crate) by: String,
    pub(crate) at: u64,
}

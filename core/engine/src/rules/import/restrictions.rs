//! Bans and mutes.

use std::net::Ipv6Addr;

use core_model::{BANS_MAX, BanNetwork, Banned, ExportedBan, ExportedMute, MUTES_MAX, Uid};
use redb::{ReadableTable as _, ReadableTableMetadata as _};

use super::{ImportBatch, Outcome, RecordError, Taken};
use crate::bans;
use crate::rows::BanRow;
use crate::tables::Tables as _;

impl ImportBatch<'_, '_> {
    pub(super) fn ban(&mut self, ban: &ExportedBan) -> Outcome {
        let target = match (ban.user, &ban.identity, &ban.network) {
            (Some(uid), ..) => match self.known_user("user", uid)? {
                Some(uid) => Banned::User(Uid(uid)),
                None => return Ok(Taken::LeftOut),
            },
            (None, Some(identity), _) => Banned::Identity(identity.clone()),
            (None, None, network) => {
                Banned::Network(self::network(network.as_deref().unwrap_or_default())?)
            }
        };
        if self.cx.batch.bans()?.get(bans::key(&target).as_slice())?.is_some() {
            return Ok(Taken::There);
        }
        if self.cx.batch.bans()?.len()? >= BANS_MAX as u64 {
            return Ok(Taken::Conflict(format!("there are {BANS_MAX} bans already")));
        }
        let reason = ban.reason.clone();
        let (created, until) = (ban.created.0, bans::ends(ban.until));
        let row = BanRow { reason, created, until, deleted: ban.deleted };
        self.cx.write_ban(&target, &row)?;
        Ok(Taken::New)
    }

    pub(super) fn mute(&mut self, mute: &ExportedMute) -> Outcome {
        let room = self.known_room("room", mute.room)?;
        let user = self.known_user("user", mute.user)?;
        let (Some(room), Some(uid)) = (room, user) else { return Ok(Taken::LeftOut) };
        if self.cx.batch.mutes()?.get((room, uid))?.is_some() {
            return Ok(Taken::There);
        }
        if self.cx.batch.mutes()?.len()? >= MUTES_MAX as u64 {
            return Ok(Taken::Conflict(format!("there are {MUTES_MAX} mutes already")));
        }
        self.cx.write_mute(room, uid, mute.until)?;
        Ok(Taken::New)
    }
}

/// A network as an export has it: an IPv6 address, and the length of the prefix.
fn network(text: &str) -> Result<BanNetwork, RecordError> {
    let parts = text.split_once('/').and_then(|(address, prefix)| {
        let bits = address.parse::<Ipv6Addr>().ok()?.to_bits();
        Some(BanNetwork { bits, prefix: prefix.parse().ok().filter(|prefix| *prefix <= 128)? })
    });
    parts.ok_or_else(|| {
        let why =
            format!("{text:?} is no IPv6 network, such as 2001:db8::/32 or ::ffff:10.0.0.0/104");
        RecordError::field("network", why)
    })
}

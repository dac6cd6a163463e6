//! Banned networks: a copy of those in the store, which every command and query is checked against.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use core_engine::Engine;
use core_model::{Ban, BanNetwork, Banned, Refusal, Timestamp};
use parking_lot::Mutex;

use crate::peer_address;

/// Bans that are read from the store at a time.
const PAGE: usize = 1_000;

/// By the length of their prefix: the networks of each, with the last bits zero.
type ByPrefix = BTreeMap<u8, HashMap<u128, Ban>>;

#[derive(Debug, Default)]
pub(crate) struct NetworkBans {
    copy: ArcSwapOption<ByPrefix>,
    /// Held from the first look at the store to the new copy: else what was read before a change
    /// could replace what was read after it.
    reading: Mutex<()>,
}

impl NetworkBans {
    /// Reads them from the store again. If it cannot be read, the bans stay as they are.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let _reading = self.reading.lock();
        let mut networks = ByPrefix::new();
        let mut after = None;
        loop {
            let bans = engine.bans(now, after.as_ref(), PAGE)?;
            after = bans.last().filter(|_| bans.len() == PAGE).map(|last| last.target.clone());
            bans.into_iter().for_each(|ban| add(&mut networks, ban));
            if after.is_none() {
                break;
            }
        }
        self.copy.store((!networks.is_empty()).then(|| Arc::new(networks)));
        Ok(())
    }

    /// Refuses an address of a banned network. A peer without an address is in none.
    pub(crate) fn check(&self, address: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        let networks = self.copy.load();
        let Some(networks) = &*networks else { return Ok(()) };
        let Some(address) = peer_address::known(address) else { return Ok(()) };
        let bits = bits(address);
        for (prefix, bans) in &**networks {
            let network = bits & mask(*prefix);
            if let Some(ban) = bans.get(&network)
                && ban.until.is_none_or(|until| until > now)
            {
                return Err(Refusal::Banned { reason: ban.reason.clone(), until: ban.until });
            }
        }
        Ok(())
    }
}

fn add(networks: &mut ByPrefix, ban: Ban) {
    if let Banned::Network(BanNetwork { bits, prefix }) = ban.target {
        networks.entry(prefix).or_default().insert(bits & mask(prefix), ban);
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

/// The bits of an address, one of IPv4 mapped.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

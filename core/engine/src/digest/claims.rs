//! Which gateways have equal stores, as their claims in the log say.
//!
//! Each gateway adds its checkpoints to its entries, and each reads the claims of all, its own too. So
//! all come to the same verdict without another word: at the first checkpoint that tells, a gateway
//! stops whose digest is not that of more than half of the live runs and itself, if there is such a
//! one. Where no digest is that of more than half (of two gateways, each has one) it cannot be known
//! which store is right: then all go on, and say so.

use std::collections::{BTreeMap, VecDeque};

use super::Checkpoint;

/// Checkpoints that are remembered, of this store and of claims: some minutes' worth.
const REMEMBERED: usize = 256;

/// The live runs, with the names of their nodes.
pub(crate) type LiveRuns = BTreeMap<u64, String>;

/// What claims say of this store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Open,
    /// All live runs have its digest.
    Equal,
    /// More than half have its digest, and these nodes have others.
    Others(String),
    /// More than half have one digest, and this store another: those nodes.
    Differs(String),
    /// No digest is that of more than half: each node with its digest.
    Split(String),
}

/// Claims by checkpoint, and this store's own checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    own: VecDeque<Checkpoint>,
    /// Position → run → digest.
    claimed: BTreeMap<u64, BTreeMap<u64, u64>>,
}

impl Claims {
    pub(crate) fn reached(&mut self, checkpoint: Checkpoint) {
        if self.own.len() == REMEMBERED {
            self.own.pop_front();
        }
        self.own.push_back(checkpoint);
    }

    /// A run claims a checkpoint. What that, with all earlier claims, says.
    pub(crate) fn claim(&mut self, run: u64, claim: Checkpoint, live: &LiveRuns) -> Verdict {
        let Ok(place) = self.own.binary_search_by_key(&claim.at, |own| own.at) else {
            // Before this gateway began, or no checkpoint at all.
            return Verdict::Open;
        };
        let own = self.own[place].digest;
        let claims = self.claimed.entry(claim.at).or_default();
        claims.insert(run, claim.digest);
        claims.retain(|run, _| live.contains_key(run));
        let verdict = judge(own, claims, live);
        while self.claimed.len() > REMEMBERED {
            self.claimed.pop_first();
        }
        verdict
    }
}

fn judge(own: u64, claims: &BTreeMap<u64, u64>, live: &LiveRuns) -> Verdict {
    let mut digests: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (run, digest) in claims {
        digests.entry(*digest).or_default().push(&live[run]);
    }
    // This store has a voice though its gateway has not claimed: it may be catching up, beside one gateway
    // whose store is wrong.
    let voices = live.len() + usize::from(!digests.contains_key(&own));
    let majority = digests.iter().find(|(_, nodes)| nodes.len() * 2 > voices);
    match majority {
        Some((digest, nodes)) if *digest != own => Verdict::Differs(nodes.join(", ")),
        Some(_) if digests.len() > 1 => {
            let others = digests.iter().filter(|(digest, _)| **digest != own);
            Verdict::Others(
                others.flat_map(|(_, nodes)| nodes).copied().collect::<Vec<_>>().join(", "),
            )
        }
        Some(_) if claims.len() == live.len() => Verdict::Equal,
        None if !claims.is_empty() && claims.len() == live.len() => {
            let of = |(digest, nodes): (&u64, &Vec<&str>)| {
                format!("{digest:016x} on {}", nodes.join(", "))
            };
            Verdict::Split(digests.iter().map(of).collect::<Vec<_>>().join("; "))
        }
        _ => Verdict::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(runs: u64) -> LiveRuns {
        (1..=runs).map(|run| (run, format!("n{run}"))).collect()
    }

    /// The verdicts of a store with digest 7 at checkpoint 10, claim by claim.
    fn verdicts(runs: u64, claimed: &[(u64, u64)]) -> Vec<Verdict> {
        let mut claims = Claims::default();
        claims.reached(Checkpoint { at: 10, digest: 7 });
        let claim = |(run, digest): &(u64, u64)| {
            claims.claim(*run, Checkpoint { at: 10, digest: *digest }, &live(runs))
        };
        claimed.iter().map(claim).collect()
    }

    #[test]
    fn the_larger_part_decides() {
        use Verdict::{Differs, Equal, Open, Others};
        assert_eq!(verdicts(1, &[(1, 7)]), [Equal]);
        assert_eq!(verdicts(3, &[(1, 7), (2, 7), (3, 7)]), [Open, Open, Equal]);
        assert_eq!(verdicts(3, &[(1, 7), (2, 9), (3, 7)])[1..], [Open, Others("n2".into())]);
        let two_against_one = verdicts(3, &[(1, 9), (2, 9), (3, 7)]);
        assert_eq!(two_against_one, [Open, Open, Differs("n1, n2".into())]);
        // A gateway that catches up beside two others.
        assert_eq!(verdicts(2, &[(1, 9), (2, 9)]), [Open, Differs("n1, n2".into())]);
        // Two of three that differ from each other say nothing of the third.
        assert_eq!(verdicts(3, &[(1, 9), (2, 8)]), [Open, Open]);
    }

    #[test]
    fn where_none_is_larger_none_stops() {
        let Verdict::Split(why) = verdicts(2, &[(1, 7), (2, 9)]).remove(1) else {
            panic!("no split")
        };
        assert_eq!(why, "0000000000000007 on n1; 0000000000000009 on n2");
        assert!(matches!(verdicts(3, &[(1, 7), (2, 8), (3, 9)])[2], Verdict::Split(_)));
        // A gateway that catches up beside a single one.
        assert!(matches!(&verdicts(1, &[(1, 9)])[..], [Verdict::Split(_)]));
        let four = [(1, 7), (2, 7), (3, 9), (4, 9)];
        assert!(matches!(verdicts(4, &four)[3], Verdict::Split(_)));
    }

    #[test]
    fn runs_that_have_ended_and_checkpoints_of_others_count_for_nothing() {
        let mut claims = Claims::default();
        claims.reached(Checkpoint { at: 10, digest: 7 });
        let of = |digest| Checkpoint { at: 10, digest };
        assert_eq!(claims.claim(1, of(9), &live(4)), Verdict::Open);
        assert_eq!(claims.claim(2, of(9), &live(4)), Verdict::Open);
        let left = LiveRuns::from([(3, "n3".into()), (4, "n4".into())]);
        assert_eq!(claims.claim(3, of(7), &left), Verdict::Open);
        assert_eq!(claims.claim(4, of(7), &left), Verdict::Equal);
        assert_eq!(claims.claim(4, of(7), &LiveRuns::new()), Verdict::Open);
        let unknown = Checkpoint { at: 11, digest: 9 };
        assert_eq!(claims.claim(3, unknown, &live(1)), Verdict::Open);
    }
}

//! What a server has answered of late. The keys are hashes with a salt of this run, so that memory
//! has no password, and none can be looked up by its hash.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// Answers that are remembered, some 300 bytes each. Beyond it the one that ends first is forgotten.
const ANSWERS_MAX: usize = 4_096;

/// The hash of a request.
pub(super) type Key = [u8; 32];

#[derive(Debug)]
pub(super) struct AnswerCache<A> {
    /// `None`: the system gave no random bytes. Then nothing is remembered.
    salt: Option<[u8; 32]>,
    /// Each with the time until which it holds.
    answers: HashMap<Key, (u64, A)>,
}

impl<A: Clone> AnswerCache<A> {
    pub(super) fn new() -> Self {
        let mut salt = [0; 32];
        let salt = getrandom::fill(&mut salt).is_ok().then_some(salt);
        Self { salt, answers: HashMap::new() }
    }

    pub(super) fn key(&self, request: &[u8]) -> Option<Key> {
        let salt = self.salt?;
        Some(Sha256::new().chain_update(salt).chain_update(request).finalize().into())
    }

    pub(super) fn get(&self, key: &Key, now_ns: u64) -> Option<A> {
        self.answers.get(key).filter(|(until, _)| *until > now_ns).map(|(_, answer)| answer.clone())
    }

    pub(super) fn put(&mut self, key: Key, answer: A, now_ns: u64, ttl_ns: u64) {
        if ttl_ns == 0 {
            return;
        }
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.retain(|_, (until, _)| *until > now_ns);
        }
        if self.answers.len() >= ANSWERS_MAX {
            let first = self.answers.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(first) = first.map(|(key, _)| *key) {
                self.answers.remove(&first);
            }
        }
        self.answers.insert(key, (now_ns.saturating_add(ttl_ns), answer));
    }

    pub(super) fn clear(&mut self) {
        self.answers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_its_time() {
        let mut cache = AnswerCache::new();
        let key = cache.key(b"ann tea").unwrap();
        assert_ne!(Some(key), cache.key(b"ann coffee"));
        cache.put(key, "yes", 10, 5);
        assert_eq!(cache.get(&key, 14), Some("yes"));
        assert_eq!(cache.get(&key, 15), None);
        cache.put(key, "yes", 20, 0);
        assert_eq!(cache.get(&key, 20), None, "nothing is remembered for no time");
    }

    #[test]
    fn the_number_of_answers_is_bounded_and_the_one_that_ends_first_goes() {
        let mut cache = AnswerCache::new();
        let keys: Vec<Key> =
            (0..=ANSWERS_MAX).filter_map(|nth| cache.key(&nth.to_be_bytes())).collect();
        for (nth, key) in keys.iter().enumerate() {
            cache.put(*key, nth, 0, 1_000 + nth as u64);
        }
        assert_eq!(cache.answers.len(), ANSWERS_MAX);
        assert_eq!(cache.get(&keys[0], 1), None);
        assert_eq!(cache.get(&keys[ANSWERS_MAX], 1), Some(ANSWERS_MAX));
    }
}

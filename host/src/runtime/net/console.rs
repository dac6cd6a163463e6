//! What the console of the admin listener keeps in memory: the browsers that have signed in, and
//! what they see of the last day.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use core_model::TokenHash;
use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;

use crate::runtime::net::live::Live;

/// How long a browser stays signed in: a working day.
pub(crate) const SESSION_TTL: Duration = Duration::from_secs(12 * 3600);

/// Browsers that are signed in at once; of more, those that signed in first have to again.
const SESSIONS_MAX: usize = 256;

/// 256 bits.
const ID_BYTES: usize = 32;

#[derive(Default)]
pub(crate) struct Console {
    pub(crate) sessions: ConsoleSessions,
    pub(crate) live: Live,
}

/// The browsers that have signed in with a token. A cookie has the id of a session rather than the
/// token: browsers send cookies to every port of a host, and what leaks there ends with the session.
#[derive(Default)]
pub(crate) struct ConsoleSessions(Mutex<HashMap<String, Session>>);

struct Session {
    token: TokenHash,
    began: Instant,
}

impl Session {
    fn has_ended(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= SESSION_TTL
    }
}

impl ConsoleSessions {
    /// Begins a session of the holder of a token, and returns its id. An error: the system has no
    /// random numbers.
    pub(crate) fn begin(&self, token: TokenHash) -> Result<String, getrandom::Error> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id)?;
        let id = BASE64URL_NOPAD.encode(&id);
        self.insert(id.clone(), token, Instant::now());
        Ok(id)
    }

    fn insert(&self, id: String, token: TokenHash, now: Instant) {
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| !session.has_ended(now));
        if sessions.len() >= SESSIONS_MAX {
            let first = sessions.iter().min_by_key(|(_, session)| session.began);
            if let Some(id) = first.map(|(id, _)| id.clone()) {
                sessions.remove(&id);
            }
        }
        sessions.insert(id, Session { token, began: now });
    }

    /// The token of a session that has not ended.
    pub(crate) fn token(&self, id: &str) -> Option<TokenHash> {
        self.token_at(id, Instant::now())
    }

    fn token_at(&self, id: &str, now: Instant) -> Option<TokenHash> {
        let sessions = self.0.lock();
        sessions.get(id).filter(|session| !session.has_ended(now)).map(|session| session.token)
    }

    pub(crate) fn end(&self, id: &str) {
        self.0.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_itself_and_the_first_give_way() {
        let sessions = ConsoleSessions::default();
        let (now, token) = (Instant::now(), TokenHash([7; 32]));
        for nth in 0..=SESSIONS_MAX {
            let at = now + Duration::from_secs(nth as u64);
            sessions.insert(nth.to_string(), token, at);
        }
        assert_eq!(sessions.token_at("0", now), None);
        assert_eq!(sessions.token_at("1", now), Some(token));
        assert_eq!(sessions.token_at("1", now + Duration::from_secs(1) + SESSION_TTL), None);
        sessions.end("2");
        assert_eq!(sessions.token_at("2", now), None);
        sessions.insert("late".into(), token, now + SESSION_TTL + SESSION_TTL);
        assert_eq!(sessions.0.lock().len(), 1);
    }

    #[test]
    fn ids_cannot_be_guessed() {
        let sessions = ConsoleSessions::default();
        let token = TokenHash([7; 32]);
        let [one, other] = [(); 2].map(|()| sessions.begin(token).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
        assert_eq!(sessions.token(&one), Some(token));
        assert_eq!(sessions.token(&one[1..]), None);
    }
}

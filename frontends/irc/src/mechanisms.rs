//! The mechanisms of SASL, and which of them a client may use.

use frontend_api::Peer;

/// What a client can prove itself with, besides a password.
#[derive(Default)]
pub(crate) struct Proofs {
    /// The identity of its certificate.
    pub(crate) certificate: Option<String>,
    accepts_tokens: bool,
}

/// An exchange: its mechanism, and the response received so far.
pub(crate) struct Exchange {
    pub(crate) mechanism: Mechanism,
    pub(crate) response: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mechanism {
    Plain,
    /// RFC 4422, appendix A.
    External,
    OauthBearer,
}

const MECHANISMS: [(Mechanism, &str); 3] = [
    (Mechanism::Plain, "PLAIN"),
    (Mechanism::External, "EXTERNAL"),
    (Mechanism::OauthBearer, "OAUTHBEARER"),
];

impl Proofs {
    pub(crate) fn of(peer: &Peer) -> Self {
        Self { certificate: peer.certificate.clone(), accepts_tokens: peer.accepts_tokens }
    }

    fn offers(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Plain => true,
            Mechanism::External => self.certificate.is_some(),
            Mechanism::OauthBearer => self.accepts_tokens,
        }
    }

    /// The mechanisms that are offered, with commas.
    pub(crate) fn mechanisms(&self) -> String {
        let offered = MECHANISMS.iter().filter(|(mechanism, _)| self.offers(*mechanism));
        offered.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn mechanism(&self, name: &str) -> Option<Mechanism> {
        let named = MECHANISMS.iter().find(|(_, known)| name.eq_ignore_ascii_case(known));
        named.map(|(mechanism, _)| *mechanism).filter(|mechanism| self.offers(*mechanism))
    }
}

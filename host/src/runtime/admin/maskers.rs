//! What masks the frames of each front end.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::runtime::net::served::documents;
use crate::runtime::net::state::GatewayState;
use crate::tap::Masker;

/// The maskers of the front ends, once they were needed.
#[derive(Default)]
pub(super) struct Maskers(BTreeMap<String, Arc<Masker>>);

impl Maskers {
    pub(super) fn of(
        &mut self,
        state: &GatewayState,
        frontend: &str,
        dialect: &str,
    ) -> Arc<Masker> {
        if let Some(masker) = self.0.get(frontend) {
            return masker.clone();
        }
        let registry = state.registry();
        let handle = registry.named(frontend);
        let described = handle.and_then(|handle| documents(&registry, handle).ok());
        let masker = Arc::new(Masker::new(dialect, described.as_deref().unwrap_or_default()));
        self.0.insert(frontend.to_owned(), masker.clone());
        masker
    }
}

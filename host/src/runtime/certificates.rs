//! Reads certificates again when their files change, and warns of those that are about to expire.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::runtime::net::state::GatewayState;
use crate::tls::{Stamps, Tls, TlsSettings};

/// Between two looks at the files.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Looks at the files of all listeners until the gateway drains.
pub(crate) async fn watch(state: Arc<GatewayState>) {
    let mut watch = Watch::default();
    // The start has warned already.
    let mut warned_on = state.services.clock.now().0 / DAY_MS;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_PERIOD) => (),
            () = state.shutdown.draining() => return,
        }
        let served = state.registry().served_tls();
        if served.is_empty() {
            continue;
        }
        let today = state.services.clock.now().0 / DAY_MS;
        if std::mem::replace(&mut warned_on, today) != today {
            served.iter().for_each(|tls| warn(tls));
        }
        let looked = spawn_blocking(move || {
            let changed = watch.changed(&served);
            (watch, changed)
        });
        // A panic is in the log.
        let Ok((after, changed)) = looked.await else { return };
        watch = after;
        changed.into_iter().for_each(|tls| replace(&state, tls));
    }
}

fn warn(tls: &Tls) {
    tls.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
}

/// Serves it to new connections, wherever the same files were served before.
fn replace(state: &GatewayState, tls: Tls) {
    let tls = Arc::new(tls);
    let registry = state.registry();
    for listener in registry.listeners.iter().chain(&registry.admin_tls) {
        listener.replace_tls(&tls);
    }
    for certificate in &tls.certificates {
        let path = certificate.path.display();
        let names = certificate.names.join(", ");
        tracing::info!(%path, names, "the certificate was read again");
    }
    warn(&tls);
}

/// What was seen of files that are not as those that are served.
#[derive(Default)]
struct Watch {
    /// How they looked last, and whether they were read so and found faulty.
    seen: Vec<(TlsSettings, Stamps, bool)>,
}

impl Watch {
    /// What has changed and can be served. Files that are being replaced, one after the other, are
    /// left alone until two looks find them the same.
    fn changed(&mut self, served: &[Arc<Tls>]) -> Vec<Tls> {
        let mut changed = Vec::new();
        let mut seen = Vec::new();
        for tls in served {
            let settings = &tls.settings;
            let stamps = Tls::look(settings);
            if tls.is_of(&stamps) {
                continue;
            }
            let before =
                self.seen.iter().find(|(of, looked, _)| of == settings && *looked == stamps);
            let mut is_faulty = before.is_some_and(|(_, _, is_faulty)| *is_faulty);
            if before.is_some() && !is_faulty {
                match Tls::load(settings.clone()) {
                    Ok(tls) => changed.push(tls),
                    Err(faults) => {
                        is_faulty = true;
                        for fault in faults {
                            tracing::error!("keeping the certificate in use: {fault}");
                        }
                    }
                }
            }
            seen.push((settings.clone(), stamps, is_faulty));
        }
        self.seen = seen;
        changed
    }
}

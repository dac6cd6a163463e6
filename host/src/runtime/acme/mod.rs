//! Keeps the certificates that a CA issues: has them issued, and again before they end.
//!
//! A new certificate is written to its file, from which [`certificates`](super::certificates) takes
//! it like one that the operator has replaced.

mod account;
mod order;
mod private_file;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::runtime::net::state::GatewayState;
use crate::tls::AcmeSettings;

/// Between two looks at what is wanted, and at when a certificate ends.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// The first and the longest pause after a failure. A CA counts failures: Let's Encrypt allows five
/// in an hour.
const RETRY: (Duration, Duration) = (Duration::from_secs(4 * 60), Duration::from_secs(6 * 60 * 60));

/// How long an order may take.
const ORDER_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs a task for each of the certificates that the listeners want, until the gateway drains.
pub(crate) async fn run(state: Arc<GatewayState>) {
    let mut kept: Vec<(AcmeSettings, DropGuard)> = Vec::new();
    loop {
        let served = state.registry().served_tls();
        let wanted: Vec<&AcmeSettings> =
            served.iter().filter_map(|tls| tls.settings.acme.as_ref()).collect();
        kept.retain(|(settings, _)| wanted.contains(&settings));
        for settings in wanted {
            if kept.iter().any(|(other, _)| other == settings) {
                continue;
            }
            let unwanted = CancellationToken::new();
            let task = keep(settings.clone(), state.clone());
            let ended = unwanted.clone();
            state.spawn(async move {
                ended.run_until_cancelled(task).await;
            });
            kept.push((settings.clone(), unwanted.drop_guard()));
        }
        tokio::select! {
            () = sleep(LOOK_PERIOD) => (),
            // Drops the guards, and so ends the tasks.
            () = state.shutdown.draining() => return,
        }
    }
}

/// Has a certificate issued whenever one is due. Does not end.
async fn keep(settings: AcmeSettings, state: Arc<GatewayState>) {
    let domains = settings.domains.join(", ");
    let directory = &settings.directory;
    let mut pause = RETRY.0;
    loop {
        while !is_due(settings.validity(), state.services.clock.now().0 / 1000) {
            sleep(LOOK_PERIOD).await;
        }
        tracing::info!(domains, directory, "ordering a certificate");
        let mut reloaded = pin!(state.reloaded.notified());
        reloaded.as_mut().enable();
        let order = order::order(&settings, &state.challenges);
        let ordered = tokio::time::timeout(ORDER_TIMEOUT, order).await;
        let late = || Err(format!("it takes longer than {} s", ORDER_TIMEOUT.as_secs()));
        let issued = ordered.unwrap_or_else(|_| late()).and_then(|pem| {
            let file = settings.certificate_file();
            private_file::write(&file, pem.as_bytes())?;
            Ok(file)
        });
        let is_issued = issued.is_ok();
        match issued {
            Ok(file) => {
                let file = file.display();
                tracing::info!(domains, directory, %file, "a certificate was issued");
            }
            Err(why) => {
                let minutes = pause.as_secs() / 60;
                tracing::error!(
                    domains,
                    directory,
                    "no certificate was issued: {why}; trying again in {minutes} minutes, or at SIGHUP"
                );
            }
        }
        // Also after a success: a CA may issue what is due at once.
        tokio::select! {
            () = sleep(pause) => (),
            () = reloaded => (),
        }
        pause = if is_issued { RETRY.0 } else { (pause * 2).min(RETRY.1) };
    }
}

/// Whether a certificate with this validity is to be replaced: in the last third of its time, since
/// CAs then have had long enough for whatever is wrong.
fn is_due(validity: Option<(i64, i64)>, now: u64) -> bool {
    let Some((from, until)) = validity else { return true };
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    until.saturating_sub(now) < until.saturating_sub(from) / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_the_last_third_of_its_time() {
        const DAY: i64 = 24 * 60 * 60;
        let validity = Some((1000 * DAY, 1090 * DAY));
        let on_day = |day: i64| (day * DAY).unsigned_abs();
        assert!(is_due(None, 0), "there is none");
        assert!(!is_due(validity, on_day(1000)));
        assert!(!is_due(validity, on_day(1060)));
        assert!(is_due(validity, on_day(1060) + 1));
        assert!(is_due(validity, on_day(2000)), "it is over");
        // The clock was wrong when it was issued, or is now.
        assert!(!is_due(validity, on_day(900)));
    }
}

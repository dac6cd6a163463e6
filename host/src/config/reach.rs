//! Settings of a front end with which its clients could not connect, or would not be restricted as
//! the operator means.

use super::endpoints::Found;
use super::section::{Reader, Section};
use super::settings::{FrontendConfig, TrustedProxies};
use crate::dialects::Dialect;

/// Every connection to a listener that requires the header of a proxy is refused if no proxy is
/// trusted.
pub(super) fn check_proxies(section: &Section<'_>, found: &[Found], trusted: &TrustedProxies) {
    for Found { listener, endpoint, .. } in found {
        let is_unix = endpoint.address.ip().is_none();
        let is_reached = if is_unix { trusted.unix } else { !trusted.networks.is_empty() };
        if endpoint.options.proxy_protocol && !is_reached {
            let what = if is_unix { "\"unix:\"" } else { "the addresses of the proxies" };
            let why = format!(
                "proxy_protocol is \"required\" and no proxy is trusted at {}, so no client could \
                 connect; add {what} to server.trusted_proxies",
                endpoint.address
            );
            section.complain_of_absent(&listener.key, &why);
        }
    }
}

/// Tokens need an issuer.
pub(super) fn check_subjects(section: &Section<'_>, config: &FrontendConfig, has_issuer: bool) {
    if !config.guard.jwt_subjects.is_empty() && !has_issuer {
        let why = "there is no [auth.jwt], so no token would be accepted; add it, or use api_keys";
        section.complain_of_absent("jwt_subjects", why);
    }
}

/// Clients that are sent to a port for TLS never come back without it.
pub(super) fn warn_of_tls_port(
    reader: &Reader,
    section: &Section<'_>,
    dialect: &Dialect,
    config: &FrontendConfig,
) {
    let Some(key) = dialect.tls_port_key else { return };
    let port = config.options.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let endpoints = || config.listeners.iter().map(|(_, endpoint)| endpoint);
    let has_port = |ip: std::net::SocketAddr| u64::from(ip.port()) == port;
    let is_served = endpoints().any(|endpoint| {
        let own = endpoint.address.ip().filter(|_| endpoint.options.tls.is_some());
        let public = endpoint.public_url.as_ref().and_then(|url| url.tls_port());
        own.is_some_and(|ip| has_port(ip) || ip.port() == 0)
            || public.is_some_and(|public| u64::from(public) == port)
    });
    if port == 0 || is_served {
        return;
    }
    let is_plain = endpoints().any(|endpoint| endpoint.address.ip().is_some_and(has_port));
    let found = if is_plain {
        "the listener with this port has no tls"
    } else {
        "no listener has this port"
    };
    let what = format!(
        "{} = {port}: {found}, so clients that support it could not connect unless a proxy speaks \
         TLS there; name the port of a listener with tls, or of a public_url",
        section.shown(key)
    );
    reader.warn(section.source_of(key), what);
}

//! The limit on open files: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, Limits};

/// Files that are open besides connections: the store, listeners, plugins, the runtime's own.
const OTHER_FILES: u64 = 64;

/// Fewer open files than this are too few for a public gateway, whatever is configured.
const FILES_MIN: u64 = 4096;

/// Raises the soft limit of the process to its hard limit.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where that is refused, the limit stays, and `warning` compares with it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// A warning if the hard limit is too low for the connections that the configuration allows.
pub fn warning(config: &Config) -> Option<String> {
    // None: no limit.
    let limit = getrlimit(Resource::Nofile).maximum?;
    let too_low = |allowed: &str| {
        format!(
            "{allowed}, but the process may open only {limit} files, one for each connection; raise \
             the hard limit (ulimit -n, LimitNOFILE=) or lower connections_max"
        )
    };
    let unlimited = config.frontends.iter().find(|frontend| frontend.limits.connections_max == 0);
    if let Some(frontend) = unlimited {
        return Some(too_low(&format!(
            "frontends.{}.connections_max = 0 allows any number of connections",
            frontend.name
        )));
    }
    // The default is a ceiling, not a number of connections that anyone expects.
    let default = Limits::default().connections_max;
    let configured = config.frontends.iter().map(|one| one.limits.connections_max);
    let configured: u64 = configured.filter(|max| *max != default).map(u64::from).sum();
    let connections = if limit < FILES_MIN {
        config.frontends.iter().map(|one| u64::from(one.limits.connections_max)).sum()
    } else {
        configured
    };
    (connections + OTHER_FILES > limit)
        .then(|| too_low(&format!("connections_max allows {connections} connections in all")))
}

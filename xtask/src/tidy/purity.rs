//! Front ends and the engine name no clock, socket, file, thread or source of randomness.

use std::collections::BTreeSet;

use super::Finding;
use super::modules::Modules;
use super::resolve::Target;

/// Where the rule holds: the `src` of every package below these.
const PURE: &[&str] = &["core/", "frontends/"];

/// What is not to be named, with everything below it.
const FORBIDDEN: &[&str] = &[
    "std::collections::hash_map::RandomState",
    "std::env",
    "std::fs",
    "std::hash::RandomState",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "fastrand",
    "getrandom",
    "hyper",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "jiff::tz::TimeZone::system",
    "libc",
    "mio",
    "rand",
    "rustix",
    "socket2",
    "tokio",
    "tungstenite",
];

/// Addresses are values like any other.
const VALUES: &[&str] = &[
    "std::net::AddrParseError",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
];

/// An exception: the files, what they may name, and why.
struct Allowed {
    files: &'static str,
    name: &'static str,
    why: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed { files: "core/engine/src/", name: "std::thread::", why: "the writer is a thread" },
    Allowed {
        files: "core/engine/src/queue.rs",
        name: "std::time::Instant",
        why: "the writer waits for a batch; no outcome depends on it",
    },
    Allowed { files: "core/engine/src/open.rs", name: "std::fs::", why: "the store is a file" },
    Allowed {
        files: "core/engine/src/open.rs",
        name: "std::os::unix::fs::",
        why: "which file it is",
    },
    Allowed { files: "core/engine/src/open.rs", name: "rustix::fs::", why: "the page cache" },
    Allowed {
        files: "core/engine/src/store_file.rs",
        name: "std::fs::",
        why: "what is at the path of the store",
    },
    Allowed {
        files: "core/engine/src/store_file.rs",
        name: "std::os::unix::fs::",
        why: "pipes and devices are no stores",
    },
    Allowed {
        files: "core/engine/src/store_file.rs",
        name: "rustix::fs::",
        why: "opening a pipe must not wait",
    },
    Allowed {
        files: "core/engine/src/steady.rs",
        name: "std::fs",
        why: "a backup is a file, and its pace is that of the disk",
    },
    Allowed {
        files: "core/cluster/src/",
        name: "tokio::",
        why: "its purpose is what other machines say, and when",
    },
    Allowed {
        files: "core/cluster/src/",
        name: "std::time::Instant",
        why: "how long the log has been silent; no entry depends on it",
    },
    Allowed {
        files: "core/cluster/src/names.rs",
        name: "getrandom::",
        why: "an operator's command draws the id of a new log; entries have none",
    },
    Allowed {
        files: "core/cluster/src/settings.rs",
        name: "std::fs::read",
        why: "certificates and credentials are files",
    },
    Allowed {
        files: "core/cluster/src/check.rs",
        name: "hyper::",
        why: "servers say only by HTTP whether they sync",
    },
    Allowed { files: "frontends/testkit/src/", name: "std::", why: "plays transcripts from files" },
];

pub(super) fn check(modules: &Modules) -> BTreeSet<Finding> {
    let mut findings = BTreeSet::new();
    for (id, module) in modules.0.iter().enumerate() {
        if !is_pure(&module.path) {
            continue;
        }
        for reference in &module.references {
            let Some(Target::External(path)) = modules.resolve(id, &reference.path, 0) else {
                continue;
            };
            let name = path.join("::");
            if is_forbidden(&name) && allowed(&module.path, &name).is_none() {
                let what = format!("{name} has no place here: the host owns it");
                findings.insert(Finding { path: module.path.clone(), line: reference.line, what });
            }
        }
    }
    findings
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|folder| path.starts_with(folder)) && path.contains("/src/")
}

fn is_forbidden(name: &str) -> bool {
    let is_below = |of: &&str| is_below(name, of);
    FORBIDDEN.iter().any(is_below) && !VALUES.iter().any(is_below)
}

fn is_below(name: &str, of: &str) -> bool {
    name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Why this file may name this, if it may. Nothing is a reason to sleep.
fn allowed(path: &str, name: &str) -> Option<&'static str> {
    if is_below(name, "std::thread::sleep") {
        return None;
    }
    let covers =
        |allowed: &&Allowed| path.starts_with(allowed.files) && name.starts_with(allowed.name);
    ALLOWED.iter().find(covers).map(|allowed| allowed.why)
}

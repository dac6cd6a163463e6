//! Warns of files that other users of the machine can write, or read although they have secrets.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::config::{Config, Problem, ValueSource};

/// Whatever the owner's group and others may.
const OF_OTHERS: u32 = 0o077;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;

/// Only the owner of a file may replace it in such a folder.
const STICKY: u32 = 0o1000;

/// Warnings about the configuration file, the plugins and the files with secrets.
pub(super) fn warnings(file: &Path, config: &Config) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let has_keys = config.frontends.iter().any(|frontend| !frontend.guard.api_keys.is_empty());
    if has_keys && mode(file) & OTHERS_READ != 0 {
        warnings.push(format!(
            "{0} has api_keys, and every user of this machine can read it: chmod o-r {0}",
            file.display()
        ));
    }
    let upstreams = config.frontends.iter().flat_map(|frontend| &frontend.upstreams);
    let key_lists = config.frontends.iter().filter_map(|frontend| {
        frontend.guard.api_keys_file.as_ref().map(|file| file.path.as_path())
    });
    let secrets: Vec<&Path> = upstreams
        .filter_map(|upstream| upstream.secret_file.as_deref())
        .chain(config.auth.secret_files())
        .chain(key_lists)
        .collect();
    for path in secrets.iter().filter(|path| mode(path) & OTHERS_READ != 0) {
        warnings.push(format!(
            "{0} has a secret, and every user of this machine can read it: chmod o-r {0}",
            path.display()
        ));
    }
    let keys: Vec<&Path> = key_files(config).into_iter().collect();
    for path in keys.iter().filter(|path| mode(path) & OTHERS_READ != 0) {
        warnings.push(format!(
            "{0} has the key of a certificate, and every user of this machine can read it: chmod o-r {0}",
            path.display()
        ));
    }
    let store = config.store.path.as_path();
    if mode(store) & OF_OTHERS != 0 {
        warnings.push(format!(
            "the store {0} has messages and the hashes of passwords, and other users of this machine \
             can reach it: chmod 600 {0}",
            store.display()
        ));
    }
    warnings.extend(folder_writable_by_others(store));
    let plugins = config.frontends.iter().filter_map(|frontend| frontend.plugin.as_ref());
    for path in plugins.map(|plugin| plugin.path.as_path()).chain([file]).chain(secrets).chain(keys)
    {
        warnings.extend(writable_by_others(path));
    }
    let problem = |what| Problem::new(ValueSource::Default, what);
    warnings.into_iter().map(problem).collect()
}

/// The keys of all certificates, once each.
fn key_files(config: &Config) -> BTreeSet<&Path> {
    let listeners = config.frontends.iter().flat_map(|frontend| &frontend.listeners);
    let tls = listeners.filter_map(|(_, endpoint)| endpoint.options.tls.as_ref());
    tls.flat_map(|tls| &tls.settings.identities).map(|identity| identity.key.as_path()).collect()
}

/// A folder in which others can put another file in the place of this one.
fn folder_writable_by_others(path: &Path) -> Option<String> {
    let folder = folder_of(path);
    (mode(folder) & (OTHERS_WRITE | STICKY) == OTHERS_WRITE).then(|| {
        let path = path.display();
        let folder = folder.display();
        format!("every user of this machine can replace {path}: chmod o-w {folder}")
    })
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn writable_by_others(path: &Path) -> Option<String> {
    let folder = folder_of(path);
    let culprit = if mode(path) & OTHERS_WRITE != 0 {
        path
    } else if mode(folder) & (OTHERS_WRITE | STICKY) == OTHERS_WRITE {
        folder
    } else {
        return None;
    };
    Some(format!(
        "every user of this machine can change {}: chmod o-w {}",
        path.display(),
        culprit.display()
    ))
}

/// The permissions of a file; none if it cannot be looked at, which is reported elsewhere.
fn mode(path: &Path) -> u32 {
    path.metadata().map_or(0, |metadata| metadata.permissions().mode())
}

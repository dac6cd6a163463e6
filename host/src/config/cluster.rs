//! `[cluster]`: the log that several gateways share.

use std::path::Path;
use std::time::Duration;

use figment::value::Value;

use super::cluster_settings::{ClusterConfig, ClusterLogin, ClusterTls, Reads, Sync};
use super::parse;
use super::section::Section;

/// The sentences about a log have this name, so it is short.
const NODE_CHARS_MAX: usize = 64;

#[cfg(not(feature = "cluster"))]
const NOT_BUILT: &str = "this build has no clusters; use one with the feature cluster, which is a \
                         default, or remove the section";

/// `None`: there is no such table, or it has a mistake, which is reported.
pub(super) fn cluster(section: &Section<'_>, folder: &Path) -> Option<ClusterConfig> {
    let file = |section: &Section<'_>, key| section.path(key).map(|path| folder.join(path));
    let login = login(section, folder);
    let tls = section.table("tls");
    let config = ClusterConfig {
        name: section.read("name", parse::text).unwrap_or_default(),
        node: section.read("node", node).unwrap_or_else(machine),
        servers: section.list("servers", "addresses of NATS servers", parse::text),
        monitoring: section.list("monitoring", "addresses of NATS servers", parse::text),
        login: login.clone().unwrap_or_default(),
        tls: ClusterTls { ca: file(&tls, "ca"), cert: file(&tls, "cert"), key: file(&tls, "key") },
        replicas: section.read("replicas", parse::number(1..=u32::MAX)).unwrap_or(3),
        log_bytes: section.read("log_bytes", parse::bytes).map_or(32 << 30, |bytes| bytes as u64),
        log_age: section
            .read("log_age", parse::duration)
            .unwrap_or(Duration::from_secs(7 * 24 * 60 * 60)),
        sync: section.read("sync", sync).unwrap_or_default(),
        reads: section.read("reads", reads).unwrap_or_default(),
    };
    if !section.is_present() {
        return None;
    }
    tls.finish();
    section.finish();
    let mut is_complete = login.is_some();
    for (key, what) in [
        ("name", "missing; the name of the cluster, such as \"chat\""),
        ("servers", "missing; the NATS servers, such as [\"nats://10.0.0.1:4222\"]"),
    ] {
        if section.value(key).is_none() {
            section.complain_of_absent(key, what);
            is_complete = false;
        }
    }
    (is_complete && check(section, &config)).then_some(config)
}

/// Reports what the servers would refuse.
#[cfg(feature = "cluster")]
fn check(section: &Section<'_>, config: &ClusterConfig) -> bool {
    let Err(error) = config.settings().check() else { return true };
    let core_cluster::Error::Setting { key, value, why } = &error else {
        section.complain_of_absent("servers", &error.to_string());
        return false;
    };
    let key = key.strip_prefix("cluster.").unwrap_or(key);
    match key.split_once('.') {
        Some((table, key)) => section.table(table).complain(key, why),
        // One of several.
        None if matches!(section.value(key), Some(Value::Array(..))) => {
            section.complain_of_absent(key, &format!("{value:?}: {why}"));
        }
        None => section.complain(key, why),
    }
    false
}

#[cfg(not(feature = "cluster"))]
fn check(section: &Section<'_>, _: &ClusterConfig) -> bool {
    section.complain_of_absent("name", NOT_BUILT);
    false
}

/// One way at most. `None`: there are several, or one has a mistake; it is reported.
fn login(section: &Section<'_>, folder: &Path) -> Option<ClusterLogin> {
    let user = section.read("user", parse::text);
    let [password, token, nkey] =
        ["password", "token", "nkey"].map(|key| section.secret(key, folder, parse::text));
    let credentials = section.path("credentials").map(|path| folder.join(path));
    let is_given = |key: &str| {
        section.value(key).is_some() || section.keys().any(|it| it == format!("{key}_file"))
    };
    let given: Vec<&str> =
        ["user", "token", "nkey", "credentials"].into_iter().filter(|key| is_given(key)).collect();
    if let [first, second, ..] = given[..] {
        let what =
            format!("there is {first} too, and the servers take one; leave out one of the two");
        section.complain_of_absent(second, &what);
        return None;
    }
    match (given.first(), is_given("password")) {
        (Some(&"user"), false) => {
            section
                .complain_of_absent("password", "missing; user has one, here or in password_file");
            None
        }
        (Some(&"user"), true) => Some(ClusterLogin::User { user: user?, password: password? }),
        (_, true) => {
            section.complain_of_absent("user", "missing; it is the user of the password");
            None
        }
        (Some(&"token"), false) => token.map(ClusterLogin::Token),
        (Some(&"nkey"), false) => nkey.map(ClusterLogin::Nkey),
        (Some(_), false) => credentials.map(ClusterLogin::Credentials),
        (None, false) => Some(ClusterLogin::None),
    }
}

fn node(value: &Value) -> Result<String, String> {
    let is_fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let node = parse::text(value)?;
    if (1..=NODE_CHARS_MAX).contains(&node.len()) && node.chars().all(is_fine) {
        return Ok(node);
    }
    Err(format!("expected 1 to {NODE_CHARS_MAX} letters, digits, -, _ and ."))
}

/// The name of this machine.
fn machine() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy().into_owned();
    if name.is_empty() { "gateway".to_owned() } else { name }
}

fn sync(value: &Value) -> Result<Sync, String> {
    match value.as_str() {
        Some("disk") => Ok(Sync::Disk),
        Some("log") => Ok(Sync::Log),
        _ => Err("expected \"disk\" or \"log\"".into()),
    }
}

fn reads(value: &Value) -> Result<Reads, String> {
    match value.as_str() {
        Some("local") => Ok(Reads::Local),
        Some("fresh") => Ok(Reads::Fresh),
        _ => Err("expected \"local\" or \"fresh\"".into()),
    }
}

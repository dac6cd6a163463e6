//! `[[webhooks]]`: the servers that events are sent to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::Value;
use hyper::Uri;
use ipnet::IpNet;
use url::{Host, Url};

use super::section::{Reader, Section};
use super::{parse, secret_file};
use crate::outgoing::{ClientOptions, Destinations, HttpClient};
use crate::webhooks::{EventName, SECRETS_MAX, Secret, WebhookConfig};

/// Webhooks of a gateway: each reads every message of the store.
const WEBHOOKS_MAX: usize = 32;

/// The name of a webhook, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Requests of a webhook at once.
const CONCURRENCY_MAX: u32 = 64;

/// The longest pause between two attempts that can be configured, and the longest time-out.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const TIMEOUT_MAX: Duration = Duration::from_secs(5 * 60);

pub(super) fn webhooks(reader: &Reader, root: &Section<'_>, folder: &Path) -> Vec<WebhookConfig> {
    let mut webhooks: Vec<WebhookConfig> = Vec::new();
    let sections = root.tables("webhooks");
    if let Some(further) = sections.get(WEBHOOKS_MAX) {
        let what = format!("there are more than {WEBHOOKS_MAX} [[webhooks]]");
        further.complain_of_absent("name", &what);
    }
    for section in sections {
        let Some(webhook) = webhook(reader, &section, folder) else { continue };
        if webhooks.iter().any(|other| other.name == webhook.name) {
            section.complain("name", "another of the [[webhooks]] has this name");
        } else {
            webhooks.push(webhook);
        }
    }
    webhooks
}

/// `None`: something is wrong, and reported.
fn webhook(reader: &Reader, section: &Section<'_>, folder: &Path) -> Option<WebhookConfig> {
    let events = section.list("events", "names of events", event);
    let events = if section.value("events").is_none() {
        BTreeSet::from([EventName::MessageCreated])
    } else {
        events.into_iter().collect()
    };
    let rooms: BTreeSet<String> =
        section.list("rooms", "room names", parse::room_name).into_iter().collect();
    let seconds = Duration::from_secs;
    let webhook = WebhookConfig {
        name: section.read("name", name).unwrap_or_default(),
        enabled: section.read("enabled", parse::flag).unwrap_or(true),
        url: section.secret("url", folder, url).unwrap_or_default(),
        secrets: secrets(section, folder).unwrap_or_default(),
        client: ClientOptions {
            destinations: destinations(section),
            ca_file: section.path("ca_file").map(|path| folder.join(path)),
        },
        timeout: section.read("timeout", within(TIMEOUT_MAX)).unwrap_or(seconds(10)),
        retry_max: section.read("retry_max", within(PAUSE_MAX)).unwrap_or(seconds(600)),
        dead_letter_after: section
            .read("dead_letter_after", parse::duration)
            .unwrap_or(seconds(24 * 60 * 60)),
        concurrency: section.read("concurrency", parse::number(1..=CONCURRENCY_MAX)).unwrap_or(8),
        events,
        rooms,
    };
    check(reader, section, &webhook);
    section.finish();
    let is_complete = !webhook.name.is_empty() && !webhook.url.is_empty();
    (is_complete && !webhook.secrets.is_empty()).then_some(webhook)
}

/// Reports what is missing, what makes no sense together, and files that cannot be used.
fn check(reader: &Reader, section: &Section<'_>, webhook: &WebhookConfig) {
    let has = |key: &str| section.keys().any(|present| present == key);
    if section.is_present() && !has("name") {
        section.complain_of_absent("name", "missing; every entry of [[webhooks]] needs a name");
    }
    if section.is_present() && !section.has_secret("url") {
        let what = "missing; every entry of [[webhooks]] needs the URL of its receiver";
        section.complain_of_absent("url", what);
    }
    if matches!(section.value("events"), Some(Value::Array(_, events)) if events.is_empty()) {
        let what = "is empty, so nothing would be sent; name events, or leave it out";
        section.complain_of_absent("events", what);
    }
    let is_roomless = |event: &&EventName| !event.is_of_room();
    if let Some(event) =
        webhook.events.iter().find(is_roomless).filter(|_| !webhook.rooms.is_empty())
    {
        let what =
            format!("{event} is of no room, so rooms leaves it out; leave out one of the two");
        section.complain_of_absent("events", &what);
    }
    if let Some(path) = &webhook.client.ca_file
        && let Err(why) = HttpClient::new(&ClientOptions {
            ca_file: Some(path.clone()),
            ..ClientOptions::default()
        })
    {
        section.complain_of_absent("ca_file", &why);
    }
    if is_unencrypted(&webhook.url) {
        let what =
            format!("{}: events are sent unencrypted; use an https URL", section.shown("url"));
        reader.warn(section.source_of("url"), what);
    }
}

fn name(value: &Value) -> Result<String, String> {
    let is_fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let name = parse::text(value)?;
    if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_fine) {
        return Ok(name);
    }
    Err(format!("expected 1 to {NAME_CHARS_MAX} letters, digits, -, _ and ."))
}

fn event(value: &Value) -> Result<EventName, String> {
    parse::text(value)?.parse()
}

/// Messages leave the URL out: it may contain a secret.
fn url(value: &Value) -> Result<String, String> {
    let text = parse::text(value)?;
    let parsed = Url::parse(&text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err("is not an http or https URL".into());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a user in the URL is not sent; requests are signed with the secret".into());
    }
    if parsed.fragment().is_some() {
        return Err("has a fragment, which is not sent".into());
    }
    // What requests are sent to; it is stricter.
    let sent = String::from(parsed);
    if sent.parse::<Uri>().is_err() {
        return Err("has a character that a request cannot have; write it as %XX".into());
    }
    Ok(sent)
}

fn is_unencrypted(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && !is_loopback
}

/// Of `secret`, one or a list of them, or of the lines of `secret_file`. `None`: reported.
fn secrets(section: &Section<'_>, folder: &Path) -> Option<Vec<Secret>> {
    let file: Option<PathBuf> = section.path("secret_file");
    let (key, secrets) = match (section.value("secret"), file) {
        (Some(_), Some(_)) => {
            let what = "there is a secret too; leave out one of the two";
            section.complain_of_absent("secret_file", what);
            return None;
        }
        (Some(Value::Array(_, written)), None) => {
            if written.is_empty() {
                section.complain_of_absent("secret", "is empty; it needs a secret");
            }
            ("secret", section.list("secret", "secrets", secret))
        }
        (Some(_), None) => ("secret", vec![section.read("secret", secret)?]),
        (None, Some(file)) => {
            let read = secrets_of_file(&folder.join(file));
            let read = read.map_err(|why| section.complain_of_absent("secret_file", &why));
            ("secret_file", read.ok()?)
        }
        (None, None) => {
            if section.is_present() && section.value("secret_file").is_none() {
                let what = "missing; set it, or secret_file, to what the receiver checks \
                            signatures with: echo whsec_$(openssl rand -base64 32)";
                section.complain_of_absent("secret", what);
            }
            return None;
        }
    };
    if secrets.len() > SECRETS_MAX {
        section.complain_of_absent(key, &format!("there are more than {SECRETS_MAX} secrets"));
        return None;
    }
    Some(secrets)
}

fn secrets_of_file(path: &Path) -> Result<Vec<Secret>, String> {
    let lines = secret_file::read_secrets(path)?;
    let secret = |(line, nth): (&String, usize)| {
        line.parse().map_err(|why| format!("line {nth} of {} {why}", path.display()))
    };
    lines.iter().zip(1..).map(secret).collect()
}

fn secret(value: &Value) -> Result<Secret, String> {
    parse::text(value)?.parse()
}

/// What `allow_private` may be.
const FORMS: &str = "expected true, false, or a list of networks";

/// `allow_private`: true, false, or a list of networks.
fn destinations(section: &Section<'_>) -> Destinations {
    match section.value("allow_private") {
        Some(Value::Array(..)) => {
            let and: Vec<IpNet> = section.list("allow_private", "networks", parse::network);
            Destinations::Public { and }
        }
        Some(Value::String(..)) => {
            let network = |value: &Value| parse::network(value).map_err(|_| FORMS.into());
            let and = section.read("allow_private", network).into_iter().collect();
            Destinations::Public { and }
        }
        Some(_) => {
            let flag = |value: &Value| parse::flag(value).map_err(|_| FORMS.into());
            match section.read("allow_private", flag) {
                Some(true) => Destinations::Any,
                _ => Destinations::Public { and: Vec::new() },
            }
        }
        None => Destinations::Public { and: Vec::new() },
    }
}

/// A duration from 1 ms to this.
fn within(most: Duration) -> impl Fn(&Value) -> Result<Duration, String> {
    move |value| {
        let duration = parse::duration(value)?;
        if duration.is_zero() || duration > most {
            return Err(format!("expected a duration from 1ms to {}s", most.as_secs()));
        }
        Ok(duration)
    }
}

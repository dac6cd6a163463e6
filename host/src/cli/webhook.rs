//! `dragoman webhook`: tests webhooks, and shows and changes what a running gateway does with them.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use core_model::Timestamp;

use super::operation::{Backend, call_gateway, printable};
use super::{Options, output, table};
use crate::admin::types::Nothing;
use crate::admin::{Endpoint, ListWebhooks, ReplayWebhook, ResumeWebhook};
use crate::config::Config;
use crate::outgoing::HttpClient;
use crate::webhooks::wire::{Begun, WebhookReport};
use crate::webhooks::{Received, WebhookConfig, post, test_body};

#[derive(Args, Debug)]
pub(super) struct Webhook {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Send a signed event of the type webhook.test, and show the answer
    Test(Name),
    /// List the webhooks of the running gateway: state, lag, dead letters
    List {
        #[command(flatten)]
        options: Options,

        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Send the dead letters of a webhook again, oldest first, until one is not taken
    Replay(Name),
    /// Go on with a receiver that has answered 410
    Resume(Name),
}

#[derive(Args, Debug)]
struct Name {
    #[command(flatten)]
    options: Options,

    /// The name in [[webhooks]]
    name: String,
}

/// The list as JSON.
#[derive(serde::Serialize)]
struct Listed {
    webhooks: Vec<WebhookReport>,
}

pub(super) fn run(options: Options, webhook: Webhook) -> Result<(), Box<dyn Error>> {
    let options = options.and(webhook.options);
    match webhook.what {
        What::Test(Name { options: further, name }) => {
            test(&options.and(further).configuration()?.config, &name)
        }
        What::List { options: further, json } => {
            let backend = options.and(further).backend()?;
            let listed = call_gateway::<ListWebhooks>(&backend, &[], &Nothing {}, &Nothing {})?;
            if json {
                output::line(serde_json::to_string(&Listed { webhooks: listed.items })?)?;
            } else {
                output::line(shown(&listed.items, now()))?;
            }
            Ok(())
        }
        What::Replay(Name { options: further, name }) => {
            let backend = options.and(further).backend()?;
            let Begun { dead_letters } = change::<ReplayWebhook>(&backend, &name)?;
            output::line(format_args!(
                "{dead_letters} dead letters are sent again; `dragoman webhook list` shows how many \
                 are left"
            ))?;
            Ok(())
        }
        What::Resume(Name { options: further, name }) => {
            let backend = options.and(further).backend()?;
            change::<ResumeWebhook>(&backend, &name)?;
            output::line("events are sent again")?;
            Ok(())
        }
    }
}

fn change<E: Endpoint<Reply = Begun, Query = Nothing, Body = Nothing>>(
    backend: &Backend,
    name: &str,
) -> Result<Begun, Box<dyn Error>> {
    call_gateway::<E>(backend, &[name], &Nothing {}, &Nothing {})
}

/// Sends a test from this process, whether or not a gateway runs.
fn test(config: &Config, name: &str) -> Result<(), Box<dyn Error>> {
    let webhook = config.webhooks.iter().find(|webhook| webhook.name == name);
    let webhook = webhook.ok_or_else(|| {
        let names: Vec<&str> = config.webhooks.iter().map(|one| one.name.as_str()).collect();
        match names.as_slice() {
            [] => "there are no [[webhooks]] in the configuration".to_owned(),
            names => format!("there is no webhook {name:?}; there are {}", names.join(", ")),
        }
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let received = runtime.block_on(send(webhook))?;
    let ms = received.took.as_millis();
    output::line(format_args!("{} after {ms} ms", received.status))?;
    for (name, value) in &received.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        output::line(format_args!("{name}: {}", printable(&value)))?;
    }
    let body = String::from_utf8_lossy(&received.body);
    for line in body.lines() {
        output::line(printable(line))?;
    }
    match received.failure(now()) {
        Some(failure) => Err(format!("the receiver has not taken it: {}", failure.why).into()),
        None => Ok(()),
    }
}

async fn send(webhook: &WebhookConfig) -> Result<Received, String> {
    let client = HttpClient::new(&webhook.client)?;
    let now = now();
    let sent = post(&client, webhook, &test_body(&webhook.name, now), now).await;
    sent.map_err(|failure| format!("no answer from {}: {}", webhook.server(), failure.why))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn shown(webhooks: &[WebhookReport], now: Timestamp) -> String {
    if webhooks.is_empty() {
        return "there are no [[webhooks]] in the configuration".into();
    }
    let head = [
        "name",
        "state",
        "server",
        "delivered",
        "waiting messages",
        "for",
        "dead letters",
        "failure",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(webhooks.iter().map(|one| {
        let waits = |since: u64| format!("{} s", now.0.saturating_sub(since) / 1_000);
        [
            one.name.clone(),
            one.state.word().to_owned(),
            one.server.clone(),
            one.delivered.to_string(),
            one.lag_messages.to_string(),
            one.waiting_since_ms.map_or_else(|| "-".to_owned(), waits),
            one.dead_letters.to_string(),
            one.last_failure.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    table::aligned(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::wire::WebhookCondition;

    #[test]
    fn the_list_has_a_line_for_each_webhook() {
        let report = |name: &str, state, failure: Option<&str>| WebhookReport {
            name: name.into(),
            server: "https://example.org".into(),
            state,
            lag_messages: 12,
            waiting_since_ms: failure.map(|_| 1_000),
            delivered: 7,
            dead_letters: 2,
            last_failure: failure.map(Into::into),
        };
        let webhooks = [
            report("audit", WebhookCondition::Active, None),
            report("crm", WebhookCondition::Failing, Some("answered 500\u{1b}")),
        ];
        insta::assert_snapshot!(shown(&webhooks, Timestamp(61_500)), @r"
        name   state    server               delivered  waiting messages  for   dead letters  failure
        audit  active   https://example.org  7          12                -     2             -
        crm    failing  https://example.org  7          12                60 s  2             answered 500\u{1b}
        ");
    }
}

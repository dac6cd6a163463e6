//! `GET /api/v1/frontends/{frontend}`: all that is known of a front end.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::Timestamp;
use gateway_fanout::{Overflow, quantile};

use super::frontends::{listeners, named};
use super::{Context, OnGateway, Routes};
use crate::admin::types::{
    CertificateState, DocumentLink, FrontendDetail, KindCount, LimitState, ListenerState,
    NamedCount, Nothing, OperationState,
};
use crate::admin::{Problem, ShowFrontend};
use crate::runtime::admin::api_page;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::{FrontendMetrics, Limit, SignInResult};
use crate::runtime::net::listener::{BoundListener, transport};
use crate::runtime::net::state::GatewayState;
use crate::users::rfc3339;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ShowFrontend>()
}

impl OnGateway for ShowFrontend {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<FrontendDetail, Problem> {
        let frontend = named(&cx)?;
        let state = cx.state;
        // Documents of a plugin are made by its code, and thousands of mailboxes are looked at.
        let made = tokio::task::spawn_blocking(move || detail(&state, &frontend)).await;
        made.map_err(|error| Problem::new(503, "failed", error.to_string()))
    }
}

fn detail(state: &GatewayState, frontend: &FrontendHandle) -> FrontendDetail {
    let registry = state.registry();
    let manifest = frontend.frontend.manifest();
    let own = listeners(state, frontend);
    let metrics = &*frontend.metrics;
    let refusals = Limit::ALL.into_iter().map(|(limit, word)| (word, metrics.refused(limit)));
    let sign_ins = SignInResult::ALL.into_iter();
    let sign_ins = sign_ins.map(|(result, word)| (word, metrics.sign_ins(result)));
    FrontendDetail {
        name: frontend.name.clone(),
        dialect: manifest.dialect.clone(),
        title: manifest.title.clone(),
        serving: registry.is_listening(frontend),
        down: frontend.down().map(|why| why.to_string()),
        kept: registry.kept.get(&frontend.name).cloned(),
        connections: frontend.connections.count(),
        plugin: frontend.instance().plugin_path().map(|path| path.display().to_string()),
        listeners: own.iter().flat_map(|one| listener_states(one, frontend)).collect(),
        limits: limits(frontend),
        certificates: certificates(&own),
        operations: operations(metrics),
        counts: counts(metrics),
        responses: metrics
            .http
            .responses()
            .map(|(name, count)| NamedCount { name, count })
            .collect(),
        refusals: kinds(refusals),
        sign_ins: kinds(sign_ins),
        documents: documents(state, frontend),
    }
}

pub(super) fn kinds(of: impl Iterator<Item = (&'static str, u64)>) -> Vec<KindCount> {
    of.map(|(kind, count)| KindCount { kind: kind.to_owned(), count }).collect()
}

fn listener_states(listener: &BoundListener, frontend: &FrontendHandle) -> Vec<ListenerState> {
    let (bound, acceptance) = (listener.bound(), listener.acceptance());
    let address = bound.as_ref().unwrap_or(&listener.key.address).to_string();
    let tls = acceptance.options.tls.as_ref();
    let certificate = tls.and_then(|tls| tls.certificates.first());
    let bindings = listener.bindings();
    let own = bindings.iter().filter(|binding| binding.frontend.index() == frontend.index());
    let state = own.map(|binding| ListenerState {
        listener: binding.listener.key.clone(),
        address: address.clone(),
        transport: transport(&binding.listener).to_owned(),
        tls: tls.is_some(),
        open: bound.is_some() && !listener.is_lost(),
        public_url: binding.public_url.as_ref().map(|url| url.text().to_owned()),
        certificate: certificate.map(|it| it.path.display().to_string()),
    });
    state.collect()
}

fn limits(frontend: &FrontendHandle) -> Vec<LimitState> {
    let (limits, metrics) = (&frontend.limits, &frontend.metrics);
    let deepest = frontend.instance().streams().into_iter();
    let deepest = deepest.map(|stream| stream.handle.mailbox.depth() as u64).max();
    let connections = &frontend.connections;
    let (total, fullest) = (connections.count(), connections.count_of_fullest());
    let row = |name: &str, limit: u32, unit: &str, value: Option<u64>, refused: u64| LimitState {
        name: name.to_owned(),
        limit: limit.into(),
        value,
        unit: unit.to_owned(),
        refused,
    };
    let present = |count: u32| Some(u64::from(count));
    let (all, by_address) = (Limit::Connections, Limit::ConnectionsPerAddress);
    let refused = |limit| metrics.refused(limit);
    let (rate, bytes, chars) = ("per second", "bytes", "characters");
    let (per_address, full) = (limits.connections_per_address_max, Overflow::Items);
    vec![
        row("connections_max", limits.connections_max, "connections", present(total), refused(all)),
        row(
            "connections_per_address_max",
            per_address,
            "connections",
            present(fullest),
            refused(by_address),
        ),
        row("requests_per_s", limits.requests_per_s, rate, None, refused(Limit::Requests)),
        row("messages_per_s", limits.messages_per_s, rate, None, refused(Limit::Messages)),
        row("bytes_per_s", limits.bytes_per_s, "bytes per second", None, refused(Limit::Bytes)),
        row("body_bytes_max", limits.body_bytes_max, bytes, None, refused(Limit::BodyBytes)),
        row(
            "message_bytes_max",
            limits.message_bytes_max,
            bytes,
            None,
            refused(Limit::MessageBytes),
        ),
        row("text_chars_max", limits.text_chars_max, chars, None, refused(Limit::TextChars)),
        row(
            "mailbox_max",
            limits.mailbox_max,
            "items",
            deepest.or(Some(0)),
            metrics.overflows(full),
        ),
        row(
            "mailbox_bytes_max",
            limits.mailbox_bytes_max,
            bytes,
            None,
            metrics.overflows(Overflow::Bytes),
        ),
    ]
}

/// The certificates of listeners, once each.
fn certificates(listeners: &[Arc<BoundListener>]) -> Vec<CertificateState> {
    let mut found = BTreeMap::new();
    for listener in listeners {
        let acceptance = listener.acceptance();
        for one in acceptance.options.tls.iter().flat_map(|tls| &tls.certificates) {
            found.entry(one.path.clone()).or_insert_with(|| CertificateState {
                file: one.path.display().to_string(),
                subject: one.subject.clone(),
                names: one.names.clone(),
                not_before: shown(one.not_before),
                not_after: shown(one.not_after),
            });
        }
    }
    found.into_values().collect()
}

/// Seconds since 1970.
fn shown(secs: i64) -> String {
    rfc3339(Timestamp(u64::try_from(secs).unwrap_or_default().saturating_mul(1000)))
}

fn operations(metrics: &FrontendMetrics) -> Vec<OperationState> {
    let durations = metrics.http.durations().into_iter();
    let operation = durations.map(|(name, duration)| {
        let cumulative = duration.cumulative();
        let ms = |share| quantile(&cumulative, &[], share).map_or(0.0, |secs| secs * 1000.0) as f32;
        OperationState { name, count: duration.count(), p50_ms: ms(0.5), p99_ms: ms(0.99) }
    });
    operation.collect()
}

fn counts(metrics: &FrontendMetrics) -> Vec<NamedCount> {
    let rows = [
        ("opened", &metrics.opened),
        ("requests", &metrics.requests),
        ("commands", &metrics.commands),
        ("queries", &metrics.queries),
        ("events", &metrics.events),
        ("frames", &metrics.frames),
        ("signed_in", &metrics.signed_in),
        ("cut_off", &metrics.cut_off),
        ("panics", &metrics.panics),
    ];
    let row = |(name, of): (&str, &crate::runtime::metrics::Counter)| NamedCount {
        name: name.to_owned(),
        count: of.count(),
    };
    rows.into_iter().map(row).collect()
}

/// As far as the admin listener serves them.
fn documents(state: &GatewayState, frontend: &FrontendHandle) -> Vec<DocumentLink> {
    let links = api_page::links(&state.registry(), frontend).into_iter();
    let link = links.map(|(name, media_type, href, page)| DocumentLink {
        name,
        media_type,
        page: page.then(|| format!("{href}.html")),
        href,
    });
    link.collect()
}

//! Traces of messages, sent to an OpenTelemetry collector (feature `otel`).
//!
//! A message is a trace: the span `post`, from when its command was submitted until it is in the
//! mailboxes, and in it `queue`, `commit` and `fan-out`. They are made when all is over, from the
//! times that the metrics are made from: the stages of one message are on several threads, and a
//! commit is one of many messages.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use core_engine::Done;
use core_model::{Event, MessageId};
use gateway_fanout::Ticket;
use http_body_util::Full;
use hyper::{Request, Response};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HttpError;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::outgoing::{ClientOptions, Destinations, HttpClient, read_body};
use crate::runtime::clock::Clock;
use crate::runtime::session::recent::BatchTimes;

/// One of these must be set: the collector's address.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How long a request to the collector may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer of the collector: mostly nothing.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Makes traces and sends them.
pub(crate) struct Traces {
    clock: Arc<Clock>,
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

struct Posted {
    message: MessageId,
    submitted_ns: u64,
}

impl Traces {
    /// As the variables `OTEL_…` of the environment say. `None`: they name no collector. `Err`: why
    /// there are no traces.
    ///
    /// To be called on a thread that may block.
    pub(crate) fn from_environment(clock: Arc<Clock>) -> Result<Option<Arc<Self>>, String> {
        if !ENDPOINTS.iter().any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty())) {
            return Ok(None);
        }
        let options = ClientOptions { destinations: Destinations::Any, ca_file: None };
        let client = Client { runtime: Handle::current(), http: HttpClient::new(&options)? };
        let exporter = SpanExporter::builder().with_http().with_http_client(client);
        let exporter = exporter.with_protocol(Protocol::HttpJson).build();
        let exporter = exporter.map_err(|error| error.to_string())?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("dragoman");
        }
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.with_attribute(version).build())
            .with_batch_exporter(exporter)
            .build();
        let tracer = provider.tracer("dragoman");
        Ok(Some(Arc::new(Self { clock, provider, tracer })))
    }

    /// What is to be called when a batch is delivered. `None`: no client posted a message in it.
    pub(crate) fn on_delivered(
        self: &Arc<Self>,
        batch: &[Done<Ticket>],
        times: BatchTimes,
    ) -> Option<gateway_fanout::OnDelivered> {
        let posted: Vec<Posted> = batch.iter().filter_map(posted).collect();
        let commands = batch.len();
        let traces = self.clone();
        (!posted.is_empty())
            .then(|| Box::new(move || traces.emit(&posted, times, commands)) as Box<_>)
    }

    fn emit(&self, posted: &[Posted], times: BatchTimes, commands: usize) {
        let (now, now_ns) = (SystemTime::now(), self.clock.steady_ns());
        let at = |ns: u64| now - Duration::from_nanos(now_ns.saturating_sub(ns));
        let BatchTimes { begun_ns, committed_ns } = times;
        for Posted { message, submitted_ns } in posted {
            let attributes = [
                KeyValue::new("messaging.message.id", message.0.to_string()),
                KeyValue::new("messaging.batch.message_count", commands as i64),
            ];
            let post = SpanBuilder::from_name("post")
                .with_kind(SpanKind::Producer)
                .with_start_time(at(*submitted_ns))
                .with_attributes(attributes);
            let mut post = self.tracer.build_with_context(post, &Context::new());
            let parent = Context::new().with_remote_span_context(post.span_context().clone());
            let stages = [
                ("queue", *submitted_ns, begun_ns),
                ("commit", begun_ns, committed_ns),
                ("fan-out", committed_ns, now_ns),
            ];
            for (name, from_ns, to_ns) in stages {
                let stage = SpanBuilder::from_name(name).with_start_time(at(from_ns));
                let mut stage = self.tracer.build_with_context(stage, &parent);
                stage.end_with_timestamp(at(to_ns));
            }
            post.end_with_timestamp(now);
        }
    }

    /// Sends what is left. To be called on a thread that may block.
    pub(crate) fn shut_down(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(EXPORT_TIMEOUT) {
            tracing::warn!("the last traces were not sent: {error}");
        }
    }
}

fn posted(done: &Done<Ticket>) -> Option<Posted> {
    let submitted_ns = Ticket::submitted_of(&done.ticket).at_ns()?;
    done.events.iter().find_map(|recorded| match &recorded.event {
        Event::Posted { message } => Some(Posted { message: message.id, submitted_ns }),
        _ => None,
    })
}

/// The HTTP client of the gateway, for a thread without its runtime.
struct Client {
    runtime: Handle,
    http: HttpClient,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl opentelemetry_http::HttpClient for Client {
    fn send_bytes<'s, 'a>(&'s self, request: Request<Bytes>) -> Sending<'a>
    where
        's: 'a,
        Self: 'a,
    {
        let http = self.http.clone();
        // A timer is made where the runtime is: on the exporter's own thread there is none.
        let sent = async move { timeout(EXPORT_TIMEOUT, send(http, request)).await };
        let sent = self.runtime.spawn(sent);
        Box::pin(async move { sent.await?? })
    }
}

async fn send(http: HttpClient, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let response = http.send(request.map(Full::new)).await.map_err(|failure| failure.why)?;
    let status = response.status();
    let body = read_body(response, ANSWER_BYTES_MAX).await.map_err(|failure| failure.why)?;
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    Ok(answer)
}

//! OpenTelemetry traces by OTLP over HTTP, where a collector is configured.
//!
//! Spans are made with the target [`TARGET`] at level TRACE, which nothing but the exporter asks for: without a collector a
//! span costs one comparison.
//!
//! Touches the network. Start at [`Traces::start`].

use std::{fmt, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use axum::http::HeaderMap;
use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    registry::LookupSpan,
};

use crate::{config::Otlp, egress};

/// What every span of the gateway's traces is made with.
pub const TARGET: &str = "patchbay::trace";

/// A span of the gateway's traces, with its fields as `tracing` writes them.
macro_rules! span {
    ($name:literal $(, $($field:tt)*)?) => {
        tracing::trace_span!(target: $crate::traces::TARGET, $name $(, $($field)*)?)
    };
}
pub(crate) use span;

/// The exporter that runs.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts exporting; none where no collector is configured. It needs a running Tokio.
    ///
    /// # Errors
    /// TLS can't be set up, or the exporter doesn't take its settings.
    pub fn start(otlp: &Otlp) -> anyhow::Result<Option<Traces>> {
        if otlp.endpoint.is_empty() {
            return Ok(None);
        }
        let timeout = Duration::from_millis(otlp.timeout_ms);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { client: egress::operators_client(timeout)?, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", otlp.endpoint.trim_end_matches('/')))
            .with_headers(otlp.headers.clone().into_iter().collect())
            .with_timeout(timeout)
            .build()
            .context("otlp")?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample_ratio))))
            .with_resource(Resource::builder_empty().with_service_name(otlp.service_name.clone()).build())
            .build();
        let tracer = provider.tracer("patchbay");
        Ok(Some(Traces { provider, tracer }))
    }

    /// Takes the spans out of `tracing`.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE))
    }

    /// Exports what waits and ends.
    pub async fn close(self) {
        // The provider waits for its thread, which needs this runtime to send.
        let closed = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        if let Ok(Err(error)) = closed {
            tracing::warn!(%error, "the last traces could not be exported");
        }
    }
}

/// Has the span go on with the trace of an incoming request, where its headers name one.
pub fn follow(span: &Span, headers: &HeaderMap) {
    if span.is_disabled() {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // It fails where the span has begun already: then it is a trace of its own.
    let _ = span.set_parent(parent);
}

/// Sends what the exporter's own thread hands over, on the gateway's runtime.
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let exchange = async move {
            let answer = client.execute(request).await?;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?;
            reqwest::Result::Ok(response)
        };
        Ok(self.runtime.spawn(exchange).await??)
    }
}

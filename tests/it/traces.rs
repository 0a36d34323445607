//! Traces reach a collector and hang together.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as AnyValue, trace::v1::Span,
};
use prost::Message as _;
use serde_json::json;

use crate::harness::{Bench, Database, MONA, Settings, eventually};

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
}

impl Collector {
    async fn start() -> (Collector, String) {
        let collector = Collector::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|(_, request)| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    collector.requests.lock().unwrap().push((headers, ExportTraceServiceRequest::decode(body).unwrap()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    match span.attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => Some(text.clone()),
        AnyValue::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test]
async fn a_webhook_and_a_send_are_traced_from_end_to_end() {
    let (collector, url) = Collector::start().await;
    let settings = Settings::default()
        .line(&format!("otlp.endpoint = \"{url}\""))
        .line("otlp.headers = { x-collector-key = \"sesame\" }")
        .line("otlp.service_name = \"patchbay-test\"");
    let mut bench = Bench::with(Database::Sqlite, json!({}), settings).await;
    let secret = bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token");
    let update = json!({"update_id": 1, "message": {"message_id": 1, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
                        "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": "in"}});
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let webhook = bench.gateway.webhook_request(&bench.account, Some(&secret), update.to_string());
    let answer = webhook.header("traceparent", format!("00-{trace}-{parent}-01")).send().await.unwrap();
    assert!(answer.status().is_success());
    let sent = bench.send(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "out"}})).await;
    // A stop exports what waits.
    bench.gateway.terminate();
    bench.gateway.stopped().await;

    let spans = eventually("the spans arrive", || async {
        let spans = collector.spans();
        spans.iter().any(|span| span.name == "attempt").then_some(spans)
    })
    .await;
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let only = |name: &str| match named(name).as_slice() {
        [span] => (*span).clone(),
        several => panic!("{} spans {name}", several.len()),
    };
    let webhook = only("webhook");
    assert_eq!((hex(&webhook.trace_id).as_str(), hex(&webhook.parent_span_id).as_str()), (trace, parent));
    assert_eq!(attribute(&webhook, "account.id").as_deref(), Some(bench.account.as_str()));
    assert_eq!(attribute(&webhook, "channel.type").as_deref(), Some("TELEGRAM"));
    for name in ["verify", "parse", "commit"] {
        let span = only(name);
        assert_eq!((span.trace_id, span.parent_span_id), (webhook.trace_id.clone(), webhook.span_id.clone()), "{name}");
    }
    assert_eq!(attribute(&only("parse"), "plugin.version").as_deref(), Some("0.1.0"));

    let attempt = only("attempt");
    assert_eq!(attribute(&attempt, "message.id"), sent["id"].as_str().map(str::to_owned));
    for name in ["send", "settle"] {
        let span = only(name);
        assert_eq!((&span.trace_id, &span.parent_span_id), (&attempt.trace_id, &attempt.span_id), "{name}");
    }
    let send = only("send");
    let http = named("http").into_iter().find(|span| span.parent_span_id == send.span_id).expect("the request to the provider");
    assert_eq!(attribute(http, "url.path").as_deref(), Some("/sendMessage"));
    assert_eq!(attribute(http, "http.response.status_code").as_deref(), Some("200"));
    let claims: Vec<Vec<u8>> = named("claim").into_iter().map(|span| span.span_id.clone()).collect();
    assert!(attempt.links.iter().any(|link| claims.contains(&link.span_id)), "the attempt names its claim: {:?}", attempt.links);

    let requests = collector.requests.lock().unwrap();
    let (headers, request) = &requests[0];
    assert_eq!(headers["x-collector-key"], "sesame");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert!(format!("{resource:?}").contains("patchbay-test"), "{resource:?}");
    let all = format!("{requests:?}");
    assert!(!all.contains("4200001:AAE") && !all.contains(&secret), "a credential is in a trace");
}

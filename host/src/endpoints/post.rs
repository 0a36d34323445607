//! One event to one URL, and what the receiver said.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::{keys::Signer, nats::Unpublished};
use crate::{
    app::App,
    clock::At,
    domain::{
        endpoint::{Endpoint, Target},
        event::{Event, EventType},
    },
    egress::Pushed,
    error::ApiError,
};

const GONE: u16 = 410;
/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// How a post ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posted {
    /// None where nothing was answered.
    pub(super) status: Option<u16>,
    /// Why it wasn't taken.
    pub(super) error: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Posted {
    pub(super) fn is_taken(&self) -> bool {
        self.error.is_none()
    }

    /// The receiver wants no events any more.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(GONE)
    }
}

/// Posts the event, signed for this very attempt.
pub(super) async fn post(app: &App, url: &Url, signer: &Signer, event: &Event) -> Posted {
    let body = match serde_json::to_vec(event) {
        Ok(body) => body,
        Err(error) => return Posted { status: None, error: Some(format!("the event has no JSON: {error}")), retry_after: None },
    };
    let timestamp = app.clock.now().millis().div_euclid(1000);
    let signature = signer.sign(&event.id, timestamp, &body);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [("webhook-id", &event.id), ("webhook-timestamp", &timestamp.to_string()), ("webhook-signature", &signature)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let timeout = Duration::from_secs(app.config.endpoints.timeout_s);
    judge(app.egress.push(url, headers, body.into(), timeout).await)
}

fn judge(answer: Result<Pushed, String>) -> Posted {
    let pushed = match answer {
        Ok(pushed) => pushed,
        Err(why) => return Posted { status: None, error: Some(why), retry_after: None },
    };
    let status = pushed.status;
    let error = match (status, pushed.location) {
        (200..=299, _) => None,
        (300..=399, Some(location)) => {
            Some(format!("it answered {status} and names {location}: redirects aren't followed, change the url"))
        }
        _ if pushed.text.trim().is_empty() => Some(format!("it answered {status}")),
        _ => Some(format!("it answered {status}: {}", pushed.text.trim())),
    };
    let retry_after = pushed.retry_after.filter(|_| matches!(status, 429 | 503)).map(|wait| wait.min(RETRY_AFTER_MAX));
    Posted { status: Some(status), error, retry_after }
}

/// What a test came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointTest")]
pub struct TestResult {
    pub delivered: bool,
    pub event_id: String,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub duration_ms: u64,
}

/// Sends an `endpoint.test` now, whether the endpoint is active or not. It is tried once and tells nothing of the endpoint's
/// health.
///
/// # Errors
/// The endpoint's secret can't be opened.
pub async fn test(app: &App, endpoint: &Endpoint) -> Result<TestResult, ApiError> {
    let now = app.clock.now();
    let event = test_event(app, endpoint, now);
    let began = Instant::now();
    let (status, error) = match &endpoint.target {
        Target::Webhook(webhook) => {
            let signer = Signer::open(&app.keyring, &endpoint.id, &webhook.keys, now).map_err(|error| ApiError::internal(&error))?;
            let url = Url::parse(&webhook.url).map_err(|error| ApiError::internal(&error))?;
            let posted = post(app, &url, &signer, &event).await;
            (posted.status, posted.error)
        }
        Target::Nats => match app.nats.publish(&event).await {
            Ok(()) => (None, None),
            Err(Unpublished::Later(why) | Unpublished::Never(why)) => (None, Some(why)),
        },
    };
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(TestResult { delivered: error.is_none(), event_id: event.id, status, error, duration_ms })
}

fn test_event(app: &App, endpoint: &Endpoint, now: At) -> Event {
    Event {
        id: app.ids.next(now),
        event_type: EventType::EndpointTest,
        version: 1,
        organization_id: endpoint.organization_id.clone().unwrap_or_else(|| "test".to_owned()),
        channel_account_id: String::new(),
        conversation_id: None,
        message_id: None,
        occurred_at: now,
        data: json!({"endpoint": view(endpoint), "message": "This is a test: nothing happened."}),
        seq: 0,
    }
}

/// An endpoint as events show it.
pub(super) fn view(endpoint: &Endpoint) -> serde_json::Value {
    json!({"id": endpoint.id, "url": endpoint.target.url(), "description": endpoint.description})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Posted {
        let retry_after = Some(Duration::from_secs(90));
        judge(Ok(Pushed { status, retry_after, location: Some("https://example.com/new".into()), text: " no \n".into() }))
    }

    #[test]
    fn only_2xx_is_taken() {
        for status in [200, 201, 204, 299] {
            assert!(answered(status).is_taken(), "{status}");
        }
        for status in [199, 301, 304, 400, 404, 410, 500] {
            assert!(!answered(status).is_taken(), "{status}");
        }
        assert!(answered(410).is_gone() && !answered(404).is_gone());
        assert!(!judge(Err("no answer".into())).is_taken());
    }

    #[test]
    fn the_reason_says_what_to_do() {
        assert!(answered(302).error.unwrap().contains("https://example.com/new"));
        assert_eq!(answered(500).error.unwrap(), "it answered 500: no");
    }

    #[test]
    fn a_wait_is_taken_from_those_who_may_ask_for_one() {
        assert_eq!(answered(429).retry_after, Some(Duration::from_secs(90)));
        assert_eq!(answered(500).retry_after, None);
        let forever = Pushed { status: 503, retry_after: Some(Duration::from_secs(1 << 40)), location: None, text: String::new() };
        assert_eq!(judge(Ok(forever)).retry_after, Some(RETRY_AFTER_MAX));
    }
}

//! The way of a provider to us: webhooks posted, and the media that it fetches by URL.

use std::time::Duration;

use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// An answer of more bytes than this is an error.
const ANSWER_MAX: usize = 21 * 1024 * 1024;

/// Speaks plain HTTP only: what it talks to is on loopback.
#[derive(Debug)]
pub(crate) struct Poster {
    client: Client<HttpConnector, Full<Bytes>>,
    deliver_to: Option<Authority>,
}

#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Posted {
    /// Seconds of a `Retry-After` header; its date form is not read, as Telegram doesn't.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
    }
}

impl Poster {
    /// `deliver_to`: webhooks go to this authority over HTTP whatever their URL says, so that a gateway with a public
    /// HTTPS address can be reached on loopback. The `Host` header stays the public one.
    pub(crate) fn new(deliver_to: Option<Authority>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(10)));
        Self { client: Client::builder(TokioExecutor::new()).build(connector), deliver_to }
    }

    /// Posts JSON. The error is a sentence for people.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        within: Duration,
    ) -> Result<Posted, String> {
        let json = HeaderValue::from_static("application/json");
        let headers: Vec<_> = headers.iter().cloned().chain([(header::CONTENT_TYPE, json)]).collect();
        self.send(Method::POST, url, &headers, body, within).await
    }

    /// Sends to a webhook's host, with any method and content. The error is a sentence for people.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        within: Duration,
    ) -> Result<Posted, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let host = uri.authority().map(|authority| authority.as_str().to_owned());
        let mut request = Request::builder().method(method);
        if let (Some(host), Some(_)) = (host, &self.deliver_to) {
            request = request.header(header::HOST, host);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.uri(self.route(uri)?).body(Full::new(body)).map_err(|error| error.to_string())?;
        self.exchange(request, within).await
    }

    pub(crate) async fn fetch(&self, url: &str, within: Duration) -> Result<Posted, String> {
        let request = Request::builder().uri(url).body(Full::default()).map_err(|error| error.to_string())?;
        self.exchange(request, within).await
    }

    fn route(&self, uri: Uri) -> Result<Uri, String> {
        let Some(authority) = &self.deliver_to else { return Ok(uri) };
        let mut parts = uri.into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(authority.clone());
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        Uri::from_parts(parts).map_err(|error| error.to_string())
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, within: Duration) -> Result<Posted, String> {
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| causes(&error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Posted { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| Err("Connection timed out".into()))
    }
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

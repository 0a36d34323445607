//! Whose pages may call: those of the origins that the account lists, and the gateway's own.

use std::sync::Arc;

use axum::http::{HeaderValue, Method, header, request::Parts};
use serde_json::Value;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use super::METHODS;
use crate::{app::App, domain::account::Account, manifest::BrowserSpec};

/// How long a browser may remember what it was allowed.
const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(3600);

/// Answers preflights, and lets pages of listed origins read the answers, whatever these say.
pub(super) fn cors(app: &Arc<App>) -> CorsLayer {
    let app = Arc::clone(app);
    let listed = move |origin: HeaderValue, parts: &Parts| {
        let account = parts.uri.path().split('/').nth(2).unwrap_or_default().to_owned();
        async move { is_listed(&app, &account, &origin).await }
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::async_predicate(listed))
        .allow_methods([Method::GET, Method::HEAD].into_iter().chain(METHODS).collect::<Vec<_>>())
        .allow_headers([header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER])
        .max_age(MAX_AGE)
}

async fn is_listed(app: &App, account_id: &str, origin: &HeaderValue) -> bool {
    let Ok(Some(known)) = app.known.find(app, account_id).await else { return false };
    let Some(manifest) = app.plugins.manifest_for(&known.account) else { return false };
    manifest.browser.as_ref().is_some_and(|spec| lists(app, spec, &known.account, origin))
}

/// Whether a page of that origin may call.
pub(super) fn lists(app: &App, spec: &BrowserSpec, account: &Account, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let setting = spec.origins.as_ref().and_then(|name| account.settings.get(name));
    let listed: Vec<&str> = match setting {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    listed.into_iter().chain([app.public_url.as_str()]).filter_map(written).any(|listed| listed == origin)
}

/// An origin as browsers write it. None of what has none, like a file.
fn written(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

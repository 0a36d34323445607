//! For whoever watches the gateway: `/healthz` (the process runs), `/readyz` (it can take work) and `/metrics`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{FromRequestParts as _, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::Caller;
use crate::{app::App, error::ApiError, metrics, openapi::schemas::answers, store};

/// How long the database may take to answer before the gateway calls itself not ready.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a process does. Every one does both.
const ROLES: [&str; 2] = ["web", "worker"];
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready)).routes(routes!(show_metrics)).routes(routes!(welcome))
}

answers!(Readiness, Welcome);

/// One thing that has to be right for work to be taken.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReadinessCheck")]
struct Check {
    name: &'static str,
    ok: bool,
    /// What is wrong, or worth knowing.
    reason: Option<String>,
}

impl Check {
    fn of(name: &'static str, outcome: Result<(), String>) -> Check {
        Check { name, ok: outcome.is_ok(), reason: outcome.err() }
    }
}

/// Whether the gateway can take work, and what is missing.
#[derive(Serialize, JsonSchema)]
struct Readiness {
    ready: bool,
    checks: Vec<Check>,
    /// What the process does.
    roles: [&'static str; 2],
    /// The types whose plugins are known here.
    channel_types: Vec<String>,
}

/// Whether the process runs
///
/// It answers as long as there is a process.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operations",
    operation_id = "check_liveness",
    security(()),
    responses((status = 200, description = "It runs.", body = String, content_type = "text/plain")),
)]
async fn alive() -> &'static str {
    "ok"
}

/// Whether the gateway can take work
///
/// A balancer sends requests elsewhere while it can't.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    operation_id = "check_readiness",
    security(()),
    responses(
        (status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "It can't: `checks` says why.", body = Readiness),
    ),
)]
async fn ready(State(app): State<Arc<App>>) -> Response {
    let running = if app.tasks.is_draining() { Err("the gateway is shutting down".to_owned()) } else { Ok(()) };
    let checks = [Check::of("running", running), Check::of("database", database(&app).await), plugins(&app)];
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Readiness { ready, checks: checks.into(), roles: ROLES, channel_types: app.plugins.type_names() };
    (status, Json(body)).into_response()
}

async fn database(app: &App) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, store::events::last_seq(&app.db)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database doesn't answer");
            Err("the database doesn't answer; the gateway's log says why".to_owned())
        }
        Err(_) => Err(format!("the database didn't answer within {} s", PATIENCE.as_secs())),
    }
}

/// A plugin that can't run is told, and no reason to send the other channels' webhooks elsewhere.
fn plugins(app: &App) -> Check {
    let broken: Vec<String> = app
        .plugins
        .type_names()
        .into_iter()
        .filter_map(|channel_type| {
            app.plugins.problem(&channel_type).map(|problem| format!("{channel_type} can't run: {}", problem.reason))
        })
        .collect();
    Check { name: "plugins", ok: true, reason: (!broken.is_empty()).then(|| broken.join("; ")) }
}

/// Metrics
///
/// Figures for Prometheus, as OpenMetrics. It takes a key of the operator, unless `metrics.public` is set.
// Behind a proxy on the same machine everybody comes from it: where a request comes from proves nothing, so it takes a key.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "read_metrics",
    responses((status = 200, description = "All figures of this node.", body = String, content_type = "application/openmetrics-text")),
)]
async fn show_metrics(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    if !app.config.metrics.public {
        let (mut parts, _) = request.into_parts();
        Caller::from_request_parts(&mut parts, &app)
            .await
            .map_err(|error| error.hint("Send a key of the operator (patchbay key new --scope read), or set metrics.public = true."))?
            .oversees()?;
    }
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], metrics::scrape(&app).await).into_response())
}

/// What answers here.
#[derive(Serialize, JsonSchema)]
struct Welcome {
    name: &'static str,
    version: &'static str,
    /// Where the API is.
    api: String,
    /// Its description.
    openapi: String,
    /// And the same for people.
    docs: String,
}

/// What answers here
#[utoipa::path(
    get,
    path = "/",
    tag = "operations",
    operation_id = "greet",
    security(()),
    responses((status = 200, description = "The gateway, its version, and where its API is.", body = Welcome)),
)]
async fn welcome(State(app): State<Arc<App>>) -> Json<Welcome> {
    let url = &app.public_url;
    Json(Welcome {
        name: "Patchbay",
        version: env!("CARGO_PKG_VERSION"),
        api: format!("{url}/rest/v1"),
        openapi: format!("{url}/openapi.json"),
        docs: format!("{url}/docs"),
    })
}

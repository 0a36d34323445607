//! The door for REST clients: `/rest/v1` and `/admin/v1`. A handler extracts, authorises, calls one verb and renders.

mod account_logs;
mod api_keys;
mod apps;
mod asked;
mod audit;
mod auth;
mod channel_account_stats;
mod channel_accounts;
mod channel_types;
mod cors;
mod dead_letters;
mod endpoints;
mod event_types;
mod events;
mod extract;
mod idempotency;
mod lists;
mod media;
mod messages;
mod nodes;
mod pairing;
mod people;
mod plugin_calls;
mod plugin_components;
mod plugin_keys;
mod plugin_rollouts;
mod plugin_versions;
mod plugins;
mod reason;
mod resources;
mod status;
mod subscriptions;
mod webhook_deliveries;
mod writes;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::{self, Next},
    response::Response,
};
use patchbay_postgrest::Error;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    error::ApiError,
    openapi::{Document, page},
};

pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    const KIB: usize = 1024;
    let (rest, of_rest) = OpenApiRouter::new()
        .merge(account_logs::router())
        .merge(channel_accounts::router())
        .merge(pairing::router())
        .merge(channel_account_stats::router())
        .merge(channel_types::router())
        .merge(messages::router())
        .merge(dead_letters::router())
        .merge(people::router())
        .merge(subscriptions::router())
        .merge(events::router())
        .merge(event_types::router())
        .merge(endpoints::router())
        .merge(webhook_deliveries::router())
        // Uploads are streamed: they bound themselves.
        .merge(media::router())
        .merge(api_keys::router())
        .merge(audit::own_router())
        .split_for_parts();
    let rest = rest
        .fallback(unknown_table)
        // Here, so that the layers reach it: a preflight comes by a method that no route takes.
        .method_not_allowed_fallback(wrong_method_of_table)
        .layer(middleware::from_fn_with_state(Arc::clone(app), idempotency::keep_answers))
        .layer(DefaultBodyLimit::max(app.config.http.max_body_kb.saturating_mul(KIB)))
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), auth::admit))
        .layer(cors::layer(&app.config.http.cors_origins));
    let plugins = plugins::router().layer(DefaultBodyLimit::max(app.config.plugins.max_size_mb.saturating_mul(KIB * KIB)));
    let (admin, of_admin) = plugins
        .merge(plugin_versions::router())
        .merge(plugin_calls::router())
        .merge(plugin_rollouts::router())
        .merge(plugin_keys::router())
        .merge(audit::router())
        .merge(nodes::router())
        .merge(apps::router())
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), auth::operate))
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), auth::admit))
        .split_for_parts();
    let (open, of_open) =
        OpenApiRouter::new().merge(media::signed_router()).merge(status::router()).routes(routes!(describe)).split_for_parts();
    let api = of_open.nest("/rest/v1", of_rest).nest("/admin/v1", of_admin);
    let document = Arc::new(Document::new(api, &app.public_url));
    open.layer(Extension(document))
        .nest("/rest/v1", rest)
        .nest("/admin/v1", admin)
        .merge(page::router())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
}

/// The description of the API
///
/// OpenAPI 3.1, with the settings of each channel type whose plugin runs.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    operation_id = "describe_api",
    security(()),
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of what the client has.", example = "\"5d41\"")),
    responses(
        (status = 200, description = "This document.", body = Value, headers(("ETag" = String, description = "It changes when the document does."))),
        (status = 304, description = "The client has it."),
    ),
)]
async fn describe(State(app): State<Arc<App>>, Extension(document): Extension<Arc<Document>>, headers: HeaderMap) -> Response {
    document.answer(&app, &headers)
}

/// What a node without the role `web` answers: whether it is well, and nothing else.
pub fn status_router() -> Router<Arc<App>> {
    Router::from(status::router()).fallback(not_web)
}

async fn not_web(State(app): State<Arc<App>>) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_web", "This node answers no requests: its node.roles has no “web”.")
        .hint(format!("Ask a node that has it; the balancer must not send requests to {}.", app.node.name))
}

/// Does work to its end even where the client hangs up: what a provider was told has to be stored.
async fn to_the_end<T, F>(app: &Arc<App>, work: impl FnOnce(Arc<App>) -> F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    app.tasks.finish(work(Arc::clone(app))).await.unwrap_or_else(|| Err(ApiError::internal(&"a verb panicked")))
}

async fn wrong_method(uri: Uri, method: Method) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("…{} doesn't take {method}.", uri.path()))
        .hint("The header allow names what it takes.")
}

async fn wrong_method_of_table(request: Request) -> ApiError {
    let error = Error::new(405, "PGRST117", format!("Unsupported HTTP method: {}", request.method()));
    error.details(format!("/rest/v1{} doesn't take it.", request.uri().path())).into()
}

/// Under `/rest/v1` every word is a table, as PostgREST has it.
async fn unknown_table(request: Request) -> ApiError {
    let path = request.uri().path().trim_matches('/');
    if path.is_empty() || path.contains('/') {
        return Error::new(404, "PGRST125", "Invalid path specified in request URL")
            .hint(format!("There are: {}.", resources::NAMES))
            .into();
    }
    Error::no_table(path, resources::NAMES).into()
}

async fn unknown(request: Request) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_such_route", format!("There is no {} {}.", request.method(), request.uri().path()))
        .hint(format!("The API is under /rest/v1: {}.", resources::NAMES))
}

/// A handler that panics is a defect; its client gets an answer all the same.
pub async fn answer_panics(State(()): State<()>, request: Request, next: Next) -> Response {
    use axum::response::IntoResponse;
    use futures::FutureExt;
    match std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::internal(&"a handler panicked").into_response(),
    }
}

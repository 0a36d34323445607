//! `/admin/v1/plugins/calls`: calls of plugins that failed, to be run again by `patchbay plugin replay`; and the component that a
//! version is, which that needs.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::value::RawValue;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    error::ApiError,
    openapi::schemas::answers,
    store::{
        self,
        plugin_calls::{Filter, Kept},
    },
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(component))
}

answers!(Kept);

/// List calls of plugins that failed
///
/// Newest first; `before` is the last id of the page before.
#[utoipa::path(
    get,
    path = "/plugins/calls",
    tag = "plugins",
    operation_id = "list_failed_calls",
    params(
        ("type" = Option<String>, Query),
        ("version" = Option<String>, Query, description = "Of that version.", example = "1.2.0"),
        ("digest" = Option<String>, Query),
        ("account" = Option<String>, Query, description = "Of that account.", example = "01a0c0de-0000-7000-8000-000000000001"),
        ("channel_account_id" = Option<String>, Query),
        ("hook" = Option<String>, Query, description = "Of that function of the plugin.", example = "send"),
        ("before" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
        ("offset" = Option<u32>, Query),
    ),
    responses((status = 200, description = "The calls.", body = Vec<Kept>)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Kept>>, ApiError> {
    caller.operates()?;
    let filter = Filter {
        channel_type: query.take("type"),
        version: query.take("version"),
        digest: query.take("digest"),
        account_id: query.take("account").or_else(|| query.take("channel_account_id")),
        hook: query.take("hook"),
        before: query.take("before"),
    };
    let page = query.finish("type, version, digest, account, hook, before")?;
    Ok(Json(store::plugin_calls::list(&app.db, &filter, &page).await?))
}

/// Show a failed call
///
/// The whole record, as it was written: what `patchbay plugin replay` runs again.
#[utoipa::path(
    get,
    path = "/plugins/calls/{id}",
    tag = "plugins",
    operation_id = "show_failed_call",
    responses((status = 200, description = "What went in, what the host answered, how it ended.", body = Value)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Box<RawValue>>, ApiError> {
    caller.operates()?;
    let record = store::plugin_calls::record(&app.db, &id).await?.ok_or_else(|| {
        ApiError::not_found("failed call", &id)
            .hint("Records go with the accounts' logs (retention.account_logs_days), and a version has the newest plugins.failed_calls.")
    })?;
    RawValue::from_string(record).map(Json).map_err(|error| ApiError::internal(&error))
}

/// Download a version's component
#[utoipa::path(
    get,
    path = "/plugins/versions/{digest}/component",
    tag = "plugins",
    operation_id = "download_component",
    responses((status = 200, description = "The component's bytes.", body = Vec<u8>, content_type = "application/wasm")),
)]
async fn component(State(app): State<Arc<App>>, caller: Caller, Path(digest): Path<String>) -> Result<Response, ApiError> {
    caller.operates()?;
    let component = store::plugins::component(&app.db, &digest).await?;
    let component = component.ok_or_else(|| ApiError::not_found("component with the digest", &digest))?;
    Ok(([(header::CONTENT_TYPE, "application/wasm")], component).into_response())
}

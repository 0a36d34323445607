//! `/healthz` (the process runs) and `/readyz` (it can take work).

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::{app::App, error::ApiError, store};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready)).route("/", get(welcome))
}

async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    store::events::last_seq(&app.db).await?;
    Ok(Json(json!({"ready": true, "channel_types": app.plugins.type_names()})))
}

async fn welcome(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"name": "Patchbay", "version": env!("CARGO_PKG_VERSION"), "api": format!("{}/rest/v1", app.public_url)}))
}

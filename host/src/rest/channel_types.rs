//! `/rest/v1/channel_types`: what the loaded plugins can do.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use serde_json::{Value, json};

use super::{asked::Asked, auth::Caller, lists};
use crate::{app::App, domain::key::Scope, error::ApiError, manifest::Manifest, store::tables::CHANNEL_TYPES};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/channel_types", get(list)).route("/channel_types/{type}", get(show))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    let rows = app.plugins.manifests().iter().map(|manifest| render(&app, manifest)).collect();
    lists::held(&asked, &CHANNEL_TYPES, rows)
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(channel_type): Path<String>) -> Result<Json<Value>, ApiError> {
    caller.may(Scope::Read)?;
    let manifest = app.plugins.manifest(&channel_type).ok_or_else(|| ApiError::not_found("channel type", &channel_type))?;
    Ok(Json(render(&app, &manifest)))
}

fn render(app: &App, manifest: &Manifest) -> Value {
    let running = app.plugins.get(&manifest.channel_type);
    let secrets: Vec<Value> = manifest
        .secrets
        .iter()
        .map(|(name, spec)| json!({"name": name, "title": spec.title, "help": spec.help, "from": spec.from, "required": spec.required}))
        .collect();
    json!({
        "type": manifest.channel_type,
        "name": manifest.name,
        "description": manifest.description,
        "icon": manifest.icon,
        "plugin": {
            "id": manifest.id,
            "version": manifest.version,
            "contract": manifest.contract,
            "digest": running.as_ref().map(|version| &version.digest),
            "state": if running.is_some() { "running" } else { "failed" },
            "reason": app.plugins.problem(&manifest.channel_type).map(|problem| problem.reason),
        },
        "settings_schema": manifest.settings_schema,
        "secrets": secrets,
        "capabilities": manifest.capabilities,
    })
}

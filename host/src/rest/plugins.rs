//! `/admin/v1/plugins`

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{auth::Caller, extract};
use crate::{
    app::App,
    domain::key::Scope,
    error::ApiError,
    plugins::{self, InstallError, Installed},
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/plugins", get(list).post(install))
        .route("/plugins/{type}/activate", post(activate))
        .route("/plugins/{type}/rollback", post(roll_back))
}

async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.may(Scope::Admin)?;
    let mut types = Vec::new();
    for active in store::plugins::actives(&app.db).await? {
        let running = app.plugins.get(&active.channel_type);
        let mut shown = json!(active);
        shown["running"] = json!(running.as_ref().map(|version| &version.digest));
        shown["version"] = json!(running.as_ref().map(|version| &version.manifest.version));
        shown["problem"] = json!(app.plugins.problem(&active.channel_type).map(|problem| problem.reason));
        types.push(shown);
    }
    let versions = store::plugins::list(&app.db).await?;
    Ok(Json(json!({"types": types, "versions": versions})))
}

/// The body is the component: `curl --data-binary @telegram.wasm …/admin/v1/plugins`
async fn install(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.may(Scope::Admin)?;
    if body.is_empty() {
        return Err(ApiError::bad_request("no_component", "The body is empty: send the component's bytes.")
            .hint("curl --data-binary @plugin.wasm -H 'content-type: application/wasm' …"));
    }
    let installed = plugins::install(&app, body.to_vec(), "upload").await.map_err(refusal)?;
    let status = if installed.changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&installed))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activate {
    digest: String,
}

async fn activate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(request): extract::Json<Activate>,
) -> Result<Json<Value>, ApiError> {
    caller.may(Scope::Admin)?;
    let known = store::plugins::find(&app.db, &request.digest).await?;
    if known.is_none_or(|known| known.channel_type.as_deref() != Some(&channel_type)) {
        return Err(ApiError::invalid_field("/digest", format!("{channel_type} has no version with that digest: see GET /admin/v1/plugins")));
    }
    let installed = plugins::activate(&app, &request.digest, "activated by hand").await.map_err(refusal)?;
    Ok(Json(render(&installed)))
}

async fn roll_back(State(app): State<Arc<App>>, caller: Caller, Path(channel_type): Path<String>) -> Result<Json<Value>, ApiError> {
    caller.may(Scope::Admin)?;
    let installed = plugins::roll_back(&app, &channel_type).await.map_err(refusal)?;
    Ok(Json(render(&installed)))
}

fn render(installed: &Installed) -> Value {
    json!({
        "type": installed.channel_type,
        "version": installed.version,
        "digest": installed.digest,
        "changed": installed.changed,
    })
}

fn refusal(error: InstallError) -> ApiError {
    match error {
        InstallError::Refused(reason) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason)
            .hint("The version that ran goes on. patchbay plugin check tells the same without a gateway."),
        InstallError::Overtaken => ApiError::conflict("overtaken", error.to_string()),
        InstallError::NothingBefore(_) => ApiError::conflict("nothing_before", error.to_string()),
        InstallError::UnknownType(channel_type) => ApiError::not_found("plugin for the channel type", &channel_type),
        InstallError::Store(error) => error.into(),
    }
}

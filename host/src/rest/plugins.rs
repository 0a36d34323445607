//! `/admin/v1/plugins`

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{auth::Caller, extract, to_the_end};
use crate::{
    app::App,
    domain::node::{Running, SeenNode},
    error::ApiError,
    nodes::presence,
    plugins::{self, InstallError, Installed},
    store::{
        self,
        plugins::{Active, PluginVersion},
    },
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/plugins", get(list).post(install))
        .route("/plugins/{type}/activate", post(activate))
        .route("/plugins/{type}/rollback", post(roll_back))
}

/// What a channel type runs, here and by desire.
#[derive(Serialize)]
struct ShownActive {
    #[serde(flatten)]
    active: Active,
    /// The digest that runs on this node.
    running: Option<String>,
    version: Option<String>,
    /// Why the active one can't run.
    problem: Option<String>,
    /// What each live node runs, as its last heartbeat said.
    nodes: Vec<NodeRuns>,
}

#[derive(Serialize)]
struct NodeRuns {
    id: String,
    name: String,
    digest: Option<String>,
    version: Option<String>,
    problem: Option<String>,
}

impl NodeRuns {
    /// What the node runs for the type; none where it runs nothing of it yet.
    fn of(node: &SeenNode, channel_type: &str) -> Option<NodeRuns> {
        let Running { digest, version, problem, .. } = node.plugins.iter().find(|running| running.channel_type == channel_type)?.clone();
        Some(NodeRuns { id: node.node.id.clone(), name: node.node.name.clone(), digest, version, problem })
    }
}

#[derive(Serialize)]
struct Listing {
    types: Vec<ShownActive>,
    versions: Vec<PluginVersion>,
}

async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Listing>, ApiError> {
    caller.operates()?;
    let now = app.clock.now();
    let mut live = store::nodes::list(&app.db).await?;
    live.retain(|node| !presence::is_gone(&app, node, now));
    let show = |active: Active| {
        let running = app.plugins.get(&active.channel_type);
        ShownActive {
            running: running.as_ref().map(|version| version.digest.clone()),
            version: running.as_ref().map(|version| version.manifest.version.clone()),
            problem: app.plugins.problem(&active.channel_type).map(|problem| problem.reason),
            nodes: live.iter().filter_map(|node| NodeRuns::of(node, &active.channel_type)).collect(),
            active,
        }
    };
    let types = store::plugins::actives(&app.db).await?.into_iter().map(show).collect();
    Ok(Json(Listing { types, versions: store::plugins::list(&app.db).await? }))
}

/// The body is the component: `curl --data-binary @pigeon.wasm …/admin/v1/plugins`
async fn install(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.operates()?;
    if body.is_empty() {
        return Err(ApiError::bad_request("no_component", "The body is empty: send the component's bytes.")
            .hint("curl --data-binary @plugin.wasm -H 'content-type: application/wasm' …"));
    }
    let installed = to_the_end(&app, |app| async move { plugins::install(&app, body.to_vec(), "upload").await.map_err(refusal) }).await?;
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
    caller.operates()?;
    let known = store::plugins::find(&app.db, &request.digest).await?;
    if known.is_none_or(|known| known.channel_type.as_deref() != Some(&channel_type)) {
        return Err(ApiError::invalid_field(
            "/digest",
            format!("{channel_type} has no version with that digest: see GET /admin/v1/plugins"),
        ));
    }
    let installed =
        to_the_end(&app, |app| async move { plugins::activate(&app, &request.digest, "activated by hand").await.map_err(refusal) }).await?;
    Ok(Json(render(&installed)))
}

async fn roll_back(State(app): State<Arc<App>>, caller: Caller, Path(channel_type): Path<String>) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let installed = to_the_end(&app, |app| async move { plugins::roll_back(&app, &channel_type).await.map_err(refusal) }).await?;
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

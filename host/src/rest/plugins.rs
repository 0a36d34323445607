//! `/admin/v1/plugins`

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{auth::Caller, extract, plugin_components, plugin_versions, to_the_end};
use crate::{
    app::App,
    domain::{
        node::{Running, SeenNode},
        plugin::{Rollout, RolloutKind, VersionState},
    },
    error::ApiError,
    nodes::presence,
    plugins::{self, Brought, InstallError, Installed, RolloutError, rollout::Order},
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
    versions: Vec<Value>,
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
    let versions = store::plugins::list(&app.db).await?.iter().map(plugin_versions::render).collect();
    Ok(Json(Listing { types, versions }))
}

/// What is to become of what is uploaded.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    rollout: Option<String>,
    canary_share: Option<String>,
    canary_accounts: Option<String>,
}

impl Upload {
    /// # Errors
    /// 422 names the parameter.
    fn rollout(&self) -> Result<Option<Rollout>, ApiError> {
        let given = self.canary_share.is_some() || self.canary_accounts.is_some();
        let kind = match &self.rollout {
            Some(word) => word
                .parse()
                .map_err(|()| ApiError::invalid_field("/rollout", format!("“{word}” is none of {}", RolloutKind::WORDS.join(", "))))?,
            None if given => RolloutKind::Canary,
            None => return Ok(None),
        };
        if kind != RolloutKind::Canary {
            let beside = format!("goes with rollout=canary, not with {kind}");
            return if given { Err(ApiError::invalid_field("/canary_share", beside)) } else { Ok(Some(Rollout::of(kind))) };
        }
        let share = match &self.canary_share {
            Some(text) => Some(text.parse().ok().filter(|share| (1..=100).contains(share)).ok_or_else(|| {
                ApiError::invalid_field("/canary_share", format!("“{text}” is no number from 1 to 100: percent of the accounts"))
            })?),
            None => None,
        };
        let accounts: BTreeSet<String> = self
            .canary_accounts
            .iter()
            .flat_map(|list| list.split(','))
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .collect();
        if share.is_some() != accounts.is_empty() {
            return Err(ApiError::invalid_field("/canary_share", "a canary needs canary_share (percent), or canary_accounts (ids)"));
        }
        Ok(Some(Rollout { kind, share, accounts }))
    }
}

/// The body is the component: `curl --data-binary @pigeon.wasm …/admin/v1/plugins`, or names one in a registry:
/// `{"reference": "registry.example/pigeon:1.2.0"}`.
async fn install(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(upload): Query<Upload>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.operates()?;
    let rollout = upload.rollout()?;
    let (component, source) = plugin_components::brought(&app, &headers, &body).await?;
    let brought = Brought { component, source, actor: caller.actor(), rollout };
    if !prefers_async(&headers) {
        let arrived = to_the_end(&app, |app| async move { plugins::install(&app, brought).await.map_err(refusal) }).await?;
        return Ok(shown(&arrived.version, arrived.changed));
    }
    let stored = to_the_end(&app, |app| async move { plugins::keep(&app, brought).await.map_err(ApiError::from) }).await?;
    let digest = stored.digest.clone();
    let working = Arc::clone(&app);
    app.tasks.spawn(async move {
        let stopping = working.tasks.clone();
        tokio::select! {
            ended = plugins::go_on(&working, stored) => {
                if let Err(error) = ended {
                    tracing::warn!(%error, "an uploaded plugin was not installed");
                }
            }
            // The next start takes it up again.
            () = stopping.stopping() => {}
        }
    });
    let version = store::plugins::find(&app.db, &digest).await?.ok_or_else(|| ApiError::not_found("version", &digest))?;
    let mut response = (StatusCode::ACCEPTED, Json(render(&version, false))).into_response();
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async"));
    Ok(response)
}

/// RFC 7240.
fn prefers_async(headers: &HeaderMap) -> bool {
    let given = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    given.map(str::trim).any(|preference| preference.eq_ignore_ascii_case("respond-async"))
}

/// 201 for what runs now and didn't, or waits for its word to; 202 for what somebody has to look at; 200 for what is as it was.
fn shown(version: &PluginVersion, changed: bool) -> Response {
    let status = match version.state {
        VersionState::AwaitingApproval | VersionState::Examining => StatusCode::ACCEPTED,
        _ if changed => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    (status, Json(render(version, changed))).into_response()
}

pub(super) fn render(version: &PluginVersion, changed: bool) -> Value {
    let mut shown = plugin_versions::render(version);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("changed".to_owned(), json!(changed));
    }
    shown
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
    let order = Order::of(caller.actor(), "activated by hand");
    let installed =
        to_the_end(&app, |app| async move { plugins::activate(&app, &request.digest, order).await.map_err(rollout_refusal) }).await?;
    Ok(Json(render_installed(&installed)))
}

async fn roll_back(State(app): State<Arc<App>>, caller: Caller, Path(channel_type): Path<String>) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let order = Order::of(caller.actor(), "rolled back");
    let installed =
        to_the_end(&app, |app| async move { plugins::roll_back(&app, &channel_type, order).await.map_err(rollout_refusal) }).await?;
    Ok(Json(render_installed(&installed)))
}

fn render_installed(installed: &Installed) -> Value {
    json!({
        "type": installed.channel_type,
        "version": installed.version,
        "digest": installed.digest,
        "changed": installed.changed,
    })
}

pub(super) fn refusal(error: InstallError) -> ApiError {
    match error {
        InstallError::Refused(reason) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason)
            .hint("The version that ran goes on. patchbay plugin check tells the same without a gateway."),
        InstallError::Rollout(error) => rollout_refusal(error),
        InstallError::Store(error) => error.into(),
    }
}

fn rollout_refusal(error: RolloutError) -> ApiError {
    match error {
        RolloutError::Overtaken(_) => ApiError::conflict("overtaken", error.to_string()),
        RolloutError::NothingBefore(_) => ApiError::conflict("nothing_before", error.to_string()),
        RolloutError::NotReady { .. } => ApiError::conflict("not_ready", error.to_string()),
        RolloutError::UnknownType(channel_type) => ApiError::not_found("plugin for the channel type", &channel_type),
        RolloutError::Unloadable(reason) => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason).hint("The version that ran goes on.")
        }
        RolloutError::Store(error) => error.into(),
    }
}

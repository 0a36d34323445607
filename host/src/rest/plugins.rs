//! `/admin/v1/plugins`

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    plugin_components::{self, Named},
    plugin_rollouts,
    plugin_versions::{self, ShownVersion},
    to_the_end,
};
use crate::{
    app::App,
    domain::{
        node::{Running, SeenNode},
        plugin::{Rollout, RolloutKind, VersionState},
    },
    error::ApiError,
    nodes::presence,
    openapi::schemas::answers,
    plugins::{
        self, Brought, InstallError,
        faults::{ANSWERED, REMEMBERED, Tally, hour_of},
    },
    store::{
        self,
        plugins::{Active, PluginVersion},
    },
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, install))
}

answers!(Listing, Arrival, RolloutKind);

/// What a channel type runs, here and by desire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActivePlugin")]
struct ShownActive {
    #[serde(flatten)]
    active: Active,
    /// The digest that runs on this node.
    running: Option<String>,
    version: Option<String>,
    /// Why the active one can't run.
    problem: Option<String>,
    /// The digest of the canary where it runs on this node, and why it can't.
    canary_running: Option<String>,
    canary_problem: Option<String>,
    /// What the active version, the canary and the former version did in the last day.
    calls: Vec<Calls>,
    /// What each live node runs, as its last heartbeat said.
    nodes: Vec<NodeRuns>,
}

/// How a version's calls ended of late.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginCalls")]
struct Calls {
    digest: String,
    #[serde(flatten)]
    tally: Tally,
    /// By the fault's word.
    faults_by_kind: BTreeMap<String, i64>,
}

impl Calls {
    /// Of the versions that somebody compares.
    fn of(active: &Active, outcomes: &BTreeMap<String, Vec<(String, i64)>>) -> Vec<Calls> {
        let canary = active.canary.as_ref().map(|canary| &canary.digest);
        let digests = [Some(&active.digest), canary, active.previous_digest.as_ref()].into_iter().flatten();
        let called = digests.filter_map(|digest| Some((digest, outcomes.get(digest)?)));
        let calls = called.map(|(digest, outcomes)| Calls {
            digest: digest.clone(),
            tally: Tally::of(outcomes),
            faults_by_kind: outcomes.iter().filter(|(outcome, _)| outcome != ANSWERED).cloned().collect(),
        });
        calls.collect()
    }
}

/// What a node runs of a type.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NodeRunsPlugin")]
struct NodeRuns {
    id: String,
    name: String,
    digest: Option<String>,
    version: Option<String>,
    problem: Option<String>,
    /// The digest of the canary that runs there.
    canary: Option<String>,
}

impl NodeRuns {
    /// What the node runs for the type; none where it runs nothing of it yet.
    fn of(node: &SeenNode, channel_type: &str) -> Option<NodeRuns> {
        let Running { digest, version, problem, canary, .. } =
            node.plugins.iter().find(|running| running.channel_type == channel_type)?.clone();
        Some(NodeRuns { id: node.node.id.clone(), name: node.node.name.clone(), digest, version, problem, canary })
    }
}

/// The channel types, and every version that was brought.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginListing")]
struct Listing {
    types: Vec<ShownActive>,
    versions: Vec<ShownVersion>,
}

/// List the plugins
///
/// What each channel type runs, here and by desire, how its calls ended in the last day; and every version that was brought.
#[utoipa::path(
    get,
    path = "/plugins",
    tag = "plugins",
    operation_id = "list_plugins",
    responses((status = 200, description = "What runs, and what could.", body = Listing)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Listing>, ApiError> {
    caller.operates()?;
    let now = app.clock.now();
    let mut live = store::nodes::list(&app.db).await?;
    live.retain(|node| !presence::is_gone(&app, node, now));
    let outcomes = store::outcomes::all_since(&app.db, hour_of(now.minus(REMEMBERED))).await?;
    let show = |active: Active| {
        let running = app.plugins.get(&active.channel_type);
        ShownActive {
            running: running.as_ref().map(|version| version.digest.clone()),
            version: running.as_ref().map(|version| version.manifest.version.clone()),
            problem: app.plugins.problem(&active.channel_type).map(|problem| problem.reason),
            canary_running: app.plugins.canary(&active.channel_type).map(|canary| canary.digest.clone()),
            canary_problem: app.plugins.canary_problem(&active.channel_type).map(|problem| problem.reason),
            calls: Calls::of(&active, &outcomes),
            nodes: live.iter().filter_map(|node| NodeRuns::of(node, &active.channel_type)).collect(),
            active,
        }
    };
    let types = store::plugins::actives(&app.db).await?.into_iter().map(show).collect();
    let versions = store::plugins::list(&app.db).await?.into_iter().map(plugin_versions::render).collect();
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

/// A version, and whether bringing it changed something.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginArrival")]
struct Arrival {
    #[serde(flatten)]
    version: ShownVersion,
    /// Something else runs now, or waits for a word.
    changed: bool,
}

/// Bring a version
///
/// The body is the component: `curl --data-binary @pigeon.wasm …/admin/v1/plugins`; or names one in a registry:
/// `{"reference": "registry.example/pigeon:1.2.0"}`. It is looked at before it runs.
#[utoipa::path(
    post,
    path = "/plugins",
    tag = "plugins",
    operation_id = "install_plugin",
    params(
        ("rollout" = Option<RolloutKind>, Query, description = "What becomes of it when it passes.", example = "canary"),
        ("canary_share" = Option<u8>, Query, description = "Of a canary: percent of the accounts, 1 to 100.", example = 10),
        ("canary_accounts" = Option<String>, Query, description = "Of a canary: ids of accounts, with commas between.", example = "01a0c0de-0000-7000-8000-000000000001"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: the answer comes before the version was looked at.", example = "respond-async"),
    ),
    request_body(content((Vec<u8> = "application/wasm"), (Named = "application/json")), description = "A component, or where to pull it."),
    responses(
        (status = 200, description = "It was here, and everything is as it was.", body = Arrival),
        (status = 201, description = "It runs, or waits for its word to.", body = Arrival),
        (
            status = 202,
            description = "It waits for an approval, or is being looked at.",
            body = Arrival,
            headers(("Preference-Applied" = Option<String>, description = "`respond-async`, where that was asked for.")),
        ),
        (status = 409, description = "Somebody changed what runs meanwhile."),
        (status = 502, description = "The registry doesn't answer (`not_pulled`)."),
    ),
)]
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
        return Ok(shown(arrived.version, arrived.changed));
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
    let mut response = (StatusCode::ACCEPTED, Json(render(version, false))).into_response();
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async"));
    Ok(response)
}

/// RFC 7240.
fn prefers_async(headers: &HeaderMap) -> bool {
    let given = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    given.map(str::trim).any(|preference| preference.eq_ignore_ascii_case("respond-async"))
}

/// 201 for what runs now and didn't, or waits for its word to; 202 for what somebody has to look at; 200 for what is as it was.
fn shown(version: PluginVersion, changed: bool) -> Response {
    let status = match version.state {
        VersionState::AwaitingApproval | VersionState::Examining => StatusCode::ACCEPTED,
        _ if changed => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    (status, Json(render(version, changed))).into_response()
}

fn render(version: PluginVersion, changed: bool) -> Arrival {
    Arrival { version: plugin_versions::render(version), changed }
}

pub(super) fn refusal(error: InstallError) -> ApiError {
    match error {
        InstallError::Refused(reason) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason)
            .hint("The version that ran goes on. patchbay plugin check tells the same without a gateway."),
        InstallError::Rollout(error) => plugin_rollouts::refusal(error),
        InstallError::Store(error) => error.into(),
    }
}

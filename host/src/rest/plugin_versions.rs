//! `/admin/v1/plugins/versions`: what was brought, what was found, what became of it, and an operator's word on it.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract, extract::ListQuery, plugins::refusal, reason::Reason, to_the_end};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        plugin::{Move, Rollout, VersionState},
    },
    error::ApiError,
    manifest::asks::{Ask, in_words},
    openapi::schemas::{answers, requests},
    plugins::{self, JudgementError},
    store::{self, plugins::PluginVersion},
};

/// Characters of a digest that are enough, where no other begins so.
const PREFIX_MIN: usize = 8;
/// Moves that are shown with a version.
const MOVES_SHOWN: u32 = 200;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(revoke))
        .routes(routes!(moves))
}

answers!(ShownVersion, WholeVersion, JudgedVersion, Move, VersionState);
requests!(Word, Objection);

/// A version as a list shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginVersion")]
pub(super) struct ShownVersion {
    #[serde(flatten)]
    version: PluginVersion,
    /// With a key that is trusted.
    signed: bool,
    /// How its conformance suite ended; null: it wasn't run.
    conformance: Option<ConformanceWord>,
    /// What it asks for that its type wasn't granted before, in words.
    widens: Vec<String>,
}

/// How a conformance suite ended.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ConformanceWord {
    /// It broke off.
    Failed,
    /// The plugin has none.
    None,
    Passed,
    /// It found something.
    Findings,
}

/// Everything that is known of a version.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginVersionDetails")]
struct WholeVersion {
    #[serde(flatten)]
    shown: ShownVersion,
    /// It runs for the accounts of its type.
    active: bool,
    /// Everything that it asks of the host, in words.
    asks: Vec<String>,
    /// What whoever brought it asked to be done with it.
    rollout: Option<Rollout>,
    conformance_report: Option<Value>,
    /// How its events differ from the version's before it.
    shadow: Option<Value>,
    /// What became of it, newest first.
    moves: Vec<Move>,
}

/// A version that somebody judged.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JudgedPluginVersion")]
struct JudgedVersion {
    #[serde(flatten)]
    whole: WholeVersion,
    /// What runs is another one now.
    changed: bool,
}

pub(super) fn render(version: PluginVersion) -> ShownVersion {
    let conformance = version.conformance.as_ref().map(|report| match report {
        report if report.get("error").is_some() => ConformanceWord::Failed,
        report if report.get("suite") == Some(&json!(false)) => ConformanceWord::None,
        report if report.get("found").and_then(Value::as_u64) == Some(0) => ConformanceWord::Passed,
        _ => ConformanceWord::Findings,
    });
    let signed = version.signatures.iter().flatten().any(|signature| signature.trusted);
    ShownVersion { signed, conformance, widens: words(version.widens.as_ref()), version }
}

/// Asks in words; what can't be read any more is shown as it is kept.
fn words(asks: Option<&Value>) -> Vec<String> {
    let Some(asks) = asks else { return Vec::new() };
    match serde_json::from_value::<BTreeSet<Ask>>(asks.clone()) {
        Ok(asks) => in_words(&asks),
        Err(_) => asks.as_array().into_iter().flatten().map(Value::to_string).collect(),
    }
}

/// List the versions that were brought
#[utoipa::path(
    get,
    path = "/plugins/versions",
    tag = "plugins",
    operation_id = "list_plugin_versions",
    params(
        ("type" = Option<String>, Query),
        ("state" = Option<VersionState>, Query, description = "In that state.", example = "ready"),
        ("limit" = Option<u32>, Query),
        ("offset" = Option<u32>, Query),
    ),
    responses((status = 200, description = "The versions, newest first.", body = Vec<ShownVersion>)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<ShownVersion>>, ApiError> {
    caller.operates()?;
    let channel_type = query.take("type");
    let state: Option<VersionState> = query.take_word("state", VersionState::WORDS)?;
    let page = query.finish("type, state")?;
    let versions = store::plugins::page(&app.db, channel_type.as_deref(), state, &page).await?;
    Ok(Json(versions.into_iter().map(render).collect()))
}

/// Show a version
///
/// The digest may be shortened to its first eight characters or more.
#[utoipa::path(
    get,
    path = "/plugins/versions/{digest}",
    tag = "plugins",
    operation_id = "show_plugin_version",
    responses(
        (status = 200, description = "Everything that is known of it.", body = WholeVersion),
        (status = 409, description = "Several digests begin so (`ambiguous`)."),
    ),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(digest): Path<String>) -> Result<Json<WholeVersion>, ApiError> {
    caller.operates()?;
    let version = find(&app, &digest).await?;
    Ok(Json(whole(&app, version).await?))
}

async fn whole(app: &App, version: PluginVersion) -> Result<WholeVersion, ApiError> {
    let moves = store::plugins::moves::of_digest(&app.db, &version.digest, MOVES_SHOWN).await?;
    let active = match &version.channel_type {
        Some(channel_type) => store::plugins::active(&app.db, channel_type).await?,
        None => None,
    };
    Ok(WholeVersion {
        active: active.is_some_and(|active| active.digest == version.digest),
        asks: words(version.asks.as_ref()),
        rollout: version.rollout.clone(),
        conformance_report: version.conformance.clone(),
        shadow: version.shadow.clone(),
        moves,
        shown: render(version),
    })
}

/// The version of a digest, or of the beginning of one.
async fn find(app: &App, digest: &str) -> Result<PluginVersion, ApiError> {
    let unknown = || ApiError::not_found("version of a plugin with the digest", digest).hint("See GET /admin/v1/plugins/versions.");
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    if digest.len() < PREFIX_MIN {
        return Err(unknown());
    }
    match store::plugins::beginning_with(&app.db, digest).await?.as_slice() {
        [one] => store::plugins::find(&app.db, one).await?.ok_or_else(unknown),
        [] => Err(unknown()),
        _ => Err(ApiError::conflict("ambiguous", format!("Several digests begin with {digest}: give more of it."))),
    }
}

/// What somebody says of a version.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JudgementWord")]
struct Word {
    #[serde(default)]
    reason: Reason,
}

/// What somebody says against a version.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["reason"]))]
struct Objection {
    /// Whoever brought it reads it.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1, max = 1000), regex(pattern = r"\S"))]
    reason: Reason,
}

/// Approve a version
///
/// It is granted what it asks for, and begins as whoever brought it asked.
#[utoipa::path(
    post,
    path = "/plugins/versions/{digest}/approve",
    tag = "plugins",
    operation_id = "approve_plugin_version",
    request_body = Word,
    responses(
        (status = 200, description = "The version, and whether what runs changed.", body = JudgedVersion),
        (status = 409, description = "It doesn't wait for a word (`wrong_state`), or somebody else said one meanwhile (`overtaken`)."),
    ),
)]
async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(digest): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<JudgedVersion>, ApiError> {
    caller.operates()?;
    let reason = word.reason.or("looked at");
    let digest = find(&app, &digest).await?.digest;
    let actor = caller.actor();
    to_the_end(&app, |app| async move {
        let begun = plugins::approve(&app, &digest, &actor, &reason).await.map_err(refused)?;
        let version = find(&app, &digest).await?;
        let changed = begun.is_some_and(|installed| installed.changed);
        Ok(Json(JudgedVersion { whole: whole(&app, version).await?, changed }))
    })
    .await
}

/// Reject a version
///
/// It won't run; the reason is required.
#[utoipa::path(
    post,
    path = "/plugins/versions/{digest}/reject",
    tag = "plugins",
    operation_id = "reject_plugin_version",
    request_body = Objection,
    responses(
        (status = 200, description = "The version.", body = WholeVersion),
        (status = 409, description = "It doesn't wait for a word (`wrong_state`), or somebody else said one meanwhile (`overtaken`)."),
    ),
)]
async fn reject(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(digest): Path<String>,
    extract::Json(word): extract::Json<Objection>,
) -> Result<Json<WholeVersion>, ApiError> {
    let verb = |app: Arc<App>, digest: String, actor, reason: String| async move { plugins::reject(&app, &digest, &actor, &reason).await };
    judge(&app, &caller, &digest, word, verb).await
}

/// Revoke a version
///
/// It must not run any more; where it does, the one before it takes over. The reason is required.
#[utoipa::path(
    post,
    path = "/plugins/versions/{digest}/revoke",
    tag = "plugins",
    operation_id = "revoke_plugin_version",
    request_body = Objection,
    responses(
        (status = 200, description = "The version.", body = WholeVersion),
        (status = 409, description = "It is in no state to be revoked (`wrong_state`), or somebody was faster (`overtaken`)."),
    ),
)]
async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(digest): Path<String>,
    extract::Json(word): extract::Json<Objection>,
) -> Result<Json<WholeVersion>, ApiError> {
    let verb = |app: Arc<App>, digest: String, actor, reason: String| async move { plugins::revoke(&app, &digest, &actor, &reason).await };
    judge(&app, &caller, &digest, word, verb).await
}

/// A word against a version, which needs a reason; answers the version as it is then.
async fn judge<F, T>(
    app: &Arc<App>,
    caller: &Caller,
    digest: &str,
    word: Objection,
    verb: impl FnOnce(Arc<App>, String, Actor, String) -> F + Send + 'static,
) -> Result<Json<WholeVersion>, ApiError>
where
    F: Future<Output = Result<T, JudgementError>> + Send + 'static,
    T: Send,
{
    caller.operates()?;
    let reason = word.reason.needed()?;
    let digest = find(app, digest).await?.digest;
    let actor = caller.actor();
    to_the_end(app, |app| async move {
        verb(Arc::clone(&app), digest.clone(), actor, reason).await.map_err(refused)?;
        let version = find(&app, &digest).await?;
        Ok(Json(whole(&app, version).await?))
    })
    .await
}

fn refused(error: JudgementError) -> ApiError {
    match error {
        JudgementError::Unknown(digest) => ApiError::not_found("version of a plugin with the digest", &digest),
        JudgementError::State { .. } => ApiError::conflict("wrong_state", error.to_string()),
        JudgementError::Overtaken => ApiError::conflict("overtaken", error.to_string()),
        JudgementError::Begin(error) => {
            let error = refusal(error);
            ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not_begun",
                format!("It is approved, and didn't begin: {}", error.body.message),
            )
            .hint("It is ready: POST /admin/v1/plugins/{type}/activate with its digest.")
        }
        JudgementError::Store(error) => error.into(),
    }
}

/// List what became of a type's versions
///
/// Newest first; `before` is the id of the last one of the page before.
#[utoipa::path(
    get,
    path = "/plugins/moves",
    tag = "plugins",
    operation_id = "list_plugin_moves",
    params(("type" = String, Query), ("before" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "The moves.", body = Vec<Move>)),
)]
async fn moves(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Move>>, ApiError> {
    caller.operates()?;
    let channel_type = query.take("type").ok_or_else(|| ApiError::bad_request("bad_query", "type: say of which channel type."))?;
    let before = query.take("before");
    let page = query.finish("type, before")?;
    Ok(Json(store::plugins::moves::of_type(&app.db, &channel_type, before.as_deref(), page.limit).await?))
}

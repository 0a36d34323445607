//! What a channel type runs: `/admin/v1/plugins/{type}/…`. Each answers what runs then for all accounts.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract, reason::Reason, to_the_end};
use crate::{
    app::App,
    error::ApiError,
    openapi::schemas::{answers, requests},
    plugins::{
        Installed, RolloutError,
        rollout::{self, Order},
        shadow::{self, Report},
    },
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(activate))
        .routes(routes!(roll_back))
        .routes(routes!(begin_canary, stop_canary))
        .routes(routes!(promote))
        .routes(routes!(compare))
}

answers!(ShownInstalled, Report);
requests!(Word, Activate, BeginCanary, Compare);

/// What somebody says with a change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RolloutWord")]
struct Word {
    #[serde(default)]
    reason: Reason,
    /// The generation that was seen: with another one, nothing is changed.
    generation: Option<i64>,
}

/// Changes what runs, on a caller's word; answers what runs then.
async fn change<F>(
    app: &Arc<App>,
    caller: &Caller,
    word: Word,
    usual: &str,
    verb: impl FnOnce(Arc<App>, Order) -> F + Send + 'static,
) -> Result<Json<ShownInstalled>, ApiError>
where
    F: Future<Output = Result<Installed, RolloutError>> + Send + 'static,
{
    let order = Order { actor: caller.actor(), reason: word.reason.or(usual), generation: word.generation };
    let done = to_the_end(app, |app| {
        let work = verb(app, order);
        async move { work.await.map_err(refusal) }
    });
    Ok(Json(render(done.await?)))
}

/// Which version is to run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Activate {
    digest: String,
    #[serde(default)]
    reason: Reason,
    /// The generation that was seen: with another one, nothing is changed.
    generation: Option<i64>,
}

/// Activate a version
///
/// It runs for all accounts of the type.
#[utoipa::path(
    post,
    path = "/plugins/{type}/activate",
    tag = "plugins",
    operation_id = "activate_plugin",
    request_body = Activate,
    responses(
        (status = 200, description = "What runs now.", body = ShownInstalled),
        (status = 409, description = "It isn't ready, or somebody changed what runs meanwhile (`overtaken`)."),
    ),
)]
async fn activate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(request): extract::Json<Activate>,
) -> Result<Json<ShownInstalled>, ApiError> {
    caller.operates()?;
    let Activate { digest, reason, generation } = request;
    check_digest(&app, &channel_type, &digest).await?;
    let verb = |app: Arc<App>, order| async move { rollout::activate(&app, &digest, order).await };
    change(&app, &caller, Word { reason, generation }, "activated by hand", verb).await
}

/// Roll back
///
/// The version before runs again.
#[utoipa::path(
    post,
    path = "/plugins/{type}/rollback",
    tag = "plugins",
    operation_id = "roll_plugin_back",
    request_body = Word,
    responses(
        (status = 200, description = "What runs now.", body = ShownInstalled),
        (status = 409, description = "There is no version before (`nothing_before`), or somebody changed what runs meanwhile."),
    ),
)]
async fn roll_back(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<ShownInstalled>, ApiError> {
    caller.operates()?;
    let verb = |app: Arc<App>, order| async move { rollout::roll_back(&app, &channel_type, order).await };
    change(&app, &caller, word, "rolled back by hand", verb).await
}

/// A version to try, and for whom: a share, or chosen accounts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BeginCanary {
    digest: String,
    /// Percent of the accounts.
    #[schemars(range(min = 1, max = 100))]
    share: Option<u8>,
    /// The chosen ones.
    #[serde(default)]
    accounts: BTreeSet<String>,
    #[serde(default)]
    reason: Reason,
    /// The generation that was seen: with another one, nothing is changed.
    generation: Option<i64>,
}

/// Begin a canary
///
/// The version runs for some accounts, and goes back by itself where it fails.
#[utoipa::path(
    post,
    path = "/plugins/{type}/canary",
    tag = "plugins",
    operation_id = "begin_canary",
    request_body = BeginCanary,
    responses(
        (status = 200, description = "What runs for all others.", body = ShownInstalled),
        (status = 409, description = "It isn't ready, nothing runs beside it, or somebody changed what runs meanwhile."),
    ),
)]
async fn begin_canary(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(request): extract::Json<BeginCanary>,
) -> Result<Json<ShownInstalled>, ApiError> {
    caller.operates()?;
    let BeginCanary { digest, share, accounts, reason, generation } = request;
    check_digest(&app, &channel_type, &digest).await?;
    let verb = move |app: Arc<App>, order| async move { rollout::begin_canary(&app, &digest, share, accounts, order).await };
    change(&app, &caller, Word { reason, generation }, "tried by hand", verb).await
}

/// Promote the canary
///
/// What ran for some runs for all.
#[utoipa::path(
    post,
    path = "/plugins/{type}/promote",
    tag = "plugins",
    operation_id = "promote_canary",
    request_body = Word,
    responses(
        (status = 200, description = "What runs now.", body = ShownInstalled),
        (status = 409, description = "There is no canary (`no_canary`), or somebody changed what runs meanwhile."),
    ),
)]
async fn promote(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<ShownInstalled>, ApiError> {
    caller.operates()?;
    let verb = |app: Arc<App>, order| async move { rollout::promote(&app, &channel_type, order).await };
    change(&app, &caller, word, "promoted by hand", verb).await
}

/// Stop the canary
///
/// Its accounts go back to the version that runs for all others.
#[utoipa::path(
    delete,
    path = "/plugins/{type}/canary",
    tag = "plugins",
    operation_id = "stop_canary",
    request_body = Word,
    responses(
        (status = 200, description = "What runs now.", body = ShownInstalled),
        (status = 409, description = "There is no canary (`no_canary`), or somebody changed what runs meanwhile."),
    ),
)]
async fn stop_canary(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<ShownInstalled>, ApiError> {
    caller.operates()?;
    let verb = |app: Arc<App>, order| async move { rollout::stop_canary(&app, &channel_type, order).await };
    change(&app, &caller, word, "stopped by hand", verb).await
}

/// Which version is to be compared with the one that runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Compare {
    digest: String,
    /// How many of the last ones; none: as the configuration says.
    #[schemars(range(min = 1, max = 1000))]
    webhooks: Option<u32>,
}

/// Compare a version with the one that runs
///
/// What the version would make of the last webhooks, beside the one that runs; kept with the version without what people wrote.
#[utoipa::path(
    post,
    path = "/plugins/{type}/shadow",
    tag = "plugins",
    operation_id = "compare_plugin",
    request_body = Compare,
    responses(
        (status = 200, description = "What differs.", body = Report),
        (status = 409, description = "Nothing else runs (`nothing_beside`)."),
    ),
)]
async fn compare(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(request): extract::Json<Compare>,
) -> Result<Json<Report>, ApiError> {
    caller.operates()?;
    check_digest(&app, &channel_type, &request.digest).await?;
    let most = request.webhooks.unwrap_or(app.config.plugins.shadow_webhooks);
    if !(1..=shadow::WEBHOOKS_MAX).contains(&most) {
        return Err(ApiError::invalid_field("/webhooks", format!("is {most}; from 1 to {} of them", shadow::WEBHOOKS_MAX)));
    }
    let report = to_the_end(&app, |app| async move { shadow::try_out(&app, &request.digest, most).await.map_err(refusal) }).await?;
    let nothing =
        || ApiError::conflict("nothing_beside", format!("Nothing else runs for {channel_type}: there is nothing to compare with."));
    Ok(Json(report.ok_or_else(nothing)?))
}

async fn check_digest(app: &App, channel_type: &str, digest: &str) -> Result<(), ApiError> {
    let known = store::plugins::find(&app.db, digest).await?;
    if known.is_some_and(|known| known.channel_type.as_deref() == Some(channel_type)) {
        return Ok(());
    }
    Err(ApiError::invalid_field("/digest", format!("{channel_type} has no version with that digest: see GET /admin/v1/plugins")))
}

/// What runs for a type's accounts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InstalledPlugin")]
struct ShownInstalled {
    #[serde(rename = "type")]
    channel_type: String,
    version: String,
    digest: String,
    /// False where it ran already.
    changed: bool,
}

fn render(installed: Installed) -> ShownInstalled {
    let Installed { channel_type, version, digest, changed, .. } = installed;
    ShownInstalled { channel_type, version, digest, changed }
}

/// Why what runs was not changed.
pub(super) fn refusal(error: RolloutError) -> ApiError {
    match error {
        RolloutError::Overtaken(_) => ApiError::conflict("overtaken", error.to_string()),
        RolloutError::NothingBefore(_) => ApiError::conflict("nothing_before", error.to_string()),
        RolloutError::NothingBeside(_) => ApiError::conflict("nothing_beside", error.to_string()),
        RolloutError::NoCanary(_) => ApiError::conflict("no_canary", error.to_string()),
        RolloutError::NotReady { .. } => ApiError::conflict("not_ready", error.to_string()),
        RolloutError::UnknownType(channel_type) => ApiError::not_found("plugin for the channel type", &channel_type),
        RolloutError::Unloadable(reason) => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason).hint("The version that ran goes on.")
        }
        RolloutError::Field { field, problem } => ApiError::invalid_field(field, problem),
        RolloutError::Store(error) => error.into(),
    }
}

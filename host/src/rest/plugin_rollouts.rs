//! What a channel type runs: `/admin/v1/plugins/{type}/…`. Each answers what runs then for all accounts.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{auth::Caller, extract, reason::Reason, to_the_end};
use crate::{
    app::App,
    error::ApiError,
    plugins::{
        Installed, RolloutError,
        rollout::{self, Order},
        shadow::{self, Report},
    },
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/plugins/{type}/activate", post(activate))
        .route("/plugins/{type}/rollback", post(roll_back))
        .route("/plugins/{type}/canary", post(begin_canary).delete(stop_canary))
        .route("/plugins/{type}/promote", post(promote))
        .route("/plugins/{type}/shadow", post(compare))
}

/// What somebody says with a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
) -> Result<Json<Value>, ApiError>
where
    F: Future<Output = Result<Installed, RolloutError>> + Send + 'static,
{
    let order = Order { actor: caller.actor(), reason: word.reason.or(usual), generation: word.generation };
    let done = to_the_end(app, |app| {
        let work = verb(app, order);
        async move { work.await.map_err(refusal) }
    });
    Ok(Json(render(&done.await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activate {
    digest: String,
    #[serde(default)]
    reason: Reason,
    generation: Option<i64>,
}

async fn activate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(request): extract::Json<Activate>,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let Activate { digest, reason, generation } = request;
    check_digest(&app, &channel_type, &digest).await?;
    let verb = |app: Arc<App>, order| async move { rollout::activate(&app, &digest, order).await };
    change(&app, &caller, Word { reason, generation }, "activated by hand", verb).await
}

async fn roll_back(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let verb = |app: Arc<App>, order| async move { rollout::roll_back(&app, &channel_type, order).await };
    change(&app, &caller, word, "rolled back by hand", verb).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginCanary {
    digest: String,
    share: Option<u8>,
    #[serde(default)]
    accounts: BTreeSet<String>,
    #[serde(default)]
    reason: Reason,
    generation: Option<i64>,
}

async fn begin_canary(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(request): extract::Json<BeginCanary>,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let BeginCanary { digest, share, accounts, reason, generation } = request;
    check_digest(&app, &channel_type, &digest).await?;
    let verb = move |app: Arc<App>, order| async move { rollout::begin_canary(&app, &digest, share, accounts, order).await };
    change(&app, &caller, Word { reason, generation }, "tried by hand", verb).await
}

async fn promote(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let verb = |app: Arc<App>, order| async move { rollout::promote(&app, &channel_type, order).await };
    change(&app, &caller, word, "promoted by hand", verb).await
}

async fn stop_canary(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(channel_type): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let verb = |app: Arc<App>, order| async move { rollout::stop_canary(&app, &channel_type, order).await };
    change(&app, &caller, word, "stopped by hand", verb).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compare {
    digest: String,
    /// How many of the last ones; none: as the configuration says.
    webhooks: Option<u32>,
}

/// What the version would make of the last webhooks, beside the one that runs; kept with the version without what people wrote.
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

fn render(installed: &Installed) -> Value {
    json!({
        "type": installed.channel_type,
        "version": installed.version,
        "digest": installed.digest,
        "changed": installed.changed,
    })
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

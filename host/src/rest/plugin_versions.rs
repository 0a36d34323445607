//! `/admin/v1/plugins/versions`: what was brought, what was found, what became of it, and an operator's word on it.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{auth::Caller, extract, extract::ListQuery, plugins::refusal, reason::Reason, to_the_end};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        plugin::{Move, VersionState},
    },
    error::ApiError,
    manifest::asks::{Ask, in_words},
    plugins::{self, JudgementError},
    store::{self, plugins::PluginVersion},
};

/// Characters of a digest that are enough, where no other begins so.
const PREFIX_MIN: usize = 8;
/// Moves that are shown with a version.
const MOVES_SHOWN: u32 = 200;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/plugins/versions", get(list))
        .route("/plugins/versions/{digest}", get(show))
        .route("/plugins/versions/{digest}/approve", post(approve))
        .route("/plugins/versions/{digest}/reject", post(reject))
        .route("/plugins/versions/{digest}/revoke", post(revoke))
        .route("/plugins/moves", get(moves))
}

/// A version as a list shows it.
pub(super) fn render(version: &PluginVersion) -> Value {
    let mut shown = json!(version);
    let conformance = match &version.conformance {
        None => Value::Null,
        Some(report) if report.get("error").is_some() => json!("failed"),
        Some(report) if report.get("suite") == Some(&json!(false)) => json!("none"),
        Some(report) if report.get("found").and_then(Value::as_u64) == Some(0) => json!("passed"),
        Some(_) => json!("findings"),
    };
    let signed = version.signatures.iter().flatten().any(|signature| signature.trusted);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("signed".to_owned(), json!(signed));
        shown.insert("conformance".to_owned(), conformance);
        shown.insert("widens".to_owned(), json!(words(version.widens.as_ref())));
    }
    shown
}

/// Asks in words; what can't be read any more is shown as it is kept.
fn words(asks: Option<&Value>) -> Vec<String> {
    let Some(asks) = asks else { return Vec::new() };
    match serde_json::from_value::<BTreeSet<Ask>>(asks.clone()) {
        Ok(asks) => in_words(&asks),
        Err(_) => asks.as_array().into_iter().flatten().map(Value::to_string).collect(),
    }
}

async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Value>>, ApiError> {
    caller.operates()?;
    let channel_type = query.take("type");
    let state: Option<VersionState> = query.take_word("state", VersionState::WORDS)?;
    let page = query.finish("type, state")?;
    let versions = store::plugins::page(&app.db, channel_type.as_deref(), state, &page).await?;
    Ok(Json(versions.iter().map(render).collect()))
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(digest): Path<String>) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let version = find(&app, &digest).await?;
    Ok(Json(whole(&app, &version).await?))
}

/// Everything that is known of a version.
async fn whole(app: &App, version: &PluginVersion) -> Result<Value, ApiError> {
    let moves = store::plugins::moves::of_digest(&app.db, &version.digest, MOVES_SHOWN).await?;
    let active = match &version.channel_type {
        Some(channel_type) => store::plugins::active(&app.db, channel_type).await?,
        None => None,
    };
    let mut shown = render(version);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("active".to_owned(), json!(active.is_some_and(|active| active.digest == version.digest)));
        shown.insert("asks".to_owned(), json!(words(version.asks.as_ref())));
        shown.insert("rollout".to_owned(), json!(version.rollout));
        shown.insert("conformance_report".to_owned(), json!(version.conformance));
        shown.insert("shadow".to_owned(), json!(version.shadow));
        shown.insert("moves".to_owned(), json!(moves));
    }
    Ok(shown)
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    #[serde(default)]
    reason: Reason,
}

async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(digest): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let reason = word.reason.or("looked at");
    let digest = find(&app, &digest).await?.digest;
    let actor = caller.actor();
    to_the_end(&app, |app| async move {
        let begun = plugins::approve(&app, &digest, &actor, &reason).await.map_err(refused)?;
        let version = find(&app, &digest).await?;
        let mut shown = whole(&app, &version).await?;
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("changed".to_owned(), json!(begun.is_some_and(|installed| installed.changed)));
        }
        Ok(Json(shown))
    })
    .await
}

async fn reject(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(digest): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<Value>, ApiError> {
    let verb = |app: Arc<App>, digest: String, actor, reason: String| async move { plugins::reject(&app, &digest, &actor, &reason).await };
    judge(&app, &caller, &digest, word, verb).await
}

async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(digest): Path<String>,
    extract::Json(word): extract::Json<Word>,
) -> Result<Json<Value>, ApiError> {
    let verb = |app: Arc<App>, digest: String, actor, reason: String| async move { plugins::revoke(&app, &digest, &actor, &reason).await };
    judge(&app, &caller, &digest, word, verb).await
}

/// A word against a version, which needs a reason; answers the version as it is then.
async fn judge<F, T>(
    app: &Arc<App>,
    caller: &Caller,
    digest: &str,
    word: Word,
    verb: impl FnOnce(Arc<App>, String, Actor, String) -> F + Send + 'static,
) -> Result<Json<Value>, ApiError>
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
        Ok(Json(whole(&app, &version).await?))
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

/// What became of a type's versions, newest first; `before` is the id of the last one of the page before.
async fn moves(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Move>>, ApiError> {
    caller.operates()?;
    let channel_type = query.take("type").ok_or_else(|| ApiError::bad_request("bad_query", "type: say of which channel type."))?;
    let before = query.take("before");
    let page = query.finish("type, before")?;
    Ok(Json(store::plugins::moves::of_type(&app.db, &channel_type, before.as_deref(), page.limit).await?))
}

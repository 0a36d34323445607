//! `/rest/v1/webhook_deliveries`: what providers sent, what became of it, and how it is processed again.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{asked::Asked, auth::Caller, channel_accounts, extract::Json, lists, resources, to_the_end};
use crate::{
    app::App,
    audit::{self, Deed},
    browser,
    clock::At,
    domain::{
        account::Account,
        actor::Actor,
        key::Scope,
        webhook::{AppWebhook, Delivery, Fields, Webhook, WebhookState},
    },
    error::ApiError,
    inbox::{self, Replayed},
    store::{
        self,
        webhooks::{Filter, Kept},
    },
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/webhook_deliveries", get(list))
        .route("/webhook_deliveries/replay", post(replay_many))
        .route("/webhook_deliveries/{id}", get(show))
        .route("/webhook_deliveries/{id}/replay", post(replay))
}

/// An organisation's key sees its own; the operator's sees all, and the quarantine too.
async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    asked.rename("since", "received_at", "gte");
    asked.rename("until", "received_at", "lt");
    lists::list(&app, &caller, &resources::WEBHOOK_DELIVERIES, &asked).await
}

/// A delivery with what it holds.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    delivery: Delivery,
    query: Value,
    headers: Value,
    body: String,
    /// `utf-8` or `base64`.
    body_encoding: &'static str,
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Whole>, ApiError> {
    let Kept { delivery, mut request } = find(&app, &caller, &id, Scope::Read).await?;
    if delivery.shared && !caller.sees_all() {
        // What it says of other accounts is others' business.
        request.body = Vec::new();
    }
    if let Some(account_id) = &delivery.channel_account_id
        && browser::call_of(account_id, &delivery.path).is_some()
    {
        request.body = browser::shown(&app, account_id, request.body).await?;
    }
    let (body, body_encoding) = match String::from_utf8(request.body) {
        Ok(text) => (text, "utf-8"),
        Err(error) => (STANDARD.encode(error.as_bytes()), "base64"),
    };
    Ok(axum::Json(Whole { delivery, query: fields(request.query), headers: fields(request.headers), body, body_encoding }))
}

fn fields(fields: Fields) -> Value {
    fields.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayOne {
    /// For one in quarantine: the account that it is replayed into.
    channel_account_id: Option<String>,
}

/// Answers the delivery as it stands afterwards, with what came of it.
/// A delivery, and what its replay told: null where it failed again.
#[derive(Serialize)]
struct AfterReplay {
    #[serde(flatten)]
    delivery: Delivery,
    replay: Option<Value>,
}

async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(asked): Json<ReplayOne>,
) -> Result<axum::Json<AfterReplay>, ApiError> {
    let kept = find(&app, &caller, &id, Scope::Manage).await?;
    if kept.delivery.state == WebhookState::Ignored {
        return Err(ApiError::conflict("ignored", "What came for a deleted account is counted, not kept."));
    }
    if let (Some(app_id), None) = (kept.delivery.app_id.clone(), &kept.delivery.channel_account_id) {
        return replay_of_app(&app, &caller, app_id, kept).await;
    }
    let account = match (&kept.delivery.channel_account_id, asked.channel_account_id) {
        (Some(own), Some(asked)) if *own != asked => {
            return Err(ApiError::invalid_field("/channel_account_id", format!("the delivery belongs to the account {own}; leave it out")));
        }
        (Some(own), _) => {
            let account = store::accounts::find(&app.db, own).await?;
            account.ok_or_else(|| ApiError::conflict("account_deleted", "The account that it came for was deleted."))?
        }
        (None, Some(asked)) => named_account(&app, &caller, &asked).await?,
        (None, None) => {
            return Err(ApiError::invalid_field("/channel_account_id", "is required: nobody knows whose the delivery is")
                .hint("Name the account that it is replayed into; you vouch for it, its sender wasn't checked."));
        }
    };
    check_active(&account)?;
    let actor = caller.actor();
    let replayed = to_the_end(&app, |app| async move { replay_into(&app, &account, kept, &actor).await }).await?;
    after_replay(&app, &caller, &id, replayed).await
}

/// A request to an app's URL goes to the accounts that it concerns.
async fn replay_of_app(app: &Arc<App>, caller: &Caller, app_id: String, kept: Kept) -> Result<axum::Json<AfterReplay>, ApiError> {
    let Kept { delivery, request } = kept;
    let id = delivery.id.clone();
    let webhook = AppWebhook {
        id: delivery.id,
        app_id,
        channel_type: delivery.channel_type.unwrap_or_default(),
        received_at: delivery.received_at,
        verified_by: delivery.verified_by,
        request,
    };
    let actor = caller.actor();
    let replayed = to_the_end(app, |app| async move {
        audit::note(&app, &actor, deed(&webhook.id, None)).await?;
        Ok(inbox::replay_for_app(&app, &webhook).await?)
    })
    .await?;
    after_replay(app, caller, &id, replayed).await
}

async fn after_replay(app: &App, caller: &Caller, id: &str, replayed: Replayed) -> Result<axum::Json<AfterReplay>, ApiError> {
    let delivery = find(app, caller, id, Scope::Manage).await?.delivery;
    let replay = match replayed {
        Replayed::Processed { new, known } => Some(json!({"events_new": new, "events_known": known})),
        Replayed::Failed | Replayed::NotRun => None,
    };
    Ok(axum::Json(AfterReplay { delivery, replay }))
}

/// What the audit log is told of a delivery that is replayed.
fn deed<'a>(id: &'a str, organization_id: Option<&'a str>) -> Deed<'a> {
    let (action, subject_kind) = ("webhook_delivery.replay", "webhook_delivery");
    Deed { action, subject_kind, subject_id: id, organization_id, detail: json!({}) }
}

async fn replay_into(app: &App, account: &Account, Kept { delivery, request }: Kept, actor: &Actor) -> Result<Replayed, ApiError> {
    audit::note(app, actor, deed(&delivery.id, Some(&account.organization_id))).await?;
    if delivery.channel_account_id.is_none() {
        let mut tx = app.db.begin().await?;
        if !store::webhooks::adopt(&mut tx, &delivery.id, &account.id, &account.organization_id).await? {
            return Err(ApiError::conflict("taken", "Somebody else replayed it at the same time.").hint("Look at it again."));
        }
        tx.commit().await?;
    }
    let webhook = Webhook {
        id: delivery.id,
        account_id: account.id.clone(),
        organization_id: account.organization_id.clone(),
        received_at: delivery.received_at,
        verified_by: delivery.verified_by,
        shared: delivery.shared,
        request,
    };
    Ok(inbox::replay(app, account, &webhook).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayMany {
    channel_account_id: String,
    /// Those that failed unless `state` or a span says otherwise.
    state: Option<WebhookState>,
    since: Option<At>,
    until: Option<At>,
}

/// 202: a job replays them, oldest first.
async fn replay_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(asked): Json<ReplayMany>,
) -> Result<(StatusCode, axum::Json<Value>), ApiError> {
    caller.may(Scope::Manage)?;
    let account = named_account(&app, &caller, &asked.channel_account_id).await?;
    check_active(&account)?;
    if matches!(asked.state, Some(WebhookState::Quarantined | WebhookState::Ignored)) {
        return Err(ApiError::invalid_field("/state", "an account's webhooks are processed, held or failed"));
    }
    let spans = asked.since.is_some() || asked.until.is_some();
    let filter = Filter {
        organization_id: None,
        account_id: Some(account.id.clone()),
        state: asked.state.or((!spans).then_some(WebhookState::Failed)),
        since: asked.since,
        until: asked.until,
    };
    let found = inbox::ask_replay(&app, &account, filter, &caller.actor()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({"found": found}))))
}

/// The account named in a body.
async fn named_account(app: &App, caller: &Caller, id: &str) -> Result<Account, ApiError> {
    let account = channel_accounts::find(app, caller, id, Scope::Manage).await;
    account.map_err(|error| match error.status {
        StatusCode::NOT_FOUND => ApiError::invalid_field("/channel_account_id", format!("there is no channel account “{id}”")),
        _ => error,
    })
}

fn check_active(account: &Account) -> Result<(), ApiError> {
    if account.is_active {
        return Ok(());
    }
    Err(ApiError::conflict("inactive", "The account is inactive: it holds its webhooks.")
        .hint("PATCH /rest/v1/channel_accounts/{id} with {\"is_active\": true} processes what it holds."))
}

/// The delivery, where the caller may do that with it. Another organisation's is not found, nor is the quarantine but for the operator.
async fn find(app: &App, caller: &Caller, id: &str, scope: Scope) -> Result<Kept, ApiError> {
    caller.may(scope)?;
    let kept = store::webhooks::find(&app.db, id).await?.filter(|kept| match &kept.delivery.organization_id {
        Some(organization_id) => caller.sees(organization_id),
        None => caller.sees_all(),
    });
    kept.ok_or_else(|| ApiError::not_found("webhook delivery", id))
}

//! `/rest/v1/webhook_deliveries`: what providers sent, what became of it, and how it is processed again.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

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
    openapi::schemas::{answers, requests},
    store::{
        self,
        webhooks::{Filter, Kept},
    },
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(replay_many)).routes(routes!(show)).routes(routes!(replay))
}

answers!(Delivery, Whole, AfterReplay, Found);
requests!(ReplayOne, ReplayMany);

/// List webhooks
///
/// What providers sent. An organisation's key sees its own; the operator's sees all, and the quarantine too.
#[utoipa::path(
    get,
    path = "/webhook_deliveries",
    tag = "webhook_deliveries",
    operation_id = "list_webhook_deliveries",
    params(("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, description = "The requests, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    asked.rename("since", "received_at", "gte");
    asked.rename("until", "received_at", "lt");
    lists::list(&app, &caller, &resources::WEBHOOK_DELIVERIES, &asked).await
}

/// A delivery with what it holds.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDeliveryDetails")]
struct Whole {
    #[serde(flatten)]
    delivery: Delivery,
    query: Value,
    headers: Value,
    body: String,
    /// `utf-8` or `base64`.
    body_encoding: &'static str,
}

/// Show a webhook
///
/// With what it holds, but for what proves its sender.
#[utoipa::path(
    get,
    path = "/webhook_deliveries/{id}",
    tag = "webhook_deliveries",
    operation_id = "show_webhook_delivery",
    responses((status = 200, description = "The request as it came.", body = Whole)),
)]
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

/// Where it is replayed into.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReplayWebhook")]
struct ReplayOne {
    /// For one in quarantine: the account that it is replayed into.
    channel_account_id: Option<String>,
}

/// A delivery, and what its replay told: null where it failed again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayedWebhook")]
struct AfterReplay {
    #[serde(flatten)]
    delivery: Delivery,
    replay: Option<EventsTold>,
}

/// What a webhook told.
#[derive(Serialize, JsonSchema)]
struct EventsTold {
    events_new: usize,
    events_known: usize,
}

/// How much there is to replay.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhooksFound")]
struct Found {
    found: i64,
}

/// Process a webhook again
///
/// One in quarantine needs the account that it is replayed into.
#[utoipa::path(
    post,
    path = "/webhook_deliveries/{id}/replay",
    tag = "webhook_deliveries",
    operation_id = "replay_webhook_delivery",
    request_body = ReplayOne,
    responses(
        (status = 200, description = "The delivery as it stands now, and what came of it.", body = AfterReplay),
        (status = 409, description = "It can't be replayed: the error says why."),
    ),
)]
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
        Replayed::Processed { new, known } => Some(EventsTold { events_new: new, events_known: known }),
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

/// Which of an account's webhooks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReplayWebhooks")]
struct ReplayMany {
    channel_account_id: String,
    /// Those that failed unless `state` or a span says otherwise.
    state: Option<WebhookState>,
    since: Option<At>,
    until: Option<At>,
}

/// Process an account's webhooks again
///
/// A job replays them, oldest first.
#[utoipa::path(
    post,
    path = "/webhook_deliveries/replay",
    tag = "webhook_deliveries",
    operation_id = "replay_webhook_deliveries",
    request_body = ReplayMany,
    responses(
        (status = 202, description = "So many were found.", body = Found),
        (status = 409, description = "The account is inactive."),
    ),
)]
async fn replay_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(asked): Json<ReplayMany>,
) -> Result<(StatusCode, axum::Json<Found>), ApiError> {
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
    Ok((StatusCode::ACCEPTED, axum::Json(Found { found })))
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

//! `/rest/v1/channel_accounts`

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    asked::Asked,
    auth::Caller,
    extract::{Json, ListQuery, Payload, read_row},
    lists,
    resources::{self, Resource},
    to_the_end,
    writes::{self, Deletable, Made, Writable},
};
use crate::{
    accounts::{self, AccountChange, ConnectStep, NewAccount, TemplateList},
    app::App,
    browser,
    domain::{
        account::{Account, HealthReport, SecretHint},
        content::{Content, Text, TextFormat},
        key::Scope,
        organization,
        sending::Sending,
    },
    error::ApiError,
    outbox::{self, SendRequest},
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/channel_accounts", get(list).post(create).patch(update_many).delete(delete_many).put(put))
        .route("/channel_accounts/{id}", get(show).patch(update).delete(delete))
        .route("/channel_accounts/{id}/connect", post(connect))
        .route("/channel_accounts/{id}/disconnect", post(disconnect))
        .route("/channel_accounts/{id}/health", get(last_health).post(check_health))
        .route("/channel_accounts/{id}/templates", get(templates))
        .route("/channel_accounts/{id}/test", post(test))
}

async fn create(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    if writes::is_postgrest(&asked, &payload) {
        return writes::insert(&app, &caller, &Rows, &asked, &payload).await;
    }
    let new: NewAccount = payload.json()?;
    check_new(&caller, &new)?;
    let account = accounts::create(&app, new, &caller.actor()).await?;
    let place = format!("/rest/v1/channel_accounts/{}", account.id);
    Ok((StatusCode::CREATED, [("location", place)], axum::Json(shown(&app, account).await?)).into_response())
}

fn check_new(caller: &Caller, new: &NewAccount) -> Result<(), ApiError> {
    check_organization_id(&new.organization_id)?;
    caller.narrow(Some(new.organization_id.clone()))?;
    Ok(())
}

async fn update_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::update(&app, &caller, &Rows, &asked, &payload).await
}

async fn delete_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::delete(&app, &caller, &Rows, &asked).await
}

async fn put(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::put(&app, &caller, &Rows, &mut asked, &payload).await
}

/// Accounts as rows that are written.
struct Rows;

#[async_trait]
impl Deletable for Rows {
    fn resource(&self) -> &'static Resource {
        &resources::CHANNEL_ACCOUNTS
    }

    async fn delete(&self, app: &Arc<App>, caller: &Caller, row: &Value) -> Result<(), ApiError> {
        let account = find(app, caller, writes::id_of(row), Scope::Manage).await?;
        remove(app, caller, account).await
    }
}

#[async_trait]
impl Writable for Rows {
    fn columns(&self) -> &'static [&'static str] {
        &["organization_id", "name", "type", "settings", "app_id", "is_active"]
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["organization_id", "type"]
    }

    async fn insert(&self, app: &Arc<App>, caller: &Caller, rows: Vec<Map<String, Value>>) -> Result<Vec<Made>, ApiError> {
        let new = rows.into_iter().map(|row| {
            let new: NewAccount = read_row(row)?;
            check_new(caller, &new)?;
            Ok(new)
        });
        let new = new.collect::<Result<Vec<_>, ApiError>>()?;
        let made = accounts::create_all(app, new, &caller.actor()).await?;
        Ok(made.into_iter().map(|account| Made::new(account.id)).collect())
    }

    async fn update(&self, app: &Arc<App>, caller: &Caller, row: &Value, change: Map<String, Value>) -> Result<(), ApiError> {
        let change: AccountChange = read_row(change)?;
        let account = find(app, caller, writes::id_of(row), Scope::Manage).await?;
        let actor = caller.actor();
        to_the_end(app, |app| async move { accounts::update(&app, account, change, &actor).await }).await?;
        Ok(())
    }
}

async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::CHANNEL_ACCOUNTS, &asked).await
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Read).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<AccountChange>,
) -> Result<axum::Json<Value>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    let account = to_the_end(&app, |app| async move { accounts::update(&app, account, change, &caller.actor()).await }).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

async fn delete(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    remove(&app, &caller, account).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(app: &Arc<App>, caller: &Caller, account: Account) -> Result<(), ApiError> {
    let (id, actor) = (account.id.clone(), caller.actor());
    if let Some(objection) = to_the_end(app, |app| async move { accounts::delete(&app, &account, &actor).await }).await? {
        tracing::warn!(account.id = %id, reason = %objection.message, "the provider wasn't told of a deleted account");
    }
    Ok(())
}

async fn connect(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(step): Json<Value>,
) -> Result<axum::Json<Value>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    let step = match step {
        Value::Object(mut fields) if !fields.contains_key("step") => {
            fields.insert("step".to_owned(), json!("start"));
            Value::Object(fields)
        }
        step => step,
    };
    let step: ConnectStep = serde_json::from_value(step).map_err(|error| {
        ApiError::invalid_field("/step", error.to_string()).hint("Write {\"step\": \"start\"}, answers, tick or refresh.")
    })?;
    let account = to_the_end(&app, |app| async move { accounts::connect(&app, &account, step, caller.identity()).await }).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

async fn disconnect(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    let account = to_the_end(&app, |app| async move { accounts::disconnect(&app, &account, &caller.actor()).await }).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

async fn last_health(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Read).await?;
    Ok(axum::Json(json!({"standing": account.standing, "health": account.health, "health_at": account.health_at})))
}

async fn check_health(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<HealthReport>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    Ok(axum::Json(accounts::check(&app, &account).await?))
}

/// The provider's templates with their state; `cursor` goes on where a list ended.
async fn templates(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    mut query: ListQuery,
) -> Result<axum::Json<TemplateList>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Read).await?;
    let cursor = query.take("cursor");
    query.finish("cursor")?;
    Ok(axum::Json(accounts::list_templates(&app, &account, cursor.as_deref()).await?))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestRequest {
    /// Where a test message goes; none is sent without.
    to: Option<String>,
    text: Option<String>,
}

/// Credentials and webhook by the plugin's checks; with `to`, a message that goes the way of all messages.
async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<TestRequest>,
) -> Result<axum::Json<Value>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    let health = accounts::check(&app, &account).await?;
    let message = match request.to {
        Some(to) => {
            let text = request.text.unwrap_or_else(|| format!("This is a test of “{}”.", account.name));
            let content = Content::Text(Text { text, format: TextFormat::Plain, preview_links: true });
            let send = SendRequest::message(account.id.clone(), to, vec![content]);
            Some(outbox::enqueue(&app, &account, send).await?)
        }
        None => None,
    };
    let webhook = json!({"url": app.webhook_url(&account), "refusals": account.webhook_refusals});
    Ok(axum::Json(json!({"ok": health.ok, "checks": health.checks, "webhook": webhook, "message": message})))
}

/// The account, where the caller may do that with it. Another organisation's is not found.
pub(super) async fn find(app: &App, caller: &Caller, id: &str, scope: Scope) -> Result<Account, ApiError> {
    caller.may(scope)?;
    let account = store::accounts::find(&app.db, id).await?.filter(|account| caller.sees(&account.organization_id));
    account.ok_or_else(|| ApiError::not_found("channel account", id))
}

pub(super) fn check_organization_id(id: &str) -> Result<(), ApiError> {
    if organization::is_id(id) { Ok(()) } else { Err(ApiError::invalid_field("/organization_id", organization::ID_RULE)) }
}

async fn shown(app: &App, account: Account) -> Result<Value, ApiError> {
    Ok(all_shown(app, vec![account]).await?.pop().unwrap_or_default())
}

/// Accounts as clients see them: a secret stands among the settings as `{"set": true, "last4": "…"}`.
pub(super) async fn all_shown(app: &App, accounts: Vec<Account>) -> Result<Vec<Value>, ApiError> {
    let ids: Vec<String> = accounts.iter().map(|account| account.id.clone()).collect();
    let mut hints: HashMap<String, Vec<(String, SecretHint)>> = HashMap::new();
    for (account_id, name, last4) in store::secrets::hints(&app.db, &ids).await? {
        hints.entry(account_id).or_default().push((name, SecretHint { set: true, last4 }));
    }
    let now = app.clock.now();
    let account_ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let holds = store::sending::holds(&app.db, &account_ids, now).await?;
    Ok(accounts
        .into_iter()
        .map(|account| {
            let sending = outbox::sending(&account, &holds, now);
            render(app, &account, hints.remove(&account.id).unwrap_or_default(), &sending)
        })
        .collect())
}

fn render(app: &App, account: &Account, hints: Vec<(String, SecretHint)>, sending: &Sending) -> Value {
    let mut settings = account.settings.clone();
    for (name, hint) in hints {
        settings.insert(name, json!(hint));
    }
    json!({
        "id": account.id,
        "organization_id": account.organization_id,
        "name": account.name,
        "type": account.channel_type,
        "settings": settings,
        "is_active": account.is_active,
        "is_connected": account.standing.connection.is_connected(),
        "connection": account.standing.connection,
        "reason_code": account.standing.reason_code,
        "reason": account.standing.reason,
        "user_action": account.standing.user_action,
        "sending": sending,
        "external_id": account.external_id,
        "display_name": account.display_name,
        "facts": account.facts,
        "app_id": account.app_id,
        "oauth_expires_at": account.oauth_expires_at,
        "oauth_refresh_expires_at": account.oauth_refresh_expires_at,
        "webhook_url": app.webhook_url(account),
        // Where pages in browsers find the account; null where its type has nothing for them.
        "browser_url": browser::url(app, &account.id, &account.channel_type),
        "webhook_refusals": account.webhook_refusals,
        "last_refused_at": account.last_refused_at,
        "prompt": account.connect_prompt,
        "health": account.health,
        "health_at": account.health_at,
        "connected_at": account.connected_at,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    })
}

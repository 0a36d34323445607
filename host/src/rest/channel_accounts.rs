//! `/rest/v1/channel_accounts`

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

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
    clock::At,
    domain::{
        account::{Account, Connection, HealthCheck, HealthReport, SecretHint, Standing},
        content::{Content, Text, TextFormat},
        key::Scope,
        message::Message,
        organization,
        sending::Sending,
    },
    error::ApiError,
    openapi::schemas::{answers, requests},
    outbox::{self, SendRequest},
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create, update_many, delete_many, put))
        .routes(routes!(show, update, delete))
        .routes(routes!(connect))
        .routes(routes!(disconnect))
        .routes(routes!(last_health, check_health))
        .routes(routes!(templates))
        .routes(routes!(test))
}

answers!(ShownAccount, LastHealth, HealthReport, TemplateList, AccountTest);
requests!(NewAccount, AccountChange, ConnectStep, TestRequest);

/// Create an account
///
/// Its settings are its type's to say. It is inactive unless asked otherwise, and not connected yet.
#[utoipa::path(
    post,
    path = "/channel_accounts",
    tag = "channel_accounts",
    operation_id = "create_channel_account",
    request_body = NewAccount,
    responses(
        (
            status = 201,
            description = "The account.",
            body = ShownAccount,
            headers(("Location" = String, description = "Where it is.")),
        ),
    ),
)]
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

/// Change accounts
///
/// All that the filters choose: what is absent stays. Without a filter nothing is changed.
#[utoipa::path(patch, path = "/channel_accounts", tag = "channel_accounts", operation_id = "update_channel_accounts", responses((status = 200, description = "The rows, where they are asked for.")))]
async fn update_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked, payload: Payload) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::update(&app, &caller, &Rows, &asked, &payload).await
}

/// Delete accounts
///
/// All that the filters choose. Without a filter nothing is deleted.
#[utoipa::path(delete, path = "/channel_accounts", tag = "channel_accounts", operation_id = "delete_channel_accounts", responses((status = 200, description = "The rows, where they are asked for.")))]
async fn delete_many(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Manage)?;
    writes::delete(&app, &caller, &Rows, &asked).await
}

/// Put account
///
/// Makes or changes the one that `?id=eq.…` names.
#[utoipa::path(put, path = "/channel_accounts", tag = "channel_accounts", operation_id = "put_channel_account", responses((status = 200, description = "The rows, where they are asked for.")))]
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

/// List accounts
#[utoipa::path(
    get,
    path = "/channel_accounts",
    tag = "channel_accounts",
    operation_id = "list_channel_accounts",
    responses((status = 200, description = "The accounts, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::CHANNEL_ACCOUNTS, &asked).await
}

/// Show an account
#[utoipa::path(
    get,
    path = "/channel_accounts/{id}",
    tag = "channel_accounts",
    operation_id = "show_channel_account",
    responses((status = 200, description = "The account.", body = ShownAccount)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<ShownAccount>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Read).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

/// Change an account
///
/// What is absent stays; `settings` are merged into what stands, and a secret that comes back as it was shown is kept.
#[utoipa::path(
    patch,
    path = "/channel_accounts/{id}",
    tag = "channel_accounts",
    operation_id = "update_channel_account",
    request_body = AccountChange,
    responses(
        (status = 200, description = "The account as it is now.", body = ShownAccount),
        (status = 409, description = "Somebody changed it meanwhile, or its plugin doesn't run."),
    ),
)]
async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<AccountChange>,
) -> Result<axum::Json<ShownAccount>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    let account = to_the_end(&app, |app| async move { accounts::update(&app, account, change, &caller.actor()).await }).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

/// Delete an account
///
/// Its queue is cancelled, the provider is told, its secrets are erased; its history stays.
#[utoipa::path(
    delete,
    path = "/channel_accounts/{id}",
    tag = "channel_accounts",
    operation_id = "delete_channel_account",
    responses((status = 204, description = "It is gone.")),
)]
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

/// Connect an account
///
/// One step of a dialogue: `start`; then what the account's `prompt` asks for, until it is connected.
#[utoipa::path(
    post,
    path = "/channel_accounts/{id}/connect",
    tag = "channel_accounts",
    operation_id = "connect_channel_account",
    request_body = ConnectStep,
    responses(
        (status = 200, description = "The account: `connection` says how far it is, `prompt` what to do.", body = ShownAccount),
        (status = 502, description = "The provider doesn't answer."),
    ),
)]
async fn connect(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(step): Json<Value>,
) -> Result<axum::Json<ShownAccount>, ApiError> {
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

/// Disconnect an account
///
/// The provider is told; its messages wait until it is connected again.
#[utoipa::path(
    post,
    path = "/channel_accounts/{id}/disconnect",
    tag = "channel_accounts",
    operation_id = "disconnect_channel_account",
    responses(
        (status = 200, description = "The account.", body = ShownAccount),
        (status = 502, description = "The provider doesn't answer."),
    ),
)]
async fn disconnect(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<ShownAccount>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    let account = to_the_end(&app, |app| async move { accounts::disconnect(&app, &account, &caller.actor()).await }).await?;
    Ok(axum::Json(shown(&app, account).await?))
}

/// How an account stands, and what the last look at it found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AccountHealth")]
struct LastHealth {
    standing: Standing,
    health: Option<HealthReport>,
    health_at: Option<At>,
}

/// Show what the last look at an account found
#[utoipa::path(
    get,
    path = "/channel_accounts/{id}/health",
    tag = "channel_accounts",
    operation_id = "show_channel_account_health",
    responses((status = 200, description = "How it stands.", body = LastHealth)),
)]
async fn last_health(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<LastHealth>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Read).await?;
    Ok(axum::Json(LastHealth { standing: account.standing, health: account.health, health_at: account.health_at }))
}

/// Look at an account now
///
/// Its plugin asks the provider whether credentials, webhook and permissions are right.
#[utoipa::path(
    post,
    path = "/channel_accounts/{id}/health",
    tag = "channel_accounts",
    operation_id = "check_channel_account",
    responses((status = 200, description = "What was found.", body = HealthReport)),
)]
async fn check_health(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<HealthReport>, ApiError> {
    let account = find(&app, &caller, &id, Scope::Manage).await?;
    Ok(axum::Json(accounts::check(&app, &account).await?))
}

/// List an account's templates
///
/// The provider's, with their state; `cursor` goes on where a list ended.
#[utoipa::path(
    get,
    path = "/channel_accounts/{id}/templates",
    tag = "channel_accounts",
    operation_id = "list_channel_account_templates",
    params(("cursor" = Option<String>, Query, description = "Where the list before ended.", example = "QVFIUkZ")),
    responses(
        (status = 200, description = "Some of them, and where the next are.", body = TemplateList),
        (status = 422, description = "The channel type has none."),
        (status = 502, description = "The provider doesn't answer."),
    ),
)]
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

/// Whether a message is to be sent.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccountTestRequest")]
struct TestRequest {
    /// Where a test message goes; none is sent without.
    to: Option<String>,
    text: Option<String>,
}

/// What a test of an account came to.
#[derive(Serialize, JsonSchema)]
struct AccountTest {
    ok: bool,
    checks: Vec<HealthCheck>,
    webhook: WebhookTest,
    /// The message that was queued.
    message: Option<Message>,
}

/// How the account's webhook goes.
#[derive(Serialize, JsonSchema)]
struct WebhookTest {
    url: String,
    /// Requests that proved no sender.
    refusals: i64,
}

/// Test an account
///
/// Credentials and webhook by the plugin's checks; with `to`, a message that goes the way of all messages.
#[utoipa::path(
    post,
    path = "/channel_accounts/{id}/test",
    tag = "channel_accounts",
    operation_id = "test_channel_account",
    request_body = TestRequest,
    responses((status = 200, description = "What was found.", body = AccountTest)),
)]
async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<TestRequest>,
) -> Result<axum::Json<AccountTest>, ApiError> {
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
    let webhook = WebhookTest { url: app.webhook_url(&account), refusals: account.webhook_refusals };
    Ok(axum::Json(AccountTest { ok: health.ok, checks: health.checks, webhook, message }))
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

async fn shown(app: &App, account: Account) -> Result<ShownAccount, ApiError> {
    let shown = all_shown(app, vec![account]).await?.pop();
    shown.ok_or_else(|| ApiError::internal(&"an account was not shown"))
}

/// Accounts as clients see them: a secret stands among the settings as `{"set": true, "last4": "…"}`.
pub(super) async fn all_shown(app: &App, accounts: Vec<Account>) -> Result<Vec<ShownAccount>, ApiError> {
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
            render(app, &account, hints.remove(&account.id).unwrap_or_default(), sending)
        })
        .collect())
}

/// A channel account as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelAccount")]
pub(super) struct ShownAccount {
    id: String,
    organization_id: String,
    name: String,
    #[serde(rename = "type")]
    channel_type: String,
    /// A secret stands among them as `{"set": true, "last4": "…"}`.
    settings: Map<String, Value>,
    /// What the operator wants.
    is_active: bool,
    is_connected: bool,
    /// How far the connection is.
    connection: Connection,
    reason_code: Option<String>,
    /// Why it stands so.
    reason: Option<String>,
    /// What somebody has to do about it.
    user_action: Option<String>,
    /// How sending goes.
    sending: Sending,
    /// What the provider calls it.
    external_id: Option<String>,
    display_name: Option<String>,
    /// What the channel tells of it.
    facts: Value,
    /// The app that it goes through.
    app_id: Option<String>,
    oauth_expires_at: Option<At>,
    oauth_refresh_expires_at: Option<At>,
    /// Where the provider sends what comes in.
    webhook_url: String,
    /// Where pages in browsers find the account; null where its type has nothing for them.
    browser_url: Option<String>,
    /// Requests that proved no sender.
    webhook_refusals: i64,
    last_refused_at: Option<At>,
    /// What `connect` asks for.
    prompt: Option<Value>,
    /// What the last look at it found.
    health: Option<HealthReport>,
    health_at: Option<At>,
    connected_at: Option<At>,
    created_at: At,
    updated_at: At,
}

fn render(app: &App, account: &Account, hints: Vec<(String, SecretHint)>, sending: Sending) -> ShownAccount {
    let mut settings = account.settings.clone();
    for (name, hint) in hints {
        settings.insert(name, json!(hint));
    }
    ShownAccount {
        id: account.id.clone(),
        organization_id: account.organization_id.clone(),
        name: account.name.clone(),
        channel_type: account.channel_type.clone(),
        settings,
        is_active: account.is_active,
        is_connected: account.standing.connection.is_connected(),
        connection: account.standing.connection,
        reason_code: account.standing.reason_code.clone(),
        reason: account.standing.reason.clone(),
        user_action: account.standing.user_action.clone(),
        sending,
        external_id: account.external_id.clone(),
        display_name: account.display_name.clone(),
        facts: account.facts.clone(),
        app_id: account.app_id.clone(),
        oauth_expires_at: account.oauth_expires_at,
        oauth_refresh_expires_at: account.oauth_refresh_expires_at,
        webhook_url: app.webhook_url(account),
        browser_url: browser::url(app, &account.id, &account.channel_type),
        webhook_refusals: account.webhook_refusals,
        last_refused_at: account.last_refused_at,
        prompt: account.connect_prompt.clone(),
        health: account.health.clone(),
        health_at: account.health_at,
        connected_at: account.connected_at,
        created_at: account.created_at,
        updated_at: account.updated_at,
    }
}

//! `/rest/v1/messages`

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::{Extension, Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use patchbay_postgrest::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asked::Asked,
    auth::Caller,
    extract::{Json, Payload, read_row},
    idempotency::{self, Reserved},
    lists, media, resources,
    writes::{self, Made},
};
use crate::{
    app::App,
    domain::{
        account::Account,
        attempt::Attempt,
        content::Source,
        key::Scope,
        message::{Direction, Message},
        people::{Contact, Conversation},
    },
    error::ApiError,
    openapi::schemas::{answers, requests},
    outbox,
    outbox::{KeptAnswer, Prepared, SendRequest, Verdict},
    store::{self, lists::Seen, tables::MESSAGES},
};

/// Messages that one id of a provider's may be of.
const PARTS_MAX: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, send))
        .routes(routes!(show))
        .routes(routes!(cancel))
        .routes(routes!(replay))
        .routes(routes!(resolve))
        .routes(routes!(attempts))
        .routes(routes!(file))
}

answers!(Shown, DryRun, Attempt);
requests!(SendRequest, ReplayRequest, ResolveRequest);

/// Send a message
///
/// It is stored and will be sent; its state is at its own address. A dry run stores nothing.
#[utoipa::path(
    post,
    path = "/messages",
    tag = "messages",
    operation_id = "send_message",
    request_body = SendRequest,
    responses(
        (
            status = 202,
            description = "It is stored and will be sent.",
            body = Shown,
            headers(("Location" = String, description = "Where its state is.")),
        ),
        (status = 200, description = "A dry run: what would be queued.", body = DryRun),
    ),
)]
async fn send(
    State(app): State<Arc<App>>,
    caller: Caller,
    mut asked: Asked,
    reserved: Option<Extension<Reserved>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    caller.may(Scope::Send)?;
    if writes::is_postgrest(&asked, &payload) {
        return send_rows(&app, &caller, &mut asked, &payload).await;
    }
    let request: SendRequest = payload.json()?;
    let account = account_of(&app, &caller, &request).await?;
    let dry_run = request.dry_run;
    let prepared = outbox::prepare(&app, &account, request).await?;
    if dry_run {
        let facts = prepared.message.facts.clone();
        let message = shown(&app, prepared.message).await?;
        return Ok(axum::Json(DryRun { dry_run: true, message, facts }).into_response());
    }
    let place = format!("/rest/v1/messages/{}", prepared.message.id);
    let shown = shown(&app, prepared.message.clone()).await?;
    let Some(Extension(reserved)) = reserved else {
        outbox::store_prepared(&app, prepared, None).await?;
        return Ok((StatusCode::ACCEPTED, [("location", place)], axum::Json(shown)).into_response());
    };
    // The answer is stored with the message: a crash can't come between the two.
    let kept = idempotency::json_answer(StatusCode::ACCEPTED, Some(&place), &shown)?;
    let answer = KeptAnswer { slot: reserved.slot.clone(), fingerprint: reserved.fingerprint.clone(), kept: kept.clone() };
    if outbox::store_prepared(&app, prepared, Some(answer)).await? {
        return Ok(idempotency::response(&kept));
    }
    idempotency::known_answer(&app, &reserved).await
}

async fn account_of(app: &App, caller: &Caller, request: &SendRequest) -> Result<Account, ApiError> {
    let account = store::accounts::find(&app.db, &request.channel_account_id).await?;
    account.filter(|account| caller.sees(&account.organization_id)).ok_or_else(|| {
        ApiError::invalid_field("/channel_account_id", format!("there is no channel account “{}”", request.channel_account_id))
    })
}

/// Messages as rows: each goes the way of a single one. All are checked before the first is stored.
async fn send_rows(app: &Arc<App>, caller: &Caller, asked: &mut Asked, payload: &Payload) -> Result<Response, ApiError> {
    // What a message is asked with has other names than its row.
    asked.take("columns");
    let query = asked.query(&MESSAGES)?;
    let body = writes::rows_of(payload)?;
    let shape = writes::Shape::of(asked, &body);
    writes::check_rows(asked, shape, body.rows.len() as u64)?;
    asked.prefer.check_affected(body.rows.len() as u64)?;
    let mut prepared = Vec::new();
    for row in body.rows {
        prepared.push(prepare_row(app, caller, row).await.map_err(|error| writes::as_postgrest(error, &MESSAGES))?);
    }
    let mut made = Vec::new();
    for prepared in prepared {
        let id = prepared.message.id.clone();
        outbox::store_prepared(app, prepared, None).await.map_err(|error| writes::as_postgrest(error, &MESSAGES))?;
        made.push(Made::new(id));
    }
    let seen = Seen { organization_id: caller.narrow(None)? };
    writes::answer_made(app, &seen, &resources::MESSAGES, asked, query, shape, StatusCode::CREATED, made).await
}

async fn prepare_row(app: &App, caller: &Caller, row: Map<String, Value>) -> Result<Prepared, ApiError> {
    let request: SendRequest = read_row(row)?;
    if request.dry_run {
        return Err(ApiError::invalid_field("/dry_run", "is for a single message, without Prefer: return=…"));
    }
    let account = account_of(app, caller, &request).await?;
    outbox::prepare(app, &account, request).await
}

/// List messages
///
/// What was asked besides messages (reactions, edits, follow-ups) is there for who asks for its `kind`, and for clients of PostgREST,
/// which know of no filters but their own.
#[utoipa::path(
    get,
    path = "/messages",
    tag = "messages",
    operation_id = "list_messages",
    responses((status = 200, description = "The messages, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    let named = |name: &str| asked.pairs.iter().any(|(key, _)| key == name);
    if !asked.is_postgrest && !["kind", "id", "and", "or", "not.and", "not.or"].into_iter().any(named) {
        asked.pairs.push(("kind".to_owned(), "eq.message".to_owned()));
    }
    // The provider may speak of a message by the id of any of its parts.
    let besides = match asked.value("external_id").map(str::to_owned) {
        Some(reference) => {
            asked.take("external_id");
            let ids = store::lists::messages_named(&app.db, &reference, PARTS_MAX).await?;
            MESSAGES.column("id").map(|id| Filter::is_one_of(id, ids))
        }
        None => None,
    };
    lists::list_where(&app, &caller, &resources::MESSAGES, &asked, besides.unwrap_or_else(Filter::everything)).await
}

/// Show a message
#[utoipa::path(
    get,
    path = "/messages/{id}",
    tag = "messages",
    operation_id = "show_message",
    responses((status = 200, description = "The message.", body = Shown)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Shown>, ApiError> {
    let message = find(&app, &caller, &id, Scope::Read).await?;
    Ok(axum::Json(shown(&app, message).await?))
}

/// Cancel a message
///
/// While it waits in the queue.
#[utoipa::path(
    post,
    path = "/messages/{id}/cancel",
    tag = "messages",
    operation_id = "cancel_message",
    responses(
        (status = 200, description = "The message.", body = Shown),
        (status = 409, description = "It isn't in the queue any more."),
    ),
)]
async fn cancel(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Shown>, ApiError> {
    let message = find(&app, &caller, &id, Scope::Send).await?;
    let message = outbox::cancel(&app, message, &caller.actor()).await?;
    Ok(axum::Json(shown(&app, message).await?))
}

/// Whether one that may have arrived is sent again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReplayMessage")]
struct ReplayRequest {
    /// An uncertain message, too.
    #[serde(default)]
    force: bool,
}

/// Send a message again
///
/// It is queued again under its own id.
#[utoipa::path(
    post,
    path = "/messages/{id}/replay",
    tag = "messages",
    operation_id = "replay_message",
    request_body = ReplayRequest,
    responses(
        (status = 202, description = "The message: it waits in the queue.", body = Shown),
        (status = 409, description = "It is in no state to be sent again."),
    ),
)]
async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<ReplayRequest>,
) -> Result<(StatusCode, axum::Json<Shown>), ApiError> {
    let message = find(&app, &caller, &id, Scope::Send).await?;
    let message = outbox::replay(&app, &message, request.force, &caller.actor()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(shown(&app, message).await?)))
}

/// What became of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResolveMessage")]
struct ResolveRequest {
    outcome: Verdict,
}

/// Say what became of an uncertain message
#[utoipa::path(
    post,
    path = "/messages/{id}/resolve",
    tag = "messages",
    operation_id = "resolve_message",
    request_body = ResolveRequest,
    responses(
        (status = 200, description = "The message.", body = Shown),
        (status = 409, description = "It isn't uncertain."),
    ),
)]
async fn resolve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<ResolveRequest>,
) -> Result<axum::Json<Shown>, ApiError> {
    let message = find(&app, &caller, &id, Scope::Send).await?;
    let message = outbox::resolve(&app, &message, request.outcome, &caller.actor()).await?;
    Ok(axum::Json(shown(&app, message).await?))
}

/// List the attempts to send a message
#[utoipa::path(
    get,
    path = "/messages/{id}/attempts",
    tag = "messages",
    operation_id = "list_message_attempts",
    responses((status = 200, description = "The attempts, the first one first.", body = Vec<Attempt>)),
)]
async fn attempts(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<Vec<Attempt>>, ApiError> {
    let message = find(&app, &caller, &id, Scope::Read).await?;
    Ok(axum::Json(store::outbox::attempts_of(&app.db, &[&message.id]).await?))
}

/// Download a message's file
///
/// Its n-th, fetched first if it isn't stored yet: the provider's own addresses may hold its token.
#[utoipa::path(
    get,
    path = "/messages/{id}/media/{index}",
    tag = "messages",
    operation_id = "download_message_file",
    params(
        ("index" = u32, Path, description = "Which file of the message, from 0.", example = 0),
        ("Range" = Option<String>, Header, description = "One part of it.", example = "bytes=0-1023"),
    ),
    responses(
        (status = 200, description = "The bytes, under the file's own type.", body = Vec<u8>, content_type = "*/*"),
        (status = 206, description = "The part that `Range` asks for.", body = Vec<u8>, content_type = "*/*"),
        (status = 302, description = "What a client sent by URL is at that URL."),
        (status = 304, description = "The client has it."),
        (status = 409, description = "It can't be fetched now."),
        (status = 416, description = "The file has no such part (`bad_range`)."),
        (status = 502, description = "The provider doesn't give it."),
    ),
)]
async fn file(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, index)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let message = find(&app, &caller, &id, Scope::Read).await?;
    let sources: Vec<&Source> = message.content.iter().flat_map(|content| content.files()).collect();
    let source = index.parse::<usize>().ok().and_then(|index| sources.get(index));
    let Some(source) = source else {
        return Err(ApiError::not_found("file in that message with the index", &index));
    };
    // What a client sent by URL is at that URL: the gateway never had it.
    if let Source::Url(url) = source
        && message.direction == Direction::Outbound
        && !message.echo
    {
        return Ok((StatusCode::FOUND, [(header::LOCATION, url.clone())], Body::empty()).into_response());
    }
    let file = crate::media::open(&app, &message, source).await?;
    media::serve(&app, &file, &method, &headers, None).await
}

async fn find(app: &App, caller: &Caller, id: &str, scope: Scope) -> Result<Message, ApiError> {
    caller.may(scope)?;
    let message = store::messages::find(&app.db, id).await?.filter(|message| caller.sees(&message.organization_id));
    message.ok_or_else(|| ApiError::not_found("message", id))
}

/// What would be queued; nothing is.
#[derive(Serialize, JsonSchema)]
struct DryRun {
    dry_run: bool,
    message: Shown,
    /// What the channel tells of it.
    facts: Map<String, Value>,
}

/// A message as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ShownMessage")]
pub(super) struct Shown {
    #[serde(skip)]
    pub(super) message: Message,
    /// The message with the state of its files.
    #[serde(flatten)]
    #[schemars(with = "Message")]
    view: Value,
    /// Every id by which the provider speaks of it: a long text is several of its messages.
    parts: Vec<Part>,
    conversation: Option<Conversation>,
    contact: Option<Contact>,
}

/// One of a message's parts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessagePart")]
struct Part {
    part: u32,
    external_id: String,
}

async fn shown(app: &App, message: Message) -> Result<Shown, ApiError> {
    let shown = all_shown(app, vec![message]).await?.pop();
    shown.ok_or_else(|| ApiError::internal(&"a message was not shown"))
}

/// Messages with their conversation and their contact.
pub(super) async fn all_shown(app: &App, messages: Vec<Message>) -> Result<Vec<Shown>, ApiError> {
    let conversation_ids: BTreeSet<&str> = messages.iter().filter_map(|message| message.conversation_id.as_deref()).collect();
    let contact_ids: BTreeSet<&str> = messages.iter().filter_map(|message| message.contact_id.as_deref()).collect();
    let conversations = store::people::conversations_by_id(&app.db, &Vec::from_iter(conversation_ids)).await?;
    let contacts = store::people::contacts_by_id(&app.db, &Vec::from_iter(contact_ids)).await?;
    let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let mut parts: HashMap<String, Vec<Part>> = HashMap::new();
    for (message_id, part, external_id) in store::messages::refs_of(&app.db, &ids).await? {
        parts.entry(message_id).or_default().push(Part { part, external_id });
    }
    let views = crate::media::view(app, &messages).await?;
    Ok(messages
        .into_iter()
        .zip(views)
        .map(|(message, view)| Shown {
            parts: parts.remove(&message.id).unwrap_or_default(),
            conversation: message.conversation_id.as_ref().and_then(|id| conversations.get(id)).cloned(),
            contact: message.contact_id.as_ref().and_then(|id| contacts.get(id)).cloned(),
            message,
            view,
        })
        .collect())
}

//! `/rest/v1/dead_letters`: messages that went wrong for good, or perhaps did, with the way out.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asked::Asked,
    auth::Caller,
    extract, lists,
    messages::{self, Shown},
    resources, to_the_end,
};
use crate::{
    app::App,
    clock::At,
    domain::{
        attempt::Attempt,
        failure::FailureClass,
        key::Scope,
        message::{Message, MessageState},
    },
    error::ApiError,
    openapi::schemas::{answers, requests},
    outbox::{self, Replayed},
    store::{self, Record, Row, StoreError, dead_letters::Filter},
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(replay))
}

answers!(DeadLetter, Replayed);
requests!(ReplayRequest);

/// A message that is a dead letter.
pub(super) struct DeadMessage(pub(super) Message);

impl Record for DeadMessage {
    fn from_row(row: &Row) -> Result<DeadMessage, StoreError> {
        Message::from_row(row).map(DeadMessage)
    }
}

/// A message that went wrong for good, or perhaps did.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeadLetter {
    #[serde(flatten)]
    shown: Shown,
    class: Option<FailureClass>,
    /// When it failed; an uncertain message counts by the time it was sent.
    dead_since: At,
    attempt_log: Vec<Attempt>,
    /// What can be done about it now.
    way_out: String,
}

/// List dead letters
///
/// Messages that went wrong for good, or perhaps did, with the way out.
#[utoipa::path(
    get,
    path = "/dead_letters",
    tag = "dead_letters",
    operation_id = "list_dead_letters",
    params(("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, description = "The messages, newest first.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    asked.rename("since", "dead_since", "gte");
    asked.rename("until", "dead_since", "lt");
    lists::list(&app, &caller, &resources::DEAD_LETTERS, &asked).await
}

/// Dead letters with all attempts, and what can be done.
pub(super) async fn all_shown(app: &App, messages: Vec<Message>) -> Result<Vec<DeadLetter>, ApiError> {
    let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let mut attempts: HashMap<String, Vec<Attempt>> = HashMap::new();
    for attempt in store::outbox::attempts_of(&app.db, &ids).await? {
        attempts.entry(attempt.message_id.clone()).or_default().push(attempt);
    }
    let letters = messages::all_shown(app, messages).await?.into_iter().map(|shown| DeadLetter {
        class: shown.message.failure.as_ref().map(|failure| failure.class),
        dead_since: shown.message.failed_at.or(shown.message.sent_at).unwrap_or(shown.message.created_at),
        attempt_log: attempts.remove(&shown.message.id).unwrap_or_default(),
        way_out: way_out(&shown),
        shown,
    });
    Ok(letters.collect())
}

fn way_out(shown: &Shown) -> String {
    let id = &shown.message.id;
    let cause = shown.message.failure.as_ref().map(|failure| failure.way_out.as_str()).unwrap_or_default();
    match shown.message.state {
        MessageState::Uncertain => format!(
            "Look in the provider's own inbox. It arrived: POST /rest/v1/messages/{id}/resolve with {{\"outcome\": \"sent\"}}. \
             It didn't: POST /rest/v1/messages/{id}/replay with {{\"force\": true}}."
        ),
        MessageState::PartiallySent => {
            format!("{cause} Then send the parts that are missing as a new message: `parts` are those that arrived.")
        }
        MessageState::Expired => format!("POST /rest/v1/messages/{id}/replay sends it with a new time to expire."),
        _ => format!("{cause} Then POST /rest/v1/messages/{id}/replay."),
    }
}

/// Which of them: of an account or an organisation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReplayDeadLetters")]
struct ReplayRequest {
    organization_id: Option<String>,
    channel_account_id: Option<String>,
    class: Option<FailureClass>,
    /// By the time of the failure.
    since: Option<At>,
    until: Option<At>,
}

/// Send dead letters again
///
/// Of an account or an organisation.
#[utoipa::path(
    post,
    path = "/dead_letters/replay",
    tag = "dead_letters",
    operation_id = "replay_dead_letters",
    request_body = ReplayRequest,
    responses((status = 200, description = "What became of them.", body = Replayed)),
)]
async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    extract::Json(request): extract::Json<ReplayRequest>,
) -> Result<Json<Replayed>, ApiError> {
    caller.may(Scope::Send)?;
    let filter = Filter {
        organization_id: caller.narrow(request.organization_id)?,
        account_id: request.channel_account_id,
        class: request.class,
        since: request.since,
        until: request.until,
    };
    if filter.organization_id.is_none() && filter.account_id.is_none() {
        return Err(ApiError::invalid_field("/channel_account_id", "is required, or organization_id: not everybody's messages at once"));
    }
    Ok(Json(to_the_end(&app, |app| async move { outbox::replay_all(&app, &filter, &caller.actor()).await }).await?))
}

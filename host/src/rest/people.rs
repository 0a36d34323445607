//! `/rest/v1/conversations` and `/rest/v1/contacts`

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{asked::Asked, auth::Caller, lists, resources};
use crate::{
    app::App,
    domain::{
        key::Scope,
        people::{Contact, Conversation},
    },
    error::ApiError,
    openapi::schemas::answers,
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(conversations)).routes(routes!(conversation)).routes(routes!(contacts)).routes(routes!(contact))
}

answers!(Conversation, Contact);

/// List conversations
#[utoipa::path(
    get,
    path = "/conversations",
    tag = "people",
    operation_id = "list_conversations",
    responses((status = 200, description = "The conversations, the liveliest first.")),
)]
async fn conversations(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::CONVERSATIONS, &asked).await
}

/// Show a conversation
#[utoipa::path(
    get,
    path = "/conversations/{id}",
    tag = "people",
    operation_id = "show_conversation",
    responses((status = 200, description = "The conversation.", body = Conversation)),
)]
async fn conversation(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Conversation>, ApiError> {
    caller.may(Scope::Read)?;
    let found = store::people::conversations_by_id(&app.db, &[&id]).await?.remove(&id);
    found.filter(|found| caller.sees(&found.organization_id)).map(Json).ok_or_else(|| ApiError::not_found("conversation", &id))
}

/// List contacts
#[utoipa::path(
    get,
    path = "/contacts",
    tag = "people",
    operation_id = "list_contacts",
    responses((status = 200, description = "The contacts, newest first.")),
)]
async fn contacts(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::CONTACTS, &asked).await
}

/// Show a contact
#[utoipa::path(
    get,
    path = "/contacts/{id}",
    tag = "people",
    operation_id = "show_contact",
    responses((status = 200, description = "The contact.", body = Contact)),
)]
async fn contact(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Contact>, ApiError> {
    caller.may(Scope::Read)?;
    let found = store::people::contacts_by_id(&app.db, &[&id]).await?.remove(&id);
    found.filter(|found| caller.sees(&found.organization_id)).map(Json).ok_or_else(|| ApiError::not_found("contact", &id))
}

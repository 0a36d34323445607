//! `/rest/v1/conversations` and `/rest/v1/contacts`

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use super::{asked::Asked, auth::Caller, lists, resources};
use crate::{
    app::App,
    domain::{
        key::Scope,
        people::{Contact, Conversation},
    },
    error::ApiError,
    store,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/conversations", get(conversations))
        .route("/conversations/{id}", get(conversation))
        .route("/contacts", get(contacts))
        .route("/contacts/{id}", get(contact))
}

async fn conversations(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::CONVERSATIONS, &asked).await
}

async fn conversation(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Conversation>, ApiError> {
    caller.may(Scope::Read)?;
    let found = store::people::conversations_by_id(&app.db, &[&id]).await?.remove(&id);
    found.filter(|found| caller.sees(&found.organization_id)).map(Json).ok_or_else(|| ApiError::not_found("conversation", &id))
}

async fn contacts(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::CONTACTS, &asked).await
}

async fn contact(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Contact>, ApiError> {
    caller.may(Scope::Read)?;
    let found = store::people::contacts_by_id(&app.db, &[&id]).await?.remove(&id);
    found.filter(|found| caller.sees(&found.organization_id)).map(Json).ok_or_else(|| ApiError::not_found("contact", &id))
}

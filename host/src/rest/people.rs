//! `/rest/v1/conversations` and `/rest/v1/contacts`

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};

use super::{auth::Caller, extract::ListQuery};
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

async fn conversations(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Conversation>>, ApiError> {
    caller.may(Scope::Read)?;
    let organization_id = caller.narrow(query.take("organization_id"))?;
    let account_id = query.take("channel_account_id");
    let page = query.finish("organization_id, channel_account_id")?;
    Ok(Json(store::people::list_conversations(&app.db, organization_id.as_deref(), account_id.as_deref(), &page).await?))
}

async fn conversation(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Conversation>, ApiError> {
    caller.may(Scope::Read)?;
    let found = store::people::conversations_by_id(&app.db, &[&id]).await?.remove(&id);
    found.filter(|found| caller.sees(&found.organization_id)).map(Json).ok_or_else(|| ApiError::not_found("conversation", &id))
}

async fn contacts(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Contact>>, ApiError> {
    caller.may(Scope::Read)?;
    let organization_id = caller.narrow(query.take("organization_id"))?;
    let account_id = query.take("channel_account_id");
    let page = query.finish("organization_id, channel_account_id")?;
    Ok(Json(store::people::list_contacts(&app.db, organization_id.as_deref(), account_id.as_deref(), &page).await?))
}

async fn contact(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Json<Contact>, ApiError> {
    caller.may(Scope::Read)?;
    let found = store::people::contacts_by_id(&app.db, &[&id]).await?.remove(&id);
    found.filter(|found| caller.sees(&found.organization_id)).map(Json).ok_or_else(|| ApiError::not_found("contact", &id))
}

//! `/rest/v1/event_types`: what can be told, with the JSON Schema of each.

use std::sync::Arc;

use axum::{Json, Router, extract::Path, response::Response, routing::get};
use serde_json::{Value, json};

use super::{asked::Asked, auth::Caller, lists};
use crate::{
    app::App,
    domain::{
        key::Scope,
        payload::{self, Entry},
    },
    error::ApiError,
    store::tables::EVENT_TYPES,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/event_types", get(list)).route("/event_types/{type}", get(show))
}

async fn list(caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::held(&asked, &EVENT_TYPES, payload::entries().iter().map(render).collect())
}

async fn show(caller: Caller, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    caller.may(Scope::Read)?;
    let entry =
        payload::find(&name).ok_or_else(|| ApiError::not_found("type of event", &name).hint("GET /rest/v1/event_types lists them."))?;
    let mut shown = render(entry);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("schema".to_owned(), entry.schema.clone());
    }
    Ok(Json(shown))
}

fn render(entry: &Entry) -> Value {
    json!({
        "type": entry.event_type,
        "version": 1,
        "since": entry.since,
        "description": entry.description,
        "schema_url": format!("/rest/v1/event_types/{}", entry.event_type),
    })
}

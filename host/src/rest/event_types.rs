//! `/rest/v1/event_types`: what can be told, with the JSON Schema of each.

use std::sync::Arc;

use axum::{Json, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{asked::Asked, auth::Caller, lists};
use crate::{
    app::App,
    domain::{
        event::EventType,
        key::Scope,
        payload::{self, Entry},
    },
    error::ApiError,
    openapi::schemas::answers,
    store::tables::EVENT_TYPES,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

answers!(ShownEventType);

/// List the types of events
#[utoipa::path(
    get,
    path = "/event_types",
    tag = "events",
    operation_id = "list_event_types",
    responses((status = 200, description = "The types.")),
)]
async fn list(caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::held(&asked, &EVENT_TYPES, payload::entries().iter().map(|entry| json!(render(entry))).collect())
}

/// Show a type of event
///
/// With the JSON Schema of its events.
#[utoipa::path(
    get,
    path = "/event_types/{type}",
    tag = "events",
    operation_id = "show_event_type",
    params(("type" = String, Path, description = "Its name.", example = "message.received")),
    responses((status = 200, description = "The type.", body = ShownEventType)),
)]
async fn show(caller: Caller, Path(name): Path<String>) -> Result<Json<ShownEventType>, ApiError> {
    caller.may(Scope::Read)?;
    let entry =
        payload::find(&name).ok_or_else(|| ApiError::not_found("type of event", &name).hint("GET /rest/v1/event_types lists them."))?;
    Ok(Json(ShownEventType { schema: Some(entry.schema.clone()), ..render(entry) }))
}

/// A type of event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventTypeDescription")]
struct ShownEventType {
    #[serde(rename = "type")]
    event_type: EventType,
    /// The shape of its events.
    version: u32,
    /// The first version of the gateway that tells it.
    since: &'static str,
    description: &'static str,
    /// Where its schema is.
    schema_url: String,
    /// The JSON Schema of its events; a list leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
}

fn render(entry: &Entry) -> ShownEventType {
    ShownEventType {
        event_type: entry.event_type,
        version: 1,
        since: entry.since,
        description: entry.description,
        schema_url: format!("/rest/v1/event_types/{}", entry.event_type),
        schema: None,
    }
}

//! Which organisation's events go where.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use crate::linkedin::answer::{Outcome, Refusal, Reply};
use crate::linkedin::ask::{Ask, decoded};
use crate::linkedin::posts::text;
use crate::linkedin::pusher;
use crate::linkedin::server::{Server, missing};
use crate::linkedin::world::Grant;

const SCOPES: [&str; 3] = ["rw_organization_admin", "r_organization_social", "r_organization_social_feed"];
const EVENTS: &str = "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS";

pub(crate) async fn call(server: &Arc<Server>, ask: &Ask, caller: &Grant) -> Outcome {
    caller.need(&SCOPES, "eventSubscriptions")?;
    let entity = entity(server, ask)?;
    match ask.method {
        Method::PUT => {
            let body = ask.json()?;
            let url = text(&body, "webhook");
            pusher::validated(server, url).await.map_err(|words| Refusal::new(400, "WEBHOOK_VALIDATION_FAILED", &words))?;
            server.world.lock().subscriptions.insert(entity, url.to_owned());
            Ok(Reply::status(204))
        }
        Method::GET => {
            let world = server.world.lock();
            let url = world.subscriptions.get(&entity).ok_or_else(|| Refusal::of(404))?;
            Ok(Reply::json(json!({"webhook": url, "expiresAt": server.now_ms() + 86_400_000})))
        }
        Method::DELETE => server.world.lock().subscriptions.remove(&entity).map(|_| Reply::status(204)).ok_or_else(|| Refusal::of(404)),
        _ => Err(missing(ask)),
    }
}

/// `(developerApplication:urn%3A…,user:urn%3A…,entity:urn%3A…,eventType:…)`: the parts of the key stand for themselves, and what
/// is in them is encoded.
fn entity(server: &Server, ask: &Ask) -> Result<String, Refusal> {
    let syntax = || Refusal::new(400, "ILLEGAL_ARGUMENT", "Syntax exception in path variables");
    let raw = ask.segments.get(2).cloned().unwrap_or_default();
    // Some clients encode the whole key once more.
    let raw = if raw.starts_with("%28") { decoded(&raw) } else { raw };
    let inner = raw.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(syntax)?;
    let mut parts = Vec::new();
    for part in inner.split(',') {
        let (name, value) = part.split_once(':').filter(|(_, value)| !value.contains(':')).ok_or_else(syntax)?;
        parts.push((name, decoded(value)));
    }
    let part = |name: &str| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).ok_or_else(syntax);
    let world = server.world.lock();
    let application = part("developerApplication")?.strip_prefix("urn:li:developerApplication:").unwrap_or_default();
    if application != world.app.id && application != world.app.client_id {
        return Err(Refusal::denied("eventSubscriptions of another application"));
    }
    if part("user")? != world.me_urn() {
        return Err(Refusal::denied("eventSubscriptions of another member"));
    }
    if part("eventType")? != EVENTS {
        return Err(Refusal::invalid("eventType isn't known"));
    }
    let entity = part("entity")?;
    if !entity.starts_with("urn:li:organization:") || !world.may_write_as(entity) {
        return Err(Refusal::denied(&format!("eventSubscriptions of {entity}")));
    }
    Ok(entity.to_owned())
}

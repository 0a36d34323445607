//! Events told again to an endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change::deed;
use crate::{
    app::App,
    audit,
    clock::At,
    domain::{
        actor::Actor,
        endpoint::{Endpoint, Target},
    },
    error::ApiError,
    store,
    wake::Topic,
};

/// Which events to tell again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(rename = "ReplayEvents")]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub since: At,
    /// Only deliveries that failed since then, in place of all events since then.
    #[serde(default)]
    pub failed: bool,
}

/// What is told again.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EventsReplayed")]
pub struct Replayed {
    /// How many events there are to tell again, before the endpoint's own filters; or how many failed deliveries.
    pub events: i64,
}

/// Tells the endpoint again what happened since a time: its cursor is set back, so that what is new comes behind.
///
/// # Errors
/// 409 while the endpoint is inactive.
pub async fn replay(app: &App, endpoint: &Endpoint, replay: &Replay, actor: &Actor) -> Result<Replayed, ApiError> {
    if !endpoint.is_active {
        return Err(ApiError::conflict("inactive", "The endpoint is inactive: nothing is delivered to it.")
            .hint("Activate it first: PATCH {\"is_active\": true}."));
    }
    let now = app.clock.now();
    if replay.since > now {
        return Err(ApiError::invalid_field("/since", "lies in the future"));
    }
    let mut tx = app.db.begin().await?;
    let events = if replay.failed {
        if matches!(endpoint.target, Target::Nats) {
            return Err(ApiError::invalid_field("/failed", "an endpoint of the kind nats never gives up, so that none has failed"));
        }
        store::endpoints::lock(&mut tx, &endpoint.id).await?;
        let again = store::endpoints::deliveries::retry_failed(&mut tx, &endpoint.id, replay.since, now).await?;
        i64::try_from(again).unwrap_or(i64::MAX)
    } else {
        let first = store::events::first_seq_since(&mut tx, replay.since).await?;
        store::endpoints::rewind(&mut tx, &endpoint.id, first - 1).await?;
        store::events::count_from(&mut tx, endpoint.organization_id.as_deref(), first).await?
    };
    let detail = json!({"since": replay.since, "failed": replay.failed});
    audit::record(app, &mut tx, actor, deed("endpoint.replay", endpoint, detail)).await?;
    tx.commit().await?;
    app.wake.tell(Topic::Events);
    Ok(Replayed { events })
}

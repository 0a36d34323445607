//! What phones tell Appgain of a push: `POST /{app}/recordstatus`. It comes to the gateway as an event.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::appgain::answer::{Outcome, Refusal, Reply};
use crate::appgain::pusher::{push_later, push_status};
use crate::appgain::server::{Ask, Server, required};

pub(crate) fn record_status(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let fields = ask.fields(&["channel", "action", "userId", "campaign_id", "campaign_name"])?;
    if required(fields, "channel")? != "apppush" {
        return Err(Refusal::new(400, "channel: apppush"));
    }
    let user = required(fields, "userId")?;
    let action = fields.get("action").and_then(|action| action["name"].as_str()).unwrap_or_default();
    if !["received", "open", "conversion", "dismiss"].contains(&action) {
        return Err(Refusal::new(400, "action.name: received, open, conversion or dismiss"));
    }
    let value = fields.get("action").and_then(|action| action["value"].as_str()).unwrap_or("NA");
    let campaign = fields.get("campaign_name").and_then(Value::as_str);
    let sent = {
        let world = server.world.lock();
        let to_user = |sent: &&crate::appgain::Sent| {
            sent.channel == "appPush" && sent.suit_id == ask.suit_id && sent.to.iter().any(|one| one == user)
        };
        world
            .sent
            .iter()
            .rev()
            .filter(to_user)
            .find(|sent| campaign.is_none() || sent.campaign_name.as_deref() == campaign)
            .and_then(|sent| sent.client_ref.clone())
    };
    let mut payload = push_status(sent.as_deref(), user, action, value, campaign);
    if let Some(id) = fields.get("campaign_id") {
        payload["campaign_id"] = id.clone();
    }
    push_later(server, &ask.suit_id, "push.status", vec![payload]);
    Ok(Reply::Json(200, json!({"status": "success", "message": "recorded"})))
}

//! Messages → Notify's `appPush`.

pub(crate) mod audience;
pub(crate) mod push;

use patchbay_plugin::messages::{Command, Content, Outbound, Sent};
use patchbay_plugin::{Call, Failure, Field, Fields as _};
use serde_json::json;

use crate::settings::Settings;
use audience::Audience;

/// What Appgain files our pushes under, unless a message's extras say otherwise.
const CAMPAIGN: &str = "cg";

pub(crate) fn send(call: &Call, message: &Outbound) -> Sent {
    match &message.command {
        Command::Message(contents) => deliver(call, message, contents).into(),
        _ => Sent::failed(Failure::unsupported("command", "ShrinkIt sends pushes, and can do nothing else to them")),
    }
}

fn deliver(call: &Call, message: &Outbound, contents: &[Content]) -> Result<Sent, Failure> {
    let settings: Settings = call.settings()?;
    let (audience, mut push) = push::of(&settings, message, contents)?;
    let client_ref = audience.client_ref(&message.id);
    let campaign = message.extras.value("campaign_name").filter(|name| !name.is_empty()).unwrap_or(CAMPAIGN);
    let (field, value) = audience.field();
    push.insert(field.into(), value);
    push.insert("client_ref".into(), client_ref.as_str().into());
    push.insert("campaignName".into(), campaign.into());
    let body = json!({"appPush": push, "campaign_name": campaign});
    let delivered = settings.notify().send(&body, &client_ref).map_err(|trouble| trouble.of_send(call.attempt))?;
    let mut accepted = delivered.accepted(0);
    if let Audience::Segment(_) = audience {
        accepted.extras.push(Field::new("conversation_kind", "broadcast"));
    }
    Ok(Sent { accepted: vec![accepted], failed: None, events: Vec::new() })
}

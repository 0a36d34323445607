//! Appgain's Notify: one endpoint, and the channel is the body's key.

use patchbay_appgain::{Notify, Refusal};
use patchbay_plugin::http::Request;
use patchbay_plugin::messages::{Accepted, Outbound};
use patchbay_plugin::{Call, Failure, Fields as _};
use serde_json::json;

use crate::plan::Plan;
use crate::settings::Settings;

/// Names exactly one receiver: without any, Notify sends to everybody in the project.
pub(crate) fn send(call: &Call, settings: &Settings, message: &Outbound, plan: &Plan) -> Result<Accepted, Failure> {
    let number = plan.to.digits();
    let user = message.extras.value("user_id").filter(|user| !user.is_empty()).unwrap_or(number);
    let mut body = json!({"SMS": {
        "message": plan.text,
        "receivers": [{"userID": user, "mobileNum": number}],
        "client_ref": message.id,
    }});
    let campaign = message.extras.value("campaign_name").or(settings.campaign_name.as_deref()).filter(|name| !name.is_empty());
    if let (Some(campaign), Some(fields)) = (campaign, body.as_object_mut()) {
        fields.insert("campaign_name".to_owned(), json!(campaign));
    }
    let notify = Notify { target: "notify", suit_id: &settings.suit_id };
    let delivered = notify.send(&body, &message.id).map_err(|trouble| trouble.of_send(call.attempt))?;
    Ok(delivered.accepted(0))
}

/// Asks a server of Appgain's that has nothing to tell whether it takes the key: any answer but a refusal of the key is one.
///
/// # Errors
/// The key is refused, or nobody answers.
pub(crate) fn probe(settings: &Settings) -> Result<(), Failure> {
    let response = Request::get("probe", format!("/user_log_event/{}/__probe", settings.suit_id)).send()?;
    if response.is_success() {
        return Ok(());
    }
    match Refusal::of(&response).failure() {
        failure @ (Failure::Unauthorized(_) | Failure::Limited(_)) => Err(failure),
        _ => Ok(()),
    }
}

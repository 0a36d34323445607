//! Who wants SMS and who doesn't.

use crate::appgain::answer::{Outcome, Refusal, Reply};
use crate::appgain::server::{Ask, Server, number, required};
use serde_json::json;

pub(crate) fn subscribe(server: &Server, ask: &Ask) -> Outcome {
    change(server, ask, true)
}

pub(crate) fn unsubscribe(server: &Server, ask: &Ask) -> Outcome {
    change(server, ask, false)
}

fn change(server: &Server, ask: &Ask, wanted: bool) -> Outcome {
    let fields = ask.fields(&["mobile_number", "target_list_name"])?;
    required(fields, "mobile_number")?;
    let invalid = || Refusal::new(400, "mobile_number must be 8 to 15 digits with the country's code");
    let number = fields.get("mobile_number").and_then(number).ok_or_else(invalid)?;
    let list = fields.get("target_list_name").and_then(|list| list.as_str());
    let mut world = server.world.lock();
    if let Some(project) = world.projects.get_mut(&ask.suit_id) {
        if let Some(list) = list {
            let members = project.lists.entry(list.to_owned()).or_default();
            if wanted {
                members.insert(number.clone())
            } else {
                members.remove(&number)
            };
        }
        if wanted {
            project.unsubscribed.remove(&number)
        } else {
            project.unsubscribed.insert(number)
        };
    }
    let message = if wanted { "subscribed" } else { "unsubscribed" };
    Ok(Reply::Json(200, json!({"status": "success", "message": message})))
}

//! Bringing an account into service: whose token is it, and where do webhooks go?

use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::http::Request;
use patchbay_plugin::{Call, Failure, Field};
use serde_json::{Value, json};

use crate::provider;

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    if matches!(input.step, Step::Disconnect) {
        provider::ask::<Value>(Request::new("DELETE", "webhook", "/webhook").repeatable())?;
        return Ok(Outcome::connected(Connected {
            external_id: call.account.external_id.clone().unwrap_or_default(),
            display_name: String::new(),
            settings: None,
            facts: Vec::new(),
            routes: Vec::new(),
        }));
    }
    let workspace = provider::me()?;
    // Setting it twice is the same as setting it once. The gateway adds the secret on the way.
    let webhook = json!({"url": input.webhook_url});
    provider::ask::<Value>(Request::new("PUT", "webhook", "/webhook").repeatable().json(&webhook)?)?;
    Ok(Outcome::connected(Connected {
        external_id: workspace.id,
        display_name: workspace.name,
        settings: None,
        facts: vec![Field::new("plan", workspace.plan)],
        routes: Vec::new(),
    }))
}

//! Bringing an app into service: its key is tried.

use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field};

use crate::probe;
use crate::settings::Settings;

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    // Nothing is kept at Appgain for the gateway: the webhook's address is set there by hand.
    if matches!(input.step, Step::Disconnect) {
        return Ok(outcome(String::new(), String::new(), Vec::new()));
    }
    let settings: Settings = call.settings()?;
    let status = probe::status(&settings).map_err(patchbay_appgain::refusal::naming_key)?;
    let name = format!("ShrinkIt {}", settings.suit_id);
    Ok(outcome(settings.suit_id, name, vec![Field::new("probe_status", status.to_string())]))
}

fn outcome(external_id: String, display_name: String, facts: Vec<Field>) -> Outcome {
    Outcome::connected(Connected { external_id, display_name, settings: None, facts, routes: Vec::new() })
}

//! One message: planned, handed to the provider, and told what it cost.

use patchbay_plugin::messages::{Accepted, Outbound, Sent};
use patchbay_plugin::{Call, Failure, Field};

use crate::plan::Plan;
use crate::settings::{Provider, Settings};
use crate::{notify, preview, victorylink};

pub(crate) fn send(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let settings: Settings = call.settings()?;
    let plan = Plan::of(&settings, message)?;
    let mut accepted = match settings.provider {
        Provider::AppgainNotify => notify::send(call, &settings, message, &plan)?,
        Provider::VictoryLink => victorylink::send(call, &settings, message, &plan)?,
    };
    told(&plan, &mut accepted);
    Ok(Sent { accepted: vec![accepted], failed: None, events: Vec::new() })
}

/// However the number was written, its conversation is one.
fn told(plan: &Plan, accepted: &mut Accepted) {
    accepted.extras.push(Field::new("conversation", plan.to.e164()));
    accepted.extras.extend(preview::fields(&plan.segments));
}

//! What can be told of a message before it is queued: whom it reaches, how many messages it makes, what a template becomes.

use patchbay_appgain::phone;
use patchbay_plugin::Failure;
use patchbay_plugin::hooks::Account;
use patchbay_plugin::messages::{Command, Outbound};
use serde_json::{Map, Value};

use crate::send::plan;
use crate::settings::Settings;

pub(crate) fn facts(account: &Account, message: &Outbound) -> Result<String, Failure> {
    let settings: Settings = account.settings()?;
    let mut facts = Map::new();
    if let Command::Message(contents) = &message.command {
        let plan = plan::of(&settings, message, contents)?;
        facts.insert("recipient".into(), format!("+{}", plan.number).into());
        facts.insert("messages".into(), plan.steps.len().into());
        let rendered: Vec<Value> = plan.steps.iter().filter(|step| step.is_rendered).map(|step| step.text.as_str().into()).collect();
        match rendered.as_slice() {
            [] => {}
            [text] => drop(facts.insert("text".into(), text.clone())),
            _ => drop(facts.insert("texts".into(), rendered.into())),
        }
    } else if phone::international(&message.to).is_none() {
        return Err(Failure::invalid("/to", plan::NO_NUMBER));
    }
    Ok(Value::Object(facts).to_string())
}

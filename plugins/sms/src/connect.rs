//! Bringing an account into service: the credentials are tried without sending anything.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field, crypto};

use crate::settings::{Provider, Settings};
use crate::{notify, victorylink};

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings: Settings = call.settings()?;
    // The providers were told nothing that they could forget: reports go to the address that each message names.
    if matches!(input.step, Step::Disconnect) {
        return Ok(Outcome::connected(Connected {
            external_id: String::new(),
            display_name: String::new(),
            settings: None,
            facts: Vec::new(),
            routes: Vec::new(),
        }));
    }
    secrets(&settings)?;
    let (external_id, provider, credit) = match settings.provider {
        Provider::AppgainNotify => {
            notify::probe(&settings)?;
            (settings.suit_id.clone(), "Appgain Notify", None)
        }
        // The same user may have several senders, each an account of its own.
        Provider::VictoryLink => {
            let credit = victorylink::credit(&settings)?;
            (format!("{}/{}", settings.username, settings.sender_id), "VictoryLink", Some(credit))
        }
    };
    let mut facts = vec![Field::new("provider", provider)];
    if !settings.sender_id.is_empty() {
        facts.push(Field::new("sender_id", &settings.sender_id));
    }
    facts.extend(credit.map(|credit| Field::new("credit", credit.to_string())));
    let display_name = match settings.sender_id.as_str() {
        "" => format!("SMS by {provider}"),
        sender => format!("{sender} ({provider})"),
    };
    Ok(Outcome::connected(Connected { external_id, display_name, settings: None, facts, routes: Vec::new() }))
}

/// Which secrets there are is known only now.
fn secrets(settings: &Settings) -> Result<(), Failure> {
    let needed = match settings.provider {
        Provider::AppgainNotify => ("api_key", "is needed for Appgain: the project's API key, from its settings at Appgain"),
        Provider::VictoryLink => ("password", "is needed for VictoryLink: the password of the sending account"),
    };
    let mut problems = Vec::new();
    if !crypto::has(needed.0) {
        problems.push(FieldProblem { pointer: format!("/{}", needed.0), message: needed.1.to_owned() });
    }
    if settings.provider == Provider::VictoryLink && crypto::has("webhook_secret") {
        let why = "is for Appgain: VictoryLink signs nothing, so each of its delivery reports would be turned away. Take it out";
        problems.push(FieldProblem { pointer: "/webhook_secret".to_owned(), message: why.to_owned() });
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Invalid(problems)) }
}

//! Bringing a number into service: the token is looked at, the business account and the number are found, the number is registered
//! where it isn't, the app subscribed to the business account's webhooks, and all of it read back.

mod choice;
mod registration;
pub(crate) mod token;

use patchbay_meta::subscription::{self, Found};
use patchbay_meta::token::Token;
use patchbay_meta::{Json as _, Trouble};
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Progress, Step};
use patchbay_plugin::{Call, Failure, Field, Fields as _, log};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::facts::{self, NUMBER_FIELDS, WABA_FIELDS};
use crate::receive::{phone_route, waba_route};
use crate::settings::{Auth, Settings};
use choice::{Chosen, Found as Choice};

/// What has been chosen so far.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct State {
    waba_id: Option<String>,
    phone_number_id: Option<String>,
}

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings = Settings::of(call)?;
    if matches!(input.step, Step::Disconnect) {
        return Ok(Outcome::connected(disconnected()));
    }
    let state = state(&settings, input);
    let token = token::checked(call, &settings)?;
    let chosen = match settings.auth {
        Auth::Manual => named(&settings)?,
        Auth::Oauth => match choice::of(&settings, token.as_ref(), &state)? {
            Choice::One(chosen) => chosen,
            Choice::Ask(questions, state) => {
                let state = serde_json::to_vec(&state).map_err(|error| Failure::fault("encoding", error.to_string()))?;
                return Ok(Outcome { progress: Progress::Ask(questions), state: Some(state) });
            }
        },
    };
    let number = registration::registered(&settings, &chosen)?;
    subscribe(call, &settings, token.as_ref(), &chosen.waba_id)?;
    let waba = settings.graph().get(&chosen.waba_id).query("fields", WABA_FIELDS).send().unwrap_or_default();
    connected(call, &chosen, &number, &waba, token.as_ref()).map(Outcome::connected)
}

/// What was answered, what was chosen before, and what is set.
fn state(settings: &Settings, input: &Connecting) -> State {
    let known = input.state.as_deref().and_then(|state| serde_json::from_slice::<State>(state).ok()).unwrap_or_default();
    let answers = match &input.step {
        Step::Answers(answers) => answers.as_slice(),
        _ => &[],
    };
    let answered = |name: &str| answers.value(name).map(|answer| answer.trim().to_owned()).filter(|answer| !answer.is_empty());
    State {
        waba_id: answered("waba_id").or(known.waba_id).or_else(|| settings.waba_id.clone()),
        phone_number_id: answered("phone_number_id").or(known.phone_number_id).or_else(|| settings.phone_number_id.clone()),
    }
}

/// The number that was typed in. Each thing that may be wrong has its own words.
fn named(settings: &Settings) -> Result<Chosen, Failure> {
    let missing = |pointer: &str| Failure::invalid(pointer, "is needed with a token that is typed in");
    let phone_number_id = settings.phone_number_id.clone().ok_or_else(|| missing("/phone_number_id"))?;
    let waba_id = settings.waba_id.clone().ok_or_else(|| missing("/waba_id"))?;
    let graph = settings.graph();
    let asked = graph.get(&phone_number_id).query("fields", "id,display_phone_number,verified_name").send();
    asked.map_err(|trouble| {
        unknown(trouble, "/phone_number_id", "Meta knows no such number, or the token's system user hasn't got its business account: assign it in Business settings > System users")
    })?;
    let numbers = graph.list(&format!("{waba_id}/phone_numbers"), &[("fields", choice::FIELDS), ("limit", "100")]).map_err(|trouble| {
        unknown(
            trouble,
            "/waba_id",
            "Meta knows no such business account, or the token's system user hasn't got it: assign it in Business settings > System users",
        )
    })?;
    if !numbers.iter().any(|number| number.id("id").as_deref() == Some(phone_number_id.as_str())) {
        return Err(Failure::invalid(
            "/waba_id",
            "the number isn't one of this business account's: are the two ids swapped, or of two accounts?",
        ));
    }
    Ok(Chosen { waba_id, phone_number_id })
}

/// An id that is wrong, or is somebody else's, is refused with the same code.
fn unknown(trouble: Trouble, pointer: &str, words: &str) -> Failure {
    match trouble.refusal() {
        Some(refusal) if refusal.code == 100 && matches!(refusal.subcode, 0 | 33) => Failure::invalid(pointer, words),
        _ => trouble.into(),
    }
}

/// Without it no webhook ever arrives, although the dashboard's test does.
fn subscribe(call: &Call, settings: &Settings, token: Option<&Token>, waba_id: &str) -> Result<(), Failure> {
    let graph = settings.graph();
    let found = match app_id(call, token) {
        Some(app_id) => subscription::mend(&graph, waba_id, Some(app_id), &[])?,
        // Whose app it is nobody knows, so the one that is listed may be another's: ours is subscribed in any case.
        None => {
            subscription::subscribe(&graph, waba_id, &[])?;
            let lacking = subscription::lacking(&subscription::read(&graph, waba_id)?, None, &[]);
            lacking.map_or(Found::Whole, Found::Lacking)
        }
    };
    match found {
        Found::Whole => Ok(()),
        Found::Mended(_) => {
            log::info("the app was subscribed to the business account's webhooks", &[("waba", waba_id)]);
            Ok(())
        }
        Found::Lacking(_) => Err(Failure::unavailable(
            "not_subscribed",
            "the app was subscribed to the business account's webhooks, and Meta doesn't list it: is the token of another app than the account's?",
        )),
    }
}

/// The account's app; else the token's.
pub(crate) fn app_id<'a>(call: &'a Call, token: Option<&'a Token>) -> Option<&'a str> {
    call.extras.value("app.client_id").or_else(|| token.and_then(|token| token.app_id.as_deref()))
}

fn connected(call: &Call, chosen: &Chosen, number: &Value, waba: &Value, token: Option<&Token>) -> Result<Connected, Failure> {
    let mut facts = facts::of_number(number);
    facts.extend(facts::of_waba(waba));
    if waba.is_null() {
        facts.push(Field::new("waba_id", &chosen.waba_id));
    }
    let mut routes = vec![waba_route(&chosen.waba_id)];
    let display = number.text("display_phone_number");
    routes.extend(display.map(phone_route));
    match token {
        Some(token) => {
            facts.extend(facts::of_token(token));
            routes.extend(token.user_id.as_ref().map(|user| format!("user:{user}")));
        }
        None => facts.push(Field::new("token_unchecked", "the account has no app with a secret, so nobody knows how long the token lives")),
    }
    let display_name = match (number.text("verified_name").filter(|name| !name.is_empty()), display) {
        (Some(name), Some(display)) => format!("{name} ({display})"),
        (name, display) => name.or(display).unwrap_or(&chosen.phone_number_id).to_owned(),
    };
    let mut settings: Map<String, Value> = call.settings()?;
    settings.insert("waba_id".into(), chosen.waba_id.as_str().into());
    settings.insert("phone_number_id".into(), chosen.phone_number_id.as_str().into());
    Ok(Connected {
        external_id: chosen.phone_number_id.clone(),
        display_name,
        settings: Some(Value::Object(settings).to_string()),
        facts,
        routes,
    })
}

/// The subscription is the app's for the whole business account, and other accounts of the gateway may live on it: it stays.
fn disconnected() -> Connected {
    Connected { external_id: String::new(), display_name: String::new(), settings: None, facts: Vec::new(), routes: Vec::new() }
}

/// The number as it stands.
fn read_number(settings: &Settings, id: &str) -> Result<Value, Trouble> {
    settings.graph().get(id).query("fields", NUMBER_FIELDS).send()
}

#[cfg(test)]
mod tests;

//! Bringing a Business Account into service, by its owner's authorisation.

use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::http::Request;
use patchbay_plugin::{Call, Failure, Field, crypto, log};
use serde_json::{Value, json};

use crate::api;
use crate::json::Json as _;
use crate::settings::{Settings, app_id};
use crate::{token, webhook};

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    match &input.step {
        Step::Disconnect => disconnect(call),
        Step::Start | Step::Tick | Step::Refresh | Step::Answers(_) => {
            if !crypto::has("access_token") {
                return Err(Failure::unauthorized("not_authorized", "authorise the account at TikTok"));
            }
            start(call, &input.webhook_url)
        }
    }
}

fn start(call: &Call, webhook_url: &str) -> Result<Outcome, Failure> {
    let settings = Settings::of(call)?;
    let token = token::read(call)?;
    let missing = token.missing();
    if !missing.is_empty() {
        let words = format!("not granted: {}. Connect again and leave every box ticked", missing.join(", "));
        return Err(Failure::forbidden("permissions_missing", words));
    }
    let told = token.business_id.clone().or_else(|| settings.business_id.clone());
    let id = told.ok_or_else(|| Failure::unavailable("not_understood", "TikTok told no creator_id of the token"))?;
    if let Some(wanted) = settings.business_id.as_deref().filter(|wanted| *wanted != id) {
        return Err(Failure::invalid("/business_id", format!("the account {id} was authorised, and not {wanted}")));
    }
    let profile = profile(&id)?;
    webhook::register(call, webhook_url)?;
    let mut facts = vec![Field::new("business_id", id.as_str())];
    facts.extend(token.facts());
    facts.extend(profile_facts(&profile));
    let name = profile.text("display_name").or_else(|| profile.text("username")).unwrap_or(&id).to_owned();
    Ok(Outcome::connected(Connected { external_id: id, display_name: name, settings: None, facts, routes: Vec::new() }))
}

/// Name and picture of the account, for its owner and for health.
pub(crate) fn profile(business_id: &str) -> Result<Value, Failure> {
    let fields = r#"["username","display_name","profile_image"]"#;
    Ok(api::ask(Request::get("api", "/business/get/").query("business_id", business_id).query("fields", fields))?)
}

pub(crate) fn profile_facts(profile: &Value) -> Vec<Field> {
    ["username", "display_name", "profile_image"]
        .into_iter()
        .filter_map(|name| profile.text(name).map(|value| Field::new(name, value)))
        .collect()
}

/// A token that is dead already needs no revoking. The webhook stays: it is the app's, and other accounts have it too.
fn disconnect(call: &Call) -> Result<Outcome, Failure> {
    if crypto::has("access_token") {
        let ask = Request::post("revoke", "/tt_user/oauth2/revoke/").json(&json!({"client_id": app_id(call)?}))?.repeatable();
        match api::ask(ask).map_err(Failure::from) {
            Ok(_) => {}
            Err(Failure::Unauthorized(detail) | Failure::Forbidden(detail) | Failure::Rejected(detail)) => {
                log::info("the token could not be revoked, because it is dead", &[("code", &detail.code)]);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Outcome::connected(Connected {
        external_id: String::new(),
        display_name: String::new(),
        settings: None,
        facts: Vec::new(),
        routes: Vec::new(),
    }))
}

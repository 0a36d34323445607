//! Bringing an account into service. Nobody has to be asked: the account is its key.

use base64::Engine as _;
use patchbay_plugin::crypto::{HashAlgorithm, digest};
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field};

use crate::address::Address;
use crate::encryption::BASE64URL;
use crate::settings::Settings;
use crate::{place, vapid};

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    // Subscriptions live in browsers and end there: nobody is told.
    if matches!(input.step, Step::Disconnect) {
        return Ok(outcome(String::new(), String::new(), Vec::new()));
    }
    let settings: Settings = call.settings()?;
    let public = vapid::public()?;
    let facts = facts(&public, &place::base_beside(&input.webhook_url, &call.account.id)?);
    let hash = hex::encode(digest(HashAlgorithm::Sha256, &public));
    Ok(outcome(hash.chars().take(16).collect(), name(&settings), facts))
}

/// What a developer of the site needs.
pub(crate) fn facts(public: &[u8], base: &str) -> Vec<Field> {
    vec![
        Field::new("vapid_public_key", BASE64URL.encode(public)),
        Field::new("client_url", format!("{base}/client.js")),
        Field::new("worker_url", format!("{base}/worker.js")),
    ]
}

fn name(settings: &Settings) -> String {
    let site = settings.site_origins.first().and_then(|origin| Address::parse(origin)).map(|origin| origin.authority());
    settings.default_title.clone().or(site).unwrap_or_else(|| "Web Push".to_owned())
}

fn outcome(external_id: String, display_name: String, facts: Vec<Field>) -> Outcome {
    Outcome::connected(Connected { external_id, display_name, settings: None, facts, routes: Vec::new() })
}

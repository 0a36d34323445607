//! Bringing a shop into service: the credentials are tried, the shop is compared, and Shopify is told where to call.

use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field, crypto, log};

use crate::access::Access;
use crate::admin::{self, Standing};
use crate::settings::Settings;
use crate::webhooks;

/// Any of them may have signed a webhook.
const SIGNING: [&str; 3] = ["webhook_secret", "client_secret", "previous_secret"];

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    if matches!(input.step, Step::Disconnect) {
        return disconnect(call, &input.webhook_url);
    }
    let access = Access::anew(call)?;
    if !SIGNING.iter().any(|secret| crypto::has(secret)) {
        return Err(Failure::invalid("/webhook_secret", "is needed to believe webhooks: the app's API secret key, or its client secret"));
    }
    let standing = admin::standing(&access)?;
    let told = standing.shop.myshopify_domain.to_ascii_lowercase();
    if told != access.settings.shop_domain {
        return Err(Failure::invalid("/shop_domain", format!("the token is of {told}: correct this, or give that shop's own token")));
    }
    webhooks::subscribe(&access, &input.webhook_url)?;
    Ok(Outcome::connected(Connected {
        external_id: told,
        display_name: standing.shop.name.clone(),
        settings: None,
        facts: facts(&access, &standing),
        routes: Vec::new(),
    }))
}

pub(crate) fn facts(access: &Access<'_>, standing: &Standing) -> Vec<Field> {
    let mut facts = vec![
        Field::new("shop_id", &standing.shop.id),
        Field::new("shop_name", &standing.shop.name),
        Field::new("scopes", standing.scopes.join(",")),
    ];
    facts.extend(version(&access.settings, standing.version.as_deref()));
    facts.extend(access.expires_ms().map(|expires| Field::new("token_expires_ms", expires.to_string())));
    facts
}

/// Shopify answers a version that is gone with the oldest that isn't.
fn version(settings: &Settings, told: Option<&str>) -> Vec<Field> {
    let asked = settings.api_version.as_str();
    let used = told.unwrap_or(asked);
    let note =
        if used == asked { String::new() } else { format!("{asked} was asked for, and Shopify answers with {used}: set api_version") };
    vec![Field::new("api_version", used), Field::new("api_version_note", note)]
}

/// A token that is dead already gets no webhooks.
fn disconnect(call: &Call, url: &str) -> Result<Outcome, Failure> {
    match Access::open(call).and_then(|access| webhooks::remove(&access, url)) {
        Ok(()) => {}
        Err(Failure::Invalid(_)) => log::info("the subscriptions were left, because the account has no credentials", &[]),
        Err(Failure::Unauthorized(detail) | Failure::Forbidden(detail) | Failure::Rejected(detail)) => {
            log::info("the subscriptions were left, because the token can't end them", &[("code", &detail.code)]);
        }
        Err(failure) => return Err(failure),
    }
    Access::forget();
    Ok(Outcome::connected(Connected {
        external_id: String::new(),
        display_name: String::new(),
        settings: None,
        facts: Vec::new(),
        routes: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_fell_forward_is_told() {
        let settings = Settings::default();
        let plain = vec![Field::new("api_version", "2026-07"), Field::new("api_version_note", "")];
        assert_eq!(version(&settings, Some("2026-07")), plain);
        assert_eq!(version(&settings, None), plain);
        let fallen = version(&Settings { api_version: "2024-01".into(), ..settings }, Some("2025-10"));
        assert_eq!(fallen[0], Field::new("api_version", "2025-10"));
        assert!(fallen[1].value.contains("2024-01"));
    }
}

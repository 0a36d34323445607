//! Whether the token will do: alive, of our app, with both permissions, and for longer than a week.

use patchbay_meta::token::{self, Token};
use patchbay_plugin::{Call, Failure, Fields as _, crypto};

use crate::settings::{Auth, Settings};

/// What is needed: the one reads business accounts, numbers and templates, the other sends.
pub(crate) const NEEDED: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];
/// Milliseconds: a token that ends sooner is one of the dashboard's, which live for a day, or a login's of an hour.
const SHORT_MS: f64 = 7.0 * 86_400_000.0;

/// None where the account has no app to ask with.
pub(super) fn checked(call: &Call, settings: &Settings) -> Result<Option<Token>, Failure> {
    if !crypto::has("access_token") {
        return Err(match settings.auth {
            Auth::Manual => Failure::invalid("/access_token", "is needed: the token of a system user"),
            Auth::Oauth => Failure::unauthorized("not_authorised", "nobody has logged in at Facebook for this account yet"),
        });
    }
    let Some(token) = look(settings)? else { return Ok(None) };
    check(call, settings, &token)?;
    if settings.auth == Auth::Oauth && token.kind == "USER" && is_short(call, &token) {
        return lengthen(call, settings);
    }
    Ok(Some(token))
}

/// What `debug_token` tells; none where the account has no app to ask with.
pub(crate) fn look(settings: &Settings) -> Result<Option<Token>, Failure> {
    if !crypto::has("app_token") {
        return Ok(None);
    }
    Ok(Some(token::debug(&settings.graph_at("debug"))?))
}

fn check(call: &Call, settings: &Settings, token: &Token) -> Result<(), Failure> {
    if !token.valid {
        return Err(dead(token));
    }
    if let (Some(ours), Some(theirs)) = (call.extras.value("app.client_id"), &token.app_id)
        && ours != theirs
    {
        let words = format!("the token is of the app {theirs}, and the account's app is {ours}: its webhooks would go elsewhere");
        return Err(match settings.auth {
            Auth::Manual => Failure::invalid("/access_token", words),
            Auth::Oauth => Failure::unauthorized("other_app", words),
        });
    }
    let missing = token::missing(&token.scopes, &NEEDED);
    if !missing.is_empty() {
        let way = match settings.auth {
            Auth::Manual => "make a token with them at Business settings > System users",
            Auth::Oauth => "log in again and leave every box ticked",
        };
        return Err(Failure::forbidden("missing_permission", format!("the token lacks {}: {way}", missing.join(" and "))));
    }
    Ok(())
}

/// Why the token doesn't work.
pub(crate) fn dead(token: &Token) -> Failure {
    match &token.refusal {
        Some(refusal) if refusal.code != 0 => match refusal.failure() {
            unauthorized @ Failure::Unauthorized(_) => unauthorized,
            other => {
                let words = other.detail().map_or("the token isn't valid", |detail| detail.message.as_str());
                Failure::unauthorized(refusal.code_words(), words)
            }
        },
        _ => Failure::unauthorized("190", "the token isn't valid: connect again"),
    }
}

/// Whether it ends within a week.
pub(crate) fn is_short(call: &Call, token: &Token) -> bool {
    let now: Option<f64> = call.extras.value("now_ms").and_then(|now| now.parse().ok());
    matches!((token.expires_ms, now), (Some(expires), Some(now)) if expires - now < SHORT_MS)
}

/// A login's token lives an hour or two; in exchange for it there is one of 60 days.
fn lengthen(call: &Call, settings: &Settings) -> Result<Option<Token>, Failure> {
    let graph = settings.graph_at("exchange");
    let ask = graph.get("oauth/access_token").query("grant_type", "fb_exchange_token");
    ask.query("client_id", call.extras.value("app.client_id").unwrap_or_default()).capture("/access_token", "access_token").send()?;
    let token = look(settings)?;
    match &token {
        Some(token) => check(call, settings, token).map(|()| Some(token.clone())),
        None => Ok(None),
    }
}

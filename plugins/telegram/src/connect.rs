//! Bringing a bot into service: the token is tried, then updates are sent to the gateway's URL, or not to any.

use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field, log};
use serde_json::Value;

use crate::api::{self, Trouble, parameters};
use crate::json::Json as _;
use crate::settings::{Mode, Settings};

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings: Settings = call.settings()?;
    if matches!(input.step, Step::Disconnect) {
        return disconnect(&settings);
    }
    let bot = api::repeat("getMe", &parameters! {})?;
    match settings.mode {
        Mode::Webhook => set_webhook(&settings, &input.webhook_url)?,
        Mode::Polling => delete_webhook(settings.drop_pending_updates)?,
    }
    connected(&bot).map(Outcome::connected)
}

fn connected(bot: &Value) -> Result<Connected, Failure> {
    let id = bot.id("id").ok_or_else(|| Failure::unavailable("not_understood", "getMe told no id"))?;
    let name = bot.text("username").map(|name| format!("@{name}"));
    let mut facts = Vec::new();
    facts.extend(bot.text("username").map(|name| Field::new("username", name)));
    facts.extend(bot.text("first_name").map(|name| Field::new("name", name)));
    for fact in ["can_join_groups", "can_read_all_group_messages"] {
        facts.extend(bot.get(fact).and_then(Value::as_bool).map(|told| Field::new(fact, told.to_string())));
    }
    if bot.flag("can_join_groups") && !bot.flag("can_read_all_group_messages") {
        facts.push(Field::new(
            "privacy_mode",
            "on: in groups the bot sees commands, replies to it and mentions only; @BotFather's /setprivacy, or making it an administrator, changes that",
        ));
    }
    let display_name = name.or_else(|| bot.text("first_name").map(str::to_owned)).unwrap_or_else(|| id.clone());
    Ok(Connected { external_id: id, display_name, settings: None, facts, routes: Vec::new() })
}

fn set_webhook(settings: &Settings, url: &str) -> Result<(), Failure> {
    let updates = serde_json::to_string(&settings.allowed_updates).map_err(|error| Failure::fault("encoding", error.to_string()))?;
    let fields = vec![
        Field::new("url", url),
        Field::new("allowed_updates", updates),
        Field::new("max_connections", settings.max_connections.to_string()),
        Field::new("drop_pending_updates", settings.drop_pending_updates.to_string()),
    ];
    match api::set_webhook(fields) {
        Ok(_) => {}
        Err(Trouble::Refused(refusal)) if refusal.code == 400 && refusal.says("webhook") => {
            return Err(Failure::invalid(
                "/public_url",
                format!(
                    "{}: Telegram calls public HTTPS addresses on port 443, 80, 88 or 8443 only, and not {url}. Set the gateway's public URL to one, or this account's mode to polling",
                    refusal.description
                ),
            ));
        }
        Err(trouble) => return Err(trouble.into()),
    }
    let info = api::repeat("getWebhookInfo", &parameters! {})?;
    match info.text("url") {
        Some(set) if set == url => Ok(()),
        // Somebody else has set theirs in between.
        other => {
            Err(Failure::unavailable("webhook_url", format!("the webhook was set and Telegram now says {:?}", other.unwrap_or_default())))
        }
    }
}

fn delete_webhook(drop_pending_updates: bool) -> Result<(), Failure> {
    api::repeat("deleteWebhook", &parameters! {"drop_pending_updates": drop_pending_updates})?;
    Ok(())
}

/// A token that is dead already has no webhook to take away.
fn disconnect(settings: &Settings) -> Result<Outcome, Failure> {
    match delete_webhook(settings.drop_pending_updates) {
        Ok(()) => {}
        Err(Failure::Unauthorized(detail)) => log::info("the webhook was left, because the token is dead", &[("code", &detail.code)]),
        Err(failure) => return Err(failure),
    }
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
    use patchbay_plugin::hooks::Progress;
    use patchbay_plugin::testing::{self, Provider};
    use serde_json::json;

    const URL: &str = "https://gateway.example/webhooks/a1";

    fn run(step: Step, settings: &Value) -> Result<Outcome, Failure> {
        super::step(&testing::call(None, settings), &Connecting { step, webhook_url: URL.into(), state: None })
    }

    fn me() -> Value {
        json!({"ok": true, "result": {"id": 5_000_000_042_i64, "is_bot": true, "first_name": "Desk", "username": "desk_bot",
            "can_join_groups": true, "can_read_all_group_messages": false}})
    }

    #[test]
    fn connecting_tries_the_token_sets_the_webhook_and_compares_it() {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(200, &me());
        provider.on("POST webhook ").answer(200, &json!({"ok": true, "result": true}));
        provider.on("POST api /getWebhookInfo").answer(200, &json!({"ok": true, "result": {"url": URL, "pending_update_count": 0}}));
        let Ok(Outcome { progress: Progress::Connected(connected), .. }) = run(Step::Start, &json!({"max_connections": 7})) else {
            panic!("not connected")
        };
        assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("5000000042", "@desk_bot"));
        assert!(connected.facts.iter().any(|fact| fact.name == "privacy_mode"));
        let set = &provider.requests()[1];
        assert_eq!(
            (set.field("url"), set.field("max_connections"), set.field("drop_pending_updates")),
            (Some(URL), Some("7"), Some("false"))
        );
        assert!(set.field("allowed_updates").is_some_and(|updates| updates.contains("\"message_reaction\"")));
        assert_eq!(set.field("secret_token"), None, "the gateway adds it");
    }

    #[test]
    fn polling_takes_the_webhook_away() {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(200, &me());
        provider.on("POST api /deleteWebhook").answer(200, &json!({"ok": true, "result": true}));
        assert!(run(Step::Start, &json!({"mode": "polling"})).is_ok());
    }

    #[test]
    fn a_dead_token_is_unauthorized() {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(401, &json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
        provider.on("POST api /getMe").answer(404, &json!({"ok": false, "error_code": 404, "description": "Not Found"}));
        assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unauthorized(_))));
        assert!(matches!(run(Step::Start, &json!({})), Err(Failure::Unauthorized(_))));
    }

    #[test]
    fn an_address_that_telegram_cannot_call_names_the_way_out() {
        let provider = Provider::new();
        provider.on("POST api /getMe").answer(200, &me());
        let words = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook";
        provider.on("POST webhook ").answer(400, &json!({"ok": false, "error_code": 400, "description": words}));
        let Err(Failure::Invalid(problems)) = run(Step::Start, &json!({})) else { panic!("not invalid") };
        assert_eq!(problems[0].pointer, "/public_url");
        assert!(problems[0].message.contains("polling"));
    }

    #[test]
    fn disconnecting_takes_the_webhook_away_and_a_dead_token_does_not_stop_it() {
        let provider = Provider::new();
        provider.on("POST api /deleteWebhook").answer(200, &json!({"ok": true, "result": true}));
        assert!(run(Step::Disconnect, &json!({})).is_ok());
        provider.on("POST api /deleteWebhook").answer(401, &json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
        assert!(run(Step::Disconnect, &json!({})).is_ok());
    }
}

//! What Meta knows against the number, its business account and the token.

use patchbay_meta::subscription::{self, Found};
use patchbay_meta::token::{self, Token};
use patchbay_meta::{Json as _, Trouble};
use patchbay_plugin::failure::{Detail, Words};
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure};
use serde_json::Value;

use crate::connect::app_id;
use crate::connect::token::{NEEDED, dead, is_short, look};
use crate::facts::{self, NUMBER_FIELDS, WABA_FIELDS};
use crate::settings::{Auth, Settings};

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings = Settings::of(call)?;
    let token = look(&settings)?;
    if let Some(token) = token.as_ref().filter(|token| !token.valid) {
        return Err(dead(token));
    }
    let graph = settings.graph();
    let number = graph.get(settings.number(call)?).query("fields", NUMBER_FIELDS).send()?;
    let mut facts = facts::of_number(&number);
    let mut checks = vec![self::token(call, &settings, token.as_ref()), sending(&number), quality(&number), name(&number)];
    facts.extend(token.iter().flat_map(facts::of_token));
    if let Ok(waba_id) = settings.waba() {
        match graph.get(waba_id).query("fields", WABA_FIELDS).send() {
            Ok(waba) => {
                facts.extend(facts::of_waba(&waba));
                checks.push(verification(&waba));
                checks.push(review(&waba));
            }
            Err(trouble) => checks.push(unread("verification", trouble)?),
        }
        checks.push(webhook(app_id(call, token.as_ref()), &settings, waba_id)?);
    }
    Ok(Report { checks, facts })
}

/// A check that could not be made; what concerns the whole account ends all of them.
fn unread(name: &str, trouble: Trouble) -> Result<Check, Failure> {
    match Failure::from(trouble) {
        failure @ (Failure::Unauthorized(_) | Failure::Unavailable(_) | Failure::Limited(_)) => Err(failure),
        failure => Ok(Check::failed(
            name,
            Detail::new(failure.detail().map_or("refused", |detail| detail.code.as_str()), Words(&failure).to_string()),
        )),
    }
}

fn token(call: &Call, settings: &Settings, token: Option<&Token>) -> Check {
    let Some(token) = token else { return Check::ok("token") };
    let missing = token::missing(&token.scopes, &NEEDED);
    if !missing.is_empty() {
        let words = format!("the token lacks {}: connect the account again with it", missing.join(" and "));
        return Check::failed("token", Detail::new("missing_permission", words));
    }
    if is_short(call, token) {
        let day = token.expires_ms.map(facts::date).unwrap_or_default();
        let way = match settings.auth {
            Auth::Oauth => "connect the account again before",
            Auth::Manual => "make one that doesn't end at Business settings > System users; those of API Setup live for a day",
        };
        return Check::failed("token", Detail::new("token_ends", format!("the token ends on {day}: {way}")));
    }
    Check::ok("token")
}

/// The number's own state, and what Meta says of everything that a message passes.
fn sending(number: &Value) -> Check {
    let failed = |code: &str, words: String| Check::failed("sending", Detail::new(code, words));
    let status = number.text("status").unwrap_or("UNKNOWN");
    let platform = number.text("platform_type").unwrap_or("CLOUD_API");
    let health = number.object("health_status");
    let can = health.and_then(|health| health.text("can_send_message")).unwrap_or("AVAILABLE");
    if !matches!(can, "AVAILABLE") {
        return failed(&can.to_lowercase(), format!("Meta says that sending is {}: {}", can.to_lowercase(), obstacles(health)));
    }
    match status {
        "CONNECTED" if platform != "CLOUD_API" && !number.flag("is_on_biz_app") => {
            failed("not_registered", "the number isn't registered on the Cloud API: connect the account again, with a PIN".to_owned())
        }
        "CONNECTED" => Check::ok("sending"),
        "PENDING" | "UNVERIFIED" | "MIGRATED" => {
            failed("not_registered", format!("the number is {}: connect the account again, with a PIN", status.to_lowercase()))
        }
        // Some answers have no state at all.
        "UNKNOWN" => Check::ok("sending"),
        _ => failed(&status.to_lowercase(), format!("the number is {}: see WhatsApp Manager > Phone numbers", status.to_lowercase())),
    }
}

/// Who stands in the way, and what Meta proposes.
fn obstacles(health: Option<&Value>) -> String {
    let mut words = Vec::new();
    for entity in health.map(|health| health.list("entities")).unwrap_or_default() {
        if matches!(entity.text("can_send_message"), None | Some("AVAILABLE")) {
            continue;
        }
        let kind = entity.text("entity_type").unwrap_or("something").to_lowercase().replace('_', " ");
        let errors = entity.list("errors").iter().map(|error| {
            let told =
                [error.text("error_description"), error.text("possible_solution")].into_iter().flatten().collect::<Vec<_>>().join("; ");
            format!("{} ({})", told, error.id("error_code").unwrap_or_default())
        });
        let errors = errors.collect::<Vec<_>>().join(", ");
        words.push(if errors.is_empty() { format!("the {kind}") } else { format!("the {kind}: {errors}") });
    }
    if words.is_empty() { "it doesn't say why".to_owned() } else { words.join("; ") }
}

fn quality(number: &Value) -> Check {
    match number.text("quality_rating") {
        Some(rating @ ("YELLOW" | "RED")) => {
            let words = format!(
                "the quality of the number is {}: people block or report it. Send less, and only what was asked for",
                rating.to_lowercase()
            );
            Check::failed("quality", Detail::new(format!("quality_{}", rating.to_lowercase()), words))
        }
        _ => Check::ok("quality"),
    }
}

fn name(number: &Value) -> Check {
    match number.text("name_status") {
        Some(status @ ("DECLINED" | "EXPIRED" | "NONE")) => {
            let words = format!("the display name is {}: propose another in WhatsApp Manager > Phone numbers", status.to_lowercase());
            Check::failed("name", Detail::new(format!("name_{}", status.to_lowercase()), words))
        }
        _ => Check::ok("name"),
    }
}

fn verification(waba: &Value) -> Check {
    match waba.text("business_verification_status").map(str::to_lowercase) {
        Some(status) if status != "verified" => {
            let words = format!(
                "the business is {}: verify it at Business settings > Security Center, else the limits stay low",
                status.replace('_', " ")
            );
            Check::failed("verification", Detail::new(status, words))
        }
        _ => Check::ok("verification"),
    }
}

fn review(waba: &Value) -> Check {
    match waba.text("account_review_status").map(str::to_lowercase) {
        Some(status) if !matches!(status.as_str(), "approved" | "pending") => {
            let words = format!("Meta's review of the business account: {}", status.replace('_', " "));
            Check::failed("review", Detail::new(format!("review_{status}"), words))
        }
        _ => Check::ok("review"),
    }
}

/// Mends the subscription where it is gone: without it no webhook arrives.
fn webhook(app_id: Option<&str>, settings: &Settings, waba_id: &str) -> Result<Check, Failure> {
    let detail = |code: &str, words: &str| Detail::new(code, words);
    Ok(match subscription::mend(&settings.graph(), waba_id, app_id, &[]) {
        Ok(Found::Whole) => Check::ok("webhook"),
        Ok(Found::Mended(_)) => {
            let words = "the app was no longer subscribed to the business account's webhooks, and has been subscribed again";
            Check { detail: Some(detail("webhook_mended", words)), ..Check::ok("webhook") }
        }
        Ok(Found::Lacking(_)) => {
            let words = "the app isn't subscribed to the business account's webhooks, and can't be: is the token of another app?";
            Check::failed("webhook", detail("webhook_missing", words))
        }
        Err(trouble) => unread("webhook", trouble)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::{self, Provider};
    use patchbay_plugin::{Field, Fields as _};
    use serde_json::json;

    const NUMBER: &str = "GET graph /v26.0/900000000000001";
    const WABA: &str = "GET graph /v26.0/800000000000001";
    const APPS: &str = "GET graph /v26.0/800000000000001/subscribed_apps";

    fn call() -> Call {
        let settings = json!({"waba_id": "800000000000001", "phone_number_id": "900000000000001"});
        let mut call = testing::call(Some("900000000000001"), &settings);
        call.extras = vec![Field::new("app.client_id", "1"), Field::new("now_ms", "1790000000000")];
        call
    }

    fn number(more: &Value) -> Value {
        let mut number = json!({"id": "900000000000001", "display_phone_number": "+1 555-000-1111", "verified_name": "Fake Shop", "status": "CONNECTED",
            "quality_rating": "GREEN", "name_status": "APPROVED", "account_mode": "LIVE", "platform_type": "CLOUD_API", "throughput": {"level": "STANDARD"},
            "whatsapp_business_manager_messaging_limit": "TIER_2K", "health_status": {"can_send_message": "AVAILABLE"}});
        number.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        number
    }

    fn waba() -> Value {
        json!({"id": "800000000000001", "name": "Fake WABA", "account_review_status": "APPROVED", "business_verification_status": "VERIFIED",
            "owner_business_info": {"id": "7", "name": "Fake Co"}})
    }

    fn ours() -> Value {
        json!({"data": [{"whatsapp_business_api_data": {"id": "1", "name": "x"}}]})
    }

    fn failed(report: &Report) -> Vec<(&str, &str)> {
        let failed = report.checks.iter().filter(|check| !check.ok);
        failed.map(|check| (check.name.as_str(), check.detail.as_ref().unwrap().code.as_str())).collect()
    }

    fn fact<'a>(report: &'a Report, name: &str) -> Option<&'a str> {
        report.facts.value(name)
    }

    #[test]
    fn a_sound_account_passes_and_tells_its_facts() {
        let provider = Provider::new();
        provider.secret("app_token", "1|s");
        let data = json!({"app_id": "1", "type": "SYSTEM_USER", "is_valid": true, "expires_at": 0, "scopes": NEEDED});
        provider.on("GET debug /v26.0/debug_token").answer(200, &json!({"data": data}));
        provider.on(NUMBER).answer(200, &number(&json!({})));
        provider.on(WABA).answer(200, &waba());
        provider.on(APPS).answer(200, &ours());
        let report = report(&call()).unwrap();
        assert_eq!(failed(&report), []);
        for (name, value) in [
            ("display_phone_number", "+1 555-000-1111"),
            ("verified_name", "Fake Shop"),
            ("quality_rating", "GREEN"),
            ("messaging_limit", "TIER_2K"),
            ("throughput", "STANDARD"),
            ("account_review", "APPROVED"),
            ("business_verification", "verified"),
            ("name_status", "APPROVED"),
            ("token_expires", "never"),
            ("business_name", "Fake Co"),
        ] {
            assert_eq!(fact(&report, name), Some(value), "{name}");
        }
    }

    #[test]
    fn each_fault_is_a_check_of_its_own() {
        let provider = Provider::new();
        provider.secret("app_token", "1|s");
        let data = json!({"app_id": "1", "type": "USER", "is_valid": true, "expires_at": 1_790_086_400, "scopes": NEEDED});
        provider.on("GET debug /v26.0/debug_token").answer(200, &json!({"data": data}));
        let blocked = json!({"can_send_message": "BLOCKED", "entities": [{"entity_type": "PHONE_NUMBER", "can_send_message": "AVAILABLE"},
            {"entity_type": "WABA", "can_send_message": "BLOCKED", "errors": [{"error_code": 141_006, "error_description": "no payment", "possible_solution": "add a card"}]}]});
        provider.on(NUMBER).answer(200, &number(&json!({"quality_rating": "RED", "name_status": "DECLINED", "health_status": blocked})));
        provider.on(WABA).answer(200, &json!({"account_review_status": "REJECTED", "business_verification_status": "not_verified"}));
        provider.on(APPS).answer(200, &ours());
        let report = report(&call()).unwrap();
        assert_eq!(
            failed(&report),
            [
                ("token", "token_ends"),
                ("sending", "blocked"),
                ("quality", "quality_red"),
                ("name", "name_declined"),
                ("verification", "not_verified"),
                ("review", "review_rejected"),
            ]
        );
        let words = &report.checks[1].detail.as_ref().unwrap().message;
        assert!(words.contains("waba: no payment; add a card (141006)") && !words.contains("phone number"), "{words}");
        assert_eq!(fact(&report, "token_expires"), Some("2026-09-22"));
    }

    #[test]
    fn states_of_a_number_that_cannot_send_are_told() {
        for (more, code) in [
            (json!({"status": "BANNED"}), "banned"),
            (json!({"status": "SOMETHING_NEW"}), "something_new"),
            (json!({"status": "PENDING"}), "not_registered"),
            (json!({"platform_type": "ON_PREMISE"}), "not_registered"),
            (json!({"health_status": {"can_send_message": "LIMITED"}}), "limited"),
        ] {
            let check = sending(&number(&more));
            assert_eq!(check.detail.map(|detail| detail.code), Some(code.to_owned()), "{more}");
        }
        assert!(sending(&number(&json!({"platform_type": "NOT_APPLICABLE", "is_on_biz_app": true}))).ok);
    }

    #[test]
    fn a_subscription_that_is_gone_is_mended_and_said() {
        let provider = Provider::new();
        provider.on(NUMBER).answer(200, &number(&json!({})));
        provider.on(WABA).answer(200, &waba());
        provider.on(APPS).answer(200, &json!({"data": [{"whatsapp_business_api_data": {"id": "2"}}]}));
        provider.on("POST graph /v26.0/800000000000001/subscribed_apps").answer(200, &json!({"success": true}));
        provider.on(APPS).answer(200, &ours());
        let report = report(&call()).unwrap();
        let webhook = report.checks.iter().find(|check| check.name == "webhook").unwrap();
        assert_eq!((webhook.ok, webhook.detail.as_ref().map(|detail| detail.code.as_str())), (true, Some("webhook_mended")));
    }

    #[test]
    fn a_dead_token_is_a_failure_and_a_missing_permission_a_check() {
        let provider = Provider::new();
        provider.on(NUMBER).answer(401, &json!({"error": {"code": 190, "error_subcode": 460, "message": "x"}}));
        assert!(matches!(report(&call()), Err(Failure::Unauthorized(detail)) if detail.code == "190/460"));
        provider.on(NUMBER).answer(200, &number(&json!({})));
        let refusal = json!({"error": {"code": 200, "message": "(#200) You do not have permission"}});
        provider.on(WABA).answer(403, &refusal);
        provider.on(APPS).answer(403, &refusal);
        assert_eq!(failed(&report(&call()).unwrap()), [("verification", "200"), ("webhook", "200")]);
    }
}

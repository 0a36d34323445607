//! What Meta tells of the number, its business account and the token, as it is shown on the account.

use patchbay_meta::Json as _;
use patchbay_meta::token::Token;
use patchbay_plugin::Field;
use serde_json::Value;

/// What is asked about a number.
pub(crate) const NUMBER_FIELDS: &str = "id,display_phone_number,verified_name,status,quality_rating,name_status,code_verification_status,account_mode,platform_type,throughput,is_on_biz_app,is_pin_enabled,webhook_configuration,health_status,whatsapp_business_manager_messaging_limit";
/// What is asked about a business account.
pub(crate) const WABA_FIELDS: &str = "id,name,currency,timezone_id,account_review_status,business_verification_status,ownership_type,owner_business_info,whatsapp_business_manager_messaging_limit,health_status";

pub(crate) fn of_number(number: &Value) -> Vec<Field> {
    let mut facts = Vec::new();
    for (fact, field) in [
        ("display_phone_number", "display_phone_number"),
        ("verified_name", "verified_name"),
        ("number_status", "status"),
        ("quality_rating", "quality_rating"),
        ("name_status", "name_status"),
        ("account_mode", "account_mode"),
        ("messaging_limit", "whatsapp_business_manager_messaging_limit"),
    ] {
        facts.extend(number.text(field).map(|value| Field::new(fact, value)));
    }
    facts.extend(number.object("throughput").and_then(|throughput| throughput.text("level")).map(|level| Field::new("throughput", level)));
    facts.extend(number.object("health_status").and_then(|health| health.text("can_send_message")).map(|can| Field::new("can_send", can)));
    facts
}

pub(crate) fn of_waba(waba: &Value) -> Vec<Field> {
    let mut facts = Vec::new();
    for (fact, field) in [("waba_id", "id"), ("waba_name", "name"), ("account_review", "account_review_status"), ("currency", "currency")] {
        facts.extend(waba.id(field).map(|value| Field::new(fact, value)));
    }
    // Now in capitals, now not.
    facts.extend(waba.text("business_verification_status").map(|status| Field::new("business_verification", status.to_lowercase())));
    let owner = waba.object("owner_business_info");
    facts.extend(owner.and_then(|owner| owner.text("name")).map(|name| Field::new("business_name", name)));
    facts.extend(owner.and_then(|owner| owner.id("id")).map(|id| Field::new("business_id", id)));
    facts
}

pub(crate) fn of_token(token: &Token) -> Vec<Field> {
    vec![
        Field::new("token_type", token.kind.to_lowercase()),
        Field::new("token_expires", token.expires_ms.map_or_else(|| "never".to_owned(), date)),
    ]
}

/// `2026-11-27`, of milliseconds since 1970.
pub(crate) fn date(ms: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "no time of the token's is beyond the year 9999")]
    let days = (ms / 86_400_000.0).floor().clamp(0.0, 2_932_896.0) as i64;
    // Days from a 1 March, in eras of 400 years: the leap day is the last of a year.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, turned) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_its_day() {
        for (seconds, day) in
            [(0.0, "1970-01-01"), (951_782_400.0, "2000-02-29"), (1_790_000_000.0, "2026-09-21"), (1_798_761_599.0, "2026-12-31")]
        {
            assert_eq!(date(seconds * 1000.0), day);
        }
    }
}

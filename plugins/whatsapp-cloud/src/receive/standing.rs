//! How a business account and its numbers stand: alerts, reviews, restrictions, limits.

use patchbay_meta::Json as _;
use patchbay_plugin::Field;
use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{AccountStatus, Event, Happening};
use serde_json::Value;

use super::{Place, clock};

/// The fields whose events these are.
const FIELDS: [&str; 8] = [
    "account_update",
    "account_alerts",
    "account_review_update",
    "business_capability_update",
    "business_status_update",
    "phone_number_quality_update",
    "phone_number_name_update",
    "security",
];

/// Works, with a reason to look at it.
const DEGRADED: &str = "degraded";
/// Somebody has to connect it again.
const NEEDS_REAUTH: &str = "needs_reauth";
/// Only facts changed.
const SAME: &str = "";

pub(super) fn is_of_standing(field: &str) -> bool {
    FIELDS.contains(&field)
}

pub(super) fn event(place: &Place, field: &str, told: &Value, time: Option<f64>) -> Event {
    let (state, code, message, facts) = match field {
        "account_update" => account(told),
        "account_alerts" => alert(told),
        "account_review_update" => review(told),
        "phone_number_quality_update" => quality(told),
        "phone_number_name_update" => name(told),
        "security" => security(told),
        other => capability(other, told),
    };
    let key = format!("wa:{}:{field}:{code}:{}", place.waba, clock(time, told));
    let mut event = place.event(
        key,
        Happening::Account(AccountStatus { state: state.to_owned(), detail: Detail::new(code.to_lowercase(), message), facts }),
    );
    event.at_ms = time;
    event
}

type Standing = (&'static str, String, String, Vec<Field>);

fn account(told: &Value) -> Standing {
    let code = told.text("event").unwrap_or("ACCOUNT_UPDATE");
    let mut facts = vec![Field::new("account_event", code)];
    let (state, message) = match code {
        "ACCOUNT_RESTRICTION" => {
            let restrictions = told.list("restriction_info");
            let kinds: Vec<&str> = restrictions.iter().filter_map(|restriction| restriction.text("restriction_type")).collect();
            let until = restrictions.iter().filter_map(|restriction| restriction.time_ms("expiration")).reduce(f64::max);
            facts.push(Field::new("restrictions", kinds.join(", ")));
            facts.extend(until.map(|until| Field::new("restricted_until", seconds(until))));
            (DEGRADED, format!("Meta restricts the business account: {}", kinds.join(", ")))
        }
        "ACCOUNT_VIOLATION" => {
            let kind = told.get("violation_info").and_then(|info| info.text("violation_type")).unwrap_or("unknown");
            facts.push(Field::new("violation", kind));
            (DEGRADED, format!("Meta sees a violation of its policy: {kind}"))
        }
        "DISABLED_UPDATE" => {
            let ban = told.get("ban_info").and_then(|info| info.text("waba_ban_state")).unwrap_or("unknown");
            facts.push(Field::new("ban_state", ban));
            match ban {
                "REINSTATE" => (SAME, "Meta has reinstated the business account".to_owned()),
                "SCHEDULE_FOR_DISABLE" => (DEGRADED, "Meta is going to disable the business account".to_owned()),
                _ => (DEGRADED, "Meta has disabled the business account".to_owned()),
            }
        }
        "ACCOUNT_DELETED" => (NEEDS_REAUTH, "the business account was deleted".to_owned()),
        "PARTNER_REMOVED" | "PARTNER_APP_UNINSTALLED" => (NEEDS_REAUTH, "the business has taken the app out of its account".to_owned()),
        "ACCOUNT_OFFBOARDED" => (NEEDS_REAUTH, "the number was taken off the app on the phone".to_owned()),
        _ => (SAME, format!("Meta tells of the business account: {code}")),
    };
    (state, code.to_owned(), message, facts)
}

fn alert(told: &Value) -> Standing {
    let info = told.object("alert_info").unwrap_or(told);
    let text = |name: &str| info.text(name);
    let code = text("alert_type").unwrap_or("ALERT");
    let message = text("alert_description").unwrap_or("Meta has an alert for the account").to_owned();
    let facts = vec![
        Field::new("alert", code),
        Field::new("alert_severity", text("alert_severity").unwrap_or_default()),
        Field::new("alert_status", text("alert_status").unwrap_or_default()),
        Field::new("alert_description", &message),
    ];
    let grave = matches!(text("alert_severity"), Some("CRITICAL")) && matches!(text("alert_status"), None | Some("ACTIVE"));
    (if grave { DEGRADED } else { SAME }, code.to_owned(), message, facts)
}

fn review(told: &Value) -> Standing {
    let decision = told.text("decision").unwrap_or("UNKNOWN");
    let state = if decision.eq_ignore_ascii_case("REJECTED") { DEGRADED } else { SAME };
    let message = format!("Meta has reviewed the business account: {}", decision.to_lowercase());
    (state, format!("REVIEW_{decision}"), message, vec![Field::new("account_review", decision)])
}

fn quality(told: &Value) -> Standing {
    let code = told.text("event").unwrap_or("QUALITY");
    let mut facts = vec![Field::new("quality_event", code)];
    let limit = told.id("max_daily_conversations_per_business").or_else(|| told.id("current_limit"));
    facts.extend(limit.map(|limit| Field::new("messaging_limit", limit)));
    if code == "THROUGHPUT_UPGRADE" {
        facts.push(Field::new("throughput", "HIGH"));
    }
    let state = if code == "FLAGGED" { DEGRADED } else { SAME };
    let message = match code {
        "FLAGGED" => "the number's quality is low: Meta may lower its limit".to_owned(),
        "UNFLAGGED" => "the number's quality has recovered".to_owned(),
        _ => format!("the number's limits have changed: {}", code.to_lowercase()),
    };
    (state, code.to_owned(), message, facts)
}

fn name(told: &Value) -> Standing {
    let decision = told.text("decision").unwrap_or("UNKNOWN");
    let wanted = told.text("requested_verified_name").unwrap_or_default();
    let mut facts = vec![Field::new("name_status", decision)];
    if decision.eq_ignore_ascii_case("APPROVED") && !wanted.is_empty() {
        facts.push(Field::new("verified_name", wanted));
    }
    let reason = told.text("rejection_reason").filter(|reason| !reason.is_empty() && *reason != "NONE");
    let message = match reason {
        Some(reason) => format!("the display name “{wanted}” was {}: {reason}", decision.to_lowercase()),
        None => format!("the display name “{wanted}” was {}", decision.to_lowercase()),
    };
    (SAME, format!("NAME_{decision}"), message, facts)
}

fn security(told: &Value) -> Standing {
    let code = told.text("event").unwrap_or("SECURITY");
    let message = format!("the number's two-step verification: {}", code.to_lowercase().replace('_', " "));
    (SAME, code.to_owned(), message, vec![Field::new("security_event", code)])
}

fn capability(field: &str, told: &Value) -> Standing {
    let mut facts = Vec::new();
    for (name, value) in told.as_object().into_iter().flatten() {
        if let Some(value) = value.as_str().map(str::to_owned).or_else(|| value.as_number().map(ToString::to_string)) {
            facts.push(Field::new(name, value));
        }
    }
    if let Some(limit) = told.id("max_daily_conversations_per_business").or_else(|| told.id("max_daily_conversation_per_phone")) {
        facts.push(Field::new("messaging_limit", limit));
    }
    let words: Vec<String> = facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    (SAME, field.trim_end_matches("_update").to_uppercase(), format!("Meta tells {}", words.join(", ")), facts)
}

/// Whole seconds since 1970.
fn seconds(ms: f64) -> String {
    (ms / 1000.0).floor().to_string()
}

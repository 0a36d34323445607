//! VictoryLink's sending API, as its integrations know it: JSON goes out, and a number comes back.

mod answer;
mod code;

use patchbay_plugin::http::Request;
use patchbay_plugin::messages::{Accepted, Outbound};
use patchbay_plugin::{Call, Failure, Field, Fields as _, kv, log};
use serde_json::{Map, Value, json};

use crate::plan::Plan;
use crate::segments::Encoding;
use crate::settings::Settings;
use answer::Answer;

pub(crate) use code::failure;

const TARGET: &str = "victorylink";
const SEND: &str = "/NewSendingAPI/api/SMSSender/SendSMS";
const SEND_WITH_RECEIPTS: &str = "/NewSendingAPI/api/SMSSender/SendSMSWithDLR";
const CREDIT: &str = "/CheckCreditApi/api/CheckCredit";

/// The account may not ask for delivery receipts.
const NO_RECEIPTS: i64 = -16;
/// The id was used before.
const KNOWN_ID: i64 = -19;
/// Taken: at once, or into a queue of theirs.
const TAKEN: [i64; 2] = [0, -10];

/// For how long a message whose fate is open is remembered, in seconds: three days.
const DOUBT_TTL_S: u32 = 3 * 24 * 60 * 60;

/// Hands a message over under our own id, which VictoryLink takes once: so a request that broke may be repeated, and "known" is the
/// answer to what had arrived.
pub(crate) fn send(call: &Call, settings: &Settings, message: &Outbound, plan: &Plan) -> Result<Accepted, Failure> {
    let doubt = format!("doubt:{}", message.id);
    let outcome = hand_over(call, settings, message, plan, &doubt);
    if let Err(Failure::Unavailable(_)) = &outcome {
        remember(&doubt);
    }
    outcome
}

/// Whether an earlier attempt at this message may have arrived. Asked only where the id is known: that is seldom.
fn is_again(call: &Call, doubt: &str) -> bool {
    let noted = kv::get(doubt).is_some();
    if noted {
        kv::delete(doubt);
    }
    noted || call.attempt > 1
}

fn remember(doubt: &str) {
    if let Err(problem) = kv::set(doubt, b"1", Some(DOUBT_TTL_S)) {
        // The number of the attempt still tells, unless somebody sends the message anew.
        log::warn("a message whose fate is open could not be noted", &[("problem", &format!("{problem:?}"))]);
    }
}

fn hand_over(call: &Call, settings: &Settings, message: &Outbound, plan: &Plan, doubt: &str) -> Result<Accepted, Failure> {
    let webhook = call.extras.value("webhook_url").filter(|url| !url.is_empty());
    let body = body(settings, message, plan);
    let (mut receipts, mut code) = (webhook.is_some(), NO_RECEIPTS);
    if let Some(url) = webhook {
        let mut with_receipts = body.clone();
        with_receipts.insert("DLRURL".to_owned(), json!(url));
        code = ask(SEND_WITH_RECEIPTS, &Value::Object(with_receipts))?;
    }
    if code == NO_RECEIPTS {
        receipts = false;
        code = ask(SEND, &Value::Object(body))?;
    }
    let taken = TAKEN.contains(&code) || (code == KNOWN_ID && is_again(call, doubt));
    if !taken {
        return Err(failure(code));
    }
    let mut extras = vec![Field::new("delivery_receipts", receipts.to_string())];
    if code != 0 {
        extras.push(Field::new("code", code.to_string()));
    }
    Ok(Accepted { part: 0, external_id: Some(message.id.clone()), extras })
}

/// The gateway adds the password.
fn body(settings: &Settings, message: &Outbound, plan: &Plan) -> Map<String, Value> {
    // "A" is for whatever the default alphabet can't write, not for Arabic alone.
    let language = match plan.segments.encoding {
        Encoding::Gsm7 => "E",
        Encoding::Ucs2 => "A",
    };
    let fields = [
        ("UserName", settings.username.as_str()),
        ("SMSText", plan.text.as_str()),
        ("SMSLang", language),
        ("SMSSender", settings.sender_id.as_str()),
        ("SMSReceiver", plan.to.digits()),
        ("SMSID", message.id.as_str()),
    ];
    let campaign = message.extras.value("campaign_id").map(|id| ("CampaignID", id));
    fields.into_iter().chain(campaign).map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

fn ask(path: &str, body: &Value) -> Result<i64, Failure> {
    let answer = Answer::of(Request::post(TARGET, path).repeatable().json(body)?.send()?)?;
    answer.code()
}

/// What is left to send for, in the account's own unit.
///
/// # Errors
/// The credentials are refused, or nobody answers.
pub(crate) fn credit(settings: &Settings) -> Result<f64, Failure> {
    let body = json!({"UserName": settings.username});
    let answer = Answer::of(Request::post(TARGET, CREDIT).repeatable().json(&body)?.send()?)?;
    let balance = answer.amount()?;
    if balance >= 0.0 { Ok(balance) } else { Err(failure(answer.code()?)) }
}

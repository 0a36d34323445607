//! Numbers and user ids that fail, by how they end.

use crate::appgain::answer::{Outcome, Refusal, Reply};
use crate::appgain::send::Channel;
use serde_json::json;

/// Reasons that Appgain tells where an app is gone from a phone: user ids that begin with one fail with it, afterwards.
pub(crate) const UNINSTALLED: &[&str] = &[
    "BadDeviceToken",
    "DeviceTokenNotForTopic",
    "InvalidParameters",
    "InvalidRegistration",
    "MismatchSenderId",
    "MissingDeviceToken",
    "NotRegistered",
    "Unregistered",
];

/// What a recipient that ends in `0` and an HTTP status is answered with; none where it ends otherwise.
pub(crate) fn at_once(channel: Channel, recipient: &str) -> Option<Outcome> {
    let end = recipient.get(recipient.len().checked_sub(4)?..)?;
    let whatsapp = channel == Channel::WhatsApp;
    let refusal = match end {
        "0200" => return Some(Ok(Reply::Json(200, json!({"status": "Failed", "message": "provider rejected the message"})))),
        "0400" => Refusal::new(400, "invalid payload"),
        "0401" => Refusal::wrong_key(),
        "0403" => Refusal::new(403, "Not Authorized"),
        "0404" if whatsapp => Refusal::coded(404, "NOT_ON_WHATSAPP", "the number has no WhatsApp"),
        "0422" if whatsapp => Refusal::coded(422, "NOT_ON_WHATSAPP", "the number has no WhatsApp"),
        "0409" if whatsapp => Refusal::coded(409, "SESSION_NOT_WORKING", "the session isn't connected"),
        "0413" if whatsapp => Refusal::coded(413, "MEDIA_TOO_LARGE", "the file is too large"),
        "0415" if whatsapp => Refusal::coded(415, "MEDIA_TYPE", "the file's type can't be sent"),
        "0429" => Refusal::coded(429, "QUOTA_EXCEEDED", "so many messages a day and no more").retry_after(7),
        "0430" if whatsapp => Refusal::coded(429, "SPAM_SIGNAL", "people report this number").retry_after(1800),
        "0499" => Refusal::quirk(),
        "0500" => Refusal::inside(),
        "0502" => Refusal::new(502, "Bad Gateway"),
        "0503" => Refusal::new(503, "Service Unavailable"),
        _ => return None,
    };
    Some(Err(refusal))
}

/// Whether a WhatsApp message to that number fails in an ack afterwards.
pub(crate) fn ack_fails(number: &str) -> bool {
    number.ends_with("1404")
}

/// How an SMS to that number ends.
pub(crate) fn sms_end(number: &str) -> Option<&'static str> {
    let ends = [("1403", "REJECTD"), ("1404", "UNDELIV"), ("1408", "EXPIRED"), ("1410", "DELETED"), ("1500", "UNKNOWN")];
    ends.into_iter().find(|(end, _)| number.ends_with(end)).map(|(_, status)| status)
}

/// Why a push to that user fails afterwards.
pub(crate) fn push_end(user: &str) -> Option<&'static str> {
    UNINSTALLED.iter().copied().find(|reason| user.starts_with(reason))
}

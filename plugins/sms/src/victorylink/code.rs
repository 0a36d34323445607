//! What VictoryLink's numbers mean. Two generations of its documents are in use, and where they differ the newer counts.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::{Detail, Retry};

/// What it takes before messages are let in again, in milliseconds.
pub(super) const PAUSE_MS: f64 = 30_000.0;

#[derive(Debug, Clone, Copy)]
enum Class {
    Unauthorized,
    Forbidden,
    Recipient,
    Rejected,
    Limited,
    Unavailable,
}

/// Number, class, our code, what to do.
const TABLE: &[(i64, Class, &str, &str)] = &[
    (-1, Class::Unauthorized, "credentials", "the user name or the password is wrong, or the user isn't subscribed to the service"),
    (
        -2,
        Class::Unauthorized,
        "ip_not_allowed",
        "VictoryLink doesn't take requests from this gateway's address: have it added there, then connect again",
    ),
    (-3, Class::Recipient, "blacklisted", "the number is on VictoryLink's blacklist"),
    (
        -5,
        Class::Forbidden,
        "out_of_credit",
        "the account has no credit left: top it up at VictoryLink, then connect again or wait for the health check",
    ),
    (-6, Class::Unavailable, "database_down", "VictoryLink has a fault of its own"),
    (-7, Class::Unauthorized, "account_inactive", "the account isn't active: ask VictoryLink, then connect again"),
    (
        -11,
        Class::Unauthorized,
        "account_expired",
        "the account has expired: ask VictoryLink, then connect again (its older documents: the language isn't E or A)",
    ),
    (-12, Class::Rejected, "empty_text", "VictoryLink takes no empty text"),
    (
        -13,
        Class::Rejected,
        "invalid_sender",
        "the sender isn't registered for the account: compare sender_id with what VictoryLink has registered",
    ),
    (-14, Class::Unavailable, "try_again", "VictoryLink asks to try again"),
    (-16, Class::Forbidden, "receipts_not_allowed", "the account may not ask for delivery receipts: have them allowed at VictoryLink"),
    (-18, Class::Recipient, "invalid_number", "the number isn't one that VictoryLink can reach: check it"),
    (
        -19,
        Class::Rejected,
        "duplicate_id",
        "VictoryLink has had a message of this id before, and not from this attempt: send the text as a new message",
    ),
    (-21, Class::Unauthorized, "invalid_account", "VictoryLink doesn't know the account: check user name and password"),
    (-22, Class::Rejected, "not_validated", "VictoryLink's check of the message failed"),
    (-23, Class::Rejected, "invalid_sender", "the sender isn't valid: compare sender_id with what VictoryLink has registered"),
    (-25, Class::Limited, "limited", "messages come faster than the account may send: the gateway waits"),
    (-26, Class::Rejected, "bad_message_id", "VictoryLink doesn't take the message's id"),
    (-29, Class::Unauthorized, "credentials", "the user name or the password is empty: type them in again"),
    (-30, Class::Rejected, "empty_sender", "the sender is empty: set sender_id"),
    (-100, Class::Unavailable, "other", "VictoryLink has a fault that it doesn't name"),
];

/// Of a code that isn't a success.
pub(crate) fn failure(code: i64) -> Failure {
    let row = TABLE.iter().find(|(number, ..)| *number == code);
    let detail = |ours: &str, advice: &str| Detail::new(ours, format!("{advice} ({code})")).with("code", code.to_string());
    let Some((_, class, ours, advice)) = row else {
        // No such number is known. Repeated under the same id it does no harm, and a number below 0 is a refusal.
        let unknown = detail("unknown_code", "VictoryLink answers with a number that its documents don't have: ask there what it means");
        return if code < 0 { Failure::Rejected(unknown) } else { Failure::Unavailable(Retry { after_ms: None, detail: unknown }) };
    };
    let detail = detail(ours, advice);
    match class {
        Class::Unauthorized => Failure::Unauthorized(detail),
        Class::Forbidden => Failure::Forbidden(detail),
        Class::Recipient => Failure::Recipient(detail),
        Class::Rejected => Failure::Rejected(detail),
        Class::Limited => Failure::Limited(Retry { after_ms: Some(PAUSE_MS), detail }),
        Class::Unavailable => Failure::Unavailable(Retry { after_ms: None, detail }),
    }
}

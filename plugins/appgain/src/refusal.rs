//! What Notify refuses, and what the gateway does then.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::{Detail, Retry};
use patchbay_plugin::http::Response;
use serde_json::Value;

use crate::json::Json as _;

/// Characters of an answer that isn't JSON, for people to read.
const WORDS_MAX: usize = 200;
/// The pause that Appgain advises where WhatsApp takes the number's messages for spam, in milliseconds.
const SPAM_PAUSE_MS: f64 = 1_800_000.0;
/// The code of an account whose phone isn't linked any more.
pub const LOGGED_OUT: &str = "logged_out";

/// An answer that isn't a success.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP status; 2xx where the body alone says `failed`.
    pub status: u16,
    /// The API's own word in capitals, such as `SESSION_NOT_WORKING`; empty where it has none.
    pub code: String,
    /// The API's words.
    pub message: String,
    /// Whether nothing was done: the answer is Notify's own word of a failure, or a server's that takes nothing for now (503).
    pub own: bool,
    /// How long it asks to wait.
    pub retry_after_ms: Option<f64>,
    /// The whole answer in lower case.
    text: String,
}

/// A key that was never typed in is a setting that is missing, not a credential that Appgain refuses.
#[must_use]
pub fn naming_key(failure: Failure) -> Failure {
    match failure {
        Failure::Unauthorized(detail) if detail.code == "credential_missing" => {
            Failure::invalid("/api_key", "isn't set: Appgain's dashboard shows the project's API key under Settings")
        }
        other => other,
    }
}

/// The codes that name a fact, wherever in the answer they stand.
const CODES: [&str; 5] = ["SESSION_NOT_WORKING", "NOT_ON_WHATSAPP", "QUOTA_EXCEEDED", "SPAM_SIGNAL", "ALREADY_CONNECTED"];

impl Refusal {
    /// Reads an answer.
    #[must_use]
    pub fn of(response: &Response) -> Self {
        let text = String::from_utf8_lossy(response.bytes()).into_owned();
        let body = serde_json::from_str::<Value>(&text).unwrap_or_default();
        Self::new(response.status(), response.retry_after_ms(), &body, &text)
    }

    /// `header_ms`: what `Retry-After` says.
    #[must_use]
    pub fn new(status: u16, header_ms: Option<f64>, body: &Value, text: &str) -> Self {
        let error = body.object("error").unwrap_or(body);
        let capitals = text.to_ascii_uppercase().replace([' ', '-'], "_");
        let told_code = ["code", "error_code", "error"].iter().filter_map(|name| error.text(name)).find(|code| is_code(code));
        // A known code says more than a general one beside it, such as `"error": "CONFLICT"` or `"code": "422"`.
        let code = CODES.iter().copied().find(|code| capitals.contains(code)).or(told_code).map(str::to_owned);
        let said = ["message", "exception", "error"].iter().filter_map(|name| error.text(name));
        let said: Vec<&str> = said.filter(|said| !code.as_deref().is_some_and(|code| said.eq_ignore_ascii_case(code))).collect();
        let message = match said.as_slice() {
            [] if body.is_null() => text.trim().chars().take(WORDS_MAX).collect(),
            said => said.join(": "),
        };
        let seconds = [body, error].iter().find_map(|place| place.get("retry_after").and_then(Value::as_f64));
        let asked_ms = seconds.or_else(|| error.whole("retry_after").map(|seconds| f64::from(i32::try_from(seconds).unwrap_or_default())));
        Self {
            status,
            code: code.unwrap_or_default(),
            message,
            own: is_failure(body)
                || status == 503
                || (status == 500 && ["message", "exception"].iter().any(|name| error.text(name).is_some())),
            retry_after_ms: header_ms.or_else(|| asked_ms.filter(|seconds| *seconds >= 0.0).map(|seconds| seconds * 1000.0)),
            text: text.to_lowercase(),
        }
    }

    /// Whether the answer holds these words, in any case.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        self.text.contains(&words.to_lowercase())
    }

    /// The answer to something that may be done twice: reading, or setting the same again.
    #[must_use]
    pub fn failure(&self) -> Failure {
        if self.is_fault() {
            return Failure::Unavailable(Retry { after_ms: self.retry_after_ms, detail: self.faulty() });
        }
        self.told()
    }

    /// The answer to a message, on this attempt: nothing may go out twice.
    #[must_use]
    pub fn failure_of_send(&self, attempt: u32) -> Failure {
        if !self.is_fault() {
            return self.told();
        }
        match (self.own, attempt) {
            (true, ..=1) => Failure::Unavailable(Retry { after_ms: self.retry_after_ms, detail: self.faulty() }),
            (true, _) => Failure::Rejected(self.detail(
                "notify_fault",
                "Appgain has failed on this message twice, and it isn't tried by itself again: send it again once Appgain works",
            )),
            (false, _) => Failure::Uncertain(self.detail(
                "no_word_of_notify",
                "the answer isn't Notify's own, so the message may have been taken all the same: look at Appgain's dashboard before you send it again",
            )),
        }
    }

    /// A 5xx that names no fact.
    fn is_fault(&self) -> bool {
        self.status >= 500 && !self.is_unauthorized() && !CODES.contains(&self.code.as_str())
    }

    fn is_unauthorized(&self) -> bool {
        // A wrong key is an exception of theirs: 'NoneType' object has no attribute 'api_key'.
        matches!(self.status, 401 | 403) || self.says("not authorized") || (self.status == 500 && self.says("api_key"))
    }

    /// What the answer says of itself, but for a fault of the server.
    fn told(&self) -> Failure {
        if self.is_unauthorized() {
            let advice = "Appgain doesn't take the API key for this suit id: compare both with the project's settings at Appgain";
            return Failure::Unauthorized(self.detail("api_key", advice));
        }
        let limited = |advice: &str, least_ms: Option<f64>| {
            let detail = self.detail("limited", advice);
            Failure::Limited(Retry { after_ms: self.retry_after_ms.or(least_ms), detail })
        };
        match (self.code.as_str(), self.status) {
            ("SESSION_NOT_WORKING", _) => Failure::Unauthorized(Detail {
                code: LOGGED_OUT.into(),
                ..self.detail("", "the phone isn't linked at Appgain: connect the account again and scan the code")
            }),
            ("NOT_ON_WHATSAPP", _) => {
                Failure::Recipient(self.detail("", "that number has no WhatsApp: check the number, or write by another channel"))
            }
            ("SPAM_SIGNAL", _) => limited("WhatsApp takes the messages for spam: the account pauses", Some(SPAM_PAUSE_MS)),
            ("QUOTA_EXCEEDED", _) => limited("the day's quota is used up: Appgain says when it starts again", None),
            (_, 429) => limited("Appgain throttles the account", None),
            (_, 402) => Failure::Forbidden(self.detail("payment", "the Appgain account has no credit: top it up")),
            (_, 408 | 425) => Failure::Unavailable(Retry { after_ms: self.retry_after_ms, detail: self.faulty() }),
            (_, 404) => Failure::Rejected(self.detail("not_found", "Appgain knows no such place: compare the suit id and the base URL")),
            (_, 413) => Failure::Rejected(self.detail("too_large", "the file is larger than Appgain takes: send a smaller one")),
            (_, 415) => Failure::Rejected(self.detail("media_type", "Appgain doesn't take that kind of file: send another kind")),
            _ => Failure::Rejected(self.detail("", "")),
        }
    }

    fn faulty(&self) -> Detail {
        self.detail("", "Appgain has a fault of its own")
    }

    /// The API's code comes first, then ours, then the status.
    fn detail(&self, code: &str, advice: &str) -> Detail {
        let code = match (self.code.as_str(), code) {
            ("", "") => self.status.to_string(),
            ("", ours) => ours.to_owned(),
            (told, _) => told.to_lowercase(),
        };
        let message = match (self.message.as_str(), advice) {
            ("", "") => "Appgain refuses it without a word".to_owned(),
            ("", advice) => advice.to_owned(),
            (told, "") => told.to_owned(),
            (told, advice) => format!("{told} ({advice})"),
        };
        Detail::new(code, message).with("status", self.status.to_string())
    }
}

/// Whether the body is Notify's envelope of a failure, however it is written.
pub(crate) fn is_failure(body: &Value) -> bool {
    body.text("status").is_some_and(|status| status.trim().eq_ignore_ascii_case("failed")) || is_no_success(body)
}

/// Whether the body says so the way `ConnectGain`'s functions do.
pub(crate) fn is_no_success(body: &Value) -> bool {
    body.get("success") == Some(&Value::Bool(false))
}

/// Whether it is a name in capitals and no sentence.
fn is_code(text: &str) -> bool {
    text.len() > 2 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(status: u16, body: &Value) -> Refusal {
        Refusal::new(status, None, body, &body.to_string())
    }

    fn class(failure: &Failure) -> &'static str {
        match failure {
            Failure::Unauthorized(_) => "unauthorized",
            Failure::Forbidden(_) => "forbidden",
            Failure::Limited(_) => "limited",
            Failure::Unavailable(_) => "unavailable",
            Failure::Uncertain(_) => "uncertain",
            Failure::Recipient(_) => "recipient",
            Failure::Rejected(_) => "rejected",
            _ => "another",
        }
    }

    #[test]
    fn a_key_that_was_never_typed_in_is_named() {
        let named = naming_key(Failure::unauthorized("credential_missing", "a credential isn't set"));
        assert!(matches!(named, Failure::Invalid(problems) if problems[0].pointer == "/api_key"));
        let refused = Failure::unauthorized("api_key", "no");
        assert_eq!(naming_key(refused.clone()), refused);
    }

    #[test]
    fn every_refusal_has_its_class() {
        let quirk =
            json!({"exception": "'NoneType' object has no attribute 'api_key'", "message": "something went wrong", "status": "Failed"});
        let rows = [
            (401, json!({"message": "app API key or user authentication required"}), "unauthorized", "api_key"),
            (403, json!({"message": "Not Authorized Api Key"}), "unauthorized", "api_key"),
            (500, quirk, "unauthorized", "api_key"),
            (200, json!({"status": "failed", "message": "Not Authorized Api Key"}), "unauthorized", "api_key"),
            (409, json!({"status": "Failed", "code": "SESSION_NOT_WORKING"}), "unauthorized", LOGGED_OUT),
            (503, json!({"status": "Failed", "code": "SESSION_NOT_WORKING"}), "unauthorized", LOGGED_OUT),
            (404, json!({"error": {"code": "NOT_ON_WHATSAPP", "message": "no"}}), "recipient", "not_on_whatsapp"),
            (422, json!({"error": "NOT_ON_WHATSAPP"}), "recipient", "not_on_whatsapp"),
            (422, json!({"message": "refused: NOT_ON_WHATSAPP"}), "recipient", "not_on_whatsapp"),
            (422, json!({"error": "UNPROCESSABLE", "message": "not_on_whatsapp"}), "recipient", "not_on_whatsapp"),
            (404, json!({"code": "404", "error": "NOT_ON_WHATSAPP"}), "recipient", "not_on_whatsapp"),
            (409, json!({"message": "Session not working"}), "unauthorized", LOGGED_OUT),
            (409, json!({"error": "CONFLICT", "message": "SESSION_NOT_WORKING"}), "unauthorized", LOGGED_OUT),
            (200, json!({"success": false, "code": "quota_exceeded"}), "limited", "quota_exceeded"),
            (429, json!({"code": "QUOTA_EXCEEDED"}), "limited", "quota_exceeded"),
            (429, json!({}), "limited", "limited"),
            (402, json!({}), "forbidden", "payment"),
            (404, json!({}), "rejected", "not_found"),
            (413, json!({}), "rejected", "too_large"),
            (415, json!({}), "rejected", "media_type"),
            (400, json!({"message": "message is required"}), "rejected", "400"),
            (409, json!({"message": "another state"}), "rejected", "409"),
            (200, json!({"status": "Failed", "message": "no such template"}), "rejected", "200"),
        ];
        for (status, body, wanted, code) in rows {
            for failure in [refusal(status, &body).failure_of_send(1), refusal(status, &body).failure()] {
                assert_eq!((class(&failure), failure.detail().unwrap().code.as_str()), (wanted, code), "{status} {body}");
            }
        }
    }

    #[test]
    fn a_fault_is_tried_once_more_only_where_notify_says_that_nothing_was_done() {
        let own = refusal(500, &json!({"status": "Failed", "message": "something went wrong"}));
        assert_eq!([1, 2, 3].map(|attempt| class(&own.failure_of_send(attempt))), ["unavailable", "rejected", "rejected"]);
        for (status, body) in [(500, json!({"message": "boom"})), (503, json!({})), (503, Value::Null)] {
            let fault = refusal(status, &body);
            assert_eq!([1, 2].map(|attempt| class(&fault.failure_of_send(attempt))), ["unavailable", "rejected"], "{status} {body}");
        }
        for (status, body) in [(500, Value::Null), (500, json!({})), (504, json!({"message": "Endpoint request timed out"}))] {
            assert_eq!(class(&refusal(status, &body).failure_of_send(1)), "uncertain", "{status} {body}");
        }
        let other = Refusal::new(502, Some(3000.0), &Value::Null, "<html>Bad Gateway</html>");
        assert_eq!([1, 2].map(|attempt| class(&other.failure_of_send(attempt))), ["uncertain", "uncertain"]);
        assert!(matches!(other.failure(), Failure::Unavailable(retry) if retry.after_ms == Some(3000.0)));
    }

    #[test]
    fn the_wait_is_the_headers_then_the_bodys_then_the_signals() {
        let wait = |header, body: Value| match Refusal::new(429, header, &body, &body.to_string()).failure() {
            Failure::Limited(retry) => retry.after_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(Some(7000.0), json!({"retry_after": 9})), Some(7000.0));
        assert_eq!(wait(None, json!({"retry_after": 9})), Some(9000.0));
        assert_eq!(wait(None, json!({"error": {"code": "QUOTA_EXCEEDED", "retry_after": "9"}})), Some(9000.0));
        assert_eq!(wait(None, json!({"code": "SPAM_SIGNAL"})), Some(SPAM_PAUSE_MS));
        assert_eq!(wait(None, json!({})), None);
    }

    #[test]
    fn a_failure_tells_the_words_and_the_way_out() {
        let failure = refusal(422, &json!({"code": "NOT_ON_WHATSAPP", "message": "201 is unknown"})).failure();
        let told = &failure.detail().unwrap().message;
        assert!(told.starts_with("201 is unknown (") && told.contains("another channel"), "{told}");
    }
}

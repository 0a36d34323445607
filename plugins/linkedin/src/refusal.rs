//! What LinkedIn refuses, and what the gateway does then.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::{Detail, Retry};
use patchbay_plugin::http::Response;
use serde_json::Value;

use crate::json::Json as _;

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;
/// How long a limit lasts where LinkedIn doesn't say, and it isn't a day's.
const LIMIT_MS: f64 = 60_000.0;

/// `{"status":403,"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"…"}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `ACCESS_DENIED`; empty where a proxy answers.
    pub(crate) code: String,
    pub(crate) message: String,
    service_code: Option<String>,
    retry_after_ms: Option<f64>,
    repeatable: bool,
}

impl Refusal {
    pub(crate) fn read(response: &Response, repeatable: bool) -> Self {
        let body: Value = response.json().unwrap_or_default();
        Self {
            status: response.status(),
            code: body.text("code").or_else(|| body.text("error")).unwrap_or_default().to_owned(),
            message: body.text("message").or_else(|| body.text("error_description")).unwrap_or_default().to_owned(),
            service_code: body.id("serviceErrorCode"),
            retry_after_ms: response.retry_after_ms(),
            repeatable,
        }
    }

    /// The URN of the post that is there already.
    pub(crate) fn duplicate_of(&self) -> Option<&str> {
        let words = self.message.to_ascii_lowercase();
        if !matches!(self.status, 409 | 422 | 400) || !(words.contains("duplicate") || self.code.contains("DUPLICATE")) {
            return None;
        }
        let start = self.message.find("urn:li:")?;
        let rest = self.message.get(start..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-' | '_')).unwrap_or(rest.len());
        rest.get(..end).map(|urn| urn.trim_end_matches(':')).filter(|urn| crate::urn::is_post(urn))
    }

    /// The version of the API that the settings name isn't there (any more).
    pub(crate) fn is_version(&self) -> bool {
        self.status == 426 || matches!(self.code.as_str(), "NONEXISTENT_VERSION" | "VERSION_MISSING" | "INVALID_VERSION")
    }

    pub(crate) fn failure(&self, now_ms: Option<f64>, attempt: u32) -> Failure {
        let told = |advice: &str| self.detail(advice);
        if self.is_version() {
            return Failure::Forbidden(told(
                "LinkedIn has no such version of its API, because it retires each after about a year: set api_version of the account to a newer month, such as 202607, and connect it again",
            ));
        }
        match self.status {
            401 => Failure::Unauthorized(told("the authorisation has ended: authorise the account again at LinkedIn")),
            403 => Failure::Forbidden(told(
                "the app or the member may not do that: look at the app's products at linkedin.com/developers and at the member's role on the page, then authorise again",
            )),
            404 => Failure::Recipient(told("LinkedIn doesn't know it, or it can't be reached")),
            409 if attempt > 1 => Failure::Rejected(told("it conflicts with what is there")),
            409 => Failure::Unavailable(Retry {
                after_ms: self.retry_after_ms,
                detail: told("it conflicts with something that goes on at the same time"),
            }),
            429 => Failure::Limited(Retry { after_ms: Some(self.wait_ms(now_ms)), detail: told("LinkedIn's limit is used up") }),
            // A proxy has given up waiting: the server behind it may have done it.
            408 | 504 if !self.repeatable => Failure::Uncertain(told("LinkedIn gave no answer in time")),
            408 | 500.. => Failure::Unavailable(Retry { after_ms: self.retry_after_ms, detail: told("LinkedIn has a fault") }),
            _ => Failure::Rejected(told("")),
        }
    }

    /// A limit of a day ends at midnight UTC.
    fn wait_ms(&self, now_ms: Option<f64>) -> f64 {
        let of_day = self
            .message
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| word.eq_ignore_ascii_case("day") || word.eq_ignore_ascii_case("daily"));
        match (self.retry_after_ms, now_ms) {
            (Some(asked), _) => asked,
            (None, Some(now)) if of_day => DAY_MS - now % DAY_MS,
            (None, None) if of_day => DAY_MS / 24.0,
            (None, _) => LIMIT_MS,
        }
    }

    fn detail(&self, advice: &str) -> Detail {
        let message = match (self.message.as_str(), advice) {
            ("", "") => format!("LinkedIn answers {} without a word", self.status),
            ("", advice) => advice.to_owned(),
            (told, "") => told.to_owned(),
            (told, advice) => format!("{told} ({advice})"),
        };
        let code = if self.code.is_empty() { format!("http_{}", self.status) } else { self.code.clone() };
        let detail = Detail::new(code, message).with("status", self.status.to_string());
        match &self.service_code {
            Some(code) => detail.with("service_error_code", code),
            None => detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        Refusal { status, code: code.into(), message: message.into(), service_code: None, retry_after_ms: None, repeatable: false }
    }

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let now = 1_764_000_000_000.0; // 2025-11-24T16:00:00Z
        let daily =
            refusal(429, "TOO_MANY_REQUESTS", "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.");
        let Failure::Limited(retry) = daily.failure(Some(now), 1) else { panic!() };
        assert_eq!(retry.after_ms, Some(8.0 * 3_600_000.0));
        let Failure::Limited(retry) = refusal(429, "", "holiday").failure(Some(now), 1) else { panic!() };
        assert_eq!(retry.after_ms, Some(60_000.0));
        let Failure::Limited(retry) = (Refusal { retry_after_ms: Some(7000.0), ..daily }).failure(Some(now), 1) else { panic!() };
        assert_eq!(retry.after_ms, Some(7000.0));
    }

    #[test]
    fn a_duplicate_tells_what_is_there() {
        let told = refusal(422, "", "Content is a duplicate of urn:li:share:7123.");
        assert_eq!(told.duplicate_of(), Some("urn:li:share:7123"));
        assert_eq!(refusal(422, "DUPLICATE_POST", "already at urn:li:ugcPost:9").duplicate_of(), Some("urn:li:ugcPost:9"));
        assert_eq!(refusal(422, "", "Content is a duplicate").duplicate_of(), None);
        assert_eq!(refusal(422, "", "duplicate of urn:li:person:9").duplicate_of(), None);
        assert_eq!(refusal(500, "", "duplicate of urn:li:share:9").duplicate_of(), None);
    }

    #[test]
    fn a_retired_version_names_the_setting() {
        for told in [refusal(426, "NONEXISTENT_VERSION", "Requested version 20240101 is not active"), refusal(400, "VERSION_MISSING", "")] {
            let Failure::Forbidden(detail) = told.failure(None, 1) else { panic!("{told:?}") };
            assert!(detail.message.contains("api_version") && detail.message.contains("newer"), "{}", detail.message);
        }
    }

    #[test]
    fn a_conflict_is_tried_once_more_and_a_proxy_that_waited_is_a_doubt() {
        assert!(matches!(refusal(409, "", "").failure(None, 1), Failure::Unavailable(_)));
        assert!(matches!(refusal(409, "", "").failure(None, 2), Failure::Rejected(_)));
        assert!(matches!(refusal(504, "", "").failure(None, 1), Failure::Uncertain(_)));
        assert!(matches!(Refusal { repeatable: true, ..refusal(504, "", "") }.failure(None, 1), Failure::Unavailable(_)));
        assert!(matches!(refusal(503, "", "").failure(None, 1), Failure::Unavailable(_)));
    }
}

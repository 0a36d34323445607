//! What TikTok's codes mean for the gateway.

use patchbay_plugin::failure::{Detail, Retry};
use patchbay_plugin::{Failure, kv, log};

/// Milliseconds between attempts while TikTok says that calls are too frequent: it tells no time of its own. A daily quota, which has
/// the same code, ends at 00:00 UTC.
const WAITS_MS: [f64; 4] = [1000.0, 2000.0, 4000.0, 300_000.0];
/// Seconds without a limit after which the waits begin anew.
const STREAK_TTL_S: u32 = 900;
const STREAK: &str = "limit";

/// An answer that isn't what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// HTTP status: 200 mostly.
    pub(crate) status: u16,
    /// TikTok's own; 0 where there is none.
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after_ms: Option<f64>,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Unauthorized,
    Forbidden,
    Limited,
    Transient,
    Recipient,
    /// The rules of direct messages forbid it: mostly the window, for which there is no code.
    Blocked,
    Rejected,
}

impl Refusal {
    pub(crate) fn class(&self) -> Class {
        match self.code {
            40_001 => Class::Forbidden,
            40_007 => Class::Recipient,
            // Vendors see a cap on conversations in a day by this name.
            40_064 if self.message.to_ascii_lowercase().contains("too fast") => Class::Limited,
            40_064 => Class::Blocked,
            40_100 => Class::Limited,
            40_102 | 40_104 | 40_105 => Class::Unauthorized,
            50_000..=59_999 => Class::Transient,
            _ => match self.status {
                401 => Class::Unauthorized,
                403 => Class::Forbidden,
                429 => Class::Limited,
                408 | 500..=599 => Class::Transient,
                _ => Class::Rejected,
            },
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        let detail = self.detail();
        match self.class() {
            Class::Unauthorized => Failure::Unauthorized(detail),
            Class::Forbidden => Failure::Forbidden(detail),
            Class::Limited => Failure::Limited(Retry { after_ms: Some(self.retry_after_ms.unwrap_or_else(grown_ms)), detail }),
            Class::Transient => Failure::Unavailable(Retry { after_ms: self.retry_after_ms, detail }),
            Class::Recipient => Failure::Recipient(detail),
            Class::Blocked | Class::Rejected => Failure::Rejected(detail),
        }
    }

    pub(crate) fn detail(&self) -> Detail {
        let code = if self.code == 0 { self.status.to_string() } else { self.code.to_string() };
        let mut detail = Detail::new(code, self.words());
        if let Some(id) = &self.request_id {
            detail = detail.with("request_id", id);
        }
        detail
    }

    fn words(&self) -> String {
        let way_out = match self.code {
            40_001 => "a permission is missing: connect the account again and leave every box ticked",
            40_007 => "TikTok doesn't know the conversation, or the person has left it",
            40_064 => "TikTok's rules for direct messages forbid it",
            40_100 => "too many calls of the app",
            40_105 => "the access token isn't valid any more",
            40_908 => "TikTok takes JPG and PNG only",
            0 => "TikTok answers without a code",
            _ => "TikTok refuses it",
        };
        if self.message.is_empty() { way_out.to_owned() } else { format!("{way_out}: {}", self.message) }
    }
}

/// Longer than the last time, where that wasn't long ago.
fn grown_ms() -> f64 {
    let times = kv::get_json::<usize>(STREAK).unwrap_or_default();
    if let Err(failure) = kv::set_json(STREAK, &times.saturating_add(1), Some(STREAK_TTL_S)) {
        log::warn("the wait of a limit could not be kept", &[("failure", &failure.to_string())]);
    }
    WAITS_MS.get(times).or(WAITS_MS.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;

    fn refusal(status: u16, code: i64, message: &str) -> Refusal {
        Refusal { status, code, message: message.into(), request_id: Some("r1".into()), retry_after_ms: None }
    }

    #[test]
    fn every_code_has_its_class() {
        for (status, code, message, class) in [
            (200, 40_001, "", Class::Forbidden),
            (200, 40_002, "", Class::Rejected),
            (200, 40_007, "", Class::Recipient),
            (200, 40_064, "", Class::Blocked),
            (200, 40_064, "You are sending too fast", Class::Limited),
            (200, 40_100, "", Class::Limited),
            (200, 40_105, "", Class::Unauthorized),
            (200, 40_908, "", Class::Rejected),
            (200, 51_065, "", Class::Transient),
            (200, 49_999, "", Class::Rejected),
            (502, 0, "", Class::Transient),
            (429, 0, "", Class::Limited),
            (401, 0, "", Class::Unauthorized),
            (404, 0, "", Class::Rejected),
        ] {
            assert_eq!(refusal(status, code, message).class(), class, "{status} {code}");
        }
    }

    #[test]
    fn a_limit_lasts_longer_each_time() {
        let _world = Provider::new();
        let waits: Vec<Option<f64>> = (0..5)
            .map(|_| match refusal(200, 40_100, "slow down").failure() {
                Failure::Limited(retry) => retry.after_ms,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(waits, [Some(1000.0), Some(2000.0), Some(4000.0), Some(300_000.0), Some(300_000.0)]);
        let told = Refusal { retry_after_ms: Some(7000.0), ..refusal(429, 0, "") }.failure();
        assert!(matches!(told, Failure::Limited(retry) if retry.after_ms == Some(7000.0)));
    }

    #[test]
    fn the_request_is_named_for_tiktoks_support() {
        let detail = refusal(200, 40_002, "bad recipient").detail();
        assert_eq!((detail.code.as_str(), detail.extras[0].value.as_str()), ("40002", "r1"));
        assert!(detail.message.ends_with("bad recipient"));
    }
}

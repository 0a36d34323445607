//! What the Graph API refuses, and what the gateway does then: by code and subcode, then by `is_transient`, then by HTTP status,
//! never by words.

mod class;
mod wait;

pub use class::Class;

use patchbay_plugin::Failure;
use patchbay_plugin::failure::{Detail, Retry};
use patchbay_plugin::http::Response;
use serde_json::Value;

use crate::json::Json as _;

/// The code by which the gateway lets one conversation wait and not the whole account.
pub const CONVERSATION_LIMITED: &str = "conversation_limited";

/// `{"error": {…}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP status; 0 where the error came in a webhook.
    pub status: u16,
    /// 0 where there is none.
    pub code: i64,
    /// 0 where there is none.
    pub subcode: i64,
    /// `OAuthException`, `IGApiException`, …
    pub kind: String,
    /// For developers.
    pub message: String,
    /// What `error_data` tells.
    pub details: String,
    /// For people, in their language.
    pub user_message: String,
    /// Meta's own word that it may be tried again.
    pub transient: bool,
    /// What Meta's support asks for.
    pub trace: String,
    /// The wait that a header asks for, in milliseconds.
    pub wait_ms: Option<f64>,
}

/// When it was refused: which attempt it was, and whom it was for.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// 1 on the first.
    pub attempt: u32,
    /// Names the limits of one recipient; empty without one.
    pub recipient: &'a str,
}

impl Default for Occasion<'_> {
    fn default() -> Self {
        Self { attempt: 1, recipient: "" }
    }
}

impl Refusal {
    /// Of an answer with that body; null where it wasn't JSON.
    #[must_use]
    pub fn of_response(response: &Response, body: &Value) -> Self {
        let mut refusal = Self::of_error(body.get("error").unwrap_or(body));
        refusal.status = response.status();
        let usage = response.header("x-business-use-case-usage").and_then(wait::business_usage_ms);
        refusal.wait_ms = response.retry_after_ms().or(usage);
        refusal
    }

    /// Of an error object, as answers, webhooks and `debug_token` carry it.
    #[must_use]
    pub fn of_error(error: &Value) -> Self {
        let text = |name: &str| error.text(name).unwrap_or_default().to_owned();
        let details = match error.get("error_data") {
            Some(Value::String(details)) => details.clone(),
            Some(data) => data.text("details").unwrap_or_default().to_owned(),
            None => text("details"),
        };
        let user_message = match (error.text("error_user_title"), error.text("error_user_msg")) {
            (Some(title), Some(words)) => format!("{title}: {words}"),
            (title, words) => title.or(words).unwrap_or_default().to_owned(),
        };
        // The token exchange of Instagram answers in another shape: error_type, error_message.
        let message = [error.text("message"), error.text("error_message"), error.text("title"), error.as_str()];
        Self {
            status: 0,
            code: error.whole("code").unwrap_or_default(),
            subcode: error.whole("error_subcode").or_else(|| error.whole("subcode")).unwrap_or_default(),
            kind: error.text("type").or_else(|| error.text("error_type")).unwrap_or_default().to_owned(),
            message: message.into_iter().flatten().next().unwrap_or_default().to_owned(),
            details,
            user_message,
            transient: error.flag("is_transient"),
            trace: text("fbtrace_id"),
            wait_ms: None,
        }
    }

    /// What it means.
    #[must_use]
    pub fn class(&self) -> Class {
        class::of(self).0
    }

    /// Meta's code, with the subcode where there is one: `190/463`. The HTTP status where there is no code.
    #[must_use]
    pub fn code_words(&self) -> String {
        match (self.code, self.subcode) {
            (0, 0) if self.status >= 400 && self.kind.is_empty() => format!("http_{}", self.status),
            (code, 0) => code.to_string(),
            (code, subcode) => format!("{code}/{subcode}"),
        }
    }

    /// What the gateway does, as far as the refusal alone tells: the same for the same refusal.
    #[must_use]
    pub fn failure(&self) -> Failure {
        self.classified(self.wait_ms.or_else(|| wait::first_ms(self)), 1)
    }

    /// What the gateway does on that occasion: without a header the waits of a limit grow, and what may be tried once more is tried
    /// once. It remembers in the plugin's store, so webhooks are read with [`failure`](Self::failure).
    #[must_use]
    pub fn on(&self, occasion: Occasion<'_>) -> Failure {
        let limited = matches!(self.class(), Class::Limited | Class::ConversationLimited);
        let grown = || if limited { wait::grown_ms(self, occasion.recipient) } else { None };
        self.classified(self.wait_ms.or_else(grown), occasion.attempt)
    }

    fn classified(&self, after_ms: Option<f64>, attempt: u32) -> Failure {
        let (class, advice) = class::of(self);
        let detail = self.detail(advice);
        match class {
            Class::Unauthorized => Failure::Unauthorized(detail),
            Class::Forbidden => Failure::Forbidden(detail),
            Class::Limited => Failure::Limited(Retry { after_ms, detail }),
            Class::ConversationLimited => {
                let code = detail.code.clone();
                let detail = Detail { code: CONVERSATION_LIMITED.into(), ..detail }.with("code", code);
                Failure::Limited(Retry { after_ms, detail })
            }
            Class::Recipient | Class::OptedOut => Failure::Recipient(detail),
            Class::WindowClosed => Failure::WindowClosed(detail),
            Class::Once if attempt > 1 => Failure::Rejected(detail),
            // What a header asks for; else the gateway has waits of its own, which grow.
            Class::Once | Class::Transient => Failure::Unavailable(Retry { after_ms: self.wait_ms, detail }),
            Class::Rejected => Failure::Rejected(detail),
        }
    }

    fn detail(&self, advice: &str) -> Detail {
        let told = [&self.message, &self.details, &self.user_message].into_iter().find(|words| !words.is_empty());
        let mut message = match (told, advice) {
            (None, "") => "Meta refuses it without a word".to_owned(),
            (None, advice) => advice.to_owned(),
            (Some(told), "") => told.clone(),
            (Some(told), advice) => format!("{told} ({advice})"),
        };
        if !self.details.is_empty() && !message.contains(&self.details) {
            message = format!("{message}: {}", self.details);
        }
        let mut detail = Detail::new(self.code_words(), message);
        for (name, value) in [("user_message", &self.user_message), ("type", &self.kind), ("fbtrace_id", &self.trace)] {
            if !value.is_empty() {
                detail = detail.with(name, value);
            }
        }
        detail
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.on(Occasion::default())
    }
}

#[cfg(test)]
mod tests;

//! Answers that say no → what the gateway does next.

use patchbay_plugin::Failure;
use patchbay_plugin::http::Response;
use serde_json::Value;

use crate::json::Json as _;

/// The code of a conversation that can't be answered.
const CLOSED: &str = "conversation_closed";

/// Who has said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Shopify's Admin API.
    Admin,
    /// The merchant's chat app.
    Inbox,
}

/// A status that isn't 2xx.
pub(crate) fn of_status(place: Place, response: &Response) -> Failure {
    let body: Value = serde_json::from_slice(response.bytes()).unwrap_or_default();
    let told =
        Told { place, status: response.status(), code: code(&body), words: words(&body), wait_ms: wait_ms(response.header("retry-after")) };
    told.failure(is_page(response.bytes()))
}

struct Told {
    place: Place,
    status: u16,
    code: Option<String>,
    words: Option<String>,
    wait_ms: Option<f64>,
}

impl Told {
    fn failure(self, is_page: bool) -> Failure {
        let status = self.status;
        match (status, self.place) {
            (401, _) => Failure::unauthorized(
                "token_refused",
                self.say("the access token isn't valid: it was revoked, or the app was uninstalled. Give a new one and connect again"),
            ),
            (402, _) => Failure::forbidden(
                "shop_frozen",
                self.say("the shop is frozen, because a bill is due: its owner has to settle it with Shopify"),
            ),
            (403, _) => Failure::forbidden("scope_missing", self.say("the app lacks a permission: give it the scope and install it again")),
            (423, _) => {
                Failure::forbidden("shop_locked", self.say("the shop is locked by Shopify: its owner has to ask Shopify's support"))
            }
            (404, Place::Admin) => {
                Failure::rejected("shop_not_found", self.say("there is no such shop or no Admin API there: check shop_domain and base_url"))
            }
            (404, Place::Inbox) if is_page => {
                Failure::rejected("inbox_not_found", self.say("there is no chat app at inbox_base_url: check the address"))
            }
            (404, Place::Inbox) => Failure::recipient("conversation_not_found", self.say("the chat app knows no such conversation")),
            (409, Place::Inbox) if self.code.as_deref().is_none_or(|code| code == CLOSED) => {
                Failure::window_closed(CLOSED, self.say("the conversation is closed: it can be answered again once the customer writes"))
            }
            (429, _) => Failure::limited(self.wait_ms, "throttled", self.say("too many requests")),
            (408 | 500.., _) => Failure::unavailable(status.to_string(), self.say("the server has a fault")),
            _ => Failure::rejected(
                self.code.clone().unwrap_or_else(|| status.to_string()),
                self.say(&format!("refused with status {status}")),
            ),
        }
    }

    /// Ours, with the other side's behind them.
    fn say(&self, ours: &str) -> String {
        let who = match self.place {
            Place::Admin => "Shopify",
            Place::Inbox => "the chat app",
        };
        match &self.words {
            Some(theirs) => format!("{ours} ({who}: {theirs})"),
            None => ours.to_owned(),
        }
    }
}

/// `errors` of a GraphQL answer, which comes with status 200.
pub(crate) fn of_graphql(errors: &[Value], extensions: &Value) -> Failure {
    let code = errors.iter().find_map(|error| error.object("extensions")?.text("code")).unwrap_or_default();
    let words: Vec<&str> = errors.iter().filter_map(|error| error.text("message")).collect();
    let words = if words.is_empty() { "an error without words".to_owned() } else { words.join("; ") };
    match code {
        "" if words.eq_ignore_ascii_case("throttled") => Failure::limited(Some(throttle_ms(extensions)), "throttled", words),
        "THROTTLED" => Failure::limited(Some(throttle_ms(extensions)), "throttled", words),
        "ACCESS_DENIED" => Failure::forbidden("scope_missing", format!("the app lacks a permission: {words}")),
        "SHOP_INACTIVE" => Failure::forbidden("shop_inactive", format!("the shop isn't active: {words}")),
        "INTERNAL_SERVER_ERROR" | "TIMEOUT" => Failure::unavailable("graphql_fault", words),
        "" => Failure::rejected("graphql_error", words),
        code => Failure::rejected(code.to_ascii_lowercase(), words),
    }
}

/// `userErrors` of a mutation.
pub(crate) fn of_user_errors(errors: &[UserError]) -> Failure {
    let words: Vec<String> = errors
        .iter()
        .map(|error| match error.field.as_deref().unwrap_or_default() {
            [] => error.message.clone(),
            field => format!("{}: {}", field.join("."), error.message),
        })
        .collect();
    Failure::rejected("user_error", words.join("; "))
}

/// What a mutation has against its input.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub(crate) struct UserError {
    #[serde(default)]
    pub(crate) field: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) message: String,
}

/// Until the bucket holds what the query costs: at least a second.
fn throttle_ms(extensions: &Value) -> f64 {
    let cost = extensions.get("cost").unwrap_or(&Value::Null);
    let bucket = cost.get("throttleStatus").unwrap_or(&Value::Null);
    let missing = cost.number("requestedQueryCost").unwrap_or_default() - bucket.number("currentlyAvailable").unwrap_or_default();
    match bucket.number("restoreRate") {
        Some(rate) if rate > 0.0 => (missing / rate).ceil().max(1.0) * 1000.0,
        _ => 1000.0,
    }
}

/// Seconds, which Shopify writes with a fraction.
fn wait_ms(header: Option<&str>) -> Option<f64> {
    let seconds: f64 = header?.trim().parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).ceil())
}

/// `{"error": {"code"}}`, `{"code"}` or `{"error": "code"}`.
fn code(body: &Value) -> Option<String> {
    let error = body.get("error");
    let told = [error.and_then(|error| error.text("code")), body.text("code"), body.text("error")];
    // A code comes before words that stand where another app has the code.
    let closed = told.iter().flatten().find(|code| **code == CLOSED);
    closed.or_else(|| told.iter().flatten().next()).map(|code| (*code).to_owned())
}

/// `{"errors": …}` of Shopify's, `{"error_description"}` of its OAuth, `{"error": {"message"}}` and `{"message"}` of ours.
fn words(body: &Value) -> Option<String> {
    let error = body.get("error").and_then(|error| error.text("message")).or_else(|| body.text("error_description"));
    let told = error.or_else(|| body.text("message")).or_else(|| body.text("errors")).map(str::to_owned);
    told.or_else(|| body.get("errors").filter(|errors| !errors.is_null()).map(Value::to_string))
        .or_else(|| code(body))
        .map(|words| bounded(&words))
}

/// Enough for a person.
pub(crate) fn bounded(words: &str) -> String {
    words.chars().take(300).collect()
}

/// A web server's own page, and no answer of an app's.
pub(crate) fn is_page(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(place: Place, status: u16, body: &Value) -> Failure {
        Told { place, status, code: code(body), words: words(body), wait_ms: wait_ms(Some("2.0")) }.failure(false)
    }

    fn class(failure: &Failure) -> &'static str {
        match failure {
            Failure::Invalid(_) => "invalid",
            Failure::Unauthorized(_) => "unauthorized",
            Failure::Forbidden(_) => "forbidden",
            Failure::Limited(_) => "limited",
            Failure::Unavailable(_) => "unavailable",
            Failure::Uncertain(_) => "uncertain",
            Failure::Recipient(_) => "recipient",
            Failure::WindowClosed(_) => "window_closed",
            Failure::Rejected(_) => "rejected",
            Failure::Unsupported(_) => "unsupported",
            Failure::Fault(_) => "fault",
        }
    }

    #[test]
    fn every_status_has_its_class() {
        for (place, status, expected) in [
            (Place::Admin, 401, "unauthorized"),
            (Place::Admin, 402, "forbidden"),
            (Place::Admin, 403, "forbidden"),
            (Place::Admin, 404, "rejected"),
            (Place::Admin, 409, "rejected"),
            (Place::Admin, 422, "rejected"),
            (Place::Admin, 423, "forbidden"),
            (Place::Admin, 429, "limited"),
            (Place::Admin, 503, "unavailable"),
            (Place::Inbox, 404, "recipient"),
            (Place::Inbox, 408, "unavailable"),
            (Place::Inbox, 409, "window_closed"),
            (Place::Inbox, 413, "rejected"),
        ] {
            assert_eq!(class(&told(place, status, &Value::Null)), expected, "{place:?} {status}");
        }
    }

    #[test]
    fn a_conflict_of_another_kind_is_no_closed_window() {
        assert_eq!(class(&told(Place::Inbox, 409, &json!({"error": {"code": "conversation_closed"}}))), "window_closed");
        assert_eq!(class(&told(Place::Inbox, 409, &json!({"error": "conversation_closed"}))), "window_closed");
        let words = json!({"error": "The conversation is closed.", "code": "conversation_closed"});
        assert_eq!(class(&told(Place::Inbox, 409, &words)), "window_closed");
        assert_eq!(class(&told(Place::Inbox, 409, &json!({"error": {"code": "idempotency_mismatch"}}))), "rejected");
    }

    #[test]
    fn the_words_of_the_other_side_are_kept() {
        let failure = told(Place::Admin, 401, &json!({"errors": "[API] Invalid API key or access token"}));
        assert!(failure.detail().unwrap().message.contains("Invalid API key"));
        let failure = told(Place::Admin, 422, &json!({"errors": {"topic": ["is invalid"]}}));
        assert!(failure.detail().unwrap().message.contains("is invalid"));
    }

    #[test]
    fn retry_after_may_have_a_fraction() {
        assert_eq!(wait_ms(Some("2.0")), Some(2000.0));
        assert_eq!(wait_ms(Some("7")), Some(7000.0));
        assert_eq!((wait_ms(Some("-1")), wait_ms(Some("NaN")), wait_ms(Some("soon")), wait_ms(None)), (None, None, None, None));
    }

    #[test]
    fn a_throttled_query_waits_for_its_bucket() {
        let errors = [json!({"message": "Throttled", "extensions": {"code": "THROTTLED"}})];
        let extensions = |asked: f64, there: f64, rate: f64| {
            json!({"cost": {"requestedQueryCost": asked, "actualQueryCost": null,
                "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": there, "restoreRate": rate}}})
        };
        let wait = |extensions: &Value| match of_graphql(&errors, extensions) {
            Failure::Limited(retry) => retry.after_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&extensions(252.0, 1.0, 100.0)), Some(3000.0));
        assert_eq!(wait(&extensions(1.0, 5.0, 100.0)), Some(1000.0), "never at once");
        assert_eq!(wait(&extensions(1.0, 0.0, 0.0)), Some(1000.0));
        assert_eq!(wait(&Value::Null), Some(1000.0));
        let text = json!({"cost": {"requestedQueryCost": "252", "throttleStatus": {"currentlyAvailable": "1", "restoreRate": "100"}}});
        assert_eq!(wait(&text), Some(3000.0));
        assert_eq!(class(&of_graphql(&[json!({"message": "Throttled"})], &Value::Null)), "limited");
    }

    #[test]
    fn errors_of_graphql_have_their_classes() {
        let of = |code: &str| class(&of_graphql(&[json!({"message": "m", "extensions": {"code": code}})], &Value::Null));
        assert_eq!(
            [of("ACCESS_DENIED"), of("SHOP_INACTIVE"), of("INTERNAL_SERVER_ERROR"), of("undefinedField")],
            ["forbidden", "forbidden", "unavailable", "rejected"]
        );
        assert_eq!(class(&of_graphql(&[json!("odd")], &Value::Null)), "rejected");
    }

    #[test]
    fn user_errors_name_their_field() {
        let error = UserError { field: Some(vec!["webhookSubscription".into(), "uri".into()]), message: "is not allowed".into() };
        let failure = of_user_errors(&[error, UserError { field: None, message: "no".into() }]);
        assert_eq!(failure.detail().map(|detail| detail.message.as_str()), Some("webhookSubscription.uri: is not allowed; no"));
    }
}

//! A request to the Notify API, and what its answer tells.

use patchbay_plugin::http::{self, Request, Response};
use patchbay_plugin::messages::Accepted;
use patchbay_plugin::{Failure, Field};
use serde_json::Value;

use crate::json::Json as _;
use crate::refusal::{self, Refusal};

/// The API of one project.
#[derive(Debug, Clone, Copy)]
pub struct Notify<'a> {
    /// The manifest's target, which adds the `appapikey` header.
    pub target: &'a str,
    /// The project: ConnectGain's suit id.
    pub suit_id: &'a str,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// Appgain has answered no.
    Refused(Refusal),
    /// There was no usable answer.
    Http(http::Error),
}

impl Trouble {
    /// What Appgain has answered.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Http(_) => None,
        }
    }

    /// Of a message on this attempt: nothing may go out twice.
    #[must_use]
    pub fn of_send(self, attempt: u32) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure_of_send(attempt),
            Self::Http(error) => error.into(),
        }
    }
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}

/// Of what may be done twice.
impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => refusal.failure(),
            Trouble::Http(error) => error.into(),
        }
    }
}

/// A message that Notify has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its id where the answer tells one.
    pub id: Option<String>,
    /// The reference that we gave: events name the message by it.
    pub client_ref: String,
}

impl Delivered {
    /// As a part of the message that went out: known by its id, and by our reference.
    #[must_use]
    pub fn accepted(self, part: u32) -> Accepted {
        match self.id {
            Some(id) if id != self.client_ref => Accepted { part, external_id: Some(id), extras: vec![Field::new("ref", self.client_ref)] },
            _ => Accepted { part, external_id: Some(self.client_ref), extras: Vec::new() },
        }
    }
}

impl Notify<'_> {
    /// A path of the project.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.suit_id)
    }

    /// Sends one message: `body` names channel and receivers, `client_ref` is what `body` gives as ours.
    ///
    /// # Errors
    /// Where Appgain refuses it, or doesn't answer: [`Trouble::of_send`] knows whether it may go out again.
    pub fn send(&self, body: &Value, client_ref: &str) -> Result<Delivered, Trouble> {
        let response = Request::post(self.target, self.path("send")).json(body)?.send()?;
        let id = match read(&response) {
            Ok(answer) if refusal::is_failure(&answer) => return Err(Trouble::Refused(Refusal::of(&response))),
            Ok(answer) => id(&answer),
            // A success without a word is one.
            Err(Trouble::Http(_)) if response.is_success() && response.bytes().iter().all(u8::is_ascii_whitespace) => None,
            Err(trouble) => return Err(trouble),
        };
        Ok(Delivered { id, client_ref: client_ref.to_owned() })
    }
}

/// The JSON of a success. (A session's `FAILED` is its standing, and no failure of the request.)
///
/// # Errors
/// A refusal, also one whose status says success; or an answer that is no JSON.
pub fn read(response: &Response) -> Result<Value, Trouble> {
    if !response.is_success() {
        return Err(Trouble::Refused(Refusal::of(response)));
    }
    let answer: Value = response.json()?;
    if matches!(answer.text("status"), Some("failed" | "Failed")) || refusal::is_no_success(&answer) {
        Err(Trouble::Refused(Refusal::of(response)))
    } else {
        Ok(answer)
    }
}

/// The id in an answer; none is documented, so the places that are known are looked at.
#[must_use]
pub fn id(answer: &Value) -> Option<String> {
    let places = [Some(answer), answer.object("result"), answer.object("data")];
    places.into_iter().flatten().find_map(|place| ["messageId", "message_id", "id"].iter().find_map(|name| place.id(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;
    use serde_json::json;

    const NOTIFY: Notify<'_> = Notify { target: "api", suit_id: "5db9" };

    fn send() -> Result<Delivered, Trouble> {
        NOTIFY.send(&json!({"SMS": {}}), "msg-1")
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        for (answer, wanted) in [
            (json!({"messageId": "a", "id": "b"}), Some("a")),
            (json!({"message_id": "a"}), Some("a")),
            (json!({"id": 7}), Some("7")),
            (json!({"success": true, "result": {"messageId": "a", "id": "b"}}), Some("a")),
            (json!({"result": {"id": "a"}}), Some("a")),
            (json!({"data": {"id": "a"}}), Some("a")),
            (json!({"status": "success", "data": {"message_id": 7}, "result": "ok"}), Some("7")),
            (json!({"status": "success", "message": "queued"}), None),
            (json!({"id": "", "data": []}), None),
            (json!("ok"), None),
        ] {
            assert_eq!(id(&answer).as_deref(), wanted, "{answer}");
        }
    }

    #[test]
    fn a_message_is_known_by_its_id_and_by_our_reference() {
        let provider = Provider::new();
        provider.on("POST api /5db9/send").answer(200, &json!({"status": "success", "id": "n-1"}));
        let accepted = send().unwrap().accepted(2);
        assert_eq!((accepted.part, accepted.external_id.as_deref()), (2, Some("n-1")));
        assert_eq!(accepted.extras, [Field::new("ref", "msg-1")]);
        assert_eq!(provider.requests()[0].json(), json!({"SMS": {}}));
    }

    #[test]
    fn without_an_id_the_reference_is_one() {
        let provider = Provider::new();
        provider.on("POST api /5db9/send").answer(200, &json!({"status": "success", "message": "queued"}));
        provider.on("POST api /5db9/send").answer_bytes(202, "text/plain", "");
        for _ in 0..2 {
            let accepted = send().unwrap().accepted(0);
            assert_eq!((accepted.external_id.as_deref(), accepted.extras.len()), (Some("msg-1"), 0));
        }
    }

    #[test]
    fn a_success_that_says_failed_is_a_refusal_and_one_that_is_no_json_is_a_doubt() {
        let provider = Provider::new();
        provider.on("POST api /5db9/send").answer(200, &json!({"status": "Failed", "message": "no receivers"}));
        provider.on("POST api /5db9/send").answer_bytes(200, "text/html", "<html>");
        provider.on("POST api /5db9/send").broken("reset");
        provider.on("POST api /5db9/send").not_sent("dns");
        let failure = || send().unwrap_err().of_send(1);
        assert!(matches!(failure(), Failure::Rejected(_)));
        assert!(matches!(failure(), Failure::Uncertain(_)));
        assert!(matches!(failure(), Failure::Uncertain(_)));
        assert!(matches!(failure(), Failure::Unavailable(_)));
    }
}

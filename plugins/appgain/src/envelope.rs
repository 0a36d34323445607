//! The envelope of a webhook: `{event, session, suit_id, id, timestamp, payload}`.

use patchbay_plugin::Failure;
use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::hooks::Webhook;
use serde_json::Value;

use crate::json::Json as _;

/// What Appgain tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// What happened, in lower case: `message`, `message.ack`, `sms.status`, …
    pub event: String,
    /// The event's id, the same whenever it is delivered again.
    pub id: Option<String>,
    /// The WhatsApp session.
    pub session: Option<String>,
    /// The project.
    pub suit_id: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: Option<f64>,
    /// What the event tells; null where there is nothing.
    pub payload: Value,
}

impl Envelope {
    /// Reads a webhook's body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] where it is no envelope at all. An unknown event isn't an error.
    pub fn read(webhook: &Webhook) -> Result<Self, Failure> {
        let body: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
        if !body.is_object() {
            return Err(Failure::invalid("", "a webhook of Appgain's is a JSON object"));
        }
        // A header names it, too.
        let header = || webhook.headers.iter().find(|header| header.name.eq_ignore_ascii_case("x-appgain-event"));
        let event = body.text("event").or_else(|| header().map(|header| header.value.as_str())).map(str::trim);
        let event = event.filter(|event| !event.is_empty());
        let event = event.ok_or_else(|| Failure::invalid("/event", "a webhook of Appgain's names its event"))?;
        Ok(Self {
            event: event.to_lowercase(),
            id: body.id("id"),
            session: body.id("session"),
            suit_id: body.id("suit_id"),
            at_ms: body.time_ms("timestamp"),
            payload: body.get("payload").cloned().unwrap_or_default(),
        })
    }

    /// Whether it is of that project: an envelope that names none is the account's to whose URL it came.
    #[must_use]
    pub fn is_of(&self, suit_id: &str) -> bool {
        self.suit_id.as_deref().is_none_or(|told| told == suit_id)
    }

    /// A key that is equal for every delivery of this fact: the event's id; else the payload's with the event and `detail` (an ack, a status);
    /// else a hash of all.
    #[must_use]
    pub fn key(&self, detail: &str) -> String {
        let scope = self.suit_id.as_deref().unwrap_or_default();
        if let Some(id) = &self.id {
            return format!("appgain:{scope}:{id}");
        }
        let named = self.payload.id("id").or_else(|| self.payload.id("client_ref"));
        let named = named.unwrap_or_else(|| {
            let whole = format!("{:?} {:?} {}", self.session, self.at_ms, self.payload);
            crypto::digest(HashAlgorithm::Sha256, whole.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        });
        format!("appgain:{scope}:{}:{named}:{detail}", self.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing;
    use serde_json::json;

    fn read(body: &str) -> Result<Envelope, Failure> {
        Envelope::read(&testing::webhook(testing::account(None, &json!({})), body))
    }

    #[test]
    fn an_envelope_is_read() {
        let envelope =
            read(r#"{"event":"message.ack","id":"evt_3","suit_id":"5db9","session":"s_1","timestamp":1764000010,"payload":{"ack":3}}"#)
                .unwrap();
        assert_eq!((envelope.event.as_str(), envelope.at_ms), ("message.ack", Some(1_764_000_010_000.0)));
        assert_eq!((envelope.key("3").as_str(), envelope.payload), ("appgain:5db9:evt_3", json!({"ack": 3})));
        assert_eq!(envelope.session.as_deref(), Some("s_1"));
    }

    #[test]
    fn what_is_no_envelope_is_refused_and_any_event_is_taken() {
        for wrong in ["", "hello", "[]", "7", "null", "{}", r#"{"event":7}"#, r#"{"event":"message","payload":{"#] {
            assert!(matches!(read(wrong), Err(Failure::Invalid(_))), "{wrong}");
        }
        assert_eq!(read(r#"{"event":"x","id":null,"payload":7,"timestamp":"soon"}"#).unwrap().payload, 7);
    }

    #[test]
    fn the_event_is_named_in_any_case_and_by_the_header_where_the_body_leaves_it_out() {
        assert_eq!(read(r#"{"event":"SMS.Status"}"#).unwrap().event, "sms.status");
        let mut webhook = testing::webhook(testing::account(None, &json!({})), r#"{"payload":{}}"#);
        webhook.headers.push(patchbay_plugin::Field::new("X-Appgain-Event", "message.ack"));
        assert_eq!(Envelope::read(&webhook).unwrap().event, "message.ack");
    }

    #[test]
    fn an_event_is_of_the_project_that_it_names_or_of_whom_it_came_to() {
        let of = |body: &str| read(body).unwrap().is_of("5db9");
        assert!(of(r#"{"event":"x"}"#) && of(r#"{"event":"x","suit_id":"5db9"}"#));
        assert!(!of(r#"{"event":"x","suit_id":"other"}"#));
    }

    #[test]
    fn without_an_id_of_its_own_an_event_has_a_key_all_the_same() {
        let ack =
            |ack: u8| read(&json!({"event": "message.ack", "payload": {"id": "m", "ack": ack}}).to_string()).unwrap().key(&ack.to_string());
        assert_eq!((ack(2), ack(2) == ack(3)), ("appgain::message.ack:m:2".to_owned(), false));
        let bare = |status: &str| {
            read(&json!({"event": "session.status", "timestamp": 1, "payload": {"status": status}}).to_string()).unwrap().key("")
        };
        assert_eq!(bare("A"), bare("A"));
        assert_ne!(bare("A"), bare("B"));
    }
}

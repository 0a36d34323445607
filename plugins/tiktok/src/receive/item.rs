//! One event of TikTok's: whose it is, who is in it, when it was.

use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::messages::{Conversation, ConversationKind, Custom, Event, Happening, Identity, Party};
use serde_json::{Value, json};

use crate::clock;
use crate::json::Json as _;

/// Most characters of JSON that an event of an unknown kind carries.
const RAW_MAX: usize = 8 * 1024;
/// Of these the content is read. `im_receive_msg_eu` has none, and the others speak of settings and comments: they are no events.
const KNOWN: [&str; 4] = ["im_receive_msg", "im_send_msg", "im_mark_read_msg", "im_referral_msg"];

#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) event: &'a str,
    /// The business: whose account it is.
    pub(super) business: String,
    pub(super) content: Value,
    pub(super) at_ms: Option<i64>,
    /// The business did it, and not the person.
    pub(super) own: bool,
}

/// What is no event, and where.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) pointer: &'static str,
    pub(super) words: String,
}

impl<'a> Item<'a> {
    /// None for the events that tell nothing.
    pub(super) fn read(envelope: &'a Value) -> Result<Option<Self>, Unreadable> {
        let Some(event) = envelope.text("event") else {
            return Err(Unreadable { pointer: "/event", words: "is missing: a webhook of TikTok's names its event".into() });
        };
        if !KNOWN.contains(&event) {
            return Ok(None);
        }
        let content = match envelope.get("content") {
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| format!("isn't JSON: {error}")),
            Some(content) => Ok(content.clone()),
            None => Err("is missing".to_owned()),
        };
        let content = content.and_then(|content| if content.is_object() { Ok(content) } else { Err("is no object".to_owned()) });
        let content = content.map_err(|words| Unreadable { pointer: "/content", words })?;
        let side = |name: &str| content.get(name).unwrap_or(&Value::Null);
        let (from, to) = (side("from_user"), side("to_user"));
        let of_business = |user: &Value| user.id("id").filter(|_| user.text("role") == Some("business_account"));
        let named = envelope.id("user_openid").or_else(|| of_business(to)).or_else(|| of_business(from));
        let business = named.ok_or_else(|| Unreadable { pointer: "/user_openid", words: "is missing: nobody knows whose it is".into() })?;
        let is_business = |user: &Value| user.id("id").is_some_and(|id| id == business);
        // Who is written to decides; the event's name only where nobody is named.
        let own = !is_business(to) && (is_business(from) || event == "im_send_msg");
        let at_ms = content.whole("timestamp").or_else(|| envelope.whole("create_time")?.checked_mul(1000));
        Ok(Some(Self { event, business, content, at_ms, own }))
    }

    pub(super) fn event(&self, key: &str, what: Happening) -> Event {
        let mut event = Event::new(format!("tt:{}:{}:{key}", self.business, self.event), what);
        event.account = Some(self.business.clone());
        event.conversation = self.conversation();
        event.actor = (!self.own).then(|| self.speaker()).filter(|speaker| !speaker.identities.is_empty());
        event.at_ms = self.at_ms.map(clock::milliseconds);
        event
    }

    pub(super) fn conversation(&self) -> Option<Conversation> {
        let external_id = self.content.id("conversation_id")?;
        Some(Conversation { external_id, kind: ConversationKind::Direct, title: None })
    }

    /// Who has said it.
    pub(super) fn speaker(&self) -> Party {
        let username = self.content.text("from");
        let id = self.content.get("from_user").and_then(|user| user.id("id"));
        let id = id.or_else(|| if self.own { Some(self.business.clone()) } else { self.content.id("unique_identifier") });
        let mut identities: Vec<Identity> = id.map(|id| Identity::new("tiktok", id)).into_iter().collect();
        identities.extend(username.map(|name| Identity::new("tiktok_username", name)));
        Party { identities, name: username.map(str::to_owned) }
    }

    /// What lacks something that it can't be without.
    pub(super) fn ignored(&self, reason: &str) -> Event {
        let json = json!({"reason": reason, "event": self.event, "raw": bounded(&self.content)});
        self.event(&format!("ignored:{}", fingerprint(&self.content)), custom("ignored", &json))
    }
}

/// An event of a batch that can't be read.
pub(super) fn unreadable(envelope: &Value, unreadable: &Unreadable) -> Event {
    let reason = format!("{} {}", unreadable.pointer, unreadable.words);
    let json = json!({"reason": reason, "raw": bounded(envelope)});
    let mut event = Event::new(format!("tt:ignored:{}", fingerprint(envelope)), custom("ignored", &json));
    event.account = envelope.id("user_openid");
    event
}

pub(super) fn custom(kind: &str, json: &Value) -> Happening {
    Happening::Custom(Custom::new(kind, json))
}

/// Stands for a value in a key.
pub(super) fn fingerprint(value: &Value) -> String {
    let digest = crypto::digest(HashAlgorithm::Sha256, value.to_string().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The value, or its beginning as text.
pub(super) fn bounded(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= RAW_MAX { value.clone() } else { text.chars().take(RAW_MAX / 4).collect::<String>().into() }
}

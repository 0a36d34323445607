//! Webhooks → events. Shopify's headers tell the topic and the shop; the gateway has checked the signature before.
//!
//! Keys are made of what a fact is about (a message, a state, a time), not of the delivery: `X-Shopify-Webhook-Id` is the same for
//! every attempt of one delivery, and so is its body, so the same delivery has the same key; and a message that is delivered by two
//! subscriptions, with two of these ids, has one key too. Only facts that tell nothing of themselves (the app was uninstalled) go by
//! the id of the event, or of the delivery.

mod content;
mod message;
mod people;
mod shop;
mod status;
mod time;

use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::hooks::{Parsed, Webhook, parse_settings};
use patchbay_plugin::messages::{Conversation, ConversationKind, Event, Happening};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::Value;

use crate::json::Json as _;
use crate::settings::Settings;

/// Most bytes of JSON that an event of the shop carries.
const RAW_MAX: usize = 8 * 1024;

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let delivery = Delivery::read(webhook)?;
    let events = match delivery.topic.as_str() {
        "inbox/message_created" => message::created(&delivery)?,
        "inbox/message_updated" => message::updated(&delivery)?,
        "inbox/message_status" => status::message(&delivery)?,
        "inbox/conversation_closed" => status::closed(&delivery)?,
        "app/uninstalled" => shop::uninstalled(&delivery),
        "customers/data_request" | "customers/redact" | "shop/redact" => shop::compliance(&delivery),
        // customers/update, orders/create and what else the shop may be subscribed to.
        _ => Vec::new(),
    };
    Ok(Parsed::events(events))
}

/// One webhook of the account's own shop.
struct Delivery {
    topic: String,
    shop: String,
    /// The id of the merchant's action, or else of the delivery.
    id: Option<String>,
    triggered_at_ms: Option<f64>,
    body: Value,
}

impl Delivery {
    fn read(webhook: &Webhook) -> Result<Self, Failure> {
        let header = |name: &str| header(webhook, name);
        let told = header("shop-domain").map(str::to_ascii_lowercase);
        let told = told.ok_or_else(|| {
            Failure::rejected("no_shop", "the header X-Shopify-Shop-Domain is missing: this is no webhook of Shopify's form")
        })?;
        let shop = own_shop(webhook)?;
        if told != shop {
            return Err(Failure::rejected(
                "other_shop",
                format!("the webhook is of {told}, and the account of {shop}: correct the address there"),
            ));
        }
        let topic = header("topic").map(str::to_ascii_lowercase);
        let topic = topic
            .ok_or_else(|| Failure::rejected("no_topic", "the header X-Shopify-Topic is missing: this is no webhook of Shopify's form"))?;
        let body: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
        if !body.is_object() {
            return Err(Failure::invalid("", "a webhook of Shopify's is a JSON object"));
        }
        let id = header("event-id").or_else(|| header("webhook-id")).map(str::to_owned);
        let triggered_at_ms = header("triggered-at").and_then(time::parse);
        Ok(Self { topic, shop, id, triggered_at_ms, body })
    }

    fn key(&self, about: &str) -> String {
        format!("shopify:{}:{about}", self.shop)
    }

    fn event(&self, about: &str, what: Happening) -> Event {
        let mut event = Event::new(self.key(about), what);
        event.at_ms = self.triggered_at_ms;
        event
    }

    /// What tells this delivery from others where the fact has nothing of its own.
    fn mark(&self) -> String {
        self.id.clone().unwrap_or_else(|| fingerprint(&self.body))
    }

    fn conversation(&self) -> Result<Conversation, Failure> {
        let told = self.body.get("conversation").and_then(|conversation| conversation.id("id"));
        let external_id = told.ok_or_else(|| Failure::invalid("/conversation/id", "says which conversation it is"))?;
        Ok(Conversation { external_id, kind: ConversationKind::Direct, title: None })
    }

    /// The message, with its id.
    fn message(&self) -> Result<(&Value, String), Failure> {
        let message = self.body.object("message").ok_or_else(|| Failure::invalid("/message", "is the message"))?;
        let id = message.id("id").ok_or_else(|| Failure::invalid("/message/id", "says which message it is"))?;
        Ok((message, id))
    }
}

/// Shopify's newer events leave the `X-` out.
fn header<'a>(webhook: &'a Webhook, name: &str) -> Option<&'a str> {
    let with = webhook.headers.header(&format!("x-shopify-{name}"));
    with.or_else(|| webhook.headers.header(&format!("shopify-{name}"))).map(str::trim).filter(|value| !value.is_empty())
}

/// The shop is the account's id; before the first connection the settings have it.
fn own_shop(webhook: &Webhook) -> Result<String, Failure> {
    let account = webhook.account.as_ref().ok_or_else(|| Failure::rejected("no_account", "the webhook came to no account"))?;
    let settings = || parse_settings::<Settings>(&account.settings).map(|settings| settings.shop_domain).unwrap_or_default();
    Ok(account.external_id.clone().filter(|id| !id.is_empty()).unwrap_or_else(settings).to_ascii_lowercase())
}

fn fingerprint(told: &Value) -> String {
    let hash = crypto::digest(HashAlgorithm::Sha256, told.to_string().as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// JSON that is small enough to carry.
fn bounded(told: &Value) -> Value {
    if told.to_string().len() > RAW_MAX { Value::Null } else { told.clone() }
}

#[cfg(test)]
mod tests;

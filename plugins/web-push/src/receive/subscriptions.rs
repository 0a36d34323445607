//! A browser subscribes, comes again, gets another address, unsubscribes.

use patchbay_plugin::crypto::{self, HashAlgorithm, constant_time_equal, digest};
use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{Event, Happening, Identity, Party, Subscription};
use patchbay_plugin::{Failure, Field, Fields as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{read, reply};
use crate::encryption::Receiver;
use crate::endpoint;
use crate::settings::Settings;

/// Things that are kept of a device, and characters of each.
const META_MAX: usize = 20;
const META_LENGTH: usize = 300;
/// Characters of an id, an address of e-mail, a phone number.
const IDENTITY_MAX: usize = 200;
/// Name of the secret that a site's own server proves its contacts with.
const IDENTITY_KEY: &str = "identity_key";

/// `PushSubscription.toJSON()`.
#[derive(Deserialize)]
struct Given {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

/// Who uses the device, as the page says.
#[derive(Default, Deserialize)]
struct Contact {
    external_id: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    /// Hexadecimal HMAC-SHA256 of the three, a line each, with the account's `identity_key`.
    proof: Option<String>,
}

#[derive(Deserialize)]
struct Making {
    subscription: Given,
    old_endpoint: Option<String>,
    contact: Option<Contact>,
    meta: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Ending {
    endpoint: String,
}

pub(super) fn made(webhook: &Webhook) -> Result<Parsed, Failure> {
    let making: Making = read(webhook)?;
    let (id, event) = making.event(webhook, None)?;
    Ok(Parsed { events: vec![event], reply: reply(201, Some(&json!({"id": id}))) })
}

/// The new one first: it takes over from the old one while that is still known.
pub(super) fn replaced(webhook: &Webhook) -> Result<Parsed, Failure> {
    let making: Making = read(webhook)?;
    let old = making.old_endpoint.as_deref().filter(|old| *old != making.subscription.endpoint);
    let (id, event) = making.event(webhook, old.map(endpoint::id).as_deref())?;
    let mut events = vec![event];
    events.extend(old.map(|old| gone(webhook, old, "replaced")));
    Ok(Parsed { events, reply: reply(200, Some(&json!({"id": id}))) })
}

/// Whoever knows the address has the subscription.
pub(super) fn ended(webhook: &Webhook) -> Result<Parsed, Failure> {
    let ending: Ending = read(webhook)?;
    if ending.endpoint.is_empty() {
        return Err(Failure::invalid("/endpoint", "is the subscription's endpoint"));
    }
    Ok(Parsed { events: vec![gone(webhook, &ending.endpoint, "unsubscribed")], reply: reply(204, None) })
}

impl Making {
    fn event(&self, webhook: &Webhook, replaces: Option<&str>) -> Result<(String, Event), Failure> {
        let subscription = self.checked(webhook)?;
        let id = endpoint::id(&self.subscription.endpoint);
        let mut extras = self.meta();
        extras.extend(webhook.headers.header("user-agent").map(|agent| Field::new("user_agent", clipped(agent))));
        extras.extend(replaces.map(|old| Field::new("replaces", old)));
        let mut event =
            Event::new(key(webhook, &id), Happening::Subscription(Subscription { id: id.clone(), active: true, extras, ..subscription }));
        let identities = self.identities(&id, replaces)?;
        event.actor = Some(Party { identities, name: None }).filter(|actor| !actor.identities.is_empty());
        Ok((id, event))
    }

    fn checked(&self, webhook: &Webhook) -> Result<Subscription, Failure> {
        let settings: Settings =
            webhook.account.as_ref().ok_or_else(|| Failure::fault("account", "the call names no account"))?.settings()?;
        let Given { endpoint, keys: Keys { p256dh, auth } } = &self.subscription;
        let mut problems = Vec::new();
        let mut wrong = |pointer: String, why: &str| problems.push(FieldProblem { pointer, message: why.to_owned() });
        if let Err(why) = endpoint::check(endpoint, &settings.endpoint_allowlist) {
            wrong("/subscription/endpoint".to_owned(), why);
        }
        if let Err((name, why)) = Receiver::parse(p256dh, auth) {
            wrong(format!("/subscription/keys/{name}"), why);
        }
        if !problems.is_empty() {
            return Err(Failure::Invalid(problems));
        }
        let keys = vec![Field::new("p256dh", p256dh), Field::new("auth", auth)];
        Ok(Subscription { id: String::new(), endpoint: endpoint.clone(), keys, active: true, extras: Vec::new() })
    }

    /// Who uses it; of a device whose user nobody knows the subscription itself. Whoever had the one that it replaces keeps it.
    fn identities(&self, id: &str, replaces: Option<&str>) -> Result<Vec<Identity>, Failure> {
        let known = self.contact.as_ref().map_or_else(|| Ok(Vec::new()), Contact::identities)?;
        if let Some(contact) = self.contact.as_ref().filter(|_| !known.is_empty()) {
            contact.prove()?;
            return Ok(known);
        }
        Ok(if replaces.is_some() { known } else { vec![Identity::new("web_push", id)] })
    }

    fn meta(&self) -> Vec<Field> {
        let told = self.meta.iter().flatten().take(META_MAX).filter(|(name, _)| !matches!(name.as_str(), "replaces" | "user_agent"));
        told.filter_map(|(name, value)| match value {
            Value::String(text) => Some(Field::new(clipped(name), clipped(text))),
            Value::Bool(_) | Value::Number(_) => Some(Field::new(clipped(name), value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
    }
}

impl Contact {
    fn named(&self) -> [(&'static str, &str); 3] {
        let named = [("external_id", &self.external_id), ("email", &self.email), ("phone", &self.phone)];
        named.map(|(name, value)| (name, value.as_deref().map(str::trim).unwrap_or_default()))
    }

    fn identities(&self) -> Result<Vec<Identity>, Failure> {
        let named = self.named();
        let wrong = |name: &str, why: &str| Err(Failure::invalid(format!("/contact/{name}"), why));
        for (name, value) in named {
            if value.chars().count() > IDENTITY_MAX || value.chars().any(char::is_control) {
                return wrong(name, "is longer than any, or holds control characters");
            }
            if name == "email" && !value.is_empty() && !value.contains('@') {
                return wrong(name, "is no address of e-mail");
            }
        }
        Ok(named.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| Identity::new(name, value)).collect())
    }

    /// Where the account has the key, a page can't say that it is somebody else's.
    fn prove(&self) -> Result<(), Failure> {
        if !crypto::has(IDENTITY_KEY) {
            return Ok(());
        }
        let said = self.named().map(|(_, value)| value).join("\n");
        let right = hex::encode(crypto::hmac(IDENTITY_KEY, HashAlgorithm::Sha256, said.as_bytes())?);
        let proof = self.proof.as_deref().unwrap_or_default().to_ascii_lowercase();
        if constant_time_equal(right.as_bytes(), proof.as_bytes()) {
            return Ok(());
        }
        Err(Failure::rejected(
            "forbidden_token",
            "contact.proof isn't what the account's identity_key makes of external_id, email and phone",
        ))
    }
}

fn gone(webhook: &Webhook, address: &str, reason: &str) -> Event {
    let id = endpoint::id(address);
    let dedupe_key = key(webhook, &id);
    let extras = vec![Field::new("reason", reason)];
    let ended = Subscription { id, endpoint: address.to_owned(), keys: Vec::new(), active: false, extras };
    Event::new(dedupe_key, Happening::Subscription(ended))
}

/// A visit is another fact than the one before: the body's `at` tells, a time that nobody reads. The same body again is the same fact.
fn key(webhook: &Webhook, id: &str) -> String {
    let body = hex::encode(digest(HashAlgorithm::Sha256, &webhook.body));
    format!("subscription:{id}:{}:{}", webhook.method.to_ascii_lowercase(), body.chars().take(32).collect::<String>())
}

fn clipped(text: &str) -> String {
    text.chars().take(META_LENGTH).collect()
}

//! The subscriptions that make Shopify call us. Chat messages come from the merchant's app and need none.

use patchbay_plugin::{Failure, log};
use serde::Deserialize;
use serde_json::json;

use crate::access::Access;
use crate::admin::{self, Answer};
use crate::refusal::{self, UserError};

/// What Shopify itself has to tell: that the token is dead.
const TOPICS: [&str; 1] = ["APP_UNINSTALLED"];
/// The first version that calls the address `uri`.
const SINCE_URI: &str = "2025-10";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    topic: String,
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    callback_url: Option<String>,
}

impl Subscription {
    fn leads_to(&self, url: &str) -> bool {
        self.uri.as_deref().or(self.callback_url.as_deref()) == Some(url)
    }
}

/// Asks by the version's name of the address; where Shopify, which may answer with another version, doesn't know that, by the other.
fn by_name<T>(access: &Access<'_>, ask: impl Fn(&str) -> Result<T, Failure>) -> Result<T, Failure> {
    let since = access.settings.api_version.as_str() >= SINCE_URI;
    let (name, other) = if since { ("uri", "callbackUrl") } else { ("callbackUrl", "uri") };
    let names_it = |words: &str| words.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
    match ask(name) {
        Err(Failure::Rejected(detail)) if names_it(&detail.message) => ask(other),
        told => told,
    }
}

/// None where Shopify doesn't tell.
fn list(access: &Access<'_>) -> Result<Option<Vec<Subscription>>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        webhook_subscriptions: Option<Nodes>,
    }
    #[derive(Deserialize)]
    struct Nodes {
        nodes: Vec<Subscription>,
    }
    let answer: Answer<Data> = by_name(access, |address| {
        let document = format!(
            "query($topics: [WebhookSubscriptionTopic!]) {{ webhookSubscriptions(first: 100, topics: $topics) {{ nodes {{ id topic {address} }} }} }}"
        );
        admin::ask(access, &document, &json!({"topics": TOPICS}))
    })?;
    Ok(answer.data.webhook_subscriptions.map(|told| told.nodes))
}

/// For an account that is connected: what can't be listed is made all the same.
pub(crate) fn subscribe(access: &Access<'_>, url: &str) -> Result<(), Failure> {
    let standing = match list(access) {
        Err(Failure::Rejected(detail)) => {
            log::info("the subscriptions can't be listed", &[("code", &detail.code)]);
            None
        }
        told => told?,
    };
    make(access, url, &standing.unwrap_or_default()).map(drop)
}

/// Makes the ones that are missing, and tells which these were.
pub(crate) fn ensure(access: &Access<'_>, url: &str) -> Result<Vec<&'static str>, Failure> {
    list(access)?.map_or_else(|| Ok(Vec::new()), |standing| make(access, url, &standing))
}

fn make(access: &Access<'_>, url: &str, standing: &[Subscription]) -> Result<Vec<&'static str>, Failure> {
    let missing = |topic: &&str| !standing.iter().any(|subscription| subscription.topic == *topic && subscription.leads_to(url));
    let missing: Vec<&'static str> = TOPICS.into_iter().filter(missing).collect();
    for topic in &missing {
        create(access, topic, url)?;
    }
    Ok(missing)
}

fn create(access: &Access<'_>, topic: &str, url: &str) -> Result<(), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        webhook_subscription_create: Option<Created>,
    }
    let document = "mutation($topic: WebhookSubscriptionTopic!, $to: WebhookSubscriptionInput!) { \
        webhookSubscriptionCreate(topic: $topic, webhookSubscription: $to) { webhookSubscription { id } userErrors { field message } } }";
    let answer: Answer<Data> =
        by_name(access, |address| admin::ask(access, document, &json!({"topic": topic, "to": {address: url, "format": "JSON"}})))?;
    let errors = answer.data.webhook_subscription_create.and_then(|created| created.user_errors).unwrap_or_default();
    // Another attempt of ours was there first.
    if errors.is_empty() || errors.iter().any(|error| error.message.contains("already been taken")) {
        return Ok(());
    }
    let is_address = |error: &UserError| error.field.iter().flatten().any(|field| matches!(field.as_str(), "uri" | "callbackUrl"));
    if errors.iter().any(is_address) {
        let words: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        let words = format!(
            "Shopify doesn't take {url}: {}. Set the gateway's public URL to an HTTPS address that can be reached",
            words.join("; ")
        );
        return Err(Failure::invalid("/public_url", words));
    }
    Err(refusal::of_user_errors(&errors))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    user_errors: Option<Vec<UserError>>,
}

/// Takes away those that lead to us.
pub(crate) fn remove(access: &Access<'_>, url: &str) -> Result<(), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        webhook_subscription_delete: Option<Created>,
    }
    let document =
        "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } } }";
    for subscription in list(access)?.unwrap_or_default().iter().filter(|subscription| subscription.leads_to(url)) {
        let answer: Answer<Data> = admin::ask(access, document, &json!({"id": subscription.id}))?;
        // One that is gone already is as good.
        let errors = answer.data.webhook_subscription_delete.and_then(|deleted| deleted.user_errors).unwrap_or_default();
        if !errors.is_empty() && !errors.iter().any(|error| error.message.contains("not exist")) {
            return Err(refusal::of_user_errors(&errors));
        }
    }
    Ok(())
}

//! The subscriptions that make Shopify call us. Chat messages come from the merchant's app and need none.

use patchbay_plugin::Failure;
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

fn has_uri(access: &Access<'_>) -> bool {
    access.settings.api_version.as_str() >= SINCE_URI
}

fn list(access: &Access<'_>) -> Result<Vec<Subscription>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        webhook_subscriptions: Nodes,
    }
    #[derive(Deserialize)]
    struct Nodes {
        nodes: Vec<Subscription>,
    }
    let address = if has_uri(access) { "uri" } else { "callbackUrl" };
    let document = format!(
        "query($topics: [WebhookSubscriptionTopic!]) {{ webhookSubscriptions(first: 100, topics: $topics) {{ nodes {{ id topic {address} }} }} }}"
    );
    let answer: Answer<Data> = admin::ask(access, &document, &json!({"topics": TOPICS}))?;
    Ok(answer.data.webhook_subscriptions.nodes)
}

/// Makes the ones that are missing, and tells which these were.
pub(crate) fn ensure(access: &Access<'_>, url: &str) -> Result<Vec<&'static str>, Failure> {
    let standing = list(access)?;
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
    let to = if has_uri(access) { json!({"uri": url, "format": "JSON"}) } else { json!({"callbackUrl": url, "format": "JSON"}) };
    let answer: Answer<Data> = admin::ask(access, document, &json!({"topic": topic, "to": to}))?;
    let errors = answer.data.webhook_subscription_create.map(|created| created.user_errors).unwrap_or_default();
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
    #[serde(default)]
    user_errors: Vec<UserError>,
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
    for subscription in list(access)?.iter().filter(|subscription| subscription.leads_to(url)) {
        let answer: Answer<Data> = admin::ask(access, document, &json!({"id": subscription.id}))?;
        // One that is gone already is as good.
        let errors = answer.data.webhook_subscription_delete.map(|deleted| deleted.user_errors).unwrap_or_default();
        if !errors.is_empty() && !errors.iter().any(|error| error.message.contains("not exist")) {
            return Err(refusal::of_user_errors(&errors));
        }
    }
    Ok(())
}

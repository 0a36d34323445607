//! A device or browser that takes notifications, as the gateway shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::content::Extras;
use crate::clock::At;

/// Without the endpoint and its keys: whoever has them can push.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Subscription")]
pub struct Subscriber {
    /// The plugin's, the same for the same endpoint.
    pub id: String,
    pub organization_id: String,
    pub channel_account_id: String,
    pub contact_id: Option<String>,
    /// Of the endpoint.
    pub host: String,
    /// What the channel tells of the device.
    pub extras: Extras,
    pub created_at: At,
    pub last_seen_at: At,
}

/// Where to push: what is sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub endpoint: String,
    pub keys: Extras,
}

impl Endpoint {
    /// For people; empty where the endpoint is no URL.
    pub fn host(&self) -> String {
        Url::parse(&self.endpoint).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A subscription as events show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SubscriptionView {
    /// `to` of a message to this device alone.
    pub id: String,
    /// False where it takes nothing any more.
    pub active: bool,
    /// Of its endpoint, which isn't told itself: whoever has it can push.
    pub host: String,
    /// What the channel tells of the device.
    pub extras: Extras,
}

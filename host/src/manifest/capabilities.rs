//! What a channel can carry, and how much of the machine a call may take.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the outbox checks a message against before it takes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Its conversations belong in an inbox of people (a push channel's don't).
    #[serde(default)]
    pub inbox: bool,
    /// What people write goes to a folder of requests until they are answered, and the provider's webhooks don't say so: the gateway
    /// marks it (`message_request` in the place of `direct`).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub message_requests: bool,
    /// Messages go to devices that have subscribed: the gateway keeps them, and hands those of the recipient over with each message.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub subscriptions: bool,
    /// The states that the provider reports: `sent`, `delivered`, `read`, `played`, `failed`.
    #[serde(default)]
    pub receipts: Vec<String>,
    /// The provider takes our message id as an idempotency key, so an uncertain send may be repeated.
    #[serde(default)]
    pub idempotent_send: bool,
    /// `message`, `react`, `edit`, `delete`, `typing`, `mark-read`, `custom`.
    #[serde(default)]
    pub commands: Vec<String>,
    /// The kinds of its `custom` commands and contents.
    #[serde(default)]
    pub custom: Vec<String>,
    /// By kind of content; a kind that isn't here is refused.
    #[serde(default)]
    pub content: BTreeMap<String, ContentLimits>,
    #[serde(default)]
    pub rates: Rates,
}

/// Limits of one kind of content. An absent one isn't checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentLimits {
    /// Characters (Unicode scalar values) of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Characters (Unicode scalar values) of a caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_caption: Option<u32>,
    /// False where the provider fetches nothing by itself: the gateway fetches a file that is given by URL and the plugin gets its
    /// bytes. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<bool>,
    /// True where the provider fetches files by URL: the plugin gets a signed public URL in place of a file that the gateway keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<bool>,
    /// Bytes of one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u32>,
    /// Files of an album, cards, options of a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// Of `interactive`: `buttons`, `quick-replies`, `menu`, `carousel`. Empty is all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// How fast the provider lets one account send. An absent rate isn't limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_account_per_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_account_per_min: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_account_per_day: Option<u32>,
    /// One conversation with one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_conversation_per_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_conversation_per_min: Option<u32>,
    /// One conversation of kind group or broadcast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_group_per_min: Option<u32>,
}

/// What one call may take, where the plugin asks for other than the operator's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// MiB of all memories of a call: 1 to 256, default 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Milliseconds of processor time: 10 to 2,000, default 250.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u32>,
    /// Milliseconds of wall clock: 100 to 60,000, default 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u32>,
    /// Calls of the gateway's functions, HTTP requests and reads of files among them: 10 to 10,000, default 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u32>,
}

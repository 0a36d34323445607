//! Endpoints: who gets our events, and what became of each.

use schemars::JsonSchema;
use serde::Serialize;

use super::{event::EventType, event_types::Selection, words};
use crate::clock::At;

words! {
    pub enum EndpointKind {
        /// A signed POST to a URL.
        Webhook = "webhook",
        /// A message in the operator's JetStream.
        Nats = "nats",
    }
}

words! {
    pub enum DeliveryState {
        /// Due at its time; the first of its lane.
        Waiting = "waiting",
        /// Behind an earlier one of its lane.
        Held = "held",
        Delivered = "delivered",
        /// Every attempt failed.
        Failed = "failed",
    }
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: String,
    /// None: the operator's, for all organisations. A webhook always has one.
    pub organization_id: Option<String>,
    pub target: Target,
    pub description: String,
    pub event_types: Selection,
    /// One account's events alone.
    pub channel_account_id: Option<String>,
    pub is_active: bool,
    /// Why and since when the gateway, not its owner, has deactivated it.
    pub disabled: Option<Disabled>,
    pub health: Health,
    /// Events up to this number are delivered, or have a delivery of their own that waits.
    pub cursor: i64,
    pub created_at: At,
    pub updated_at: At,
}

#[derive(Debug, Clone)]
pub enum Target {
    Webhook(Webhook),
    Nats,
}

impl Target {
    pub fn kind(&self) -> EndpointKind {
        match self {
            Target::Webhook(_) => EndpointKind::Webhook,
            Target::Nats => EndpointKind::Nats,
        }
    }

    pub fn url(&self) -> Option<&str> {
        match self {
            Target::Webhook(webhook) => Some(&webhook.url),
            Target::Nats => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: String,
    pub keys: SealedKeys,
}

/// The signing secrets as they are kept.
#[derive(Debug, Clone)]
pub struct SealedKeys {
    /// The endpoint's data key, wrapped by the master key.
    pub data_key: Vec<u8>,
    pub secret: Vec<u8>,
    /// The one before, and until when it signs along.
    pub previous: Option<(Vec<u8>, At)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    pub at: At,
    pub reason: String,
}

/// How deliveries went lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The first failure since the last success.
    pub failing_since: Option<At>,
    pub last_success_at: Option<At>,
    pub last_error: Option<String>,
}

/// One event's way to one endpoint.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EventDelivery")]
pub struct Delivery {
    pub event_id: String,
    #[serde(rename = "type")]
    pub event_type: EventType,
    pub state: DeliveryState,
    pub attempts: i64,
    /// The HTTP status of the last attempt.
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub last_attempt_at: Option<At>,
    /// None where it is over, or held back by an earlier event of its conversation.
    pub next_attempt_at: Option<At>,
    /// When it was delivered or given up.
    pub finished_at: Option<At>,
}

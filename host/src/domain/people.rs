//! The other side: contacts with their identities, and the conversations with them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;
use crate::clock::At;

words! {
    #[derive(Default)]
    pub enum ConversationKind {
        #[default]
        Direct = "direct",
        Group = "group",
        Broadcast = "broadcast",
    }
}

/// A conversation as a provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRef {
    pub external_id: String,
    pub kind: ConversationKind,
    pub title: Option<String>,
}

/// One of a person's ids; `scheme` names the kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    pub scheme: String,
    pub value: String,
}

impl Identity {
    /// Whether it is a name that people give up and others take: it says where somebody can be found now, not who it is. Such
    /// schemes end in `username` or `handle`; every other one is a provider's own id of one person.
    pub fn changes_hands(&self) -> bool {
        self.scheme.ends_with("username") || self.scheme.ends_with("handle")
    }
}

/// A person or group as a provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub identities: Vec<Identity>,
    pub name: Option<String>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Conversation {
    pub id: String,
    pub organization_id: String,
    pub channel_account_id: String,
    pub external_id: String,
    pub kind: ConversationKind,
    pub title: Option<String>,
    pub contact_id: Option<String>,
    pub last_message_at: At,
    pub created_at: At,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Contact {
    pub id: String,
    pub organization_id: String,
    pub channel_account_id: String,
    pub name: Option<String>,
    pub identities: Vec<Identity>,
    pub opted_out_at: Option<At>,
    pub opted_out_reason: Option<String>,
    /// Since when the provider says that nobody is there; none again once they write, or something reaches them.
    pub unreachable_at: Option<At>,
    pub unreachable_reason: Option<String>,
    pub created_at: At,
    pub updated_at: At,
}

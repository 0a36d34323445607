//! Nodes: the processes that share a database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;
use crate::clock::At;

words! {
    /// What a node does.
    pub enum Role {
        /// Answers REST clients, providers and listeners.
        Web = "web",
        /// Sends, polls, and does what is due by the clock.
        Worker = "worker",
    }
}

/// A node as it tells of itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Node {
    /// New with every start.
    pub id: String,
    pub name: String,
    /// Where it listens.
    pub address: String,
    pub roles: Vec<Role>,
    /// The gateway's version.
    pub version: String,
    pub started_at: At,
}

impl Node {
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// What a node runs for a channel type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunningPlugin")]
pub struct Running {
    #[serde(rename = "type")]
    pub channel_type: String,
    /// None where no version can run.
    pub digest: Option<String>,
    pub version: Option<String>,
    /// Why the active version can't run there.
    pub problem: Option<String>,
    /// The digest of the canary that runs there.
    #[serde(default)]
    pub canary: Option<String>,
}

/// A node as the others see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenNode {
    #[serde(flatten)]
    pub node: Node,
    /// Its last heartbeat.
    pub seen_at: At,
    pub plugins: Vec<Running>,
}

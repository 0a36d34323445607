//! One try at sending a message, as it is kept and shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::failure::Failure;
use crate::clock::At;

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Attempt {
    #[serde(skip)]
    pub message_id: String,
    /// Rises with every time that a worker took the message up.
    pub number: i64,
    pub started_at: At,
    /// From then on bytes may have left; none where nothing did.
    pub dispatched_at: Option<At>,
    pub finished_at: Option<At>,
    /// The state that the message got, or the class of the failure; `released` where nothing was tried; none while it runs and
    /// for the attempt of a worker that is gone.
    pub outcome: Option<String>,
    pub failure: Option<Failure>,
    pub plugin_digest: Option<String>,
}

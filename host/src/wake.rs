//! Wake-ups inside this process. Whoever waits looks again by itself after a while: a lost wake-up costs time, nothing else.

use std::sync::Arc;

use tokio::sync::Notify;

#[derive(Clone, Default)]
pub struct Wake {
    /// Something was queued for sending.
    pub outbox: Arc<Notify>,
    /// Events were appended.
    pub events: Arc<Notify>,
    /// Jobs were scheduled.
    pub jobs: Arc<Notify>,
    /// Messages brought files to fetch.
    pub media: Arc<Notify>,
}

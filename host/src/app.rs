//! The gateway's parts, built once by `boot` and shared by all.

use std::sync::Arc;

use patchbay_sandbox::Sandbox;

use crate::{
    blobs::Blobs, clock::Clock, config::Config, egress::Egress, endpoints::Nats, ids::Ids, inbox::Inbox, plugins::Registry,
    secrets::Keyring, store::Db, tasks::Tasks, wake::Wake,
};

pub struct App {
    pub config: Config,
    /// How providers reach the gateway, without a slash at the end.
    pub public_url: String,
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<Ids>,
    pub keyring: Keyring,
    pub egress: Egress,
    pub nats: Nats,
    pub blobs: Blobs,
    pub sandbox: Sandbox,
    pub plugins: Registry,
    pub inbox: Inbox,
    pub wake: Wake,
    pub tasks: Tasks,
}

impl App {
    /// Where a provider sends the account's webhooks.
    pub fn webhook_url(&self, account_id: &str) -> String {
        format!("{}/webhooks/{account_id}", self.public_url)
    }
}

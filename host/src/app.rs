//! The gateway's parts, built once by `boot` and shared by all.

use std::sync::Arc;

use patchbay_sandbox::Sandbox;

use crate::{
    accounts::KnownAccounts,
    blobs::Blobs,
    clock::Clock,
    config::Config,
    domain::node::Node,
    egress::Egress,
    endpoints::Nats,
    ids::Ids,
    inbox::{Inbox, TurnedAway},
    logbook::Logbook,
    media::Links,
    metrics::Metrics,
    plugins::Registry,
    secrets::Keyring,
    store::{Db, group::Group},
    tasks::Tasks,
    wake::Wake,
};

pub struct App {
    pub config: Config,
    /// This process.
    pub node: Node,
    /// How providers reach the gateway, without a slash at the end.
    pub public_url: String,
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<Ids>,
    pub keyring: Keyring,
    pub egress: Egress,
    pub nats: Nats,
    pub blobs: Blobs,
    pub links: Links,
    pub sandbox: Sandbox,
    pub plugins: Arc<Registry>,
    pub inbox: Inbox,
    /// Small writes that share a commit.
    pub group: Group,
    pub known: KnownAccounts,
    pub turned_away: TurnedAway,
    pub logbook: Arc<Logbook>,
    pub metrics: Arc<Metrics>,
    pub wake: Wake,
    pub tasks: Tasks,
}

impl App {
    /// Where a provider sends the account's webhooks.
    pub fn webhook_url(&self, account_id: &str) -> String {
        format!("{}/webhooks/{account_id}", self.public_url)
    }
}

//! The gateway's parts, built once by `boot` and shared by all.

use std::sync::Arc;

use patchbay_sandbox::Sandbox;

use crate::{
    accounts::Known,
    apps::KnownApp,
    auth::Auth,
    blobs::Blobs,
    browser,
    clock::Clock,
    config::Config,
    domain::{
        account::{Account, WebhookToken},
        node::Node,
    },
    egress::Egress,
    endpoints::Nats,
    ids::Ids,
    inbox::{Inbox, TurnedAway},
    logbook::Logbook,
    mail::Mail,
    manifest::WebhookScope,
    media::Links,
    memory::Memory,
    metrics::Metrics,
    plugins::{Registry, recording::Recordings},
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
    pub keyring: Arc<Keyring>,
    pub egress: Egress,
    pub mail: Mail,
    pub nats: Nats,
    pub blobs: Blobs,
    pub links: Links,
    pub sandbox: Sandbox,
    pub plugins: Arc<Registry>,
    pub inbox: Inbox,
    /// Small writes that share a commit.
    pub group: Group,
    pub known: Memory<Known>,
    pub known_apps: Memory<KnownApp>,
    pub turned_away: TurnedAway,
    pub browser_calls: browser::Calls,
    pub auth: Auth,
    pub logbook: Arc<Logbook>,
    pub recordings: Arc<Recordings>,
    pub metrics: Arc<Metrics>,
    pub wake: Wake,
    pub tasks: Tasks,
}

impl App {
    /// Where a provider sends the account's webhooks: to its own URL, which ends with its token where the type says so; or, where
    /// its type has one URL for many accounts, to its app's.
    pub fn webhook_url(&self, account: &Account) -> String {
        let manifest = self.plugins.manifest_for(account);
        let spec = manifest.as_ref().and_then(|manifest| manifest.webhook.as_ref());
        let own = format!("{}/webhooks/{}", self.public_url, account.id);
        match (&account.app_id, &account.webhook_token) {
            (Some(app_id), _) if spec.is_some_and(|spec| spec.scope == WebhookScope::App) => self.app_webhook_url(app_id),
            (_, Some(WebhookToken(token))) if spec.is_some_and(|spec| spec.path_token) => format!("{own}/{token}"),
            _ => own,
        }
    }

    /// Where a provider sends the webhooks of all accounts of an app.
    pub fn app_webhook_url(&self, app_id: &str) -> String {
        format!("{}/webhooks/apps/{app_id}", self.public_url)
    }

    /// Where a provider sends browsers back to.
    pub fn oauth_redirect_url(&self) -> String {
        format!("{}/oauth/callback", self.public_url)
    }
}

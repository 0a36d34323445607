//! What comes in: webhooks and polled pages become facts, and facts become messages, receipts and events. A webhook is
//! answered after the transaction that keeps it and all it told. Start at [`receive`].

mod apply;
mod commit;
mod media;
mod note;
mod replay;

pub use apply::{Applied, apply};
pub use commit::{Inbox, Ingest, Source};
pub use media::fetch_media;
pub use replay::{Released, release};

use std::collections::BTreeMap;

use patchbay_sandbox::contract::channel as wit;

use crate::{
    app::App,
    domain::{
        account::Account,
        event::Fact,
        failure::Failure,
        webhook::{Fields, Webhook, WebhookState},
    },
    plugins::{Version, convert},
    secrets::Secret,
    store::{StoreError, webhooks::Disposition},
};

/// What the provider is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: Option<u16>,
    pub headers: Fields,
    pub body: Vec<u8>,
}

/// Why a webhook was kept but not understood, or not kept at all.
#[derive(Debug)]
pub enum ReceiveError {
    /// Kept as failed: the plugin could not read it; a redelivery won't help, a mended plugin and a replay will.
    Unreadable(Failure),
    /// Kept as failed: no plugin could run. The provider should deliver again.
    NoPlugin(String),
    /// Not kept. The provider has to deliver again.
    Store(StoreError),
}

/// How a webhook was believed: the recipe's name, and the account's secrets that were opened for it.
pub struct Proof {
    pub verified_by: Option<&'static str>,
    pub secrets: BTreeMap<String, Secret>,
}

/// Takes a verified webhook in.
///
/// # Errors
/// The webhook is stored before every error but [`ReceiveError::Store`].
pub async fn receive(app: &App, account: &Account, webhook: Webhook, proof: Proof) -> Result<Reply, ReceiveError> {
    if !account.is_active {
        let held =
            Disposition { state: WebhookState::Held, reason: Some("the account is inactive".to_owned()), plugin_digest: None, events: 0 };
        app.inbox.commit(Ingest::webhook(account, webhook, held, Vec::new())).await.map_err(ReceiveError::Store)?;
        return Ok(Reply::default());
    }
    match parse(app, account, &webhook, proof).await {
        Ok(Parsed { facts, reply, disposition }) => {
            app.inbox.commit(Ingest::webhook(account, webhook, disposition, facts)).await.map_err(ReceiveError::Store)?;
            Ok(reply)
        }
        Err(unparsed) => {
            tracing::warn!(account.id = %account.id, reason = %unparsed.disposition.reason.as_deref().unwrap_or_default(), "a webhook was kept for later");
            app.inbox.commit(Ingest::webhook(account, webhook, unparsed.disposition, Vec::new())).await.map_err(ReceiveError::Store)?;
            Err(unparsed.error)
        }
    }
}

struct Parsed {
    facts: Vec<Fact>,
    reply: Reply,
    disposition: Disposition,
}

struct Unparsed {
    error: ReceiveError,
    disposition: Disposition,
}

/// Runs the plugin over a webhook. Nothing is stored here.
async fn parse(app: &App, account: &Account, webhook: &Webhook, proof: Proof) -> Result<Parsed, Unparsed> {
    let failed = |reason: String, digest: Option<String>| Disposition {
        state: WebhookState::Failed,
        reason: Some(reason),
        plugin_digest: digest,
        events: 0,
    };
    let Some(version) = app.plugins.get(&account.channel_type) else {
        let reason = format!("no plugin for {} can run", account.channel_type);
        return Err(Unparsed { error: ReceiveError::NoPlugin(reason.clone()), disposition: failed(reason, None) });
    };
    let digest = Some(version.digest.clone());
    let asked = webhook_out(account, &version, webhook, proof.verified_by);
    let answer = match version.parse(app, account, proof.secrets, asked).await {
        Ok(answer) => answer,
        Err(fault) => {
            let reason = fault.to_string();
            return Err(Unparsed { error: ReceiveError::NoPlugin(reason.clone()), disposition: failed(reason, digest) });
        }
    };
    match answer {
        Ok(parsed) => {
            let facts: Vec<Fact> = parsed.events.into_iter().map(convert::fact_in).collect();
            let events = u32::try_from(facts.len()).unwrap_or(u32::MAX);
            let disposition = Disposition { state: WebhookState::Processed, reason: None, plugin_digest: digest, events };
            Ok(Parsed { facts, reply: parsed.reply.map(reply_in).unwrap_or_default(), disposition })
        }
        Err(failure) => {
            let failure = convert::failure_in(failure);
            let disposition = failed(format!("{}: {}", failure.class, failure.message), digest);
            Err(Unparsed { error: ReceiveError::Unreadable(failure), disposition })
        }
    }
}

fn webhook_out(account: &Account, version: &Version, webhook: &Webhook, verified_by: Option<&str>) -> wit::Webhook {
    wit::Webhook {
        account: Some(version.account_out(account)),
        method: webhook.method.clone(),
        path: webhook.path.clone(),
        query: convert::list_out(&webhook.query),
        headers: convert::list_out(&webhook.headers),
        body: webhook.body.clone(),
        verified_by: verified_by.map(str::to_owned),
    }
}

fn reply_in(reply: wit::Reply) -> Reply {
    Reply { status: Some(reply.status), headers: convert::list_in(reply.headers), body: reply.body }
}

//! Webhooks that waited go the way of new ones; what is known already changes nothing.

use super::{Ingest, Proof, ReceiveError, Source, parse};
use crate::{accounts, app::App, domain::account::Account, store};

/// Taken from the database at a time.
const PAGE: u32 = 100;

/// What a release came to.
pub enum Released {
    /// Nothing waits any more but what the plugin can't read.
    All,
    /// Something waits on: no plugin can run for now.
    Later,
}

/// Processes what waits for the active account, oldest first: held since it was inactive, or failed by a version of the plugin
/// that was replaced since. What the plugin can't read stays failed, and the next one goes on.
pub async fn release(app: &App, account: &Account) -> store::Result<Released> {
    let verified_by = app
        .plugins
        .manifest(&account.channel_type)
        .and_then(|manifest| manifest.webhook.as_ref().and_then(|webhook| webhook.verify.name()));
    let mut after = String::new();
    let mut processed = 0;
    loop {
        let page = store::webhooks::list_waiting(&app.db, &account.id, &after, PAGE).await?;
        for webhook in &page {
            let proof = Proof { verified_by, secrets: accounts::open_secrets(app, account).await? };
            let (disposition, facts) = match parse(app, account, webhook, proof).await {
                Ok(parsed) => {
                    processed += 1;
                    (parsed.disposition, parsed.facts)
                }
                Err(unparsed) => {
                    if let ReceiveError::NoPlugin(reason) = unparsed.error {
                        tracing::warn!(account.id = %account.id, %reason, "webhooks that wait go on waiting");
                        return Ok(Released::Later);
                    }
                    (unparsed.disposition, Vec::new())
                }
            };
            let source = Source::Replay { webhook_id: webhook.id.clone(), disposition };
            app.inbox.commit(Ingest::of(account, source, facts)).await?;
        }
        match page.last() {
            Some(last) => after.clone_from(&last.id),
            None => {
                if processed > 0 {
                    tracing::info!(account.id = %account.id, processed, "webhooks that waited were processed");
                }
                return Ok(Released::All);
            }
        }
    }
}

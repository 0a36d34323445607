//! Webhooks that waited go the way of new ones; what is known already changes nothing.

use super::{Ingest, Proof, ReceiveError, Source, parse};
use crate::{
    accounts,
    app::App,
    domain::{account::Account, webhook::WebhookState},
    store,
};

/// Taken from the database at a time.
const PAGE: u32 = 100;

/// Processes what the account holds since it was inactive, oldest first; answers how many were processed. What the plugin can't
/// read becomes failed and the next one goes on.
pub async fn release_held(app: &App, account: &Account) -> Result<usize, store::StoreError> {
    let verified_by = app
        .plugins
        .manifest(&account.channel_type)
        .and_then(|manifest| manifest.webhook.as_ref().and_then(|webhook| webhook.verify.name()));
    let mut after = String::new();
    let mut processed = 0;
    loop {
        let page = store::webhooks::list_waiting(&app.db, &account.id, WebhookState::Held, &after, PAGE).await?;
        for webhook in &page {
            let proof = Proof { verified_by, secrets: accounts::open_secrets(app, account).await? };
            let (disposition, facts) = match parse(app, account, webhook, proof).await {
                Ok(parsed) => {
                    processed += 1;
                    (parsed.disposition, parsed.facts)
                }
                Err(unparsed) => {
                    if let ReceiveError::NoPlugin(reason) = unparsed.error {
                        tracing::warn!(account.id = %account.id, %reason, "held webhooks go on waiting");
                        return Ok(processed);
                    }
                    (unparsed.disposition, Vec::new())
                }
            };
            let source = Source::Replay { webhook_id: webhook.id.clone(), disposition };
            app.inbox.commit(Ingest::of(account, source, facts)).await?;
        }
        match page.last() {
            Some(last) => after.clone_from(&last.id),
            None => return Ok(processed),
        }
    }
}

//! Claims whose worker is gone: sent again where nothing can have left, else uncertain.

use super::settle::{Outcome, settle};
use crate::{
    app::App,
    domain::failure::{Failure, FailureClass},
    store,
};

/// Looked at in one go.
const PAGE: u32 = 200;

pub(super) async fn sweep(app: &App) -> store::Result<()> {
    for orphan in store::outbox::orphans(&app.db, app.clock.now(), PAGE).await? {
        let idempotent = match store::accounts::find(&app.db, &orphan.claim.account_id).await? {
            Some(account) => app.plugins.manifest(&account.channel_type).is_some_and(|manifest| manifest.capabilities.idempotent_send),
            None => false,
        };
        let outcome = if orphan.dispatched && !idempotent {
            Outcome::Refused {
                accepted: Vec::new(),
                failure: Failure::new(FailureClass::Uncertain, "crashed", "The gateway stopped while the message was being sent."),
            }
        } else {
            Outcome::Released
        };
        tracing::warn!(message.id = %orphan.claim.message_id, dispatched = orphan.dispatched, "took over from a worker that is gone");
        settle(app, &orphan.claim, outcome, None).await?;
    }
    Ok(())
}

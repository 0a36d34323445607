//! What no worker will take up by itself: claims whose worker is gone, which are sent again where nothing can have left and
//! are uncertain else; and parked messages whose time is over.

use std::time::Duration;

use super::settle::{Outcome, settle};
use crate::{
    app::App,
    domain::failure::{Failure, FailureClass},
    store::{self, outbox::Claim},
};

/// Looked at in one go.
const PAGE: u32 = 200;

pub(super) async fn sweep(app: &App) -> store::Result<()> {
    for orphan in store::outbox::orphans(&app.db, app.clock.now(), PAGE).await? {
        settle_orphan(app, &orphan).await?;
    }
    let mut tx = app.db.begin().await?;
    store::outbox::unpark_expired(&mut tx, app.clock.now()).await?;
    tx.commit().await
}

async fn settle_orphan(app: &App, orphan: &Claim) -> store::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let leased_until = now.plus(Duration::from_secs(app.config.outbox.lease_s));
    let Some(taken) = store::outbox::take_over(&mut tx, orphan, now, leased_until).await? else { return Ok(()) };
    tx.commit().await?;
    let idempotent = match store::accounts::find(&app.db, &orphan.account_id).await? {
        Some(account) => app.plugins.manifest(&account.channel_type).is_some_and(|manifest| manifest.capabilities.idempotent_send),
        None => false,
    };
    tracing::warn!(message.id = %orphan.message_id, dispatched = taken.dispatched, "took over from a worker that is gone");
    let outcome = if taken.dispatched && !idempotent {
        Outcome::Refused(Failure::new(FailureClass::Uncertain, "crashed", "The gateway stopped while the message was being sent."))
    } else {
        Outcome::Released
    };
    settle(app, &taken.claim, &outcome, None).await
}

//! What no worker will take up by itself: claims whose worker is gone, which are sent again where nothing can have left and
//! are uncertain else; and messages whose time was over before they could go.

use std::{sync::Arc, time::Duration};

use super::{
    attempt::expire,
    settle::{Outcome, settle},
};
use crate::{
    app::App,
    clock::At,
    domain::failure::{Failure, FailureClass},
    store::{self, outbox::Claim},
};

/// Looked at in one go.
const PAGE: u32 = 200;
/// How long the answer to a request with an Idempotency-Key is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(86_400);

pub(super) async fn sweep(app: &Arc<App>) -> store::Result<()> {
    for orphan in store::outbox::orphans(&app.db, app.clock.now(), PAGE).await? {
        settle_orphan(app, &orphan).await?;
    }
    settle_expired(app).await
}

/// Forgets what is over: allowances that are whole again, pauses, answers kept for an Idempotency-Key.
pub async fn forget(app: &App, now: At) -> store::Result<()> {
    let mut tx = app.db.begin_claim().await?;
    store::rates::sweep(&mut tx, now).await?;
    store::sending::sweep(&mut tx, now).await?;
    store::idempotency::sweep(&mut tx, now.minus(KEPT_FOR)).await?;
    tx.commit().await
}

/// Messages whose time is over end, whatever else they wait for: a pause, a breaker, a connection.
async fn settle_expired(app: &Arc<App>) -> store::Result<()> {
    let now = app.clock.now();
    if !store::outbox::is_any_expired(&app.db, now).await? {
        return Ok(());
    }
    let leased_until = now.plus(Duration::from_secs(app.config.outbox.lease_s));
    let mut tx = app.db.begin().await?;
    let claims = store::outbox::lease_expired(&mut tx, now, leased_until, PAGE).await?;
    tx.commit().await?;
    for claim in &claims {
        expire(app, claim).await?;
    }
    Ok(())
}

async fn settle_orphan(app: &Arc<App>, orphan: &Claim) -> store::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let leased_until = now.plus(Duration::from_secs(app.config.outbox.lease_s));
    let Some(taken) = store::outbox::take_over(&mut tx, orphan, now, leased_until).await? else { return Ok(()) };
    tx.commit().await?;
    let idempotent = match store::accounts::find(&app.db, &orphan.account_id).await? {
        Some(account) => app.plugins.manifest_for(&account).is_some_and(|manifest| manifest.capabilities.idempotent_send),
        None => false,
    };
    tracing::warn!(message.id = %orphan.message_id, dispatched = taken.dispatched, "took over from a worker that is gone");
    let outcome = if taken.dispatched && !idempotent {
        Outcome::Refused(Failure::new(FailureClass::Uncertain, "crashed", "The gateway stopped while the message was being sent."))
    } else {
        Outcome::Released
    };
    settle(app, &taken.claim, outcome, None, "").await
}

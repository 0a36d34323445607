//! Facts whose message never came are told as they are.

use super::{Ingest, Source};
use crate::{
    app::App,
    store::{self, parked::ParkedFact},
};

/// Told in one go.
const PAGE: u32 = 200;

/// Tells what has waited long enough. One that can't be told doesn't keep the others from it.
pub async fn tell_overdue(app: &App) -> store::Result<()> {
    for parked in store::parked::overdue(&app.db, app.clock.now(), PAGE).await? {
        let account_id = parked.account_id.clone();
        if let Err(error) = tell(app, parked).await {
            tracing::error!(account.id = %account_id, %error, "a fact that waited could not be told");
        }
    }
    Ok(())
}

async fn tell(app: &App, parked: ParkedFact) -> store::Result<()> {
    if let Some(account) = store::accounts::find(&app.db, &parked.account_id).await? {
        return app.inbox.commit(Ingest::of(&account, Source::Overdue(parked.reference), vec![parked.fact])).await;
    }
    let mut tx = app.db.begin().await?;
    store::parked::delete(&mut tx, &parked.account_id, &parked.reference, &parked.fact.dedupe_key).await?;
    tx.commit().await
}

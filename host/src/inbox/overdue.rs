//! Facts whose message never came are told as they are.

use super::{Ingest, Source};
use crate::{app::App, store};

/// Told in one go.
const PAGE: u32 = 200;

/// Tells what has waited long enough.
pub async fn tell_overdue(app: &App) -> store::Result<()> {
    for parked in store::parked::overdue(&app.db, app.clock.now(), PAGE).await? {
        match store::accounts::find(&app.db, &parked.account_id).await? {
            Some(account) => app.inbox.commit(Ingest::of(&account, Source::Overdue(parked.reference), vec![parked.fact])).await?,
            None => {
                let mut tx = app.db.begin().await?;
                store::parked::delete(&mut tx, &parked.account_id, &parked.reference, &parked.fact.dedupe_key).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(())
}

//! What is older than its retention goes.

use std::time::Duration;

use crate::{app::App, clock::At, store};

/// Rows deleted in one transaction, so that nobody waits for it long.
const PAGE: u32 = 2000;
/// Transactions in one sweep, so that it ends.
const PAGES_MAX: u32 = 50;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Forgets log entries, health records and plugins' failed calls past `retention.account_logs_days`.
pub async fn sweep(app: &App, now: At) -> store::Result<()> {
    let before = now.minus(DAY * app.config.retention.account_logs_days);
    for _ in 0..PAGES_MAX {
        let mut tx = app.db.begin().await?;
        let entries = store::account_logs::prune(&mut tx, before, PAGE).await?;
        let records = store::account_health::prune(&mut tx, before, PAGE).await?;
        let calls = store::plugin_calls::prune(&mut tx, before, PAGE).await?;
        tx.commit().await?;
        if entries.max(records).max(calls) < u64::from(PAGE) {
            break;
        }
    }
    Ok(())
}

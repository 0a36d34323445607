//! Organisations: the tenants.

use super::{Result, Run, Tx, sql};
use crate::clock::At;

/// Makes the organisation where it isn't there.
pub async fn ensure(tx: &mut Tx, id: &str, now: At) -> Result<()> {
    tx.run(sql("INSERT INTO organizations (id, name, created_at) VALUES ($1, $1, $2) ON CONFLICT (id) DO NOTHING").bind(id).bind(now))
        .await?;
    Ok(())
}

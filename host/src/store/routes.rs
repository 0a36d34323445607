//! Other ids by which a provider means an account: the business it belongs to, the person who authorised it.

use super::{Result, Run, Tx, sql};

/// Puts these in place of the account's routes.
pub async fn replace(tx: &mut Tx, account_id: &str, channel_type: &str, routes: &[String]) -> Result<()> {
    remove_all(tx, account_id).await?;
    for route in routes {
        let statement = sql("INSERT INTO account_routes (channel_type, route, account_id) VALUES ($1, $2, $3)
                 ON CONFLICT (channel_type, route, account_id) DO NOTHING")
        .bind(channel_type)
        .bind(route)
        .bind(account_id);
        tx.run(statement).await?;
    }
    Ok(())
}

pub async fn remove_all(tx: &mut Tx, account_id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_routes WHERE account_id = $1").bind(account_id)).await?;
    Ok(())
}

/// Takes one of the account's routes away.
pub async fn remove(tx: &mut Tx, account_id: &str, route: &str) -> Result<()> {
    tx.run(sql("DELETE FROM account_routes WHERE account_id = $1 AND route = $2").bind(account_id).bind(route)).await?;
    Ok(())
}

/// The ids of the type's accounts that a route means.
pub async fn account_ids(mut db: impl Run + Send, channel_type: &str, route: &str) -> Result<Vec<String>> {
    let statement = sql("SELECT account_id FROM account_routes WHERE channel_type = $1 AND route = $2 ORDER BY account_id")
        .bind(channel_type)
        .bind(route);
    db.rows(statement).await?.iter().map(|row| row.get("account_id")).collect()
}

/// The ids of an app's accounts of a type that a route means.
pub async fn account_ids_of_app(mut db: impl Run + Send, app_id: &str, channel_type: &str, route: &str) -> Result<Vec<String>> {
    let statement = sql("SELECT r.account_id FROM account_routes r
             JOIN channel_accounts a ON a.id = r.account_id
             WHERE r.channel_type = $2 AND r.route = $3 AND a.app_id = $1 AND a.deleted_at IS NULL
             ORDER BY r.account_id")
    .bind(app_id)
    .bind(channel_type)
    .bind(route);
    db.rows(statement).await?.iter().map(|row| row.get("account_id")).collect()
}

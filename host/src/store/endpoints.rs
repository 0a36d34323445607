//! Endpoints, and which node serves each. One that is served is leased; the fence tells a node that was too slow.

use serde_json::json;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{
    clock::At,
    domain::endpoint::{Disabled, Endpoint, EndpointKind, Health, SealedKeys, Target, Webhook},
};

pub mod deliveries;

impl Record for Endpoint {
    fn from_row(row: &Row) -> std::result::Result<Endpoint, StoreError> {
        let target = match row.word("kind")? {
            EndpointKind::Nats => Target::Nats,
            EndpointKind::Webhook => {
                let previous: Option<Vec<u8>> = row.get("previous_secret")?;
                let keys = SealedKeys {
                    data_key: row.get("data_key")?,
                    secret: row.get("secret")?,
                    previous: previous.zip(row.at_option("previous_until")?),
                };
                Target::Webhook(Webhook { url: row.get("url")?, keys })
            }
        };
        let reason: Option<String> = row.get("disabled_reason")?;
        let disabled = row.at_option("disabled_at")?.zip(reason).map(|(at, reason)| Disabled { at, reason });
        Ok(Endpoint {
            id: row.get("id")?,
            organization_id: row.get("organization_id")?,
            target,
            description: row.get("description")?,
            event_types: row.json("event_types")?,
            channel_account_id: row.get("account_id")?,
            is_active: row.get("is_active")?,
            disabled,
            health: Health {
                failing_since: row.at_option("failing_since")?,
                last_success_at: row.at_option("last_success_at")?,
                last_error: row.get("last_error")?,
            },
            cursor: row.get("cursor_seq")?,
            created_at: row.at("created_at")?,
            updated_at: row.at("updated_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, endpoint: &Endpoint) -> Result<()> {
    let keys = match &endpoint.target {
        Target::Webhook(webhook) => Some(&webhook.keys),
        Target::Nats => None,
    };
    let statement = sql("INSERT INTO endpoints
               (id, organization_id, kind, url, description, event_types, account_id, is_active, data_key, secret, cursor_seq, fence,
                created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $12)")
    .bind(&endpoint.id)
    .bind(endpoint.organization_id.clone())
    .bind(endpoint.target.kind().as_str())
    .bind(endpoint.target.url())
    .bind(&endpoint.description)
    .bind(json!(endpoint.event_types))
    .bind(endpoint.channel_account_id.clone())
    .bind(endpoint.is_active)
    .bind(keys.map(|keys| keys.data_key.clone()))
    .bind(keys.map(|keys| keys.secret.clone()))
    .bind(endpoint.cursor)
    .bind(endpoint.created_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<Endpoint>> {
    db.optional(sql("SELECT * FROM endpoints WHERE id = $1").bind(id)).await
}

/// How many the organisation has.
pub async fn count(mut db: impl Run + Send, organization_id: &str) -> Result<i64> {
    let statement = sql("SELECT CAST(count(*) AS BIGINT) AS n FROM endpoints WHERE organization_id = $1").bind(organization_id);
    match db.rows(statement).await?.first() {
        Some(row) => row.get("n"),
        None => Ok(0),
    }
}

/// Writes what its owner may change, and what follows from it. The cursor and who serves it stay.
pub async fn update(tx: &mut Tx, endpoint: &Endpoint) -> Result<()> {
    let statement = sql("UPDATE endpoints
             SET url = $2, description = $3, event_types = $4, account_id = $5, is_active = $6, disabled_at = $7, disabled_reason = $8,
                 failing_since = $9, updated_at = $10
             WHERE id = $1")
    .bind(&endpoint.id)
    .bind(endpoint.target.url())
    .bind(&endpoint.description)
    .bind(json!(endpoint.event_types))
    .bind(endpoint.channel_account_id.clone())
    .bind(endpoint.is_active)
    .bind(endpoint.disabled.as_ref().map(|disabled| disabled.at))
    .bind(endpoint.disabled.as_ref().map(|disabled| disabled.reason.as_str()))
    .bind(endpoint.health.failing_since)
    .bind(endpoint.updated_at);
    tx.run(statement).await?;
    Ok(())
}

/// Writes new signing secrets.
pub async fn set_keys(tx: &mut Tx, id: &str, keys: &SealedKeys, now: At) -> Result<()> {
    let (previous, until) = keys.previous.clone().unzip();
    let statement = sql("UPDATE endpoints
             SET data_key = $2, secret = $3, previous_secret = $4, previous_until = $5, updated_at = $6 WHERE id = $1")
    .bind(id)
    .bind(keys.data_key.clone())
    .bind(keys.secret.clone())
    .bind(previous)
    .bind(until)
    .bind(now);
    tx.run(statement).await?;
    Ok(())
}

/// Removes it with its secrets and all that it was owed.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    tx.run(sql("DELETE FROM endpoint_deliveries WHERE endpoint_id = $1").bind(id)).await?;
    tx.run(sql("DELETE FROM endpoints WHERE id = $1").bind(id)).await?;
    Ok(())
}

/// The right to serve an endpoint, while it lasts.
#[derive(Debug, Clone)]
pub struct Lease {
    pub endpoint_id: String,
    pub kind: EndpointKind,
    pub fence: i64,
}

impl Record for Lease {
    fn from_row(row: &Row) -> std::result::Result<Lease, StoreError> {
        Ok(Lease { endpoint_id: row.get("id")?, kind: row.word("kind")?, fence: row.get("fence")? })
    }
}

/// An active endpoint that nobody serves and that has something to do: events behind its cursor, or a delivery that is due.
const OPEN: &str = "p.is_active AND (p.leased_until IS NULL OR p.leased_until <= $1) AND (
       EXISTS (SELECT 1 FROM events e WHERE e.organization_id = p.organization_id AND e.seq > p.cursor_seq)
       OR (p.organization_id IS NULL AND EXISTS (SELECT 1 FROM events e WHERE e.seq > p.cursor_seq))
       OR EXISTS (SELECT 1 FROM endpoint_deliveries d WHERE d.endpoint_id = p.id AND d.state = 'waiting' AND d.due_at <= $1))";

/// Whether a claim would find anything: a look that needs no writer.
pub async fn is_any_open(mut db: impl Run + Send, now: At) -> Result<bool> {
    let statement = sql(format!("SELECT p.id FROM endpoints p WHERE {OPEN} LIMIT 1")).bind(now);
    Ok(!db.rows(statement).await?.is_empty())
}

/// Claims endpoints to serve until `leased_until`.
pub async fn claim(tx: &mut Tx, now: At, leased_until: At, limit: u32) -> Result<Vec<Lease>> {
    let statement = sql(format!(
        "WITH chosen AS MATERIALIZED (SELECT p.id FROM endpoints p WHERE {OPEN} LIMIT $3 {{lock}})
             UPDATE endpoints SET leased_until = $2, fence = fence + 1 WHERE id IN (SELECT id FROM chosen)
             RETURNING id, kind, fence"
    ))
    .bind(now)
    .bind(leased_until)
    .bind(limit);
    tx.all(statement).await
}

/// Holds the lease on; answers the endpoint as it stands now, none where it was taken over or deleted. Locks its row, so that
/// a replay or a change waits for the transaction.
pub async fn hold(tx: &mut Tx, lease: &Lease, until: At) -> Result<Option<Endpoint>> {
    let statement = sql("UPDATE endpoints SET leased_until = $3 WHERE id = $1 AND fence = $2 RETURNING *")
        .bind(&lease.endpoint_id)
        .bind(lease.fence)
        .bind(until);
    tx.optional(statement).await
}

pub async fn release(tx: &mut Tx, lease: &Lease) -> Result<()> {
    let statement = sql("UPDATE endpoints SET leased_until = NULL WHERE id = $1 AND fence = $2").bind(&lease.endpoint_id).bind(lease.fence);
    tx.run(statement).await?;
    Ok(())
}

/// Lets every lease run out.
pub async fn expire_leases(tx: &mut Tx) -> Result<()> {
    tx.run(sql("UPDATE endpoints SET leased_until = NULL WHERE leased_until IS NOT NULL")).await?;
    Ok(())
}

pub async fn set_cursor(tx: &mut Tx, id: &str, seq: i64) -> Result<()> {
    tx.run(sql("UPDATE endpoints SET cursor_seq = $2 WHERE id = $1").bind(id).bind(seq)).await?;
    Ok(())
}

/// Has whoever serves the endpoint wait for the transaction.
pub async fn lock(tx: &mut Tx, id: &str) -> Result<()> {
    tx.run(sql("UPDATE endpoints SET fence = fence WHERE id = $1").bind(id)).await?;
    Ok(())
}

/// Locks the endpoint's row and sets the cursor back, where it isn't there yet.
pub async fn rewind(tx: &mut Tx, id: &str, seq: i64) -> Result<()> {
    let statement = sql("UPDATE endpoints SET cursor_seq = $2 WHERE id = $1 AND cursor_seq > $2").bind(id).bind(seq);
    tx.run(statement).await?;
    Ok(())
}

pub async fn set_health(tx: &mut Tx, id: &str, health: &Health) -> Result<()> {
    let statement = sql("UPDATE endpoints SET failing_since = $2, last_success_at = $3, last_error = $4 WHERE id = $1")
        .bind(id)
        .bind(health.failing_since)
        .bind(health.last_success_at)
        .bind(health.last_error.clone());
    tx.run(statement).await?;
    Ok(())
}

/// Deactivates it; answers false where it was inactive already.
pub async fn disable(tx: &mut Tx, id: &str, disabled: &Disabled) -> Result<bool> {
    let statement = sql("UPDATE endpoints SET is_active = $2, disabled_at = $3, disabled_reason = $4, updated_at = $3
             WHERE id = $1 AND is_active")
    .bind(id)
    .bind(false)
    .bind(disabled.at)
    .bind(&disabled.reason);
    Ok(tx.run(statement).await? > 0)
}

/// The number of the first event that an active endpoint still needs, and that happened at `not_before` or later; none where
/// they need none. Older events may be pruned whatever an endpoint is owed.
pub async fn lowest_needed_seq(mut db: impl Run + Send, not_before: At) -> Result<Option<i64>> {
    let statement = sql("SELECT min(needed) AS seq FROM (
               SELECT (SELECT min(e.seq) FROM events e WHERE e.organization_id = p.organization_id AND e.seq > p.cursor_seq) AS needed
                 FROM endpoints p WHERE p.is_active AND p.organization_id IS NOT NULL
               UNION ALL
               SELECT (SELECT min(e.seq) FROM events e WHERE e.seq > p.cursor_seq) AS needed
                 FROM endpoints p WHERE p.is_active AND p.organization_id IS NULL
               UNION ALL
               SELECT min(d.event_seq) AS needed
                 FROM endpoint_deliveries d JOIN endpoints p ON p.id = d.endpoint_id
                 WHERE p.is_active AND d.state IN ('waiting', 'held')
             ) needs");
    let needed: Option<i64> = match db.rows(statement).await?.first() {
        Some(row) => row.get("seq")?,
        None => None,
    };
    let Some(needed) = needed else { return Ok(None) };
    Ok(Some(needed.max(super::events::first_seq_since(db, not_before).await?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            event::{Event, EventType},
            event_types::Selection,
        },
        ids::Ids,
        store::{Db, events, organizations},
    };

    fn at(second: i64) -> At {
        At::from_micros((1_764_000_000 + second) * 1_000_000)
    }

    fn event(ids: &Ids, organization_id: &str, now: At) -> Event {
        Event {
            id: ids.next(now),
            event_type: EventType::AccountStatus,
            version: 1,
            organization_id: organization_id.to_owned(),
            channel_account_id: "account".to_owned(),
            conversation_id: None,
            message_id: None,
            occurred_at: now,
            data: json!({}),
            seq: 0,
        }
    }

    fn endpoint(id: &str, organization_id: Option<&str>, cursor: i64, is_active: bool) -> Endpoint {
        Endpoint {
            id: id.to_owned(),
            organization_id: organization_id.map(str::to_owned),
            target: Target::Nats,
            description: String::new(),
            event_types: Selection::default(),
            channel_account_id: None,
            is_active,
            disabled: None,
            health: Health::default(),
            cursor,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    #[tokio::test]
    async fn what_an_active_endpoint_needs_is_known_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db"), 2).await.unwrap();
        db.migrate().await.unwrap();
        let ids = Ids::default();
        let mut tx = db.begin_ordered().await.unwrap();
        // One each second, by turns.
        for n in 1..=6 {
            let organization_id = if n % 2 == 0 { "even" } else { "odd" };
            organizations::ensure(&mut tx, organization_id, at(0)).await.unwrap();
            events::append(&mut tx, &event(&ids, organization_id, at(n)), None, at(n)).await.unwrap();
        }
        insert(&mut tx, &endpoint("asleep", Some("odd"), 0, false)).await.unwrap();
        // All that is behind its cursor is another organisation's.
        insert(&mut tx, &endpoint("even", Some("even"), 6, true)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(lowest_needed_seq(&db, at(0)).await.unwrap(), None);

        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &endpoint("odd", Some("odd"), 1, true)).await.unwrap();
        let owed = endpoint("even", Some("even"), 0, true);
        assert_eq!(deliveries::fan_out(&mut tx, &owed, at(10), 1).await.unwrap(), (2, true));
        tx.commit().await.unwrap();
        assert_eq!(lowest_needed_seq(&db, at(0)).await.unwrap(), Some(2), "a delivery that waits");
        assert_eq!(lowest_needed_seq(&db, at(5)).await.unwrap(), Some(5), "what is older may go");

        let mut tx = db.begin().await.unwrap();
        delete(&mut tx, "even").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(lowest_needed_seq(&db, at(0)).await.unwrap(), Some(3), "behind a cursor");
    }
}

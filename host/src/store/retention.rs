//! What is old goes, a batch at a time, oldest first: each function answers how many rows went. Ids sort by the time they were made,
//! so that the old rows are found by their key. On PostgreSQL, nodes that prune at the same time skip each other's rows.

use super::{Result, Run, Tx, sql};
use crate::{clock::At, domain::webhook::REDELIVERY, ids::lowest_at};

/// Webhooks that are done with.
pub async fn prune_webhooks(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM webhooks WHERE id IN (
               SELECT id FROM webhooks WHERE id < $1 AND state IN ('processed', 'ignored') ORDER BY id LIMIT $2 {lock})")
    .bind(lowest_at(before))
    .bind(limit);
    tx.run(statement).await
}

/// Webhooks that nobody processed.
pub async fn prune_unprocessed_webhooks(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM webhooks WHERE id IN (
               SELECT id FROM webhooks WHERE id < $1 AND state IN ('held', 'failed', 'quarantined') ORDER BY id LIMIT $2 {lock})")
    .bind(lowest_at(before))
    .bind(limit);
    tx.run(statement).await
}

/// Attempts of messages that wait for none any more. A message's attempts go by the time the message was made.
pub async fn prune_attempts(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM attempts WHERE (message_id, fence) IN (
               SELECT a.message_id, a.fence FROM attempts a
               WHERE a.message_id < $1 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = a.message_id)
               ORDER BY a.message_id, a.fence LIMIT $2 {lock})")
    .bind(lowest_at(before))
    .bind(limit);
    tx.run(statement).await
}

/// Events, but for those from the number `needed_from` on, which somebody hasn't heard yet. An event is also the memory that its fact
/// was told: it stays as long as the account has an unprocessed webhook from around that time, which may tell the fact again.
pub async fn prune_events(tx: &mut Tx, before: At, needed_from: Option<i64>, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM events WHERE seq IN (
               SELECT e.seq FROM events e
               WHERE e.id < $1 AND e.seq < $2
                 AND (e.dedupe_key IS NULL OR NOT EXISTS (
                   SELECT 1 FROM webhooks w
                   WHERE w.account_id = e.account_id AND w.state IN ('held', 'failed')
                     AND w.received_at >= e.created_at - $3 AND w.received_at <= e.created_at + $3))
               ORDER BY e.id LIMIT $4 {lock})")
    .bind(lowest_at(before))
    .bind(needed_from.unwrap_or(i64::MAX))
    .bind(i64::try_from(REDELIVERY.as_micros()).unwrap_or(i64::MAX))
    .bind(limit);
    tx.run(statement).await
}

/// Replays that were never done, since their account was deleted.
pub async fn prune_replays(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM webhook_replays WHERE id IN (
               SELECT id FROM webhook_replays WHERE id < $1 ORDER BY id LIMIT $2 {lock})")
    .bind(lowest_at(before))
    .bind(limit);
    tx.run(statement).await
}

/// Who did what.
pub async fn prune_audit(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE id < $1 ORDER BY id LIMIT $2 {lock})")
        .bind(lowest_at(before))
        .bind(limit);
    tx.run(statement).await
}

/// What became of versions of plugins.
pub async fn prune_plugin_moves(tx: &mut Tx, before: At, limit: u32) -> Result<u64> {
    let statement = sql("DELETE FROM plugin_moves WHERE id IN (SELECT id FROM plugin_moves WHERE id < $1 ORDER BY id LIMIT $2 {lock})")
        .bind(lowest_at(before))
        .bind(limit);
    tx.run(statement).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::{
            event::{Event, EventType},
            webhook::{Request, Webhook, WebhookState},
        },
        ids::Ids,
        store::{
            Db, Page, events, organizations,
            webhooks::{self, Disposition, Filter},
        },
    };

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const NOW: At = At::from_micros(1_764_000_000_000_000);
    const MANY: u32 = 500;

    fn days_ago(days: u32) -> At {
        NOW.minus(DAY * days)
    }

    /// Of a generator of its own: one makes no id that sorts before its last.
    fn id_at(at: At) -> String {
        Ids::default().next(at)
    }

    struct Store {
        db: Db,
        _folder: tempfile::TempDir,
    }

    /// A database with the account `a`.
    async fn store() -> Store {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("patchbay.db"), 2).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        organizations::ensure(&mut tx, "o", NOW).await.unwrap();
        tx.run(sql("INSERT INTO channel_accounts
                      (id, organization_id, type, name, settings, is_active, connection, facts, data_key, webhook_refusals,
                       created_at, updated_at)
                    VALUES ('a', 'o', 'PIGEON', 'A', '{}', 1, 'connected', '{}', x'00', 0, 0, 0)"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Store { db, _folder: folder }
    }

    impl Store {
        async fn webhook(&self, at: At, state: WebhookState, body: &str) -> String {
            let request = Request {
                method: "POST".into(),
                path: "/webhooks/a".into(),
                query: Vec::new(),
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
            };
            let webhook = Webhook {
                id: id_at(at),
                account_id: "a".into(),
                organization_id: "o".into(),
                received_at: at,
                verified_by: None,
                shared: false,
                request,
            };
            let disposition = Disposition { state, reason: None, plugin_digest: None, events: 0 };
            let mut tx = self.db.begin().await.unwrap();
            webhooks::insert(&mut tx, &[(&webhook, &disposition)]).await.unwrap();
            tx.commit().await.unwrap();
            webhook.id
        }

        async fn event(&self, at: At, key: Option<&str>) {
            let event = Event {
                id: id_at(at),
                event_type: EventType::MessageReceived,
                version: 1,
                organization_id: "o".into(),
                channel_account_id: "a".into(),
                conversation_id: None,
                message_id: None,
                occurred_at: at,
                data: serde_json::json!({}),
                seq: 0,
            };
            let mut tx = self.db.begin_ordered().await.unwrap();
            events::append(&mut tx, &event, key, at).await.unwrap();
            tx.commit().await.unwrap();
        }

        async fn kept(&self) -> Vec<String> {
            let page = Page { limit: MANY, offset: 0 };
            let deliveries = webhooks::list(&self.db, &Filter::default(), &page).await.unwrap();
            deliveries.into_iter().rev().map(|delivery| delivery.id).collect()
        }

        async fn seqs(&self) -> Vec<i64> {
            let mut db = &self.db;
            let rows = db.rows(sql("SELECT seq FROM events ORDER BY seq")).await.unwrap();
            rows.iter().map(|row| row.get("seq").unwrap()).collect()
        }
    }

    #[tokio::test]
    async fn webhooks_go_by_their_state_and_age_and_no_more_than_a_batch() {
        let store = store().await;
        let mut old = Vec::new();
        for n in 0..3 {
            old.push(store.webhook(days_ago(40), WebhookState::Processed, &n.to_string()).await);
        }
        let held = store.webhook(days_ago(39), WebhookState::Held, "held").await;
        let failed = store.webhook(days_ago(100), WebhookState::Failed, "failed").await;
        let new = store.webhook(days_ago(1), WebhookState::Processed, "new").await;
        let mut tx = store.db.begin().await.unwrap();
        assert_eq!(prune_webhooks(&mut tx, days_ago(30), 2).await.unwrap(), 2);
        assert_eq!(prune_webhooks(&mut tx, days_ago(30), 2).await.unwrap(), 1);
        assert_eq!(prune_webhooks(&mut tx, days_ago(30), 2).await.unwrap(), 0);
        assert_eq!(prune_unprocessed_webhooks(&mut tx, days_ago(90), MANY).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let kept = store.kept().await;
        assert!(kept.contains(&held) && kept.contains(&new) && !kept.contains(&failed) && kept.len() == 2, "{kept:?}");
    }

    #[tokio::test]
    async fn events_go_but_for_those_that_somebody_needs() {
        let store = store().await;
        for days in [50, 49, 48, 1] {
            store.event(days_ago(days), None).await;
        }
        let mut tx = store.db.begin().await.unwrap();
        assert_eq!(prune_events(&mut tx, days_ago(40), Some(2), MANY).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(store.seqs().await, [2, 3, 4]);
        let mut tx = store.db.begin().await.unwrap();
        assert_eq!(prune_events(&mut tx, days_ago(40), None, MANY).await.unwrap(), 2);
        tx.commit().await.unwrap();
        assert_eq!(store.seqs().await, [4]);
    }

    #[tokio::test]
    async fn the_memory_of_a_fact_outlives_the_webhooks_that_may_tell_it_again() {
        let store = store().await;
        store.event(days_ago(70), Some("long before")).await;
        store.event(days_ago(55), Some("told by a redelivery")).await;
        store.webhook(days_ago(60), WebhookState::Failed, "which failed first").await;
        let mut tx = store.db.begin().await.unwrap();
        assert_eq!(prune_events(&mut tx, days_ago(40), None, MANY).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(store.seqs().await, [2]);
        let mut tx = store.db.begin().await.unwrap();
        prune_unprocessed_webhooks(&mut tx, days_ago(59), MANY).await.unwrap();
        assert_eq!(prune_events(&mut tx, days_ago(40), None, MANY).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn attempts_of_settled_messages_go_and_those_of_waiting_ones_stay() {
        let store = store().await;
        let mut tx = store.db.begin().await.unwrap();
        let (settled, waits) = (id_at(days_ago(50)), id_at(days_ago(50)));
        let new = id_at(days_ago(1));
        for id in [&settled, &waits, &new] {
            tx.run(
                sql("INSERT INTO messages (id, organization_id, account_id, direction, kind, content, echo, reactions, votes, extras,
                       state, attempts, created_at)
                     VALUES ($1, 'o', 'a', 'outbound', 'message', '[]', 0, '[]', '[]', '{}', 'queued', 0, 0)")
                .bind(id),
            )
            .await
            .unwrap();
            for fence in 1..3_i64 {
                tx.run(sql("INSERT INTO attempts (message_id, fence, started_at) VALUES ($1, $2, 0)").bind(id).bind(fence)).await.unwrap();
            }
        }
        tx.run(
            sql("INSERT INTO outbox (message_id, account_id, lane, priority, due_at, expires_at, fence, attempts)
                 VALUES ($1, 'a', 'l', 0, 0, 0, 0, 0)")
            .bind(&waits),
        )
        .await
        .unwrap();
        assert_eq!(prune_attempts(&mut tx, days_ago(30), MANY).await.unwrap(), 2);
        let rows = tx.rows(sql("SELECT DISTINCT message_id FROM attempts ORDER BY message_id")).await.unwrap();
        let kept: Vec<String> = rows.iter().map(|row| row.get("message_id").unwrap()).collect();
        assert_eq!(kept, [waits, new]);
    }

    #[tokio::test]
    async fn a_webhook_that_waits_is_kept_once_however_often_it_comes() {
        let store = store().await;
        let first = store.webhook(days_ago(3), WebhookState::Failed, "same").await;
        store.webhook(days_ago(2), WebhookState::Failed, "same").await;
        store.webhook(days_ago(1), WebhookState::Held, "same").await;
        let other = store.webhook(days_ago(1), WebhookState::Failed, "other").await;
        // What is processed is never counted on another: each row tells of one.
        let processed = store.webhook(NOW, WebhookState::Processed, "same").await;
        assert_eq!(store.kept().await, [first.clone(), other, processed]);
        let kept = webhooks::find(&store.db, &first).await.unwrap().unwrap().delivery;
        assert_eq!((kept.deliveries, kept.repeated_at, kept.state), (3, Some(days_ago(1)), WebhookState::Held));
    }

    #[tokio::test]
    async fn what_people_did_goes_by_its_age() {
        let store = store().await;
        let mut tx = store.db.begin().await.unwrap();
        for days in [400, 399, 1] {
            let (id, at) = (id_at(days_ago(days)), days_ago(days));
            tx.run(
                sql("INSERT INTO audit_log (id, at, actor_kind, actor_name, action, subject_kind, subject_id, detail)
                     VALUES ($1, $2, 'system', 'patchbay', 'x.do', 'x', 'x', '{}')")
                .bind(&id)
                .bind(at),
            )
            .await
            .unwrap();
            tx.run(
                sql("INSERT INTO plugin_moves (id, at, digest, to_state, reason, actor, detail) VALUES ($1, $2, 'd', 'ready', 'r', '{}', '{}')")
                    .bind(&id)
                    .bind(at),
            )
            .await
            .unwrap();
        }
        assert_eq!(prune_audit(&mut tx, days_ago(365), 1).await.unwrap(), 1);
        assert_eq!(prune_audit(&mut tx, days_ago(365), MANY).await.unwrap(), 1);
        assert_eq!(prune_plugin_moves(&mut tx, days_ago(365), MANY).await.unwrap(), 2);
        assert_eq!(prune_plugin_moves(&mut tx, days_ago(365), MANY).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_flood_to_unknown_addresses_pushes_out_no_providers_own() {
        use crate::domain::webhook::{Named, Stray};
        let store = store().await;
        let stray = |n: u32, named: Option<Named>| Stray {
            id: id_at(days_ago(10 - n)),
            received_at: days_ago(10 - n),
            named,
            verified_by: None,
            reason: "nobody there".into(),
            shared: false,
            request: Request {
                method: "POST".into(),
                path: "/webhooks/x".into(),
                query: Vec::new(),
                headers: Vec::new(),
                body: Vec::new(),
            },
        };
        let named = Named { channel_type: "PIGEON".into(), external_id: "loft-1".into() };
        let strays = [stray(0, Some(named)), stray(1, None), stray(2, None), stray(3, None)];
        let mut tx = store.db.begin().await.unwrap();
        for stray in &strays {
            webhooks::quarantine(&mut tx, stray).await.unwrap();
        }
        assert_eq!(webhooks::trim_quarantine(&mut tx, 2).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(store.kept().await, [strays[0].id.clone(), strays[2].id.clone(), strays[3].id.clone()]);
        let mut tx = store.db.begin().await.unwrap();
        assert!(webhooks::adopt(&mut tx, &strays[2].id, "a", "o").await.unwrap());
        assert!(!webhooks::adopt(&mut tx, &strays[2].id, "a", "o").await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(webhooks::find(&store.db, &strays[2].id).await.unwrap().unwrap().delivery.state, WebhookState::Failed);
    }
}

use serde_json::{Value, json};

use super::{
    examinations::{self, Outcome, StateChange},
    keys::{self, PluginKey},
    moves, *,
};
use crate::{
    domain::plugin::{Move, RolloutKind},
    store::{Db, audit},
};

const START: At = At::from_micros(1_764_000_000_000_000);

fn after(seconds: u64) -> At {
    START.plus(std::time::Duration::from_secs(seconds))
}

async fn empty() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_sqlite(&folder.path().join("test.db"), 2).await.unwrap();
    db.migrate().await.unwrap();
    (folder, db)
}

fn brought() -> PluginVersion {
    PluginVersion::brought("d1".to_owned(), 3, "upload".to_owned(), Actor::key("k", "ops"), Rollout::of(RolloutKind::Hold), START)
}

async fn bring(db: &Db) -> bool {
    let mut tx = db.begin().await.unwrap();
    let new = examinations::bring(&mut tx, &brought(), b"abc").await.unwrap();
    tx.commit().await.unwrap();
    new
}

async fn claim(db: &Db, node: &str, now: At) -> Option<examinations::Claim> {
    let mut tx = db.begin().await.unwrap();
    let claim = examinations::claim(&mut tx, "d1", node, now, now.plus(std::time::Duration::from_secs(30))).await.unwrap();
    tx.commit().await.unwrap();
    claim
}

async fn settle(db: &Db, claim: &examinations::Claim, state: VersionState) -> bool {
    let outcome = Outcome {
        channel_type: Some("PIGEON".to_owned()),
        version: Some("1.2.3".to_owned()),
        manifest: Some(json!({})),
        asks: Some(json!([])),
        step: (state == VersionState::Failed).then_some(Step::Manifest),
        ..Outcome::of(state, Some("because".to_owned()))
    };
    let mut tx = db.begin().await.unwrap();
    let settled = examinations::settle(&mut tx, claim, &outcome, after(5)).await.unwrap();
    tx.commit().await.unwrap();
    settled
}

#[tokio::test]
async fn one_node_examines_and_another_takes_over_where_it_dies() {
    let (_folder, db) = empty().await;
    assert!(bring(&db).await);
    assert_eq!(examinations::unattended(&db, START).await.unwrap(), ["d1"]);
    let first = claim(&db, "a", START).await.unwrap();
    assert!(claim(&db, "b", after(29)).await.is_none(), "it is being examined");
    assert!(examinations::unattended(&db, after(29)).await.unwrap().is_empty());
    assert_eq!(examinations::unattended(&db, after(30)).await.unwrap(), ["d1"]);
    let second = claim(&db, "b", after(30)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert!(!examinations::renew(&mut tx, &first, after(90)).await.unwrap(), "the first one lost it");
    assert!(!examinations::reach(&mut tx, &first, Step::Compile).await.unwrap());
    assert!(examinations::reach(&mut tx, &second, Step::Compile).await.unwrap());
    tx.commit().await.unwrap();
    assert!(!settle(&db, &first, VersionState::Failed).await, "what the first one found counts no more");
    assert!(settle(&db, &second, VersionState::Ready).await);
    let version = find(&db, "d1").await.unwrap().unwrap();
    assert_eq!((version.state, version.step, version.channel_type.as_deref()), (VersionState::Ready, None, Some("PIGEON")));
    assert_eq!(component(&db, "d1").await.unwrap().as_deref(), Some(&b"abc"[..]));
    assert!(!bring(&db).await, "it is known");
}

#[tokio::test]
async fn the_leases_of_a_node_that_is_gone_run_out() {
    let (_folder, db) = empty().await;
    bring(&db).await;
    claim(&db, "a", START).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    examinations::expire_leases_of(&mut tx, "b").await.unwrap();
    tx.commit().await.unwrap();
    assert!(examinations::unattended(&db, START).await.unwrap().is_empty());
    let mut tx = db.begin().await.unwrap();
    examinations::expire_leases_of(&mut tx, "a").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(examinations::unattended(&db, START).await.unwrap(), ["d1"]);
}

#[tokio::test]
async fn what_failed_is_kept_without_its_bytes_and_can_come_again() {
    let (_folder, db) = empty().await;
    bring(&db).await;
    let first = claim(&db, "a", START).await.unwrap();
    settle(&db, &first, VersionState::Failed).await;
    let failed = find(&db, "d1").await.unwrap().unwrap();
    assert_eq!((failed.step, failed.reason.as_deref()), (Some(Step::Manifest), Some("because")));
    assert_eq!(component(&db, "d1").await.unwrap(), None);
    assert!(bring(&db).await);
    let again = find(&db, "d1").await.unwrap().unwrap();
    assert_eq!((again.state, again.step, again.reason), (VersionState::Examining, Some(Step::Size), None));
    assert!(claim(&db, "a", after(1)).await.unwrap().fence > first.fence);
}

#[tokio::test]
async fn a_state_changes_only_from_the_one_that_was_seen() {
    let (_folder, db) = empty().await;
    bring(&db).await;
    let claimed = claim(&db, "a", START).await.unwrap();
    settle(&db, &claimed, VersionState::AwaitingApproval).await;
    let judgement = Judgement { approved: true, by: Actor::key("k", "ops"), at: after(9), reason: "seen".to_owned() };
    let approve = StateChange { to: VersionState::Ready, reason: None, judgement: Some(&judgement) };
    let mut tx = db.begin().await.unwrap();
    assert!(!examinations::change_state(&mut tx, "d1", VersionState::Rejected, &approve, after(9)).await.unwrap());
    assert!(examinations::change_state(&mut tx, "d1", VersionState::AwaitingApproval, &approve, after(9)).await.unwrap());
    let revoke = StateChange { to: VersionState::Revoked, reason: Some("leaked"), judgement: None };
    assert!(examinations::change_state(&mut tx, "d1", VersionState::Ready, &revoke, after(10)).await.unwrap());
    tx.commit().await.unwrap();
    let version = find(&db, "d1").await.unwrap().unwrap();
    assert_eq!((version.state, version.reason.as_deref()), (VersionState::Revoked, Some("leaked")));
    assert_eq!(version.judgement, Some(judgement), "the word on it stays");
    assert_eq!(version.rollout, Some(Rollout::of(RolloutKind::Hold)));
}

#[tokio::test]
async fn moves_are_listed_by_digest_and_by_type() {
    let (_folder, db) = empty().await;
    let mut tx = db.begin().await.unwrap();
    for n in 0..4_u64 {
        let made = Move {
            id: format!("m{n}"),
            at: after(n),
            channel_type: (n > 0).then(|| "PIGEON".to_owned()),
            digest: format!("d{}", n % 2),
            from: None,
            to: "ready".to_owned(),
            reason: String::new(),
            actor: Actor::system(),
            detail: json!({"n": n}),
        };
        moves::record(&mut tx, &made).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ids = |moves: Vec<Move>| moves.into_iter().map(|made| made.id).collect::<Vec<_>>();
    assert_eq!(ids(moves::of_digest(&db, "d1", 10).await.unwrap()), ["m1", "m3"]);
    assert_eq!(ids(moves::of_type(&db, "PIGEON", None, 2).await.unwrap()), ["m3", "m2"]);
    assert_eq!(ids(moves::of_type(&db, "PIGEON", Some("m2"), 2).await.unwrap()), ["m1"]);
}

#[tokio::test]
async fn a_key_is_added_once_and_revoked_once() {
    let (_folder, db) = empty().await;
    let key = PluginKey {
        id: "4F".to_owned(),
        name: "release".to_owned(),
        public_key: "RW…".to_owned(),
        added_at: START,
        added_by: Actor::key("k", "ops"),
        revoked_at: None,
        revoked_by: None,
        revoked_reason: None,
    };
    let mut tx = db.begin().await.unwrap();
    assert!(keys::insert(&mut tx, &key).await.unwrap());
    assert!(!keys::insert(&mut tx, &key).await.unwrap());
    assert!(keys::revoke(&mut tx, "4F", &Actor::system(), "lost", after(1)).await.unwrap());
    assert!(!keys::revoke(&mut tx, "4F", &Actor::system(), "again", after(2)).await.unwrap());
    tx.commit().await.unwrap();
    let [kept] = &keys::list(&db).await.unwrap()[..] else { panic!("one key") };
    assert_eq!((kept.revoked_at, kept.revoked_reason.as_deref()), (Some(after(1)), Some("lost")));
    assert_eq!(keys::find(&db, "4F").await.unwrap().as_ref(), Some(kept));
}

#[tokio::test]
async fn the_audit_log_is_filtered_and_paged_by_its_ids() {
    let (_folder, db) = empty().await;
    let entry = |n: u64| audit::Entry {
        id: format!("{n:03}"),
        at: after(n),
        actor: if n.is_multiple_of(2) { Actor::key("k", "ops") } else { Actor::system() },
        action: if n.is_multiple_of(3) { "plugin.approve".to_owned() } else { "plugin_key.add".to_owned() },
        subject_kind: "plugin_version".to_owned(),
        subject_id: format!("d{}", n % 2),
        organization_id: None,
        detail: Value::Null,
    };
    let mut tx = db.begin().await.unwrap();
    for n in 0..12 {
        audit::record(&mut tx, &entry(n)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ids = |filter: audit::Filter| {
        let db = db.clone();
        async move { audit::list(&db, &filter, 3).await.unwrap().into_iter().map(|entry| entry.id).collect::<Vec<_>>() }
    };
    assert_eq!(ids(audit::Filter::default()).await, ["011", "010", "009"]);
    assert_eq!(ids(audit::Filter { before: Some("009".to_owned()), ..Default::default() }).await, ["008", "007", "006"]);
    assert_eq!(ids(audit::Filter { action: Some("plugin.".to_owned()), ..Default::default() }).await, ["009", "006", "003"]);
    assert_eq!(ids(audit::Filter { action: Some("plugin".to_owned()), ..Default::default() }).await, [""; 0]);
    let of_key = audit::Filter { actor_id: Some("k".to_owned()), until: Some(after(4)), ..Default::default() };
    assert_eq!(ids(of_key).await, ["002", "000"]);
    assert_eq!(audit::list(&db, &audit::Filter::default(), 1).await.unwrap(), [entry(11)]);
}

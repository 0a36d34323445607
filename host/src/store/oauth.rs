//! Authorisations under way, and requests to have data deleted.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Record, Result, Row, Run, StoreError, Tx, sql};
use crate::{clock::At, domain::account::Standing};

/// An authorisation that somebody began.
#[derive(Debug, Clone)]
pub struct Flow {
    pub id: String,
    pub account_id: String,
    pub app_id: String,
    pub ticket_hash: Vec<u8>,
    pub state_hash: Vec<u8>,
    pub browser_hash: Option<Vec<u8>>,
    /// Sealed under the account's data key.
    pub verifier: Option<Vec<u8>>,
    pub redirect_uri: String,
    /// How the account stood before.
    pub stood: Standing,
    /// The account's tokens from before, where new ones were stored.
    pub kept: Option<Kept>,
    pub created_at: At,
    pub expires_at: At,
    pub used_at: Option<At>,
    pub settled_at: Option<At>,
}

/// What an account had before new tokens were stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub secrets: Vec<KeptSecret>,
    /// When they expire, in microseconds.
    pub expires_at: Option<i64>,
    /// When the refresh token does.
    #[serde(default)]
    pub refresh_expires_at: Option<i64>,
}

/// A sealed secret set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSecret {
    pub name: String,
    /// Hex.
    pub sealed: String,
    pub last4: String,
}

impl Record for Flow {
    fn from_row(row: &Row) -> std::result::Result<Flow, StoreError> {
        Ok(Flow {
            id: row.get("id")?,
            account_id: row.get("account_id")?,
            app_id: row.get("app_id")?,
            ticket_hash: row.get("ticket_hash")?,
            state_hash: row.get("state_hash")?,
            browser_hash: row.get("browser_hash")?,
            verifier: row.get("verifier")?,
            redirect_uri: row.get("redirect_uri")?,
            stood: row.json("stood")?,
            kept: row.json_option("kept")?,
            created_at: row.at("created_at")?,
            expires_at: row.at("expires_at")?,
            used_at: row.at_option("used_at")?,
            settled_at: row.at_option("settled_at")?,
        })
    }
}

pub async fn insert(tx: &mut Tx, flow: &Flow) -> Result<()> {
    let statement = sql("INSERT INTO oauth_flows
               (id, account_id, app_id, ticket_hash, state_hash, verifier, redirect_uri, stood, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(&flow.id)
    .bind(&flow.account_id)
    .bind(&flow.app_id)
    .bind(flow.ticket_hash.clone())
    .bind(flow.state_hash.clone())
    .bind(flow.verifier.clone())
    .bind(&flow.redirect_uri)
    .bind(json!(flow.stood))
    .bind(flow.created_at)
    .bind(flow.expires_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find(mut db: impl Run + Send, id: &str) -> Result<Option<Flow>> {
    db.optional(sql("SELECT * FROM oauth_flows WHERE id = $1").bind(id)).await
}

pub async fn find_by_ticket(mut db: impl Run + Send, hash: &[u8]) -> Result<Option<Flow>> {
    db.optional(sql("SELECT * FROM oauth_flows WHERE ticket_hash = $1").bind(hash)).await
}

pub async fn find_by_state(mut db: impl Run + Send, hash: &[u8]) -> Result<Option<Flow>> {
    db.optional(sql("SELECT * FROM oauth_flows WHERE state_hash = $1").bind(hash)).await
}

/// The account's authorisations that aren't settled, oldest first.
pub async fn open_of(mut db: impl Run + Send, account_id: &str) -> Result<Vec<Flow>> {
    db.all(sql("SELECT * FROM oauth_flows WHERE account_id = $1 AND settled_at IS NULL ORDER BY created_at, id").bind(account_id)).await
}

/// Binds the flow to the browser that opened it first; false where another one did.
pub async fn bind_browser(tx: &mut Tx, id: &str, browser_hash: &[u8]) -> Result<bool> {
    let statement = sql("UPDATE oauth_flows SET browser_hash = $2 WHERE id = $1 AND browser_hash IS NULL").bind(id).bind(browser_hash);
    Ok(tx.run(statement).await? > 0)
}

/// Uses the state up; false where it was used, is settled or has expired: whoever gets true is the only one.
pub async fn take(tx: &mut Tx, id: &str, now: At) -> Result<bool> {
    let statement = sql("UPDATE oauth_flows SET used_at = $2
             WHERE id = $1 AND used_at IS NULL AND settled_at IS NULL AND expires_at > $2")
    .bind(id)
    .bind(now);
    Ok(tx.run(statement).await? > 0)
}

/// Sets the account's tokens from before aside; false where the flow was settled meanwhile.
pub async fn keep(tx: &mut Tx, id: &str, kept: &Kept) -> Result<bool> {
    let statement = sql("UPDATE oauth_flows SET kept = $2 WHERE id = $1 AND settled_at IS NULL").bind(id).bind(json!(kept));
    Ok(tx.run(statement).await? > 0)
}

/// Ends the flow; false where it had ended. What was set aside goes.
pub async fn settle(tx: &mut Tx, id: &str, outcome: &str, now: At) -> Result<bool> {
    let statement = sql("UPDATE oauth_flows SET settled_at = $2, outcome = $3, kept = NULL, verifier = NULL
             WHERE id = $1 AND settled_at IS NULL")
    .bind(id)
    .bind(now)
    .bind(outcome);
    Ok(tx.run(statement).await? > 0)
}

/// Ends every flow of the account in the same way.
pub async fn settle_all(tx: &mut Tx, account_id: &str, outcome: &str, now: At) -> Result<()> {
    let statement = sql("UPDATE oauth_flows SET settled_at = $2, outcome = $3, kept = NULL, verifier = NULL
             WHERE account_id = $1 AND settled_at IS NULL")
    .bind(account_id)
    .bind(now)
    .bind(outcome);
    tx.run(statement).await?;
    Ok(())
}

/// Forgets flows that were settled and expired before `before`.
pub async fn prune(tx: &mut Tx, before: At) -> Result<u64> {
    tx.run(sql("DELETE FROM oauth_flows WHERE settled_at IS NOT NULL AND expires_at < $1").bind(before)).await
}

/// When the account's access token expires; what failed before is forgotten.
pub async fn set_expiry(tx: &mut Tx, account_id: &str, expires_at: Option<At>) -> Result<()> {
    let statement =
        sql("UPDATE channel_accounts SET oauth_expires_at = $2, oauth_failures = 0 WHERE id = $1").bind(account_id).bind(expires_at);
    tx.run(statement).await?;
    Ok(())
}

/// When the account's refresh token expires.
pub async fn set_refresh_expiry(tx: &mut Tx, account_id: &str, expires_at: Option<At>) -> Result<()> {
    let statement = sql("UPDATE channel_accounts SET oauth_refresh_expires_at = $2 WHERE id = $1").bind(account_id).bind(expires_at);
    tx.run(statement).await?;
    Ok(())
}

/// The account has a new access token.
pub async fn set_renewed(tx: &mut Tx, account_id: &str, now: At) -> Result<()> {
    tx.run(sql("UPDATE channel_accounts SET oauth_renewed_at = $2 WHERE id = $1").bind(account_id).bind(now)).await?;
    Ok(())
}

/// The access token is dead before its time; false where its time was over already.
pub async fn expire_token(tx: &mut Tx, account_id: &str, now: At) -> Result<bool> {
    let statement = sql("UPDATE channel_accounts SET oauth_expires_at = $2
             WHERE id = $1 AND (oauth_expires_at IS NULL OR oauth_expires_at > $2)")
    .bind(account_id)
    .bind(now);
    Ok(tx.run(statement).await? > 0)
}

/// How many refreshes have failed since one went right.
pub async fn failures(mut db: impl Run + Send, account_id: &str) -> Result<i64> {
    let rows = db.rows(sql("SELECT oauth_failures FROM channel_accounts WHERE id = $1").bind(account_id)).await?;
    rows.first().map_or(Ok(0), |row| row.get("oauth_failures"))
}

/// Counts a refresh that failed; answers how many there have been in a row.
pub async fn count_failure(tx: &mut Tx, account_id: &str) -> Result<i64> {
    let statement = sql("UPDATE channel_accounts SET oauth_failures = oauth_failures + 1 WHERE id = $1 RETURNING oauth_failures");
    let rows = tx.rows(statement.bind(account_id)).await?;
    rows.first().map_or(Ok(0), |row| row.get("oauth_failures"))
}

/// A request of a person to have what is known of him deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    pub code: String,
    pub accounts: i64,
    pub requested_at: At,
    pub completed_at: Option<At>,
}

impl Record for Deletion {
    fn from_row(row: &Row) -> std::result::Result<Deletion, StoreError> {
        Ok(Deletion {
            code: row.get("code")?,
            accounts: row.get("accounts")?,
            requested_at: row.at("requested_at")?,
            completed_at: row.at_option("completed_at")?,
        })
    }
}

pub async fn insert_deletion(tx: &mut Tx, app_id: &str, deletion: &Deletion) -> Result<()> {
    let statement = sql("INSERT INTO oauth_deletions (code, app_id, accounts, requested_at, completed_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(&deletion.code)
        .bind(app_id)
        .bind(deletion.accounts)
        .bind(deletion.requested_at)
        .bind(deletion.completed_at);
    tx.run(statement).await?;
    Ok(())
}

pub async fn find_deletion(mut db: impl Run + Send, code: &str) -> Result<Option<Deletion>> {
    db.optional(sql("SELECT * FROM oauth_deletions WHERE code = $1").bind(code)).await
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::{
        domain::{
            account::{Account, Connection},
            provider_app::ProviderApp,
        },
        store::{self, Db},
    };

    fn at(seconds: i64) -> At {
        At::from_micros(seconds * 1_000_000)
    }

    /// A database with an app, an account of it, and a flow from 0 to 600 seconds.
    async fn begun() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db"), 2).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        store::organizations::ensure(&mut tx, "org", at(0)).await.unwrap();
        let provider_app = ProviderApp {
            id: "app".into(),
            name: "App".into(),
            types: vec!["TEST".into()],
            client_id: "77".into(),
            settings: Map::from_iter([("version".to_owned(), json!("v1"))]),
            data_key: vec![1],
            created_at: at(0),
            updated_at: at(0),
        };
        store::apps::insert(&mut tx, &provider_app).await.unwrap();
        let account = Account {
            app_id: Some("app".into()),
            standing: Standing::plain(Connection::Authorizing),
            facts: json!({"name": "Mona"}),
            ..Account::for_tests("account", Vec::new(), at(0))
        };
        store::accounts::insert(&mut tx, &account).await.unwrap();
        let flow = Flow {
            id: "flow".into(),
            account_id: "account".into(),
            app_id: "app".into(),
            ticket_hash: vec![1],
            state_hash: vec![2],
            browser_hash: None,
            verifier: Some(vec![3]),
            redirect_uri: "https://gw.example/oauth/callback".into(),
            stood: Standing::because(Connection::NeedsReauth, "code", "reason", "action"),
            kept: None,
            created_at: at(0),
            expires_at: at(600),
            used_at: None,
            settled_at: None,
        };
        insert(&mut tx, &flow).await.unwrap();
        tx.commit().await.unwrap();
        (folder, db)
    }

    #[tokio::test]
    async fn a_state_is_used_once_and_in_time() {
        let (_folder, db) = begun().await;
        let mut tx = db.begin().await.unwrap();
        assert!(!take(&mut tx, "flow", at(600)).await.unwrap(), "it has expired");
        assert!(take(&mut tx, "flow", at(599)).await.unwrap());
        assert!(!take(&mut tx, "flow", at(599)).await.unwrap(), "it was used");
        tx.commit().await.unwrap();
        let flow = find_by_state(&db, &[2]).await.unwrap().unwrap();
        assert_eq!((flow.used_at, flow.stood.connection), (Some(at(599)), Connection::NeedsReauth));
        assert!(find_by_state(&db, &[1]).await.unwrap().is_none() && find_by_ticket(&db, &[1]).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn one_browser_has_it_and_one_ending_counts() {
        let (_folder, db) = begun().await;
        let mut tx = db.begin().await.unwrap();
        assert!(bind_browser(&mut tx, "flow", &[7]).await.unwrap());
        assert!(!bind_browser(&mut tx, "flow", &[8]).await.unwrap());
        let secret = KeptSecret { name: "token".into(), sealed: "00".into(), last4: "4444".into() };
        let kept = Kept { secrets: vec![secret], expires_at: Some(5), refresh_expires_at: Some(6) };
        assert!(keep(&mut tx, "flow", &kept).await.unwrap());
        assert_eq!(find(&mut tx, "flow").await.unwrap().unwrap().kept, Some(kept.clone()));
        assert!(settle(&mut tx, "flow", "connected", at(1)).await.unwrap());
        assert!(!settle(&mut tx, "flow", "oauth_denied", at(2)).await.unwrap());
        assert!(!take(&mut tx, "flow", at(2)).await.unwrap() && !keep(&mut tx, "flow", &kept).await.unwrap(), "it has ended");
        let flow = find(&mut tx, "flow").await.unwrap().unwrap();
        assert_eq!((flow.kept, flow.verifier, flow.settled_at), (None, None, Some(at(1))), "what was set aside is gone");
        assert!(open_of(&mut tx, "account").await.unwrap().is_empty());
        assert_eq!(prune(&mut tx, at(600)).await.unwrap(), 0);
        assert_eq!(prune(&mut tx, at(601)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn failures_are_counted_until_a_refresh_goes_right() {
        let (_folder, db) = begun().await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(count_failure(&mut tx, "account").await.unwrap(), 1);
        assert_eq!(count_failure(&mut tx, "account").await.unwrap(), 2);
        set_expiry(&mut tx, "account", Some(at(9))).await.unwrap();
        assert_eq!(count_failure(&mut tx, "account").await.unwrap(), 1);
        assert_eq!(store::accounts::find(&mut tx, "account").await.unwrap().unwrap().oauth_expires_at, Some(at(9)));
    }

    #[tokio::test]
    async fn a_route_means_the_accounts_of_its_app_and_type() {
        let (_folder, db) = begun().await;
        let mut tx = db.begin().await.unwrap();
        let routes = ["user:1".to_owned(), "user:1".to_owned(), "group:2".to_owned()];
        store::routes::replace(&mut tx, "account", "TEST", &routes).await.unwrap();
        let of_app = |app: &'static str, kind: &'static str, route: &'static str| (app, kind, route);
        for ((app, kind, route), found) in [
            (of_app("app", "TEST", "user:1"), 1),
            (of_app("other", "TEST", "user:1"), 0),
            (of_app("app", "OTHER", "user:1"), 0),
            (of_app("app", "TEST", "user:2"), 0),
        ] {
            let ids = store::routes::account_ids_of_app(&mut tx, app, kind, route).await.unwrap();
            assert_eq!(ids.len(), found, "{app} {kind} {route}");
        }
        assert_eq!(store::routes::account_ids(&mut tx, "TEST", "group:2").await.unwrap(), ["account"]);
        store::routes::remove(&mut tx, "account", "user:1").await.unwrap();
        store::routes::replace(&mut tx, "account", "TEST", &["group:3".to_owned()]).await.unwrap();
        assert!(store::routes::account_ids(&mut tx, "TEST", "group:2").await.unwrap().is_empty(), "the old ones are replaced");
        assert_eq!(store::apps::accounts_by_type(&mut tx, "app").await.unwrap(), [("TEST".to_owned(), 1)]);
        assert_eq!(store::apps::account_ids(&mut tx, "app").await.unwrap(), ["account"]);
        store::accounts::clear_facts(&mut tx, "account", at(1)).await.unwrap();
        assert_eq!(store::accounts::find(&mut tx, "account").await.unwrap().unwrap().facts, json!({}));
    }

    #[tokio::test]
    async fn a_deletion_is_found_by_its_code() {
        let (_folder, db) = begun().await;
        let mut tx = db.begin().await.unwrap();
        let deletion = Deletion { code: "abc".into(), accounts: 2, requested_at: at(1), completed_at: Some(at(2)) };
        insert_deletion(&mut tx, "app", &deletion).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(find_deletion(&db, "abc").await.unwrap(), Some(deletion));
        assert_eq!(find_deletion(&db, "abd").await.unwrap(), None);
    }
}

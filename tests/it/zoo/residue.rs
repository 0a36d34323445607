//! What a call leaves behind is never in another account's.

use serde_json::{Value, json};

use super::cage::Cage;
use crate::harness::{Database, Settings, both};

/// What the plugin found of earlier calls, in the order of the messages.
async fn found(cage: &Cage, account: &str) -> Vec<Value> {
    cage.texts(account).await.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// Calls for two accounts by turns.
async fn by_turns(cage: &Cage, other: &str) {
    for n in 0..4 {
        for (account, text) in [(&*cage.account, "first's"), (other, "other's")] {
            cage.push_to(account, json!({"id": format!("{n}"), "trick": "residue", "text": text})).await.expect_status(200);
        }
    }
}

async fn one_accounts_residue_is_in_no_other_accounts_call(database: Database) {
    // One place in the pool for each: what a slot keeps would be found.
    for live in [0, 2] {
        let settings = Settings::default().line("sandbox.concurrency = 2").line(&format!("sandbox.hot_instances = {live}"));
        let cage = Cage::with(database, settings).await;
        let other = cage.connected("other", json!({})).await;
        by_turns(&cage, &other).await;
        for (account, own) in [(&cage.account, "first's"), (&other, "other's")] {
            let found = found(&cage, account).await;
            assert_eq!(found.len(), 4);
            for (n, call) in found.iter().enumerate() {
                assert_eq!(call["marks"], 0, "memory comes as zeroes: {call}");
                assert_eq!(call["kept"], if n == 0 { Value::Null } else { json!(own) }, "its own store alone: {call}");
                assert!(call["heard"].as_array().unwrap().iter().all(|text| text == own), "{call}");
            }
            if live == 0 {
                assert!(found.iter().all(|call| call["heard"] == json!([])), "every instance is a fresh one: {found:?}");
            }
        }
    }
}

both! {
    one_accounts_residue_is_in_no_other_accounts_call,
}

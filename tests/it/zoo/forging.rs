//! A plugin that speaks for others.

use serde_json::json;

use super::cage::Cage;
use crate::harness::{Database, both};

async fn a_forged_dedupe_key_hides_nothing_of_another_account(database: Database) {
    let cage = Cage::open(database).await;
    let other = cage.connected("other", json!({})).await;
    // The other account's next message will have this key.
    cage.push(json!({"id": "mine", "key": "theirs", "text": "forged"})).await.expect_status(200);
    cage.push_to(&other, json!({"id": "theirs", "text": "genuine"})).await.expect_status(200);
    assert_eq!(cage.texts(&other).await, ["genuine"]);
    assert_eq!(cage.texts(&cage.account).await, ["forged"]);
    // Within an account it is what it says: the same fact.
    cage.push(json!({"id": "again", "key": "theirs", "text": "again"})).await.expect_status(200);
    assert_eq!(cage.texts(&cage.account).await, ["forged"]);
}

async fn a_telegram_message_is_hidden_by_no_other_plugins_key(database: Database) {
    let cage = Cage::open(database).await;
    // Telegram's keys, should somebody guess them.
    for key in ["update:1", "1", "message:1", "70010001:1"] {
        cage.push(json!({"id": format!("forged-{key}"), "key": key, "text": "forged"})).await.expect_status(200);
    }
    cage.neighbour_goes_on().await;
    assert_eq!(cage.bench.messages("inbound").await.len(), 1);
}

async fn an_event_for_another_account_stays_with_its_own(database: Database) {
    let cage = Cage::open(database).await;
    let other = cage.connected("other", json!({})).await;
    for (n, named) in ["other", &other, &cage.bench.account, "4200001"].into_iter().enumerate() {
        cage.push(json!({"id": n.to_string(), "account": named, "text": "planted"})).await.expect_status(200);
    }
    assert!(cage.texts(&other).await.is_empty());
    assert!(cage.bench.messages("inbound").await.is_empty());
}

async fn another_organisations_file_is_not_named(database: Database) {
    let cage = Cage::open(database).await;
    let upload = cage.bench.gateway.upload("/rest/v1/media?organization_id=org-2", "image/png", b"\x89PNG\r\n\x1a\n".to_vec()).await;
    let file = upload.expect_status(201)["id"].as_str().unwrap().to_owned();
    let answer = cage.push(json!({"id": "thief", "file": file})).await;
    assert_eq!(answer.status, 503, "{:#}", answer.body);
    assert!(cage.texts(&cage.account).await.is_empty());
    cage.all_goes_on().await;
}

both! {
    a_forged_dedupe_key_hides_nothing_of_another_account,
    a_telegram_message_is_hidden_by_no_other_plugins_key,
    an_event_for_another_account_stays_with_its_own,
    another_organisations_file_is_not_named,
}

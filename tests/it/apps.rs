//! One webhook URL for an app: its challenge, its proof, and every entry of a batch at its account.

use patchbay_providers::meta::{Number, Waba};
use serde_json::{Value, json};

use crate::harness::{
    Database, both, eventually,
    meta::{APP, APP_SECRET, MetaBench, NUMBER, VERIFY_TOKEN, WABA},
};

const SECOND: &str = "900000000000002";

/// Two numbers of one business, both connected by hand.
async fn two_numbers(database: Database) -> (MetaBench, String, String) {
    let bench = MetaBench::start(database, &["whatsapp-cloud"]).await;
    let second = Number { id: SECOND.into(), display_phone_number: "+1 555-000-1112".into(), ..Number::default() };
    bench.meta.add_waba(Waba { numbers: vec![Number::default(), second], ..Waba::default() });
    let first = connected(&bench, NUMBER).await;
    let second = connected(&bench, SECOND).await;
    (bench, first, second)
}

async fn connected(bench: &MetaBench, number: &str) -> String {
    let token = bench.meta.system_token(APP, &["whatsapp_business_management", "whatsapp_business_messaging"], 0);
    let settings = json!({"auth": "manual", "waba_id": WABA, "phone_number_id": number, "access_token": token});
    let account = bench.create("WHATSAPP_CLOUD", settings).await;
    let after = bench.connect(&account, json!({})).await;
    assert_eq!(after["connection"], "connected", "{after}");
    account
}

async fn the_challenge_is_answered_to_who_knows_the_token(database: Database) {
    let bench = MetaBench::start(database, &["whatsapp-cloud"]).await;
    let path = format!("/webhooks/apps/{}", bench.app);
    let right = format!("{path}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY_TOKEN}");
    let (status, body) = bench.gateway.download(&right).await;
    assert_eq!((status, body.as_slice()), (200, b"1158201444".as_slice()));
    let wrong = format!("{path}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong");
    assert_eq!(bench.gateway.download(&wrong).await.0, 403);
    assert_eq!(bench.gateway.download(&path).await.0, 400);
    bench.gateway.get("/webhooks/apps/nobody").await.expect_status(404);
}

async fn only_what_the_app_signed_is_taken(database: Database) {
    let (bench, first, _) = two_numbers(database).await;
    let webhook = bench.meta.text(NUMBER, "15550002222", "hello 👟 a/b");
    let url = bench.webhook_url();
    assert_eq!(bench.meta.push_to(&url, "another secret", &webhook).await.status, Some(403));
    let unsigned = reqwest::Client::new().post(&url).json(&webhook).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert_eq!(bench.received(&first).await.len(), 0);
    assert_eq!(bench.meta.push_to(&url, APP_SECRET, &webhook).await.status, Some(200));
    bench.meta.set(|knobs| knobs.raw_utf8 = true);
    assert_eq!(bench.meta.push_to(&url, APP_SECRET, &webhook).await.status, Some(200), "signed over its bytes, whatever they are");
    let received = bench.received(&first).await;
    assert_eq!(received.len(), 1, "delivered again it is the same: {received:?}");
    assert_eq!(received[0]["content"][0]["text"], "hello 👟 a/b");
}

async fn every_entry_of_a_batch_finds_its_account(database: Database) {
    let (bench, first, second) = two_numbers(database).await;
    assert!(bench.meta.deliver("wa-03").await.delivered());
    assert_eq!(bench.received(&first).await.len(), 1);
    assert_eq!(bench.received(&second).await.len(), 2);
    let own = bench.gateway.get(&format!("/rest/v1/webhook_deliveries?channel_account_id={second}")).await.expect_status(200);
    assert_eq!(own[0]["shared"], true, "{own}");
    assert_eq!(own[0]["events"], 2);
    assert!(bench.meta.deliver("wa-03").await.delivered());
    assert_eq!(bench.received(&second).await.len(), 2, "the same again is no news");
    // What is the business's goes to each of its numbers.
    assert!(bench.meta.deliver("wa-10").await.delivered());
    for account in [&first, &second] {
        let path = format!("/rest/v1/webhook_deliveries?channel_account_id={account}");
        let events = bench.gateway.get(&path).await.expect_status(200)[0]["events"].clone();
        assert_eq!(events, 1, "both hear of the template");
    }
}

async fn an_inactive_account_holds_its_part(database: Database) {
    let (bench, first, second) = two_numbers(database).await;
    let path = format!("/rest/v1/channel_accounts/{second}");
    bench.gateway.patch(&path, json!({"is_active": false})).await.expect_status(200);
    assert!(bench.meta.deliver("wa-03").await.delivered());
    assert_eq!((bench.received(&first).await.len(), bench.received(&second).await.len()), (1, 0));
    bench.gateway.patch(&path, json!({"is_active": true})).await.expect_status(200);
    eventually("what was held is processed", || async { (bench.received(&second).await.len() == 2).then_some(()) }).await;
    assert_eq!(bench.received(&first).await.len(), 1, "the other's part stays the other's");
}

async fn what_comes_before_its_account_waits_for_it(database: Database) {
    let (bench, ..) = two_numbers(database).await;
    let third = "900000000000003";
    let number = Number { id: third.into(), display_phone_number: "+1 555-000-1113".into(), ..Number::default() };
    bench.meta.change_waba(WABA, |waba| waba.numbers.push(number));
    let webhook = bench.meta.text(third, "15550002222", "is anybody there?");
    assert_eq!(bench.meta.push_to(&bench.webhook_url(), APP_SECRET, &webhook).await.status, Some(200));
    let kept = bench.gateway.get("/rest/v1/webhook_deliveries?state=quarantined").await.expect_status(200);
    assert_eq!((kept[0]["type"].clone(), kept[0]["external_id"].clone()), (json!("WHATSAPP_CLOUD"), json!(third)), "{kept}");
    let account = connected(&bench, third).await;
    eventually("the account takes it up", || async { (bench.received(&account).await.len() == 1).then_some(()) }).await;
}

async fn a_number_is_connected_once(database: Database) {
    let (bench, ..) = two_numbers(database).await;
    let token = bench.meta.system_token(APP, &["whatsapp_business_management", "whatsapp_business_messaging"], 0);
    let settings = json!({"auth": "manual", "waba_id": WABA, "phone_number_id": NUMBER, "access_token": token});
    let twice = bench.create("WHATSAPP_CLOUD", settings).await;
    let error: Value = bench.gateway.post(&format!("/rest/v1/channel_accounts/{twice}/connect"), json!({})).await.expect_status(409);
    assert_eq!(error["code"], "already_connected", "{error}");
}

both! {
    the_challenge_is_answered_to_who_knows_the_token,
    only_what_the_app_signed_is_taken,
    every_entry_of_a_batch_finds_its_account,
    an_inactive_account_holds_its_part,
    what_comes_before_its_account_waits_for_it,
    a_number_is_connected_once,
}

//! SHRINKIT_PUSH against the stand-in of Appgain: pushes to devices and segments, and what the app tells of them.

use patchbay_providers::{
    Appgain,
    appgain::{API_KEY, Kind, SUIT},
};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const SECRET: &str = "whsec_of_the_app";

async fn connected(database: Database) -> (Gateway, Appgain, String) {
    let appgain = Appgain::start().await;
    let url = appgain.url();
    let settings = Settings::default().without_plugin().channel("shrinkit-push");
    let settings = settings.redirecting("notify.appgain.io", &url).redirecting("api.appgain.io", &url);
    let gateway = Gateway::start(database, settings).await;
    let account = gateway.create("SHRINKIT_PUSH", json!({"suit_id": SUIT, "api_key": API_KEY, "webhook_secret": SECRET})).await;
    let after = gateway.connect(&account, json!({})).await;
    assert_eq!(after["connection"], "connected", "{after}");
    let hook = gateway.account(&account).await["webhook_url"].as_str().unwrap().to_owned();
    appgain.set_webhook(SUIT, Kind::Push, Some(&hook), Some(SECRET));
    (gateway, appgain, account)
}

fn notification() -> Value {
    json!({"type": "notification", "title": "Sale", "body": "Everything −20 %", "url": "https://shop.example/sale"})
}

async fn a_push_reaches_devices_and_segments(database: Database) {
    let (gateway, appgain, account) = connected(database).await;
    let list = json!({"mobile_number": "201001383533", "target_list_name": "vip"});
    let subscribe = reqwest::Client::new().post(format!("{}/{SUIT}/smsSubscribe", appgain.url())).header("appapikey", API_KEY).json(&list);
    assert!(subscribe.send().await.unwrap().status().is_success());
    for (to, content) in [
        ("P1NX", notification()),
        ("P1NX", json!({"type": "text", "text": "Your order is there"})),
        ("P1NX", json!({"type": "media", "kind": "image", "url": "https://example.com/a.png", "caption": "New"})),
        ("segment:vip", notification()),
    ] {
        gateway.send(&account, to, content, "sent").await;
    }
    let sent = appgain.sent(SUIT);
    assert_eq!(sent.len(), 4);
    assert_eq!((sent[0].to.as_slice(), sent[0].message.as_str()), (["P1NX".to_owned()].as_slice(), "Everything −20 %"), "{sent:#?}");
    assert_eq!((sent[0].body["title"].as_str(), sent[0].body["url"].as_str()), (Some("Sale"), Some("https://shop.example/sale")));
    assert_eq!(sent[2].body["type"], "photo", "{:#}", sent[2].body);
    assert_eq!(sent[3].body["target_list_name"], "vip", "{:#}", sent[3].body);
    for to in ["segment:", ","] {
        let request = json!({"channel_account_id": account, "to": to, "content": [notification()]});
        let refused = gateway.post("/rest/v1/messages", request).await.expect_status(422);
        assert!(refused.to_string().contains("/to"), "{refused}");
    }
    assert!(appgain.sent_to_everybody().is_empty());
    assert_eq!(gateway.get("/rest/v1/conversations").await.expect_status(200), json!([]));
}

async fn what_the_app_tells_is_on_the_message(database: Database) {
    let (gateway, appgain, account) = connected(database).await;
    let message = gateway.send(&account, "P1NX", notification(), "sent").await;
    let id = message["id"].as_str().unwrap();
    let mut listener = gateway.listen(None).await;
    assert!(appgain.push_status(SUIT, Some(id), "P1NX", "received", "NA").await.delivered);
    gateway.message(id, "delivered").await;
    assert!(appgain.push_status(SUIT, Some(id), "P1NX", "open", "NA").await.delivered);
    gateway.message(id, "read").await;
    let opened = listener.next_of("notification.opened").await;
    assert!(opened.to_string().contains(id), "{opened}");
    assert!(appgain.push_status(SUIT, Some(id), "P1NX", "dismiss", "NA").await.delivered);

    // The app was uninstalled.
    let gone = gateway.send(&account, "NotRegistered-9", notification(), "failed").await;
    assert_eq!(gone["failure"]["class"], "recipient", "{gone}");
}

async fn a_wrong_key_is_told(database: Database) {
    let (gateway, _appgain, _) = connected(database).await;
    let account = gateway.create("SHRINKIT_PUSH", json!({"suit_id": SUIT, "api_key": "another-key-altogether"})).await;
    let refused = gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(422);
    assert!(!refused.to_string().contains("another-key"), "{refused}");
    assert_eq!(gateway.account(&account).await["connection"], "needs_reauth");
    eventually("it is told in the log", || async { (!gateway.logged(&account, "connection").await.is_empty()).then_some(()) }).await;
}

both! {
    a_push_reaches_devices_and_segments,
    what_the_app_tells_is_on_the_message,
    a_wrong_key_is_told,
}

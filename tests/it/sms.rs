//! SMS against the stand-ins of both providers: parts counted before and after, receipts, and nothing in an inbox.

use patchbay_providers::{
    Appgain, VictoryLink,
    appgain::{API_KEY, Kind, SUIT},
    victorylink::{PASSWORD, USER, User},
};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const MONA: &str = "201001383533";
const SECRET: &str = "whsec_of_the_shop";

async fn gateway(database: Database, redirects: &[(&str, &str)]) -> Gateway {
    let settings = Settings::default().without_plugin().channel("sms");
    Gateway::start(database, redirects.iter().fold(settings, |settings, (host, url)| settings.redirecting(host, url))).await
}

async fn connected(gateway: &Gateway, settings: Value) -> String {
    let account = gateway.create("SMS", settings).await;
    let after = gateway.connect(&account, json!({})).await;
    assert_eq!(after["connection"], "connected", "{after}");
    account
}

async fn over_victorylink(database: Database) -> (Gateway, VictoryLink, String) {
    let victorylink = VictoryLink::start().await;
    let gateway = gateway(database, &[("smsvas.vlserv.com", &victorylink.url())]).await;
    let settings = json!({"provider": "victorylink", "username": USER, "password": PASSWORD, "sender_id": "Shop"});
    let account = connected(&gateway, settings).await;
    (gateway, victorylink, account)
}

async fn over_appgain(database: Database) -> (Gateway, Appgain, String) {
    let appgain = Appgain::start().await;
    let url = appgain.url();
    let gateway = gateway(database, &[("notify.appgain.io", &url), ("api.appgain.io", &url)]).await;
    let settings = json!({"provider": "appgain_notify", "suit_id": SUIT, "api_key": API_KEY, "webhook_secret": SECRET});
    let account = connected(&gateway, settings).await;
    let hook = gateway.account(&account).await["webhook_url"].as_str().unwrap().to_owned();
    appgain.set_webhook(SUIT, Kind::Sms, Some(&hook), Some(SECRET));
    (gateway, appgain, account)
}

fn request(account: &str, to: &str, text: &str) -> Value {
    json!({"channel_account_id": account, "to": to, "content": [{"type": "text", "text": text}]})
}

async fn parts_are_counted_before_and_with_every_send(database: Database) {
    let (gateway, victorylink, account) = over_victorylink(database).await;
    for (text, encoding, units, parts) in [
        ("a".repeat(160), "GSM", 160, 1),
        ("a".repeat(161), "GSM", 161, 2),
        (format!("{}€{}", "a".repeat(152), "a".repeat(152)), "GSM", 306, 3),
        ("م".repeat(70), "UCS", 70, 1),
        (format!("{}😀{}", "م".repeat(66), "م".repeat(66)), "UCS", 134, 3),
        ("a".repeat(1600), "GSM", 1600, 11),
    ] {
        let mut dry = request(&account, MONA, &text);
        dry["dry_run"] = json!(true);
        let told = gateway.post("/rest/v1/messages", dry).await.expect_status(200);
        let facts = &told["facts"];
        assert_eq!(
            (told["dry_run"].clone(), facts["units"].clone(), facts["parts"].clone()),
            (json!(true), json!(units), json!(parts)),
            "{facts}"
        );
        assert!(facts["encoding"].as_str().unwrap().to_uppercase().replace('-', "").contains(&encoding.replace('-', "")), "{facts}");
        assert!(facts["chars"].is_number() && facts["remaining_in_part"].is_number(), "{facts}");
    }
    assert!(victorylink.sent().is_empty(), "a dry run sends nothing");
    let listed = gateway.get(&format!("/rest/v1/messages?channel_account_id={account}")).await.expect_status(200);
    assert_eq!(listed, json!([]), "and keeps nothing");

    let long = gateway.post("/rest/v1/messages", request(&account, MONA, &"م".repeat(1601))).await.expect_status(422);
    assert!(long.to_string().contains("1601") && long.to_string().contains("/content/0/text"), "{long}");

    let message = gateway.command(request(&account, MONA, &"a".repeat(307)), "delivered").await;
    assert_eq!(message["facts"]["parts"], json!(3), "{message}");
    assert_eq!(victorylink.sent()[0].parts, 3);
}

async fn receipts_come_and_nothing_goes_into_an_inbox(database: Database) {
    let (gateway, victorylink, account) = over_victorylink(database).await;
    let message = gateway.command(request(&account, "01001383533", "مرحبا"), "delivered").await;
    let sent = victorylink.sent();
    assert_eq!((sent[0].to.as_str(), sent[0].language.as_str(), sent[0].garbled), (MONA, "A", false), "{sent:?}");
    assert_eq!(json!(sent[0].id.to_lowercase()), message["id"], "our id is the provider's");
    for (ending, code) in [("1403", "failed"), ("1404", "failed")] {
        gateway.post("/rest/v1/messages", request(&account, &format!("20100138{ending}"), "Hi")).await.expect_status(202);
        let path = format!("/rest/v1/messages?channel_account_id={account}&state={code}");
        eventually("it is told as failed", || async {
            let failed = gateway.get(&path).await.expect_status(200);
            failed.as_array().unwrap().iter().any(|message| message["to"].as_str().unwrap().ends_with(ending)).then_some(())
        })
        .await;
    }
    // Whoever doesn't know the address's token isn't believed; an unknown message changes nothing.
    let hook = gateway.account(&account).await["webhook_url"].as_str().unwrap().to_owned();
    let client = reqwest::Client::new();
    let receipt = |url: String| {
        let request = client.get(url).query(&[("userSMSId", message["id"].as_str().unwrap()), ("dlrResponseStatus", "Undelivered")]);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(receipt(format!("{}/webhooks/{account}", gateway.url)).await, 404);
    assert_eq!(receipt(format!("{hook}x")).await, 404);
    let unknown = client.get(&hook).query(&[("userSMSId", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"), ("dlrResponseStatus", "Delivered")]);
    assert_eq!(unknown.send().await.unwrap().status(), 200);
    let missing = client.get(&hook).query(&[("dlrResponseStatus", "Delivered")]).send().await.unwrap();
    assert_eq!(missing.status(), 400);
    // A final state stays what it is.
    assert_eq!(receipt(hook).await, 200);
    let path = format!("/rest/v1/messages/{}", message["id"].as_str().unwrap());
    assert_eq!(gateway.get(&path).await.expect_status(200)["state"], "delivered");
    assert_eq!(gateway.get("/rest/v1/conversations").await.expect_status(200), json!([]));
}

async fn refusals_of_victorylink_are_told_apart(database: Database) {
    let (gateway, victorylink, account) = over_victorylink(database).await;
    let failed = |to: &'static str| {
        let (gateway, account) = (&gateway, &account);
        async move {
            let message = gateway.post("/rest/v1/messages", request(account, to, "Hi")).await.expect_status(202);
            let path = format!("/rest/v1/messages/{}", message["id"].as_str().unwrap());
            eventually("it failed", || async {
                let message = gateway.get(&path).await.expect_status(200);
                (message["state"] == "failed").then(|| message["failure"]["class"].clone())
            })
            .await
        }
    };
    assert_eq!(failed("201001389003").await, "recipient");
    assert_eq!(failed("201001389012").await, "rejected");
    // Queued there already: it isn't sent again.
    gateway.command(request(&account, "201001389010", "Hi"), "sent").await;
    // Who may not ask for receipts sends without.
    gateway.command(request(&account, "201001389016", "Hi"), "sent").await;
    for bad in ["12345", "nobody", "2010013835331234"] {
        let refused = gateway.post("/rest/v1/messages", request(&account, bad, "Hi")).await.expect_status(422);
        assert!(refused.to_string().contains("/to"), "{refused}");
    }
    // Out of credit: the queue waits until the account is connected again.
    victorylink.set_user(&User { credit: 0, ..User::new(USER, PASSWORD) });
    let waiting = gateway.post("/rest/v1/messages", request(&account, MONA, "Hi")).await.expect_status(202);
    let stood = eventually("the account says so", || async {
        let account = gateway.account(&account).await;
        (account["connection"] != "connected").then_some(account)
    })
    .await;
    assert!(stood.to_string().to_lowercase().contains("credit"), "{stood}");
    victorylink.set_user(&User::new(USER, PASSWORD));
    gateway.connect(&account, json!({})).await;
    gateway.message(waiting["id"].as_str().unwrap(), "delivered").await;
    // A wrong password is told when connecting.
    let wrong = json!({"provider": "victorylink", "username": USER, "password": "not-the-password", "sender_id": "Shop"});
    let other = gateway.create("SMS", wrong).await;
    let refused = gateway.post(&format!("/rest/v1/channel_accounts/{other}/connect"), json!({})).await.expect_status(422);
    assert!(!refused.to_string().contains("not-the-password"), "{refused}");
}

async fn appgain_sends_receipts_and_opt_outs(database: Database) {
    let (gateway, appgain, account) = over_appgain(database).await;
    appgain.set(|knobs| knobs.sms_statuses = true);
    let message = gateway.command(request(&account, MONA, "Hello"), "delivered").await;
    let sent = appgain.sent(SUIT);
    assert_eq!(
        (sent.len(), sent[0].to.as_slice(), sent[0].client_ref.as_deref()),
        (1, [MONA.to_owned()].as_slice(), message["id"].as_str())
    );
    let mut listener = gateway.listen(None).await;
    assert!(appgain.sms_inbound(SUIT, MONA, " stop ").await.delivered);
    assert!(appgain.sms_inbound(SUIT, MONA, "Where is my order?").await.delivered);
    listener.next_of("contact.opted_out").await;
    assert_eq!(gateway.get("/rest/v1/conversations").await.expect_status(200), json!([]));
    assert!(gateway.received(&account).await.is_empty());
    assert!(appgain.sent_to_everybody().is_empty());
    let wrong = gateway.create("SMS", json!({"provider": "appgain_notify", "suit_id": SUIT, "api_key": "another-key-altogether"})).await;
    gateway.post(&format!("/rest/v1/channel_accounts/{wrong}/connect"), json!({})).await.expect_status(422);
}

both! {
    parts_are_counted_before_and_with_every_send,
    receipts_come_and_nothing_goes_into_an_inbox,
    refusals_of_victorylink_are_told_apart,
    appgain_sends_receipts_and_opt_outs,
}

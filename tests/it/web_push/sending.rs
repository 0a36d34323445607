//! What a push service says to the gateway's pushes, and what comes of it.

use patchbay_providers::{Failure, Moment, push::Service};
use reqwest::Method;
use serde_json::{Value, json};

use super::shop::{Shop, notification, of};
use crate::harness::{Database, both, eventually};

/// Of RFC 8292's example: nobody here has its private half.
const OTHER_KEY: &str = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";

fn mona() -> Value {
    json!({"external_id": "mona"})
}

async fn ttl_urgency_and_topic_arrive_as_given(database: Database) {
    let shop = Shop::open_with(database, json!({"default_ttl": 3600, "default_urgency": "low"}), &[]).await;
    let device = shop.device("phone").await;
    let id = shop.subscribe(&device, mona()).await;
    let with = |changes: Value| {
        let mut content = notification("Sale");
        content.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        content
    };
    shop.send(&id, with(json!({})), "sent").await;
    shop.send(&id, with(json!({"ttl_s": 0, "urgency": "high", "topic": "cart_4-2"})), "sent").await;
    shop.send(&id, with(json!({"ttl_s": 2_419_200, "urgency": "very-low", "topic": "12345678901234567890123456789012"})), "sent").await;
    let received = shop.push.received();
    let said: Vec<_> = received.iter().map(|push| (push.ttl, push.urgency.as_str(), push.topic.as_deref())).collect();
    let long = "12345678901234567890123456789012";
    assert_eq!(said, [(3600, "low", None), (0, "high", Some("cart_4-2")), (2_419_200, "very-low", Some(long))]);
    assert!(received.iter().all(|push| push.subject == "mailto:push@shop.example"));
    let public_key = shop.public_key().await;
    assert!(received.iter().all(|push| push.key == public_key));
    // A push is one of its kind: no salt and no key twice.
    let heads: Vec<_> = received.iter().map(|push| push.body[..86].to_vec()).collect();
    assert!(heads[0][..16] != heads[1][..16] && heads[0][21..] != heads[1][21..]);

    for (changes, field) in [
        (json!({"ttl_s": 2_419_201}), "/content/0/ttl_s"),
        (json!({"urgency": "urgent"}), "/content/0/urgency"),
        (json!({"topic": "123456789012345678901234567890123"}), "/content/0/topic"),
        (json!({"topic": "a b"}), "/content/0/topic"),
        (json!({"url": "javascript:alert(1)"}), "/content/0/url"),
        (json!({"title": " "}), "/content/0/title"),
        (json!({"body": "x".repeat(4000)}), "/content/0"),
    ] {
        let request = json!({"channel_account_id": shop.account, "to": id, "content": [with(changes.clone())]});
        let refused = shop.gateway.post("/rest/v1/messages", request).await.expect_status(422);
        assert!(refused.to_string().contains(field), "{changes}: {refused}");
    }
    assert_eq!(shop.push.requests().len(), 3, "a refused message was pushed");
}

async fn as_much_is_pushed_as_fits(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("phone").await;
    let id = shop.subscribe(&device, mona()).await;
    // As long as it is let in, it arrives: what is promised at the door holds at the push service.
    let (mut fits, mut too_long) = (0, 4000);
    while too_long - fits > 1 {
        let length = usize::midpoint(fits, too_long);
        let content = json!({"type": "notification", "title": "T", "body": "€".repeat(length)});
        let answer =
            shop.gateway.post("/rest/v1/messages", json!({"channel_account_id": shop.account, "to": id, "content": [content]})).await;
        if answer.status == 202 { fits = length } else { too_long = length }
    }
    // Three bytes each, of 3993, beside what every payload has.
    assert!((1000..1331).contains(&fits), "{fits}");
    eventually("all that were let in are pushed", || async {
        let longest = shop.push.received().iter().filter_map(|push| push.plaintext.clone()).map(|text| text.matches('€').count()).max();
        (longest == Some(fits)).then_some(())
    })
    .await;
}

async fn a_message_goes_to_all_devices_of_a_contact(database: Database) {
    let shop = Shop::open(database).await;
    let (phone, laptop, other) = (shop.device("phone").await, shop.device("laptop").await, shop.device("other").await);
    for device in [&phone, &laptop] {
        shop.subscribe(device, json!({"external_id": "mona", "email": "mona@example.com"})).await;
    }
    shop.subscribe(&other, json!({"external_id": "ali"})).await;
    let contact = shop.subscriptions().await.iter().find(|kept| kept["extras"].is_object() && kept["contact_id"].is_string()).cloned();
    assert!(contact.is_some());
    shop.send("mona@example.com", notification("Both"), "sent").await;
    assert_eq!((shop.payload(&phone)["title"].clone(), shop.payload(&laptop)["title"].clone()), (json!("Both"), json!("Both")));
    assert_ne!(shop.payload(&phone)["tok"], shop.payload(&laptop)["tok"]);
    assert!(shop.push.received_for("other").is_empty());

    // One of them is gone: the other still has it.
    shop.push.drop_subscription("phone");
    shop.send("mona", notification("One"), "sent").await;
    assert_eq!(shop.payload(&laptop)["title"], "One");
    eventually("the phone is forgotten", || async { (shop.subscriptions().await.len() == 2).then_some(()) }).await;
    let tried = shop.push.requests().len();
    shop.send("mona", notification("Again"), "sent").await;
    assert_eq!(shop.push.requests().len(), tried + 1, "who is gone was tried again");
}

async fn a_browser_that_is_gone_is_forgotten(database: Database) {
    let shop = Shop::open(database).await;
    for end in ["phone_410", "phone_404"] {
        let device = shop.device(end).await;
        let id = shop.subscribe(&device, mona()).await;
        let mut listener = shop.gateway.listen(None).await;
        let message = shop.send(&id, notification("Sale"), "failed").await;
        assert_eq!(message["failure"]["class"], "recipient", "{message:#}");
        let told = listener.next_of("contact.subscription").await;
        assert_eq!((&told["data"]["subscription"]["id"], &told["data"]["subscription"]["active"]), (&json!(id), &json!(false)), "{told:#}");
        assert!(shop.subscriptions().await.is_empty());
        let request = json!({"channel_account_id": shop.account, "to": id, "content": [notification("Nobody")]});
        let refused = shop.gateway.post("/rest/v1/messages", request).await.expect_status(422);
        assert!(refused.to_string().contains("/to"), "{refused}");
    }
    assert_eq!(shop.gateway.account(&shop.account).await["connection"], "connected");
}

async fn a_service_that_is_busy_or_down_is_waited_for(database: Database) {
    let shop = Shop::open_with(database, json!({}), &["outbox.retry_s = [1]"]).await;
    let (phone, laptop) = (shop.device("phone").await, shop.device("laptop").await);
    let phone_id = shop.subscribe(&phone, mona()).await;
    shop.push.fail_next(429, Some(2), 1);
    shop.send(&phone_id, notification("Busy"), "sent").await;
    let tried: Vec<u64> = shop.push.requests().iter().map(|request| request.at_ms).collect();
    assert!(tried[1] - tried[0] >= 2000, "Retry-After wasn't waited for: {tried:?}");
    shop.push.fail_next(503, None, 1);
    shop.send(&phone_id, notification("Down"), "sent").await;
    shop.push.fail(Failure::cut("POST push", Moment::Before));
    shop.send(&phone_id, notification("Cut"), "sent").await;
    let statuses: Vec<u16> = shop.push.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [429, 201, 503, 201, 0, 201]);

    // One of two devices waits: the other isn't pushed to twice.
    shop.subscribe(&laptop, mona()).await;
    shop.push.fail(Failure { chat: Some("laptop".into()), ..Failure::error("POST push", 503, "") });
    shop.send("mona", notification("Two"), "sent").await;
    let titles = |id: &str| {
        let received = shop.push.received_for(id);
        received.iter().filter(|push| push.plaintext.as_deref().unwrap().contains("\"Two\"")).count()
    };
    assert_eq!((titles("laptop"), titles("phone")), (1, 1));
}

async fn a_key_that_is_refused_is_told(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("phone").await;
    let id = shop.subscribe(&device, mona()).await;
    // The browser subscribed with the key of another: what a lost private key comes to.
    shop.push.bind("phone", OTHER_KEY);
    shop.gateway.post("/rest/v1/messages", json!({"channel_account_id": shop.account, "to": id, "content": [notification("Sale")]})).await;
    eventually("the account needs its operator", || async {
        (shop.gateway.account(&shop.account).await["connection"] == "needs_reauth").then_some(())
    })
    .await;
    assert_eq!(shop.subscriptions().await.len(), 1, "the device was given up");
    eventually("it is told in the log", || async { (!shop.gateway.logged(&shop.account, "connection").await.is_empty()).then_some(()) })
        .await;
}

async fn a_device_of_another_key_is_forgotten_where_others_take_ours(database: Database) {
    let shop = Shop::open(database).await;
    let (phone, old) = (shop.device("phone").await, shop.device("old").await);
    let id = shop.subscribe(&phone, json!({"external_id": "ali"})).await;
    shop.send(&id, notification("Ali's"), "sent").await;
    let id = shop.subscribe(&old, mona()).await;
    shop.push.bind("old", OTHER_KEY);
    let message = shop.send(&id, notification("Mona's"), "failed").await;
    assert_eq!(message["failure"]["class"], "recipient", "{message:#}");
    eventually("it is forgotten", || async { (shop.subscriptions().await.len() == 1).then_some(()) }).await;
    assert_eq!(shop.gateway.account(&shop.account).await["connection"], "connected");
}

async fn every_service_takes_the_pushes(database: Database) {
    let shop = Shop::open(database).await;
    for service in [Service::Fcm, Service::Mozilla, Service::Apple, Service::Plain] {
        let device = shop.push.subscribe_with(of(service)).unwrap();
        let id = shop.subscribe(&device, json!({})).await;
        shop.send(&id, notification("Sale"), "sent").await;
        assert_eq!(shop.payload(&device)["title"], "Sale", "{service:?}");
    }
}

async fn a_key_that_was_brought_along_is_used(database: Database) {
    // Of RFC 8291's example.
    let key = json!({"vapid_private_key": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"});
    let shop = Shop::open_with(database, key, &[]).await;
    let public_key = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    assert_eq!(shop.public_key().await, public_key);
    let device = shop.device("phone").await;
    let id = shop.subscribe(&device, mona()).await;
    shop.send(&id, notification("Sale"), "sent").await;
    assert_eq!(shop.push.received()[0].key, public_key);
    let account = shop.gateway.account(&shop.account).await.to_string();
    assert!(!account.contains("yfWPiYE"), "{account}");

    let wrong = json!({"organization_id": "org-1", "name": "Wrong", "type": "WEB_PUSH",
        "settings": {"vapid_subject": "mailto:push@shop.example", "vapid_private_key": "A".repeat(43)}});
    let refused = shop.gateway.post("/rest/v1/channel_accounts", wrong).await.expect_status(422);
    assert!(refused.to_string().contains("vapid_private_key"), "{refused}");
}

async fn what_is_told_without_its_token_changes_nothing(database: Database) {
    let shop = Shop::open(database).await;
    let (phone, laptop) = (shop.device("phone").await, shop.device("laptop").await);
    for device in [&phone, &laptop] {
        shop.subscribe(device, mona()).await;
    }
    let message = shop.send("mona", notification("Sale"), "sent").await;
    let (payload, other) = (shop.payload(&phone), shop.payload(&laptop));
    for forged in [json!(""), json!("0".repeat(32)), other["tok"].clone(), json!(payload["tok"].as_str().unwrap().to_uppercase() + "0")] {
        assert_eq!(shop.tell(&payload, json!({"type": "click", "tok": forged})).await, 403, "{forged}");
    }
    let another = shop.send("mona", notification("Another"), "sent").await;
    assert_eq!(shop.tell(&payload, json!({"type": "click", "message_id": another["id"]})).await, 403);
    for wrong in [json!({"type": "steal"}), json!({"message_id": null}), json!({"type": "click", "action": "x".repeat(1000)})] {
        let what = [json!({"type": "click"}), wrong.clone()];
        let mut body = json!({"message_id": payload["id"], "subscription_id": payload["sub"], "tok": payload["tok"]});
        for part in what {
            body.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        let answer = shop.call(Method::POST, "events", &body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
    }
    let untouched = shop.message(&message["id"]).await;
    assert_eq!((&untouched["state"], &untouched["interactions"]), (&json!("sent"), &json!([])), "{untouched:#}");

    // The same fact twice is one; another button is another.
    let now = jiff::Timestamp::now().as_millisecond();
    for later in 0..3 {
        assert_eq!(shop.tell(&payload, json!({"type": "click", "action": "buy", "ts": now + later})).await, 204);
    }
    assert_eq!(shop.tell(&payload, json!({"type": "click", "action": "later"})).await, 204);
    assert_eq!(shop.tell(&payload, json!({"type": "dismiss"})).await, 204);
    // Who has opened it on one device has read it.
    assert_eq!(shop.with_interactions(&message["id"], 3).await["state"], "read");
    assert_eq!(shop.tell(&other, json!({"type": "click"})).await, 204);
    let after = shop.with_interactions(&message["id"], 4).await;
    assert_eq!(after["state"], "read", "{after:#}");
    let done: Vec<_> = after["interactions"].as_array().unwrap().iter().map(|one| (one["kind"].clone(), one["action"].clone())).collect();
    assert!(done.contains(&(json!("opened"), json!("buy"))) && done.contains(&(json!("dismissed"), json!(null))), "{done:?}");
    assert_eq!((shop.figure("opened").await, shop.figure("dismissed").await), (1, 1));
}

both! {
    ttl_urgency_and_topic_arrive_as_given,
    as_much_is_pushed_as_fits,
    a_message_goes_to_all_devices_of_a_contact,
    a_browser_that_is_gone_is_forgotten,
    a_service_that_is_busy_or_down_is_waited_for,
    a_key_that_is_refused_is_told,
    a_device_of_another_key_is_forgotten_where_others_take_ours,
    every_service_takes_the_pushes,
    a_key_that_was_brought_along_is_used,
    what_is_told_without_its_token_changes_nothing,
}

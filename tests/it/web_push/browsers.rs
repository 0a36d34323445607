//! What a person with a browser meets, from the first visit to the last notification.

use serde_json::{Value, json};

use super::shop::{Shop, notification};
use crate::harness::{Database, both, eventually};

async fn a_visitor_subscribes_and_presses_a_button(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("laptop").await;
    let mut visitor = shop.visit(&[&device]).await;
    assert_eq!(visitor.state().await, json!({"status": "unsubscribed", "permission": "granted", "id": null}));
    let id = visitor.subscribe(&json!({"external_id": "mona", "email": "mona@example.com"})).await;
    assert_eq!(visitor.state().await, json!({"status": "subscribed", "permission": "granted", "id": id}));
    let digest = format!(
        "crypto.subtle.digest('SHA-256', new TextEncoder().encode('{}'))\
         .then((sum) => Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, '0')).join('').slice(0, 32))",
        device.endpoint
    );
    assert_eq!(visitor.page.evaluate(&digest).await, json!(id));
    let subscriptions = shop.subscriptions().await;
    let [subscription] = subscriptions.as_slice() else { panic!("{subscriptions:#?}") };
    assert_eq!((&subscription["id"], &subscription["host"]), (&json!(id), &json!("127.0.0.1")), "{subscription}");
    assert!(subscription["extras"]["user_agent"].as_str().unwrap().contains("Chrome"), "{subscription}");
    assert!(!subscription.to_string().contains(&device.auth) && !subscription.to_string().contains(&device.endpoint), "{subscription}");

    let mut listener = shop.gateway.listen(None).await;
    let message = shop.send("mona", notification("Sale"), "sent").await;
    let payload = shop.payload(&device);
    assert_eq!((&payload["v"], &payload["id"], &payload["sub"]), (&json!(1), &message["id"], &json!(id)), "{payload}");
    assert_eq!(payload["track"], json!(format!("{}/events", shop.base())), "{payload}");
    assert_eq!((payload["title"].as_str(), payload["body"].as_str()), (Some("Sale"), Some("Everything −20 %")), "{payload}");

    let shown = visitor.see(&payload).await;
    assert!(shown.body.ends_with("Everything −20 %"), "{shown:?}");
    assert_eq!(shown.labels(), ["Buy", "Later"]);
    shop.gateway.message(message["id"].as_str().unwrap(), "delivered").await;
    let seen = visitor.notifications().await;
    let actions = json!([["buy", "Buy"], ["later", "Later"]]);
    let expected = json!({"title": "Sale", "body": "Everything −20 %", "tag": message["id"], "actions": actions, "id": message["id"]});
    assert_eq!(seen, json!([expected]));

    visitor.chromium.desktop.press_button(&shown, "Buy");
    let after = shop.with_interactions(&message["id"], 1).await;
    assert_eq!(after["state"], "read", "{after:#}");
    let opened = &after["interactions"][0];
    assert_eq!((&opened["kind"], &opened["action"]), (&json!("opened"), &json!("buy")), "{opened}");
    assert!(opened["url"].as_str().unwrap().ends_with("/buy"), "{opened}");
    assert_eq!(opened["contact_id"], subscription["contact_id"], "{opened}");
    let event = listener.next_of("notification.opened").await;
    assert_eq!((&event["data"]["action"], &event["data"]["message"]["id"]), (&json!("buy"), &message["id"]), "{event:#}");
    assert_eq!((shop.figure("opened").await, shop.figure("dismissed").await), (1, 0));
    let page = shop.site.url("/buy");
    eventually("the button's page is opened", || async { visitor.chromium.pages().await.contains(&page).then_some(()) }).await;
    eventually("the notification is gone", || async { visitor.chromium.desktop.open().is_empty().then_some(()) }).await;
    assert_eq!(visitor.chromium.complaints(), Vec::<Value>::new());
}

async fn a_notification_is_shown_once_and_put_away(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("laptop").await;
    let mut visitor = shop.visit(&[&device]).await;
    let id = visitor.subscribe(&json!({"external_id": "mona"})).await;
    let mut listener = shop.gateway.listen(None).await;
    let message = shop.send(&id, notification("Once"), "sent").await;
    let payload = shop.payload(&device);
    let shown = visitor.see(&payload).await;
    // A gateway that doesn't know whether the push arrived pushes again.
    visitor.receive(&payload).await;
    eventually("it came twice", || async { (visitor.chromium.desktop.times_shown() == 2).then_some(()) }).await;
    assert_eq!(visitor.chromium.desktop.open().len(), 1);

    visitor.chromium.desktop.dismiss(&shown);
    let after = shop.with_interactions(&message["id"], 1).await;
    assert_eq!((&after["state"], &after["interactions"][0]["kind"]), (&json!("delivered"), &json!("dismissed")), "{after:#}");
    let event = listener.next_of("notification.dismissed").await;
    assert_eq!(event["data"]["message"]["id"], message["id"], "{event:#}");
    assert_eq!((shop.figure("opened").await, shop.figure("dismissed").await), (0, 1));

    // Late, and already put away: it may not come back. Chromium forgets a notification once its worker has heard of its end.
    eventually("it is forgotten", || async { (visitor.notifications().await == json!([])).then_some(()) }).await;
    visitor.receive(&payload).await;
    eventually("it is taken back", || async { (visitor.chromium.desktop.times_shown() == 3).then_some(()) }).await;
    eventually("it stays away", || async { visitor.chromium.desktop.open().is_empty().then_some(()) }).await;

    // A text is a notification of the site's name, and the notification itself can be pressed.
    let text = shop.send(&id, json!({"type": "text", "text": "Your order is there"}), "sent").await;
    let payload = shop.payload(&device);
    visitor.receive(&payload).await;
    let shown = visitor.chromium.desktop.shown("localhost").await;
    assert!(shown.body.ends_with("Your order is there"), "{shown:?}");
    visitor.chromium.desktop.press(&shown);
    let after = shop.with_interactions(&text["id"], 1).await;
    assert_eq!((&after["state"], &after["interactions"][0]["action"]), (&json!("read"), &json!(null)), "{after:#}");
}

async fn a_browser_that_gets_another_endpoint_stays_subscribed(database: Database) {
    let shop = Shop::open(database).await;
    let devices = [shop.device("first").await, shop.device("second").await, shop.device("third").await];
    let visitor = shop.visit(&[&devices[0], &devices[1]]).await;
    let first = visitor.subscribe(&json!({"external_id": "mona"})).await;
    let contact = shop.subscriptions().await[0]["contact_id"].clone();

    // The browser forgot it between two visits.
    visitor.page.evaluate("localStorage.removeItem('push service')").await;
    visitor.page.load(&shop.site.url("/sale")).await;
    let state = visitor.state().await;
    assert!(state["status"] == "subscribed" && state["id"] != *first, "{state}");
    let only = eventually("the new one takes the old one's place", || async {
        let kept = shop.subscriptions().await;
        (kept.len() == 1 && kept[0]["id"] == state["id"]).then(|| kept[0].clone())
    })
    .await;
    assert_eq!(only["contact_id"], contact, "{only}");
    shop.send("mona", notification("Second"), "sent").await;
    assert_eq!(shop.payload(&devices[1])["title"], "Second");

    // The push service replaced it while no page was open.
    let subscription = devices[2].to_json();
    let change = format!(
        "PushManager.prototype.getSubscription = async () => ({{endpoint: '{}', toJSON: () => ({subscription})}}); \
         self.dispatchEvent(new ExtendableEvent('pushsubscriptionchange'))",
        devices[2].endpoint
    );
    visitor.worker().await.evaluate(&change).await;
    eventually("the third takes the second one's place", || async {
        let kept = shop.subscriptions().await;
        (kept.len() == 1 && kept[0]["id"] != state["id"] && kept[0]["contact_id"] == contact).then_some(())
    })
    .await;
    shop.send("mona", notification("Third"), "sent").await;
    assert_eq!(shop.payload(&devices[2])["title"], "Third");
}

async fn a_visitor_unsubscribes(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("laptop").await;
    let visitor = shop.visit(&[&device]).await;
    let id = visitor.subscribe(&json!({"external_id": "mona"})).await;
    let mut listener = shop.gateway.listen(None).await;
    visitor.page.evaluate("Patchbay.unsubscribe()").await;
    assert_eq!(visitor.state().await["status"], "unsubscribed");
    let told = listener.next_of("contact.subscription").await;
    assert_eq!((&told["data"]["subscription"]["id"], &told["data"]["subscription"]["active"]), (&json!(id), &json!(false)), "{told:#}");
    assert_eq!(shop.subscriptions().await, Vec::<Value>::new());
    let request = json!({"channel_account_id": shop.account, "to": "mona", "content": [notification("Nobody")]});
    let refused = shop.gateway.post("/rest/v1/messages", request).await.expect_status(422);
    assert!(refused.to_string().contains("/to"), "{refused}");
}

async fn a_site_that_is_not_listed_gets_nowhere(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("laptop").await;
    let nobody = json!({"site_origins": ["https://another.example"]});
    shop.gateway.patch(&format!("/rest/v1/channel_accounts/{}", shop.account), json!({"settings": nobody})).await.expect_status(200);
    let visitor = shop.visit(&[&device]).await;
    let thrown = visitor.page.evaluate("Patchbay.subscribe().then(() => null, (error) => [error.code, error.message])").await;
    assert_eq!(thrown[0], "gateway", "{thrown}");
    assert!(thrown[1].as_str().unwrap().contains("site_origins"), "{thrown}");
    assert_eq!(shop.subscriptions().await, Vec::<Value>::new());
}

both! {
    a_visitor_subscribes_and_presses_a_button,
    a_notification_is_shown_once_and_put_away,
    a_browser_that_gets_another_endpoint_stays_subscribed,
    a_visitor_unsubscribes,
    a_site_that_is_not_listed_gets_nowhere,
}

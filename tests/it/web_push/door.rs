//! The door for pages in browsers, knocked at by hand.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::shop::{Shop, notification};
use crate::harness::{Database, both, eventually};

async fn scripts_are_served_with_the_accounts_own_key(database: Database) {
    let shop = Shop::open(database).await;
    let client = shop.file("client.js").await;
    assert_eq!(client.status(), 200);
    assert!(client.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/javascript"));
    assert_eq!(client.headers()[header::CACHE_CONTROL], "no-cache");
    let tag = client.headers()[header::ETAG].clone();
    let text = client.text().await.unwrap();
    assert!(text.contains(&format!("\"{}\"", shop.base())) && !text.contains("{{"), "{text}");
    let again = shop.client.get(format!("{}/client.js", shop.base())).header(header::IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let worker = shop.file("worker.js").await;
    assert_eq!((worker.status().as_u16(), worker.headers()["service-worker-allowed"].to_str().unwrap()), (200, "/"));
    assert!(!worker.text().await.unwrap().contains("{{"));
    for nothing in ["other.js", "plugin.toml", "subscriptions", "..%2Fclient.js"] {
        assert!(matches!(shop.file(nothing).await.status().as_u16(), 404 | 405), "{nothing}");
    }
    let nobody = shop.client.get(format!("{}/push/nobody/client.js", shop.gateway.url)).send().await.unwrap();
    assert_eq!(nobody.status(), 404);

    let settings = json!({"vapid_subject": "https://shop.example/contact", "default_title": "A\"</script>\u{2028}"});
    let second = shop.gateway.create("WEB_PUSH", settings).await;
    let worker = shop.client.get(format!("{}/push/{second}/worker.js", shop.gateway.url)).send().await.unwrap().text().await.unwrap();
    assert!(!worker.contains("</script>") && !worker.contains('\u{2028}'), "{worker}");
    assert!(!worker.contains(&shop.public_key().await), "two accounts have one key");
}

async fn only_listed_sites_are_let_in(database: Database) {
    let shop = Shop::open(database).await;
    let ask = |origin: String, method: &'static str| {
        let request = shop.client.request(Method::OPTIONS, format!("{}/subscriptions", shop.base()));
        let request = request.header(header::ORIGIN, origin).header(header::ACCESS_CONTROL_REQUEST_METHOD, method);
        request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type").send()
    };
    for method in ["POST", "PUT", "DELETE"] {
        let answer = ask(shop.site.origin(), method).await.unwrap();
        assert!(answer.status().is_success(), "{method}: {}", answer.status());
        assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN].to_str().unwrap(), shop.site.origin());
        assert!(answer.headers()[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap().contains(method));
        assert!(answer.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().to_lowercase().contains("content-type"));
        assert!(answer.headers().get_all(header::VARY).iter().any(|vary| vary.to_str().unwrap().to_lowercase().contains("origin")));
        assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
    let own = shop.site.origin();
    for other in ["https://evil.example".to_owned(), "null".into(), format!("{own}.evil.example"), own.replace("http", "https"), own + "0"]
    {
        let answer = ask(other.clone(), "POST").await.unwrap();
        assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{other} is let in");
    }
    // An answer to a listed one can be read, a refusal too.
    let refused = shop.call(Method::POST, "subscriptions", &json!({})).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN].to_str().unwrap(), shop.site.origin());
    // A page that isn't listed can send what needs no preflight, and gets nowhere with it.
    let device = shop.device("phone").await;
    let body = json!({"subscription": device.to_json()}).to_string();
    for (origin, status) in [("https://evil.example".to_owned(), 403), (shop.site.origin(), 415)] {
        let simple = shop.client.post(format!("{}/subscriptions", shop.base())).header(header::ORIGIN, &origin);
        let simple = simple.header(header::CONTENT_TYPE, "text/plain").body(body.clone()).send().await.unwrap();
        assert_eq!(simple.status(), status, "{origin}");
        assert_eq!(simple.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), status == 415, "{origin}");
    }
    assert!(shop.subscriptions().await.is_empty());
}

async fn what_is_no_subscription_is_refused(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("phone").await;
    let url = format!("{}/subscriptions", shop.base());
    let post = |kind: &'static str, body: String| shop.client.post(&url).header(header::CONTENT_TYPE, kind).body(body).send();
    assert_eq!(post("application/x-www-form-urlencoded", "a=b".into()).await.unwrap().status(), 415);
    assert_eq!(post("application/json", "{".into()).await.unwrap().status(), 400);
    let large = json!({"subscription": device.to_json(), "meta": {"x": "y".repeat(17 * 1024)}}).to_string();
    assert_eq!(post("application/json", large).await.unwrap().status(), 413);
    let changed = |pointer: &str, value: Value| {
        let mut body = json!({"subscription": device.to_json()});
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let (endpoint, p256dh, auth) = ("/subscription/endpoint", "/subscription/keys/p256dh", "/subscription/keys/auth");
    for (pointer, value) in [
        (endpoint, json!("https://push.evil.example/a")),
        (endpoint, json!("http://fcm.googleapis.com/fcm/send/a")),
        (endpoint, json!("https://fcm.googleapis.com.evil.example/a")),
        (endpoint, json!("https://user:password@fcm.googleapis.com/a")),
        (endpoint, json!("http://127.0.0.1:1/wpush/a")),
        (endpoint, json!("http://169.254.169.254/latest/meta-data")),
        (endpoint, json!("file:///etc/passwd")),
        (endpoint, json!(7)),
        (p256dh, json!("BAAA")),
        // 65 bytes that are no point.
        (p256dh, json!(format!("B{}", "A".repeat(86)))),
        (auth, json!("AAAA")),
        (auth, json!(null)),
    ] {
        let answer = shop.call(Method::POST, "subscriptions", &changed(pointer, value.clone())).send().await.unwrap();
        let status = answer.status();
        let told = answer.text().await.unwrap();
        assert_eq!(status, 400, "{pointer} {value}: {told}");
        assert!(!told.contains(&shop.gateway.key), "{told}");
    }
    assert!(shop.subscriptions().await.is_empty());
    let unknown = shop.call(Method::POST, "others", &json!({})).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
}

async fn who_calls_too_often_waits(database: Database) {
    let shop = Shop::open_with(database, json!({}), &["http.browser_calls_per_min = 5"]).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = shop.call(Method::POST, "events", &json!({})).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let seconds: u64 = answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
    }
    assert_eq!(statuses[..5], [400; 5], "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    // Scripts aren't counted: a shop with many visitors behind one address still shows its pages.
    assert_eq!(shop.file("client.js").await.status(), 200);
}

async fn a_repeated_visit_is_one_subscription(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("phone").await;
    let first = shop.subscribe(&device, json!({"external_id": "mona"})).await;
    let again = shop.subscribe(&device, json!({"external_id": "mona"})).await;
    assert_eq!(first, again);
    assert_eq!(shop.subscriptions().await.len(), 1);
    // Somebody else logs in on the same device.
    shop.subscribe(&device, json!({"external_id": "ali"})).await;
    eventually("it is Ali's", || async {
        let request = json!({"channel_account_id": shop.account, "to": "mona", "content": [notification("Mona's")]});
        (shop.gateway.post("/rest/v1/messages", request).await.status == 422).then_some(())
    })
    .await;
    shop.send("ali", notification("Ali's"), "sent").await;
    assert_eq!(shop.payload(&device)["title"], "Ali's");
    let delete = shop.call(Method::DELETE, "subscriptions", &json!({"endpoint": device.endpoint})).send().await.unwrap();
    assert_eq!(delete.status(), 204);
    eventually("it is gone", || async { shop.subscriptions().await.is_empty().then_some(()) }).await;
}

async fn what_comes_to_an_account_that_is_off_is_held(database: Database) {
    let shop = Shop::open(database).await;
    let device = shop.device("phone").await;
    let path = format!("/rest/v1/channel_accounts/{}", shop.account);
    shop.gateway.patch(&path, json!({"is_active": false})).await.expect_status(200);
    let body = json!({"subscription": device.to_json(), "contact": {"external_id": "mona"}});
    let held = shop.call(Method::POST, "subscriptions", &body).send().await.unwrap();
    assert!(held.status().is_success(), "{}", held.status());
    assert!(shop.subscriptions().await.is_empty());
    shop.gateway.patch(&path, json!({"is_active": true})).await.expect_status(200);
    eventually("what was held is taken in", || async { (shop.subscriptions().await.len() == 1).then_some(()) }).await;
}

async fn a_subscription_is_taken_back_by_hand(database: Database) {
    let shop = Shop::open(database).await;
    let id = shop.subscribe(&shop.device("phone").await, json!({"external_id": "mona"})).await;
    let path = format!("/rest/v1/subscriptions/{id}");
    assert_eq!(shop.gateway.get(&path).await.expect_status(200)["id"], json!(id));
    shop.gateway.delete(&path).await.expect_status(204);
    shop.gateway.get(&path).await.expect_status(404);
    let foreign = shop.gateway.new_key("read", "org-2");
    let seen = shop.gateway.ask_as(Some(&foreign), Method::GET, "/rest/v1/subscriptions").await.expect_status(200);
    assert_eq!(seen, json!([]));
}

both! {
    scripts_are_served_with_the_accounts_own_key,
    only_listed_sites_are_let_in,
    what_is_no_subscription_is_refused,
    who_calls_too_often_waits,
    a_repeated_visit_is_one_subscription,
    what_comes_to_an_account_that_is_off_is_held,
    a_subscription_is_taken_back_by_hand,
}

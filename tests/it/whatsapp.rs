//! WHATSAPP_CLOUD against the stand-in: both ways of connecting, both ways of messages, templates, health.

use patchbay_providers::{
    meta::{GraphError, Number, Waba},
    telegram::png,
};
use serde_json::{Value, json};

use crate::harness::{
    Browser, Database, both, eventually,
    meta::{APP, MetaBench, NUMBER, WABA},
};

const NADIA: &str = "15550002222";
const SCOPES: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];

async fn connected(database: Database) -> (MetaBench, String) {
    let bench = MetaBench::start(database, &["whatsapp-cloud"]).await;
    let token = bench.meta.system_token(APP, &SCOPES, 0);
    let settings = json!({"auth": "manual", "waba_id": WABA, "phone_number_id": NUMBER, "access_token": token});
    let account = bench.create("WHATSAPP_CLOUD", settings).await;
    let after = bench.connect(&account, json!({})).await;
    assert_eq!(after["connection"], "connected", "{after}");
    (bench, account)
}

async fn a_login_asks_for_the_number_in_the_browser(database: Database) {
    let bench = MetaBench::start(database, &["whatsapp-cloud"]).await;
    let second = Number { id: "900000000000002".into(), display_phone_number: "+1 555-000-1112".into(), ..Number::default() };
    bench.meta.add_waba(Waba { numbers: vec![Number::default(), second], ..Waba::default() });
    let account = bench.create("WHATSAPP_CLOUD", json!({})).await;
    let page = bench.authorize(&account).await;
    let mut browser = Browser::new(&bench.gateway.url);
    let asked = browser.follow(&page).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let flow = asked.text.split("name=\"flow\" value=\"").nth(1).unwrap_or_else(|| panic!("{asked:?}")).split('"').next().unwrap();
    let question = asked.text.split("name=\"answer.").nth(1).unwrap().split('"').next().unwrap();
    let done = browser.submit("/oauth/answers", &[("flow", flow), (&format!("answer.{question}"), "900000000000002")]).await;
    assert_eq!(done.status, 200, "{done:?}");
    let account = bench.account(&account).await;
    assert_eq!(
        (account["connection"].clone(), account["external_id"].clone()),
        (json!("connected"), json!("900000000000002")),
        "{account}"
    );
    let facts = account["facts"].to_string().to_lowercase();
    for fact in ["quality", "limit", "verification"] {
        assert!(facts.contains(fact), "{fact} is shown on the account: {facts}");
    }
    assert!(bench.meta.subscription(APP, WABA).is_some(), "webhooks are subscribed");
}

async fn what_is_typed_wrong_is_told_as_such(database: Database) {
    let bench = MetaBench::start(database, &["whatsapp-cloud"]).await;
    let connect = async |settings: Value| {
        let account = bench.create("WHATSAPP_CLOUD", settings).await;
        let answer = bench.gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(422);
        answer.to_string()
    };
    let half = bench.meta.system_token(APP, &SCOPES[1..], 0);
    let told = connect(json!({"auth": "manual", "waba_id": WABA, "phone_number_id": NUMBER, "access_token": half})).await;
    assert!(told.contains("whatsapp_business_management"), "{told}");
    let token = bench.meta.system_token(APP, &SCOPES, 0);
    let told = connect(json!({"auth": "manual", "waba_id": WABA, "phone_number_id": "900000000000099", "access_token": token})).await;
    assert!(told.contains("phone_number_id"), "{told}");
}

async fn every_kind_goes_out(database: Database) {
    let (bench, account) = connected(database).await;
    let media =
        bench.gateway.upload("/rest/v1/media?organization_id=org-1&file_name=dot.png", "image/png", png(40, 30)).await.expect_status(201);
    let cases = [
        ("text", json!({"type": "text", "text": "Hello 👟"})),
        ("image", json!({"type": "media", "kind": "image", "media_id": media["id"], "caption": "A dot"})),
        ("document", json!({"type": "media", "kind": "document", "url": "https://example.com/a.pdf", "file_name": "a.pdf"})),
        ("location", json!({"type": "location", "latitude": 30.04, "longitude": 31.23, "name": "Tower", "address": "1 Street"})),
        ("contacts", json!({"type": "contacts", "contacts": [{"name": "Ali Fake", "phones": ["+201000000001"]}]})),
        (
            "interactive",
            json!({"type": "interactive", "body": "Pick", "buttons": [{"title": "Yes", "reply": "y"}, {"title": "No", "reply": "n"}]}),
        ),
        (
            "interactive",
            json!({"type": "interactive", "body": "When?", "menu": {"label": "Times", "sections": [{"title": "Today", "rows": [{"id": "a", "title": "10:00"}]}]}}),
        ),
        ("interactive", json!({"type": "interactive", "body": "See", "buttons": [{"title": "Site", "url": "https://example.com"}]})),
    ];
    for (kind, content) in cases {
        let before = bench.meta.sent(NUMBER).len();
        let message = bench.send(&account, NADIA, content.clone(), "sent").await;
        let sent = bench.meta.sent(NUMBER);
        assert_eq!(sent.len(), before + 1, "{content}");
        assert_eq!(sent[before].body["type"], kind, "{content}");
        assert_eq!(sent[before].body["biz_opaque_callback_data"], message["id"], "our id goes along");
        assert_eq!(sent[before].to, NADIA);
    }
    let long = bench.gateway.post(
        "/rest/v1/messages",
        json!({"channel_account_id": account, "to": NADIA, "content": [{"type": "text", "text": "x".repeat(4097)}]}),
    );
    long.await.expect_status(422);
}

async fn a_template_is_listed_and_sent(database: Database) {
    let (bench, account) = connected(database).await;
    let body = json!({"type": "BODY", "text": "Hi {{1}}", "example": {"body_text": [["Nadia"]]}});
    let template = json!({"name": "order_ready", "language": "en_US", "status": "APPROVED", "category": "UTILITY", "components": [body]});
    bench.meta.add_template(WABA, template);
    let listed = bench.gateway.get(&format!("/rest/v1/channel_accounts/{account}/templates")).await.expect_status(200);
    let ours = listed["templates"].as_array().unwrap().iter().find(|template| template["name"] == "order_ready").unwrap().clone();
    assert_eq!((ours["status"].clone(), ours["language"].clone()), (json!("approved"), json!("en_US")), "{ours}");
    let parameter = json!({"text": {"name": "", "value": "Nadia"}});
    let content = json!({"type": "template", "name": "order_ready", "language": "en_US", "body": [parameter]});
    bench.send(&account, NADIA, content, "sent").await;
    let sent = bench.meta.sent(NUMBER).pop().unwrap().body;
    assert_eq!(sent["template"]["components"][0]["parameters"][0]["text"], "Nadia", "{sent}");
    let missing = json!({"type": "template", "name": "no_such", "language": "en_US"});
    let failed = bench.send(&account, NADIA, missing, "failed").await;
    assert_eq!(failed["failure"]["code"], "132001", "{failed}");
}

async fn receipts_and_refusals_find_their_message(database: Database) {
    let (bench, account) = connected(database).await;
    let message = bench.send(&account, NADIA, json!({"type": "text", "text": "Ready"}), "sent").await;
    let (id, external) = (message["id"].as_str().unwrap(), message["external_id"].as_str().unwrap());
    assert!(bench.meta.status(NUMBER, external, "read").await.delivered());
    assert!(bench.meta.status(NUMBER, external, "delivered").await.delivered());
    let read = bench.message(id, "read").await;
    assert!(read["delivered_at"].is_string() && read["read_at"].is_string(), "late and early ones are placed right: {read}");
    // The window closed: told at once, and told later.
    bench.meta.fail_next("POST messages", &GraphError::of(131_047), 1);
    let closed = bench.send(&account, NADIA, json!({"type": "text", "text": "Late"}), "failed").await;
    assert_eq!(
        (closed["failure"]["class"].clone(), closed["failure"]["code"].clone()),
        (json!("window_closed"), json!("131047")),
        "{closed}"
    );
    bench.meta.open_window(NUMBER, NADIA);
    let later = bench.send(&account, NADIA, json!({"type": "text", "text": "Later"}), "sent").await;
    assert!(bench.meta.status_failed(NUMBER, later["external_id"].as_str().unwrap(), 131_047).await.delivered());
    bench.message(later["id"].as_str().unwrap(), "failed").await;
    bench.meta.open_window(NUMBER, NADIA);
    // Throttled with HTTP 400: it waits and goes out.
    bench.meta.fail_next("POST messages", &GraphError::of(130_429).regain(0), 1);
    bench.send(&account, NADIA, json!({"type": "text", "text": "Once"}), "sent").await;
    assert_eq!(bench.meta.sent(NUMBER).iter().filter(|sent| sent.body["text"]["body"] == "Once").count(), 1);
}

async fn whoever_writes_is_answered_by_the_id_there_is(database: Database) {
    let (bench, account) = connected(database).await;
    assert!(bench.meta.deliver("wa-11").await.delivered());
    let hidden = bench.received(&account).await.pop().unwrap();
    let to = hidden["conversation"]["external_id"].as_str().unwrap().to_owned();
    assert_eq!(to, "EG.20000000000000000002", "{hidden}");
    bench.send(&account, &to, json!({"type": "text", "text": "Hello"}), "sent").await;
    let sent = bench.meta.sent(NUMBER).pop().unwrap().body;
    assert_eq!((sent["recipient"].clone(), sent.get("to")), (json!(to), None), "{sent}");
    for fixture in ["wa-01", "wa-02", "wa-06", "wa-07", "wa-08", "wa-09", "wa-12", "wa-13", "wa-15", "wa-16"] {
        assert!(bench.meta.deliver(fixture).await.delivered(), "{fixture}");
        assert!(bench.meta.deliver(fixture).await.delivered(), "{fixture} again");
    }
    let received = bench.received(&account).await;
    let edited = received.iter().find(|message| message["external_id"] == "wamid.FAKEIN01").unwrap();
    assert_eq!(edited["content"][0]["text"], "Is size 43 in stock?", "{edited}");
    assert!(received.iter().any(|message| message["external_id"] == "wamid.FAKEIN02" && message["deleted_at"].is_string()));
    let ids: std::collections::BTreeSet<&str> = received.iter().filter_map(|message| message["external_id"].as_str()).collect();
    assert_eq!(ids.len(), received.len(), "nothing is there twice");
}

async fn files_come_through_the_gateway(database: Database) {
    let (bench, account) = connected(database).await;
    let picture = png(40, 30);
    assert!(bench.meta.file_from(NUMBER, NADIA, "image", "image/png", picture.clone(), "my receipt").await.delivered());
    let message = eventually("the picture is there", || async { bench.received(&account).await.pop() }).await;
    let path = format!("/rest/v1/messages/{}/media/0", message["id"].as_str().unwrap());
    let (status, bytes) = bench.gateway.download(&path).await;
    assert_eq!((status, bytes), (200, picture), "{message}");
    assert!(!message.to_string().contains("hash="), "the provider's own URL isn't told");
}

async fn a_lost_subscription_is_mended(database: Database) {
    let (bench, account) = connected(database).await;
    let token = bench.meta.system_token(APP, &SCOPES, 0);
    let url = format!("{}/v26.0/{WABA}/subscribed_apps", bench.meta.url());
    reqwest::Client::new().delete(url).bearer_auth(&token).send().await.unwrap().error_for_status().unwrap();
    assert!(bench.meta.subscription(APP, WABA).is_none());
    let report = bench.gateway.post(&format!("/rest/v1/channel_accounts/{account}/health"), json!({})).await.expect_status(200);
    assert!(bench.meta.subscription(APP, WABA).is_some(), "{report}");
}

both! {
    a_login_asks_for_the_number_in_the_browser,
    what_is_typed_wrong_is_told_as_such,
    every_kind_goes_out,
    a_template_is_listed_and_sent,
    receipts_and_refusals_find_their_message,
    whoever_writes_is_answered_by_the_id_there_is,
    files_come_through_the_gateway,
    a_lost_subscription_is_mended,
}

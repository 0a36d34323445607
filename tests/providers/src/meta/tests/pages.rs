use reqwest::multipart::{Form, Part};

use super::*;

const PSID: &str = "200000000000001";
const IGSID: &str = "300000000000077";

fn page(meta: &Meta) -> Client {
    Client::of(meta, &meta.page_token(APP, PAGE, PAGE_SCOPES))
}

fn instagram(meta: &Meta) -> Client {
    Client::of(meta, &meta.instagram_token(APP, INSTAGRAM, INSTAGRAM_SCOPES))
}

fn to(person: &str, message: &Value) -> Value {
    json!({"recipient": {"id": person}, "messaging_type": "RESPONSE", "message": message})
}

fn template(payload: Value) -> Value {
    let mut message = json!({"attachment": {"type": "template"}});
    message["attachment"]["payload"] = payload;
    message
}

#[tokio::test]
async fn a_page_sends_by_json_form_and_multipart() {
    let meta = Meta::start().await;
    let client = page(&meta);
    let path = format!("/v26.0/{PAGE}/messages");
    let (status, sent) = client.post(&path, to(PSID, &json!({"text": "Hi", "metadata": "outbox-1"}))).await;
    assert_eq!((status, &sent["recipient_id"]), (200, &json!(PSID)));
    let form = [("recipient", r#"{"id":"200000000000001"}"#), ("messaging_type", "RESPONSE"), ("message", r#"{"text":"Hi"}"#)];
    assert_eq!(answer(client.request(Method::POST, "/v26.0/me/messages").form(&form)).await.0, 200);
    let file = Part::bytes(vec![1; 10]).file_name("a.png").mime_str("image/png").unwrap();
    let message = r#"{"attachment":{"type":"image","payload":{"is_reusable":true}}}"#;
    let form = Form::new().text("recipient", form[0].1).text("messaging_type", "RESPONSE").text("message", message).part("filedata", file);
    assert_eq!(answer(client.request(Method::POST, &path).multipart(form)).await.0, 200);
    assert_eq!(meta.sent(PAGE).len(), 3);
    assert_eq!(meta.sent(PAGE)[1].body["message"], json!({"text": "Hi"}));
    let person = Client::of(&meta, &meta.user_token(APP, PAGE_SCOPES));
    assert_eq!(person.refusal(&path, to(PSID, &json!({"text": "Hi"}))).await.1, 210);
}

#[tokio::test]
async fn limits_of_messages_and_templates_are_checked() {
    let meta = Meta::start().await;
    let client = page(&meta);
    let button = |title: &str| json!({"type": "postback", "title": title, "payload": "P"});
    let card = json!({"title": "T", "subtitle": "S", "buttons": [button("Buy")]});
    let right = [
        json!({"text": "Pick", "quick_replies": [{"content_type": "text", "title": "Red", "payload": "RED"}, {"content_type": "user_email"}]}),
        template(
            json!({"template_type": "button", "text": "t", "buttons": [button("Buy"), {"type": "web_url", "title": "Go", "url": "https://example.test"}]}),
        ),
        template(json!({"template_type": "generic", "elements": vec![card; 10]})),
        json!({"attachment": {"type": "video", "payload": {"url": "https://example.test/a.mp4"}}}),
        json!({"sticker_id": 767_226_160_478_561_u64}),
    ];
    for message in right {
        let (status, answer) = client.post("/v26.0/me/messages", to(PSID, &message)).await;
        assert_eq!(status, 200, "{message} {answer}");
    }
    let wrong = [
        json!({"text": "x".repeat(2001)}),
        json!({}),
        json!({"text": "both", "attachment": {"type": "image", "payload": {"url": "https://example.test/a.png"}}}),
        json!({"text": "Pick", "quick_replies": [{"content_type": "text", "title": "Red", "payload": "x".repeat(1001)}]}),
        json!({"text": "Pick", "quick_replies": vec![json!({"content_type": "text", "title": "R", "payload": "R"}); 14]}),
        template(json!({"template_type": "button", "text": "t", "buttons": vec![button("B"); 4]})),
        template(json!({"template_type": "button", "text": "x".repeat(641), "buttons": [button("B")]})),
        template(json!({"template_type": "generic", "elements": [{"title": "alone"}]})),
        template(json!({"template_type": "generic", "elements": vec![json!({"title": "T", "subtitle": "S"}); 11]})),
        json!({"attachment": {"type": "image", "payload": {"url": "https://nowhere.invalid/a.png"}}}),
    ];
    for message in wrong {
        assert_eq!(client.refusal("/v26.0/me/messages", to(PSID, &message)).await.1, 100, "{message}");
    }
}

#[tokio::test]
async fn windows_and_tags_are_the_documents() {
    let meta = Meta::start().await;
    let client = page(&meta);
    let hi = || to(PSID, &json!({"text": "Hi"}));
    let tagged = |tag: &str| json!({"recipient": {"id": PSID}, "messaging_type": "MESSAGE_TAG", "tag": tag, "message": {"text": "Hi"}});
    assert_eq!(client.refusal("/v26.0/me/messages", tagged("ACCOUNT_UPDATE")).await, (400, 100, 0));
    meta.open_window(PAGE, PSID);
    meta.advance(Duration::from_secs(25 * 3600));
    assert_eq!(client.refusal("/v26.0/me/messages", hi()).await, (403, 10, 2_018_278));
    assert_eq!(client.post("/v26.0/me/messages", tagged("HUMAN_AGENT")).await.0, 200);
    meta.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(client.refusal("/v26.0/me/messages", tagged("HUMAN_AGENT")).await, (403, 10, 2_018_278));
    meta.close_window(INSTAGRAM, IGSID);
    assert_eq!(instagram(&meta).refusal("/v26.0/me/messages", to(IGSID, &json!({"text": "Hi"}))).await, (403, 10, 2_534_022));
    assert_eq!(client.refusal("/v26.0/me/messages", to("2000000008001", &json!({"text": "Hi"}))).await, (400, 100, 2_018_001));
    assert_eq!(client.refusal("/v26.0/me/messages", json!({"recipient": {"id": "1"}, "message": {"text": "Hi"}})).await.1, 100);
}

#[tokio::test]
async fn instagram_counts_bytes_and_has_an_error_type_of_its_own() {
    let meta = Meta::start().await;
    let client = instagram(&meta);
    let path = format!("/v26.0/{INSTAGRAM}/messages");
    let (status, sent) = client.post(&path, to(IGSID, &json!({"text": "é".repeat(500)}))).await;
    assert_eq!((status, &sent["recipient_id"]), (200, &json!(IGSID)));
    let (status, refused) = client.post(&path, to(IGSID, &json!({"text": "é".repeat(501)}))).await;
    assert_eq!((status, &refused["error"]["type"]), (400, &json!("IGApiException")));
    let email = json!({"text": "Pick", "quick_replies": [{"content_type": "user_email"}]});
    assert_eq!(client.refusal(&path, to(IGSID, &email)).await.1, 100);
    assert_eq!(client.post(&path, to(IGSID, &json!({"attachment": {"type": "like_heart"}}))).await.0, 200);

    // Through the Page, to somebody who wrote to the Instagram account.
    meta.open_window(INSTAGRAM, IGSID);
    let linked = page(&meta);
    assert_eq!(linked.refusal(&format!("/v26.0/{PAGE}/messages"), to(IGSID, &json!({"text": "é".repeat(501)}))).await.1, 100);
    assert_eq!(linked.post(&format!("/v26.0/{PAGE}/messages"), to(IGSID, &json!({"text": "Hi"}))).await.0, 200);
    assert_eq!(meta.sent(INSTAGRAM).len(), 3);
}

#[tokio::test]
async fn actions_attachments_and_profiles() {
    let meta = Meta::start().await;
    let client = page(&meta);
    let act = |action: &str, payload: Value| json!({"recipient": {"id": PSID}, "sender_action": action, "payload": payload});
    assert_eq!(client.post("/v26.0/me/messages", act("typing_on", Value::Null)).await.1, json!({"recipient_id": PSID}));
    assert_eq!(client.post("/v26.0/me/messages", act("react", json!({"message_id": "m_1", "reaction": "😍"}))).await.0, 200);
    assert_eq!(client.refusal("/v26.0/me/messages", act("react", json!({"message_id": "m_1"}))).await.1, 100);
    assert_eq!(client.refusal("/v26.0/me/messages", act("dance", Value::Null)).await.1, 100);

    let upload =
        json!({"message": {"attachment": {"type": "image", "payload": {"url": "https://example.test/a.png", "is_reusable": true}}}});
    let (_, uploaded) = client.post(&format!("/v26.0/{PAGE}/message_attachments"), upload).await;
    let by_id = json!({"attachment": {"type": "image", "payload": {"attachment_id": uploaded["attachment_id"]}}});
    assert_eq!(client.post("/v26.0/me/messages", to(PSID, &by_id)).await.0, 200);

    let (_, profile) = client.get(&format!("/v26.0/{PSID}?fields=first_name,last_name,name")).await;
    assert_eq!(profile, json!({"id": PSID, "first_name": "Omar", "last_name": "Fake", "name": "Omar Fake"}));
    assert_eq!(refused(client.get("/v26.0/209999").await), (400, 100, 33));
    meta.add_person(Person { id: IGSID.into(), private: true, ..Person::default() });
    assert_eq!(refused(instagram(&meta).get(&format!("/v26.0/{IGSID}")).await).1, 230);

    let started = json!({"get_started": {"payload": "GET_STARTED"}});
    assert_eq!(client.post("/v26.0/me/messenger_profile", started.clone()).await.1, json!({"result": "success"}));
    assert_eq!(client.get("/v26.0/me/messenger_profile?fields=get_started").await.1["data"][0], started);
}

#[tokio::test]
async fn subscribed_fields_are_of_their_kind() {
    let meta = Meta::start().await;
    let client = page(&meta);
    let path = format!("/v26.0/{PAGE}/subscribed_apps");
    let fields = |fields: &str| json!({ "subscribed_fields": fields });
    assert_eq!(client.refusal(&path, fields("messages,messaging_seen")).await.1, 100);
    assert_eq!(client.post(&path, fields("messages,message_echoes")).await.0, 200);
    assert_eq!(client.get(&path).await.1["data"][0]["subscribed_fields"], json!(["messages", "message_echoes"]));
    assert_eq!(meta.subscription(APP, PAGE), Some(vec!["messages".into(), "message_echoes".into()]));
    assert_eq!(client.delete(&path).await.0, 200);
    assert_eq!(meta.subscription(APP, PAGE), None);

    let client = instagram(&meta);
    let path = format!("/v26.0/{INSTAGRAM}/subscribed_apps?subscribed_fields=messages,messaging_seen");
    assert_eq!(client.post(&path, json!({})).await.0, 200);
    assert_eq!(client.get("/v26.0/me/subscribed_apps").await.1["data"][0]["app_id"], APP);
    assert_eq!(client.refusal(&format!("/v26.0/{INSTAGRAM}/subscribed_apps"), fields("message_echoes")).await.1, 100);
}

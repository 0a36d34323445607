use reqwest::multipart::{Form, Part};

use super::*;

const TO: &str = "15550002222";

fn client(meta: &Meta) -> Client {
    Client::of(meta, &meta.system_token(APP, WHATSAPP_SCOPES, 0))
}

fn messages() -> String {
    format!("/v26.0/{NUMBER}/messages")
}

fn sending(kind: &str, content: Value) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": TO, "type": kind});
    body[kind] = content;
    body
}

#[tokio::test]
async fn every_kind_is_taken_and_kept() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let button = json!({"type": "reply", "reply": {"id": "a", "title": "A"}});
    let section = json!({"title": "S", "rows": [{"id": "1", "title": "One", "description": "d"}]});
    let kinds = [
        ("text", json!({"body": "Hi", "preview_url": true})),
        ("image", json!({"link": "https://example.test/a.png", "caption": "c"})),
        ("audio", json!({"id": "700000000000002", "voice": true})),
        ("document", json!({"id": "700000000000004", "filename": "cv.pdf"})),
        ("sticker", json!({"id": "700000000000003"})),
        ("location", json!({"latitude": 30.04, "longitude": 31.23})),
        ("contacts", json!([{"name": {"formatted_name": "A B", "first_name": "A"}, "phones": [{"phone": "+1555"}]}])),
        ("reaction", json!({"message_id": "wamid.X", "emoji": "👍"})),
        ("interactive", json!({"type": "button", "body": {"text": "b"}, "action": {"buttons": [button]}})),
        ("interactive", json!({"type": "list", "body": {"text": "b"}, "action": {"button": "Open", "sections": [section]}})),
        (
            "interactive",
            json!({"type": "cta_url", "body": {"text": "b"}, "action": {"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://example.test"}}}),
        ),
        ("interactive", json!({"type": "location_request_message", "body": {"text": "b"}, "action": {"name": "send_location"}})),
        ("template", json!({"name": "hello_world", "language": {"code": "en_US"}})),
    ];
    let count = kinds.len();
    for (kind, content) in kinds {
        let (status, answer) = client.post(&messages(), sending(kind, content)).await;
        assert_eq!((status, &answer["contacts"][0]["wa_id"]), (200, &json!(TO)), "{kind}: {answer}");
    }
    assert_eq!(meta.sent(NUMBER).len(), count);
    assert_eq!(meta.requests_of("POST messages")[0].account, NUMBER);
}

#[tokio::test]
async fn shapes_and_limits_are_checked() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let button = |title: &str| json!({"type": "reply", "reply": {"id": title, "title": title}});
    let buttons = |list: Vec<Value>| json!({"type": "button", "body": {"text": "b"}, "action": {"buttons": list}});
    let wrong = [
        ("text", json!({"body": "x".repeat(4097)}), 131_009),
        ("text", json!({}), 131_008),
        ("image", json!({"caption": "no file"}), 131_008),
        ("image", json!({"id": "1", "link": "https://example.test"}), 131_009),
        ("image", json!({"id": "404"}), 131_009),
        ("audio", json!({"id": "700000000000002", "caption": "c"}), 100),
        ("location", json!({"latitude": 91, "longitude": 0}), 131_009),
        ("contacts", json!([{"name": {"formatted_name": "A"}}]), 131_009),
        ("reaction", json!({"emoji": "👍"}), 131_008),
        ("interactive", buttons(vec![button("a"), button("b"), button("c"), button("d")]), 131_009),
        ("interactive", buttons(vec![button("a title of more than twenty")]), 131_009),
        ("interactive", buttons(vec![button("a"), button("a")]), 131_009),
        ("dance", json!({}), 131_051),
        ("template", json!({"name": "nothing", "language": {"code": "en_US"}}), 132_001),
        ("template", json!({"name": "order_ready", "language": {"code": "en_US"}}), 132_000),
        ("template", json!({"name": "old_news", "language": {"code": "en_US"}}), 132_015),
    ];
    for (kind, content, code) in wrong {
        let (status, got, _) = client.refusal(&messages(), sending(kind, content.clone())).await;
        assert_eq!((status, got), (if code == 132_001 { 404 } else { 400 }, code), "{kind} {content}");
    }
    assert!(meta.sent(NUMBER).is_empty());
    assert_eq!(client.refusal(&messages(), json!({"to": TO, "text": {"body": "a"}})).await.1, 100);
}

#[tokio::test]
async fn a_template_gets_all_its_parameters_and_only_approved_ones_go() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let image = json!({"type": "header", "parameters": [{"type": "image", "image": {"link": "https://example.test/a.png"}}]});
    let text = |name: &str, value: &str| json!({"type": "text", "parameter_name": name, "text": value});
    let body = json!({"type": "BODY", "parameters": [text("first_name", "Nadia"), text("percent", "20%")]});
    let stop = json!({"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "STOP"}]});
    let url = json!({"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "x"}]});
    let template = |components: Vec<&Value>| {
        sending("template", json!({"name": "spring_sale", "language": {"code": "en_US"}, "components": components}))
    };
    let (status, answer) = client.post(&messages(), template(vec![&image, &body, &stop, &url])).await;
    assert_eq!((status, &answer["messages"][0]["message_status"]), (200, &json!("accepted")), "{answer}");
    assert_eq!(client.refusal(&messages(), template(vec![&body, &stop, &url])).await.1, 132_000);
    assert_eq!(client.refusal(&messages(), template(vec![&image, &body, &stop])).await.1, 131_008);
    let unnamed = json!({"type": "body", "parameters": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    assert_eq!(client.refusal(&messages(), template(vec![&image, &unnamed, &url])).await.1, 132_012);

    let unknown = json!({"type": "header", "parameters": [{"type": "image", "image": {"id": "404"}}]});
    assert_eq!(client.refusal(&messages(), template(vec![&unknown, &body, &url])).await.1, 131_009);

    let path = format!("/v26.0/{WABA}/message_templates");
    let (_, page) = client.get(&format!("{path}?status=APPROVED&limit=2")).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    assert!(page["data"][0]["parameter_format"].is_string() && page["paging"]["next"].is_string());
    let new =
        json!({"name": "new_one", "language": "en_US", "category": "UTILITY", "components": [{"type": "BODY", "text": "Hello there"}]});
    let (_, created) = client.post(&path, new.clone()).await;
    assert_eq!(created["status"], "PENDING");
    assert_eq!(client.refusal(&path, new).await, (400, 100, 2_388_024));
    let send = sending("template", json!({"name": "new_one", "language": {"code": "en_US"}}));
    assert_eq!(client.refusal(&messages(), send.clone()).await.1, 132_001);
    meta.set_template_status(WABA, "new_one", "APPROVED");
    assert_eq!(client.post(&messages(), send).await.0, 200);
    assert_eq!(client.delete(&format!("{path}?name=new_one")).await.0, 200);
}

#[tokio::test]
async fn magic_recipients_meet_their_error() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let to = |to: &str| json!({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "Hi"}});
    assert_eq!(client.refusal(&messages(), to("15550000047")).await, (400, 131_047, 0));
    assert_eq!(client.refusal(&messages(), to("15550000190")).await.0, 401);
    assert_eq!(client.refusal(&messages(), to("15550000016")).await.0, 500);
    let response = client.request(Method::POST, &messages()).json(&to("15550000029")).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let usage: Value = serde_json::from_str(response.headers()["x-business-use-case-usage"].to_str().unwrap()).unwrap();
    assert_eq!(usage[NUMBER][0]["estimated_time_to_regain_access"], 1);
    assert_eq!(client.refusal(&messages(), to("15550001111")).await.1, 131_021);
}

#[tokio::test]
async fn failures_come_on_demand() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let hi = || sending("text", json!({"body": "Hi"}));
    meta.fail_next("POST messages", &GraphError::of(131_056), 2);
    assert_eq!(client.refusal(&messages(), hi()).await, (400, 131_056, 0));
    assert_eq!(client.refusal(&messages(), hi()).await, (400, 131_056, 0));
    assert_eq!(client.post(&messages(), hi()).await.0, 200);
    meta.fail(Failure::status("POST messages", 502));
    let response = client.request(Method::POST, &messages()).json(&hi()).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()), (502, "text/html; charset=utf-8"));
    meta.fail(Failure::cut("POST messages", crate::Moment::After));
    assert!(client.request(Method::POST, &messages()).json(&hi()).send().await.is_err());
    assert_eq!(meta.sent(NUMBER).len(), 2);
    let plan = json!({"method": "GET number", "error_code": 80008, "parameters": {"regain_minutes": 5}});
    client.http.post(format!("{}/_standin/failures", meta.url())).json(&plan).send().await.unwrap();
    assert_eq!(refused(client.get(&format!("/v26.0/{NUMBER}")).await), (400, 80_008, 0));
}

#[tokio::test]
async fn people_without_a_number_are_addressed_by_recipient() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let to = |message: Value| {
        let mut message = message;
        message["messaging_product"] = "whatsapp".into();
        message["recipient"] = "EG.20000000000000000002".into();
        message
    };
    let (_, answer) = client.post(&messages(), to(json!({"type": "text", "text": {"body": "Hi"}}))).await;
    assert_eq!(answer["contacts"][0], json!({"input": "EG.20000000000000000002", "user_id": "EG.20000000000000000002"}));
    let code = json!({"name": "login_code", "language": {"code": "en_US"}});
    assert_eq!(client.refusal(&messages(), to(json!({"type": "template", "template": code}))).await.1, 131_062);
    let wrong = json!({"messaging_product": "whatsapp", "to": "EG.2", "type": "text", "text": {"body": "Hi"}});
    assert_eq!(client.refusal(&messages(), wrong).await.1, 100);
}

#[tokio::test]
async fn media_is_uploaded_and_fetched_within_five_minutes_with_the_token() {
    let meta = Meta::start().await;
    meta.set(|knobs| knobs.own_media_urls = true);
    let client = client(&meta);
    let part = |mime: &str| Part::bytes(vec![7; 300]).file_name("a").mime_str(mime).unwrap();
    let form = |mime: &str| Form::new().text("messaging_product", "whatsapp").text("type", mime.to_owned()).part("file", part(mime));
    let path = format!("/v26.0/{NUMBER}/media");
    let (_, uploaded) = answer(client.request(Method::POST, &path).multipart(form("image/png"))).await;
    let id = uploaded["id"].as_str().unwrap();
    assert_eq!(refused(answer(client.request(Method::POST, &path).multipart(form("image/tiff"))).await).1, 100);
    let (_, found) = client.get(&format!("/v26.0/{id}?phone_number_id={NUMBER}")).await;
    assert_eq!((&found["file_size"], &found["mime_type"]), (&json!(300), &json!("image/png")));
    let url = found["url"].as_str().unwrap();
    assert_eq!(client.http.get(url).send().await.unwrap().status(), 401);
    let bytes = client.http.get(url).bearer_auth(&client.token).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, vec![7; 300]);
    meta.advance(Duration::from_secs(301));
    assert_eq!(client.http.get(url).bearer_auth(&client.token).send().await.unwrap().status(), 404);
    assert_eq!(client.delete(&format!("/v26.0/{id}")).await.0, 200);
    assert_eq!(refused(client.get(&format!("/v26.0/{id}")).await), (400, 100, 33));
}

#[tokio::test]
async fn numbers_are_listed_registered_and_tell_their_health() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let (_, numbers) = client.get(&format!("/v26.0/{WABA}/phone_numbers")).await;
    assert_eq!(numbers["data"].as_array().unwrap().len(), 2);
    meta.change_number(NUMBER, |number| number.registered = false);
    let hi = sending("text", json!({"body": "Hi"}));
    assert_eq!(client.refusal(&messages(), hi.clone()).await.1, 133_010);
    let register = |pin: &str| json!({"messaging_product": "whatsapp", "pin": pin});
    let path = format!("/v26.0/{NUMBER}/register");
    assert_eq!(client.refusal(&path, register("12")).await.1, 100);
    assert_eq!(client.post(&path, register("123456")).await.0, 200);
    assert_eq!(client.refusal(&path, register("654321")).await.1, 133_005);
    meta.change_number(NUMBER, |number| {
        number.facts.insert("quality_rating".into(), "RED".into());
    });
    let (_, number) = client.get(&format!("/v26.0/{NUMBER}?fields=status,quality_rating,is_pin_enabled,health_status")).await;
    assert_eq!(
        (&number["status"], &number["quality_rating"], &number["is_pin_enabled"]),
        (&json!("CONNECTED"), &json!("RED"), &json!(true))
    );
    assert_eq!(client.post(&messages(), hi).await.0, 200);
    let mark =
        |typing: Value| json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X", "typing_indicator": typing});
    assert_eq!(client.post(&messages(), mark(json!({"type": "text"}))).await.1, json!({"success": true}));
    assert_eq!(client.refusal(&messages(), mark(json!({"type": "dots"}))).await.1, 131_009);
}

#[tokio::test]
async fn what_was_not_granted_is_refused() {
    let meta = Meta::start().await;
    let sends = Client::of(&meta, &meta.system_token(APP, &["whatsapp_business_messaging"], 0));
    assert_eq!(refused(sends.get(&format!("/v26.0/{WABA}/message_templates")).await), (403, 200, 0));
    assert_eq!(sends.post(&messages(), sending("text", json!({"body": "Hi"}))).await.0, 200);
    let manages = Client::of(&meta, &meta.system_token(APP, &["whatsapp_business_management"], 0));
    assert_eq!(manages.refusal(&messages(), sending("text", json!({"body": "Hi"}))).await, (403, 10, 0));
    meta.set_consent(Consent { untick: vec![WABA.into()], ..Consent::default() });
    let elsewhere = client(&meta);
    assert_eq!(refused(elsewhere.get(&format!("/v26.0/{NUMBER}")).await), (400, 100, 33));
}

#[tokio::test]
async fn what_a_message_links_to_is_fetched_and_fails_afterwards_where_it_is_not_there() {
    let meta = Meta::start().await;
    let client = client(&meta);
    let image = |link: String| sending("image", json!({ "link": link }));
    let here = format!("{}/ig_messaging_cdn/?asset_id=FAKE", meta.url());
    assert_eq!(client.post(&messages(), image(here)).await.0, 200);
    assert_eq!(client.post(&messages(), image(format!("{}/ig_messaging_cdn/?asset_id=none", meta.url()))).await.0, 200);
    let sent = meta.sent(NUMBER);
    assert_eq!((&sent[0].fetched[0]["status"], &sent[0].fetched[0]["mime_type"]), (&json!(200), &json!("image/png")));
    assert!(sent[1].fetched[0]["error"].is_string());
}

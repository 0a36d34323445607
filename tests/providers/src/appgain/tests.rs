//! The server as its users meet it: over HTTP.

use axum::http::Method;
use serde_json::json;

use super::*;
use crate::hook::{Hook as Gateway, client};
use crate::{Failure, Moment};

const NUMBER: &str = "201001383533";

/// Speaks to a project.
struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Client {
    fn of(appgain: &Appgain) -> Self {
        Self { http: client(), base: appgain.url(), key: Some(API_KEY.into()) }
    }

    fn with_key(mut self, key: Option<&str>) -> Self {
        self.key = key.map(str::to_owned);
        self
    }

    async fn raw(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Response {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("appapikey", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.raw(method, path, body.as_ref()).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn send(&self, body: Value) -> (u16, Value) {
        self.ask(Method::POST, "/5db9/send", Some(body)).await
    }

    async fn send_whatsapp(&self, to: &str) -> (u16, Value) {
        self.send(whatsapp(to)).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn create(&self, webhook_url: &str) -> (u16, Value) {
        let body = json!({"sender_id": "shop", "phone_number": "+201220000000", "webhook_url": webhook_url});
        self.ask(Method::POST, "/5db9/uowhatsapp/session", Some(body)).await
    }
}

fn whatsapp(to: &str) -> Value {
    json!({"UOWHATSAPP": {"message": "Hi", "receivers": [{"mobileNum": to}], "client_ref": "msg-1"}, "campaign_name": "cg"})
}

fn sms(to: &str) -> Value {
    json!({"SMS": {"message": "Hi", "receivers": [{"userID": "c1", "mobileNum": to}], "client_ref": "msg-9"}, "campaign_name": "cg"})
}

fn push(user: &str) -> Value {
    json!({"appPush": {"message": "Hi", "title": "Shop", "sound": "default", "campaignName": "camp", "receivers": [{"userID": user}], "client_ref": "msg-2"}})
}

async fn quick() -> Appgain {
    let knobs = Knobs { starting_ms: 0, first_code_ms: 60_000, event_delay_ms: 0, ..Knobs::default() };
    Appgain::start_with(Options { knobs, webhook_gap: Duration::from_millis(5), ..Options::default() }).await.unwrap()
}

/// With a phone linked, and a gateway that listens.
async fn linked() -> (Appgain, Client, Arc<Gateway>) {
    let (appgain, gateway) = (quick().await, Gateway::start().await);
    let client = Client::of(&appgain);
    assert_eq!(client.create(&gateway.url).await.0, 201);
    assert!(appgain.wait_for_status(SUIT, "SCAN_QR_CODE", Duration::from_secs(5)).await);
    gateway.wait_for(1).await;
    assert!(appgain.scan(SUIT, "201220000000"));
    gateway.wait_for(2).await;
    (appgain, client, gateway)
}

const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_wrong_key_is_the_500_quirk_at_send_and_401_elsewhere() {
    let appgain = quick().await;
    let wrong = Client::of(&appgain).with_key(Some("nope"));
    let (status, answer) = wrong.send(sms(NUMBER)).await;
    assert_eq!(status, 500);
    assert_eq!(
        answer,
        json!({"exception": "'NoneType' object has no attribute 'api_key'", "message": "something went wrong", "status": "Failed"})
    );
    for path in ["/user_log_event/5db9/__probe", "/5db9/uowhatsapp/session", "/5db9/uowhatsapp/files/x"] {
        assert_eq!(wrong.get(path).await, (401, json!({"status": "failed", "message": "Not Authorized Api Key"})), "{path}");
    }
    let none = wrong.with_key(None);
    assert_eq!(none.send(sms(NUMBER)).await.0, 401);
    assert_eq!(none.get("/user_log_event/5db9/__probe").await.1["message"], "app API key or user authentication required");
    assert_eq!(Client::of(&appgain).get("/user_log_event/5db9/__probe").await.0, 404, "reachable");
    assert_eq!(Client::of(&appgain).ask(Method::POST, "/other/send", Some(sms(NUMBER))).await.0, 500, "another's project");
    assert!(appgain.sent(SUIT).is_empty());
}

#[tokio::test]
async fn a_send_without_receivers_goes_to_everybody_and_is_told() {
    let appgain = quick().await;
    let client = Client::of(&appgain);
    assert_eq!(client.send(sms(NUMBER)).await.0, 200);
    assert_eq!(client.send(json!({"SMS": {"message": "Hi", "users_id": "u1, u2"}})).await.0, 200);
    assert!(appgain.sent_to_everybody().is_empty());
    assert_eq!(appgain.sent(SUIT).last().unwrap().to, ["u1", "u2"]);
    for audience in [json!({}), json!({"receivers": []}), json!({"users_id": ""}), json!({"receivers": null})] {
        let mut content = json!({"message": "Hi"});
        content.as_object_mut().unwrap().extend(audience.as_object().unwrap().clone());
        if audience["receivers"].is_null() && audience.get("receivers").is_some() {
            assert_eq!(client.send(json!({"SMS": content})).await.0, 400, "null isn't a list");
        } else {
            assert_eq!(client.send(json!({"SMS": content})).await.0, 200, "{audience}");
        }
    }
    assert_eq!(appgain.sent_to_everybody().len(), 3);
}

#[tokio::test]
async fn what_is_not_in_the_contract_is_refused() {
    let appgain = quick().await;
    let client = Client::of(&appgain);
    let bad = [
        json!({}),
        json!({"SMS": {"message": "a", "receivers": [{"mobileNum": NUMBER}]}, "UOWHATSAPP": {}}),
        json!({"email": {}}),
        json!({"SMS": "Hi"}),
        json!({"SMS": {"text": "Hi", "receivers": [{"mobileNum": NUMBER}]}}),
        json!({"SMS": {"message": "", "receivers": [{"mobileNum": NUMBER}]}}),
        json!({"SMS": {"message": "Hi", "receivers": [{"mobileNum": format!("+{NUMBER}")}]}}),
        json!({"SMS": {"message": "Hi", "receivers": [{"mobileNum": 201_001_383_533_u64}]}}),
        json!({"SMS": {"message": "Hi", "receivers": [{"userID": "c1"}]}}),
        json!({"SMS": {"message": "Hi", "receivers": [{"mobileNum": NUMBER}], "users_id": "u"}}),
        json!({"SMS": {"message": "Hi", "target_list_name": "nobody-made-it"}}),
        json!({"SMS": {"message": "Hi", "receivers": [{"mobileNum": NUMBER}]}, "campaign": "cg"}),
        json!({"appPush": {"message": "Hi", "receivers": [{"mobileNum": NUMBER}]}}),
        json!({"appPush": {"message": "Hi", "type": "photo", "receivers": [{"userID": "u"}]}}),
        json!({"appPush": {"message": "Hi", "type": "picture", "receivers": [{"userID": "u"}]}}),
        json!({"appPush": {"sound": "default", "receivers": [{"userID": "u"}]}}),
        json!({"UOWHATSAPP": {"receivers": [{"mobileNum": NUMBER}]}}),
        json!({"UOWHATSAPP": {"message": "x".repeat(4097), "receivers": [{"mobileNum": NUMBER}]}}),
        json!({"UOWHATSAPP": {"message": "x", "imageUrl": "https://a.test/a.png", "videoUrl": "https://a.test/a.mp4", "receivers": [{"mobileNum": NUMBER}]}}),
        json!({"UOWHATSAPP": {"message": "x", "imageUrl": "ftp://a.test/a.png", "receivers": [{"mobileNum": NUMBER}]}}),
        json!({"UOWHATSAPP": {"message": "x", "receivers": [{"mobileNum": "201001383533@c.us"}]}}),
    ];
    for body in bad {
        let (status, answer) = client.send(body.clone()).await;
        assert_eq!((status, answer["status"].as_str()), (400, Some("failed")), "{body} {answer}");
    }
    let response = client.http.post(format!("{}/5db9/send", client.base)).header("appapikey", API_KEY).body("{}").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 415);
    assert_eq!(client.get("/5db9/send").await.0, 405);
    assert_eq!(client.get("/5db9/other").await.0, 404);
    assert!(appgain.sent(SUIT).is_empty());
}

#[tokio::test]
async fn the_id_stands_where_the_knob_says() {
    let appgain = quick().await;
    let client = Client::of(&appgain);
    assert!(client.send(sms(NUMBER)).await.1["messageId"].is_string());
    appgain.set(|knobs| knobs.id_at = "result.id".into());
    let (_, answer) = client.send(sms(NUMBER)).await;
    assert_eq!(answer["result"]["id"], appgain.sent(SUIT)[1].id);
    appgain.set(|knobs| knobs.id_at = String::new());
    assert_eq!(client.send(sms(NUMBER)).await.1, json!({"status": "success", "message": "your request is being processed"}));
    assert_eq!(appgain.sent(SUIT)[2].client_ref.as_deref(), Some("msg-9"));
}

#[tokio::test]
async fn magic_recipients_fail_as_their_ends_say() {
    let (appgain, client, _gateway) = linked().await;
    let expected: [(&str, u16, &str); 12] = [
        ("0400", 400, ""),
        ("0401", 401, ""),
        ("0403", 403, ""),
        ("0404", 404, "NOT_ON_WHATSAPP"),
        ("0409", 409, "SESSION_NOT_WORKING"),
        ("0413", 413, "MEDIA_TOO_LARGE"),
        ("0415", 415, "MEDIA_TYPE"),
        ("0422", 422, "NOT_ON_WHATSAPP"),
        ("0429", 429, "QUOTA_EXCEEDED"),
        ("0430", 429, "SPAM_SIGNAL"),
        ("0500", 500, ""),
        ("0503", 503, ""),
    ];
    for (end, status, code) in expected {
        let answer = client.send_whatsapp(&format!("20100138{end}")).await;
        assert_eq!((answer.0, answer.1["code"].as_str().unwrap_or_default()), (status, code), "{end} {}", answer.1);
    }
    let limited = client.raw(Method::POST, "/5db9/send", Some(&whatsapp("201001380429"))).await;
    assert_eq!(limited.headers()["retry-after"], "7");
    assert_eq!(client.send_whatsapp("201001380200").await, (200, json!({"status": "Failed", "message": "provider rejected the message"})));
    assert_eq!(client.send_whatsapp("201001380499").await.1["exception"], "'NoneType' object has no attribute 'api_key'");
    assert_eq!(client.send(push("user-0500")).await.0, 500);
    assert_eq!(client.send(sms("201001380404")).await.0, 200, "not a thing of SMS");
    appgain.set(|knobs| knobs.magic = false);
    assert_eq!(client.send_whatsapp("201001380404").await.0, 200);
}

#[tokio::test]
async fn a_session_shows_codes_until_a_phone_scans_one() {
    let (appgain, gateway) = (quick().await, Gateway::start().await);
    appgain.set(|knobs| (knobs.starting_ms, knobs.first_code_ms, knobs.later_code_ms) = (30, 300, 10_000));
    let client = Client::of(&appgain);
    let path = "/5db9/uowhatsapp/session";
    assert_eq!(client.get(path).await.1["code"], "SESSION_NOT_FOUND");
    assert_eq!(client.create(&gateway.url).await, (201, json!({"session": "s_1", "status": "STARTING"})));
    assert_eq!(client.get(&format!("{path}/qr")).await.0, 404, "not yet");
    assert_eq!(client.create(&gateway.url).await.1["session"], "s_1", "the same sender's is the same");
    let told = gateway.wait_for(1).await;
    assert_eq!(told[0].json()["payload"], json!({"status": "SCAN_QR_CODE", "attempt": 1}));
    let (status, first) = client.get(&format!("{path}/qr")).await;
    assert_eq!((status, &first["attempt"], &first["mimetype"]), (200, &json!(1), &json!("image/png")));
    assert!(first["qr"].as_str().unwrap().starts_with("2@") && first["data"].as_str().unwrap().starts_with("iVBOR"), "{first}");
    assert!(first["expires_at"].as_str().unwrap().ends_with('Z'));
    let told = gateway.wait_for(2).await;
    assert_eq!(told[1].json()["payload"]["attempt"], 2);
    let (_, second) = client.get(&format!("{path}/qr")).await;
    assert_ne!(first["qr"], second["qr"], "the former is void");
    let pairing = client.ask(Method::POST, &format!("{path}/pairing-code"), Some(json!({"phone_number": "201220000000"}))).await;
    let code = pairing.1["code"].as_str().unwrap().to_owned();
    assert!(pairing.0 == 200 && code.len() == 9 && code.as_bytes()[4] == b'-', "{code}");
    assert_eq!(appgain.session(SUIT).unwrap().pairing_code, Some(code));

    assert!(appgain.scan(SUIT, "201229999999"), "whatever number the phone has");
    assert_eq!(gateway.wait_for(3).await[2].json()["payload"], json!({"status": "WORKING"}));
    let (_, session) = client.get(path).await;
    assert_eq!((&session["status"], &session["me"]["id"]), (&json!("WORKING"), &json!("201229999999")));
    assert_eq!((&session["quota"]["limit"], &session["quota"]["used"]), (&json!(300), &json!(0)));
    assert_eq!(client.get(&format!("{path}/qr")).await.1["code"], "ALREADY_CONNECTED");
    assert!(!appgain.scan(SUIT, NUMBER), "no code is shown");

    assert!(appgain.unlink(SUIT));
    assert_eq!(gateway.wait_for(4).await[3].json()["payload"], json!({"status": "FAILED", "reason": "LOGGED_OUT"}));
    assert_eq!(client.send_whatsapp(NUMBER).await.1["code"], "SESSION_NOT_WORKING");
    assert_eq!(client.create(&gateway.url).await.1["status"], "FAILED", "a restart is needed");
    assert_eq!(client.ask(Method::POST, &format!("{path}/restart"), None).await.1["status"], "STARTING");
    assert!(appgain.wait_for_status(SUIT, "SCAN_QR_CODE", WITHIN).await);
    assert!(appgain.scan(SUIT, "201220000000"));
    assert_eq!(client.ask(Method::POST, &format!("{path}/logout"), None).await.1["status"], "STOPPED");
    let told: Vec<_> = gateway.wait_for(7).await.iter().map(|got| got.json()["payload"].clone()).collect();
    assert!(told.contains(&json!({"status": "STOPPED"})), "without a reason, because it was asked for: {told:?}");
    assert_eq!(client.get(path).await.1["me"], Value::Null);
    assert_eq!(client.ask(Method::DELETE, path, None).await.0, 200);
    assert_eq!(client.get(path).await.0, 404);
    assert!(appgain.session(SUIT).is_none());
}

#[tokio::test]
async fn after_the_last_code_the_session_has_failed() {
    let (appgain, gateway) = (quick().await, Gateway::start().await);
    appgain.set(|knobs| (knobs.first_code_ms, knobs.later_code_ms) = (5, 5));
    Client::of(&appgain).create(&gateway.url).await;
    assert!(appgain.wait_for_status(SUIT, "FAILED", WITHIN).await);
    let mut told: Vec<_> = gateway.wait_for(7).await.iter().map(|got| got.json()["payload"].clone()).collect();
    // Each is told in the background, so that they may overtake each other.
    told.sort_by_key(|payload| payload["attempt"].as_u64().unwrap_or(7));
    let attempts: Vec<_> = told.iter().filter_map(|payload| payload["attempt"].as_u64()).collect();
    assert_eq!((attempts, &told[6]), (vec![1, 2, 3, 4, 5, 6], &json!({"status": "FAILED", "reason": "TIMEOUT"})));
}

#[tokio::test]
async fn the_quota_ends_and_tells_when_it_comes_back() {
    let (appgain, client, _gateway) = linked().await;
    appgain.set_used(SUIT, 299);
    assert_eq!(client.send_whatsapp(NUMBER).await.0, 200);
    let (status, answer) = client.send_whatsapp(NUMBER).await;
    assert_eq!((status, &answer["code"]), (429, &json!("QUOTA_EXCEEDED")));
    assert!((1..=86_400).contains(&answer["retry_after"].as_u64().unwrap()), "{answer}");
    assert_eq!(client.get("/5db9/uowhatsapp/session").await.1["quota"]["used"], 300);
    assert_eq!(client.send(sms(NUMBER)).await.0, 200, "SMS don't count");
}

#[tokio::test]
async fn events_are_signed_where_a_secret_is_set_and_come_again_until_taken() {
    let (appgain, client, gateway) = linked().await;
    assert_eq!(gateway.got()[0].header("x-appgain-signature"), "", "unsigned");
    appgain.set_webhook(SUIT, Kind::WhatsApp, None, Some("whsec"));
    appgain.set(|knobs| knobs.acks = 3);
    gateway.answer(&[503, 500]);
    assert_eq!(client.send_whatsapp(NUMBER).await.0, 200);
    let got = gateway.wait_for(2 + 5).await.split_off(2);
    for got in &got {
        let signed = signature("whsec", got.header("x-appgain-timestamp"), got.body.as_bytes());
        assert_eq!((got.header("x-appgain-signature"), got.header("x-appgain-event")), (signed.as_str(), "message.ack"));
        assert_eq!(got.header("content-type"), "application/json");
    }
    let mut deliveries: Vec<_> = got.iter().map(|got| got.header("x-appgain-delivery").to_owned()).collect();
    deliveries.sort();
    deliveries.dedup();
    assert_eq!(deliveries.len(), 3, "the repeated have the id of the first");
    let mut acks: Vec<_> = got.iter().map(|got| got.json()["payload"]["ack"].as_i64().unwrap()).collect();
    acks.sort_unstable();
    acks.dedup();
    assert_eq!(acks, [1, 2, 3]);
    let event = got[0].json();
    assert_eq!((&event["suit_id"], &event["session"], &event["payload"]["client_ref"]), (&json!("5db9"), &json!("s_1"), &json!("msg-1")));
    assert_eq!(event["payload"]["id"], appgain.sent(SUIT)[0].id);

    assert_eq!(client.send_whatsapp("201001381404").await.0, 200);
    let failed = gateway.wait_for(8).await[7].json();
    assert_eq!((&failed["payload"]["ack"], &failed["payload"]["ackName"]), (&json!(-1), &json!("ERROR")));
}

#[tokio::test]
async fn people_write_with_files_in_groups_under_hidden_numbers_and_on_the_phone_itself() {
    let (appgain, client, gateway) = linked().await;
    let said = async |say: Say| assert!(appgain.say(SUIT, &say).await.delivered);
    let from = || NUMBER.to_owned();
    said(Say { from: from(), name: "Mona".into(), text: "Hello".into(), ..Say::default() }).await;
    let file = Some(SaidFile::of("inv.pdf", "application/pdf", b"%PDF-1.4"));
    said(Say { from: from(), text: "invoice".into(), file, ..Say::default() }).await;
    said(Say { from: from(), text: "typed".into(), echo: true, ..Say::default() }).await;
    said(Say { from: from(), text: "all".into(), group: Some("12036304".into()), ..Say::default() }).await;
    said(Say { from: "98765@lid".into(), text: "who".into(), ..Say::default() }).await;
    let got: Vec<_> = gateway.got().split_off(2).iter().map(|got| got.json()["payload"].clone()).collect();
    assert_eq!(
        (&got[0]["from"], &got[0]["to"], &got[0]["pushName"]),
        (&json!("201001383533@c.us"), &json!("201220000000@c.us"), &json!("Mona"))
    );
    assert!(got[0]["id"].as_str().unwrap().starts_with("false_201001383533@c.us_3EB0"), "{}", got[0]);
    assert_eq!((&got[1]["type"], &got[1]["hasMedia"]), (&json!("document"), &json!(true)));
    assert_eq!((&got[2]["fromMe"], &got[2]["to"]), (&json!(true), &json!("201001383533@c.us")));
    assert_eq!((&got[3]["from"], &got[3]["participant"]), (&json!("12036304@g.us"), &json!("201001383533@c.us")));
    assert_eq!(got[4]["from"], "98765@lid");

    let url = got[1]["media"]["url"].as_str().unwrap();
    let path = url.strip_prefix(&appgain.url()).expect("under the origin that the session was made at");
    let file = client.raw(Method::GET, path, None).await;
    assert_eq!((file.status().as_u16(), file.headers()["content-type"].to_str().unwrap()), (200, "application/pdf"));
    assert_eq!(file.bytes().await.unwrap().as_ref(), b"%PDF-1.4");
    assert_eq!(client.with_key(None).get(path).await.0, 401);
}

#[tokio::test]
async fn files_that_are_sent_are_looked_at_where_they_lie_on_loopback() {
    let (appgain, client, _gateway) = linked().await;
    let link = |name: &str, path: &str| {
        let mut body = whatsapp(NUMBER);
        body["UOWHATSAPP"][name] = format!("{}{path}", appgain.url()).into();
        body
    };
    assert_eq!(client.send(link("documentUrl", "/_standin/samples")).await.0, 200);
    assert_eq!(client.send(link("imageUrl", "/_standin/samples")).await.1["code"], "MEDIA_TYPE");
    assert_eq!(client.send(link("documentUrl", "/nothing/here")).await.1["code"], "MEDIA_UNREACHABLE");
    let mut far = whatsapp(NUMBER);
    far["UOWHATSAPP"]["imageUrl"] = "https://files.example.test/a.png".into();
    assert_eq!(client.send(far).await.0, 200, "others are believed");
}

#[tokio::test]
async fn sms_are_told_of_and_answered_and_unsubscribed_from() {
    let (appgain, gateway) = (quick().await, Gateway::start().await);
    let client = Client::of(&appgain);
    appgain.set_webhook(SUIT, Kind::Sms, Some(&gateway.url), Some("whsec"));
    appgain.set(|knobs| knobs.sms_statuses = true);
    assert_eq!(client.send(sms(NUMBER)).await.0, 200);
    let got = gateway.wait_for(2).await;
    let statuses: Vec<_> = got.iter().map(|got| got.json()["payload"]["status"].clone()).collect();
    assert_eq!(statuses, ["ENROUTE", "DELIVRD"]);
    assert_eq!(got[1].json()["payload"], json!({"client_ref": "msg-9", "mobileNum": NUMBER, "status": "DELIVRD", "code": "000"}));
    assert!(got[0].json().get("session").is_none(), "not a session's");
    assert_eq!(client.send(sms("201001381404")).await.0, 200);
    assert_eq!(gateway.wait_for(3).await[2].json()["payload"]["status"], "UNDELIV");

    assert!(appgain.sms_inbound(SUIT, NUMBER, "STOP").await.delivered);
    assert_eq!(gateway.got()[3].json()["payload"]["message"], "STOP");
    let body = || Some(json!({"mobile_number": NUMBER, "target_list_name": "news"}));
    assert_eq!(client.ask(Method::POST, "/5db9/smsUnSubscribe", body()).await.0, 405, "it is a PUT");
    assert_eq!(client.ask(Method::PUT, "/5db9/smsUnSubscribe", body()).await.0, 200);
    assert!(appgain.is_unsubscribed(SUIT, NUMBER));
    assert_eq!(client.send(sms(NUMBER)).await.0, 200);
    assert_eq!(gateway.wait_for(5).await[4].json()["payload"]["status"], "REJECTD");
    assert_eq!(client.ask(Method::POST, "/5db9/smsSubscribe", body()).await.0, 200);
    assert!(!appgain.is_unsubscribed(SUIT, NUMBER));
    assert_eq!(client.send(json!({"SMS": {"message": "Hi", "target_list_name": "news"}})).await.0, 200);
    assert_eq!(appgain.sent(SUIT).last().unwrap().to, [NUMBER]);
    assert!(appgain.sent_to_everybody().is_empty());
}

#[tokio::test]
async fn pushes_are_received_opened_dismissed_and_fail() {
    let (appgain, gateway) = (quick().await, Gateway::start().await);
    let client = Client::of(&appgain);
    appgain.set_webhook(SUIT, Kind::Push, Some(&gateway.url), None);
    appgain.set(|knobs| knobs.push_events = vec!["received".into(), "open".into()]);
    assert_eq!(client.send(push("P1NX")).await.0, 200);
    let told: Vec<_> = gateway.wait_for(2).await.iter().map(|got| got.json()["payload"]["action"]["name"].clone()).collect();
    assert_eq!(told, ["received", "open"]);
    assert_eq!(client.send(push("NotRegistered-9")).await.0, 200);
    let failed = gateway.wait_for(3).await[2].json();
    assert_eq!(failed["payload"]["action"], json!({"name": "failed", "value": "NotRegistered"}));
    let silent = json!({"appPush": {"content-available": 1, "sound": "", "receivers": [{"userID": "P2"}]}});
    appgain.set(|knobs| knobs.push_events.clear());
    assert_eq!(client.send(silent).await.0, 200);
    let told = json!({"channel": "apppush", "action": {"name": "dismiss", "value": "NA"}, "userId": "P1NX", "campaign_id": "c1", "campaign_name": "camp"});
    assert_eq!(client.ask(Method::POST, "/5db9/recordstatus", Some(told)).await.0, 200);
    let dismissed = gateway.wait_for(4).await[3].json();
    assert_eq!(
        (&dismissed["payload"]["action"]["name"], &dismissed["payload"]["client_ref"], &dismissed["payload"]["campaign_id"]),
        (&json!("dismiss"), &json!("msg-2"), &json!("c1"))
    );
    assert!(appgain.push_status(SUIT, Some("m"), "P3", "open", "NA").await.delivered);
}

#[tokio::test]
async fn failures_strike_and_the_rest_is_recorded() {
    let appgain = quick().await;
    let client = Client::of(&appgain);
    let mut limited = Failure::error("POST send", 429, "slow down");
    limited.parameters = Some(json!({"code": "QUOTA_EXCEEDED", "retry_after": 3}));
    appgain.fail(limited);
    let response = client.raw(Method::POST, "/5db9/send", Some(&sms(NUMBER))).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "3"));
    appgain.fail(Failure { chat: Some(NUMBER.into()), ..Failure::cut("POST send", Moment::After) });
    let cut = client.http.post(format!("{}/5db9/send", client.base)).header("appapikey", API_KEY).json(&sms(NUMBER)).send().await;
    assert!(cut.is_err());
    assert_eq!(appgain.sent(SUIT).len(), 1, "it was sent all the same");
    let recorded = appgain.requests_of("POST send");
    assert_eq!((recorded.len(), recorded[0].status, recorded[0].account.as_str()), (2, 429, "5db9"));
    assert_eq!(recorded[0].text("_appapikey"), API_KEY);
}

#[tokio::test]
async fn the_strings_work_with_curl() {
    let (_appgain, client, gateway) = linked().await;
    let pull = async |path: &str, body: Value| client.ask(Method::POST, path, Some(body)).await;
    assert_eq!(pull("/_standin/knobs", json!({"acks": 1})).await.1["acks"], 1);
    assert_eq!(pull("/_standin/knobs", json!({"ackz": 1})).await.0, 400);
    assert_eq!(pull("/_standin/say", json!({"from": NUMBER, "text": "Hi"})).await.1["delivery"]["delivered"], true);
    assert_eq!(pull("/_standin/say", json!({"from": NUMBER, "file": {"base64": "*"}})).await.0, 400);
    assert_eq!(pull("/_standin/ack", json!({"id": "true_1", "ack": 4})).await.1["delivered"], true);
    assert_eq!(gateway.got().last().unwrap().json()["payload"]["ackName"], "PLAYED");
    assert_eq!(pull("/_standin/phone", json!({"status": {"status": "PASSKEY_REQUIRED"}})).await.1["session"]["status"], "PASSKEY_REQUIRED");
    assert_eq!(pull("/_standin/phone", json!("ban")).await.1["session"]["status"], "FAILED");
    assert_eq!(pull("/_standin/projects", json!({"suit_id": "other", "api_key": "k"})).await.0, 200);
    assert_eq!(pull("/_standin/say", json!({"from": NUMBER})).await.0, 400, "which project?");
    let hook = json!({"kind": "sms", "url": gateway.url});
    assert_eq!(pull("/_standin/webhook?suit=5db9", hook).await.1["projects"]["5db9"]["hooks"]["sms"]["url"], gateway.url);
    assert_eq!(pull("/_standin/sms-status?suit=5db9", json!({"number": NUMBER, "status": "DELIVRD"})).await.1["delivered"], true);
    for sample in scene::samples().keys() {
        let (status, answer) = pull(&format!("/_standin/samples/{sample}?suit=5db9"), json!({})).await;
        let known = !sample.starts_with("push");
        assert_eq!((status, answer["delivered"].as_bool()), (200, Some(known)), "{sample} {answer}");
    }
    assert_eq!(pull("/_standin/samples/nothing?suit=5db9", json!({})).await.0, 404);
    assert_eq!(client.get("/_standin/sent").await.1["sent"], json!([]));
}

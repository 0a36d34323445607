//! WHATSAPP_LITE against the stand-in of Appgain: a phone that scans, messages both ways, and what comes of a phone that unlinks.

use std::time::Duration;

use patchbay_providers::{
    Appgain,
    appgain::{API_KEY, Kind, SUIT, SaidFile, Say},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const NUMBER: &str = "201220000000";
const MONA: &str = "201001383533";
const SECRET: &str = "whsec_of_the_shop";

struct Lite {
    gateway: Gateway,
    appgain: Appgain,
    account: String,
}

impl Lite {
    /// With an account that isn't connected yet; a code lives for some seconds.
    async fn start(database: Database, more: Value) -> Lite {
        let appgain = Appgain::start().await;
        appgain.set(|knobs| (knobs.starting_ms, knobs.first_code_ms, knobs.later_code_ms) = (10, 6_000, 3_000));
        appgain.set_webhook(SUIT, Kind::WhatsApp, None, Some(SECRET));
        let settings = Settings::default().without_plugin().channel("whatsapp-lite");
        let settings = settings.redirecting("notify.appgain.io", &appgain.url()).redirecting("api.appgain.io", &appgain.url());
        let gateway = Gateway::start(database, settings).await;
        let mut whole = json!({
            "suit_id": SUIT, "api_key": API_KEY, "sender_id": "sales", "phone_number": format!("+{NUMBER}"), "webhook_secret": SECRET
        });
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let account = gateway.create("WHATSAPP_LITE", whole).await;
        Lite { gateway, appgain, account }
    }

    async fn connected(database: Database, more: Value) -> Lite {
        let lite = Lite::start(database, more).await;
        lite.pair().await;
        assert!(lite.appgain.scan(SUIT, NUMBER));
        lite.stands("connected").await;
        lite
    }

    /// Begins to pair and waits for the code.
    async fn pair(&self) -> Value {
        self.gateway.connect(&self.account, json!({})).await;
        eventually("there is a code", || async {
            let answer = self.gateway.get(&self.pairing()).await;
            (answer.status == 200).then_some(answer.body)
        })
        .await
    }

    fn pairing(&self) -> String {
        format!("/rest/v1/channel_accounts/{}/pairing", self.account)
    }

    async fn stands(&self, connection: &str) -> Value {
        eventually(&format!("the account is {connection}"), || async {
            let account = self.gateway.account(&self.account).await;
            (account["connection"] == connection).then_some(account)
        })
        .await
    }

    async fn code_as(&self, accept: &str) -> (u16, String, String) {
        let request = self.gateway.request(Method::GET, &self.pairing()).header("accept", accept);
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    }
}

async fn a_phone_scans_the_code(database: Database) {
    let lite = Lite::start(database, json!({})).await;
    let first = lite.pair().await;
    let shown = lite.appgain.session(SUIT).unwrap();
    assert_eq!(first["code"], json!(shown.code), "{first}");
    assert!(first["expires_at"].is_string() && first["refreshes_left"].is_number(), "{first}");
    let account = lite.gateway.account(&lite.account).await;
    assert_eq!(account["connection"], "pairing", "{account}");
    assert_eq!(account["prompt"]["pairing_url"], json!(lite.pairing()), "{account}");

    // As text and as a picture; each is read while it is valid.
    let (status, kind, text) = lite.code_as("text/plain").await;
    assert_eq!((status, kind.starts_with("text/plain")), (200, true), "{text}");
    assert_eq!(text.trim(), lite.appgain.session(SUIT).unwrap().code);
    let (status, kind, picture) = lite.code_as("image/svg+xml").await;
    assert_eq!((status, kind.as_str()), (200, "image/svg+xml"));
    assert!(picture.contains("<svg") && picture.contains("</svg>"), "{picture}");

    // Only for whoever began, and nowhere else.
    let other = lite.gateway.new_key("admin", "org-1");
    let refused = lite.gateway.ask_as(Some(&other), Method::GET, &lite.pairing()).await.expect_status(403);
    assert!(refused["hint"].as_str().unwrap().contains("connect"), "{refused}");

    // The code changes by itself.
    let later = eventually("the code changes", || async {
        let answer = lite.gateway.get(&lite.pairing()).await;
        (answer.status == 200 && answer.body["code"] != first["code"]).then_some(answer.body)
    })
    .await;
    let events = lite.gateway.get("/rest/v1/event_types").await.expect_status(200).to_string();
    assert!(events.contains("account.pairing"), "{events}");

    assert!(lite.appgain.scan(SUIT, NUMBER));
    let account = lite.stands("connected").await;
    assert!(account["external_id"].is_string() && account["prompt"].is_null(), "{account}");
    let over = lite.gateway.get(&lite.pairing()).await;
    assert!(matches!(over.status, 404 | 409), "{} {}", over.status, over.body);

    let logs = lite.gateway.get(&format!("/rest/v1/account_logs?channel_account_id={}&limit=500", lite.account)).await.expect_status(200);
    for text in [account.to_string(), logs.to_string(), lite.gateway.log()] {
        for code in [&first["code"], &later["code"]] {
            assert!(!text.contains(code.as_str().unwrap()), "a code was kept: {text}");
        }
    }
}

async fn another_number_is_refused_and_the_next_scan_is_right(database: Database) {
    let lite = Lite::start(database, json!({})).await;
    lite.pair().await;
    assert!(lite.appgain.scan(SUIT, "201999999999"));
    let account = lite.stands("error").await;
    let told = account.to_string();
    assert!(told.contains(NUMBER) && told.contains("201999999999"), "{told}");
    assert_ne!(lite.appgain.session(SUIT).map(|session| session.status), Some("WORKING".to_owned()), "it was logged out");
    lite.pair().await;
    assert!(lite.appgain.scan(SUIT, NUMBER));
    lite.stands("connected").await;
}

async fn codes_run_out_and_new_ones_come_when_asked(database: Database) {
    let lite = Lite::start(database, json!({})).await;
    lite.appgain.set(|knobs| (knobs.first_code_ms, knobs.later_code_ms, knobs.code_max) = (6_000, 500, 2));
    let first = lite.pair().await;
    // A new one before it is due.
    lite.gateway.connect(&lite.account, json!({"step": "refresh"})).await;
    eventually("another code is there", || async {
        let answer = lite.gateway.get(&lite.pairing()).await;
        (answer.status == 200 && answer.body["code"] != first["code"]).then_some(())
    })
    .await;
    // Nobody scans.
    let account = lite.stands("error").await;
    assert!(account["user_action"].as_str().unwrap().contains("connect"), "{account}");
    assert_ne!(lite.gateway.get(&lite.pairing()).await.status, 200, "the code isn't kept");
    // It can be begun again.
    lite.pair().await;
}

async fn an_account_is_connected_by_credentials(database: Database) {
    let lite = Lite::start(database, json!({"pairing": "credentials"})).await;
    // Linked at the provider's own dashboard.
    let client = reqwest::Client::new();
    let made = client
        .post(format!("{}/{SUIT}/uowhatsapp/session", lite.appgain.url()))
        .header("appapikey", API_KEY)
        .json(&json!({"sender_id": "sales", "phone_number": NUMBER, "webhook_url": "http://127.0.0.1:9/none"}))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    assert!(lite.appgain.wait_for_status(SUIT, "SCAN_QR_CODE", Duration::from_secs(5)).await);
    let connect = format!("/rest/v1/channel_accounts/{}/connect", lite.account);
    let refused = lite.gateway.post(&connect, json!({})).await.expect_status(422);
    assert!(refused.to_string().to_lowercase().contains("link"), "{refused}");
    assert!(lite.appgain.scan(SUIT, NUMBER));
    let account = lite.gateway.connect(&lite.account, json!({})).await;
    assert_eq!(account["connection"], "connected", "{account}");
}

async fn messages_go_both_ways(database: Database) {
    let templates = json!([{"name": "ready", "language": "en", "text": "Hello {{name}}, order {{1}} is ready."}]);
    let lite = Lite::connected(database, json!({"templates": templates})).await;
    lite.appgain.set(|knobs| knobs.acks = 3);
    let Lite { gateway, appgain, account } = &lite;
    let file = gateway.upload("/rest/v1/media?organization_id=org-1&file_name=a.pdf", "application/pdf", b"%PDF-1.4".to_vec()).await;
    let media = file.expect_status(201);
    let parameters = json!([{"text": {"name": "name", "value": "Mona"}}, {"text": {"name": "", "value": "42"}}]);
    let cases = [
        ("message", json!({"type": "text", "text": "Hello 👟"})),
        ("imageUrl", json!({"type": "media", "kind": "image", "url": "https://example.com/a.png", "caption": "A dot"})),
        ("documentUrl", json!({"type": "media", "kind": "document", "media_id": media["id"]})),
        ("videoUrl", json!({"type": "media", "kind": "video", "url": "https://example.com/a.mp4"})),
        ("message", json!({"type": "template", "name": "ready", "language": "en", "body": parameters})),
    ];
    for (field, content) in cases {
        let before = appgain.sent(SUIT).len();
        let message = gateway.send(account, MONA, content.clone(), "read").await;
        let sent = appgain.sent(SUIT);
        assert_eq!(sent.len(), before + 1, "{content}");
        let sent = sent.last().unwrap();
        assert_eq!((sent.to.as_slice(), sent.everybody), ([MONA.to_owned()].as_slice(), false), "{content}");
        assert!(sent.body[field].as_str().is_some_and(|value| !value.is_empty()), "{field} of {}", sent.body);
        assert_eq!(sent.client_ref.as_deref(), message["id"].as_str());
    }
    assert_eq!(appgain.sent(SUIT).last().unwrap().message, "Hello Mona, order 42 is ready.");

    // What can't be sent isn't queued.
    for (to, content, field) in [
        ("nobody", json!({"type": "text", "text": "Hi"}), "/to"),
        (MONA, json!({"type": "template", "name": "ready", "language": "en", "body": []}), "name"),
        (MONA, json!({"type": "template", "name": "unknown", "language": "en", "body": []}), "unknown"),
        (MONA, json!({"type": "text", "text": "a".repeat(4097)}), "4097"),
    ] {
        let request = json!({"channel_account_id": account, "to": to, "content": [content]});
        let refused = gateway.post("/rest/v1/messages", request).await.expect_status(422);
        assert!(refused.to_string().contains(field), "{field} isn't named: {refused}");
    }
    assert!(appgain.sent_to_everybody().is_empty());

    let say = Say { from: MONA.into(), name: "Mona".into(), text: "Is it there?".into(), ..Say::default() };
    assert!(appgain.say(SUIT, &say).await.delivered);
    let document = SaidFile::of("inv.pdf", "application/pdf", b"%PDF-1.7 invoice");
    assert!(appgain.say(SUIT, &Say { text: "invoice".into(), file: Some(document), ..say.clone() }).await.delivered);
    assert!(appgain.say(SUIT, &Say { text: "typed on the phone".into(), echo: true, ..say.clone() }).await.delivered);
    assert!(appgain.say(SUIT, &Say { group: Some("12036304".into()), ..say.clone() }).await.delivered);
    let received = eventually("three messages are there", || async {
        let received = gateway.received(account).await;
        (received.len() >= 2).then_some(received)
    })
    .await;
    assert_eq!(received.len(), 2, "the group's isn't among them, and the echo is outbound: {received:#?}");
    assert_eq!(received[0]["content"][0]["text"], "Is it there?");
    assert_eq!(received[0]["contact"]["name"], "Mona");
    let id = received[1]["id"].as_str().unwrap();
    let (status, bytes) = gateway.download(&format!("/rest/v1/messages/{id}/media/0")).await;
    assert_eq!((status, bytes.as_slice()), (200, b"%PDF-1.7 invoice".as_slice()));
    let written =
        gateway.get(&format!("/rest/v1/messages?channel_account_id={account}&direction=outbound&limit=100")).await.expect_status(200);
    let echoes = written.as_array().unwrap().iter().filter(|message| message["echo"] == true).count();
    assert_eq!(echoes, 1, "{written}");
}

async fn refusals_are_told_apart(database: Database) {
    let lite = Lite::connected(database, json!({})).await;
    let Lite { gateway, appgain, account } = &lite;
    let text = || json!({"type": "text", "text": "Hi"});
    let gone = gateway.post("/rest/v1/messages", json!({"channel_account_id": account, "to": "201001380404", "content": [text()]})).await;
    let gone = gone.expect_status(202);
    let failed = eventually("it failed", || async {
        let message = gateway.get(&format!("/rest/v1/messages/{}", gone["id"].as_str().unwrap())).await.expect_status(200);
        (message["state"] == "failed").then_some(message)
    })
    .await;
    assert_eq!(failed["failure"]["class"], "recipient", "{failed}");

    // An outage is no wrong key: the account stays.
    let request = json!({"channel_account_id": account, "to": "201001380502", "content": [text()]});
    let out = gateway.post("/rest/v1/messages", request).await.expect_status(202);
    eventually("it was tried", || async {
        let attempts = gateway.get(&format!("/rest/v1/messages/{}/attempts", out["id"].as_str().unwrap())).await.expect_status(200);
        attempts.as_array().is_some_and(|attempts| attempts.iter().any(|attempt| !attempt["failure"].is_null())).then_some(())
    })
    .await;
    assert_eq!(gateway.account(account).await["connection"], "connected");

    // A wrong key answers 500 too.
    let request = json!({"channel_account_id": account, "to": "201001380499", "content": [text()]});
    gateway.post("/rest/v1/messages", request).await.expect_status(202);
    lite.stands("needs_reauth").await;
    assert!(appgain.sent_to_everybody().is_empty());
}

async fn a_phone_that_unlinks_logs_the_account_out(database: Database) {
    let lite = Lite::connected(database, json!({})).await;
    assert!(lite.appgain.unlink(SUIT));
    let account = lite.stands("logged_out").await;
    assert_eq!(account["is_connected"], false, "{account}");
    assert!(account["user_action"].as_str().unwrap().contains("onnect"), "{account}");
    // What is to be sent waits, and goes when the phone is linked again.
    let text = json!([{"type": "text", "text": "Later"}]);
    let request = json!({"channel_account_id": lite.account, "to": MONA, "content": text});
    let message = lite.gateway.post("/rest/v1/messages", request).await.expect_status(202);
    lite.pair().await;
    assert!(lite.appgain.sent(SUIT).is_empty());
    assert!(lite.appgain.scan(SUIT, NUMBER));
    lite.gateway.message(message["id"].as_str().unwrap(), "sent").await;
    assert_eq!(lite.appgain.sent(SUIT).len(), 1);
}

both! {
    a_phone_scans_the_code,
    another_number_is_refused_and_the_next_scan_is_right,
    codes_run_out_and_new_ones_come_when_asked,
    an_account_is_connected_by_credentials,
    messages_go_both_ways,
    refusals_are_told_apart,
    a_phone_that_unlinks_logs_the_account_out,
}

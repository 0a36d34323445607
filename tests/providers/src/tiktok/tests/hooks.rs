use super::*;

async fn patient() -> TikTok {
    TikTok::start_with(Options { webhook_gap: Duration::from_millis(10), ..Options::default() }).await.unwrap()
}

#[tokio::test]
async fn a_webhook_is_set_told_and_taken_away() {
    let tiktok = TikTok::start().await;
    let client = Client::of(&tiktok, "");
    let about = json!({"app_id": APP, "secret": SECRET, "event_type": "DIRECT_MESSAGE"});
    let list = || client.get("business/webhook/list/", &[("app_id", APP), ("secret", SECRET), ("event_type", "DIRECT_MESSAGE")]);
    assert_eq!(list().await, (0, json!({"app_id": APP, "event_type": "DIRECT_MESSAGE"})));
    let with = |name: &str, value: &str| {
        let mut body = about.clone();
        body["callback_url"] = "https://g.example/hook".into();
        body[name] = value.into();
        body
    };
    for wrong in
        [with("secret", "x"), with("app_id", "1"), with("event_type", "ALL"), with("callback_url", "http://g.example"), with("url", "x")]
    {
        assert_eq!(client.post("business/webhook/update/", wrong.clone()).await.0, 40_002, "{wrong}");
    }
    let url = "https://g.example/hook";
    assert_eq!(client.post("business/webhook/update/", with("callback_url", url)).await.1["callback_url"], url);
    assert_eq!(list().await.1["callback_url"], url);
    assert_eq!(client.post("business/webhook/delete/", about).await.0, 0);
    assert_eq!(list().await.1.get("callback_url"), None);
    assert!(!tiktok.say(BUSINESS, PERSON, "Hi").await.delivered);
}

#[tokio::test]
async fn a_message_is_encoded_twice_and_signed() {
    let tiktok = TikTok::start().await;
    let hook = hook(&tiktok).await;
    let delivery = tiktok.say(BUSINESS, PERSON, "Price?").await;
    assert!(delivery.delivered);
    let (header, body) = hook.got.lock()[0].clone();
    let at: u64 = header.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap();
    assert_eq!(header, signature(SECRET, at, &body));
    let envelope = hook.envelopes().remove(0);
    assert_eq!(
        (&envelope["event"], &envelope["user_openid"], &envelope["client_key"]),
        (&json!("im_receive_msg"), &json!(BUSINESS), &json!(APP))
    );
    let content = hook.contents().remove(0);
    assert_eq!(
        (&content["text"]["body"], &content["type"], &content["conversation_id"]),
        (&json!("Price?"), &json!("text"), &json!(CONVERSATION))
    );
    assert_eq!(
        (&content["from"], &content["to_user"]["id"], &content["message_id"]),
        (&json!("mona_shop"), &json!(BUSINESS), &json!(delivery.message_id))
    );
}

#[test]
fn the_documents_vector_comes_out() {
    let body = r#"{"client_key":"7300000000000000001","event":"im_receive_msg","create_time":1764000000,"user_openid":"biz_open_id_1","content":"{\"conversation_id\":\"c+1==\"}"}"#;
    let expected = "t=1764000000,s=83930b049759f02e09e68f53da47a8b82421e4584e29e23a7805414e98cdd776";
    assert_eq!(signature("tt_app_secret", 1_764_000_000, body), expected);
}

#[tokio::test]
async fn a_webhook_comes_again_until_it_is_answered_with_200() {
    let tiktok = patient().await;
    let hook = hook(&tiktok).await;
    hook.answers.lock().extend([500, 204, 404]);
    assert_eq!(tiktok.say(BUSINESS, PERSON, "Hi").await.status, Some(500));
    hook.wait_for(4).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let got = hook.got.lock();
    assert_eq!(got.len(), 4, "and not once more");
    assert!(got.iter().all(|(_, body)| *body == got[0].1));
}

#[tokio::test]
async fn an_echo_comes_after_the_answer_or_before_it() {
    let tiktok = TikTok::start().await;
    let hook = hook(&tiktok).await;
    tiktok.say(BUSINESS, PERSON, "Hi").await;
    let client = Client::authorized(&tiktok);
    let (_, data) = client.text("after").await;
    assert_eq!(hook.got.lock().len(), 1, "the answer is first");
    hook.wait_for(2).await;
    let echo = hook.contents().remove(1);
    assert_eq!(
        (&echo["message_id"], &echo["message_tag"]["source"], &echo["from"]),
        (&data["message"]["message_id"], &json!("API"), &json!("acme"))
    );
    tiktok.set(|knobs| knobs.echoes = Echoes::Before);
    client.text("before").await;
    assert_eq!(hook.got.lock().len(), 3, "the echo is first");
    tiktok.set(|knobs| knobs.echoes = Echoes::Off);
    client.text("never").await;
    client.send("SENDER_ACTION", "sender_action", json!("TYPING")).await;
    tiktok.write_in_app(BUSINESS, PERSON, "by hand").await;
    let by_hand = hook.contents().remove(3);
    assert_eq!((&by_hand["message_tag"]["source"], &by_hand["text"]["body"]), (&json!("APP"), &json!("by hand")));
}

#[tokio::test]
async fn batches_and_wrong_clocks_are_to_be_had() {
    let tiktok = TikTok::start().await;
    let hook = hook(&tiktok).await;
    tiktok.set(|knobs| (knobs.batched, knobs.signature_skew_s) = (true, -3600));
    tiktok.read(BUSINESS, PERSON, 1_764_000_008_500).await;
    assert_eq!(hook.envelopes()[0]["events"][0]["event"], "im_mark_read_msg");
    let (header, body) = hook.got.lock()[0].clone();
    let at: u64 = header.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap();
    assert!(tiktok.now_ms() / 1000 - at >= 3600);
    assert_eq!(header, signature(SECRET, at, &body));
}

#[tokio::test]
async fn every_sample_is_delivered_as_it_stands() {
    let tiktok = TikTok::start().await;
    let hook = hook(&tiktok).await;
    for (index, (name, sample)) in samples().iter().enumerate() {
        assert!(tiktok.deliver(name).await.delivered, "{name}");
        assert_eq!(hook.contents()[index], sample["content"], "{name}");
        assert_eq!(hook.envelopes()[index]["event"], sample["event"], "{name}");
    }
    assert!(samples().len() > 15);
    assert!(!tiktok.deliver("pigeon").await.delivered);
    let client = Client::authorized(&tiktok);
    assert_eq!(client.text("The sample's message opened the window").await.0, 0);
}

#[tokio::test]
async fn the_strings_can_be_pulled_with_curl() {
    let tiktok = TikTok::start().await;
    let hook = hook(&tiktok).await;
    let client = Client::of(&tiktok, "");
    let pull = |path: &str, body: Value| {
        let request = client.http.post(format!("{}/_standin/{path}", tiktok.url())).json(&body);
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        }
    };
    assert_eq!(pull("say", json!({"from": PERSON, "text": "Hi"})).await.1["delivered"], true);
    assert_eq!(pull("say", json!({"from": PERSON, "type": "sticker", "value": {}})).await.1["delivered"], true);
    assert_eq!(pull("write", json!({"to": PERSON, "text": "Hello"})).await.1["delivered"], true);
    assert_eq!(pull("read", json!({"from": PERSON})).await.1["delivered"], true);
    assert_eq!(pull("samples/referral", json!({})).await.1["delivered"], true);
    assert_eq!(hook.got.lock().len(), 5);
    let minted = pull("tokens", json!({"scopes": SCOPES})).await.1;
    let own = Client::of(&tiktok, minted["access_token"].as_str().unwrap());
    assert_eq!(own.text("x").await.0, 0);
    assert_eq!(pull("knobs", json!({"image_send": false})).await.1["image_send"], false);
    assert_eq!(pull("knobs", json!({"pigeons": 1})).await.0, 400);
    assert_eq!(pull("failures", json!({"method": "business/message/send", "error_code": 40100})).await.0, 200);
    assert_eq!(own.text("x").await.0, 40_100);
    assert_eq!(pull("expire", json!({})).await.0, 200);
    assert_eq!(own.text("x").await.0, 40_105);
    assert_eq!(pull("settings", json!({"advance_s": 60})).await.1["clock_ahead_ms"], 60_000);
    let requests = client.http.get(format!("{}/_standin/requests?call=business/message/send", tiktok.url())).send().await.unwrap();
    assert_eq!(requests.json::<Value>().await.unwrap()["requests"].as_array().unwrap().len(), 3);
}

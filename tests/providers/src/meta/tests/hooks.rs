use super::*;

async fn subscribed() -> (Meta, String, Arc<Hook>) {
    let meta = Meta::start_with(Options { webhook_gap: Duration::from_millis(10), ..Options::default() }).await.unwrap();
    // A client's TLS is set up once; the challenge needs none.
    let (url, hook) = hook().await;
    meta.set_webhook(APP, "", &url, "vt").await.unwrap();
    (meta, url, hook)
}

#[tokio::test]
async fn nothing_arrives_before_the_account_is_subscribed() {
    let (meta, _, hook) = subscribed().await;
    let pushed = meta.deliver("wa-01").await;
    assert!(!pushed.delivered() && pushed.deliveries[0].note.is_some());
    let client = Client::of(&meta, &meta.system_token(APP, WHATSAPP_SCOPES, 0));
    assert_eq!(client.post(&format!("/v26.0/{WABA}/subscribed_apps"), json!({})).await.0, 200);
    let pushed = meta.deliver("wa-01").await;
    assert_eq!((pushed.delivered(), pushed.id().as_str()), (true, "wamid.FAKEIN01"));
    let (headers, body) = hook.got.lock()[0].clone();
    assert!(body.is_ascii() && body.contains(r"\ud83d\udc5f"), "{body}");
    assert_eq!(headers["x-hub-signature-256"].to_str().unwrap(), signature("appsecret", body.as_bytes()));
    meta.set(|knobs| knobs.raw_utf8 = true);
    meta.deliver("wa-01-text-reply").await;
    let (headers, body) = hook.got.lock()[1].clone();
    assert!(body.contains('👟'));
    assert_eq!(headers["x-hub-signature-256"].to_str().unwrap(), signature("appsecret", body.as_bytes()));
}

#[tokio::test]
async fn every_fixture_can_be_delivered() {
    let (meta, _, hook) = subscribed().await;
    meta.subscribe(APP, WABA, &[]);
    let fields = [
        "messages",
        "messaging_postbacks",
        "message_deliveries",
        "message_reads",
        "message_echoes",
        "message_reactions",
        "message_edits",
        "messaging_referrals",
        "messaging_handovers",
        "standby",
    ];
    meta.subscribe(APP, PAGE, &fields);
    assert_eq!(Meta::fixtures().len(), 41);
    for name in Meta::fixtures() {
        assert!(meta.deliver(&name).await.delivered(), "{name}");
    }
    let expected: Vec<_> = Meta::fixtures().iter().filter_map(|name| Meta::fixture(name)).collect();
    assert_eq!(hook.payloads(), expected);
}

#[tokio::test]
async fn a_callback_is_challenged_before_it_is_set() {
    let (meta, url, _) = subscribed().await;
    let client = Client::of(&meta, &meta.system_token(APP, WHATSAPP_SCOPES, 0));
    let path = format!("/v26.0/{WABA}/subscribed_apps");
    let with = |token: &str| json!({"override_callback_uri": url, "verify_token": token});
    assert_eq!(client.refusal(&path, with("wrong")).await, (400, 2_200, 0));
    assert_eq!(client.post(&path, with("vt")).await.0, 200);
    assert_eq!(meta.override_url(APP, WABA), Some(url.clone()));
    let app = Client::of(&meta, &format!("{APP}|appsecret"));
    let subscription = json!({"object": "page", "callback_url": url, "verify_token": "vt", "fields": "messages"});
    assert_eq!(app.post(&format!("/v26.0/{APP}/subscriptions"), subscription).await.0, 200);
    assert_eq!(client.delete(&path).await.0, 200);
    assert_eq!(client.get(&path).await.1, json!({"data": []}));
}

#[tokio::test]
async fn an_override_takes_the_place_of_the_apps_callback() {
    let (meta, _, app_hook) = subscribed().await;
    let (own_url, own_hook) = hook().await;
    let client = Client::of(&meta, &meta.system_token(APP, WHATSAPP_SCOPES, 0));
    client.post(&format!("/v26.0/{WABA}/subscribed_apps"), json!({})).await;
    let webhook = json!({"webhook_configuration": {"override_callback_uri": own_url, "verify_token": "vt"}});
    assert_eq!(client.post(&format!("/v26.0/{NUMBER}"), webhook).await.0, 200);
    let pushed = meta.deliver("wa-03").await;
    assert_eq!(pushed.deliveries.len(), 2);
    assert_eq!(own_hook.payloads()[0]["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"], NUMBER);
    assert_eq!(app_hook.payloads()[0]["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"], "900000000000002");
}

#[tokio::test]
async fn only_subscribed_fields_come() {
    let (meta, _, hook) = subscribed().await;
    meta.subscribe(APP, PAGE, &["messages"]);
    assert!(meta.deliver("fb-01").await.delivered());
    assert!(!meta.deliver("fb-04").await.delivered());
    assert!(meta.deliver("ig-01").await.delivered(), "through its Page an Instagram account comes");
    assert_eq!(hook.payloads().len(), 2);
    meta.add_instagram(Instagram { message_access: false, ..Instagram::default() });
    assert!(!meta.deliver("ig-01").await.delivered());
}

#[tokio::test]
async fn several_accounts_share_a_post() {
    let (meta, _, hook) = subscribed().await;
    meta.add_page(Page { id: "100000000000002".into(), ..Page::default() });
    for page in [PAGE, "100000000000002"] {
        meta.subscribe(APP, page, &["messages"]);
    }
    let payloads = [meta.text(PAGE, "200000000000001", "a"), meta.text("100000000000002", "200000000000009", "b")];
    let pushed = meta.push_batch(&payloads).await;
    assert_eq!((pushed.deliveries.len(), pushed.ids.len()), (1, 2));
    assert_eq!(hook.payloads()[0]["entry"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn sends_come_back_as_statuses_and_echoes() {
    let (meta, _, hook) = subscribed().await;
    meta.set(|knobs| {
        knobs.statuses = true;
        knobs.echoes = Echoes::Before;
    });
    meta.subscribe(APP, WABA, &[]);
    meta.subscribe(APP, PAGE, &["messages", "message_echoes"]);
    let number = Client::of(&meta, &meta.system_token(APP, WHATSAPP_SCOPES, 0));
    let hi = json!({"messaging_product": "whatsapp", "to": "15550002222", "type": "text", "text": {"body": "Hi"}, "biz_opaque_callback_data": "ours"});
    number.post(&format!("/v26.0/{NUMBER}/messages"), hi.clone()).await;
    let later = Duration::from_secs(5);
    let until = |count: usize| {
        let hook = Arc::clone(&hook);
        async move {
            tokio::time::timeout(later, async {
                while hook.got.lock().len() < count {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await
            .unwrap();
        }
    };
    until(3).await;
    let status = hook.payloads()[1]["entry"][0]["changes"][0]["value"]["statuses"][0].clone();
    assert_eq!((&status["status"], &status["biz_opaque_callback_data"]), (&json!("delivered"), &json!("ours")));
    let mut failing = hi;
    failing["to"] = "15550001047".into();
    number.post(&format!("/v26.0/{NUMBER}/messages"), failing).await;
    until(4).await;
    assert_eq!(hook.payloads()[3]["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"][0]["code"], 131_047);

    let page = Client::of(&meta, &meta.page_token(APP, PAGE, PAGE_SCOPES));
    let message =
        json!({"recipient": {"id": "200000000000001"}, "messaging_type": "RESPONSE", "message": {"text": "Hi", "metadata": "ours"}});
    let (_, sent) = page.post("/v26.0/me/messages", message).await;
    let echo = hook.payloads()[4]["entry"][0]["messaging"][0]["message"].clone();
    assert_eq!((&echo["mid"], &echo["metadata"], &echo["app_id"]), (&sent["message_id"], &json!("ours"), &json!(300_000_000_000_001_u64)));
}

#[tokio::test]
async fn what_is_not_taken_comes_again() {
    let (meta, _, hook) = subscribed().await;
    meta.subscribe(APP, WABA, &[]);
    hook.answers.lock().extend([500, 503]);
    let pushed = meta.text_from(NUMBER, "15550002222", "Hi").await;
    assert_eq!((pushed.delivered(), pushed.status()), (false, 500));
    tokio::time::timeout(Duration::from_secs(5), async {
        while hook.got.lock().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let bodies: Vec<_> = hook.got.lock().iter().map(|(_, body)| body.clone()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn files_of_people_can_be_fetched() {
    let (meta, _, hook) = subscribed().await;
    meta.set(|knobs| knobs.own_media_urls = true);
    meta.subscribe(APP, WABA, &[]);
    meta.subscribe(APP, PAGE, &["messages"]);
    meta.file_from(NUMBER, "15550002222", "image", "image/png", vec![1, 2, 3], "look").await;
    let image = hook.payloads()[0]["entry"][0]["changes"][0]["value"]["messages"][0]["image"].clone();
    let client = Client::of(&meta, &meta.system_token(APP, WHATSAPP_SCOPES, 0));
    let (_, found) = client.get(&format!("/v26.0/{}", image["id"].as_str().unwrap())).await;
    assert_eq!(found["file_size"], 3);
    meta.file_from(PAGE, "200000000000001", "image", "image/png", vec![1, 2, 3], "").await;
    let url = hook.payloads()[1]["entry"][0]["messaging"][0]["message"]["attachments"][0]["payload"]["url"].as_str().unwrap().to_owned();
    assert_eq!(client.http.get(url).send().await.unwrap().bytes().await.unwrap(), vec![1, 2, 3]);
}

#[tokio::test]
async fn the_other_secret_signs_instagram_where_the_app_says_so() {
    let (meta, url, hook) = subscribed().await;
    meta.add_app(App { instagram_secret_signs: true, ..App::default() });
    meta.subscribe(APP, INSTAGRAM, &["messages"]);
    meta.deliver("ig-01").await;
    let (headers, body) = hook.got.lock()[0].clone();
    assert_eq!(headers["x-hub-signature-256"].to_str().unwrap(), signature("igappsecret", body.as_bytes()));
    assert_eq!(meta.post_signed_request(&url, "appsecret", "218471").await.unwrap().0, 200);
    assert!(hook.got.lock()[1].1.starts_with("signed_request="));
}

#[tokio::test]
async fn people_with_curl_have_the_same_strings() {
    let (meta, url, hook) = subscribed().await;
    let client = Client::of(&meta, "");
    let strings = async |path: &str, body: Value| -> Value {
        client.http.post(format!("{}/_standin/{path}", meta.url())).json(&body).send().await.unwrap().json().await.unwrap()
    };
    assert!(strings("webhook", json!({"url": url, "verify_token": "wrong"})).await["error"].is_string());
    assert_eq!(strings("webhook", json!({"url": url, "verify_token": "vt"})).await["success"], true);
    strings("subscribe", json!({"account": WABA})).await;
    let said = strings("say", json!({"account": NUMBER, "from": "15550002222", "text": "Hi"})).await;
    assert_eq!(said["deliveries"][0]["status"], 200, "{said}");
    let told = strings("status", json!({"number": NUMBER, "id": "wamid.X", "status": "failed", "code": 131_047})).await;
    assert_eq!(told["deliveries"][0]["delivered"], true);
    assert_eq!(strings("samples/wa-01-text-reply", json!({})).await["ids"], json!(["wamid.FAKEIN01"]));
    assert_eq!(hook.payloads().len(), 3);
    let token = strings("tokens", json!({"kind": "page", "profile": PAGE, "scopes": ["pages_messaging"]})).await;
    let page = Client::of(&meta, token["access_token"].as_str().unwrap());
    assert_eq!(page.get("/v26.0/me?fields=id").await.1, json!({"id": PAGE}));
    assert_eq!(strings("knobs", json!({"statuses": true})).await["statuses"], true);
    assert_eq!(strings("settings", json!({"advance_s": 60})).await["clock_ahead_ms"], 60_000);
    assert_eq!(strings("consent", json!({"deny": true})).await["deny"], true);
    assert!(strings("signed_request", json!({"user": "218471"})).await["signed_request"].as_str().unwrap().contains('.'));
}

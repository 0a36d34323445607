use super::*;

async fn open(tiktok: &TikTok) -> Client {
    tiktok.say(BUSINESS, PERSON, "Price?").await;
    Client::authorized(tiktok)
}

fn id(data: &Value) -> &str {
    data["message"]["message_id"].as_str().unwrap()
}

#[tokio::test]
async fn every_type_of_message_goes() {
    let tiktok = TikTok::start().await;
    let client = open(&tiktok).await;
    let (code, data) = client.text("Ten").await;
    assert!(code == 0 && id(&data).starts_with("m_out_"));
    let quoted = id(&data).to_owned();

    let part = reqwest::multipart::Part::bytes(crate::telegram::png(4, 4)).file_name("a.png").mime_str("image/png").unwrap();
    let form = reqwest::multipart::Form::new().text("business_id", BUSINESS).text("media_type", "IMAGE").part("file", part);
    let (code, upload) = answer(client.request(Method::POST, "business/message/media/upload/").multipart(form)).await;
    assert_eq!(code, 0);
    let card = json!({"type": "QA_BUTTON_CARD", "title": "Which?", "buttons": [{"type": "REPLY", "title": "Red", "id": "r"}]});
    for (kind, member, value) in [
        ("IMAGE", "image", json!({"media_id": upload["media_id"]})),
        ("SHARE_POST", "share_post", json!({"item_id": "75"})),
        ("TEMPLATE", "template", card),
    ] {
        assert_eq!(client.send(kind, member, value).await.0, 0, "{kind}");
    }
    let (code, data) = client.send("SENDER_ACTION", "sender_action", json!("TYPING")).await;
    assert_eq!((code, id(&data)), (0, ""));
    let mut reply = message(CONVERSATION, "TEXT", "text", &json!({"body": "That"}));
    reply["referenced_message_info"] = json!({"referenced_message_id": quoted});
    assert_eq!(client.post("business/message/send/", reply).await.0, 0);
    let types: Vec<String> = tiktok.sent(BUSINESS).into_iter().map(|sent| sent.message_type).collect();
    assert_eq!(types, ["TEXT", "IMAGE", "SHARE_POST", "TEMPLATE", "SENDER_ACTION", "TEXT"]);
}

#[tokio::test]
async fn the_window_closes_after_ten_messages_and_after_48_hours() {
    let tiktok = TikTok::start().await;
    let client = Client::authorized(&tiktok);
    assert_eq!(client.text("Hello").await.0, 40_007, "nobody has written yet");
    assert_eq!(tiktok.conversation(BUSINESS, PERSON), CONVERSATION);
    assert_eq!(client.text("Hello").await.0, 40_064);
    tiktok.say(BUSINESS, PERSON, "Hi").await;
    for n in 0..10 {
        assert_eq!(client.text("x").await.0, 0, "{n}");
    }
    assert_eq!(client.text("x").await.0, 40_064, "the eleventh");
    tiktok.say(BUSINESS, PERSON, "Hi").await;
    assert_eq!(client.send("SENDER_ACTION", "sender_action", json!("MARK_READ")).await.0, 0);
    tiktok.advance(Duration::from_secs(47 * 3600));
    let client = Client::authorized(&tiktok);
    assert_eq!(client.text("x").await.0, 0);
    tiktok.advance(Duration::from_secs(3601));
    assert_eq!(client.text("x").await.0, 40_064, "48 hours are over");
    tiktok.set(|knobs| knobs.open_windows = true);
    assert_eq!(client.text("x").await.0, 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_refused_by_name() {
    let tiktok = TikTok::start().await;
    let client = open(&tiktok).await;
    let card = |changed: Value| {
        let mut card = json!({"type": "QA_LINK_CARD", "title": "T", "buttons": [{"type": "REPLY", "title": "x".repeat(40), "id": "i"}]});
        card.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        card
    };
    assert_eq!(client.send("TEMPLATE", "template", card(json!({}))).await.0, 0);
    let button = json!({"type": "REPLY", "title": "x", "id": "i"});
    for (kind, member, value) in [
        ("TEXT", "text", json!({"body": ""})),
        ("TEXT", "text", json!({"body": "x".repeat(6001)})),
        ("TEXT", "text", json!({"body": "x", "format": "html"})),
        ("TEXT", "text", json!("x")),
        ("TEXT", "image", json!({"media_id": "x"})),
        ("IMAGE", "image", json!({"media_id": "img_0"})),
        ("VIDEO", "video", json!({"media_id": "x"})),
        ("SENDER_ACTION", "sender_action", json!("DANCE")),
        ("TEMPLATE", "template", card(json!({"type": "CARD"}))),
        ("TEMPLATE", "template", card(json!({"type": "QA_BUTTON_CARD"}))),
        ("TEMPLATE", "template", card(json!({"title": "x".repeat(41)}))),
        ("TEMPLATE", "template", card(json!({"buttons": []}))),
        ("TEMPLATE", "template", card(json!({"buttons": [button, button, button, button]}))),
        ("TEMPLATE", "template", card(json!({"footer": "x"}))),
    ] {
        assert_eq!(client.send(kind, member, value.clone()).await.0, 40_002, "{kind} {value}");
    }
    assert_eq!(client.send("SHARE_POST", "share_post", json!({"item_id": "99"})).await.0, 40_007);
    for (name, value) in
        [("recipient_type", json!("USER")), ("priority", json!(1)), ("recipient", json!("")), ("referenced_message_info", json!({}))]
    {
        let mut body = message(CONVERSATION, "TEXT", "text", &json!({"body": "x"}));
        body[name] = value;
        assert_eq!(client.post("business/message/send/", body).await.0, 40_002, "{name}");
    }
    let mut other = message(CONVERSATION, "TEXT", "text", &json!({"body": "x"}));
    other["business_id"] = "biz_open_id_2".into();
    assert_eq!(client.post("business/message/send/", other).await.0, 40_001);
    assert_eq!(tiktok.sent(BUSINESS).len(), 1);
}

#[tokio::test]
async fn a_token_without_the_scope_or_without_a_header_is_refused() {
    let tiktok = TikTok::start().await;
    open(&tiktok).await;
    let body = || message(CONVERSATION, "TEXT", "text", &json!({"body": "x"}));
    let weak = Client::of(&tiktok, &tiktok.mint(APP, BUSINESS, &["message.list.read"]).access_token);
    assert_eq!(weak.post("business/message/send/", body()).await.0, 40_001);
    let bare = Client::of(&tiktok, "");
    assert_eq!(bare.post("business/message/send/", body()).await.0, 40_105);
    let token = tiktok.mint(APP, BUSINESS, SCOPES).access_token;
    assert_eq!(answer(bare.request(Method::POST, "business/message/send/").bearer_auth(token).json(&body())).await.0, 40_105, "no Bearer");
}

#[tokio::test]
async fn a_path_without_its_slash_is_not_there() {
    let tiktok = TikTok::start().await;
    let client = open(&tiktok).await;
    let response = client.request(Method::POST, "business/message/send").json(&json!({})).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let response = client.request(Method::GET, "business/message/send/").send().await.unwrap();
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn a_comment_is_answered_in_private_where_that_is_allowed() {
    let tiktok = TikTok::start().await;
    let client = Client::authorized(&tiktok);
    let reply = json!({"reply_type": "COMMENT_REPLY", "comment_reply": {"comment_id": "c_1"}});
    let body = json!({"business_id": BUSINESS, "message_type": "TEXT", "text": {"body": "x"}, "direct_reply": reply});
    assert_eq!(client.post("business/message/send/", body.clone()).await.0, 40_001);
    tiktok.set(|knobs| knobs.comment_replies = true);
    assert_eq!(client.post("business/message/send/", body).await.0, 0);
}

#[tokio::test]
async fn conversations_and_people_that_always_fail() {
    let tiktok = TikTok::start().await;
    let client = Client::authorized(&tiktok);
    for code in [40_001, 40_002, 40_007, 40_064, 40_100, 40_105, 40_908, 51_065] {
        let to = format!("fail_{code}");
        assert_eq!(client.post("business/message/send/", message(&to, "TEXT", "text", &json!({"body": "x"}))).await.0, code);
    }
    tiktok.say(BUSINESS, "u_fail_40100", "Hi").await;
    let to = tiktok.conversation(BUSINESS, "u_fail_40100");
    assert_eq!(client.post("business/message/send/", message(&to, "TEXT", "text", &json!({"body": "x"}))).await.0, 40_100);
    let broken = client.request(Method::POST, "business/message/send/").json(&message("fail_503", "TEXT", "text", &json!({"body": "x"})));
    assert_eq!(broken.send().await.unwrap().status(), 503);
    tiktok.fail_next("business/message/send", 40_100, 1);
    tiktok.say(BUSINESS, PERSON, "Hi").await;
    assert_eq!((client.text("x").await.0, client.text("x").await.0), (40_100, 0));
}

#[tokio::test]
async fn uploads_are_pictures_of_three_megabytes() {
    let tiktok = TikTok::start().await;
    let client = open(&tiktok).await;
    let upload = |bytes: Vec<u8>, media_type: &'static str| {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("a").mime_str("image/png").unwrap();
        let form = reqwest::multipart::Form::new().text("business_id", BUSINESS).text("media_type", media_type).part("file", part);
        answer(client.request(Method::POST, "business/message/media/upload/").multipart(form))
    };
    assert_eq!(upload(b"GIF89a".to_vec(), "IMAGE").await.0, 40_908);
    assert_eq!(upload(crate::telegram::png(2, 2), "VIDEO").await.0, 40_002);
    let mut large = vec![0xff, 0xd8, 0xff];
    large.resize(3 * 1024 * 1024 + 1, 0);
    assert_eq!(upload(large.clone(), "IMAGE").await.0, 40_002);
    large.truncate(3 * 1024 * 1024);
    let (code, data) = upload(large, "IMAGE").await;
    assert_eq!(code, 0);
    tiktok.set(|knobs| knobs.image_send = false);
    let image = json!({"media_id": data["media_id"]});
    assert_eq!(client.send("IMAGE", "image", image.clone()).await.0, 40_064);
    tiktok.set(|knobs| knobs.image_send = true);
    tiktok.advance(Duration::from_secs(30 * 86_400 + 1));
    tiktok.say(BUSINESS, PERSON, "Hi").await;
    assert_eq!(Client::authorized(&tiktok).send("IMAGE", "image", image).await.0, 40_002, "30 days");
}

#[tokio::test]
async fn a_download_wants_the_token_in_x_user() {
    let tiktok = TikTok::start().await;
    tiktok.set(|knobs| knobs.own_media_urls = true);
    let client = open(&tiktok).await;
    let sent = tiktok.message(BUSINESS, PERSON, "video", json!({"media_id": "v1"})).await;
    let ask = |media_id: &str, media_type: &str| json!({"business_id": BUSINESS, "conversation_id": CONVERSATION, "message_id": sent.message_id, "media_id": media_id, "media_type": media_type});
    let path = "business/message/media/download/";
    assert_eq!(client.post(path, ask("v2", "VIDEO")).await.0, 40_007);
    assert_eq!(client.post(path, ask("v1", "IMAGE")).await.0, 40_007);
    let (code, data) = client.post(path, ask("v1", "VIDEO")).await;
    assert_eq!(code, 0);
    let url = data["download_url"].as_str().unwrap();
    let fetch = |token: &str| client.http.get(url).header("x-user", token).send();
    assert_eq!(client.http.get(url).send().await.unwrap().status(), 403);
    assert_eq!(fetch("act.other").await.unwrap().status(), 403);
    let other = tiktok.mint(APP, "biz_open_id_2", SCOPES).access_token;
    assert_eq!(fetch(&other).await.unwrap().status(), 403);
    let file = fetch(&client.token).await.unwrap();
    assert_eq!((file.status().as_u16(), file.headers()["content-type"].to_str().unwrap()), (200, "video/mp4"));
    tiktok.advance(Duration::from_secs(86_400));
    assert_eq!(fetch(&tiktok.mint(APP, BUSINESS, SCOPES).access_token).await.unwrap().status(), 404, "a day");
}

#[tokio::test]
async fn a_business_reads_itself_its_posts_and_what_a_conversation_can() {
    let tiktok = TikTok::start().await;
    let client = open(&tiktok).await;
    let (code, data) = client.get("business/get/", &[("business_id", BUSINESS), ("fields", r#"["username","display_name"]"#)]).await;
    assert_eq!((code, data), (0, json!({"username": "acme", "display_name": "Acme"})));
    assert_eq!(client.get("business/get/", &[("business_id", BUSINESS), ("fields", "username")]).await.0, 40_002, "a JSON array");
    let (_, data) = client.get("business/video/list/", &[("business_id", BUSINESS), ("fields", r#"["item_id"]"#)]).await;
    assert_eq!(data["videos"][0]["item_id"], "75");
    let path = "business/message/capabilities/get/";
    let types = ("capability_types", r#"["IMAGE_SEND"]"#);
    let query = [("business_id", BUSINESS), ("conversation_id", CONVERSATION), ("conversation_type", "SINGLE"), types];
    let (code, data) = client.get(path, &query).await;
    assert_eq!((code, &data["capability_infos"][0]), (0, &json!({"capability_type": "IMAGE_SEND", "capability_result": true})));
    let unescaped =
        format!("{path}?business_id={BUSINESS}&conversation_id={CONVERSATION}&conversation_type=SINGLE&capability_types=[\"IMAGE_SEND\"]");
    assert_eq!(answer(client.request(Method::GET, &unescaped)).await.0, 40_002, "a plus sign is a space");
}

#[tokio::test]
async fn lists_tell_conversations_by_pages_and_the_twenty_newest_messages() {
    let tiktok = TikTok::start().await;
    let client = open(&tiktok).await;
    tiktok.say(BUSINESS, "u_78", "Hello").await;
    let path = "business/message/conversation/list/";
    let page = async |cursor: &str| {
        let query = [("business_id", BUSINESS), ("conversation_type", "SINGLE"), ("limit", "1"), ("cursor", cursor)];
        client.get(path, &query).await
    };
    let (code, first) = page("0").await;
    assert_eq!((code, &first["has_more"], &first["cursor"]), (0, &json!(true), &json!(1)));
    assert_eq!(page("1").await.1["has_more"], json!(false));
    tiktok.say(BUSINESS, "stranger_1", "Hello").await;
    let (_, strangers) = client.get(path, &[("business_id", BUSINESS), ("conversation_type", "STRANGER")]).await;
    assert_eq!(strangers["conversations"][0]["conversation_id"], tiktok.conversation(BUSINESS, "stranger_1"));
    for n in 0..20 {
        tiktok.say(BUSINESS, PERSON, &format!("m{n}")).await;
    }
    client.text("Ten").await;
    let (code, data) = client.get("business/message/content/list/", &[("business_id", BUSINESS), ("conversation_id", CONVERSATION)]).await;
    let messages = data["messages"].as_array().unwrap();
    assert_eq!((code, messages.len()), (0, 20));
    assert_eq!(
        (&messages[0]["message_type"], &messages[0]["text"]["body"], &messages[0]["sender"]),
        (&json!("TEXT"), &json!("Ten"), &json!(BUSINESS))
    );
    assert_eq!(data["participants"][0]["display_name"], "Mona");
}

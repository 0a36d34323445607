use super::*;

#[test]
fn the_documents_vectors_come_out() {
    let body = br#"{"type":"ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS","notifications":[]}"#;
    assert_eq!(signature("li_client_secret", body), "cebe977658843320f16219f9a8e87e93ae3c4d6679964e90cf00be88b0348112");
    let response = challenge_response("li_client_secret", "890e4665-4dfe-4ab1-b689-ed553bceeed0");
    assert_eq!(response, "3ceda89cb18cf5471b844e08c4b771bcab6f5bec8ab1b0837ca04ab05c909d8c");
}

#[tokio::test]
async fn a_webhook_is_challenged_and_then_told_signed() {
    let linkedin = LinkedIn::start().await;
    let (url, hook) = hook().await;
    assert!(!linkedin.say(ACME, "urn:li:person:abc", "Hi").await.delivered, "nobody is subscribed");
    *hook.wrong.lock() = true;
    assert!(linkedin.set_webhook(&url).await.unwrap_err().contains("challengeResponse right: false"));
    *hook.wrong.lock() = false;
    linkedin.set_webhook(&url).await.unwrap();
    assert!(linkedin.set_webhook("http://gateway.example/").await.unwrap_err().contains("https"));
    assert!(linkedin.say(ACME, "urn:li:person:abc", "Do you ship?").await.delivered);
    let (headers, body) = hook.got.lock()[0].clone();
    assert_eq!(headers["x-li-signature"], signature("li_client_secret", body.as_bytes()));
    let told: Value = serde_json::from_str(&body).unwrap();
    let notification = &told["notifications"][0];
    assert_eq!((&told["type"], &notification["message"]["fromName"]), (&json!("MESSAGE_CREATED"), &json!("Sara Ali")));
    assert_eq!(notification["thread"], "urn:li:messageThread:2-abc");
    linkedin.set(|knobs| knobs.prefixed_signature = true);
    assert!(linkedin.push(&super::super::control::samples()["like"]).await.delivered);
    assert!(hook.got.lock()[1].0["x-li-signature"].to_str().unwrap().starts_with("hmacsha256="));
}

#[tokio::test]
async fn what_is_not_taken_comes_again_and_batches_have_ten() {
    let options = Options { webhook_gap: Duration::from_millis(20), ..Options::default() };
    let linkedin = LinkedIn::start_with(options).await.unwrap();
    let (url, hook) = hook().await;
    linkedin.set_webhook(&url).await.unwrap();
    hook.answers.lock().extend([503, 500]);
    let first = linkedin.say(ACME, "urn:li:person:abc", "Hi").await;
    assert_eq!((first.delivered, first.status), (false, Some(503)));
    for _ in 0..100 {
        if hook.got.lock().len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let bodies: Vec<String> = hook.got.lock().iter().map(|(_, body)| body.clone()).collect();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]));
    let many: Vec<Value> = (0..23).map(|number| json!({"notificationId": number, "organizationalEntity": ACME})).collect();
    assert_eq!(linkedin.push(&json!({"type": "X", "notifications": many})).await.posts, 3);
}

#[tokio::test]
async fn an_organisations_events_are_subscribed() {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, &linkedin.token(ALL, 60));
    let (url, hook) = hook().await;
    let key = |user: &str, entity: &str| {
        format!(
            "/rest/eventSubscriptions/(developerApplication:urn%3Ali%3AdeveloperApplication%3A9001,user:urn%3Ali%3Aperson%3A{user},entity:urn%3Ali%3Aorganization%3A{entity},eventType:ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS)"
        )
    };
    let put = |path: String, url: &str| answer(client.request(Method::PUT, &path).json(&json!({"webhook": url})));
    assert_eq!(put(key("me", "5590506"), &url).await.0, 204);
    assert_eq!(client.get(&key("me", "5590506")).await.1["webhook"], url.as_str());
    assert!(linkedin.push(&super::super::control::samples()["comment"]).await.delivered);
    assert_eq!(hook.got.lock().len(), 1);
    for (path, status) in [
        (key("abc", "5590506"), 403),
        (key("me", "7"), 403),
        (key("me", "5590506").replace("%3A", ":"), 400),
        (key("me", "5590506").replace("ORGANIZATION_SOCIAL", "OTHER"), 400),
    ] {
        assert_eq!(put(path.clone(), &url).await.0, status, "{path}");
    }
    *hook.wrong.lock() = true;
    assert_eq!(code(&put(key("me", "5590506"), &url).await), (400, "WEBHOOK_VALIDATION_FAILED"));
    for _ in 0..3 {
        assert_eq!(linkedin.validate_webhooks().await, std::slice::from_ref(&url));
    }
    let blocked = linkedin.push(&super::super::control::samples()["like"]).await;
    assert!(!blocked.delivered && blocked.note.unwrap().contains("blocked"));
}

#[tokio::test]
async fn people_with_curl_have_the_same_strings() {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, "");
    let (url, hook) = hook().await;
    assert_eq!(client.post("/_standin/webhook", &json!({"url": url})).await.0, 200);
    let act = json!({"action": "COMMENT", "post": "urn:li:share:71", "text": "Great!"});
    assert_eq!(client.post("/_standin/act", &act).await.1["delivered"], true);
    assert_eq!(client.post("/_standin/samples/message", &json!({})).await.1["delivered"], true);
    assert_eq!(client.post("/_standin/samples/nothing", &json!({})).await.0, 404);
    assert_eq!(client.post("/_standin/say", &json!({"text": "Hi"})).await.1["delivered"], true);
    let told: Vec<Value> = hook.got.lock().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(told[0]["notifications"][0]["decoratedGeneratedActivity"]["comment"]["text"], "Great!");
    let (_, token) = client.post("/_standin/tokens", &json!({"scopes": ["openid"]})).await;
    let member = Client::of(&linkedin, token["access_token"].as_str().unwrap());
    assert_eq!(member.get("/v2/userinfo").await.0, 200);
    assert_eq!(client.post("/_standin/knobs", &json!({"deny": true})).await.1["deny"], true);
    assert_eq!(client.post("/_standin/knobs", &json!({"dny": true})).await.0, 400);
    assert_eq!(client.get("/_standin/requests?call=GET%20userinfo").await.1["requests"][0]["status"], 200);
}

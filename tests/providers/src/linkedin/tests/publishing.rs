use super::*;

fn path(urn: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(urn.as_bytes()).collect();
    format!("/rest/posts/{encoded}")
}

async fn started() -> (LinkedIn, Client) {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, &linkedin.token(ALL, 3600));
    linkedin.set(|knobs| knobs.own_upload_urls = true);
    (linkedin, client)
}

#[tokio::test]
async fn a_post_is_published_read_changed_and_deleted() {
    let (linkedin, client) = started().await;
    let id = client.create("/rest/posts", &post("Hello")).await;
    assert!(id.starts_with("urn:li:share:"));
    assert_eq!(client.get(&path(&id)).await.1["commentary"], "Hello");
    assert_eq!(code(&client.get(&format!("/rest/posts/{id}")).await), (400, "ILLEGAL_ARGUMENT"), "the URN has to be encoded");
    let change = json!({"patch": {"$set": {"commentary": "Hello again"}}});
    let changed = answer(client.request(Method::POST, &path(&id)).header("x-restli-method", "PARTIAL_UPDATE").json(&change)).await;
    assert_eq!((changed.0, linkedin.posts()[0].shown.as_str()), (204, "Hello again"));
    assert_eq!(answer(client.request(Method::DELETE, &path(&id))).await.0, 204);
    assert_eq!((client.get(&path(&id)).await.0, linkedin.posts().len()), (404, 0));
    assert_eq!(linkedin.requests_of("POST posts")[0].text("_version"), "202401");
}

#[tokio::test]
async fn what_is_not_escaped_is_lost_and_nobody_says_so() {
    let (linkedin, client) = started().await;
    let id = client.create("/rest/posts", &post("Sale (today) only")).await;
    assert_eq!(linkedin.posts()[0].shown, "Sale ");
    assert_eq!(client.get(&path(&id)).await.1["commentary"], "Sale ");
    client.create("/rest/posts", &post(r"Sale \(today\) only #news")).await;
    assert_eq!(linkedin.posts()[1].shown, "Sale (today) only #news");
}

#[tokio::test]
async fn the_same_again_is_a_duplicate_that_names_the_first() {
    let (_linkedin, client) = started().await;
    let id = client.create("/rest/posts", &post("Hello")).await;
    let (status, body) = client.post("/rest/posts", &post("Hello")).await;
    assert_eq!((status, body["message"].as_str()), (422, Some(format!("Content is a duplicate of {id}").as_str())));
}

#[tokio::test]
async fn what_a_post_lacks_is_named() {
    let (linkedin, client) = started().await;
    let with = |name: &str, value: Value| {
        let mut body = post("Hello");
        body[name] = value;
        body
    };
    for (body, status, words) in [
        (with("author", Value::Null), 422, "/author"),
        (with("author", json!("acme")), 422, "no author"),
        (with("author", json!("urn:li:organization:7")), 403, "Not enough permissions"),
        (with("author", json!("urn:li:person:abc")), 403, "Not enough permissions"),
        (with("visibility", json!("CONNECTIONS")), 422, "/visibility"),
        (with("distribution", json!({})), 422, "/distribution/feedDistribution"),
        (with("lifecycleState", json!("GONE")), 422, "/lifecycleState"),
        (with("commentary", json!("")), 422, "text or a content"),
        (with("commentary", json!("x".repeat(3001))), 422, "3000"),
        (with("colour", json!("red")), 422, "[/colour]"),
        (with("content", json!({"media": {"id": "urn:li:image:x"}})), 422, "doesn't exist"),
        (with("content", json!({"article": {"source": "https://a.example"}})), 422, "article/title"),
        (with("content", json!({"article": {}, "media": {}})), 422, "one kind"),
        (with("content", json!({"multiImage": {"images": [{"id": "x"}]}})), 422, "2 to 20"),
        (
            with("content", json!({"poll": {"question": "?", "options": [{"text": "a"}], "settings": {"duration": "ONE_DAY"}}})),
            422,
            "2 to 4",
        ),
        (post("standin-error-503"), 503, "Internal"),
        (post("standin-error-429"), 429, "throttle"),
    ] {
        let (told, answer) = client.post("/rest/posts", &body).await;
        assert!(told == status && answer["message"].as_str().unwrap().contains(words), "{words}: {told} {answer}");
    }
    let other = Client::of(&linkedin, &linkedin.token(&["w_member_social"], 60));
    assert_eq!(code(&other.post("/rest/posts", &post("Hello")).await), (403, "ACCESS_DENIED"));
    let mut own = post("Hello");
    own["author"] = json!("urn:li:person:me");
    own["visibility"] = json!("CONNECTIONS");
    assert_eq!(other.post("/rest/posts", &own).await.0, 201);
    assert_eq!(linkedin.posts().len(), 1);
}

async fn upload(client: &Client, kind: &str, bytes: &[u8]) -> String {
    let request = json!({"initializeUploadRequest": {"owner": ACME}});
    let (status, told) = client.post(&format!("/rest/{kind}s?action=initializeUpload"), &request).await;
    assert_eq!(status, 200);
    let put = client.bare(Method::PUT, told["value"]["uploadUrl"].as_str().unwrap()).body(bytes.to_vec());
    assert_eq!(put.send().await.unwrap().status(), 201);
    told["value"][kind].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pictures_and_documents_are_uploaded_first() {
    let (_linkedin, client) = started().await;
    let image = upload(&client, "image", b"\x89PNG\r\n\x1a\nrest").await;
    let document = upload(&client, "document", b"%PDF-1.7").await;
    let broken = upload(&client, "image", b"<html>").await;
    let with = |content: Value| {
        let mut body = post(&content.to_string().replace(['{', '}', '[', ']', '_'], ""));
        body["content"] = content;
        body
    };
    assert!(client.create("/rest/posts", &with(json!({"media": {"id": image, "altText": "A"}}))).await.starts_with("urn:li:share:"));
    let ugc = client.create("/rest/posts", &with(json!({"media": {"id": document, "title": "T"}}))).await;
    assert!(ugc.starts_with("urn:li:ugcPost:"));
    client.create("/rest/posts", &with(json!({"multiImage": {"images": [{"id": image}, {"id": image}]}}))).await;
    client.create("/rest/posts", &with(json!({"article": {"source": "https://a.example", "title": "A", "thumbnail": image}}))).await;
    assert_eq!(client.post("/rest/posts", &with(json!({"media": {"id": broken}}))).await.0, 422);
    let mut other = with(json!({"media": {"id": image}}));
    other["author"] = json!("urn:li:person:me");
    assert_eq!(client.post("/rest/posts", &other).await.0, 403, "it is the organisation's");
}

#[tokio::test]
async fn a_video_is_put_together_of_its_parts() {
    let (linkedin, client) = started().await;
    linkedin.set(|knobs| knobs.part_bytes = 4);
    let request =
        json!({"initializeUploadRequest": {"owner": ACME, "fileSizeBytes": 10, "uploadCaptions": false, "uploadThumbnail": false}});
    let (_, told) = client.post("/rest/videos?action=initializeUpload", &request).await;
    let (video, parts) = (told["value"]["video"].clone(), told["value"]["uploadInstructions"].as_array().unwrap().clone());
    assert_eq!((parts.len(), &parts[2]["firstByte"], &parts[2]["lastByte"]), (3, &json!(8), &json!(9)));
    let mut tags = Vec::new();
    for (part, bytes) in parts.iter().zip(["abcd", "efgh", "ij"]) {
        let url = part["uploadUrl"].as_str().unwrap();
        assert_eq!(client.bare(Method::PUT, url).body("x").send().await.unwrap().status(), 400, "not the bytes of the instruction");
        let response = client.bare(Method::PUT, url).body(bytes).send().await.unwrap();
        tags.push(response.headers()["etag"].to_str().unwrap().to_owned());
    }
    let finish = |tags: &[String]| json!({"finalizeUploadRequest": {"video": video, "uploadToken": told["value"]["uploadToken"], "uploadedPartIds": tags}});
    assert_eq!(client.post("/rest/videos?action=finalizeUpload", &finish(&tags[1..])).await.0, 400);
    assert_eq!(client.post("/rest/videos?action=finalizeUpload", &finish(&tags)).await.0, 200);
    let mut body = post("A film");
    body["content"] = json!({"media": {"id": video, "title": "Film"}});
    assert_eq!(client.post("/rest/posts", &body).await.0, 422, "it is being processed");
    let look = path(video.as_str().unwrap()).replace("/rest/posts/", "/rest/videos/");
    assert_eq!(client.get(&look).await.1["status"], "AVAILABLE");
    assert!(client.create("/rest/posts", &body).await.starts_with("urn:li:ugcPost:"));
}

#[tokio::test]
async fn comments_are_written_below_posts_that_are_there() {
    let (linkedin, client) = started().await;
    let body = json!({"actor": ACME, "object": "urn:li:activity:71", "message": {"text": "Thanks"}});
    let (status, told) = client.post("/rest/socialActions/urn%3Ali%3Ashare%3A71/comments", &body).await;
    assert_eq!((status, &told["message"]["text"]), (201, &json!("Thanks")));
    assert_eq!(linkedin.comments()[0].target, "urn:li:share:71");
    assert_eq!(client.post("/rest/socialActions/urn%3Ali%3Ashare%3A72/comments", &body).await.0, 404);
    assert_eq!(client.post("/rest/socialActions/urn%3Ali%3Ashare%3A71/comments", &json!({"actor": ACME})).await.0, 422);
}

#[tokio::test]
async fn messages_go_to_connections_and_threads() {
    let (linkedin, client) = started().await;
    let message = |name: &str, value: Value| {
        let mut body = json!({"body": "Yes, we do", "messageType": "MEMBER_TO_MEMBER"});
        body[name] = value;
        body
    };
    assert!(client.create("/v2/messages", &message("recipients", json!(["urn:li:person:abc"]))).await.starts_with("urn:li:message:"));
    client.create("/v2/messages", &message("thread", json!("urn:li:messageThread:2-abc"))).await;
    assert_eq!(linkedin.messages()[1].thread, "urn:li:messageThread:2-abc");
    for (body, status) in [
        (message("recipients", json!(["urn:li:person:stranger"])), 422),
        (message("recipients", json!(["urn:li:person:nobody"])), 404),
        (message("recipients", json!([ACME])), 400),
        (message("thread", json!("urn:li:messageThread:2-x")), 404),
        (message("subject", json!("S")), 400),
        (
            json!({"recipients": ["urn:li:person:abc"], "thread": "urn:li:messageThread:2-abc", "body": "x", "messageType": "MEMBER_TO_MEMBER"}),
            400,
        ),
        (json!({"recipients": ["urn:li:person:abc"], "body": "<b>x</b>", "messageType": "MEMBER_TO_MEMBER"}), 400),
        (json!({"recipients": ["urn:li:person:abc"], "body": "1 < 2 > 1"}), 400),
        (message("recipients", json!(["urn:li:person:error-429"])), 429),
        (message("thread", json!("urn:li:messageThread:error-503")), 503),
    ] {
        assert_eq!(client.post("/v2/messages", &body).await.0, status, "{body}");
    }
    linkedin.set(|knobs| knobs.messaging = false);
    assert_eq!(code(&client.post("/v2/messages", &message("recipients", json!(["urn:li:person:abc"]))).await), (403, "ACCESS_DENIED"));
}

#[tokio::test]
async fn failures_come_as_planned_and_limits_as_set() {
    let (linkedin, client) = started().await;
    linkedin.fail_next("POST posts", &Refusal { retry_after_s: Some(7), ..Refusal::of(429) }, 1);
    let response = client.request(Method::POST, "/rest/posts").json(&post("Hello")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    linkedin.fail(Failure::status("POST posts", 502));
    assert_eq!(client.post("/rest/posts", &post("Hello")).await.0, 502);
    linkedin.fail(Failure::cut("POST posts", crate::failures::Moment::After));
    assert!(client.request(Method::POST, "/rest/posts").json(&post("Hello")).send().await.is_err());
    assert_eq!(linkedin.posts().len(), 1, "it was done");
    linkedin.set(|knobs| knobs.daily_limit = Some(2));
    let statuses = [client.get("/v2/userinfo").await.0, client.get("/v2/userinfo").await.0];
    let limited = client.get("/v2/userinfo").await;
    assert_eq!((statuses, limited.0, &limited.1["serviceErrorCode"]), ([200, 200], 429, &json!(101)));
    linkedin.advance(Duration::from_secs(86_400));
    let client = Client::of(&linkedin, &linkedin.token(ALL, 60));
    assert_eq!(client.get("/v2/userinfo").await.0, 200);
}

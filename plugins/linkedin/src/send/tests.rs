//! Every outbound feature with its exact request.

use patchbay_plugin::messages::*;
use patchbay_plugin::testing::{self, Provider, Recorded, RecordedBody};
use patchbay_plugin::{Channel as _, Failure, Field, Fields as _, http::Piece, kv};
use serde_json::{Value, json};

use super::post::TEXT_MAX;
use crate::LinkedIn;

const ORGANIZATION: &str = "urn:li:organization:5590506";
const POSTS: &str = "POST api /rest/posts";
const READ: &str = "GET api /rest/posts/urn%3Ali%3Ashare%3A71";

fn call(author: &str) -> patchbay_plugin::Call {
    let mut call = testing::call(Some(author), &json!({}));
    call.extras = vec![Field::new("now_ms", "1764000000000")];
    call
}

fn sent_as(author: &str, message: Outbound) -> Sent {
    LinkedIn::send(&call(author), message)
}

fn sent(message: Outbound) -> Sent {
    sent_as(ORGANIZATION, message)
}

fn message(to: &str, contents: Vec<Content>) -> Outbound {
    testing::outbound(to, Command::Message(contents))
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn post(text: &str, media: Vec<Media>) -> Post {
    Post { text: text.into(), media, link: None, visibility: String::new() }
}

fn media(kind: MediaKind, reference: &str, mime_type: &str) -> Media {
    Media {
        kind,
        source: Source::BlobRef(reference.into()),
        mime_type: Some(mime_type.into()),
        file_name: None,
        size: Some(9_000_000),
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

fn image(reference: &str) -> Media {
    media(MediaKind::Image, reference, "image/png")
}

/// LinkedIn takes the post, and keeps all of it.
fn takes(provider: &Provider) {
    provider.on(POSTS).answer_with(201, &[("x-restli-id", "urn:li:share:71")], "");
    provider.on(READ).answer(403, &json!({"status": 403, "code": "ACCESS_DENIED"}));
}

/// The body of the post that a message makes.
fn posted(author: &str, message: Outbound) -> Value {
    let provider = Provider::new();
    takes(&provider);
    let sent = sent_as(author, message);
    assert_eq!((sent.failed, sent.accepted[0].external_id.as_deref()), (None, Some("urn:li:share:71")));
    provider.requests()[0].json()
}

fn refused(author: &str, message: Outbound) -> String {
    let _nobody_is_asked = Provider::new();
    match sent_as(author, message).failed.unwrap() {
        Failure::Invalid(problems) => problems[0].pointer.clone(),
        other => other.detail().unwrap().code.clone(),
    }
}

fn begins(provider: &Provider, collection: &str, value: &Value) {
    provider.on(&format!("POST api /rest/{collection}")).answer(200, &json!({"value": value}));
}

#[test]
fn a_post_is_what_linkedin_documents() {
    let provider = Provider::new();
    provider.on(POSTS).answer_with(201, &[("X-RestLi-Id", "urn:li:share:71")], "");
    provider.on(READ).answer(200, &json!({"commentary": "Hello"}));
    let sent = sent(message("feed", vec![Content::Post(post("Hello", Vec::new()))]));
    assert_eq!((sent.failed, sent.accepted[0].external_id.as_deref()), (None, Some("urn:li:share:71")));
    let facts = &sent.accepted[0].extras;
    assert_eq!((facts.value("conversation"), facts.value("conversation_kind")), (Some("urn:li:share:71"), Some("group")));
    assert_eq!(facts.value("truncated"), None);
    let request = &provider.requests()[0];
    assert_eq!(
        request.json(),
        json!({"author": ORGANIZATION, "commentary": "Hello", "visibility": "PUBLIC",
            "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
            "lifecycleState": "PUBLISHED", "isReshareDisabledByAuthor": false})
    );
    let header = |name: &str| request.headers.header(name).map(str::to_owned);
    assert_eq!((header("linkedin-version").as_deref(), header("x-restli-protocol-version").as_deref()), (Some("202401"), Some("2.0.0")));
}

#[test]
fn text_is_escaped_and_what_linkedin_cut_off_is_told() {
    let provider = Provider::new();
    provider.on(POSTS).answer_with(201, &[("x-restli-id", "urn:li:share:71")], "");
    provider.on(READ).answer(200, &json!({"commentary": "50% off"}));
    let sent = sent(message(ORGANIZATION, vec![text("50% off (today) #sale @[A](urn:li:organization:1)")]));
    assert_eq!(provider.requests()[0].json()["commentary"], r"50% off \(today\) {hashtag|\#|sale} @[A](urn:li:organization:1)");
    assert!(sent.accepted[0].extras.value("truncated").unwrap().contains("kept 7 of 49 characters"), "{:?}", sent.accepted);
}

#[test]
fn a_post_is_known_by_either_header_and_read_back_with_or_without_escapes() {
    let provider = Provider::new();
    let words = r"a } b \ c {d}";
    provider.on(POSTS).answer_with(201, &[("x-restli-id", ""), ("x-linkedin-id", "urn:li:share:71")], "");
    provider.on(READ).answer(200, &json!({"commentary": words}));
    let sent = sent(message("feed", vec![text(words)]));
    assert_eq!((sent.failed, sent.accepted[0].external_id.as_deref()), (None, Some("urn:li:share:71")));
    assert_eq!(sent.accepted[0].extras.value("truncated"), None);
}

#[test]
fn three_thousand_characters_are_counted_before_escaping() {
    assert_eq!(
        posted(ORGANIZATION, message("feed", vec![text(&"_".repeat(TEXT_MAX))]))["commentary"].as_str().unwrap().len(),
        2 * TEXT_MAX
    );
    assert_eq!(refused(ORGANIZATION, message("feed", vec![text(&"é".repeat(TEXT_MAX + 1))])), "/content/0/text");
    assert_eq!(refused(ORGANIZATION, message("feed", vec![Content::Post(post(" ", Vec::new()))])), "/content/0/text");
}

#[test]
fn links_polls_and_reshares() {
    let mut link = message("feed", vec![Content::Post(Post { link: Some("https://example.com/a?b".into()), ..post("Read", Vec::new()) })]);
    assert_eq!(
        posted(ORGANIZATION, link.clone())["content"],
        json!({"article": {"source": "https://example.com/a?b", "title": "example.com"}})
    );
    link.extras = vec![Field::new("title", "T"), Field::new("description", "D"), Field::new("thumbnail", "urn:li:image:C4")];
    assert_eq!(
        posted(ORGANIZATION, link.clone())["content"]["article"],
        json!({"source": "https://example.com/a?b", "title": "T", "description": "D", "thumbnail": "urn:li:image:C4"})
    );
    link.extras = vec![Field::new("thumbnail", "C4")];
    assert_eq!(refused(ORGANIZATION, link), "/extras/thumbnail");

    let poll = |options: &[&str]| {
        Content::Poll(Poll {
            question: "Which?".into(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            multiple: false,
            anonymous: false,
            extras: vec![Field::new("duration", "seven_days")],
        })
    };
    let body = posted(ORGANIZATION, message("feed", vec![text("Vote"), poll(&["a", "b"])]));
    assert_eq!(
        (&body["commentary"], &body["content"]),
        (
            &json!("Vote"),
            &json!({"poll": {"question": "Which?", "options": [{"text": "a"}, {"text": "b"}], "settings": {"duration": "SEVEN_DAYS"}}})
        )
    );
    assert_eq!(refused(ORGANIZATION, message("feed", vec![poll(&["a"])])), "/content/0/options");
    assert_eq!(refused(ORGANIZATION, message("feed", vec![poll(&["a", &"b".repeat(31)])])), "/content/0/options/1");

    let mut reshare = message("feed", vec![text("Look")]);
    reshare.extras = vec![Field::new("reshare", "urn:li:share:5"), Field::new("no_reshare", "true")];
    let body = posted(ORGANIZATION, reshare);
    assert_eq!((&body["reshareContext"], &body["isReshareDisabledByAuthor"]), (&json!({"parent": "urn:li:share:5"}), &json!(true)));
}

#[test]
fn visibility_is_the_posts_the_settings_or_public() {
    let visible =
        |author: &str, word: &str| message(author, vec![Content::Post(Post { visibility: word.into(), ..post("x", Vec::new()) })]);
    assert_eq!(posted("urn:li:person:me", visible("feed", "connections"))["visibility"], "CONNECTIONS");
    assert_eq!(posted(ORGANIZATION, visible("feed", "LOGGED_IN"))["visibility"], "LOGGED_IN");
    assert_eq!(refused(ORGANIZATION, visible("feed", "CONNECTIONS")), "/content/0/visibility");
    assert_eq!(refused(ORGANIZATION, visible("feed", "friends")), "/content/0/visibility");
    let provider = Provider::new();
    takes(&provider);
    let settings = json!({"visibility": "CONNECTIONS"});
    LinkedIn::send(&testing::call(Some("urn:li:person:me"), &settings), message("feed", vec![text("x")]));
    assert_eq!(provider.requests()[0].json()["visibility"], "CONNECTIONS");
}

#[test]
fn images_are_uploaded_and_then_named() {
    let provider = Provider::new();
    for n in 1..=2 {
        begins(
            &provider,
            "images",
            &json!({"uploadUrl": format!("https://www.linkedin.com/dms-uploads/{n}?ca=a%2Fb&m=AQ"), "image": format!("urn:li:image:C{n}")}),
        );
        provider.on(&format!("PUT upload /dms-uploads/{n}")).answer(201, &json!({}));
    }
    takes(&provider);
    let first = Media { extras: vec![Field::new("alt_text", "A cat")], ..image("b1") };
    assert_eq!(sent(message("feed", vec![Content::Post(post("Cats", vec![first, image("b2")]))])).failed, None);
    let requests = provider.requests();
    assert_eq!(requests[0].json(), json!({"initializeUploadRequest": {"owner": ORGANIZATION}}));
    assert_eq!(requests[0].query, [Field::new("action", "initializeUpload")]);
    assert_eq!(
        (&requests[1].body, requests[1].headers.header("content-type")),
        (&RecordedBody::Piece(Piece::whole("b1")), Some("image/png"))
    );
    assert_eq!(requests[1].query, [Field::new("ca", "a/b"), Field::new("m", "AQ")]);
    assert_eq!(
        requests[4].json()["content"],
        json!({"multiImage": {"images": [{"id": "urn:li:image:C1", "altText": "A cat"}, {"id": "urn:li:image:C2"}]}})
    );
}

#[test]
fn an_uploaded_file_is_used_again_and_one_of_linkedins_isnt_uploaded() {
    let provider = Provider::new();
    begins(&provider, "documents", &json!({"uploadUrl": "https://api.linkedin.com/up/1", "document": "urn:li:document:D1"}));
    provider.on("PUT api /up/1").answer(201, &json!({}));
    for _ in 0..2 {
        provider.on(POSTS).answer(503, &json!({}));
    }
    let document = Media { file_name: Some("plan.pdf".into()), ..media(MediaKind::Document, "b1", "application/pdf") };
    for _ in 0..2 {
        assert!(matches!(
            sent(message("feed", vec![Content::Post(post("Plan", vec![document.clone()]))])).failed,
            Some(Failure::Unavailable(_))
        ));
    }
    assert_eq!(provider.requests()[2].json()["content"], json!({"media": {"id": "urn:li:document:D1", "title": "plan.pdf"}}));
    let known = Media { source: Source::ProviderRef("urn:li:image:C9".into()), ..image("") };
    assert_eq!(posted(ORGANIZATION, message("feed", vec![Content::Media(known)]))["content"], json!({"media": {"id": "urn:li:image:C9"}}));
}

#[test]
fn a_video_goes_in_parts_and_is_waited_for() {
    let provider = Provider::new();
    let part = |n: u32, first: u32, last: u32| json!({"uploadUrl": format!("http://127.0.0.1:9105/parts/{n}"), "firstByte": first, "lastByte": last});
    let value = json!({"video": "urn:li:video:V1", "uploadToken": "tok", "uploadInstructions": [part(1, 0, 4_194_303), part(2, 4_194_304, 8_999_999)]});
    begins(&provider, "videos", &value);
    provider.on("PUT api /parts/1").answer_with(200, &[("etag", "\"e1\"")], "");
    provider.on("PUT api /parts/2").answer(503, &json!({}));
    let film = || message("feed", vec![Content::Post(post("Film", vec![media(MediaKind::Video, "v1", "video/mp4")]))]);
    assert!(matches!(sent(film()).failed, Some(Failure::Unavailable(_))));

    // The second attempt goes on with the second part.
    provider.on("PUT api /parts/2").answer_with(200, &[("ETag", "e2")], "");
    provider.on("POST api /rest/videos").answer(200, &json!({}));
    for _ in 0..4 {
        provider.on("GET api /rest/videos/urn%3Ali%3Avideo%3AV1").answer(200, &json!({"status": "PROCESSING"}));
    }
    let Some(Failure::Limited(retry)) = sent(film()).failed else { panic!() };
    assert_eq!((retry.detail.code.as_str(), retry.after_ms), ("conversation_limited", Some(10_000.0)));

    provider.on("GET api /rest/videos/urn%3Ali%3Avideo%3AV1").answer(200, &json!({"status": "AVAILABLE"}));
    takes(&provider);
    assert_eq!(sent(film()).failed, None);
    let of = |route: &str| {
        provider.requests().into_iter().filter(|request| format!("{} {}", request.method, request.path) == route).collect::<Vec<Recorded>>()
    };
    let videos = of("POST /rest/videos");
    assert_eq!(
        videos[0].json(),
        json!({"initializeUploadRequest": {"owner": ORGANIZATION, "fileSizeBytes": 9_000_000, "uploadCaptions": false, "uploadThumbnail": false}})
    );
    assert_eq!(
        videos[1].json(),
        json!({"finalizeUploadRequest": {"video": "urn:li:video:V1", "uploadToken": "tok", "uploadedPartIds": ["e1", "e2"]}})
    );
    assert_eq!(videos.len(), 2);
    assert_eq!(of("PUT /parts/2")[1].body, RecordedBody::Piece(Piece::range("v1", 4_194_304, 4_805_696)));
    assert_eq!(of("POST /rest/posts")[0].json()["content"], json!({"media": {"id": "urn:li:video:V1"}}));
}

#[test]
fn a_video_that_linkedin_cant_use_is_forgotten() {
    let provider = Provider::new();
    begins(&provider, "videos", &json!({"video": "urn:li:video:V1", "uploadToken": "", "uploadUrl": "https://www.linkedin.com/v"}));
    provider.on("PUT upload /v").answer(200, &json!({}));
    provider.on("POST api /rest/videos").answer(200, &json!({}));
    provider
        .on("GET api /rest/videos/urn%3Ali%3Avideo%3AV1")
        .answer(200, &json!({"status": "PROCESSING_FAILED", "processingFailureReason": "codec"}));
    let film = message("feed", vec![Content::Post(post("Film", vec![media(MediaKind::Video, "v1", "video/mp4")]))]);
    let Some(Failure::Rejected(detail)) = sent(film).failed else { panic!() };
    assert!(detail.message.contains("codec"));
    assert_eq!(kv::get(&format!("upload:{ORGANIZATION}:v1")), None);
}

#[test]
fn a_video_of_one_part_needs_no_range() {
    for part in [
        json!({"uploadUrl": "https://www.linkedin.com/v"}),
        json!({"uploadUrl": "https://www.linkedin.com/v", "firstByte": "0", "lastByte": "8999999"}),
    ] {
        let provider = Provider::new();
        begins(&provider, "videos", &json!({"video": "urn:li:video:V1", "uploadToken": "", "uploadInstructions": [part]}));
        provider.on("PUT upload /v").answer_with(200, &[("etag", "e1")], "");
        provider.on("POST api /rest/videos").answer(200, &json!({}));
        provider.on("GET api /rest/videos/urn%3Ali%3Avideo%3AV1").answer(200, &json!({"status": "AVAILABLE"}));
        takes(&provider);
        let film = media(MediaKind::Video, "v1", "video/mp4");
        assert_eq!(sent(message("feed", vec![Content::Post(post("See", vec![film]))])).failed, None);
        assert_eq!(provider.requests()[2].json()["finalizeUploadRequest"]["uploadedPartIds"], json!(["e1"]));
    }
}

#[test]
fn many_images_take_several_calls_that_are_no_attempts() {
    let provider = Provider::new();
    let images: Vec<Media> = (0..20).map(|n| image(&format!("b{n}"))).collect();
    for n in 0..20 {
        begins(
            &provider,
            "images",
            &json!({"uploadUrl": format!("https://www.linkedin.com/u/{n}"), "image": format!("urn:li:image:C{n}")}),
        );
        provider.on(&format!("PUT upload /u/{n}")).answer(201, &json!({}));
    }
    let gallery = || message("feed", vec![Content::Post(post("Gallery", images.clone()))]);
    let mut before = 0;
    for _ in 0..2 {
        assert!(matches!(sent(gallery()).failed, Some(Failure::Limited(retry)) if retry.detail.code == "conversation_limited"));
        let now = provider.requests().len();
        assert!(now - before <= 14, "{}", now - before);
        before = now;
    }
    takes(&provider);
    assert_eq!(sent(gallery()).failed, None);
    let post = provider.requests().into_iter().find(|request| request.path == "/rest/posts").unwrap();
    let ids: Vec<String> =
        post.json()["content"]["multiImage"]["images"].as_array().unwrap().iter().map(|image| image["id"].to_string()).collect();
    assert_eq!(ids, (0..20).map(|n| format!("\"urn:li:image:C{n}\"")).collect::<Vec<_>>());
}

#[test]
fn files_that_dont_go_together_are_named() {
    let refused = |media: Vec<Media>| refused(ORGANIZATION, message("feed", vec![Content::Post(post("x", media))]));
    let video = || media(MediaKind::Video, "v", "video/mp4");
    assert_eq!(refused(vec![image("a"), video()]), "/content/0/media/1");
    assert_eq!(refused(vec![video(), video()]), "/content/0/media/1");
    assert_eq!(refused((0..21).map(|_| image("a")).collect()), "/content/0/media/20");
    assert_eq!(refused(vec![media(MediaKind::Audio, "a", "audio/mpeg")]), "/content/0/media/0/kind");
    assert_eq!(refused(vec![media(MediaKind::Document, "a", "text/plain")]), "/content/0/media/0/mime_type");
    assert_eq!(refused(vec![Media { size: Some(21 << 20), ..image("a") }]), "/content/0/media/0/media_id");
    assert_eq!(refused(vec![Media { source: Source::Url("https://x".into()), ..image("a") }]), "/content/0/media/0/url");
    assert_eq!(
        refused(vec![Media { source: Source::ProviderRef("urn:li:video:1".into()), ..image("a") }]),
        "/content/0/media/0/provider_ref"
    );
    let linked = Post { link: Some("https://e.com".into()), ..post("x", vec![image("a")]) };
    assert_eq!(self::refused(ORGANIZATION, message("feed", vec![Content::Post(linked)])), "/content/0/link");
}

#[test]
fn an_upload_address_that_has_ended_is_asked_for_anew() {
    let provider = Provider::new();
    begins(&provider, "images", &json!({"uploadUrl": "https://www.linkedin.com/u/1", "image": "urn:li:image:C1"}));
    provider.on("PUT upload /u/1").answer(410, &json!({}));
    let picture = || message("feed", vec![Content::Media(image("b1"))]);
    assert!(matches!(sent(picture()).failed, Some(Failure::Unavailable(_))));
    assert_eq!(kv::get(&format!("upload:{ORGANIZATION}:b1")), None);
    begins(&provider, "images", &json!({"uploadUrl": "https://www.linkedin.com/u/2", "image": "urn:li:image:C2"}));
    provider.on("PUT upload /u/2").answer(410, &json!({}));
    let mut again = call(ORGANIZATION);
    again.attempt = 2;
    assert!(matches!(LinkedIn::send(&again, picture()).failed, Some(Failure::Rejected(_))));
}

#[test]
fn a_duplicate_was_published_already() {
    let provider = Provider::new();
    provider.on(POSTS).answer(422, &json!({"status": 422, "message": "Content is a duplicate of urn:li:share:71"}));
    let sent = sent(message("feed", vec![text("Hello")]));
    assert_eq!((sent.failed, sent.accepted[0].external_id.as_deref()), (None, Some("urn:li:share:71")));
    assert!(sent.accepted[0].extras.value("note").unwrap().contains("urn:li:share:71"));
}

#[test]
fn every_refusal_has_its_class() {
    let failure = |status: u16, headers: &[(&str, &str)], body: Value| {
        let provider = Provider::new();
        provider.on(POSTS).answer_with(status, headers, body.to_string());
        sent(message("feed", vec![text("x")])).failed.unwrap()
    };
    let told = |status: u16, code: &str, message: &str| json!({"status": status, "code": code, "message": message});
    assert!(matches!(failure(401, &[], told(401, "EXPIRED_ACCESS_TOKEN", "")), Failure::Unauthorized(_)));
    assert!(matches!(failure(403, &[], told(403, "ACCESS_DENIED", "")), Failure::Forbidden(_)));
    assert!(matches!(failure(404, &[], told(404, "NOT_FOUND", "")), Failure::Recipient(_)));
    assert!(matches!(failure(409, &[], json!({})), Failure::Unavailable(_)));
    assert!(matches!(failure(400, &[], told(400, "MISSING_FIELD", "commentary")), Failure::Rejected(_)));
    assert!(matches!(failure(422, &[], told(422, "", "no")), Failure::Rejected(_)));
    let Failure::Forbidden(detail) = failure(426, &[], told(426, "NONEXISTENT_VERSION", "Requested version 20240101 is not active")) else {
        panic!()
    };
    assert!(detail.message.contains("api_version"));
    assert!(matches!(failure(429, &[("retry-after", "7")], json!({})), Failure::Limited(retry) if retry.after_ms == Some(7000.0)));
    let day = told(429, "TOO_MANY_REQUESTS", "Resource level throttle MEMBER DAY limit for calls to this resource is reached.");
    assert!(matches!(failure(429, &[], day), Failure::Limited(retry) if retry.after_ms == Some(28_800_000.0)));
    assert!(matches!(failure(502, &[("content-type", "text/html")], "<html>".into()), Failure::Unavailable(_)));
    assert!(matches!(failure(504, &[], json!({})), Failure::Uncertain(_)));
    let provider = Provider::new();
    provider.on(POSTS).broken("reset");
    assert!(matches!(sent(message("feed", vec![text("x")])).failed, Some(Failure::Uncertain(_))));
    provider.on(POSTS).not_sent("dns");
    assert!(matches!(sent(message("feed", vec![text("x")])).failed, Some(Failure::Unavailable(_))));
    provider.on(POSTS).answer(201, &json!({}));
    assert!(matches!(sent(message("feed", vec![text("x")])).failed, Some(Failure::Uncertain(_))));
}

#[test]
fn a_comment_goes_below_a_post_or_another_comment() {
    let provider = Provider::new();
    provider.on("POST api /rest/socialActions/urn%3Ali%3Ashare%3A71/comments").answer_with(
        201,
        &[("x-restli-id", "9")],
        json!({"commentUrn": "urn:li:comment:(urn:li:activity:71,9)"}).to_string(),
    );
    let sent = sent(message("urn:li:share:71", vec![text("Thanks (all)")]));
    assert_eq!(sent.accepted[0].external_id.as_deref(), Some("urn:li:comment:(urn:li:activity:71,9)"));
    assert_eq!(
        provider.requests()[0].json(),
        json!({"actor": ORGANIZATION, "object": "urn:li:share:71", "message": {"text": "Thanks (all)"}})
    );

    let below = "urn:li:comment:(urn:li:activity:71,9)";
    provider.on("POST api /rest/socialActions/urn%3Ali%3Acomment%3A%28urn%3Ali%3Aactivity%3A71%2C9%29/comments").answer_with(
        201,
        &[("x-restli-id", "10")],
        "",
    );
    let answer = self::sent(message(below, vec![text("Because")]));
    assert_eq!(answer.accepted[0].external_id.as_deref(), Some("urn:li:comment:(urn:li:activity:71,10)"));
    assert_eq!(answer.accepted[0].extras.value("conversation"), Some("urn:li:activity:71"));
    assert_eq!(
        provider.requests()[1].json(),
        json!({"actor": ORGANIZATION, "object": "urn:li:activity:71", "message": {"text": "Because"}, "parentComment": below})
    );
    assert_eq!(refused(ORGANIZATION, message("urn:li:share:71", vec![text(&"x".repeat(1251))])), "/content/0/text");
    assert_eq!(refused(ORGANIZATION, message("urn:li:share:71", vec![Content::Media(image("a"))])), "content");
}

#[test]
fn a_message_goes_to_people_or_to_a_thread() {
    let provider = Provider::new();
    let route = "POST api /v2/messages";
    provider.on(route).answer_with(201, &[("x-restli-id", "urn:li:message:7")], "");
    let mut opening = message("urn:li:person:abc", vec![text("Hi")]);
    opening.extras = vec![Field::new("subject", "S")];
    let sent = sent_as("urn:li:person:me", opening);
    assert_eq!((sent.failed, sent.accepted[0].external_id.as_deref()), (None, Some("urn:li:message:7")));
    assert_eq!(
        provider.requests()[0].json(),
        json!({"recipients": ["urn:li:person:abc"], "body": "Hi", "messageType": "MEMBER_TO_MEMBER", "subject": "S"})
    );
    provider.on(route).answer_with(201, &[("x-linkedin-id", "m")], "");
    let file = Media { source: Source::ProviderRef("urn:li:digitalmediaAsset:D".into()), ..image("") };
    sent_as("urn:li:person:me", message("urn:li:messageThread:2-abc", vec![text("Yes"), Content::Media(file)]));
    assert_eq!(
        provider.requests()[1].json(),
        json!({"thread": "urn:li:messageThread:2-abc", "body": "Yes", "messageType": "MEMBER_TO_MEMBER", "attachments": ["urn:li:digitalmediaAsset:D"]})
    );
    provider
        .on(route)
        .answer(403, &json!({"status": 403, "code": "ACCESS_DENIED", "message": "Not enough permissions to access: messages"}));
    let Some(Failure::Rejected(detail)) = sent_as("urn:li:person:me", message("urn:li:person:abc", vec![text("Hi")])).failed else {
        panic!()
    };
    assert!(detail.code == "messages_not_permitted" && detail.message.contains("partners"), "{detail:?}");
    provider.on("POST messages /v2/messages").answer_with(201, &[("x-restli-id", "m")], "");
    let own = testing::call(Some("urn:li:person:me"), &json!({"messaging_base_url": "https://bridge.example"}));
    assert_eq!(LinkedIn::send(&own, message("urn:li:person:abc", vec![text("Hi")])).failed, None);
    assert_eq!(refused("urn:li:person:me", message("urn:li:person:abc", vec![text("")])), "/content/0/text");
}

#[test]
fn whom_it_goes_to_is_named_where_it_is_wrong() {
    for to in ["", "mona", "urn:li:organization:6", "urn:li:skill:5", "+15550002222"] {
        assert_eq!(refused(ORGANIZATION, message(to, vec![text("x")])), "/to", "{to}");
    }
}

#[test]
fn posts_and_comments_are_edited_and_deleted() {
    let comment = "urn:li:comment:(urn:li:activity:71,9)";
    let comment_path = "/rest/socialActions/urn%3Ali%3Aactivity%3A71/comments/9";
    let provider = Provider::new();
    let edit = |target: &str, content: Content| testing::outbound("feed", Command::Edit(Edit { target: target.into(), content }));
    provider.on("POST api /rest/posts/urn%3Ali%3Ashare%3A71").answer_with(204, &[], "");
    assert_eq!(sent(edit("urn:li:share:71", text("New (words)"))).failed, None);
    let request = provider.requests().pop().unwrap();
    assert_eq!(request.json(), json!({"patch": {"$set": {"commentary": r"New \(words\)"}}}));
    assert_eq!(request.headers.header("x-restli-method"), Some("PARTIAL_UPDATE"));
    provider.on(&format!("POST api {comment_path}")).answer(200, &json!({}));
    assert_eq!(sent(edit(comment, text("New"))).failed, None);
    let request = provider.requests().pop().unwrap();
    assert_eq!(
        (request.json(), request.query.value("actor")),
        (json!({"patch": {"message": {"$set": {"text": "New"}}}}), Some(ORGANIZATION))
    );
    provider.on("POST api /rest/posts/urn%3Ali%3Ashare%3A72").answer(404, &json!({}));
    assert!(matches!(sent(edit("urn:li:share:72", text("x"))).failed, Some(Failure::Rejected(_))));

    let delete = |target: &str| testing::outbound("feed", Command::Delete(target.into()));
    provider.on("DELETE api /rest/posts/urn%3Ali%3Ashare%3A71").answer_with(204, &[], "");
    provider.on("DELETE api /rest/posts/urn%3Ali%3Ashare%3A71").answer(404, &json!({}));
    provider.on("DELETE api /rest/posts/urn%3Ali%3Ashare%3A71").broken("reset");
    for gone in [true, true, false] {
        assert_eq!(sent(delete("urn:li:share:71")).failed.is_none(), gone);
    }
    provider.on(&format!("DELETE api {comment_path}")).answer_with(204, &[], "");
    assert_eq!(sent(delete(comment)).failed, None);
    drop(provider);
    assert_eq!(refused(ORGANIZATION, delete("urn:li:message:1")), "/delete");
    assert_eq!(refused(ORGANIZATION, edit("urn:li:message:1", text("x"))), "/edit/target");
    assert_eq!(refused(ORGANIZATION, edit("urn:li:share:71", Content::Post(post("x", vec![image("a")])))), "/edit/content");
}

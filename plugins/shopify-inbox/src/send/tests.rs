use super::*;
use patchbay_plugin::messages::{Reaction, Text};
use patchbay_plugin::testing::{self, Provider};

const ROUTE: &str = "POST inbox /conversations/conv_9/messages";

fn call(changed: &Value) -> Call {
    let mut settings = json!({"shop_domain": "acme.myshopify.com", "auth_mode": "admin_token", "inbox_base_url": "https://chat.example"});
    settings.as_object_mut().unwrap().extend(changed.as_object().cloned().unwrap_or_default());
    testing::call(Some("acme.myshopify.com"), &settings)
}

fn provider() -> Provider {
    let provider = Provider::new();
    provider.secret("admin_token", "shpat_1");
    provider
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn file(url: &str, caption: Option<&str>) -> Media {
    Media {
        kind: MediaKind::Image,
        source: Source::Url(url.into()),
        mime_type: Some("image/png".into()),
        file_name: Some("a.png".into()),
        size: Some(10),
        caption: caption.map(str::to_owned),
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

fn outbound(contents: Vec<Content>) -> Outbound {
    testing::outbound("conv_9", Command::Message(contents))
}

fn sent(contents: Vec<Content>) -> Result<Sent, Failure> {
    send(&call(&json!({})), &outbound(contents))
}

#[test]
fn several_parts_are_one_message() {
    let provider = provider();
    provider.on(ROUTE).answer(201, &json!({"message": {"id": "msg_1", "created_at": "2026-11-22T06:00:00Z"}}));
    let contents = vec![
        text("Here"),
        Content::Media(file("https://c.example/a.png", Some("Red"))),
        Content::Album(vec![file("https://c.example/b.png", None)]),
    ];
    let accepted = sent(contents).unwrap().accepted;
    assert_eq!((accepted.len(), accepted[0].external_id.as_deref()), (1, Some("msg_1")));
    let request = provider.requests().remove(0);
    let id = outbound(Vec::new()).id;
    assert_eq!(request.headers.header("idempotency-key"), Some(id.as_str()));
    let attachment = |url: &str| json!({"url": url, "content_type": "image/png", "filename": "a.png"});
    let expected = json!({"shop": "acme.myshopify.com", "message": {"id": id, "body": "Here\nRed", "author": {"name": "Agent"},
        "attachments": [attachment("https://c.example/a.png"), attachment("https://c.example/b.png")]}});
    assert_eq!(request.json(), expected);
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is() {
    let _provider = provider();
    let pointer = |result: Result<Sent, Failure>| match result {
        Err(Failure::Invalid(problems)) => problems[0].pointer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(pointer(sent(vec![text(&"ä".repeat(4001))])), "/content");
    assert_eq!(pointer(sent(vec![text(" ")])), "/content");
    let stored = Media { source: Source::BlobRef("b".into()), ..file("", None) };
    assert_eq!(pointer(sent(vec![text("x"), Content::Media(stored)])), "/content/1/url");
    let large = Media { size: Some(FILE_MAX + 1), ..file("https://c.example/a.png", None) };
    assert_eq!(pointer(sent(vec![Content::Album(vec![large])])), "/content/0/items/0");
    assert_eq!(pointer(send(&call(&json!({"inbox_base_url": null})), &outbound(vec![text("x")]))), "/inbox_base_url");
    for to in ["", "..", "a\nb"] {
        assert_eq!(pointer(send(&call(&json!({})), &testing::outbound(to, Command::Message(vec![text("x")])))), "/to", "{to:?}");
    }
    let reaction = Command::React(Reaction { target: "m".into(), emoji: Some("👍".into()), removed: false });
    assert!(matches!(send(&call(&json!({})), &testing::outbound("conv_9", reaction)), Err(Failure::Unsupported(_))));
}

#[test]
fn a_text_of_4000_characters_goes_and_an_id_is_one_segment() {
    let provider = provider();
    provider.on("POST inbox /conversations/a%2F%2B%3F/messages").answer(200, &json!({"message": {"id": 7}}));
    let message = testing::outbound("a/+?", Command::Message(vec![text(&"ä".repeat(4000))]));
    assert_eq!(
        send(&call(&json!({"author_name": "Sam"})), &message).map(|sent| sent.accepted[0].external_id.clone()),
        Ok(Some("7".into()))
    );
    assert_eq!(provider.requests()[0].json()["message"]["author"]["name"], "Sam");
}

#[test]
fn a_broken_connection_is_safe_to_repeat() {
    let provider = provider();
    provider.on(ROUTE).broken("reset");
    assert!(matches!(sent(vec![text("x")]), Err(Failure::Unavailable(_))), "the app knows our id");
    provider.on(ROUTE).not_sent("dns");
    assert!(matches!(sent(vec![text("x")]), Err(Failure::Unavailable(_))));
    provider.on(ROUTE).answer(502, &json!({}));
    assert!(matches!(sent(vec![text("x")]), Err(Failure::Unavailable(_))));
    provider.on(ROUTE).answer_bytes(201, "application/json", "{\"message\":");
    assert!(matches!(sent(vec![text("x")]), Err(Failure::Unavailable(_))));
}

#[test]
fn an_answer_may_lack_its_frame_or_everything() {
    let provider = provider();
    provider.on(ROUTE).answer(201, &json!({"id": "msg_1", "created_at": "2026-11-22T06:00:00Z"}));
    assert_eq!(sent(vec![text("x")]).map(|sent| sent.accepted[0].external_id.clone()), Ok(Some("msg_1".into())));
    provider.on(ROUTE).answer_bytes(201, "text/plain", "");
    assert_eq!(sent(vec![text("x")]).map(|sent| sent.accepted[0].external_id.clone()), Ok(None));
}

#[test]
fn refusals_have_their_classes() {
    let provider = provider();
    let refused = |status: u16, body: Value| {
        provider.on(ROUTE).answer(status, &body);
        sent(vec![text("x")]).unwrap_err()
    };
    assert!(matches!(refused(404, json!({"error": {"code": "conversation_not_found"}})), Failure::Recipient(_)));
    assert!(matches!(refused(409, json!({"error": {"code": "conversation_closed"}})), Failure::WindowClosed(_)));
    assert!(matches!(refused(401, json!({})), Failure::Unauthorized(_)));
    assert!(matches!(refused(402, json!({})), Failure::Forbidden(_)));
    assert!(matches!(refused(423, json!({})), Failure::Forbidden(_)));
    assert!(matches!(refused(422, json!({"error": {"message": "too long"}})), Failure::Rejected(_)));
    assert!(matches!(refused(429, json!({})), Failure::Limited(_)));
}

#[test]
fn a_web_page_in_the_apps_place_is_the_operators_fault_and_not_the_customers() {
    let provider = provider();
    for status in [200, 404] {
        provider.on(ROUTE).answer_bytes(status, "text/html", " <html>hello</html>");
        assert!(matches!(sent(vec![text("x")]), Err(Failure::Rejected(detail)) if detail.code == "inbox_not_found"), "{status}");
    }
}

#[test]
fn a_minted_token_that_is_refused_is_made_anew_and_the_message_goes() {
    let provider = Provider::new();
    provider.secret("client_secret", "s");
    let mints = || {
        provider.on("POST token /admin/oauth/access_token").answer(200, &json!({"access_token": "t", "expires_in": 86399}));
    };
    let mut call = call(&json!({"auth_mode": "client_credentials", "client_id": "c"}));
    call.extras.push(Field::new("now_ms", "1790000000000"));
    mints();
    provider.on(ROUTE).answer(201, &json!({"message": {"id": "1"}}));
    assert!(send(&call, &outbound(vec![text("x")])).is_ok());
    provider.on(ROUTE).answer(401, &json!({}));
    mints();
    provider.on(ROUTE).answer(201, &json!({"message": {"id": "2"}}));
    assert_eq!(send(&call, &outbound(vec![text("y")])).map(|sent| sent.accepted[0].external_id.clone()), Ok(Some("2".into())));
}

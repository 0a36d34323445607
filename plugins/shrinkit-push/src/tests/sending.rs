use patchbay_plugin::messages::{Command, Content, Custom, Media, MediaKind, Notification, Outbound, Poll, Row, Sent, Source, Text};
use patchbay_plugin::{Channel as _, Preview as _};

use super::*;
use crate::ShrinkItPush;

const ROUTE: &str = "POST api /5db9/send";
const ID: &str = "019a0000-0000-7000-8000-0000000000aa";

fn message(content: Content) -> Outbound {
    testing::outbound("P1NX", Command::Message(vec![content]))
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn media(kind: MediaKind, source: Source, caption: &str) -> Content {
    Content::Media(Media {
        kind,
        source,
        mime_type: None,
        file_name: None,
        size: None,
        caption: Some(caption.into()),
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    })
}

fn url(url: &str) -> Source {
    Source::Url(url.into())
}

fn notification() -> Notification {
    Notification {
        title: "Order".into(),
        body: "It is ready".into(),
        icon: None,
        image: None,
        badge: None,
        url: None,
        actions: Vec::new(),
        data: None,
        ttl_s: None,
        urgency: None,
        topic: None,
    }
}

fn action(title: &str) -> Row {
    Row { id: "a".into(), title: title.into(), description: None }
}

fn silent(json: &Value) -> Content {
    Content::Custom(Custom::new("silent", json))
}

fn sent(message: Outbound) -> Sent {
    ShrinkItPush::send(&testing::call(Some("5db9"), &settings()), message)
}

fn preview(message: &Outbound) -> Result<Value, Failure> {
    let facts = ShrinkItPush::preview(&testing::account(Some("5db9"), &settings()), message)?;
    Ok(serde_json::from_str(&facts).unwrap())
}

/// What goes out for it.
fn push(message: Outbound) -> Value {
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &json!({"status": "success", "message": "your request is being processed"}));
    assert_eq!(sent(message).failed, None);
    provider.requests()[0].json()["appPush"].clone()
}

#[test]
fn a_text_goes_to_one_user_and_names_the_message() {
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &json!({"status": "success"}));
    let accepted = sent(message(text("Hello"))).accepted.remove(0);
    assert_eq!((accepted.external_id.as_deref(), accepted.extras.len()), (Some(ID), 0));
    let wanted = json!({
        "appPush": {"message": "Hello", "sound": "default", "receivers": [{"userID": "P1NX"}], "client_ref": ID, "campaignName": "cg"},
        "campaign_name": "cg",
    });
    assert_eq!(provider.requests()[0].json(), wanted);
}

#[test]
fn a_segment_is_a_target_list_and_its_reference_says_that_it_is_many() {
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &json!({"id": "n-1"}));
    let accepted = sent(Outbound { to: "segment:Paying".into(), ..message(text("Hello")) }).accepted.remove(0);
    assert_eq!(accepted.external_id.as_deref(), Some("n-1"));
    assert_eq!(accepted.extras, [Field::new("ref", format!("{ID}.segment")), Field::new("conversation_kind", "broadcast")]);
    let push = &provider.requests()[0].json()["appPush"];
    assert_eq!((&push["target_list_name"], push.get("receivers")), (&json!("Paying"), None));
}

#[test]
fn nothing_ever_goes_out_without_an_audience() {
    let provider = Provider::new();
    for to in ["", " ", "segment:", "P1,P2", ","] {
        let message = Outbound { to: to.into(), ..message(text("x")) };
        for failure in [sent(message.clone()).failed.unwrap(), preview(&message).unwrap_err()] {
            assert!(matches!(&failure, Failure::Invalid(problems) if problems[0].pointer == "/to"), "{to}: {failure:?}");
        }
    }
    assert!(provider.requests().is_empty());
}

#[test]
fn a_notification_has_title_picture_link_and_one_button() {
    let full = Notification {
        image: Some("https://a.example/i.jpg".into()),
        url: Some("myapp://orders/7".into()),
        actions: vec![action("Track")],
        data: Some("{}".into()),
        ..notification()
    };
    let told = push(message(Content::Notification(full)));
    for (field, value) in [
        ("title", json!("Order")),
        ("message", json!("It is ready")),
        ("type", json!("photo")),
        ("attachment", json!("https://a.example/i.jpg")),
        ("image-url", json!("https://a.example/i.jpg")),
        ("mutable-content", json!(1)),
        ("category", json!("rich-apns")),
        ("url", json!("myapp://orders/7")),
        ("call2action", json!("Track")),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    let linked = push(message(Content::Notification(Notification { url: Some("https://a.example".into()), ..notification() })));
    assert_eq!((&linked["call2action"], linked.get("type")), (&json!("Open"), None));
}

#[test]
fn pictures_moving_pictures_and_videos_go_by_their_address() {
    for (kind, word) in [(MediaKind::Image, "photo"), (MediaKind::Animation, "gif"), (MediaKind::Video, "video")] {
        let told = push(message(media(kind, url("https://a.example/f"), "Look")));
        assert_eq!((&told["type"], &told["attachment"], &told["message"]), (&json!(word), &json!("https://a.example/f"), &json!("Look")));
    }
}

#[test]
fn a_silent_push_shows_and_sounds_nothing() {
    let wanted = json!({"content-available": 1, "sound": "", "receivers": [{"userID": "P1NX"}], "client_ref": ID, "campaignName": "cg"});
    assert_eq!(push(message(silent(&json!({})))), wanted);
}

#[test]
fn a_messages_extras_go_before_the_settings() {
    let mut named = message(text("x"));
    named.extras = [("sound", "chime.caf"), ("title", "Shop"), ("campaign_name", "spring"), ("orientation", "landscape")]
        .map(|(name, value)| Field::new(name, value))
        .to_vec();
    let told = push(named);
    assert_eq!((&told["sound"], &told["title"], &told["campaignName"]), (&json!("chime.caf"), &json!("Shop"), &json!("spring")));
    assert_eq!(told["orientation"], "landscape");
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &json!({"status": "success"}));
    let quiet = testing::call(Some("5db9"), &json!({"suit_id": "5db9", "default_sound": "soft"}));
    assert_eq!(ShrinkItPush::send(&quiet, message(text("x"))).failed, None);
    assert_eq!(provider.requests()[0].json()["appPush"]["sound"], "soft");
}

#[test]
fn a_preview_tells_whom_it_reaches() {
    assert_eq!(preview(&message(text("x"))).unwrap(), json!({"user": "P1NX", "push": "text"}));
    let photo = Outbound { to: "segment:Paying".into(), ..message(media(MediaKind::Image, url("https://a.example/f"), "Look")) };
    assert_eq!(preview(&photo).unwrap(), json!({"segment": "Paying", "push": "photo"}));
    assert_eq!(preview(&message(silent(&json!({})))).unwrap()["push"], "silent");
}

#[test]
fn every_wrong_field_is_named_at_once_before_anybody_is_asked() {
    let provider = Provider::new();
    let told = |change: fn(&mut Notification)| {
        let mut notification = notification();
        change(&mut notification);
        vec![Content::Notification(notification)]
    };
    for (contents, pointers) in [
        (vec![], vec!["/content"]),
        (vec![text("a"), text("b")], vec!["/content"]),
        (vec![text(" ")], vec!["/content/0/text"]),
        (vec![text(&"x".repeat(4001))], vec!["/content/0/text"]),
        (vec![media(MediaKind::Image, url("ftp://a"), "")], vec!["/content/0/caption", "/content/0/url"]),
        (vec![media(MediaKind::Image, Source::BlobRef("b".into()), "x")], vec!["/content/0/media_id"]),
        (vec![media(MediaKind::Image, Source::ProviderRef("b".into()), "x")], vec!["/content/0/provider_ref"]),
        (vec![silent(&json!({"order": 7}))], vec!["/content/0/data"]),
        (told(|n| n.body.clear()), vec!["/content/0/body"]),
        (told(|n| n.title = "x".repeat(257)), vec!["/content/0/title"]),
        (told(|n| n.image = Some("i.jpg".into())), vec!["/content/0/image"]),
        (told(|n| n.url = Some("orders/7".into())), vec!["/content/0/url"]),
        (told(|n| n.actions = vec![action("a")]), vec!["/content/0/url"]),
        (told(|n| n.actions = vec![action("a"), action("b")]), vec!["/content/0/actions"]),
        (told(|n| n.data = Some(r#"{"order":7}"#.into())), vec!["/content/0/data"]),
    ] {
        let message = testing::outbound("P1NX", Command::Message(contents));
        for failure in [sent(message.clone()).failed.unwrap(), preview(&message).unwrap_err()] {
            let Failure::Invalid(problems) = &failure else { panic!("{failure:?}") };
            assert_eq!(problems.iter().map(|problem| problem.pointer.as_str()).collect::<Vec<_>>(), pointers, "{message:?}");
        }
    }
    assert!(provider.requests().is_empty());
}

#[test]
fn a_refusal_says_what_happens_next() {
    let quirk = json!({"exception": "'NoneType' object has no attribute 'api_key'", "message": "something went wrong", "status": "Failed"});
    for (status, body, wanted) in [
        (401, json!({"message": "Not Authorized Api Key"}), ("unauthorized", "api_key")),
        (500, quirk, ("unauthorized", "api_key")),
        (429, json!({}), ("limited", "limited")),
        (400, json!({"message": "there is no target list"}), ("rejected", "400")),
        (200, json!({"status": "failed", "message": "no devices"}), ("rejected", "200")),
        (500, json!({"status": "Failed"}), ("unavailable", "500")),
        (504, json!({}), ("uncertain", "no_word_of_notify")),
    ] {
        let provider = Provider::new();
        provider.on(ROUTE).answer(status, &body);
        assert_eq!(class(&sent(message(text("x"))).failed.unwrap()), wanted, "{status} {body}");
    }
    let provider = Provider::new();
    provider.on(ROUTE).broken("reset");
    provider.on(ROUTE).not_sent("dns");
    assert_eq!(class(&sent(message(text("x"))).failed.unwrap()).0, "uncertain");
    assert_eq!(class(&sent(message(text("x"))).failed.unwrap()).0, "unavailable");
}

#[test]
fn what_shrinkit_cannot_do_is_unsupported() {
    let _nobody = Provider::new();
    let poll = Poll { question: "x".into(), options: Vec::new(), multiple: false, anonymous: false, extras: Vec::new() };
    let loud = Content::Custom(Custom::new("loud", &json!({})));
    for command in [
        Command::Message(vec![Content::Poll(poll)]),
        Command::Message(vec![media(MediaKind::Document, url("https://a.example/f"), "x")]),
        Command::Message(vec![loud]),
        Command::Delete("x".into()),
    ] {
        assert_eq!(class(&sent(testing::outbound("P1NX", command)).failed.unwrap()).0, "unsupported");
    }
}

use patchbay_plugin::Preview as _;
use patchbay_plugin::messages::Text;

use super::*;
use crate::WebPush;

fn preview(message: &Outbound) -> Result<Value, Failure> {
    let told = WebPush::preview(&testing::account(None, &settings()), message)?;
    Ok(serde_json::from_str(&told).unwrap())
}

fn previewed(change: impl FnOnce(&mut Notification)) -> Result<Value, Failure> {
    let mut changed = notification();
    change(&mut changed);
    preview(&message(changed, &[]))
}

#[test]
fn a_preview_tells_the_size_and_how_long_it_waits() {
    let told = previewed(|notification| notification.urgency = Some("high".into())).unwrap();
    assert_eq!((&told["bytes_max"], &told["ttl_s"], &told["urgency"]), (&json!(3993), &json!(86400), &json!("high")));
    let longer = previewed(|notification| notification.body.push('!')).unwrap();
    assert_eq!(longer["bytes"].as_u64(), told["bytes"].as_u64().map(|bytes| bytes + 1));
}

#[test]
fn what_doesnt_fit_is_refused_at_its_largest_field_with_its_size() {
    let room = 3993 - previewed(|_| {}).unwrap()["bytes"].as_u64().unwrap() as usize;
    assert_eq!(previewed(|notification| notification.body.push_str(&"x".repeat(room))).unwrap()["bytes"], 3993);
    let refused = previewed(|notification| notification.body.push_str(&"x".repeat(room + 1))).unwrap_err();
    assert_eq!(pointers(&refused), ["/content/0/body"]);
    assert!(format!("{refused:?}").contains("has 3994 bytes, and 3993 fit"), "{refused:?}");
    let data = format!("{{\"a\":\"{}\"}}", "é".repeat(1800));
    assert_eq!(pointers(&previewed(|notification| notification.data = Some(data)).unwrap_err()), ["/content/0/data"]);
    let text = testing::outbound("mona", Command::Message(vec![Content::Text(Text::plain("x".repeat(3900)))]));
    assert_eq!(pointers(&preview(&text).unwrap_err()), ["/content/0/text"]);
}

#[test]
fn every_wrong_field_is_named() {
    let refused = previewed(|notification| {
        *notification = Notification {
            title: " ".into(),
            icon: Some("icon.png".into()),
            image: Some("data:image/png;base64,AA".into()),
            badge: Some("//evil.example/b.png".into()),
            url: Some("javascript:alert(1)".into()),
            actions: vec![
                row("", "A", None),
                row("b", " ", Some("ftp://b")),
                row("b", "B", None),
                row("c", "C", None),
                row(&"d".repeat(65), "D", None),
            ],
            data: Some("[1]".into()),
            ttl_s: Some(2_419_201),
            urgency: Some("urgent".into()),
            topic: Some("a topic".into()),
            ..notification.clone()
        };
    });
    let expected = [
        "title",
        "icon",
        "image",
        "badge",
        "url",
        "actions",
        "actions/0/id",
        "actions/1/title",
        "actions/1/description",
        "actions/2/id",
        "actions/4/id",
        "data",
        "topic",
        "ttl_s",
        "urgency",
    ];
    assert_eq!(pointers(&refused.unwrap_err()), expected.map(|field| format!("/content/0/{field}")));
    for topic in ["x".repeat(33), "é".to_owned(), "a.b".to_owned()] {
        assert!(previewed(|notification| notification.topic = Some(topic.clone())).is_err(), "{topic}");
    }
    assert!(previewed(|notification| notification.topic = Some("A-z_0".repeat(6))).is_ok());
}

#[test]
fn a_push_is_one_notification_or_text() {
    let of = |contents: Vec<Content>| preview(&testing::outbound("mona", Command::Message(contents))).unwrap_err();
    assert_eq!(pointers(&of(vec![])), ["/content"]);
    let twice = vec![Content::Text(Text::plain("a")), Content::Text(Text::plain("b"))];
    assert_eq!(pointers(&of(twice)), ["/content"]);
    assert_eq!(pointers(&of(vec![Content::Text(Text::plain(" "))])), ["/content/0/text"]);
    let post = patchbay_plugin::messages::Post { text: "a".into(), media: vec![], link: None, visibility: "public".into() };
    assert_eq!(class(&of(vec![Content::Post(post)])), "unsupported");
    let typing = testing::outbound("mona", Command::Typing(true));
    assert_eq!(class(&preview(&typing).unwrap_err()), "unsupported");
}

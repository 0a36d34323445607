use patchbay_plugin::messages::{Choices, Location};
use patchbay_plugin::messages::{
    Command, Content, Interactive, Media, MediaKind, Outbound, Reaction, Sent, Source, Template, TemplateButton, TemplateValue, Text,
};
use patchbay_plugin::{Channel as _, Preview as _};

use super::*;
use crate::WhatsAppLite;

const ROUTE: &str = "POST api /5db9/send";
const ID: &str = "019a0000-0000-7000-8000-0000000000aa";

fn message(contents: Vec<Content>) -> Outbound {
    testing::outbound("+201001383533", Command::Message(contents))
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn media(kind: MediaKind, source: Source) -> Media {
    Media {
        kind,
        source,
        mime_type: None,
        file_name: None,
        size: None,
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

fn url(url: &str) -> Source {
    Source::Url(url.into())
}

fn template(name: &str, language: &str, body: &[(&str, &str)]) -> Template {
    Template {
        name: name.into(),
        language: language.into(),
        header: None,
        body: body.iter().map(|(name, value)| TemplateValue::Text(Field::new(*name, *value))).collect(),
        buttons: Vec::new(),
    }
}

fn sent(message: Outbound) -> Sent {
    WhatsAppLite::send(&call(&settings()), message)
}

fn accepts(provider: &Provider) {
    provider.on(ROUTE).answer(200, &json!({"status": "success", "message": "your request is being processed"}));
}

/// What goes out for it.
fn request(message: Outbound) -> Value {
    let provider = Provider::new();
    accepts(&provider);
    assert_eq!(sent(message).failed, None);
    provider.requests()[0].json()
}

fn content_of(content: Content) -> Value {
    request(message(vec![content]))["UOWHATSAPP"].clone()
}

#[test]
fn a_text_goes_to_one_receiver_and_names_the_message() {
    let wanted = json!({
        "UOWHATSAPP": {"message": "Hello", "random_string": false, "receivers": [{"mobileNum": "201001383533"}], "client_ref": ID},
        "campaign_name": "cg",
    });
    assert_eq!(request(message(vec![text("Hello")])), wanted);
    let mut filed = message(vec![text("Hello")]);
    filed.extras.push(Field::new("campaign_name", "spring"));
    assert_eq!(request(filed)["campaign_name"], "spring");
}

#[test]
fn every_way_to_write_a_number_is_the_same_receiver_and_conversation() {
    for to in ["+20 100 138 3533", "00201001383533", "201001383533@c.us", "201001383533@s.whatsapp.net", "201001383533:3@s.whatsapp.net"] {
        let provider = Provider::new();
        accepts(&provider);
        let sent = sent(Outbound { to: to.into(), ..message(vec![text("x")]) });
        assert_eq!(sent.accepted[0].extras, [Field::new("conversation", "201001383533")], "{to}");
        assert_eq!(provider.requests()[0].json()["UOWHATSAPP"]["receivers"], json!([{"mobileNum": "201001383533"}]), "{to}");
    }
    let provider = Provider::new();
    accepts(&provider);
    let sent = sent(Outbound { to: "201001383533".into(), ..message(vec![text("x")]) });
    assert!(sent.accepted[0].extras.is_empty());
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn nobody_is_ever_written_to_without_digits() {
    let provider = Provider::new();
    for to in ["", " ", "+", "@c.us", "mona", "12036304@g.us", "98765432109876@lid", "01001383533", "1234567", "status@broadcast"] {
        let message = Outbound { to: to.into(), ..message(vec![text("x")]) };
        let preview = WhatsAppLite::preview(&testing::account(None, &settings()), &message);
        for failure in [sent(message).failed.unwrap(), preview.unwrap_err()] {
            assert!(matches!(&failure, Failure::Invalid(problems) if problems[0].pointer == "/to"), "{to}: {failure:?}");
        }
    }
    assert!(provider.requests().is_empty());
}

#[test]
fn files_go_by_their_address_under_the_name_of_their_kind() {
    let image = Media { caption: Some("Look".into()), ..media(MediaKind::Image, url("https://a.example/i.jpg")) };
    let sent = content_of(Content::Media(image));
    assert_eq!((&sent["imageUrl"], &sent["message"], sent.get("fileName")), (&json!("https://a.example/i.jpg"), &json!("Look"), None));
    let sent = content_of(Content::Media(media(MediaKind::Video, url("https://a.example/v.mp4"))));
    assert_eq!((&sent["videoUrl"], &sent["message"]), (&json!("https://a.example/v.mp4"), &json!("")));
    let named = Media { file_name: Some("Invoice 7.pdf".into()), ..media(MediaKind::Document, url("https://a.example/f/1?x=y")) };
    let sent = content_of(Content::Media(named));
    assert_eq!((&sent["documentUrl"], &sent["fileName"]), (&json!("https://a.example/f/1?x=y"), &json!("Invoice 7.pdf")));
    let sent = content_of(Content::Media(media(MediaKind::Voice, url("https://a.example/f/v.ogg?x=y"))));
    assert_eq!((&sent["documentUrl"], &sent["fileName"]), (&json!("https://a.example/f/v.ogg?x=y"), &json!("v.ogg")));
    let looped = Media { mime_type: Some("video/mp4".into()), ..media(MediaKind::Animation, url("https://a.example/g.mp4")) };
    assert!(content_of(Content::Media(looped)).get("videoUrl").is_some());
    assert!(content_of(Content::Media(media(MediaKind::Animation, url("https://a.example/g.gif")))).get("documentUrl").is_some());
}

#[test]
fn a_template_is_rendered_here_and_never_goes_out_with_a_placeholder() {
    let values = [("name", "Mona"), ("1", "A-7")];
    assert_eq!(content_of(Content::Template(template("ready", "en", &values)))["message"], "Hello Mona, order A-7 is ready.");
    assert_eq!(content_of(Content::Template(template("ready", "ar", &values)))["message"], "مرحبا Mona");
    let header = Some(TemplateValue::Media(media(MediaKind::Image, url("https://a.example/i.jpg"))));
    let pictured = content_of(Content::Template(Template { header, ..template("ready", "", &values) }));
    assert_eq!(
        (&pictured["imageUrl"], &pictured["message"]),
        (&json!("https://a.example/i.jpg"), &json!("Hello Mona, order A-7 is ready."))
    );
}

#[test]
fn a_preview_tells_what_would_go_out() {
    let preview = |message: &Outbound| {
        let facts = WhatsAppLite::preview(&testing::account(None, &settings()), message).unwrap();
        serde_json::from_str::<Value>(&facts).unwrap()
    };
    let one = Content::Template(template("ready", "en", &[("name", "Mona"), ("1", "A-7")]));
    let told = json!({"recipient": "+201001383533", "messages": 1, "text": "Hello Mona, order A-7 is ready."});
    assert_eq!(preview(&message(vec![one.clone()])), told);
    let two = preview(&message(vec![one.clone(), text("x"), one]));
    assert_eq!((&two["messages"], two["texts"].as_array().map(Vec::len)), (&json!(3), Some(2)));
    assert_eq!(preview(&message(vec![text("x")])), json!({"recipient": "+201001383533", "messages": 1}));
}

#[test]
fn every_wrong_field_is_named_at_once_before_anybody_is_asked() {
    let provider = Provider::new();
    let header = Some(TemplateValue::Text(Field::new("", "x")));
    let button = TemplateButton { index: 0, kind: "url".into(), value: "x".into() };
    let caption = Some("x".repeat(4097));
    for (contents, pointers) in [
        (vec![], vec!["/content"]),
        (vec![text("  ")], vec!["/content/0/text"]),
        (vec![text("x"), text(&"x".repeat(4097))], vec!["/content/1/text"]),
        (vec![Content::Media(Media { caption, ..media(MediaKind::Image, url("ftp://a")) })], vec!["/content/0/caption", "/content/0/url"]),
        (vec![Content::Media(media(MediaKind::Image, Source::BlobRef("b".into())))], vec!["/content/0/media_id"]),
        (vec![Content::Media(media(MediaKind::Image, Source::ProviderRef("b".into())))], vec!["/content/0/provider_ref"]),
        (vec![Content::Template(template("late", "en", &[]))], vec!["/content/0/name"]),
        (vec![Content::Template(template("ready", "fr", &[]))], vec!["/content/0/language"]),
        (vec![Content::Template(template("ready", "en", &[("name", "Mona")]))], vec!["/content/0/body"]),
        (vec![Content::Template(template("ready", "en", &[("name", ""), ("1", "x")]))], vec!["/content/0/body/0/text/value"]),
        (
            vec![Content::Template(Template { header, buttons: vec![button], ..template("ready", "ar", &[("name", "x")]) })],
            vec!["/content/0/header", "/content/0/buttons"],
        ),
        (vec![Content::Template(template("ready", "ar", &[("name", &"x".repeat(4096))]))], vec!["/content/0/body"]),
    ] {
        let message = message(contents);
        let preview = WhatsAppLite::preview(&testing::account(None, &settings()), &message).unwrap_err();
        for failure in [sent(message.clone()).failed.unwrap(), preview] {
            let Failure::Invalid(problems) = &failure else { panic!("{failure:?}") };
            assert_eq!(problems.iter().map(|problem| problem.pointer.as_str()).collect::<Vec<_>>(), pointers, "{message:?}");
        }
    }
    let exact = "ط".repeat(4096);
    accepts(&provider);
    assert_eq!(sent(message(vec![text(&exact)])).failed, None);
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn a_missing_value_is_named() {
    let _nobody = Provider::new();
    let failure = sent(message(vec![Content::Template(template("ready", "en", &[("name", "Mona")]))])).failed.unwrap();
    assert!(matches!(failure, Failure::Invalid(problems) if problems[0].message.contains("{{1}}")));
}

#[test]
fn the_id_of_the_answer_is_the_messages_and_our_reference_stays_known() {
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &json!({"success": true, "result": {"messageId": "n-1"}}));
    let accepted = &sent(message(vec![text("x")])).accepted[0];
    assert_eq!(accepted.external_id.as_deref(), Some("n-1"));
    assert_eq!(accepted.extras, [Field::new("ref", ID), Field::new("conversation", "201001383533")]);
    accepts(&provider);
    assert_eq!(sent(message(vec![text("x")])).accepted[0].external_id.as_deref(), Some(ID));
}

#[test]
fn what_was_accepted_of_several_parts_is_not_sent_again() {
    let provider = Provider::new();
    let both = || message(vec![text("one"), text("two")]);
    provider.on(ROUTE).answer(200, &json!({"id": "n-1"}));
    provider.on(ROUTE).answer(429, &json!({"code": "QUOTA_EXCEEDED", "retry_after": 7}));
    let first = sent(both());
    assert_eq!(first.accepted.len(), 1);
    assert!(matches!(first.failed, Some(Failure::Limited(retry)) if retry.after_ms == Some(7000.0)));
    accepts(&provider);
    let second = sent(both());
    let references: Vec<_> = second.accepted.iter().map(|part| (part.part, part.external_id.clone().unwrap_or_default())).collect();
    assert_eq!(references, [(0, "n-1".to_owned()), (1, format!("{ID}.1"))]);
    assert_eq!(second.accepted[0].extras[0], Field::new("ref", format!("{ID}.0")));
    let texts: Vec<Value> = provider.requests().iter().map(|request| request.json()["UOWHATSAPP"]["message"].clone()).collect();
    assert_eq!(texts, ["one", "two", "two"]);
}

#[test]
fn a_refusal_says_what_happens_next() {
    let quirk = json!({"exception": "'NoneType' object has no attribute 'api_key'", "message": "something went wrong", "status": "Failed"});
    for (status, body, wanted) in [
        (401, json!({"message": "Not Authorized Api Key"}), ("unauthorized", "api_key")),
        (500, quirk, ("unauthorized", "api_key")),
        (409, json!({"status": "Failed", "code": "SESSION_NOT_WORKING"}), ("unauthorized", "logged_out")),
        (404, json!({"status": "Failed", "code": "NOT_ON_WHATSAPP"}), ("recipient", "not_on_whatsapp")),
        (422, json!({"status": "Failed", "code": "NOT_ON_WHATSAPP"}), ("recipient", "not_on_whatsapp")),
        (429, json!({"status": "Failed", "code": "QUOTA_EXCEEDED"}), ("limited", "quota_exceeded")),
        (413, json!({}), ("rejected", "too_large")),
        (415, json!({}), ("rejected", "media_type")),
        (200, json!({"status": "Failed", "message": "rejected"}), ("rejected", "200")),
        (500, json!({"status": "Failed", "message": "something went wrong"}), ("unavailable", "500")),
        (502, json!({}), ("uncertain", "no_word_of_notify")),
    ] {
        let provider = Provider::new();
        provider.on(ROUTE).answer(status, &body);
        let failure = sent(message(vec![text("x")])).failed.unwrap();
        assert_eq!(class(&failure), wanted, "{status} {body}");
    }
    let provider = Provider::new();
    provider.on(ROUTE).broken("reset");
    provider.on(ROUTE).not_sent("dns");
    assert_eq!(class(&sent(message(vec![text("x")])).failed.unwrap()).0, "uncertain");
    assert_eq!(class(&sent(message(vec![text("x")])).failed.unwrap()).0, "unavailable");
}

#[test]
fn a_fault_is_tried_once_more_and_no_oftener() {
    let provider = Provider::new();
    provider.on(ROUTE).answer(500, &json!({"status": "Failed", "message": "something went wrong"}));
    let mut again = call(&settings());
    again.attempt = 2;
    let failure = WhatsAppLite::send(&again, message(vec![text("x")])).failed.unwrap();
    assert_eq!(class(&failure), ("rejected", "notify_fault"));
}

#[test]
fn what_whatsapp_lite_cannot_do_is_unsupported() {
    let _nobody = Provider::new();
    let place = Content::Location(Location { latitude: 1.0, longitude: 2.0, name: None, address: None });
    let buttons = Interactive { header: None, body: "x".into(), footer: None, choices: Choices::Buttons(Vec::new()) };
    let reaction = Reaction { target: "x".into(), emoji: Some("👍".into()), removed: false };
    for command in [
        Command::Message(vec![place]),
        Command::Message(vec![Content::Interactive(buttons)]),
        Command::React(reaction),
        Command::Delete("x".into()),
        Command::Typing(true),
    ] {
        assert_eq!(class(&sent(testing::outbound("+201001383533", command)).failed.unwrap()).0, "unsupported");
    }
}

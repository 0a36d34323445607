//! Every outbound feature with its exact request.

use patchbay_plugin::messages::*;
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Channel as _, Failure, Field, Fields as _};
use serde_json::{Value, json};

use crate::WhatsAppCloud;

mod answers;
mod templates;

const TO: &str = "15550002222";
const OUR_ID: &str = "019a0000-0000-7000-8000-0000000000aa";
const ROUTE: &str = "POST graph /v26.0/900000000000001/messages";
const UPLOAD: &str = "POST graph /v26.0/900000000000001/media";

fn message(contents: Vec<Content>) -> Outbound {
    testing::outbound(TO, Command::Message(contents))
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn sent(message: Outbound) -> Sent {
    WhatsAppCloud::send(&testing::call(Some("900000000000001"), &json!({})), message)
}

fn accepted(id: &str) -> Value {
    json!({"messaging_product": "whatsapp", "contacts": [{"input": TO, "wa_id": TO}], "messages": [{"id": id, "message_status": "accepted"}]})
}

fn refusal(code: i64) -> Value {
    json!({"error": {"message": "(#1) words", "type": "OAuthException", "code": code, "fbtrace_id": "A"}})
}

/// The one request that a message makes, without what all of them have.
fn request(message: Outbound) -> Value {
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &accepted("wamid.1"));
    let sent = sent(message);
    assert_eq!((sent.failed.as_ref(), sent.accepted[0].external_id.as_deref()), (None, Some("wamid.1")));
    let mut body = provider.requests()[0].json();
    let fields = body.as_object_mut().unwrap();
    assert_eq!(fields.remove("messaging_product"), Some(json!("whatsapp")));
    assert_eq!(fields.remove("biz_opaque_callback_data"), Some(json!(OUR_ID)));
    if fields.get("to") == Some(&json!(TO)) {
        fields.remove("to");
        assert_eq!(fields.remove("recipient_type"), Some(json!("individual")));
    }
    body
}

fn content(content: Content) -> Value {
    request(message(vec![content]))
}

fn refused(content: Content) -> Failure {
    let _nobody_is_asked = Provider::new();
    sent(message(vec![content])).failed.unwrap()
}

fn pointer(failure: &Failure) -> &str {
    match failure {
        Failure::Invalid(problems) => &problems[0].pointer,
        other => panic!("not invalid: {other:?}"),
    }
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

fn url() -> Source {
    Source::Url("https://cdn.example/a".into())
}

fn reply(id: &str, title: &str) -> Button {
    Button { title: title.into(), action: Action::Reply(id.into()) }
}

fn interactive(choices: Choices) -> Interactive {
    Interactive { header: None, body: "Pick".into(), footer: None, choices }
}

fn custom(kind: &str, json: &Value) -> Content {
    Content::Custom(Custom::new(kind, json))
}

#[test]
fn text_goes_out_with_its_preview_format_and_reply() {
    assert_eq!(content(text("hi https://e.com")), json!({"type": "text", "text": {"body": "hi https://e.com", "preview_url": true}}));
    let written = Text { body: "**hi**".into(), format: TextFormat::Markdown, preview_links: false };
    let mut message = message(vec![Content::Text(written)]);
    message.reply_to = Some("wamid.a+/=".into());
    message.extras = vec![Field::new("recipient_identity_key_hash", "h")];
    assert_eq!(
        request(message),
        json!({"type": "text", "text": {"body": "*hi*", "preview_url": false}, "context": {"message_id": "wamid.a+/="}, "recipient_identity_key_hash": "h"})
    );
}

#[test]
fn people_without_a_number_and_groups_are_addressed_otherwise() {
    let to = |to: &str| {
        let mut message = message(vec![text("x")]);
        message.to = to.into();
        let mut body = request(message);
        body.as_object_mut().unwrap().retain(|name, _| name != "type" && name != "text");
        body
    };
    assert_eq!(to("EG.20000000000000000002"), json!({"recipient_type": "individual", "recipient": "EG.20000000000000000002"}));
    assert_eq!(to("group:Ab="), json!({"recipient_type": "group", "to": "Ab="}));
    assert_eq!(to("+1 555-000-2222"), json!({}));
    let mut nobody = message(vec![text("x")]);
    nobody.to = "mona".into();
    assert_eq!(pointer(&sent(nobody).failed.unwrap()), "/to");
}

#[test]
fn media_go_by_address_or_by_metas_id() {
    let captioned = Media { caption: Some("look".into()), ..media(MediaKind::Image, url()) };
    assert_eq!(content(Content::Media(captioned)), json!({"type": "image", "image": {"link": "https://cdn.example/a", "caption": "look"}}));
    let id = || Source::ProviderRef("7".into());
    for (kind, expected) in [
        (MediaKind::Video, json!({"type": "video", "video": {"id": "7"}})),
        (MediaKind::Animation, json!({"type": "video", "video": {"id": "7"}})),
        (MediaKind::Audio, json!({"type": "audio", "audio": {"id": "7"}})),
        (MediaKind::Voice, json!({"type": "audio", "audio": {"id": "7", "voice": true}})),
    ] {
        assert_eq!(content(Content::Media(media(kind, id()))), expected);
    }
    let document = Media { file_name: Some("a.pdf".into()), caption: Some("cv".into()), ..media(MediaKind::Document, url()) };
    assert_eq!(
        content(Content::Media(document)),
        json!({"type": "document", "document": {"link": "https://cdn.example/a", "filename": "a.pdf", "caption": "cv"}})
    );
    let sticker = Sticker { source: id(), emoji: None, mime_type: None, extras: Vec::new() };
    assert_eq!(content(Content::Sticker(sticker)), json!({"type": "sticker", "sticker": {"id": "7"}}));
}

#[test]
fn files_of_the_gateways_are_uploaded_once_for_many() {
    let provider = Provider::new();
    provider.on(UPLOAD).answer(200, &json!({"id": "71"}));
    for id in ["wamid.1", "wamid.2"] {
        provider.on(ROUTE).answer(200, &accepted(id));
    }
    let file = Media {
        mime_type: Some("image/png".into()),
        file_name: Some("a.png".into()),
        caption: Some("look".into()),
        ..media(MediaKind::Image, Source::BlobRef("B".into()))
    };
    for _ in 0..2 {
        assert_eq!(sent(message(vec![Content::Media(file.clone())])).failed, None);
    }
    let requests = provider.requests();
    assert_eq!(requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>()[..1], ["/v26.0/900000000000001/media"]);
    assert_eq!(
        (requests[0].field("messaging_product"), requests[0].field("type"), requests[0].field("file")),
        (Some("whatsapp"), Some("image/png"), Some("blob-ref:B"))
    );
    assert_eq!(requests[1].json()["image"], json!({"id": "71", "caption": "look"}));
    assert_eq!(requests[2].json()["image"]["id"], "71");
}

#[test]
fn an_upload_that_meta_has_forgotten_is_made_again() {
    let provider = Provider::new();
    provider.on(UPLOAD).answer(200, &json!({"id": "71"}));
    provider.on(ROUTE).answer(200, &accepted("wamid.1"));
    let file = || message(vec![Content::Media(media(MediaKind::Document, Source::BlobRef("B".into())))]);
    assert_eq!(sent(file()).failed, None);
    provider.on(ROUTE).answer(400, &refusal(131_053));
    provider.on(UPLOAD).answer(200, &json!({"id": "72"}));
    provider.on(ROUTE).answer(200, &accepted("wamid.2"));
    assert_eq!(sent(file()).failed, None);
    assert_eq!(provider.requests().last().unwrap().json()["document"]["id"], "72");
}

#[test]
fn an_album_is_several_messages_and_another_attempt_sends_what_is_missing() {
    let provider = Provider::new();
    provider.on(ROUTE).answer(200, &accepted("wamid.1"));
    provider.on(ROUTE).answer(400, &refusal(130_429));
    let album = || {
        let mut message = message(vec![Content::Album(vec![media(MediaKind::Image, url()), media(MediaKind::Video, url())]), text("x")]);
        message.reply_to = Some("wamid.0".into());
        message
    };
    let first = sent(album());
    assert!(matches!(&first.failed, Some(Failure::Limited(retry)) if retry.after_ms == Some(2000.0)));
    assert_eq!(first.accepted.len(), 1);
    provider.on(ROUTE).answer(200, &accepted("wamid.2"));
    provider.on(ROUTE).answer(200, &accepted("wamid.3"));
    let second = sent(album());
    let ids: Vec<_> = second.accepted.iter().map(|accepted| (accepted.part, accepted.external_id.as_deref().unwrap())).collect();
    assert_eq!((second.failed, ids), (None, vec![(0, "wamid.1"), (1, "wamid.2"), (2, "wamid.3")]));
    let bodies: Vec<Value> = provider.requests().iter().map(patchbay_plugin::testing::Recorded::json).collect();
    assert_eq!(bodies.iter().filter(|body| body.get("context").is_some()).count(), 1, "only the first part answers");
    assert_eq!(bodies[3]["biz_opaque_callback_data"], format!("{OUR_ID}#2"));
}

#[test]
fn what_whatsapp_does_not_take_is_named_before_anything_is_sent() {
    let image = || media(MediaKind::Image, url());
    let many = (0..4).map(|n| reply(&n.to_string(), &n.to_string())).collect::<Vec<_>>();
    let rows = |count: usize| (0..count).map(|n| Row { id: n.to_string(), title: n.to_string(), description: None }).collect::<Vec<_>>();
    let menu = |sections: Vec<Section>| Content::Interactive(interactive(Choices::Menu(Menu { label: "Open".into(), sections })));
    let section = |title: &str, count: usize| Section { title: title.into(), rows: rows(count) };
    let buttons = |buttons: Vec<Button>| Content::Interactive(interactive(Choices::Buttons(buttons)));
    for (content, expected) in [
        (text(""), "/content/0/text"),
        (text(&"x".repeat(4097)), "/content/0/text"),
        (Content::Media(Media { caption: Some("x".repeat(1025)), ..image() }), "/content/0/caption"),
        (Content::Media(Media { caption: Some("x".into()), ..media(MediaKind::Audio, url()) }), "/content/0/caption"),
        (Content::Media(Media { mime_type: Some("image/gif".into()), ..image() }), "/content/0/mime_type"),
        (Content::Media(Media { size: Some(6 << 20), ..image() }), "/content/0/size"),
        (Content::Media(Media { size: Some(6 << 20), ..media(MediaKind::Image, Source::BlobRef("B".into())) }), "/content/0/media_id"),
        (Content::Media(media(MediaKind::Image, Source::Url("ftp://x".into()))), "/content/0/url"),
        (Content::Album(vec![image(), Media { size: Some(6 << 20), ..image() }]), "/content/0/items/1/size"),
        (Content::Album(Vec::new()), "/content/0/items"),
        (Content::Contacts(Vec::new()), "/content/0/contacts"),
        (buttons(Vec::new()), "/content/0/buttons"),
        (buttons(many), "/content/0/buttons"),
        (buttons(vec![reply("a", &"x".repeat(21))]), "/content/0/buttons/0/title"),
        (buttons(vec![reply(&"x".repeat(257), "A")]), "/content/0/buttons/0/reply"),
        (buttons(vec![reply("a", "A"), reply("b", "A")]), "/content/0/buttons/1/title"),
        (
            buttons(vec![reply("a", "A"), Button { title: "B".into(), action: Action::Url("https://e.com".into()) }]),
            "/content/0/buttons/1/url",
        ),
        (buttons(vec![Button { title: "B".into(), action: Action::Call("1".into()) }]), "/content/0/buttons/0/call"),
        (menu(Vec::new()), "/content/0/menu/sections"),
        (menu(vec![section("", 1), section("B", 1)]), "/content/0/menu/sections/0/title"),
        (menu(vec![section("A", 11)]), "/content/0/menu/sections"),
        (menu(vec![section("A", 1), section("B", 1)]), "/content/0/menu/sections/1/rows/0/id"),
        (
            Content::Interactive(Interactive { body: String::new(), ..interactive(Choices::Buttons(vec![reply("a", "A")])) }),
            "/content/0/body",
        ),
        (custom("flow", &json!({"body": "x", "flow_cta": "Go"})), "/content/0/data/flow_id"),
        (custom("flow", &json!({"body": "x"})), "/content/0/data"),
        (custom("interactive", &json!({"type": "x"})), "/content/0/data/action"),
    ] {
        let shown = format!("{content:?}");
        assert_eq!(pointer(&refused(content)), expected, "{shown}");
    }
    for content in [
        Content::Poll(Poll { question: "Q".into(), options: Vec::new(), multiple: false, anonymous: false, extras: Vec::new() }),
        Content::Interactive(interactive(Choices::Carousel(Vec::new()))),
        custom("dice", &json!({})),
    ] {
        assert!(matches!(refused(content), Failure::Unsupported(_)));
    }
}

#[test]
fn places_and_contacts_go_out() {
    let place = Location { latitude: 30.04, longitude: 31.23, name: Some("Square".into()), address: None };
    assert_eq!(
        content(Content::Location(place)),
        json!({"type": "location", "location": {"latitude": 30.04, "longitude": 31.23, "name": "Square"}})
    );
    let card = ContactCard { name: "Omar A Fake".into(), phones: vec!["+1 555".into()], emails: vec!["o@e.com".into()], vcard: None };
    let expected = json!([{"name": {"formatted_name": "Omar A Fake", "first_name": "Omar", "last_name": "A Fake"},
        "phones": [{"phone": "+1 555", "type": "CELL"}], "emails": [{"email": "o@e.com", "type": "WORK"}]}]);
    assert_eq!(content(Content::Contacts(vec![card])), json!({"type": "contacts", "contacts": expected}));
    assert_eq!(content(custom("contacts", &expected)), json!({"type": "contacts", "contacts": expected}));
}

#[test]
fn buttons_lists_and_links_go_out() {
    let asked = Interactive {
        header: Some("Head".into()),
        footer: Some("Foot".into()),
        ..interactive(Choices::Buttons(vec![reply("y", "Yes"), reply("n", "No")]))
    };
    assert_eq!(
        content(Content::Interactive(asked)),
        json!({"type": "interactive", "interactive": {"type": "button", "header": {"type": "text", "text": "Head"}, "body": {"text": "Pick"},
            "footer": {"text": "Foot"}, "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}, {"type": "reply", "reply": {"id": "n", "title": "No"}}]}}})
    );
    let quick = content(Content::Interactive(interactive(Choices::QuickReplies(vec![reply("y", "Yes")]))));
    assert_eq!(quick["interactive"]["type"], "button");
    let row = Row { id: "1".into(), title: "One".into(), description: Some("first".into()) };
    let menu = Menu { label: "Open".into(), sections: vec![Section { title: String::new(), rows: vec![row] }] };
    assert_eq!(
        content(Content::Interactive(interactive(Choices::Menu(menu))))["interactive"],
        json!({"type": "list", "body": {"text": "Pick"}, "action": {"button": "Open", "sections": [{"rows": [{"id": "1", "title": "One", "description": "first"}]}]}})
    );
    let link = Button { title: "Go".into(), action: Action::Url("https://e.com".into()) };
    assert_eq!(
        content(Content::Interactive(interactive(Choices::Buttons(vec![link]))))["interactive"]["action"],
        json!({"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://e.com"}})
    );
}

#[test]
fn what_only_whatsapp_has_goes_out() {
    let flow = json!({"body": "Rate us", "flow_id": "5", "flow_cta": "Rate", "flow_token": "ft-1", "flow_action": "navigate", "screen": "S1", "data": {"a": 1}});
    assert_eq!(
        content(custom("flow", &flow))["interactive"],
        json!({"type": "flow", "body": {"text": "Rate us"}, "action": {"name": "flow", "parameters": {"flow_message_version": "3", "flow_cta": "Rate",
            "flow_id": "5", "flow_token": "ft-1", "flow_action": "navigate", "flow_action_payload": {"screen": "S1", "data": {"a": 1}}}}})
    );
    assert_eq!(
        content(custom("location_request", &json!({"body": "Where?"})))["interactive"],
        json!({"type": "location_request_message", "body": {"text": "Where?"}, "action": {"name": "send_location"}})
    );
    let product = json!({"type": "product", "action": {"catalog_id": "C", "product_retailer_id": "S"}});
    assert_eq!(content(custom("interactive", &product)), json!({"type": "interactive", "interactive": product}));
}

#[test]
fn reactions_are_set_and_taken_back() {
    let react = |emoji: Option<&str>, removed| {
        let reaction = Reaction { target: "wamid.9".into(), emoji: emoji.map(str::to_owned), removed };
        let mut message = testing::outbound(TO, Command::React(reaction));
        message.reply_to = Some("wamid.9".into());
        request(message)["reaction"].clone()
    };
    assert_eq!(react(Some("👍"), false), json!({"message_id": "wamid.9", "emoji": "👍"}));
    assert_eq!(react(Some("👍"), true), json!({"message_id": "wamid.9", "emoji": ""}));
    assert_eq!(react(None, true), json!({"message_id": "wamid.9", "emoji": ""}));
}

#[test]
fn reading_and_typing_name_the_last_message_that_came_in() {
    let provider = Provider::new();
    let run = |command: Command, context: Option<&str>| {
        let mut message = testing::outbound(TO, command);
        message.reply_context = context.map(|context| context.as_bytes().to_vec());
        sent(message).failed
    };
    for _ in 0..3 {
        provider.on(ROUTE).answer(200, &json!({"success": true}));
    }
    assert_eq!(run(Command::MarkRead("wamid.9".into()), None), None);
    assert_eq!(run(Command::MarkRead(String::new()), Some("wamid.8")), None);
    assert_eq!(run(Command::Typing(true), Some("wamid.8")), None);
    assert_eq!(run(Command::Typing(false), None), None);
    let bodies: Vec<Value> = provider.requests().iter().map(patchbay_plugin::testing::Recorded::json).collect();
    assert_eq!(bodies[0], json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.9"}));
    assert_eq!(
        bodies[2],
        json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.8", "typing_indicator": {"type": "text"}})
    );
    assert!(matches!(run(Command::Typing(true), None), Some(Failure::Rejected(_))));
    assert!(matches!(run(Command::Delete("wamid.9".into()), None), Some(Failure::Unsupported(_))));
}

//! What Instagram takes otherwise than Messenger, with its exact requests.

use super::*;
use crate::Instagram;
use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::*;

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn settings() -> Value {
    json!({"page_id": PAGE})
}

fn route() -> String {
    format!("POST page /v26.0/{PAGE}/messages")
}

fn accepts(provider: &Provider, mids: &[&str]) {
    for mid in mids {
        provider.on(&route()).answer(200, &json!({"recipient_id": PERSON, "message_id": mid}));
    }
}

fn sent(settings: &Value, command: Command) -> Sent {
    Instagram::send(&call(Some(ACCOUNT), settings), testing::outbound(PERSON, command))
}

fn content(content: Content) -> Value {
    let provider = Provider::new();
    accepts(&provider, &["m_1"]);
    assert_eq!(sent(&settings(), Command::Message(vec![content])).failed, None);
    provider.requests()[0].json()["message"].take()
}

fn wrong(content: Content) -> String {
    let _nobody = Provider::new();
    match sent(&settings(), Command::Message(vec![content])).failed.unwrap() {
        Failure::Invalid(problems) => problems[0].pointer.clone(),
        other => panic!("not invalid: {other:?}"),
    }
}

fn sticker(source: Source) -> Content {
    Content::Sticker(Sticker { source, emoji: None, mime_type: None, extras: Vec::new() })
}

fn document(mime_type: &str) -> Content {
    let source = Source::Url("https://cdn.example/a".into());
    let nothing = (None, None, None, None, None, None);
    let (file_name, size, caption, width, height, duration_ms) = nothing;
    let mime_type = Some(mime_type.to_owned());
    Content::Media(Media {
        kind: MediaKind::Document,
        source,
        mime_type,
        file_name,
        size,
        caption,
        width,
        height,
        duration_ms,
        extras: Vec::new(),
    })
}

fn button(action: Action) -> Content {
    let choices = Choices::Buttons(vec![Button { title: "Buy".into(), action }]);
    Content::Interactive(Interactive { header: None, body: "x".into(), footer: None, choices })
}

#[test]
fn each_door_has_its_place_and_node() {
    let provider = Provider::new();
    accepts(&provider, &["m_1"]);
    provider.on(&format!("POST instagram /v26.0/{ACCOUNT}/messages")).answer(200, &json!({"recipient_id": PERSON, "message_id": "m_2"}));
    let say = |settings| sent(settings, Command::Message(vec![text("x")])).accepted[0].external_id.clone();
    assert_eq!((say(&settings()).as_deref(), say(&own()).as_deref()), (Some("m_1"), Some("m_2")));
    assert_eq!(provider.requests()[1].json(), json!({"recipient": {"id": PERSON}, "messaging_type": "RESPONSE", "message": {"text": "x"}}));
}

#[test]
fn a_text_is_cut_by_bytes_between_characters() {
    let provider = Provider::new();
    accepts(&provider, &["m_1", "m_2", "m_3"]);
    let arabic = "ش".repeat(1100);
    let sent = sent(&settings(), Command::Message(vec![text(&arabic)]));
    assert_eq!((sent.failed, sent.accepted.len()), (None, 3));
    assert!(sent.accepted.iter().zip(0..).all(|(accepted, part)| accepted.part == part));
    let texts: Vec<String> =
        provider.requests().iter().map(|request| request.json()["message"]["text"].as_str().unwrap().to_owned()).collect();
    assert!(texts.iter().all(|text| text.len() <= 1000));
    assert_eq!(texts.concat(), arabic);
}

#[test]
fn the_heart_is_the_only_sticker() {
    assert_eq!(content(sticker(Source::ProviderRef("like_heart".into()))), json!({"attachment": {"type": "like_heart"}}));
    assert_eq!(content(sticker(Source::Url("https://cdn.example/a.png".into())))["attachment"]["type"], "image");
    assert_eq!(wrong(sticker(Source::ProviderRef("767226160478561".into()))), "/content/0/provider_ref");
}

#[test]
fn documents_are_pdf_and_buttons_do_not_call() {
    assert_eq!(content(document("application/pdf"))["attachment"]["type"], "file");
    assert_eq!(wrong(document("application/zip")), "/content/0/mime_type");
    assert_eq!(content(button(Action::Reply("BUY".into())))["attachment"]["payload"]["buttons"][0]["type"], "postback");
    assert_eq!(wrong(button(Action::Call("+1555".into()))), "/content/0/buttons/0/call");
}

#[test]
fn quick_replies_are_text_only() {
    let _nobody = Provider::new();
    let choices = Choices::QuickReplies(vec![Button { title: "Red".into(), action: Action::Reply("RED".into()) }]);
    let asked = Content::Interactive(Interactive { header: None, body: "Pick".into(), footer: None, choices });
    let mut message = testing::outbound(PERSON, Command::Message(vec![asked.clone()]));
    message.extras = vec![Field::new("ask_phone", "true")];
    let failed = Instagram::send(&call(Some(ACCOUNT), &settings()), message).failed;
    assert!(matches!(failed, Some(Failure::Invalid(problems)) if problems[0].pointer == "/extras/ask_phone"));
    assert_eq!(content(asked)["quick_replies"], json!([{"content_type": "text", "title": "Red", "payload": "RED"}]));
}

#[test]
fn what_is_done_is_a_sender_action() {
    let done = |command| {
        let provider = Provider::new();
        provider.on(&route()).answer(200, &json!({"recipient_id": PERSON}));
        assert_eq!(sent(&settings(), command).failed, None);
        provider.requests()[0].json()
    };
    assert_eq!(done(Command::Typing(true))["sender_action"], "typing_on");
    assert_eq!(done(Command::MarkRead("m".into()))["sender_action"], "mark_seen");
    let love = Command::React(Reaction { target: "m".into(), emoji: Some("❤️".into()), removed: false });
    assert_eq!(done(love)["payload"], json!({"message_id": "m", "reaction": "❤️"}));
}

#[test]
fn a_closed_window_and_a_stranger_are_told_apart() {
    let after = |code, subcode| {
        let provider = Provider::new();
        provider.on(&route()).answer(400, &refusal(code, subcode));
        sent(&settings(), Command::Message(vec![text("x")])).failed.unwrap()
    };
    assert!(matches!(after(10, 2_534_022), Failure::WindowClosed(_)));
    assert!(matches!(after(100, 2_534_014), Failure::Recipient(_)));
    assert!(matches!(after(10, 0), Failure::Forbidden(_)));
}

#[test]
fn who_was_never_answered_is_a_message_request() {
    let provider = Provider::new();
    let said = |person: &str, from: &[&str]| {
        let messages: Vec<Value> = from.iter().map(|from| json!({"id": format!("m_{from}"), "from": {"id": from}})).collect();
        json!({"id": "t", "participants": {"data": [{"id": ACCOUNT}, {"id": person, "username": "mona"}]}, "messages": {"data": messages}})
    };
    let conversations = json!({"data": [said(PERSON, &[PERSON]), said("301", &["301", ACCOUNT]), said("302", &[]), {}, null]});
    provider.on(&format!("GET page /v26.0/{PAGE}/conversations")).answer(200, &conversations);
    let sent = sent(&settings(), Command::Custom(Custom::new("message_requests", &json!({}))));
    let [event] = sent.events.as_slice() else { panic!("{:?}", sent.events) };
    assert_eq!(event.dedupe_key, format!("ig:{ACCOUNT}:request:{PERSON}:m_{PERSON}"));
    assert!(matches!(&event.what, Happening::Custom(custom) if custom.kind == "message_request" && custom.json.contains("mona")));
}

//! Every outbound feature with its exact request.

use super::*;
use crate::Messenger;
use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::*;

const OURS: &str = "019a0000-0000-7000-8000-0000000000aa";

fn message(contents: Vec<Content>) -> Outbound {
    testing::outbound(PERSON, Command::Message(contents))
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn route() -> String {
    format!("POST page /v26.0/{PAGE}/messages")
}

fn accepts(provider: &Provider, mids: &[&str]) {
    for mid in mids {
        provider.on(&route()).answer(200, &json!({"recipient_id": PERSON, "message_id": mid}));
    }
}

fn sent(settings: &Value, message: Outbound) -> Sent {
    Messenger::send(&call(Some(PAGE), settings), message)
}

fn ids(sent: &Sent) -> Vec<Option<&str>> {
    sent.accepted.iter().map(|accepted| accepted.external_id.as_deref()).collect()
}

/// The one request that a message makes.
fn request(message: Outbound) -> Value {
    let provider = Provider::new();
    accepts(&provider, &["m_1"]);
    let sent = sent(&json!({}), message);
    assert_eq!((sent.failed.as_ref(), ids(&sent)), (None, vec![Some("m_1")]));
    provider.requests()[0].json()
}

fn content(content: Content) -> Value {
    request(message(vec![content]))["message"].take()
}

/// The pointer of the field that is wrong; nobody is asked.
fn wrong(message: Outbound) -> String {
    let _nobody = Provider::new();
    match sent(&json!({}), message).failed.unwrap() {
        Failure::Invalid(problems) => problems[0].pointer.clone(),
        other => panic!("not invalid: {other:?}"),
    }
}

fn media(kind: MediaKind, source: Source) -> Media {
    let nothing = (None, None, None, None, None, None, None);
    let (mime_type, file_name, size, caption, width, height, duration_ms) = nothing;
    Media { kind, source, mime_type, file_name, size, caption, width, height, duration_ms, extras: Vec::new() }
}

fn url() -> Source {
    Source::Url("https://cdn.example/a".into())
}

fn button(title: &str, action: Action) -> Button {
    Button { title: title.into(), action }
}

fn interactive(body: &str, choices: Choices) -> Content {
    Content::Interactive(Interactive { header: None, body: body.into(), footer: None, choices })
}

#[test]
fn a_text_carries_our_id_and_what_it_answers() {
    let mut answer = message(vec![text("hi")]);
    answer.reply_to = Some("m_0".into());
    answer.extras = vec![Field::new("notification_type", "NO_PUSH"), Field::new("messaging_type", "UPDATE")];
    assert_eq!(
        request(answer),
        json!({"recipient": {"id": PERSON}, "messaging_type": "UPDATE", "notification_type": "NO_PUSH", "reply_to": {"mid": "m_0"},
            "message": {"text": "hi", "metadata": OURS}})
    );
}

#[test]
fn a_long_text_is_several_messages_and_another_attempt_sends_what_is_missing() {
    let provider = Provider::new();
    accepts(&provider, &["m_1"]);
    provider.on(&route()).answer(500, &refusal(2, 0));
    let long = || message(vec![text(&"x".repeat(4500))]);
    let first = sent(&json!({}), long());
    assert!(matches!(first.failed, Some(Failure::Unavailable(_))));
    assert_eq!(ids(&first), [Some("m_1")]);
    accepts(&provider, &["m_2", "m_3"]);
    let second = sent(&json!({}), long());
    assert_eq!((second.failed.as_ref(), ids(&second)), (None, vec![Some("m_1"), Some("m_2"), Some("m_3")]));
    let lengths: Vec<usize> = provider.requests().iter().map(|request| request.json()["message"]["text"].as_str().unwrap().len()).collect();
    assert_eq!(lengths, [2000, 2000, 2000, 500]);
}

#[test]
fn quick_replies_stand_below_the_text_and_may_ask_for_contacts() {
    let mut asked = message(vec![interactive("Pick", Choices::QuickReplies(vec![button("Red", Action::Reply("COLOR_RED".into()))]))]);
    asked.extras = vec![Field::new("ask_phone", "true")];
    assert_eq!(
        request(asked)["message"],
        json!({"text": "Pick", "metadata": OURS, "quick_replies": [{"content_type": "text", "title": "Red", "payload": "COLOR_RED"}, {"content_type": "user_phone_number"}]})
    );
}

#[test]
fn buttons_are_a_template() {
    let buttons = vec![
        button("Buy", Action::Reply("BUY".into())),
        button("Site", Action::Url("https://shop.example".into())),
        button("Call", Action::Call("+1555".into())),
    ];
    assert_eq!(
        content(interactive("What now?", Choices::Buttons(buttons))),
        json!({"metadata": OURS, "attachment": {"type": "template", "payload": {"template_type": "button", "text": "What now?", "buttons": [
            {"type": "postback", "title": "Buy", "payload": "BUY"}, {"type": "web_url", "title": "Site", "url": "https://shop.example"},
            {"type": "phone_number", "title": "Call", "payload": "+1555"}]}}})
    );
}

#[test]
fn a_carousel_is_the_generic_template() {
    let card = Card {
        title: "Bag".into(),
        subtitle: Some("Blue".into()),
        image: Some(url()),
        url: Some("https://shop.example/1".into()),
        buttons: vec![button("Buy", Action::Reply("B1".into()))],
    };
    assert_eq!(
        content(interactive("", Choices::Carousel(vec![card])))["attachment"]["payload"],
        json!({"template_type": "generic", "elements": [{"title": "Bag", "subtitle": "Blue", "image_url": "https://cdn.example/a",
            "default_action": {"type": "web_url", "url": "https://shop.example/1"}, "buttons": [{"type": "postback", "title": "Buy", "payload": "B1"}]}]})
    );
}

#[test]
fn media_go_by_address_by_attachment_id_and_as_files() {
    let kinds = [(MediaKind::Image, "image"), (MediaKind::Video, "video"), (MediaKind::Voice, "audio"), (MediaKind::Document, "file")];
    for (kind, word) in kinds {
        let expected = json!({"type": word, "payload": {"url": "https://cdn.example/a"}});
        assert_eq!(content(Content::Media(media(kind, url())))["attachment"], expected);
    }
    let uploaded = content(Content::Media(media(MediaKind::Image, Source::ProviderRef("77".into()))));
    assert_eq!(uploaded["attachment"], json!({"type": "image", "payload": {"attachment_id": "77"}}));
    let provider = Provider::new();
    provider.on(&route()).answer(200, &json!({"recipient_id": PERSON, "message_id": "m_1", "attachment_id": "78"}));
    let mut file = media(MediaKind::Document, Source::BlobRef("b1".into()));
    (file.file_name, file.mime_type) = (Some("a.pdf".into()), Some("application/pdf".into()));
    file.extras = vec![Field::new("reusable", "true")];
    let sent = sent(&json!({}), message(vec![Content::Media(file)]));
    assert_eq!(sent.accepted[0].extras, [Field::new("attachment_id", "78")]);
    let request = &provider.requests()[0];
    assert_eq!(request.field("recipient"), Some(&*json!({"id": PERSON}).to_string()));
    assert_eq!((request.field("filedata"), request.field("messaging_type")), (Some("blob-ref:b1"), Some("RESPONSE")));
    let told: Value = serde_json::from_str(request.field("message").unwrap()).unwrap();
    assert_eq!(told, json!({"attachment": {"type": "file", "payload": {"is_reusable": true}}, "metadata": OURS}));
}

#[test]
fn a_caption_is_a_message_behind_its_picture() {
    let provider = Provider::new();
    accepts(&provider, &["m_1", "m_2"]);
    let mut image = media(MediaKind::Image, url());
    image.caption = Some("Our shop".into());
    let mut answer = message(vec![Content::Media(image)]);
    answer.reply_to = Some("m_0".into());
    assert_eq!(ids(&sent(&json!({}), answer)), [Some("m_1"), Some("m_2")]);
    let requests = provider.requests();
    assert_eq!((&requests[1].json()["message"]["text"], requests[1].json().get("reply_to")), (&json!("Our shop"), None));
}

#[test]
fn a_sticker_has_a_number_and_a_written_message_goes_as_it_stands() {
    let sticker = |source| Content::Sticker(Sticker { source, emoji: None, mime_type: None, extras: Vec::new() });
    assert_eq!(content(sticker(Source::ProviderRef("767226160478561".into())))["sticker_id"], json!(767_226_160_478_561_u64));
    assert_eq!(content(sticker(url()))["attachment"]["type"], "image");
    let written = json!({"attachment": {"type": "template", "payload": {"template_type": "media"}}});
    assert_eq!(content(Content::Custom(Custom::new("message", &written)))["attachment"], written["attachment"]);
}

#[test]
fn what_is_done_is_a_sender_action() {
    let done = |command| {
        let provider = Provider::new();
        provider.on(&route()).answer(200, &json!({"recipient_id": PERSON}));
        assert_eq!(sent(&json!({}), testing::outbound(PERSON, command)).failed, None);
        provider.requests()[0].json()
    };
    let to = json!({"id": PERSON});
    assert_eq!(done(Command::Typing(true)), json!({"recipient": to, "sender_action": "typing_on"}));
    assert_eq!(done(Command::Typing(false)), json!({"recipient": to, "sender_action": "typing_off"}));
    assert_eq!(done(Command::MarkRead("m_1".into())), json!({"recipient": to, "sender_action": "mark_seen"}));
    let reaction =
        |emoji: Option<&str>| Command::React(Reaction { target: "m_1".into(), emoji: emoji.map(str::to_owned), removed: emoji.is_none() });
    assert_eq!(
        done(reaction(Some("😍"))),
        json!({"recipient": to, "sender_action": "react", "payload": {"message_id": "m_1", "reaction": "😍"}})
    );
    assert_eq!(done(reaction(None)), json!({"recipient": to, "sender_action": "unreact", "payload": {"message_id": "m_1"}}));
}

#[test]
fn a_persons_answer_goes_out_with_the_tag_once_the_window_is_closed() {
    let settings = json!({"human_agent_enabled": true});
    let provider = Provider::new();
    provider.on(&route()).answer(400, &refusal(10, 2_018_278));
    accepts(&provider, &["m_1"]);
    assert_eq!(ids(&sent(&settings, message(vec![text("x")]))), [Some("m_1")]);
    let tagged = provider.requests()[1].json();
    assert_eq!((&tagged["messaging_type"], &tagged["tag"]), (&json!("MESSAGE_TAG"), &json!("HUMAN_AGENT")));
    let mut bot = message(vec![text("x")]);
    bot.extras = vec![Field::new("human_agent", "false")];
    provider.on(&route()).answer(400, &refusal(10, 2_018_278));
    assert!(matches!(sent(&settings, bot).failed, Some(Failure::WindowClosed(_))));
    let mut asked = message(vec![text("x")]);
    asked.extras = vec![Field::new("tag", "HUMAN_AGENT")];
    assert_eq!(request(asked)["tag"], "HUMAN_AGENT");
}

#[test]
fn an_answer_to_a_comment_opens_the_persons_conversation() {
    let provider = Provider::new();
    provider.on(&route()).answer(200, &json!({"recipient_id": PERSON, "message_id": "m_1"}));
    let mut private = message(vec![text("x")]);
    private.to = "comment:100_9".into();
    assert_eq!(sent(&json!({}), private).accepted[0].extras, [Field::new("conversation", PERSON)]);
    assert_eq!(provider.requests()[0].json()["recipient"], json!({"comment_id": "100_9"}));
}

#[test]
fn limits_are_checked_before_anybody_is_asked_and_the_field_is_named() {
    let reply = |title: &str| button(title, Action::Reply("x".into()));
    let buttons = |buttons: Vec<Button>| message(vec![interactive("x", Choices::Buttons(buttons))]);
    let card = |title: &str, subtitle: Option<&str>| Card {
        title: title.into(),
        subtitle: subtitle.map(str::to_owned),
        image: None,
        url: None,
        buttons: Vec::new(),
    };
    let carousel = |cards| message(vec![interactive("", Choices::Carousel(cards))]);
    let to = |to: &str| Outbound { to: to.into(), ..message(vec![text("x")]) };
    let extra = |name: &str, value: &str| Outbound { extras: vec![Field::new(name, value)], ..message(vec![text("x")]) };
    let large = |kind, source, megabytes: u32| {
        let size = Some(megabytes * 1024 * 1024);
        message(vec![text("x"), Content::Media(Media { size, ..media(kind, source) })])
    };
    for (message, pointer) in [
        (to("+201001234567"), "/to"),
        (to("@mona"), "/to"),
        (message(vec![]), "/content"),
        (message(vec![text(" ")]), "/content/0/text"),
        (buttons(vec![reply("a"); 4]), "/content/0/buttons"),
        (buttons(vec![reply(&"a".repeat(21))]), "/content/0/buttons/0/title"),
        (buttons(vec![reply("a"), button("b", Action::Copy("x".into()))]), "/content/0/buttons/1/copy"),
        (buttons(vec![button("b", Action::Url("shop".into()))]), "/content/0/buttons/0/url"),
        (buttons(vec![button("b", Action::Reply("x".repeat(1001)))]), "/content/0/buttons/0/reply"),
        (message(vec![interactive(&"x".repeat(641), Choices::Buttons(vec![reply("a")]))]), "/content/0/body"),
        (message(vec![interactive("x", Choices::QuickReplies(vec![reply("a"); 14]))]), "/content/0/quick_replies"),
        (carousel(vec![card("a", Some("b")); 11]), "/content/0/carousel"),
        (carousel(vec![card("a", Some("b")), card("a", None)]), "/content/0/carousel/1"),
        (carousel(vec![card("a", Some(&"b".repeat(81)))]), "/content/0/carousel/0/subtitle"),
        (large(MediaKind::Image, url(), 9), "/content/1/size"),
        (large(MediaKind::Video, Source::BlobRef("b".into()), 26), "/content/1/media_id"),
        (message(vec![Content::Media(media(MediaKind::Image, Source::ProviderRef("x".into())))]), "/content/0/provider_ref"),
        (extra("tag", "ACCOUNT_UPDATE"), "/extras/tag"),
        (extra("messaging_type", "MESSAGE_TAG"), "/extras/tag"),
        (extra("messaging_type", "SHOUT"), "/extras/messaging_type"),
    ] {
        assert_eq!(wrong(message.clone()), pointer, "{message:?}");
    }
}

#[test]
fn what_messenger_cannot_do_is_unsupported() {
    let _nobody = Provider::new();
    let place = Content::Location(Location { latitude: 1.0, longitude: 2.0, name: None, address: None });
    let menu = interactive("x", Choices::Menu(Menu { label: "a".into(), sections: Vec::new() }));
    let edit = Command::Edit(Edit { target: "m_1".into(), content: text("x") });
    for command in [Command::Message(vec![place]), Command::Message(vec![menu]), edit, Command::Delete("m_1".into())] {
        assert!(matches!(sent(&json!({}), testing::outbound(PERSON, command)).failed, Some(Failure::Unsupported(_))));
    }
}

#[test]
fn a_refusal_says_what_happens_next() {
    let after = |status: u16, body: &Value| {
        let provider = Provider::new();
        provider.on(&route()).answer(status, body);
        sent(&json!({}), message(vec![text("x")])).failed.unwrap()
    };
    assert!(matches!(after(400, &refusal(190, 463)), Failure::Unauthorized(_)));
    assert!(matches!(after(400, &refusal(200, 0)), Failure::Forbidden(_)));
    assert!(matches!(after(400, &refusal(551, 1_545_041)), Failure::Recipient(_)));
    assert!(matches!(after(400, &refusal(100, 2_018_001)), Failure::Recipient(_)));
    assert!(matches!(after(400, &refusal(10, 2_018_278)), Failure::WindowClosed(_)));
    assert!(matches!(after(400, &refusal(613, 0)), Failure::Limited(retry) if retry.after_ms == Some(30_000.0)));
    assert!(matches!(after(400, &refusal(100, 0)), Failure::Rejected(_)));
    assert!(matches!(after(500, &refusal(1, 0)), Failure::Unavailable(_)));
    let provider = Provider::new();
    provider.on(&route()).broken("reset");
    provider.on(&route()).not_sent("dns");
    assert!(matches!(sent(&json!({}), message(vec![text("x")])).failed, Some(Failure::Uncertain(_))));
    assert!(matches!(sent(&json!({}), message(vec![text("x")])).failed, Some(Failure::Unavailable(_))));
}

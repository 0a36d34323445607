//! Every outbound feature with its exact request.

use patchbay_plugin::messages::*;
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Channel as _, Failure, Field};
use serde_json::{Value, json};

use crate::Telegram;

mod commands;

const CHAT: &str = "70010001";

fn message(contents: Vec<Content>) -> Outbound {
    testing::outbound(CHAT, Command::Message(contents))
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn sent(message: Outbound) -> Sent {
    Telegram::send(&testing::call(Some("42"), &json!({"broadcast_channel": "@news"})), message)
}

fn ok(result: &Value) -> Value {
    json!({"ok": true, "result": result})
}

fn refusal(code: u16, description: &str) -> Value {
    json!({"ok": false, "error_code": code, "description": description})
}

fn made(id: i64) -> Value {
    ok(&json!({"message_id": id, "date": 1, "chat": {"id": 70010001, "type": "private"}}))
}

fn ids(sent: &Sent) -> Vec<Option<&str>> {
    assert!(sent.accepted.iter().zip(0..).all(|(accepted, number)| accepted.part == number));
    sent.accepted.iter().map(|accepted| accepted.external_id.as_deref()).collect()
}

/// The one request that a message makes, answered with message 7.
fn request(method: &str, message: Outbound) -> Value {
    let provider = Provider::new();
    let route = format!("POST api /{method}");
    provider.on(&route).answer(200, &made(7));
    let sent = sent(message);
    assert_eq!((sent.failed.as_ref(), ids(&sent)), (None, vec![Some("70010001:7")]));
    provider.requests()[0].json()
}

fn refused(contents: Vec<Content>) -> Failure {
    let _nobody_is_asked = Provider::new();
    sent(message(contents)).failed.unwrap()
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

#[test]
fn text_goes_out_as_it_stands() {
    assert_eq!(request("sendMessage", message(vec![text("a <b> & c")])), json!({"chat_id": 70010001, "text": "a <b> & c"}));
}

#[test]
fn text_keeps_its_format_preview_reply_topic_and_options() {
    let written = Text { body: "**hi**".into(), format: TextFormat::Markdown, preview_links: false };
    let mut message = message(vec![Content::Text(written)]);
    message.to = "-1002000000001#9".into();
    message.reply_to = Some("-1002000000001:40".into());
    message.extras =
        vec![Field::new("disable_notification", "true"), Field::new("protect_content", "true"), Field::new("message_effect_id", "51")];
    assert_eq!(
        request("sendMessage", message),
        json!({
            "chat_id": -1_002_000_000_001_i64, "message_thread_id": 9, "text": "<b>hi</b>", "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": true}, "reply_parameters": {"message_id": 40, "allow_sending_without_reply": true},
            "disable_notification": true, "protect_content": true, "message_effect_id": "51",
        })
    );
}

#[test]
fn the_general_topic_is_left_out_and_broadcast_is_the_settings_channel() {
    let to = |to: &str| {
        let mut message = message(vec![text("x")]);
        message.to = to.into();
        request("sendMessage", message)
    };
    assert_eq!(to("-100200#1"), json!({"chat_id": -100_200, "text": "x"}));
    assert_eq!(to("broadcast"), json!({"chat_id": "@news", "text": "x"}));
}

#[test]
fn a_long_text_is_several_messages_and_the_keyboard_is_on_the_last() {
    let provider = Provider::new();
    provider.on("POST api /sendMessage").answer(200, &made(7)).answer(200, &made(8));
    let choices = Choices::Buttons(vec![Button { title: "Go".into(), action: Action::Reply("go".into()) }]);
    let interactive = Interactive { header: None, body: "word ".repeat(1000), footer: None, choices };
    let mut message = message(vec![Content::Interactive(interactive)]);
    message.reply_to = Some("70010001:3".into());
    let sent = sent(message);
    assert_eq!(ids(&sent), [Some("70010001:7"), Some("70010001:8")]);
    let requests = provider.requests();
    assert!(requests.iter().all(|request| request.json()["text"].as_str().unwrap().encode_utf16().count() <= 4096));
    let has = |name: &str| requests.iter().map(|request| request.json().get(name).is_some()).collect::<Vec<_>>();
    assert_eq!((has("reply_markup"), has("reply_parameters")), (vec![false, true], vec![true, false]));
}

#[test]
fn formatting_that_telegram_cannot_read_is_sent_once_without() {
    let provider = Provider::new();
    let error = refusal(400, "Bad Request: can't parse entities: Unsupported start tag");
    provider.on("POST api /sendMessage").answer(400, &error).answer(200, &made(7));
    let written = Text { body: "<x>".into(), format: TextFormat::Html, preview_links: true };
    assert_eq!(ids(&sent(message(vec![Content::Text(written)]))), [Some("70010001:7")]);
    assert_eq!(provider.requests()[1].json(), json!({"chat_id": 70010001, "text": "<x>"}));
}

#[test]
fn each_kind_of_media_has_its_method() {
    let rows = [
        (MediaKind::Image, "sendPhoto", "photo"),
        (MediaKind::Video, "sendVideo", "video"),
        (MediaKind::Audio, "sendAudio", "audio"),
        (MediaKind::Voice, "sendVoice", "voice"),
        (MediaKind::Document, "sendDocument", "document"),
        (MediaKind::Animation, "sendAnimation", "animation"),
    ];
    for (kind, method, field) in rows {
        let mut expected = json!({"chat_id": 70010001, "caption": "c"});
        expected[field] = json!("https://cdn.example/a");
        let by_url = Media { caption: Some("c".into()), ..media(kind, url()) };
        assert_eq!(request(method, message(vec![Content::Media(by_url)])), expected, "{method}");
        expected[field] = json!("AgA-l");
        let by_id = Media { caption: Some("c".into()), ..media(kind, Source::ProviderRef("AgA-l".into())) };
        assert_eq!(request(method, message(vec![Content::Media(by_id)])), expected, "{method}");
    }
}

#[test]
fn the_gateways_own_bytes_are_uploaded() {
    let provider = Provider::new();
    provider.on("POST api /sendAudio").answer(200, &made(7));
    let file = Media {
        file_name: Some("a.mp3".into()),
        mime_type: Some("audio/mpeg".into()),
        duration_ms: Some(1500.0),
        extras: vec![Field::new("performer", "Fairuz")],
        ..media(MediaKind::Audio, Source::BlobRef("b1".into()))
    };
    assert_eq!(sent(message(vec![Content::Media(file)])).failed, None);
    let request = &provider.requests()[0];
    assert_eq!((request.field("audio"), request.field("chat_id"), request.field("duration")), (Some("blob-ref:b1"), Some(CHAT), Some("2")));
    assert_eq!(request.field("performer"), Some("Fairuz"));
}

#[test]
fn a_long_caption_becomes_a_text_behind_the_media() {
    let provider = Provider::new();
    provider.on("POST api /sendPhoto").answer(200, &made(7));
    provider.on("POST api /sendMessage").answer(200, &made(8));
    let photo = Media { caption: Some("x".repeat(1025)), ..media(MediaKind::Image, url()) };
    assert_eq!(ids(&sent(message(vec![Content::Media(photo)]))), [Some("70010001:7"), Some("70010001:8")]);
    assert_eq!(provider.requests()[0].json().get("caption"), None);
}

#[test]
fn what_is_too_large_is_refused_before_anything_is_sent() {
    let photo = Media { size: Some(11 << 20), ..media(MediaKind::Image, Source::BlobRef("b".into())) };
    assert_eq!(pointer(&refused(vec![Content::Media(photo)])), "/content/0/media_id");
    let video = Media { size: Some(21 << 20), ..media(MediaKind::Video, url()) };
    assert_eq!(pointer(&refused(vec![text("first"), Content::Media(video)])), "/content/1/size");
    assert_eq!(pointer(&refused(vec![Content::Media(media(MediaKind::Image, Source::Url("ftp://x".into())))])), "/content/0/url");
}

#[test]
fn an_album_is_one_call_and_every_id_counts() {
    let provider = Provider::new();
    let answer = json!([{"message_id": 7, "chat": {"id": 70010001}}, {"message_id": 8, "chat": {"id": 70010001}}]);
    provider.on("POST api /sendMediaGroup").answer(200, &ok(&answer));
    let first = Media { caption: Some("both".into()), ..media(MediaKind::Image, Source::BlobRef("b1".into())) };
    let sent = sent(message(vec![Content::Album(vec![first, media(MediaKind::Video, url())])]));
    assert_eq!(ids(&sent), [Some("70010001:7"), Some("70010001:8")]);
    let request = &provider.requests()[0];
    let entries: Value = serde_json::from_str(request.field("media").unwrap()).unwrap();
    assert_eq!(
        entries,
        json!([{"type": "photo", "media": "attach://f0", "caption": "both"}, {"type": "video", "media": "https://cdn.example/a"}])
    );
    assert_eq!(request.field("f0"), Some("blob-ref:b1"));
}

#[test]
fn the_rules_of_albums_are_kept() {
    let album = |kinds: &[MediaKind]| refused(vec![Content::Album(kinds.iter().map(|kind| media(*kind, url())).collect())]);
    assert_eq!(pointer(&album(&[MediaKind::Image, MediaKind::Document])), "/content/0/items");
    assert_eq!(pointer(&album(&[MediaKind::Audio, MediaKind::Video])), "/content/0/items");
    assert_eq!(pointer(&album(&[MediaKind::Image, MediaKind::Voice])), "/content/0/items/1/kind");
    assert_eq!(pointer(&album(&[MediaKind::Image; 11])), "/content/0/items");
    assert_eq!(pointer(&album(&[])), "/content/0/items");
}

#[test]
fn an_album_that_broke_in_the_middle_is_finished_one_by_one() {
    let provider = Provider::new();
    let words = "Bad Request: group send failed: failed to send message #3 with the error message \"Too Many Requests: retry after 8\"";
    provider.on("POST api /sendMediaGroup").answer(400, &refusal(400, words));
    let album = || message(vec![Content::Album(vec![media(MediaKind::Image, url()); 4])]);
    let first = sent(album());
    assert_eq!(ids(&first), [None, None], "two were delivered, under ids that nobody tells");
    assert!(matches!(first.failed, Some(Failure::Limited(retry)) if retry.after_ms == Some(8000.0)));
    provider.on("POST api /sendPhoto").answer(200, &made(9)).answer(200, &made(10));
    let second = sent(album());
    assert_eq!((ids(&second), &second.failed), (vec![None, None, Some("70010001:9"), Some("70010001:10")], &None));
    assert_eq!(provider.requests().len(), 3, "the album isn't sent again");
}

#[test]
fn another_attempt_sends_only_what_is_missing() {
    let provider = Provider::new();
    provider.on("POST api /sendMessage").answer(200, &made(7)).broken("reset");
    let two = || message(vec![text("one"), text("two")]);
    let first = sent(two());
    assert_eq!(ids(&first), [Some("70010001:7")]);
    assert!(matches!(first.failed, Some(Failure::Uncertain(_))));
    provider.on("POST api /sendMessage").answer(200, &made(8));
    let second = sent(two());
    assert_eq!((ids(&second), &second.failed), (vec![Some("70010001:7"), Some("70010001:8")], &None));
    assert_eq!(provider.requests()[2].json()["text"], "two");
    assert_eq!(ids(&sent(two())).len(), 2, "and a third attempt nothing at all");
}

#[test]
fn stickers_places_contacts() {
    let sticker = Sticker { source: Source::ProviderRef("CAAC1".into()), emoji: None, mime_type: None, extras: Vec::new() };
    assert_eq!(request("sendSticker", message(vec![Content::Sticker(sticker)])), json!({"chat_id": 70010001, "sticker": "CAAC1"}));
    let animated = Sticker { source: Source::Url("https://e.org/a.tgs".into()), emoji: None, mime_type: None, extras: Vec::new() };
    assert_eq!(pointer(&refused(vec![Content::Sticker(animated)])), "/content/0/url");
    let place =
        |name: Option<&str>| Content::Location(Location { latitude: 30.5, longitude: 31.5, name: name.map(str::to_owned), address: None });
    assert_eq!(request("sendLocation", message(vec![place(None)])), json!({"chat_id": 70010001, "latitude": 30.5, "longitude": 31.5}));
    let venue = json!({"chat_id": 70010001, "latitude": 30.5, "longitude": 31.5, "title": "Office", "address": "Office"});
    assert_eq!(request("sendVenue", message(vec![place(Some("Office"))])), venue);
    let card = ContactCard { name: "Zein K".into(), phones: vec!["+2010".into()], emails: Vec::new(), vcard: None };
    let contact = json!({"chat_id": 70010001, "phone_number": "+2010", "first_name": "Zein", "last_name": "K"});
    assert_eq!(request("sendContact", message(vec![Content::Contacts(vec![card])])), contact);
}

fn poll(options: usize, extras: &[(&str, &str)]) -> Content {
    Content::Poll(Poll {
        question: "Lunch?".into(),
        options: (0..options).map(|option| format!("o{option}")).collect(),
        multiple: false,
        anonymous: false,
        extras: extras.iter().map(|(name, value)| Field::new(*name, *value)).collect(),
    })
}

#[test]
fn a_poll_tells_its_id_so_that_votes_find_it() {
    let provider = Provider::new();
    let answer = json!({"message_id": 7, "chat": {"id": 70010001}, "poll": {"id": "5321"}});
    provider.on("POST api /sendPoll").answer(200, &ok(&answer));
    let sent = sent(message(vec![poll(2, &[("correct_option", "1"), ("explanation", "because"), ("open_period", "60")])]));
    assert_eq!(sent.accepted[0].extras, [Field::new("ref", "5321")]);
    assert_eq!(
        provider.requests()[0].json(),
        json!({"chat_id": 70010001, "question": "Lunch?", "options": [{"text": "o0"}, {"text": "o1"}], "is_anonymous": false,
            "allows_multiple_answers": false, "type": "quiz", "correct_option_ids": [1], "correct_option_id": 1,
            "explanation": "because", "open_period": 60})
    );
}

#[test]
fn a_polls_limits_are_named() {
    assert_eq!(pointer(&refused(vec![poll(1, &[])])), "/content/0/options");
    assert_eq!(pointer(&refused(vec![poll(13, &[])])), "/content/0/options");
    assert_eq!(pointer(&refused(vec![poll(2, &[("open_period", "4")])])), "/content/0/extras/open_period");
    assert_eq!(pointer(&refused(vec![poll(2, &[("correct_option", "2")])])), "/content/0/extras/correct_option");
    assert_eq!(pointer(&refused(vec![poll(2, &[("type", "quiz")])])), "/content/0/extras/correct_option");
}

fn interactive(choices: Choices) -> Content {
    Content::Interactive(Interactive { header: Some("Order".into()), body: "Sure?".into(), footer: Some("Shop".into()), choices })
}

fn button(title: &str, action: Action) -> Button {
    Button { title: title.into(), action }
}

#[test]
fn buttons_are_an_inline_keyboard_and_quick_replies_a_keyboard() {
    let buttons = vec![button("Yes", Action::Reply("y".into())), button("Site", Action::Url("https://e.org".into()))];
    assert_eq!(
        request("sendMessage", message(vec![interactive(Choices::Buttons(buttons))])),
        json!({"chat_id": 70010001, "text": "Order\n\nSure?\n\nShop", "reply_markup": {"inline_keyboard": [
            [{"text": "Yes", "callback_data": "y"}], [{"text": "Site", "url": "https://e.org"}]]}})
    );
    let replies = Choices::QuickReplies(vec![button("Yes", Action::Reply("y".into()))]);
    assert_eq!(
        request("sendMessage", message(vec![interactive(replies)]))["reply_markup"],
        json!({"keyboard": [[{"text": "Yes"}]], "resize_keyboard": true, "one_time_keyboard": true})
    );
}

#[test]
fn a_wrong_button_is_named() {
    let wrong = |action: Action| pointer(&refused(vec![interactive(Choices::Buttons(vec![button("B", action)]))])).to_owned();
    assert_eq!(wrong(Action::Reply("é".repeat(33))), "/content/0/buttons/0/reply");
    assert_eq!(wrong(Action::Reply(String::new())), "/content/0/buttons/0/reply");
    for url in ["example.org", "https://", "https://localhost/x", "https://a b.org", "javascript:alert(1)"] {
        assert_eq!(wrong(Action::Url(url.into())), "/content/0/buttons/0/url", "{url}");
    }
    assert_eq!(wrong(Action::Call("+2010".into())), "/content/0/buttons/0/call");
}

#[test]
fn what_telegram_does_not_carry_is_unsupported() {
    let template = Template { name: "t".into(), language: "en".into(), header: None, body: Vec::new(), buttons: Vec::new() };
    assert!(matches!(refused(vec![Content::Template(template)]), Failure::Unsupported(_)));
    let menu = Choices::Menu(Menu { label: "m".into(), sections: Vec::new() });
    assert!(matches!(refused(vec![interactive(menu)]), Failure::Unsupported(_)));
}

#[test]
fn what_is_wrong_with_a_message_is_named_as_the_client_wrote_it() {
    let wrong = |content: Content| pointer(&refused(vec![content])).to_owned();
    assert_eq!(wrong(text(" ")), "/content/0/text");
    assert_eq!(wrong(interactive(Choices::Buttons(vec![button(" ", Action::Reply("y".into()))]))), "/content/0/buttons/0/title");
    let link = || vec![button("B", Action::Url("https://e.org".into()))];
    assert_eq!(wrong(interactive(Choices::QuickReplies(link()))), "/content/0/quick_replies/0/url");
    let wordless = Interactive { header: None, body: String::new(), footer: None, choices: Choices::Buttons(link()) };
    assert_eq!(wrong(Content::Interactive(wordless)), "/content/0/body");
    let blank = Media { caption: Some(" ".repeat(1025)), ..media(MediaKind::Image, url()) };
    assert_eq!(wrong(Content::Media(blank)), "/content/0/caption");
    let long = |question: usize, option: usize| {
        let options = vec!["a".into(), "b".repeat(option)];
        Content::Poll(Poll { question: "q".repeat(question), options, multiple: false, anonymous: true, extras: Vec::new() })
    };
    assert_eq!((wrong(long(301, 1)), wrong(long(1, 101))), ("/content/0/question".to_owned(), "/content/0/options/1".to_owned()));
    let mut phone = message(vec![text("x")]);
    phone.to = "+201001234567".into();
    let _nobody_is_asked = Provider::new();
    assert_eq!(pointer(&sent(phone).failed.unwrap()), "/to");
}

#[test]
fn the_kind_of_the_conversation_is_told_where_telegram_tells_it() {
    for (kind, expected) in [("private", "direct"), ("group", "group"), ("supergroup", "group"), ("channel", "broadcast")] {
        let provider = Provider::new();
        provider.on("POST api /sendMessage").answer(200, &ok(&json!({"message_id": 7, "chat": {"id": 70010001, "type": kind}})));
        assert_eq!(sent(message(vec![text("x")])).accepted[0].extras, [Field::new("conversation_kind", expected)]);
    }
}

#[test]
fn a_migrated_group_is_written_to_under_its_new_id() {
    let provider = Provider::new();
    let mut moved = refusal(400, "Bad Request: group chat was upgraded to a supergroup chat");
    moved["parameters"] = json!({"migrate_to_chat_id": -1_005_001_000_001_i64});
    let answer = ok(&json!({"message_id": 7, "chat": {"id": -1_005_001_000_001_i64}}));
    provider.on("POST api /sendMessage").answer(400, &moved).answer(200, &answer);
    let mut message = message(vec![text("x")]);
    message.to = "-5001".into();
    let sent = sent(message);
    assert_eq!((ids(&sent), &sent.failed), (vec![Some("-1005001000001:7")], &None));
    assert_eq!(provider.requests()[1].json()["chat_id"], json!(-1_005_001_000_001_i64));
    assert_eq!(
        (sent.events[0].dedupe_key.as_str(), &sent.events[0].what),
        ("tg:42:moved:-5001:-1005001000001", &Happening::Moved("-1005001000001".into()))
    );
}

#[test]
fn a_block_is_the_recipients_and_also_an_opt_out() {
    let provider = Provider::new();
    provider.on("POST api /sendMessage").answer(403, &refusal(403, "Forbidden: bot was blocked by the user"));
    let sent = sent(message(vec![text("x")]));
    assert!(matches!(sent.failed, Some(Failure::Recipient(_))));
    assert!(matches!(sent.events[0].what, Happening::OptedOut(_)));
}

#[test]
fn what_is_known_to_have_been_sent_decides() {
    let provider = Provider::new();
    let failure = || sent(message(vec![text("x")])).failed.unwrap();
    provider.on("POST api /sendMessage").not_sent("dns");
    assert!(matches!(failure(), Failure::Unavailable(_)));
    provider.on("POST api /sendMessage").broken("timeout");
    assert!(matches!(failure(), Failure::Uncertain(_)));
    provider.on("POST api /sendMessage").answer_bytes(502, "text/html", "<html>Bad Gateway</html>");
    assert!(matches!(failure(), Failure::Unavailable(_)));
    provider.on("POST api /sendMessage").answer_bytes(200, "text/html", "<html>hello</html>");
    assert!(matches!(failure(), Failure::Uncertain(_)));
    provider.on("POST api /sendMessage").answer_bytes(413, "text/html", "<html>Too Large</html>");
    assert!(matches!(failure(), Failure::Rejected(_)));
}

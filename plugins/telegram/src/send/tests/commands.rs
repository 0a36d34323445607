//! What is done to messages, with its exact requests.

use super::*;

/// The request of a command that Telegram answers with that.
fn command(method: &str, command: Command, status: u16, answer: &Value) -> (Sent, Value) {
    let provider = Provider::new();
    let route = format!("POST api /{method}");
    provider.on(&route).answer(status, answer);
    let sent = sent(testing::outbound(CHAT, command));
    (sent, provider.requests()[0].json())
}

#[test]
fn reactions_are_set_and_taken_back() {
    let react = |emoji: Option<&str>, removed| {
        let reaction = Reaction { target: "70010001:7".into(), emoji: emoji.map(str::to_owned), removed };
        command("setMessageReaction", Command::React(reaction), 200, &ok(&json!(true))).1["reaction"].clone()
    };
    assert_eq!(react(Some("👍"), false), json!([{"type": "emoji", "emoji": "👍"}]));
    assert_eq!(react(Some("custom:5368"), false), json!([{"type": "custom_emoji", "custom_emoji_id": "5368"}]));
    assert_eq!((react(Some("👍"), true), react(None, true)), (json!([]), json!([])));
}

#[test]
fn an_edit_takes_the_method_of_its_content() {
    let edit = |method: &str, content: Content| {
        let edit = Edit { target: "70010001:7".into(), content };
        let (sent, request) = command(method, Command::Edit(edit), 200, &made(7));
        assert_eq!(ids(&sent), [Some("70010001:7")]);
        assert_eq!((&request["chat_id"], &request["message_id"]), (&json!(70010001), &json!(7)));
        request
    };
    assert_eq!(edit("editMessageText", text("new"))["text"], "new");
    let caption = Media { caption: Some("new".into()), ..media(MediaKind::Image, Source::ProviderRef(String::new())) };
    assert_eq!(edit("editMessageCaption", Content::Media(caption))["caption"], "new");
    assert_eq!(edit("editMessageMedia", Content::Media(media(MediaKind::Image, url())))["media"]["type"], "photo");
    let keys = Choices::Buttons(vec![button("Yes", Action::Reply("y".into()))]);
    let bare = Interactive { header: None, body: String::new(), footer: None, choices: keys };
    assert!(edit("editMessageReplyMarkup", Content::Interactive(bare))["reply_markup"].is_object());
}

#[test]
fn an_edited_caption_keeps_its_format() {
    for (format, body) in [(TextFormat::Markdown, "**new**"), (TextFormat::Html, "<b>new</b>")] {
        let provider = Provider::new();
        let media = refusal(400, "Bad Request: there is no text in the message to edit");
        provider.on("POST api /editMessageText").answer(400, &media);
        provider.on("POST api /editMessageCaption").answer(200, &made(7));
        let content = Content::Text(Text { body: body.into(), format, preview_links: true });
        assert_eq!(sent(testing::outbound(CHAT, Command::Edit(Edit { target: "70010001:7".into(), content }))).failed, None);
        let expected = json!({"chat_id": 70010001, "message_id": 7, "caption": "<b>new</b>", "parse_mode": "HTML"});
        assert_eq!(provider.requests()[1].json(), expected);
    }
    let caption = Media { caption: Some("**new**".into()), ..media(MediaKind::Image, Source::ProviderRef(String::new())) };
    let edit = Edit { target: "70010001:7".into(), content: Content::Media(caption) };
    let mut message = testing::outbound(CHAT, Command::Edit(edit));
    message.extras = vec![Field::new("parse_mode", "markdown")];
    let provider = Provider::new();
    provider.on("POST api /editMessageCaption").answer(200, &made(7));
    assert_eq!(sent(message).failed, None);
    assert_eq!(provider.requests()[0].json()["parse_mode"], "HTML");
}

#[test]
fn what_is_wrong_with_a_command_is_named_as_the_client_wrote_it() {
    let _nobody_is_asked = Provider::new();
    let wrong = |command: Command| pointer(&sent(testing::outbound(CHAT, command)).failed.unwrap()).to_owned();
    let edit = |target: &str, content: Content| wrong(Command::Edit(Edit { target: target.into(), content }));
    let keys = || Choices::Buttons(vec![button("B", Action::Url("nowhere".into()))]);
    assert_eq!(edit("5:x", text("new")), "/edit/target");
    assert_eq!(edit("5:7", text("")), "/edit/content/text");
    assert_eq!(edit("5:7", interactive(keys())), "/edit/content/buttons/0/url");
    assert_eq!(edit("5:7", Content::Media(media(MediaKind::Image, Source::Url("ftp://x".into())))), "/edit/content/url");
    let caption = Media { caption: Some("x".repeat(1025)), ..media(MediaKind::Image, Source::ProviderRef(String::new())) };
    assert_eq!(edit("5:7", Content::Media(caption)), "/edit/content/caption");
    assert_eq!(wrong(Command::React(Reaction { target: String::new(), emoji: None, removed: false })), "/react/target");
    assert_eq!(wrong(Command::Delete("5:x".into())), "/delete");
    assert_eq!(wrong(Command::Custom(Custom::new("callback_answer", &json!({})))), "/custom/data");
    assert_eq!(wrong(Command::Custom(Custom::new("poll_stop", &json!({"target": "5:x"})))), "/custom/data/target");
}

/// A message of these parts, deleted.
fn deleted(first: &str, also: &str) -> Sent {
    let mut message = testing::outbound(CHAT, Command::Delete(first.into()));
    message.extras = vec![Field::new("also", also)];
    sent(message)
}

#[test]
fn every_part_of_a_message_is_deleted() {
    let provider = Provider::new();
    provider.on("POST api /deleteMessages").answer(200, &ok(&json!(true)));
    let sent = deleted("-100:7", "-100:8,-100:9,-100:7");
    assert_eq!((ids(&sent), &sent.failed), (vec![Some("-100:7")], &None));
    assert_eq!(provider.requests()[0].json(), json!({"chat_id": -100, "message_ids": [7, 8, 9]}));
}

#[test]
fn parts_that_cannot_be_deleted_together_are_deleted_one_by_one() {
    let provider = Provider::new();
    let gone = refusal(400, "Bad Request: message to delete not found");
    provider.on("POST api /deleteMessage").answer(200, &ok(&json!(true))).answer(400, &gone);
    assert_eq!(deleted("-100:7", "-200:8").failed, None, "of two chats");
    provider.on("POST api /deleteMessages").answer(400, &refusal(400, "Bad Request: message can't be deleted"));
    let old = refusal(400, "Bad Request: message can't be deleted for everyone");
    provider.on("POST api /deleteMessage").answer(400, &old).answer(200, &ok(&json!(true)));
    assert!(matches!(deleted("-100:7", "-100:8").failed, Some(Failure::Rejected(_))));
    assert_eq!(provider.requests().len(), 5, "the second is deleted although the first can't be");
}

#[test]
fn an_edit_that_changes_nothing_is_done() {
    let edit = || Command::Edit(Edit { target: "70010001:7".into(), content: text("same") });
    let same = refusal(400, "Bad Request: message is not modified: specified new message content is exactly the same");
    assert_eq!(command("editMessageText", edit(), 400, &same).0.failed, None);
    let gone = refusal(400, "Bad Request: message to edit not found");
    assert!(matches!(command("editMessageText", edit(), 400, &gone).0.failed, Some(Failure::Rejected(_))));
}

#[test]
fn deleting_typing_and_reading() {
    let (sent, request) = command("deleteMessage", Command::Delete("-100:7".into()), 200, &ok(&json!(true)));
    assert_eq!((sent.failed, request), (None, json!({"chat_id": -100, "message_id": 7})));
    let (sent, request) = command("sendChatAction", Command::Typing(true), 200, &ok(&json!(true)));
    assert_eq!((sent.failed, request), (None, json!({"chat_id": 70010001, "action": "typing"})));
    let _nobody_is_asked = Provider::new();
    assert_eq!(self::sent(testing::outbound(CHAT, Command::Typing(false))).failed, None);
    let read = self::sent(testing::outbound(CHAT, Command::MarkRead("70010001:7".into())));
    assert!(matches!(read.failed, Some(Failure::Unsupported(_))));
}

#[test]
fn a_press_is_answered_and_a_late_answer_does_no_harm() {
    let answer = |json: Value| Command::Custom(Custom::new("callback_answer", &json));
    let asked = json!({"callback_query_id": "4382", "text": "Done", "show_alert": true});
    let (sent, request) = command("answerCallbackQuery", answer(asked.clone()), 200, &ok(&json!(true)));
    assert_eq!((sent.failed, request), (None, asked.clone()));
    let late = refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid");
    assert_eq!(command("answerCallbackQuery", answer(asked), 400, &late).0.failed, None);
    let _nobody_is_asked = Provider::new();
    let long = answer(json!({"callback_query_id": "1", "text": "x".repeat(201)}));
    assert_eq!(pointer(&self::sent(testing::outbound(CHAT, long)).failed.unwrap()), "/custom/data/text");
}

#[test]
fn a_stopped_poll_tells_its_totals() {
    let stop = Command::Custom(Custom::new("poll_stop", &json!({"target": "70010001:7"})));
    let poll = json!({"id": "5321", "is_closed": true, "options": [{"text": "a", "voter_count": 2}], "total_voter_count": 2});
    let (sent, request) = command("stopPoll", stop, 200, &ok(&poll));
    assert_eq!(request, json!({"chat_id": 70010001, "message_id": 7}));
    assert!(matches!(&sent.events[0].what, Happening::Custom(state) if state.kind == "poll_state"));
}

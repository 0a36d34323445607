use super::*;
use patchbay_plugin::messages::{
    Action, Button, Choices, Content, Custom, Interactive, Media, MediaKind, Menu, Row, Section, Source, Text,
};
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::{Field, Fields as _};

const SEND: &str = "POST api /business/message/send/";
const LIST: &str = "GET api /business/message/content/list/";
const CAPABILITIES: &str = "GET api /business/message/capabilities/get/";
const OPENED: i64 = 1_764_000_000_000;

fn call() -> Call {
    let mut call = testing::call(Some("biz_open_id_1"), &json!({}));
    call.extras = vec![Field::new("now_ms", format!("{}", OPENED + 3_600_000))];
    call
}

fn ok(id: &str) -> Value {
    json!({"code": 0, "message": "OK", "request_id": "r", "data": {"message": {"message_id": id}}})
}

fn no(code: i64, message: &str) -> Value {
    json!({"code": code, "message": message, "request_id": "r"})
}

fn outbound(command: Command) -> Outbound {
    testing::outbound("Yx+1Q==", command)
}

fn message(contents: Vec<Content>) -> Outbound {
    let context = Context { opened_at: OPENED, message: "m_1".into(), kind: "text".into() };
    Outbound { reply_context: context.written(), ..outbound(Command::Message(contents)) }
}

fn text(body: &str) -> Content {
    Content::Text(Text::plain(body))
}

fn media(kind: MediaKind, mime_type: &str, size: u32, caption: Option<&str>) -> Content {
    Content::Media(Media {
        kind,
        source: Source::BlobRef("blob-1".into()),
        mime_type: Some(mime_type.into()),
        file_name: None,
        size: Some(size),
        caption: caption.map(str::to_owned),
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    })
}

fn buttons(body: &str, titles: &[&str]) -> Interactive {
    let button = |title: &&str| Button { title: (*title).into(), action: Action::Reply(format!("id:{title}")) };
    Interactive { header: None, body: body.into(), footer: None, choices: Choices::Buttons(titles.iter().map(button).collect()) }
}

fn ids(sent: &Sent) -> Vec<&str> {
    sent.accepted.iter().filter_map(|part| part.external_id.as_deref()).collect()
}

#[test]
fn a_text_goes_to_its_conversation_and_tells_what_is_left() {
    let provider = Provider::new();
    provider.on(SEND).answer(200, &ok("m_out_1"));
    let sent = send(&call(), &message(vec![text("Hello")]));
    assert_eq!((ids(&sent), sent.failed.is_none()), (vec!["m_out_1"], true));
    let expected = json!({"business_id": "biz_open_id_1", "recipient_type": "CONVERSATION", "recipient": "Yx+1Q==",
        "message_type": "TEXT", "text": {"body": "Hello"}});
    assert_eq!(provider.requests()[0].json(), expected);
    let facts = &sent.accepted[0].extras;
    assert_eq!((facts.value("window_left"), facts.value("window_closes_at")), (Some("9"), Some("2025-11-26T16:00:00Z")));
}

#[test]
fn a_picture_is_uploaded_and_its_caption_follows() {
    let provider = Provider::new();
    provider.on("POST api /business/message/media/upload/").answer(200, &json!({"code": 0, "data": {"media_id": "i1"}}));
    provider.on(SEND).answer(200, &ok("a")).answer(200, &ok("b"));
    let sent = send(&call(), &message(vec![media(MediaKind::Image, "image/png", 1000, Some("New"))]));
    assert_eq!((ids(&sent), sent.failed.is_none()), (vec!["a", "b"], true));
    assert_eq!(sent.accepted.iter().map(|part| part.part).collect::<Vec<_>>(), [0, 1]);
    let requests = provider.requests();
    assert_eq!((requests[0].field("media_type"), requests[0].field("file")), (Some("IMAGE"), Some("blob-ref:blob-1")));
    assert_eq!(requests[1].json()["image"], json!({"media_id": "i1"}));
    assert_eq!(requests[2].json()["text"], json!({"body": "New"}));
    assert_eq!(sent.accepted[1].extras.value("window_left"), Some("8"));
}

#[test]
fn what_was_accepted_counts_and_is_not_sent_again() {
    let provider = Provider::new();
    provider.on(SEND).answer(200, &ok("a")).answer(200, &no(51_065, "busy"));
    let both = message(vec![text("One"), text("Two")]);
    let sent = send(&call(), &both);
    assert_eq!(ids(&sent), ["a"]);
    assert!(matches!(sent.failed, Some(Failure::Unavailable(_))));
    provider.on(SEND).answer(200, &ok("b"));
    let sent = send(&call(), &both);
    assert_eq!(ids(&sent), ["a", "b"]);
    assert_eq!(provider.requests().last().unwrap().json()["text"]["body"], "Two");
    assert_eq!(sent.accepted[1].extras.value("window_left"), Some("8"), "the one that failed was given back");
}

#[test]
fn pictures_that_tiktok_refuses_are_refused_before_anything_is_sent() {
    let _provider = Provider::new();
    for (content, pointer) in [
        (media(MediaKind::Image, "image/webp", 1000, None), "/content/1/mime_type"),
        (media(MediaKind::Image, "image/png", 3_145_729, None), "/content/1/media_id"),
        (media(MediaKind::Image, "image/png", 1000, Some(&"x".repeat(6001))), "/content/1/caption"),
        (text(&"x".repeat(6001)), "/content/1/text"),
        (text(""), "/content/1/text"),
        (Content::Custom(Custom::new("share_post", &json!({}))), "/content/1/data/item_id"),
        (Content::Custom(Custom::new("share_post", &json!({"item_id": "x/y"}))), "/content/1/data/item_id"),
    ] {
        let Some(Failure::Invalid(problems)) = send(&call(), &message(vec![text("first"), content])).failed else { panic!("{pointer}") };
        assert_eq!(problems[0].pointer, pointer);
    }
}

#[test]
fn a_video_file_is_unsupported_and_a_post_is_shared() {
    let provider = Provider::new();
    let sent = send(&call(), &message(vec![media(MediaKind::Video, "video/mp4", 1000, None)]));
    assert!(matches!(sent.failed, Some(Failure::Unsupported(detail)) if detail.message.contains("share_post")));
    provider.on(SEND).answer(200, &ok("t"));
    assert_eq!(ids(&send(&call(), &message(vec![Content::Custom(Custom::new("share_post", &json!({"item_id": "post_1"})))]))), ["t"]);
    provider.on(SEND).answer(200, &ok("s"));
    let sent = send(&call(), &message(vec![Content::Custom(Custom::new("share_post", &json!({"item_id": "7512"})))]));
    assert_eq!(ids(&sent), ["s"]);
    let body = provider.requests()[1].json();
    assert_eq!((&body["message_type"], &body["share_post"]), (&json!("SHARE_POST"), &json!({"item_id": "7512"})));
    for kind in [MediaKind::Audio, MediaKind::Voice, MediaKind::Document, MediaKind::Animation] {
        assert!(matches!(send(&call(), &message(vec![media(kind, "x/y", 1, None)])).failed, Some(Failure::Unsupported(_))));
    }
}

#[test]
fn where_pictures_are_impossible_tiktok_is_asked_and_it_is_said() {
    let provider = Provider::new();
    let picture = || message(vec![Content::Media(Media { source: Source::ProviderRef("i1".into()), ..image() })]);
    let told =
        |result: bool| json!({"code": 0, "data": {"capability_infos": [{"capability_type": "IMAGE_SEND", "capability_result": result}]}});
    provider.on(SEND).answer(200, &no(40_002, "image not allowed"));
    provider.on(CAPABILITIES).answer(200, &no(40_002, "no such SINGLE")).answer(200, &told(false));
    assert!(matches!(send(&call(), &picture()).failed, Some(Failure::Unsupported(detail)) if detail.code == "image_send"));
    let asked = provider.requests();
    assert_eq!(asked[1].query.value("conversation_id"), Some("Yx+1Q=="));
    assert_eq!((asked[1].query.value("conversation_type"), asked[2].query.value("conversation_type")), (Some("SINGLE"), Some("STRANGER")));
    provider.on(SEND).answer(200, &no(40_002, "media_id is invalid"));
    provider.on(CAPABILITIES).answer(200, &told(true));
    assert!(matches!(send(&call(), &picture()).failed, Some(Failure::Rejected(_))));
}

fn image() -> Media {
    match media(MediaKind::Image, "image/png", 1, None) {
        Content::Media(media) => media,
        other => panic!("{other:?}"),
    }
}

#[test]
fn buttons_are_a_card_where_they_fit_and_a_list_where_not() {
    let provider = Provider::new();
    let sent = |asked: Interactive| {
        provider.on(SEND).answer(200, &ok("x"));
        assert_eq!(send(&call(), &message(vec![Content::Interactive(asked)])).failed, None);
        provider.requests().last().unwrap().json()
    };
    let card = sent(buttons("Which size?", &["M", "L"]));
    let expected = json!({"type": "QA_BUTTON_CARD", "title": "Which size?", "buttons": [
        {"type": "REPLY", "title": "M", "id": "id:M"}, {"type": "REPLY", "title": "L", "id": "id:L"}]});
    assert_eq!((&card["message_type"], &card["template"]), (&json!("TEMPLATE"), &expected));
    assert_eq!(sent(buttons("Which?", &[&"m".repeat(30)]))["template"]["type"], "QA_LINK_CARD");
    let listed = |asked: Interactive| sent(asked)["text"]["body"].as_str().unwrap().to_owned();
    assert_eq!(listed(buttons(&"q".repeat(41), &["M"])), format!("{}\n\n1. M", "q".repeat(41)));
    assert_eq!(listed(buttons("Which?", &["A", "B", "C", "D"])), "Which?\n\n1. A\n2. B\n3. C\n4. D");
    let framed = Interactive { header: Some("Sizes".into()), footer: Some("Thanks".into()), ..buttons("Which?", &["M"]) };
    assert_eq!(listed(framed), "Sizes\n\nWhich?\n\n1. M\n\nThanks");
}

#[test]
fn links_and_menus_are_written_out() {
    let provider = Provider::new();
    let link = Button { title: "Shop".into(), action: Action::Url("https://acme.example".into()) };
    let row = |title: &str, note: Option<&str>| Row { id: title.into(), title: title.into(), description: note.map(str::to_owned) };
    let section = Section { title: "Shirts".into(), rows: vec![row("Red", Some("cotton")), row("Blue", None)] };
    let asked = |choices| Content::Interactive(Interactive { header: None, body: "Look".into(), footer: None, choices });
    provider.on(SEND).answer(200, &ok("a")).answer(200, &ok("b"));
    let menu = Choices::Menu(Menu { label: "Open".into(), sections: vec![section] });
    let sent = send(&call(), &message(vec![asked(Choices::Buttons(vec![link])), asked(menu)]));
    assert_eq!(ids(&sent), ["a", "b"]);
    let requests = provider.requests();
    assert_eq!(requests[0].json()["text"]["body"], "Look\n\n1. Shop: https://acme.example");
    assert_eq!(requests[1].json()["text"]["body"], "Look\n\nShirts\n1. Red (cotton)\n2. Blue");
    assert!(matches!(send(&call(), &message(vec![asked(Choices::Buttons(Vec::new()))])).failed, Some(Failure::Invalid(_))));
    assert!(matches!(send(&call(), &message(vec![asked(Choices::Carousel(Vec::new()))])).failed, Some(Failure::Unsupported(_))));
}

#[test]
fn typing_and_seen_do_not_count() {
    let provider = Provider::new();
    provider.on(SEND).answer(200, &ok("")).answer(200, &ok("")).answer(200, &ok("m"));
    assert_eq!(send(&call(), &outbound(Command::Typing(true))).failed, None);
    assert_eq!(send(&call(), &outbound(Command::Typing(false))).failed, None);
    assert_eq!(ids(&send(&call(), &outbound(Command::MarkRead("m_1".into())))), ["m_1"]);
    let requests = provider.requests();
    assert_eq!(requests[0].json()["sender_action"], "TYPING");
    assert_eq!(requests[1].json()["sender_action"], "MARK_READ");
    let sent = send(&call(), &message(vec![text("Hi")]));
    assert_eq!(sent.accepted[0].extras.value("window_left"), Some("9"));
}

#[test]
fn what_tiktok_cannot_do_is_unsupported() {
    let _provider = Provider::new();
    let reaction = patchbay_plugin::messages::Reaction { target: "m".into(), emoji: Some("👍".into()), removed: false };
    let edit = patchbay_plugin::messages::Edit { target: "m".into(), content: text("x") };
    for command in
        [Command::React(reaction), Command::Edit(edit), Command::Delete("m".into()), Command::Custom(Custom::new("x", &json!({})))]
    {
        assert!(matches!(send(&call(), &outbound(command)).failed, Some(Failure::Unsupported(_))));
    }
}

fn quoting(target: &str, contents: Vec<Content>) -> Outbound {
    Outbound { reply_to: Some(target.into()), ..message(contents) }
}

#[test]
fn the_first_text_quotes_and_only_what_can_be_quoted() {
    let provider = Provider::new();
    let post = Content::Custom(Custom::new("share_post", &json!({"item_id": "7"})));
    provider.on(SEND).answer(200, &ok("a")).answer(200, &ok("b"));
    assert_eq!(send(&call(), &quoting("m_1", vec![post.clone(), text("This")])).failed, None);
    let requests = provider.requests();
    assert!(requests[0].json().get("referenced_message_info").is_none());
    assert_eq!(requests[1].json()["referenced_message_info"], json!({"referenced_message_id": "m_1"}));
    let refused = |sent: Sent| matches!(sent.failed, Some(Failure::Invalid(problems)) if problems[0].pointer == "/reply_to");
    assert!(refused(send(&call(), &quoting("m_1", vec![post]))));
    let listed = json!({"code": 0, "data": {"messages": [{"message_id": "m_2", "message_type": "VIDEO"}, {"message_id": "m_3", "message_type": "IMAGE"}]}});
    provider.on(LIST).answer(200, &listed);
    assert!(refused(send(&call(), &quoting("m_2", vec![text("This")]))));
    provider.on(LIST).answer(200, &listed).answer(200, &no(50_000, "busy"));
    provider.on(SEND).answer(200, &ok("c")).answer(200, &ok("d"));
    for target in ["m_3", "m_0"] {
        assert_eq!(send(&call(), &quoting(target, vec![text("This")])).failed, None, "{target}");
    }
}

#[test]
fn a_closed_window_is_refused_early_unless_the_person_has_written_meanwhile() {
    let provider = Provider::new();
    let ten = message((0..10).map(|number| text(&format!("{number}"))).collect());
    for number in 0..10 {
        provider.on(SEND).answer(200, &ok(&format!("{number}")));
    }
    assert_eq!(send(&call(), &ten).accepted.len(), 10);
    let listed = |at: i64, from: &str| {
        json!({"code": 0, "data": {"messages": [
            {"message_id": "o", "timestamp": at + 9, "from_user": {"id": "biz_open_id_1", "role": "BUSINESS_ACCOUNT"}},
            {"message_id": "x", "timestamp": at, "from_user": {"id": from, "role": "PERSONAL_ACCOUNT"}}]}})
    };
    let next = || Outbound { id: "next".into(), ..message(vec![text("More")]) };
    provider.on(LIST).answer(200, &listed(OPENED, "u_77"));
    assert!(matches!(send(&call(), &next()).failed, Some(Failure::WindowClosed(detail)) if detail.code == "window_closed"));
    provider.on(LIST).answer(200, &no(40_105, "dead"));
    assert!(matches!(send(&call(), &next()).failed, Some(Failure::WindowClosed(_))));
    assert_eq!(provider.requests().iter().filter(|request| request.method == "POST").count(), 10);
    provider.on(LIST).answer(200, &listed(OPENED + 60_000, "u_77"));
    provider.on(SEND).answer(200, &ok("m"));
    let sent = send(&call(), &next());
    assert_eq!(sent.accepted[0].extras.value("window_left"), Some("9"));
}

#[test]
fn whoever_wrote_last_is_told_in_several_ways() {
    let business = "biz_open_id_1";
    let roles = json!([{"id": business, "role": "BUSINESS_ACCOUNT"}, {"id": "u_77", "role": "PERSONAL_ACCOUNT"}]);
    let known = json!([{"id": "u_77", "role": "personal_account"}]);
    for (told, participants, theirs) in [
        (json!({"sender": "u_77", "recipient": business}), json!([]), true),
        (json!({"sender": "u_77"}), roles.clone(), true),
        (json!({"sender": "u_77"}), known, true),
        (json!({"sender": {"id": "u_77"}}), json!([]), true),
        (json!({"from_user": {"id": "u_77", "role": "PERSONAL_ACCOUNT"}}), json!([]), true),
        (json!({"sender": business, "recipient": "u_77"}), roles, false),
        (json!({"sender": "acme", "recipient": "mona"}), json!([]), false),
        (json!({}), json!([]), false),
    ] {
        let provider = Provider::new();
        let mut message_of = told.clone();
        message_of["timestamp"] = json!((OPENED + 60_000).to_string());
        provider.on(LIST).answer(200, &json!({"code": 0, "data": {"messages": [message_of], "participants": participants}}));
        if theirs {
            provider.on(SEND).answer(200, &ok("m"));
        }
        let mut late = call();
        late.extras = vec![Field::new("now_ms", format!("{}", OPENED + 48 * 3_600_000 + 1))];
        let failed = send(&late, &message(vec![text("Hi")])).failed;
        assert_eq!(failed.is_none(), theirs, "{told}: {failed:?}");
    }
}

#[test]
fn after_48_hours_nothing_is_sent() {
    let provider = Provider::new();
    let mut late = call();
    late.extras = vec![Field::new("now_ms", format!("{}", OPENED + 49 * 3_600_000))];
    provider.on(LIST).answer(200, &json!({"code": 0, "data": {"messages": []}}));
    assert!(
        matches!(send(&late, &message(vec![text("Hi")])).failed, Some(Failure::WindowClosed(detail)) if detail.message.contains("48 hours"))
    );
}

#[test]
fn every_code_is_the_failure_that_it_means() {
    let provider = Provider::new();
    for (code, known, class) in [
        (40_001, true, "forbidden"),
        (40_002, true, "rejected"),
        (40_007, true, "recipient"),
        (40_064, true, "rejected"),
        (40_064, false, "window_closed"),
        (40_100, true, "limited"),
        (40_105, true, "unauthorized"),
        (51_065, true, "unavailable"),
    ] {
        provider.on(SEND).answer(200, &no(code, "no"));
        let one = if known {
            message(vec![text("Hi")])
        } else {
            Outbound { to: "other".into(), reply_context: None, ..message(vec![text("Hi")]) }
        };
        let failure = send(&call(), &one).failed.unwrap();
        let got = match failure {
            Failure::Forbidden(_) => "forbidden",
            Failure::Rejected(_) => "rejected",
            Failure::Recipient(_) => "recipient",
            Failure::WindowClosed(_) => "window_closed",
            Failure::Limited(_) => "limited",
            Failure::Unauthorized(_) => "unauthorized",
            Failure::Unavailable(_) => "unavailable",
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(got, class, "{code}");
    }
}

#[test]
fn a_connection_that_breaks_is_a_doubt_and_stays_counted() {
    let provider = Provider::new();
    provider.on(SEND).broken("reset").answer_bytes(200, "text/html", "<html>");
    provider.on(SEND).not_sent("dns").answer(200, &ok("m"));
    for _ in 0..2 {
        assert!(matches!(send(&call(), &message(vec![text("Hi")])).failed, Some(Failure::Uncertain(_))));
    }
    assert!(matches!(send(&call(), &message(vec![text("Hi")])).failed, Some(Failure::Unavailable(_))));
    assert_eq!(send(&call(), &message(vec![text("Hi")])).accepted[0].extras.value("window_left"), Some("7"));
}

#[test]
fn a_comment_is_answered_without_a_window() {
    let provider = Provider::new();
    provider.on(SEND).answer(200, &ok("m"));
    let answer = Outbound { to: "comment:7512".into(), reply_context: None, ..message(vec![text("Thanks")]) };
    assert_eq!(send(&call(), &answer).failed, None);
    let body = provider.requests()[0].json();
    assert_eq!(body["direct_reply"], json!({"reply_type": "COMMENT_REPLY", "comment_reply": {"comment_id": "7512"}}));
    assert!(body.get("recipient").is_none());
    for to in ["", "comment:"] {
        assert!(matches!(send(&call(), &Outbound { to: to.into(), ..answer.clone() }).failed, Some(Failure::Invalid(_))));
    }
}

#[test]
fn an_account_that_is_not_connected_says_so() {
    let _provider = Provider::new();
    let sent = send(&testing::call(None, &json!({})), &message(vec![text("Hi")]));
    assert!(matches!(sent.failed, Some(Failure::Unauthorized(detail)) if detail.code == "not_connected"));
}

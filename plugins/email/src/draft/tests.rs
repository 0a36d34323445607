use patchbay_plugin::messages::{Content, Email, Media, MediaKind, Source, Text, TextFormat};
use patchbay_plugin::{Field, testing};

use super::*;

fn email() -> Email {
    Email {
        subject: "Hi".to_owned(),
        text: Some("Hello".to_owned()),
        html: None,
        cc: Vec::new(),
        bcc: Vec::new(),
        attachments: Vec::new(),
        headers: Vec::new(),
    }
}

fn media(source: Source, size: Option<u32>) -> Media {
    Media {
        kind: MediaKind::Image,
        source,
        mime_type: None,
        file_name: None,
        size,
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    }
}

fn outbound(content: Vec<Content>) -> Outbound {
    testing::outbound("mona@ex.test", Command::Message(content))
}

fn of(message: &Outbound) -> Result<Draft, Failure> {
    Draft::of(&Settings::default(), message)
}

/// Each wrong field, in order.
fn pointers(message: &Outbound) -> Vec<String> {
    match of(message) {
        Err(Failure::Invalid(problems)) => problems.into_iter().map(|problem| problem.pointer).collect(),
        other => panic!("not invalid: {other:?}"),
    }
}

fn with(change: impl FnOnce(&mut Email)) -> Vec<String> {
    let mut content = email();
    change(&mut content);
    pointers(&outbound(vec![Content::Email(content)]))
}

#[test]
fn a_line_break_in_any_value_is_refused_where_it_stands() {
    for bad in ["x\r\nBcc: evil@x.test", "x\nBcc: evil@x.test", "x\rBcc: evil@x.test", "x\0", "x\u{85}y"] {
        assert_eq!(with(|content| content.subject = bad.to_owned()), ["/content/0/subject"], "{bad:?}");
        assert_eq!(with(|content| content.cc = vec!["ok@x.test".to_owned(), format!("{bad}@x.test")]), ["/content/0/cc/1"], "{bad:?}");
        assert_eq!(with(|content| content.bcc = vec![format!("{bad} <b@x.test>")]), ["/content/0/bcc/0"], "{bad:?}");
        assert_eq!(with(|content| content.headers = vec![Field::new("X-A", bad)]), ["/content/0/headers/X-A"], "{bad:?}");
        let mut message = outbound(vec![Content::Email(email())]);
        message.to = format!("mona@ex.test{bad}");
        assert_eq!(pointers(&message), ["/to"], "{bad:?}");
        let mut message = outbound(vec![Content::Email(email())]);
        message.extras.push(Field::new("unsubscribe_url", format!("https://x.test/{bad}")));
        assert_eq!(pointers(&message), ["/extras/unsubscribe_url"], "{bad:?}");
    }
    assert_eq!(with(|content| content.headers = vec![Field::new("X-A: b\r\nBcc", "x")]).len(), 1);
}

#[test]
fn headers_of_others_cannot_be_given() {
    let names = [
        "From",
        "to",
        "CC",
        "Bcc",
        "Sender",
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "References",
        "MIME-Version",
        "Content-Type",
        "content-transfer-encoding",
        "Received",
        "Return-Path",
        "DKIM-Signature",
        "ARC-Seal",
        "Resent-To",
        "Authentication-Results",
        "X A",
        "",
        "X:A",
        "Ünicode",
    ];
    for name in names {
        assert_eq!(with(|content| content.headers = vec![Field::new(name, "x")]), [format!("/content/0/headers/{name}")], "{name}");
    }
    assert_eq!(with(|content| content.headers = vec![Field::new("X-Long", "y".repeat(901))]), ["/content/0/headers/X-Long"]);
    assert_eq!(with(|content| content.headers = vec![Field::new("X/Y", "")]), ["/content/0/headers/X~1Y"]);
    assert_eq!(with(|content| content.headers = vec![Field::new("Reply-To", "nobody")]), ["/content/0/headers/Reply-To"]);
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let wrong = with(|content| {
        content.cc = vec!["a".to_owned(), "b@x.test".to_owned(), "c@".to_owned()];
        content.headers = vec![Field::new("From", "x@y.test")];
        content.attachments = vec![media(Source::ProviderRef("r".to_owned()), None)];
    });
    assert_eq!(wrong, ["/content/0/cc/0", "/content/0/cc/2", "/content/0/attachments/0/provider_ref", "/content/0/headers/From"]);
}

#[test]
fn an_empty_letter_is_refused() {
    assert_eq!(with(|content| content.text = None), ["/content/0"]);
    assert_eq!(with(|content| content.text = Some(" \r\n".to_owned())), ["/content/0"]);
    let mut content = email();
    content.text = None;
    content.attachments.push(media(Source::BlobRef("f".to_owned()), Some(1)));
    assert!(of(&outbound(vec![Content::Email(content)])).is_ok(), "a file says enough");
}

#[test]
fn files_keep_to_the_limit_together() {
    let file = |size| media(Source::BlobRef("f".to_owned()), Some(size));
    let most = Settings::default().max_attachment_bytes;
    let letter = |sizes: [u32; 2]| {
        let mut content = email();
        content.attachments = sizes.map(file).to_vec();
        outbound(vec![Content::Email(content)])
    };
    assert_eq!(of(&letter([most - 5, 5])).unwrap().attached(), u64::from(most));
    assert_eq!(pointers(&letter([6, most - 5])), ["/content/0/attachments/1"]);
}

#[test]
fn what_mail_cannot_carry_is_refused() {
    let location = Content::Location(patchbay_plugin::messages::Location { latitude: 1.0, longitude: 2.0, name: None, address: None });
    assert_eq!(pointers(&outbound(vec![Content::Email(email()), location])), ["/content/1/type"]);
    assert_eq!(pointers(&outbound(vec![Content::Email(email()), Content::Email(email())])), ["/content/1"]);
    assert!(matches!(of(&testing::outbound("mona@ex.test", Command::Typing(true))), Err(Failure::Unsupported(_))));
}

#[test]
fn a_subject_comes_from_the_message_its_thread_or_the_account() {
    let text = || outbound(vec![Content::Text(Text::plain("Hi"))]);
    assert_eq!(pointers(&text()), ["/content/0"]);
    let settings = Settings { default_subject: "Message from Acme".to_owned(), ..Settings::default() };
    assert_eq!(Draft::of(&settings, &text()).unwrap().subject, "Message from Acme");
    let mut given = text();
    given.extras.push(Field::new("subject", "Yours"));
    assert_eq!(Draft::of(&settings, &given).unwrap().subject, "Yours");
    let mut answer = text();
    answer.to = "thread:a@x".to_owned();
    let context = |subject: &str| ReplyContext {
        to: vec!["mona@ex.test".to_owned()],
        message_id: "b@x".to_owned(),
        references: vec!["a@x".to_owned()],
        subject: subject.to_owned(),
    };
    answer.reply_context = Some(context("Price").write().unwrap());
    assert_eq!(Draft::of(&settings, &answer).unwrap().subject, "Re: Price");
    let mut email = email();
    for (given, expected) in [("price", "Re: Price"), ("RE: RE: Price", "Re: Price"), ("Another matter", "Another matter")] {
        email.subject = given.to_owned();
        answer.command = Command::Message(vec![Content::Email(email.clone())]);
        assert_eq!(of(&answer).unwrap().subject, expected, "{given}");
    }
}

#[test]
fn a_letter_follows_the_thread_or_begins_one() {
    let context = ReplyContext {
        to: vec!["mona@ex.test".to_owned(), "ali@ex.test".to_owned()],
        message_id: "c@x".to_owned(),
        references: vec!["a@x".to_owned(), "b@x".to_owned()],
        subject: "Price".to_owned(),
    };
    let follows = |to: &str, reply_to: Option<&str>, context: Option<&ReplyContext>| {
        let mut message = outbound(vec![Content::Email(email())]);
        message.to = to.to_owned();
        message.reply_to = reply_to.map(str::to_owned);
        message.reply_context = context.map(|context| context.write().unwrap());
        let draft = of(&message).unwrap();
        (draft.begins, draft.to.len(), draft.in_reply_to, draft.references.join(" "))
    };
    let id = |id: &str| Some(id.to_owned());
    assert_eq!(follows("mona@ex.test", None, None), (true, 1, None, String::new()));
    assert_eq!(follows("mona@ex.test", None, Some(&context)), (true, 1, None, String::new()), "a new letter");
    assert_eq!(follows("mona@ex.test", Some("z@x"), None), (true, 1, id("z@x"), "z@x".to_owned()));
    assert_eq!(follows("mona@ex.test", Some("b@x"), Some(&context)), (true, 1, id("b@x"), "a@x b@x".to_owned()));
    assert_eq!(follows("thread:a@x", None, Some(&context)), (false, 2, id("c@x"), "a@x b@x c@x".to_owned()));
    assert_eq!(follows("thread:a@x", Some("b@x"), Some(&context)), (false, 2, id("b@x"), "a@x b@x".to_owned()));
    assert_eq!(follows("thread:a@x", Some("z@x"), Some(&context)), (false, 2, id("z@x"), "a@x b@x c@x z@x".to_owned()));
    let mut message = outbound(vec![Content::Email(email())]);
    message.to = "thread:a@x".to_owned();
    assert_eq!(pointers(&message), ["/to"], "nobody knows its address");
}

#[test]
fn html_is_made_of_a_text_only_where_it_is_asked_for() {
    let mut message = outbound(vec![Content::Email(Email { text: Some("a <b>".to_owned()), ..email() })]);
    assert_eq!(of(&message).unwrap().html, None);
    message.extras.push(Field::new("html_from_text", "true"));
    assert!(of(&message).unwrap().html.unwrap().contains("a &lt;b&gt;"));
    let html = Text { body: "<p>Hello</p>".to_owned(), format: TextFormat::Html, preview_links: true };
    let mut message = outbound(vec![Content::Text(html)]);
    message.extras.push(Field::new("subject", "Hi"));
    let draft = of(&message).unwrap();
    assert_eq!((draft.html.as_deref(), draft.text.as_deref()), (Some("<p>Hello</p>"), Some("Hello")));
}

#[test]
fn nobody_gets_a_letter_twice_and_few_get_it_at_once() {
    let mut content = email();
    content.cc = vec!["Mona <MONA@ex.test>".to_owned(), "ali@ex.test".to_owned()];
    content.bcc = vec!["ali@EX.test".to_owned()];
    assert_eq!(of(&outbound(vec![Content::Email(content.clone())])).unwrap().recipients(), ["mona@ex.test", "ali@ex.test"]);
    content.bcc = (0..98).map(|n| format!("p{n}@ex.test")).collect();
    assert_eq!(pointers(&outbound(vec![Content::Email(content)])), ["/content/0/bcc"]);
}

#[test]
fn a_file_by_url_waits_until_it_is_fetched() {
    let mut content = email();
    content.attachments.push(media(Source::Url("https://x.test/a.png".to_owned()), None));
    let draft = of(&outbound(vec![Content::Email(content)])).unwrap();
    let file = &draft.attachments[0];
    assert_eq!((file.name.as_str(), file.mime_type.as_str()), ("attachment-1.jpeg", "image/jpeg"));
    assert!(matches!(file.reference(), Err(Failure::Invalid(problems)) if problems[0].pointer == "/content/0/attachments/0/url"));
}

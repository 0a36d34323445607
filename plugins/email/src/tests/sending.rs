use patchbay_plugin::mail::Refusal;
use patchbay_plugin::messages::{Accepted, Command, Content, Email as Letter, Media, MediaKind, Outbound, Sent, Source, Text};
use patchbay_plugin::testing::Provider;
use patchbay_plugin::{Channel as _, Fields as _, Preview as _};

use super::*;
use crate::Email;
use crate::thread::{self, ReplyContext};

fn letter() -> Letter {
    Letter {
        subject: "Price".to_owned(),
        text: Some("Hello".to_owned()),
        html: None,
        cc: vec!["ali@ex.test".to_owned()],
        bcc: vec!["boss@acme.test".to_owned()],
        attachments: Vec::new(),
        headers: Vec::new(),
    }
}

fn outbound(content: Content) -> Outbound {
    testing::outbound("Mona <mona@ex.test>", Command::Message(vec![content]))
}

fn sent(settings: &Value, message: Outbound) -> Accepted {
    let Sent { mut accepted, failed, events } = Email::send(&call(settings), message);
    assert_eq!((accepted.len(), failed, events.len()), (1, None, 0));
    accepted.remove(0)
}

#[test]
fn a_letter_is_handed_over_and_told() {
    let provider = Provider::new();
    provider.on("SUBMIT out").submitted("250 2.0.0 Ok: queued as 4B2", Vec::new());
    let accepted = sent(&settings(), outbound(Content::Email(letter())));
    assert_eq!((accepted.part, accepted.external_id.as_deref()), (0, Some(LETTER)));
    assert_eq!(accepted.extras.value("response"), Some("250 2.0.0 Ok: queued as 4B2"));
    assert_eq!(accepted.extras.value("conversation"), Some(format!("thread:{LETTER}").as_str()));
    assert_eq!(accepted.extras.value("refused"), None);
    let context = ReplyContext::read(accepted.extras.value("reply_context").map(str::as_bytes)).unwrap();
    assert_eq!((context.to, context.message_id.as_str(), context.subject.as_str()), (vec!["mona@ex.test".to_owned()], LETTER, "Price"));
    let letters = provider.letters();
    assert_eq!(letters[0].envelope.sender.as_deref(), Some("support@acme.test"));
    assert_eq!(letters[0].envelope.recipients, ["mona@ex.test", "ali@ex.test", "boss@acme.test"]);
    let text = letters[0].text();
    assert!(text.contains("\r\nFrom: Acme Support <support@acme.test>\r\n") && !text.contains("boss"), "{text}");
    assert_eq!(accepted.extras.value("size_bytes"), Some(text.len().to_string().as_str()));
    assert_eq!(thread::noted_subject("mona@ex.test", "Re: price").as_deref(), Some(LETTER), "an answer by its subject finds it");
}

#[test]
fn files_pass_by_their_reference() {
    let provider = Provider::new();
    provider.on("SUBMIT out").submitted("250 ok", Vec::new());
    let file = Media {
        kind: MediaKind::Document,
        source: Source::BlobRef("f1".to_owned()),
        mime_type: Some("application/pdf".to_owned()),
        file_name: Some("a.pdf".to_owned()),
        size: Some(9),
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: Vec::new(),
    };
    sent(&settings(), outbound(Content::Email(Letter { attachments: vec![file], ..letter() })));
    let text = provider.letters()[0].text();
    assert!(text.contains("Content-Transfer-Encoding: base64\r\n\r\n{blob-ref:f1}\r\n--=_1_"), "{text}");
}

#[test]
fn who_was_refused_is_named_and_the_others_got_it() {
    let provider = Provider::new();
    let refused = Refusal { recipient: "ali@ex.test".to_owned(), failure: Failure::recipient("5.1.1", "550 no such user") };
    provider.on("SUBMIT out").submitted("250 ok", vec![refused]);
    let accepted = sent(&settings(), outbound(Content::Email(letter())));
    assert_eq!(accepted.extras.value("refused"), Some("ali@ex.test (5.1.1: 550 no such user)"));
}

#[test]
fn a_failure_of_the_server_is_handed_on() {
    let named = |words: &str| format!("SMTP smtp.acme.test:587: {words}");
    let failures = [
        (Failure::recipient("5.1.1", "no such user"), Failure::recipient("5.1.1", "no such user")),
        (Failure::uncertain("no_reply", "no answer"), Failure::uncertain("no_reply", named("no answer"))),
        (Failure::limited(Some(60_000.0), "4.7.0", "later"), Failure::limited(Some(60_000.0), "4.7.0", named("later"))),
    ];
    for (failure, told) in failures {
        let provider = Provider::new();
        provider.on("SUBMIT out").fails(failure);
        let sent = Email::send(&call(&settings()), outbound(Content::Email(letter())));
        assert_eq!((sent.accepted.len(), sent.failed), (0, Some(told)));
        assert_eq!(thread::noted_subject("mona@ex.test", "price"), None);
    }
}

#[test]
fn an_answer_stays_in_its_conversation() {
    let provider = Provider::new();
    provider.on("SUBMIT out").submitted("250 ok", Vec::new());
    let context = ReplyContext {
        to: vec!["mona@ex.test".to_owned()],
        message_id: "r2@ex.test".to_owned(),
        references: vec!["a@ex.test".to_owned()],
        subject: "Price".to_owned(),
    };
    let mut message = outbound(Content::Text(Text::plain("Hi")));
    message.to = "thread:a@ex.test".to_owned();
    message.reply_context = Some(context.write().unwrap());
    let accepted = sent(&settings(), message);
    assert_eq!(accepted.extras.value("conversation"), None);
    let next = ReplyContext::read(accepted.extras.value("reply_context").map(str::as_bytes)).unwrap();
    assert_eq!((next.message_id.as_str(), next.references), (LETTER, vec!["a@ex.test".to_owned(), "r2@ex.test".to_owned()]));
    let text = provider.letters()[0].text();
    for line in ["To: mona@ex.test", "Subject: Re: Price", "In-Reply-To: <r2@ex.test>", "References: <a@ex.test> <r2@ex.test>"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
}

#[test]
fn answers_go_where_the_account_says() {
    let reply_to = |change: &Value| {
        let provider = Provider::new();
        provider.secret("reply_key", "k");
        provider.on("SUBMIT out").submitted("250 ok", Vec::new());
        let mut settings = settings();
        settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        sent(&settings, outbound(Content::Email(letter())));
        let text = provider.letters()[0].text();
        text.split("\r\n").find_map(|line| line.strip_prefix("Reply-To: ")).map(str::to_owned)
    };
    assert_eq!(reply_to(&json!({})), None);
    assert_eq!(
        reply_to(&json!({"reply_to": "Sales <sales@acme.test>", "plus_addressing": true})).as_deref(),
        Some("Sales <sales@acme.test>")
    );
    assert_eq!(reply_to(&json!({"plus_addressing": true, "email_address": "a-very-long-local-part@acme.test"})), None);
    // Folded: the address alone is longer than what is left of the line.
    let provider = Provider::new();
    provider.secret("reply_key", "k");
    provider.on("SUBMIT out").submitted("250 ok", Vec::new());
    let mut settings = settings();
    settings["plus_addressing"] = json!(true);
    sent(&settings, outbound(Content::Email(letter())));
    let text = provider.letters()[0].text();
    let address = text.split_once("<support+").unwrap().1.split_once('>').unwrap().0;
    let found = thread::message_of_reply_address("support@acme.test", &format!("support+{address}"));
    assert_eq!(found.as_deref(), Some(OURS));
}

#[test]
fn a_preview_tells_the_size_and_asks_nobody() {
    let _provider = Provider::new();
    let told = Email::preview(&testing::account(None, &settings()), &outbound(Content::Email(letter()))).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["subject"], &told["recipients"], &told["attachments"]), (&json!("Price"), &json!(3), &json!(0)));
    assert!(told["size_bytes"].as_u64().unwrap() > 300, "{told}");
    let mut wrong = letter();
    wrong.cc.push("nobody".to_owned());
    let failure = Email::preview(&testing::account(None, &settings()), &outbound(Content::Email(wrong))).unwrap_err();
    assert_eq!(pointers(&failure), ["/content/0/cc/1"]);
}

#[test]
fn a_command_is_no_letter() {
    let _provider = Provider::new();
    let sent = Email::send(&call(&settings()), testing::outbound("mona@ex.test", Command::MarkRead("a@x".to_owned())));
    assert!(matches!(sent.failed, Some(Failure::Unsupported(_))));
}

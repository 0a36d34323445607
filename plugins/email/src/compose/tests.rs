use mail_parser::{Message, MessageParser, MimeHeaders as _, PartType};
use patchbay_plugin::Field;
use patchbay_plugin::messages::{Command, Content, Email, Media, MediaKind, Outbound, Source, Text};
use patchbay_plugin::testing;

use super::*;
use crate::settings::Settings;

const ID: &str = "019a0000-0000-7000-8000-0000000000aa";
/// 22 November 2026, 08:00:00 UTC.
const NOW_MS: f64 = 1_795_334_400_000.0;

fn email(subject: &str, text: Option<&str>, html: Option<&str>) -> Email {
    Email {
        subject: subject.to_owned(),
        text: text.map(str::to_owned),
        html: html.map(str::to_owned),
        cc: Vec::new(),
        bcc: Vec::new(),
        attachments: Vec::new(),
        headers: Vec::new(),
    }
}

fn file(name: &str, mime_type: &str, content_id: Option<&str>) -> Media {
    Media {
        kind: MediaKind::Document,
        source: Source::BlobRef(format!("file-{name}")),
        mime_type: Some(mime_type.to_owned()),
        file_name: Some(name.to_owned()),
        size: Some(3),
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras: content_id.map(|id| Field::new("content_id", id)).into_iter().collect(),
    }
}

fn outbound(email: Email) -> Outbound {
    testing::outbound("Mona Ali <mona@ex.test>", Command::Message(vec![Content::Email(email)]))
}

/// The letter on the wire, with `AQID` for each file.
fn written(message: &Outbound) -> String {
    let draft = Draft::of(&Settings::default(), message).unwrap();
    let from = Mailbox::named("Acme Support", "support@acme.test").unwrap();
    let message_id = format!("{ID}@acme.test");
    let origin = Origin { id: ID, message_id: &message_id, from: &from, reply_to: &[], now_ms: NOW_MS };
    let letter = compose(&draft, &origin).unwrap();
    let mut bytes = Vec::new();
    for stretch in letter.stretches {
        match stretch {
            Stretch::Bytes(stretch) => bytes.extend(stretch),
            Stretch::File(_) => bytes.extend(b"AQID\r\n"),
        }
    }
    assert_eq!(letter.size, bytes.len() as u64, "the size is what goes over the wire");
    let text = String::from_utf8(bytes).unwrap();
    for line in text.split("\r\n") {
        assert!(!line.contains(['\r', '\n']), "{line:?}");
        assert!(line.len() <= 998, "{line}");
    }
    text
}

fn header_of(letter: &str) -> &str {
    letter.split_once("\r\n\r\n").unwrap().0
}

/// Every line of the header is at most 78 characters, and none is white space alone.
fn assert_folded(letter: &str) {
    for line in header_of(letter).split("\r\n") {
        assert!(line.len() <= 78 && !line.trim().is_empty(), "{line:?} in {}", header_of(letter));
        assert!(line.is_ascii(), "{line:?}");
    }
}

fn parse(letter: &str) -> Message<'_> {
    MessageParser::default().parse(letter.as_bytes()).unwrap()
}

/// `mixed(alternative(plain html) file)`.
fn shape(message: &Message<'_>, part: u32) -> String {
    let part = &message.parts[part as usize];
    match &part.body {
        PartType::Text(_) => "plain".to_owned(),
        PartType::Html(_) => "html".to_owned(),
        PartType::Multipart(parts) => {
            let kind = part.content_type().unwrap().subtype().unwrap();
            let inside: Vec<String> = parts.iter().map(|part| shape(message, *part)).collect();
            format!("{kind}({})", inside.join(" "))
        }
        _ if part.content_disposition().is_some_and(mail_parser::ContentType::is_inline) => "inline".to_owned(),
        _ => "file".to_owned(),
    }
}

#[test]
fn the_smallest_letter_byte_for_byte() {
    let letter = written(&outbound(email("Hi", Some("Hello\nMona"), None)));
    let expected = "Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n\
        From: Acme Support <support@acme.test>\r\n\
        To: Mona Ali <mona@ex.test>\r\n\
        Subject: Hi\r\n\
        Message-ID: <019a0000-0000-7000-8000-0000000000aa@acme.test>\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=\"utf-8\"\r\n\
        Content-Transfer-Encoding: 7bit\r\n\
        \r\n\
        Hello\r\nMona\r\n";
    assert_eq!(letter, expected);
}

#[test]
fn the_same_message_is_the_same_letter() {
    let mut content = email("Hi", Some("a"), Some("<p>a</p>"));
    content.attachments.push(file("a.pdf", "application/pdf", None));
    let message = outbound(content);
    assert_eq!(written(&message), written(&message));
}

#[test]
fn only_the_levels_that_are_needed() {
    let shape_of = |text: Option<&str>, html: Option<&str>, files: &[(&str, Option<&str>)]| {
        let mut content = email("Hi", text, html);
        content.attachments = files.iter().map(|(name, id)| file(name, "image/png", *id)).collect();
        let letter = written(&outbound(content));
        shape(&parse(&letter), 0)
    };
    assert_eq!(shape_of(Some("a"), None, &[]), "plain");
    assert_eq!(shape_of(None, Some("<p>a</p>"), &[]), "alternative(plain html)");
    assert_eq!(shape_of(None, Some("<img src='https://x.test/a'>"), &[]), "html", "there is no text in it");
    assert_eq!(shape_of(Some("a"), Some("<p>a</p>"), &[]), "alternative(plain html)");
    assert_eq!(shape_of(Some("a"), None, &[("a.png", None)]), "mixed(plain file)");
    assert_eq!(shape_of(None, None, &[("a.png", None)]), "mixed(file)");
    assert_eq!(shape_of(Some("a"), None, &[("a.png", Some("logo"))]), "mixed(plain file)", "without HTML nothing shows it");
    assert_eq!(shape_of(None, Some("<img src='cid:logo'>hi"), &[("a.png", Some("logo"))]), "related(alternative(plain html) inline)");
    let all = [("a.png", Some("logo")), ("b.png", None), ("c.png", Some("sign")), ("d.png", None)];
    assert_eq!(shape_of(Some("a"), Some("<p>a</p>"), &all), "mixed(related(alternative(plain html) inline inline) file file)");
}

#[test]
fn an_inline_image_is_found_by_its_id_and_its_level_names_its_root() {
    let mut content = email("Hi", None, Some("<img src=\"cid:logo@acme\">hi"));
    content.attachments.push(file("لوجو.png", "image/png", Some("<logo@acme>")));
    let letter = written(&outbound(content));
    assert!(letter.contains("type=\"multipart/alternative\""), "{letter}");
    let message = parse(&letter);
    let image = message.parts.iter().find(|part| part.content_id() == Some("logo@acme")).unwrap();
    assert_eq!(image.attachment_name(), Some("لوجو.png"));
    assert!(image.content_disposition().unwrap().is_inline());
}

#[test]
fn files_keep_their_names_and_bytes_stay_outside() {
    let long = format!("{}.pdf", "تقرير الفاتورة الشهرية ".repeat(6));
    let names = ["a.pdf", "فاتورة 2026.pdf", "with \"quotes\" and \\.txt", "résumé.docx", &long, "semi;colon, comma.txt"];
    let mut content = email("Files", Some("see"), None);
    content.attachments = names.iter().map(|name| file(name, "application/pdf", None)).collect();
    content.attachments[2].file_name = Some("../../etc/with \"quotes\".txt".to_owned());
    let letter = written(&outbound(content));
    assert!(letter.contains("filename*=UTF-8''"), "{letter}");
    assert!(letter.split("\r\n").all(|line| line.len() <= 78), "{letter}");
    let message = parse(&letter);
    let found: Vec<&str> = message.attachments().map(|part| part.attachment_name().unwrap()).collect();
    assert_eq!(found, ["a.pdf", "فاتورة 2026.pdf", "with \"quotes\".txt", "résumé.docx", long.trim(), "semi;colon, comma.txt"]);
    assert!(message.attachments().all(|part| part.contents() == [1, 2, 3]));
}

#[test]
fn a_letter_that_is_attached_goes_as_plain_bytes() {
    let mut content = email("Forwarded", Some("see"), None);
    content.attachments.push(file("letter.eml", "message/rfc822", None));
    content.attachments.push(file("x", "text/html\r\nX-Evil: 1", None));
    let letter = written(&outbound(content));
    assert_eq!(letter.matches("Content-Type: application/octet-stream\r\n").count(), 2, "{letter}");
    assert!(!letter.contains("X-Evil"), "{letter}");
}

#[test]
fn subjects_in_any_script_are_read_as_they_were_written() {
    let long = "كلمة ".repeat(60);
    let subjects = [
        "طلب رقم 12345 — الفاتورة",
        "🎉 Sale 🎉 now",
        "Grüße aus Köln",
        "=?utf-8?B?not an encoded word?=",
        long.trim(),
        "a plain subject that is so long that it has to be folded more than once, because a line has at most seventy-eight characters",
        "ThisIsAWordOfMoreThanSeventySixCharactersThatNobodyWouldEverWriteButThatAMachineMayVeryWellPutIntoASubjectLineOfALetter",
        "two  spaces   kept",
    ];
    for subject in subjects {
        let letter = written(&outbound(email(subject, Some("x"), None)));
        assert_folded(&letter);
        assert_eq!(parse(&letter).subject(), Some(subject), "{}", header_of(&letter));
    }
}

#[test]
fn names_in_any_script_are_read_as_they_were_written() {
    let names = [
        "منى علي",
        "Ali, Mona (Support) \"M\"",
        "O'Neil",
        "Müller",
        "a.b@c",
        "a very long name that goes on and on until it doesn't fit on one line any more, whatever one does",
    ];
    for name in names {
        let mut content = email("Hi", Some("x"), None);
        let quoted = name.replace('"', "\\\"");
        content.cc = vec![format!("\"{quoted}\" <one@ex.test>"), "two@münchen.example".to_owned()];
        let letter = written(&outbound(content));
        assert_folded(&letter);
        let message = parse(&letter);
        let cc: Vec<_> = message.cc().unwrap().iter().map(|address| (address.name(), address.address().unwrap())).collect();
        assert_eq!(cc, [(Some(name), "one@ex.test"), (None, "two@xn--mnchen-3ya.example")], "{}", header_of(&letter));
    }
}

#[test]
fn many_recipients_are_folded_and_blind_ones_are_nowhere() {
    let mut content = email("Hi", Some("x"), None);
    content.cc = (0..40).map(|n| format!("person{n}@example.test")).collect();
    content.bcc = vec!["Boss <boss@secret.test>".to_owned()];
    let message = outbound(content);
    let letter = written(&message);
    assert_folded(&letter);
    assert_eq!(parse(&letter).cc().unwrap().iter().count(), 40);
    assert!(!letter.to_lowercase().contains("secret.test") && !letter.to_lowercase().contains("bcc"), "{letter}");
    let recipients = Draft::of(&Settings::default(), &message).unwrap().recipients();
    assert_eq!((recipients.len(), recipients.last().map(String::as_str)), (42, Some("boss@secret.test")));
}

#[test]
fn texts_are_read_as_they_were_written() {
    let long = "x".repeat(3000);
    let texts = ["مرحبا\r\nبك", ".\r\n.dot\r\n..", "From here\r\nFrom there", &long, "tabs\tand trailing \r\nspaces  \r\n", "🦀"];
    for text in texts {
        let html = format!("<p>{text}</p>");
        let letter = written(&outbound(email("Hi", Some(text), Some(&html))));
        let message = parse(&letter);
        assert_eq!(message.body_text(0).unwrap().trim_end_matches(['\r', '\n']), text.trim_end_matches(['\r', '\n']), "{letter}");
        assert!(message.body_html(0).unwrap().trim_end().starts_with(&html), "{letter}");
    }
}

#[test]
fn a_text_cannot_end_its_part() {
    let evil = "--=_1_019a000000007000800000000000aa--\r\nContent-Type: text/html\r\n\r\n<b>x</b>";
    let letter = written(&outbound(email("Hi", Some(evil), Some("<p>a</p>"))));
    let message = parse(&letter);
    assert_eq!(shape(&message, 0), "alternative(plain html)");
    assert_eq!(message.body_text(0).unwrap().trim_end(), evil);
}

#[test]
fn an_answer_names_what_it_follows() {
    let mut message = outbound(email("", Some("x"), None));
    message.to = "thread:0@ex.test".to_owned();
    let references: Vec<String> = (0..30).map(|n| format!("{n}-{}@ex.test", "a".repeat(40))).collect();
    let context = crate::thread::ReplyContext {
        to: vec!["mona@ex.test".to_owned()],
        message_id: "last@ex.test".to_owned(),
        references: references.clone(),
        subject: "RE: Re: الفاتورة".to_owned(),
    };
    message.reply_context = Some(context.write().unwrap());
    let letter = written(&message);
    assert_folded(&letter);
    let parsed = parse(&letter);
    assert_eq!(parsed.subject(), Some("Re: الفاتورة"));
    assert_eq!(parsed.in_reply_to().as_text(), Some("last@ex.test"));
    let named = parsed.references().as_text_list().unwrap();
    assert_eq!(named.len(), 20);
    assert_eq!((named[0].as_ref(), named[19].as_ref()), (references[0].as_str(), "last@ex.test"));
}

#[test]
fn a_list_can_be_left_with_one_click() {
    let mut message = outbound(email("News", Some("x"), None));
    message.extras.push(Field::new("unsubscribe_url", "https://acme.test/u?t=abc"));
    let letter = written(&message);
    for line in ["List-Unsubscribe: <https://acme.test/u?t=abc>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Precedence: bulk"] {
        assert!(letter.contains(&format!("\r\n{line}\r\n")), "{letter}");
    }
    message.extras[0].value = "mailto:leave@acme.test".to_owned();
    let letter = written(&message);
    assert!(letter.contains("List-Unsubscribe: <mailto:leave@acme.test>") && !letter.contains("One-Click"), "{letter}");
}

#[test]
fn own_headers_are_folded_and_encoded() {
    let mut content = email("Hi", Some("x"), None);
    content.headers = vec![
        Field::new("X-Campaign", "autumn"),
        Field::new("X-Note", "ملاحظة طويلة ".repeat(20).trim()),
        Field::new("Auto-Submitted", "auto-generated"),
        Field::new("Reply-To", "Sales <sales@acme.test>"),
    ];
    let letter = written(&outbound(content));
    assert_folded(&letter);
    assert!(letter.contains("\r\nX-Campaign: autumn\r\n") && letter.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{letter}");
    assert_eq!(parse(&letter).reply_to().unwrap().first().unwrap().address(), Some("sales@acme.test"));
}

#[test]
fn several_parts_make_one_letter() {
    let mut media = file("a.pdf", "application/pdf", None);
    media.caption = Some("the file".to_owned());
    let album = vec![file("b.pdf", "application/pdf", None), file("c.pdf", "application/pdf", None)];
    let parts = vec![Content::Text(Text::plain("Hello")), Content::Media(media), Content::Album(album)];
    let mut message = testing::outbound("mona@ex.test", Command::Message(parts));
    message.extras.push(Field::new("subject", "Files"));
    let letter = written(&message);
    let parsed = parse(&letter);
    assert_eq!(shape(&parsed, 0), "mixed(plain file file file)");
    assert_eq!((parsed.subject(), parsed.body_text(0).unwrap().trim_end().to_owned()), (Some("Files"), "Hello\r\n\r\nthe file".to_owned()));
}

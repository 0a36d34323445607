//! Letters that people and machines write, and where letters go.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::clock;
use crate::mail::magic::{self, Fate};
use crate::mail::server::Server;
use crate::mail::world::{Sent, mailbox};
use crate::mail::{SHOP, header};

/// Somebody writes.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Say {
    /// Who.
    pub from: String,
    /// His name, if he gives one.
    pub name: String,
    /// To whom; left out, to the sender of the letter that is answered, else to the shop.
    pub to: Option<String>,
    /// Left out, that of the letter answered.
    pub subject: Option<String>,
    /// What he writes.
    pub text: String,
    /// The same with markup, beside the text.
    pub html: Option<String>,
    /// Answers the last letter in his mailbox, with all that belongs to an answer.
    pub reply: bool,
    /// Answers the letter of this Message-ID.
    pub in_reply_to: Option<String>,
    /// Headers besides, like `Auto-Submitted`.
    pub headers: Vec<(String, String)>,
    /// Files.
    pub attachments: Vec<Attachment>,
}

impl Default for Say {
    fn default() -> Self {
        Self {
            from: "mona@example.test".into(),
            name: String::new(),
            to: None,
            subject: None,
            text: String::new(),
            html: None,
            reply: false,
            in_reply_to: None,
            headers: Vec::new(),
            attachments: Vec::new(),
        }
    }
}

/// A file with a letter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// Its bytes in base64.
    pub base64: String,
}

pub(crate) fn say(server: &Arc<Server>, say: &Say) -> String {
    let answered = say.reply.then(|| server.world.lock().folder(&say.from, "INBOX").letters.last().cloned()).flatten();
    let of = |name: &str| answered.as_ref().and_then(|letter| letter.header(name));
    let to = say.to.clone().or_else(|| of("reply-to").or_else(|| of("from")).map(|value| header::address(&value)));
    let to = to.unwrap_or_else(|| SHOP.to_owned());
    let parent = say.in_reply_to.clone().or_else(|| of("message-id").and_then(|value| header::ids(&value).pop()));
    let subject = match (&say.subject, of("subject")) {
        (Some(subject), _) => word(subject),
        (None, Some(subject)) if subject.to_lowercase().starts_with("re:") => subject,
        (None, Some(subject)) => format!("Re: {subject}"),
        (None, None) => String::new(),
    };
    let id = id(server, &say.from);
    let mut headers = vec![
        ("From".to_owned(), if say.name.is_empty() { say.from.clone() } else { format!("{} <{}>", word(&say.name), say.from) }),
        ("To".to_owned(), to.clone()),
        ("Subject".to_owned(), subject),
        ("Message-ID".to_owned(), format!("<{id}>")),
    ];
    if let Some(parent) = parent {
        let mut references = of("references").map(|value| header::ids(&value)).unwrap_or_default();
        references.push(parent.clone());
        let references: Vec<String> = references.iter().map(|id| format!("<{id}>")).collect();
        headers.push(("In-Reply-To".to_owned(), format!("<{parent}>")));
        headers.push(("References".to_owned(), references.join("\r\n ")));
    }
    headers.extend(say.headers.iter().cloned());
    let letter = whole(&headers, &body(say));
    server.put(&to, "INBOX", letter.into());
    id
}

/// Gives a letter to its recipients, with what else their names bring about.
pub(crate) fn deliver(server: &Arc<Server>, sent: &Sent, magic: bool) {
    server.world.lock().sent.push(sent.clone());
    for recipient in &sent.recipients {
        let fate = magic::fate(recipient).filter(|_| magic);
        if fate == Some(Fate::Bounced) {
            report(server, sent, &failed(recipient, "5.1.1"));
            continue;
        }
        let traced = format!("Return-Path: <{}>\r\nDelivered-To: {recipient}\r\n", sent.sender);
        server.put(recipient, "INBOX", [traced.as_bytes(), &sent.letter].concat().into());
        match fate {
            Some(Fate::Away) => absence(server, sent, recipient),
            Some(Fate::Displayed) => report(server, sent, &displayed(recipient, sent)),
            _ => {}
        }
    }
}

/// The last letter that was sent didn't arrive.
pub(crate) fn bounce(server: &Arc<Server>, recipient: &str, status: &str) -> bool {
    let last = server.world.lock().sent.last().cloned();
    last.map(|sent| report(server, &sent, &failed(recipient, status))).is_some()
}

/// A machine-readable part, what it is a report of, and the words for people.
struct Report {
    kind: &'static str,
    subject: &'static str,
    part: String,
    words: String,
}

fn failed(recipient: &str, status: &str) -> Report {
    let (action, code) = if status.starts_with('4') { ("delayed", 450) } else { ("failed", 550) };
    let part = format!(
        "Reporting-MTA: dns; mail.example.test\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; {code} {status} <{recipient}>:\r\n not delivered\r\n"
    );
    let words = format!("Your message to {recipient} could not be delivered.");
    Report { kind: "delivery-status", subject: "Undelivered Mail Returned to Sender", part, words }
}

fn displayed(recipient: &str, sent: &Sent) -> Report {
    let original = sent.header("message-id").unwrap_or_default();
    let part = format!(
        "Reporting-UA: mail.example.test; stand-in\r\nFinal-Recipient: rfc822; {recipient}\r\nOriginal-Message-ID: {original}\r\n\
         Disposition: manual-action/MDN-sent-manually; displayed\r\n"
    );
    Report { kind: "disposition-notification", subject: "Read: your message", part, words: format!("{recipient} has seen your message.") }
}

/// Goes to whoever the envelope names; a letter without one gets none.
fn report(server: &Arc<Server>, sent: &Sent, report: &Report) {
    if sent.sender.is_empty() {
        return;
    }
    let end = header::end(&sent.letter);
    let original = String::from_utf8_lossy(sent.letter.get(..end).unwrap_or_default()).into_owned();
    let boundary = format!("report-{}", server.desk.next_number());
    let headers = [
        ("From".to_owned(), "Mail Delivery System <MAILER-DAEMON@mail.example.test>".to_owned()),
        ("To".to_owned(), sent.sender.clone()),
        ("Subject".to_owned(), report.subject.to_owned()),
        ("Message-ID".to_owned(), format!("<{}>", id(server, "daemon@mail.example.test"))),
        ("Auto-Submitted".to_owned(), "auto-replied".to_owned()),
    ];
    let kind = report.kind;
    let body = format!(
        "Content-Type: multipart/report; report-type={kind};\r\n boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\n\
         {}\r\n--{boundary}\r\nContent-Type: message/{kind}\r\n\r\n{}\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n\
         --{boundary}--\r\n",
        report.words, report.part
    );
    server.put(&sent.sender, "INBOX", format!("Return-Path: <>\r\n{}", whole(&headers, &body)).into());
}

fn absence(server: &Arc<Server>, sent: &Sent, recipient: &str) {
    let headers = vec![("Auto-Submitted".to_owned(), "auto-replied".to_owned()), ("Precedence".to_owned(), "bulk".to_owned())];
    say(
        server,
        &Say {
            from: mailbox(recipient),
            to: Some(sent.sender.clone()).filter(|sender| !sender.is_empty()),
            subject: Some("Out of office".into()),
            text: "I am away until Sunday.".into(),
            reply: true,
            headers,
            ..Say::default()
        },
    );
}

fn id(server: &Arc<Server>, from: &str) -> String {
    let domain = from.rsplit_once('@').map_or("example.test", |(_, domain)| domain);
    format!("standin.{}.{}@{domain}", clock::now_ms(), server.desk.next_number())
}

fn whole(headers: &[(String, String)], body: &str) -> String {
    let mut letter: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    letter.push_str(&format!("Date: {}\r\nMIME-Version: 1.0\r\n", clock::rfc2822(clock::now_ms())));
    letter + body
}

/// From its Content-Type on.
fn body(say: &Say) -> String {
    let text = part("text/plain; charset=utf-8", "", say.text.as_bytes());
    let told = match &say.html {
        None => text,
        Some(html) => multipart("alternative", &[text, part("text/html; charset=utf-8", "", html.as_bytes())]),
    };
    if say.attachments.is_empty() {
        return told;
    }
    let mut parts = vec![told];
    parts.extend(say.attachments.iter().map(|file| {
        let bytes = STANDARD.decode(&file.base64).unwrap_or_default();
        let name: String =
            file.name
                .bytes()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
                        char::from(byte).to_string()
                    } else {
                        format!("%{byte:02X}")
                    }
                })
                .collect();
        let kind = if file.mime_type.is_empty() { "application/octet-stream" } else { &file.mime_type };
        part(kind, &format!("Content-Disposition: attachment; filename*=utf-8''{name}\r\n"), &bytes)
    }));
    multipart("mixed", &parts)
}

fn part(kind: &str, more: &str, bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes.chunks(57).map(|chunk| STANDARD.encode(chunk)).collect();
    format!("Content-Type: {kind}\r\n{more}Content-Transfer-Encoding: base64\r\n\r\n{}\r\n", lines.join("\r\n"))
}

/// No line of base64 begins with a hyphen, so that any boundary will do, if those inside are longer.
fn multipart(kind: &str, parts: &[String]) -> String {
    let boundary = format!("standin-{kind}");
    let parts: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}")).collect();
    format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n{parts}--{boundary}--\r\n")
}

/// Text of a header; what isn't ASCII as encoded words of a length that is allowed.
fn word(text: &str) -> String {
    if text.is_ascii() {
        return text.replace(['\r', '\n'], " ");
    }
    let mut words = vec![String::new()];
    for letter in text.chars() {
        if words.last().is_some_and(|last| last.len() + letter.len_utf8() > 42) {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut() {
            last.push(letter);
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

//! Letters by mail servers about letters of ours: they mark a message, and don't reach the inbox. One that can't be told to belong to
//! any message is a letter like others.

mod bounce;
mod delivery;
mod fields;

use mail_parser::{HeaderName, MessageParser, MimeHeaders as _, PartType};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{Event, Happening, Identity, Party, Receipt, ReceiptState, ReceiptTarget};

use self::fields::Fields;
use crate::letter::Letter;
use crate::thread;

/// What a report says; none where the letter is none, or nobody knows of what.
pub(crate) fn events(letter: &Letter<'_>, own: &str, at_ms: Option<f64>) -> Option<Vec<Event>> {
    let events = match kind(letter).as_deref() {
        Some("delivery-status") => delivery::events(letter, own).or_else(|| bounce::events(letter, own)),
        Some("disposition-notification") => disposition(letter, own),
        Some("feedback-report") => complaint(letter, own),
        Some(_) => None,
        None => bounce::events(letter, own),
    };
    events.map(|events| events.into_iter().map(|event| Event { at_ms, ..event }).collect())
}

/// The `report-type`, or what a part betrays where a server forgot it.
fn kind(letter: &Letter<'_>) -> Option<String> {
    let root = letter.content_type().filter(|kind| kind.ctype() == "multipart" && kind.subtype() == Some("report"))?;
    if let Some(named) = root.attribute("report-type") {
        return Some(named.to_ascii_lowercase());
    }
    let named = ["delivery-status", "disposition-notification", "feedback-report"];
    named.into_iter().find(|name| part(letter, &[name]).is_some()).map(str::to_owned)
}

/// RFC 8098: the recipient's program has shown the letter.
fn disposition(letter: &Letter<'_>, own: &str) -> Option<Vec<Event>> {
    let blocks = part(letter, &["disposition-notification"])?;
    let first = blocks.first()?;
    let message =
        first.value("original-message-id").and_then(thread::id).filter(|id| is_ours(id, own)).or_else(|| original_id(letter, own))?;
    let words = first.value("disposition").unwrap_or_default().to_ascii_lowercase();
    let shown = words.rsplit(';').next().unwrap_or_default().split(['/', ',']).next().unwrap_or_default().trim() == "displayed";
    let key = format!("mdn:{message}:{}", first.value("final-recipient").map(address_of).unwrap_or_default());
    Some(shown.then(|| receipt(key, &message, ReceiptState::Read, None)).into_iter().collect())
}

/// RFC 5965: a person has called the letter spam.
fn complaint(letter: &Letter<'_>, own: &str) -> Option<Vec<Event>> {
    let blocks = part(letter, &["feedback-report"])?;
    let first = blocks.first()?;
    let kind = first.value("feedback-type").unwrap_or_default().to_ascii_lowercase();
    if !matches!(kind.as_str(), "abuse" | "fraud" | "opt-out" | "opt-out-list") {
        return None;
    }
    let person = ["original-rcpt-to", "removal-recipient"].iter().find_map(|name| first.value(name)).map(address_of);
    let person = person.or_else(|| original_recipient(letter)).filter(|address| address.contains('@'))?;
    // Otherwise anybody could have anybody taken off.
    let about = original_id(letter, own)?;
    let line = Detail::new("complaint", format!("{person} reported a letter as {kind}"));
    let actor = Party { identities: vec![Identity::new("email", thread::fold(&person))], name: None };
    let event = Event::new(format!("arf:{about}:{}", thread::fold(&person)), Happening::OptedOut(line));
    Some(vec![Event { actor: Some(actor), ..event }])
}

fn receipt(key: String, message: &str, state: ReceiptState, failure: Option<patchbay_plugin::Failure>) -> Event {
    let target = ReceiptTarget::Messages(vec![message.to_owned()]);
    Event::new(key, Happening::Receipt(Receipt { conversation: None, target, state, at_ms: None, failure }))
}

/// The blocks of fields in the part of one of these subtypes of `message`.
fn part(letter: &Letter<'_>, subtypes: &[&str]) -> Option<Vec<Fields>> {
    let parts = letter.parts().iter();
    let mut found = parts.filter(|part| {
        part.content_type()
            .is_some_and(|kind| kind.ctype() == "message" && kind.subtype().is_some_and(|subtype| subtypes.contains(&subtype)))
    });
    let part = found.next()?;
    Some(fields::blocks(&String::from_utf8_lossy(part.contents())))
}

/// The Message-ID of the letter that a report brings back, or its header alone.
fn original_id(letter: &Letter<'_>, own: &str) -> Option<String> {
    original(letter, |message| message.message_id().and_then(thread::id).filter(|id| is_ours(id, own)))
}

fn original_recipient(letter: &Letter<'_>) -> Option<String> {
    original(letter, |message| message.to()?.first()?.address().map(str::to_owned))
}

/// The first that is found in a letter brought back.
fn original<T>(letter: &Letter<'_>, find: impl Fn(&mail_parser::Message<'_>) -> Option<T>) -> Option<T> {
    letter.parts().iter().skip(1).find_map(|part| match &part.body {
        PartType::Message(message) => find(message),
        PartType::Text(_) | PartType::Binary(_) if is_header_alone(part) => {
            let mut header = part.contents().to_vec();
            header.extend_from_slice(b"\r\n\r\n");
            MessageParser::default().parse_headers(&header).filter(|message| !message.parts.is_empty()).and_then(|message| find(&message))
        }
        _ => None,
    })
}

fn is_header_alone(part: &mail_parser::MessagePart<'_>) -> bool {
    let kind = part.headers.iter().find(|header| header.name == HeaderName::ContentType).and_then(|header| header.value.as_content_type());
    kind.is_some_and(|kind| {
        kind.subtype().is_some_and(|subtype| matches!(subtype, "rfc822-headers" | "rfc822" | "global-headers" | "global"))
    })
}

/// Whether a Message-ID is of the account's domain: what others wrote came from elsewhere.
fn is_ours(id: &str, own: &str) -> bool {
    id.rsplit_once('@').is_some_and(|(_, at)| at.eq_ignore_ascii_case(thread::domain(own)))
}

/// `rfc822; mona@ex.test` without its kind and brackets.
fn address_of(value: &str) -> String {
    let bare = value.split_once(';').map_or(value, |(_, address)| address);
    bare.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

//! A letter that came, as events: a message, what the business itself wrote elsewhere, or a report about a message of ours.

use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::failure::Words;
use patchbay_plugin::messages::{Content, Conversation, ConversationKind, Email, Event, Happening, Identity, Inbound, Media, Party};
use patchbay_plugin::{Failure, Field, log};

use crate::letter::{self, Bodies, HTML_MAX, Letter, Origin, Person, TEXT_MAX};
use crate::report;
use crate::thread::{self, ReplyContext};

/// References that lead to a conversation.
const RELATED_MAX: usize = 20;
/// Addresses beside the first that are kept.
const PEOPLE_MAX: usize = 100;
/// Headers that are kept with a message, as they stand.
const KEPT: &[&str] = &["date", "list-id", "auto-submitted", "authentication-results"];
/// Headers that name whom a letter was delivered to.
const DELIVERED: &[&str] = &["to", "cc", "delivered-to", "x-original-to", "envelope-to"];
/// Bytes of a header that tell a letter from others.
const HEADER_MAX: usize = 64 * 1024;
/// Who wrote a letter that doesn't tell.
const NOBODY: &str = "unknown@invalid";

/// Where a letter was found.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    /// The account's address.
    pub(crate) own: &'a str,
    /// Whether the folder holds what the business sent.
    pub(crate) sent: bool,
    pub(crate) received_at_ms: Option<f64>,
    pub(crate) validity: u32,
    pub(crate) uid: u32,
}

/// What a letter means, and what the gateway is asked for meanwhile.
#[derive(Debug)]
pub(crate) enum Meaning {
    Events(Vec<Event>),
    /// It has more files than what is left of the call can take.
    TooMuch,
}

/// The events of a letter that is whole. `calls`: how many calls of the gateway it may take.
pub(crate) fn events(place: &Place<'_>, raw: &[u8], reference: &dyn Fn() -> Media, calls: usize) -> Result<Meaning, Failure> {
    let Some(letter) = Letter::read(raw) else { return Ok(Meaning::Events(vec![unread(place, raw, reference(), "it can't be read")])) };
    if !place.sent
        && let Some(events) = report::events(&letter, place.own, place.received_at_ms)
    {
        return Ok(Meaning::Events(events));
    }
    let id = id(&letter, raw);
    let bodies = letter.bodies();
    if is_ours(place, &letter, &id) {
        // The gateway sent it, and has its files.
        return Ok(Meaning::Events(vec![message(place, &letter, id, bodies, Vec::new())?]));
    }
    let files = letter.files(&bodies);
    if files.iter().map(letter::File::cost).sum::<usize>() > calls {
        return Ok(Meaning::TooMuch);
    }
    let attachments = files.into_iter().map(letter::File::keep).collect::<Result<_, _>>()?;
    Ok(Meaning::Events(vec![message(place, &letter, id, bodies, attachments)?]))
}

/// A letter that nobody opens: its subject, and the letter itself as a file. Only its header is read.
pub(crate) fn unread(place: &Place<'_>, raw: &[u8], file: Media, why: &str) -> Event {
    let head = Letter::head(raw);
    let made = head.as_ref().and_then(|letter| message(place, letter, id(letter, raw), Bodies::default(), vec![file.clone()]).ok());
    let mut event = made.unwrap_or_else(|| sealed(place, file));
    if let Happening::Message(inbound) = &mut event.what {
        inbound.extras.push(Field::new("unread", why));
    }
    event
}

/// A letter of which not even the header is read.
pub(crate) fn sealed(place: &Place<'_>, file: Media) -> Event {
    let id = format!("{}:{}", place.validity, place.uid);
    let nobody = Party { identities: vec![Identity::new("email", NOBODY)], name: None };
    let email = Email {
        subject: String::new(),
        text: None,
        html: None,
        cc: Vec::new(),
        bcc: Vec::new(),
        attachments: vec![file],
        headers: Vec::new(),
    };
    let conversation = Conversation { external_id: thread::conversation(&id, None, &[]), kind: ConversationKind::Direct, title: None };
    let inbound = Inbound {
        external_id: id.clone(),
        conversation: conversation.clone(),
        sender: nobody.clone(),
        echo: place.sent,
        content: vec![Content::Email(email)],
        reply_to: None,
        related: Vec::new(),
        automatic: true,
        origin: Origin::AutoReply.word().to_owned(),
        sent_at_ms: place.received_at_ms,
        reply_context: None,
        extras: Vec::new(),
    };
    Event {
        conversation: Some(conversation),
        actor: Some(nobody),
        at_ms: place.received_at_ms,
        ..Event::new(id, Happening::Message(inbound))
    }
}

fn message(place: &Place<'_>, letter: &Letter<'_>, id: String, bodies: Bodies, attachments: Vec<Media>) -> Result<Event, Failure> {
    let author = letter.author().unwrap_or_else(|| Person { address: NOBODY.to_owned(), name: None });
    let answer_to: Vec<Person> = letter.people("reply-to");
    let others: Vec<Person> =
        ["to", "cc"].iter().flat_map(|name| letter.people(name)).filter(|person| !person.is(place.own)).take(PEOPLE_MAX).collect();
    // A form on a website writes as the business to the business, and means whoever is in Reply-To.
    let ours = is_ours(place, letter, &id);
    let echo = place.sent || ours || (author.is(place.own) && !others.is_empty() && answer_to.iter().all(|person| person.is(place.own)));
    let origin = if echo { Origin::Direct } else { letter.origin() };
    let subject = letter.subject();
    let references = letter.references();
    let in_reply_to = letter.in_reply_to();
    let token = token(letter, place.own);
    let other_side = if echo { others.first().cloned() } else { Some(author.clone()) };
    let mut related = related(&id, token.clone(), in_reply_to.clone(), &references);
    if related.is_empty() && thread::is_answer(&subject) {
        related
            .extend(other_side.as_ref().and_then(|person| thread::noted_subject(&person.address, &subject)).filter(|noted| *noted != id));
    }
    if !origin.is_automatic() {
        let people: Vec<&Person> = if echo { others.iter().take(5).collect() } else { vec![&author] };
        for person in people {
            // The last resort of threads: a store that takes no more costs that alone.
            if let Err(failure) = thread::note_subject(&person.address, &subject, &id) {
                log::warn("the subject of a letter could not be noted", &[("reason", &Words(&failure).to_string())]);
            }
        }
    }
    let context = ReplyContext {
        to: answer_addresses(echo, &author, &answer_to, &others, place.own),
        message_id: id.clone(),
        references: with_parent(&references, in_reply_to.as_deref()),
        subject: subject.clone(),
    };
    let title = Some(thread::bare_subject(&subject).to_owned()).filter(|title| !title.is_empty());
    let conversation =
        Conversation { external_id: thread::conversation(&id, in_reply_to.as_deref(), &references), kind: ConversationKind::Direct, title };
    let sent_at_ms = letter.written_at_ms(place.received_at_ms).or(place.received_at_ms);
    let email = email(letter, subject, bodies, attachments);
    let mut extras = Vec::new();
    if ours {
        // Found again, it proves that it went out, also where the connection broke before the server said so.
        extras.extend(id.split_once('@').map(|(message, _)| Field::new("message_id", message)));
    }
    if echo {
        extras.extend(others.iter().map(|person| Field::new("recipient", &person.address)));
    }
    let inbound = Inbound {
        external_id: id.clone(),
        conversation: conversation.clone(),
        sender: author.party(),
        echo,
        content: vec![Content::Email(email)],
        reply_to: in_reply_to.or(token),
        related,
        automatic: origin.is_automatic(),
        origin: origin.word().to_owned(),
        sent_at_ms,
        reply_context: Some(context.write()?),
        extras,
    };
    // The conversation is with the other side, also where the business wrote.
    let actor = other_side.as_ref().map(Person::party);
    let at_ms = place.received_at_ms.or(sent_at_ms);
    Ok(Event { conversation: Some(conversation), actor, at_ms, ..Event::new(id, Happening::Message(inbound)) })
}

fn email(letter: &Letter<'_>, subject: String, bodies: Bodies, attachments: Vec<Media>) -> Email {
    let addresses = |name: &str| letter.people(name).into_iter().take(PEOPLE_MAX).map(|person| person.address).collect();
    let lines = |name: &str| letter.people(name).iter().take(PEOPLE_MAX).map(Person::line).collect::<Vec<_>>().join(", ");
    let named = ["from", "to", "reply-to"].iter().map(|name| Field::new(*name, lines(name))).filter(|field| !field.value.is_empty());
    let headers = named.chain(KEPT.iter().filter_map(|name| letter.text(name).map(|value| Field::new(*name, value)))).collect();
    let text = bodies.text.map(|mut text| {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text
    });
    // Half a page is none: it is a file then.
    let html = bodies.html.filter(|html| html.len() <= HTML_MAX);
    Email { subject, text, html, cc: addresses("cc"), bcc: addresses("bcc"), attachments, headers }
}

/// Whether the gateway sent the letter: its id alone could be anybody's.
fn is_ours(place: &Place<'_>, letter: &Letter<'_>, id: &str) -> bool {
    thread::is_own_id(id, place.own) && letter.author().is_some_and(|author| author.is(place.own))
}

/// The Message-ID; where a program wrote none, the hash of the header, which is the same wherever the letter is found again, whole or not.
fn id(letter: &Letter<'_>, raw: &[u8]) -> String {
    letter.message_id().unwrap_or_else(|| {
        let head = raw.get(..raw.len().min(HEADER_MAX)).unwrap_or_default();
        let ends = [head.windows(2).position(|pair| pair == b"\n\n"), head.windows(4).position(|four| four == b"\r\n\r\n")];
        let header = head.get(..ends.into_iter().flatten().min().unwrap_or(head.len())).unwrap_or_default();
        format!("sha256:{}", thread::hexadecimal(&crypto::digest(HashAlgorithm::Sha256, header)))
    })
}

/// The message that the letter answers by the address that it came to.
fn token(letter: &Letter<'_>, own: &str) -> Option<String> {
    let people = DELIVERED.iter().flat_map(|name| letter.people(name));
    people
        .into_iter()
        .find_map(|person| thread::message_of_reply_address(own, &person.address))
        .map(|message| thread::own_id(&message, own))
}

/// Earlier letters of its thread, the nearest first.
fn related(id: &str, token: Option<String>, in_reply_to: Option<String>, references: &[String]) -> Vec<String> {
    let mut related: Vec<String> = Vec::new();
    let before = references.iter().rev().take(RELATED_MAX).cloned();
    for earlier in token.into_iter().chain(in_reply_to).chain(before) {
        if earlier != id && !related.contains(&earlier) {
            related.push(earlier);
        }
    }
    related
}

/// Programs that write no References still say what they answer.
fn with_parent(references: &[String], in_reply_to: Option<&str>) -> Vec<String> {
    let mut all = references.to_vec();
    all.extend(in_reply_to.filter(|parent| all.iter().all(|known| known != parent)).map(str::to_owned));
    all
}

/// Whom an answer goes to.
fn answer_addresses(echo: bool, author: &Person, answer_to: &[Person], others: &[Person], own: &str) -> Vec<String> {
    if echo {
        return others.iter().map(|person| person.address.clone()).collect();
    }
    let wanted: Vec<String> = answer_to.iter().filter(|person| !person.is(own)).map(|person| person.address.clone()).collect();
    if wanted.is_empty() { vec![author.address.clone()] } else { wanted }
}

#[cfg(test)]
mod tests;

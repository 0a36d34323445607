//! What is new in the folders of a mailbox. The cursor says for each folder how far it was read; letters are told by their Message-ID,
//! so that reading some of them again tells nothing twice.

use std::collections::BTreeMap;

use patchbay_plugin::hooks::Page;
use patchbay_plugin::mail::{self, Query};
use patchbay_plugin::messages::{Event, Media};
use patchbay_plugin::{Blob, Call, Failure, Field, Fields as _, log};
use serde::{Deserialize, Serialize};

use crate::letter;
use crate::receive::{self, Meaning, Place};

/// The manifest's `[mail.in]`.
const TARGET: &str = "in";
/// Letters that one request brings.
const LETTERS_MAX: u32 = 12;
/// Requests of one call: the gateway allows 16.
const REQUESTS_MAX: usize = 12;
/// Calls of the gateway in one call: the manifest asks for 600, and some are for the store and the cursor.
const CALLS_MAX: usize = 590;
/// Calls that a letter takes beside its bytes: its size, its name, threads, subjects.
const CALLS_OF_LETTER: usize = 9;
/// Bytes that one read of a blob brings.
const WINDOW: u32 = 256 * 1024;
/// Bytes of a letter that is read whole. What is read and what is unpacked have to fit into the memory of a call together.
const LETTER_MAX: u32 = 26 * 1024 * 1024;
/// Bytes of letters after which a page ends.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of what is said after which a page ends: an answer has at most 4 MiB.
const SAID_MAX: usize = 1024 * 1024;
/// How far behind the last letter a folder is read again that was made anew, in milliseconds: a day.
const OVERLAP_MS: f64 = 86_400_000.0;
/// UIDs that wait to be marked.
const MARKS_MAX: usize = 500;
/// Polls in a row that didn't survive, from which on the first letter is handed on unread.
const HANDED_ON: u32 = 3;
/// … and from which on not even its header is read.
const SEALED: u32 = 4;
/// … and from which on only its header is fetched.
const HEADER_ALONE: u32 = 5;

/// What of the settings says where mail is read.
#[derive(Debug, Deserialize)]
struct Incoming {
    email_address: String,
    #[serde(default)]
    imap_host: Option<String>,
    #[serde(default)]
    mailbox: Option<String>,
    #[serde(default)]
    folders: Vec<String>,
    #[serde(default)]
    sent_mailbox: Option<String>,
    #[serde(default)]
    initial_sync: Option<String>,
    #[serde(default)]
    mark_seen: bool,
}

/// How far a mailbox was read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    #[serde(default)]
    folders: BTreeMap<String, Position>,
    /// The folder that is read first: the one behind that where the last page ended.
    #[serde(default)]
    turn: Option<String>,
}

/// How far a folder was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Position {
    validity: u32,
    /// The last letter that was read.
    uid: u32,
    /// Only letters from that time on are wanted, until the folder has been read to its end once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since_ms: Option<f64>,
    /// When the newest letter that was read came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_ms: Option<f64>,
    /// Letters of pages that are stored by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    to_mark: Vec<u32>,
}

/// What is left of a call.
struct Reader<'a> {
    settings: &'a Incoming,
    attempt: u32,
    now_ms: Option<f64>,
    requests: usize,
    calls: usize,
    bytes: usize,
    said: usize,
    events: Vec<Event>,
    letters: usize,
}

pub(crate) fn page(call: &Call, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let settings: Incoming = call.settings()?;
    if settings.imap_host.as_deref().is_none_or(str::is_empty) {
        return Ok(Page { events: Vec::new(), cursor: cursor.map(<[u8]>::to_vec), more: false });
    }
    let mut place: Cursor = cursor.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    let folders = folders(&settings);
    place.folders.retain(|name, _| folders.contains(name));
    let first = place.turn.as_ref().and_then(|turn| folders.iter().position(|name| name == turn)).unwrap_or(0);
    let order: Vec<&String> = folders.iter().cycle().skip(first).take(folders.len()).collect();
    let mut reader = Reader {
        settings: &settings,
        attempt: call.attempt,
        now_ms: call.extras.value("now_ms").and_then(|now| now.parse().ok()),
        requests: 0,
        calls: 0,
        bytes: 0,
        said: 0,
        events: Vec::new(),
        letters: 0,
    };
    let mut more = false;
    place.turn = None;
    for (at, name) in order.iter().enumerate() {
        let before = place.folders.get(*name).cloned();
        let (position, left) = match reader.folder(name, before) {
            // One that isn't there, or not yet, doesn't hold up the others; the inbox itself has to be.
            Err(Failure::Rejected(detail)) if Some(*name) != folders.first() => {
                log::warn("a folder can't be read", &[("folder", name), ("reason", &detail.message)]);
                continue;
            }
            Err(Failure::Forbidden(detail)) if Some(*name) != folders.first() && detail.code == "noperm" => {
                log::warn("a folder may not be read", &[("folder", name), ("reason", &detail.message)]);
                continue;
            }
            read => read?,
        };
        place.folders.insert((*name).clone(), position);
        if left || (reader.is_full() && at + 1 < order.len()) {
            more = true;
            // The next folder is first then: one full of letters doesn't hold up the others.
            place.turn = order.get(at + 1).or(order.first()).map(|name| (*name).clone());
        }
        if reader.is_full() {
            break;
        }
    }
    let cursor = serde_json::to_vec(&place).map_err(|error| Failure::fault("cursor", error.to_string()))?;
    Ok(Page { events: reader.events, cursor: Some(cursor), more })
}

/// Each folder once, in the order of the settings.
fn folders(settings: &Incoming) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let inbox = settings.mailbox.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "INBOX".to_owned());
    for name in std::iter::once(inbox).chain(settings.folders.iter().cloned()).chain(settings.sent_mailbox.clone()) {
        // INBOX alone has no case.
        let known = names.iter().any(|known| *known == name || (name.eq_ignore_ascii_case("inbox") && known.eq_ignore_ascii_case(&name)));
        if !name.is_empty() && !known {
            names.push(name);
        }
    }
    names
}

impl Reader<'_> {
    /// Reads what is new in a folder, and whether more is left there.
    fn folder(&mut self, name: &str, before: Option<Position>) -> Result<(Position, bool), Failure> {
        let Some(mut position) = before else { return self.begin(name) };
        self.mark(name, &mut position)?;
        let mut found = self.fetch(name, Some(position.uid), position.since_ms)?;
        if found.validity != position.validity {
            // The folder was made anew, and its UIDs mean other letters. Those that came since the last one that was read are read again.
            let since_ms = position.seen_ms.or(position.since_ms).map(|seen| seen - OVERLAP_MS);
            position = Position { validity: found.validity, uid: 0, since_ms, seen_ms: position.seen_ms, to_mark: Vec::new() };
            found = self.fetch(name, Some(0), since_ms)?;
        }
        self.letters(name, position, found)
    }

    /// A folder that is read for the first time.
    fn begin(&mut self, name: &str) -> Result<(Position, bool), Failure> {
        let Some(since_ms) = self.settings.initial_sync.as_deref().and_then(day_ms) else {
            let found = self.fetch(name, None, None)?;
            let uid = found.next_uid.saturating_sub(1);
            return Ok((Position { validity: found.validity, uid, since_ms: None, seen_ms: self.now_ms, to_mark: Vec::new() }, false));
        };
        let found = self.fetch(name, Some(0), Some(since_ms))?;
        let position = Position { validity: found.validity, uid: 0, since_ms: Some(since_ms), seen_ms: None, to_mark: Vec::new() };
        self.letters(name, position, found)
    }

    fn letters(&mut self, name: &str, mut position: Position, found: mail::Folder) -> Result<(Position, bool), Failure> {
        let sent = self.settings.sent_mailbox.as_deref() == Some(name);
        for letter in found.letters {
            if letter.uid <= position.uid {
                continue;
            }
            let place = Place {
                own: &self.settings.email_address,
                sent,
                received_at_ms: letter.received_at_ms,
                validity: found.validity,
                uid: letter.uid,
            };
            if self.is_full() || !self.read(&place, &letter)? {
                return Ok((position, true));
            }
            position.uid = letter.uid;
            position.seen_ms = [position.seen_ms, letter.received_at_ms].into_iter().flatten().reduce(f64::max);
            if self.settings.mark_seen && !sent && position.to_mark.len() < MARKS_MAX {
                position.to_mark.push(letter.uid);
            }
        }
        if !found.more {
            // Letters before the time that is wanted are behind it now.
            position.uid = position.uid.max(found.next_uid.saturating_sub(1));
            position.since_ms = None;
            position.seen_ms = position.seen_ms.or(self.now_ms);
        }
        Ok((position, found.more))
    }

    /// Reads one letter; false where it has to wait for a page of its own.
    fn read(&mut self, place: &Place<'_>, letter: &mail::Letter) -> Result<bool, Failure> {
        let size = letter.content.size();
        let reads = size.div_ceil(WINDOW) as usize;
        let first = self.letters == 0;
        let left = CALLS_MAX.saturating_sub(self.calls + reads + CALLS_OF_LETTER);
        if left == 0 && !first {
            return Ok(false);
        }
        self.calls += CALLS_OF_LETTER;
        let file = || the_letter(&letter.content, size);
        let events = if self.attempt >= SEALED && first {
            vec![receive::sealed(place, file())]
        } else if self.attempt >= HANDED_ON && first {
            vec![receive::unread(place, &letter.content.read(0, WINDOW)?, file(), "reading it failed several times")]
        } else if !letter.whole {
            vec![receive::unread(place, &letter.content.read(0, WINDOW)?, file(), "it is too large")]
        } else if left == 0 {
            vec![receive::unread(place, &letter.content.read(0, WINDOW)?, file(), "it is too large to be unpacked")]
        } else {
            let raw = letter.content.read_all()?;
            self.calls += reads;
            match receive::events(place, &raw, &file, left)? {
                Meaning::Events(events) => events,
                Meaning::TooMuch if first => vec![receive::unread(place, &raw, file(), "it has too many files to be unpacked")],
                Meaning::TooMuch => return Ok(false),
            }
        };
        self.bytes += size as usize;
        for event in &events {
            let (said, calls) = weight(event);
            self.said += said;
            self.calls += calls;
        }
        self.letters += 1;
        self.events.extend(events);
        Ok(true)
    }

    /// Marks what an earlier page held. It was stored before the next page was asked for.
    fn mark(&mut self, name: &str, position: &mut Position) -> Result<(), Failure> {
        if !self.settings.mark_seen {
            position.to_mark.clear();
        }
        if position.to_mark.is_empty() {
            return Ok(());
        }
        self.requests += 1;
        match mail::mark_seen(TARGET, name, position.validity, &position.to_mark) {
            Err(Failure::Unauthorized(detail)) => return Err(Failure::Unauthorized(detail)),
            // Waits for the next poll; a folder that can't be written isn't asked again.
            Err(Failure::Unavailable(_) | Failure::Limited(_)) => return Ok(()),
            Err(failure) => log::warn("letters could not be marked as seen", &[("folder", name), ("failure", &format!("{failure:?}"))]),
            Ok(()) => {}
        }
        position.to_mark.clear();
        Ok(())
    }

    fn fetch(&mut self, folder: &str, after_uid: Option<u32>, since_ms: Option<f64>) -> Result<mail::Folder, Failure> {
        self.requests += 1;
        self.calls += 1;
        let max = if self.attempt > 1 { 1 } else { LETTERS_MAX };
        let max_bytes = if self.attempt >= HEADER_ALONE { 1 } else { LETTER_MAX };
        let query = Query { folder: folder.to_owned(), after_uid, since_ms, max, max_bytes };
        mail::fetch(TARGET, &query).map_err(|failure| match failure {
            // What the gateway won't do is no fault of the next letter's: it isn't to be passed on unread for it.
            Failure::Fault(detail) if detail.code == "credential_missing" => Failure::Unauthorized(detail),
            Failure::Fault(detail) if matches!(detail.code.as_str(), "blocked_address" | "not_granted") => Failure::Forbidden(detail),
            other => other,
        })
    }

    /// Whether the next letter, or the next folder, waits for the next page.
    fn is_full(&self) -> bool {
        let tried = self.attempt > 1 && self.letters > 0;
        tried
            || self.requests >= REQUESTS_MAX
            || self.bytes >= PAGE_BYTES
            || self.said >= SAID_MAX
            || self.calls + CALLS_OF_LETTER >= CALLS_MAX
    }
}

/// The letter itself as a file: the gateway has it already.
fn the_letter(content: &Blob, size: u32) -> Media {
    letter::media(content.reference(), "message/rfc822".to_owned(), Some("message.eml".to_owned()), Some(size), Vec::new())
}

/// Bytes that an event says, and calls that its files have taken.
fn weight(event: &Event) -> (usize, usize) {
    use patchbay_plugin::messages::{Content, Happening};
    let Happening::Message(inbound) = &event.what else { return (1024, 0) };
    let of_fields = |fields: &[Field]| fields.iter().map(|field| field.name.len() + field.value.len()).sum::<usize>();
    let mut said = 4096 + of_fields(&inbound.extras);
    let mut calls = 0;
    for content in &inbound.content {
        if let Content::Email(email) = content {
            said += email.text.as_ref().map_or(0, String::len) + email.html.as_ref().map_or(0, String::len) + of_fields(&email.headers);
            said += email.attachments.len() * 512;
            calls += email.attachments.iter().map(|file| file.size.unwrap_or(0).div_ceil(WINDOW) as usize + 2).sum::<usize>();
        }
    }
    (said, calls)
}

/// Midnight UTC of `2026-11-22`, in milliseconds; none for `none`, and for what is no day.
fn day_ms(text: &str) -> Option<f64> {
    let date = mail_parser::DateTime::parse_rfc3339(&format!("{}T00:00:00Z", text.get(..10)?))?;
    #[expect(clippy::cast_precision_loss, reason = "a date has four digits of years")]
    date.is_valid().then(|| date.to_timestamp() as f64 * 1000.0)
}

#[cfg(test)]
mod tests;

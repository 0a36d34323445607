//! A letter as it goes over the wire: bytes, and files by their reference. No clock and no chance: the same message is the same
//! letter at every attempt.

pub(crate) mod body;
pub(crate) mod header;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use patchbay_plugin::Failure;
use patchbay_plugin::mail::Stretch;

use crate::address::Mailbox;
use crate::draft::{Draft, File};
use body::{Part, Writer};
use header::Header;

/// What the account adds to a draft.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    /// The gateway's id of the message.
    pub(crate) id: &'a str,
    /// Without its brackets.
    pub(crate) message_id: &'a str,
    pub(crate) from: &'a Mailbox,
    pub(crate) reply_to: &'a [Mailbox],
    /// Milliseconds since 1970.
    pub(crate) now_ms: f64,
}

/// A letter, ready to be handed over.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) stretches: Vec<Stretch>,
    /// Bytes on the wire, as far as the sizes of the files are known.
    pub(crate) size: u64,
}

/// Writes the letter.
pub(crate) fn compose(draft: &Draft, origin: &Origin<'_>) -> Result<Letter, Failure> {
    let mut writer = Writer::new(origin.id);
    writer.bytes(header(draft, origin)?.as_bytes());
    writer.part(tree(draft)?);
    let (stretches, size) = writer.finish();
    Ok(Letter { stretches, size })
}

/// Who, to whom, about what. Who gets a blind copy stands in the envelope alone.
fn header(draft: &Draft, origin: &Origin<'_>) -> Result<Header, Failure> {
    let mut header = Header::default();
    header.raw("Date", &date(origin.now_ms)?);
    header.mailboxes("From", std::slice::from_ref(origin.from));
    header.mailboxes("Reply-To", if draft.reply_to.is_empty() { origin.reply_to } else { &draft.reply_to });
    header.mailboxes("To", &draft.to);
    header.mailboxes("Cc", &draft.cc);
    header.text("Subject", &draft.subject);
    header.ids("Message-ID", [origin.message_id]);
    header.ids("In-Reply-To", draft.in_reply_to.as_deref());
    header.ids("References", draft.references.iter().map(String::as_str));
    if let Some(url) = &draft.unsubscribe {
        header.raw("List-Unsubscribe", &format!("<{url}>"));
        // A mail program presses the button by itself, so it has to be sure who is at the other end.
        if url.starts_with("https://") {
            header.raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        }
        header.raw("Precedence", "bulk");
    }
    for (name, value) in &draft.headers {
        // An address in encoded words is none any more: only what isn't ASCII is encoded.
        if value.is_ascii() {
            header.raw(name, value.trim());
        } else {
            header.text(name, value);
        }
    }
    header.raw("MIME-Version", "1.0");
    Ok(header)
}

fn date(now_ms: f64) -> Result<String, Failure> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds are whole, and a double saturates")]
    let now = Timestamp::from_millisecond(now_ms as i64);
    let date = now.and_then(|now| rfc2822::DateTimePrinter::new().zoned_to_string(&now.to_zoned(TimeZone::UTC)));
    date.map_err(|error| Failure::fault("clock", error.to_string()))
}

/// `mixed{related{alternative{text, html}, inline files}, attachments}`, with the levels alone that are needed.
fn tree(draft: &Draft) -> Result<Part, Failure> {
    let mut alternatives: Vec<Part> = draft.text.iter().map(|text| Part::text("plain", text)).collect();
    alternatives.extend(draft.html.iter().map(|html| Part::text("html", html)));
    let body = Part::joined("alternative", alternatives);
    let inline = draft.inline.iter().map(file).collect::<Result<Vec<_>, _>>()?;
    let related = Part::joined("related", body.into_iter().chain(inline).collect());
    let attached = draft.attachments.iter().map(file).collect::<Result<Vec<_>, _>>()?;
    let alone = related.is_none();
    let mut parts: Vec<Part> = related.into_iter().chain(attached).collect();
    // A file that is all there is stays an attachment: as the whole letter it is shown as text by some.
    let whole = if alone && parts.len() == 1 {
        Some(Part::Several { kind: "mixed", parts: std::mem::take(&mut parts) })
    } else {
        Part::joined("mixed", parts)
    };
    Ok(whole.unwrap_or_else(|| Part::text("plain", "")))
}

fn file(file: &File) -> Result<Part, Failure> {
    let mut header = Header::default();
    header.raw("Content-Type", &file.mime_type);
    let disposition = if file.content_id.is_some() { "inline" } else { "attachment" };
    header.parameters("Content-Disposition", disposition, &[("filename", &file.name)]);
    header.ids("Content-ID", file.content_id.as_deref());
    header.raw("Content-Transfer-Encoding", "base64");
    Ok(Part::File { header, reference: file.reference()?.to_owned(), size: file.size })
}

#[cfg(test)]
mod tests;

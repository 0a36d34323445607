//! Files of a letter: their names made harmless, their bytes handed to the gateway as they are.

use std::borrow::Cow;

use mail_parser::{MessagePart, MimeHeaders as _, PartType};
use patchbay_plugin::messages::{Media, MediaKind, Source};
use patchbay_plugin::{Blob, Failure, Field};

use super::body::{HTML_MAX, TEXT_MAX};
use super::{Bodies, Letter, one_line, rescue};

/// Bytes of a file's name, as file systems bound it.
const NAME_MAX: usize = 255;
/// Bytes that go to the gateway at once.
const PIECE: usize = 256 * 1024;

/// One file.
#[derive(Debug)]
pub(crate) struct File<'a> {
    pub(crate) name: String,
    pub(crate) mime_type: String,
    pub(crate) bytes: Cow<'a, [u8]>,
    /// What the HTML calls it: `cid:…`.
    pub(crate) content_id: Option<String>,
    /// What a person should know of it.
    pub(crate) note: Option<&'static str>,
}

impl File<'_> {
    /// Calls of the gateway that keeping it takes.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.len().div_ceil(PIECE) + 2
    }

    /// Hands the bytes over.
    pub(crate) fn keep(self) -> Result<Media, Failure> {
        let blob = Blob::new(&self.mime_type);
        blob.append(&self.bytes)?;
        let mut extras: Vec<Field> = self.content_id.into_iter().map(|id| Field::new("content_id", id)).collect();
        extras.extend(self.note.map(|note| Field::new("note", note)));
        let size = u32::try_from(self.bytes.len()).ok();
        Ok(media(blob.reference(), self.mime_type, Some(self.name), size, extras))
    }
}

/// A file that the gateway has already.
pub(crate) fn media(reference: String, mime_type: String, file_name: Option<String>, size: Option<u32>, extras: Vec<Field>) -> Media {
    Media {
        kind: kind(&mime_type),
        source: Source::BlobRef(reference),
        mime_type: Some(mime_type),
        file_name,
        size,
        caption: None,
        width: None,
        height: None,
        duration_ms: None,
        extras,
    }
}

pub(super) fn files<'a>(letter: &'a Letter<'_>, bodies: &Bodies) -> Vec<File<'a>> {
    let Bodies { text, html } = bodies;
    let mut files: Vec<File<'a>> = Vec::new();
    for part in letter.message.attachments.iter().filter_map(|id| letter.part(*id)) {
        // The second page of a newsletter for Gmail alone, and what was taken for a body after all.
        let unread = part.is_content_type("text", "x-amp-html") || (rescue::is_lost_body(part) && text.is_some());
        if !unread {
            files.push(file(part, letter, files.len() + 1, html.as_deref()));
        }
    }
    // A body that is too long to be carried is a file as well.
    if let Some(text) = text.as_ref().filter(|text| text.len() > TEXT_MAX) {
        files.push(File::of("message.txt", "text/plain; charset=utf-8", text.clone().into_bytes()));
    }
    if let Some(html) = html.as_ref().filter(|html| html.len() > HTML_MAX) {
        files.push(File::of("message.html", "text/html; charset=utf-8", html.clone().into_bytes()));
    }
    files
}

impl File<'_> {
    fn of(name: &str, mime_type: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), mime_type: mime_type.to_owned(), bytes: Cow::Owned(bytes), content_id: None, note: None }
    }
}

fn file<'a>(part: &'a MessagePart<'_>, letter: &'a Letter<'_>, number: usize, html: Option<&str>) -> File<'a> {
    let mime_type = mime_type(part);
    let bytes = match &part.body {
        PartType::Message(nested) if transfer_is_plain(part) => {
            letter.raw.get(part.offset_body as usize..part.offset_end as usize).map_or(Cow::Borrowed(nested.raw_message()), Cow::Borrowed)
        }
        PartType::Message(nested) => Cow::Borrowed(nested.raw_message()),
        _ => rescue::original(part, letter.raw),
    };
    let given = part.attachment_name().and_then(safe_name);
    let name = given.unwrap_or_else(|| match &part.body {
        PartType::Message(nested) => nested
            .subject()
            .and_then(|subject| safe_name(&format!("{}.eml", subject.replace(['/', '\\'], "_"))))
            .unwrap_or_else(|| "message.eml".to_owned()),
        _ => format!("attachment-{number}{}", extension(&mime_type)),
    });
    let content_id = part.content_id().map(|id| one_line(id, NAME_MAX)).filter(|id| !id.is_empty());
    let attached = part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
    let shown = |id: &String| !attached || html.is_some_and(|html| html.contains(&format!("cid:{id}")));
    // No kept crate unpacks it.
    let note = (mime_type == "application/ms-tnef" || name.eq_ignore_ascii_case("winmail.dat"))
        .then_some("Outlook's own packing (TNEF): files may be inside");
    File { name, mime_type, bytes, content_id: content_id.filter(shown), note }
}

fn transfer_is_plain(part: &MessagePart<'_>) -> bool {
    part.encoding == mail_parser::Encoding::None
}

fn mime_type(part: &MessagePart<'_>) -> String {
    let unknown = match part.body {
        PartType::Text(_) => "text/plain",
        PartType::Html(_) => "text/html",
        PartType::Message(_) => "message/rfc822",
        _ => "application/octet-stream",
    };
    let Some(kind) = part.content_type() else { return unknown.to_owned() };
    let Some(subtype) = kind.subtype() else { return unknown.to_owned() };
    let named = format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase();
    let honest = named.len() <= 127
        && kind.ctype() != "multipart"
        && named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.+-_".contains(&byte));
    if !honest {
        return unknown.to_owned();
    }
    // A text keeps its own bytes, so it keeps its charset.
    match kind.attribute("charset").filter(|charset| {
        kind.ctype() == "text" && charset.len() <= 40 && charset.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    }) {
        Some(charset) => format!("{named}; charset={}", charset.to_ascii_lowercase()),
        None => named,
    }
}

fn kind(mime_type: &str) -> MediaKind {
    match mime_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

fn extension(mime_type: &str) -> &'static str {
    match mime_type.split(';').next().unwrap_or_default() {
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "application/pdf" => ".pdf",
        "text/plain"
        | "text/rfc822-headers"
        | "message/delivery-status"
        | "message/disposition-notification"
        | "message/feedback-report" => ".txt",
        "text/html" => ".html",
        "text/csv" => ".csv",
        "text/calendar" => ".ics",
        "message/rfc822" => ".eml",
        "application/pgp-signature" => ".asc",
        "application/pkcs7-signature" => ".p7s",
        "application/ms-tnef" => ".dat",
        _ => ".bin",
    }
}

/// A name without folders, control characters, and marks that turn the direction of writing (`cod.exe` shown as `exe.doc`), of at
/// most 255 bytes with its ending.
pub(crate) fn safe_name(given: &str) -> Option<String> {
    let hidden =
        |c: &char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let clean: String =
        given.chars().filter(|c| !hidden(c)).map(|c| if matches!(c, '<' | '>' | '"' | '|' | '?' | '*' | ':') { '_' } else { c }).collect();
    let base = clean.rsplit(['/', '\\']).find(|piece| !piece.trim().is_empty())?.trim();
    let base = base.trim_start_matches('.').trim_end_matches(['.', ' ']).trim_start();
    if base.is_empty() {
        return None;
    }
    if base.len() <= NAME_MAX {
        return Some(base.to_owned());
    }
    let ending = base
        .rsplit_once('.')
        .map(|(_, ending)| ending)
        .filter(|ending| ending.len() <= 10)
        .map(|ending| format!(".{ending}"))
        .unwrap_or_default();
    let stem = base.get(..base.floor_char_boundary(NAME_MAX - ending.len())).unwrap_or_default();
    Some(format!("{stem}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_harmless() {
        let cases = [
            ("ف.pdf", Some("ف.pdf")),
            ("../../etc/passwd", Some("passwd")),
            (r"C:\Users\mona\Price list.xlsx", Some("Price list.xlsx")),
            ("a\r\nb\0.txt", Some("ab.txt")),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe")),
            ("..", None),
            ("", None),
            ("/", None),
            (".htaccess", Some("htaccess")),
            ("what?.txt", Some("what_.txt")),
        ];
        for (given, safe) in cases {
            assert_eq!(safe_name(given).as_deref(), safe, "{given:?}");
        }
        let long = safe_name(&format!("{}.pdf", "ف".repeat(300))).unwrap();
        assert!(long.len() <= NAME_MAX && long.ends_with(".pdf"), "{long}");
    }
}

//! One letter, as it came over the wire: headers, bodies, files. `mail-parser` reads it; what mail programs get wrong is mended here.

mod attachment;
mod automatic;
mod body;
mod bounds;
mod flowed;
mod person;
mod rescue;

use mail_parser::{ContentType, Header, HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders as _};

pub(crate) use attachment::{File, media};
pub(crate) use automatic::{Origin, is_daemon};
pub(crate) use body::{Bodies, HTML_MAX, TEXT_MAX};
pub(crate) use person::Person;

use crate::thread;

/// References that are read, the newest.
const REFERENCES_MAX: usize = 100;
/// Characters of a header that is shown.
const HEADER_MAX: usize = 2_000;
/// Characters of a subject.
const SUBJECT_MAX: usize = 2_000;
/// A clock that is further ahead is wrong: a day, in milliseconds.
const AHEAD_MS: f64 = 86_400_000.0;

/// A letter that could be read.
#[derive(Debug)]
pub(crate) struct Letter<'x> {
    raw: &'x [u8],
    message: Message<'x>,
}

impl<'x> Letter<'x> {
    /// None where it has no header, or more parts than an honest letter has.
    pub(crate) fn read(raw: &'x [u8]) -> Option<Self> {
        if !bounds::within(raw) {
            return None;
        }
        let message = MessageParser::default().parse(raw)?;
        Some(Self { raw, message })
    }

    /// The header alone.
    pub(crate) fn head(raw: &'x [u8]) -> Option<Self> {
        let mut message = MessageParser::default().parse_headers(raw)?;
        message.text_body.clear();
        message.html_body.clear();
        message.attachments.clear();
        (!message.parts.is_empty()).then_some(Self { raw, message })
    }

    /// Its own id, without angle brackets.
    pub(crate) fn message_id(&self) -> Option<String> {
        self.ids("message-id").into_iter().next()
    }

    /// What it answers: the last id, where a program names several.
    pub(crate) fn in_reply_to(&self) -> Option<String> {
        self.ids("in-reply-to").into_iter().next_back()
    }

    /// The letters before it in its thread, the oldest first.
    pub(crate) fn references(&self) -> Vec<String> {
        let mut ids = self.ids("references");
        if ids.len() > REFERENCES_MAX {
            ids.drain(1..=ids.len() - REFERENCES_MAX);
        }
        ids
    }

    /// Its subject, on one line.
    pub(crate) fn subject(&self) -> String {
        let Some(header) = self.header("subject") else { return String::new() };
        let decoded = match &header.value {
            HeaderValue::Text(text) => text.as_ref(),
            _ => "",
        };
        // Bytes without a charset: some programs mean the one of the body.
        let mended = decoded.contains(char::REPLACEMENT_CHARACTER).then(|| self.in_body_charset(self.bytes(header))).flatten();
        one_line(mended.as_deref().unwrap_or(decoded), SUBJECT_MAX)
    }

    /// Who wrote it: `From`, else whoever sent it.
    pub(crate) fn author(&self) -> Option<Person> {
        ["from", "sender", "return-path"].iter().find_map(|name| self.people(name).into_iter().next())
    }

    /// The people of a header, groups dissolved.
    pub(crate) fn people(&self, name: &str) -> Vec<Person> {
        self.headers(name).flat_map(|header| person::people(&header.value)).collect()
    }

    /// When its author says that it was written; none where that can't be.
    pub(crate) fn written_at_ms(&self, received_at_ms: Option<f64>) -> Option<f64> {
        let HeaderValue::DateTime(date) = &self.header("date")?.value else { return None };
        #[expect(clippy::cast_precision_loss, reason = "a date has four digits of years")]
        let at_ms = date.is_valid().then(|| date.to_timestamp() as f64 * 1000.0)?;
        (at_ms > 0.0 && received_at_ms.is_none_or(|received| at_ms <= received + AHEAD_MS)).then_some(at_ms)
    }

    /// A header as it stands, unfolded: the first of that name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let header = self.header(name)?;
        Some(one_line(&String::from_utf8_lossy(self.bytes(header)), HEADER_MAX)).filter(|text| !text.is_empty())
    }

    /// Whether a header of that name is there, and says nothing or `<>`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.header(name).is_some_and(|header| matches!(self.bytes(header).trim_ascii(), b"" | b"<>"))
    }

    /// Whether a header of that name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.header(name).is_some()
    }

    /// Whether a machine wrote it.
    pub(crate) fn origin(&self) -> Origin {
        automatic::origin(self)
    }

    /// What it says.
    pub(crate) fn bodies(&self) -> Bodies {
        body::bodies(self)
    }

    /// What is attached, and what of its bodies is too long to be said.
    pub(crate) fn files(&self, bodies: &Bodies) -> Vec<File<'_>> {
        attachment::files(self, bodies)
    }

    /// The root's media type, in lower case, with its attributes.
    pub(crate) fn content_type(&self) -> Option<&ContentType<'_>> {
        self.message.root_part().content_type()
    }

    /// Its parts, in order; the first is the letter itself.
    pub(crate) fn parts(&self) -> &[MessagePart<'x>] {
        &self.message.parts
    }

    fn part(&self, id: u32) -> Option<&MessagePart<'x>> {
        self.message.parts.get(id as usize)
    }

    fn header(&self, name: &str) -> Option<&Header<'x>> {
        self.headers(name).next()
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = &Header<'x>> {
        self.message.headers().iter().filter(move |header| header.name().eq_ignore_ascii_case(name))
    }

    fn bytes(&self, header: &Header<'_>) -> &'x [u8] {
        self.raw.get(header.offset_start() as usize..header.offset_end() as usize).unwrap_or_default()
    }

    fn ids(&self, name: &str) -> Vec<String> {
        self.headers(name).flat_map(|header| thread::ids(&String::from_utf8_lossy(self.bytes(header)))).collect()
    }

    fn in_body_charset(&self, bytes: &[u8]) -> Option<String> {
        let named = self.message.parts.iter().filter_map(|part| part.content_type()?.attribute("charset"));
        let mut legacy = named.filter(|charset| !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("us-ascii"));
        rescue::decode(bytes, legacy.next()?)
    }
}

/// A header's value without folds, control characters, and white space twice.
fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > max {
            line.truncate(line.floor_char_boundary(max));
            break;
        }
    }
    line
}

/// Whether a part is of that media type.
fn is_type(part: &MessagePart<'_>, kind: &str, subtype: &str) -> bool {
    part.is_content_type(kind, subtype)
}

/// A part's transfer encoding, in lower case.
fn transfer_encoding(part: &MessagePart<'_>) -> String {
    let header = part.headers.iter().find(|header| header.name == HeaderName::ContentTransferEncoding);
    header.and_then(|header| header.value.as_text()).unwrap_or_default().trim().to_ascii_lowercase()
}

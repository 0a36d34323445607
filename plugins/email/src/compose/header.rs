//! The header of a letter, or of a part of one: encoded (RFC 2047, RFC 2231) and folded at 78 characters.

use encodify::Fold;
use encodify::hex::PERCENT;
use encodify::rfc2047::{B, Q_PHRASE, Q_TEXT, WordEncoder};

use crate::address::Mailbox;

/// Characters of a line: RFC 5322 asks for 78, and for 76 where encoded words are on it.
const LINE: usize = 76;
/// A longer word can't be folded, and a line of more than 998 bytes is cut by servers.
pub(crate) const WORD_MAX: usize = 900;
/// Characters of a parameter that stands in quotes on one line.
const QUOTED_MAX: usize = 60;

/// Lines of a header; each ends in CRLF.
#[derive(Debug, Default, Clone)]
pub(crate) struct Header {
    lines: String,
}

impl Header {
    /// A header of plain words.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        let mut line = Line::begin(&mut self.lines, name);
        let value = value.trim();
        if is_plain(value) {
            line.words(value);
        } else {
            line.encoded(value, Q_TEXT);
        }
        line.end();
    }

    /// A header that stands as it is: folded where it has spaces, and never encoded.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        let mut line = Line::begin(&mut self.lines, name);
        line.words(value);
        line.end();
    }

    /// A header of addresses; none without any.
    pub(crate) fn mailboxes(&mut self, name: &str, mailboxes: &[Mailbox]) {
        let Some(last) = mailboxes.len().checked_sub(1) else { return };
        let mut line = Line::begin(&mut self.lines, name);
        for (n, mailbox) in mailboxes.iter().enumerate() {
            let comma = if n == last { "" } else { "," };
            match &mailbox.name {
                Some(name) => {
                    line.phrase(name);
                    line.atom(&format!("<{}>{comma}", mailbox.address));
                }
                None => line.atom(&format!("{}{comma}", mailbox.address)),
            }
        }
        line.end();
    }

    /// A header of Message-IDs, which come without their brackets; none without any.
    pub(crate) fn ids<'a>(&mut self, name: &str, ids: impl IntoIterator<Item = &'a str>) {
        let mut ids = ids.into_iter().peekable();
        if ids.peek().is_none() {
            return;
        }
        let mut line = Line::begin(&mut self.lines, name);
        for id in ids {
            line.atom(&format!("<{id}>"));
        }
        line.end();
    }

    /// `Content-Disposition: attachment; filename="…"`: a value and its parameters.
    pub(crate) fn parameters(&mut self, name: &str, value: &str, parameters: &[(&str, &str)]) {
        let mut parts: Vec<String> = vec![value.to_owned()];
        for (key, value) in parameters {
            parts.extend(parameter(key, value));
        }
        let last = parts.len().saturating_sub(1);
        let mut line = Line::begin(&mut self.lines, name);
        for (n, part) in parts.iter().enumerate() {
            line.atom(&format!("{part}{}", if n == last { "" } else { ";" }));
        }
        line.end();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.lines.as_bytes()
    }
}

/// What no header may hold: the rest of a line that begins here would be another header.
pub(crate) fn holds_control(value: &str) -> bool {
    value.chars().any(|character| character.is_control() && character != '\t')
}

/// Printable ASCII that can be folded, and that nobody takes for an encoded word.
fn is_plain(value: &str) -> bool {
    let printable = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    printable && !value.contains("=?") && value.split([' ', '\t']).all(|word| word.len() < LINE)
}

/// `key="value"`, or by RFC 2231 in as many sections as it needs.
fn parameter(key: &str, value: &str) -> Vec<String> {
    if value.len() <= QUOTED_MAX && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return vec![format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))];
    }
    let mut sections: Vec<String> = vec![String::new()];
    for character in value.chars() {
        let escaped = PERCENT.encode(character.encode_utf8(&mut [0; 4]).as_bytes());
        match sections.last_mut() {
            Some(section) if section.len() + escaped.len() <= QUOTED_MAX - key.len() => section.push_str(&escaped),
            _ => sections.push(escaped),
        }
    }
    match sections.as_slice() {
        [whole] => vec![format!("{key}*=UTF-8''{whole}")],
        several => {
            let charset = |n: usize| if n == 0 { "UTF-8''" } else { "" };
            several.iter().enumerate().map(|(n, section)| format!("{key}*{n}*={}{section}", charset(n))).collect()
        }
    }
}

/// One header that is being written.
struct Line<'a> {
    out: &'a mut String,
    column: usize,
    /// Something stands behind the name, or the indent: a line may end here.
    foldable: bool,
}

impl<'a> Line<'a> {
    fn begin(out: &'a mut String, name: &str) -> Self {
        out.push_str(name);
        out.push(':');
        Self { column: name.len() + 1, out, foldable: false }
    }

    fn end(self) {
        self.out.push_str("\r\n");
    }

    /// White space and what follows it, on a line of its own where this one is full.
    fn spaced(&mut self, space: &str, atom: &str) {
        if self.foldable && self.column + space.len() + atom.len() > LINE {
            self.out.push_str("\r\n");
            self.column = 0;
        }
        self.out.push_str(space);
        self.out.push_str(atom);
        self.column += space.len() + atom.len();
        self.foldable = true;
    }

    fn atom(&mut self, atom: &str) {
        self.spaced(" ", atom);
    }

    /// Words with the white space between them as it is.
    fn words(&mut self, mut rest: &str) {
        let mut space = " ";
        while !rest.is_empty() {
            let end = rest.find([' ', '\t']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            self.spaced(space, word);
            let next = after.find(|character| !matches!(character, ' ' | '\t')).unwrap_or(after.len());
            (space, rest) = after.split_at(next);
        }
    }

    /// A display name: an atom, a quoted string, or encoded words.
    fn phrase(&mut self, name: &str) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_' | b'\'');
        if !is_plain(name) || name.len() > QUOTED_MAX {
            self.encoded(name, Q_PHRASE);
        } else if name.bytes().all(plain) {
            self.words(name);
        } else {
            self.atom(&format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")));
        }
    }

    /// As encoded words, in whichever of the two ways is shorter.
    fn encoded(&mut self, text: &str, quoted: WordEncoder) {
        let encoder = if quoted.payload_len(text) <= B.payload_len(text) { quoted } else { B };
        if self.foldable && self.column > LINE / 2 {
            self.out.push_str("\r\n");
            self.column = 0;
        }
        self.out.push(' ');
        self.column += 1;
        encoder.encode_words("utf-8", text, &mut self.column, Fold::HEADER, self.out);
        self.foldable = true;
    }
}

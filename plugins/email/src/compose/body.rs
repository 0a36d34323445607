//! The parts of a letter: texts in whichever encoding is shortest, files by their reference, and what holds them together.

use encodify::base64::MIME;
use encodify::qp;
use patchbay_plugin::mail::Stretch;

use super::header::Header;

/// Characters of a line that goes out as it is. Servers take 998 bytes, readers and signatures like fewer.
const LINE: usize = 78;
/// Begins every boundary. Neither of the two encodings makes it, and a text that holds it is encoded.
const MARK: &str = "=_";

/// A part of a letter, or the whole of it.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A text with the header that it needs.
    Text { kind: &'static str, header: Header, body: Vec<u8> },
    /// A file of the gateway's: its bytes don't come here.
    File { header: Header, reference: String, size: Option<u32> },
    /// `multipart/KIND`.
    Several { kind: &'static str, parts: Vec<Part> },
}

impl Part {
    /// A text in UTF-8, with the line breaks of the network.
    pub(crate) fn text(kind: &'static str, text: &str) -> Self {
        let text = break_lines(text);
        let (encoding, body) = encode(text);
        let mut header = Header::default();
        header.parameters("Content-Type", &format!("text/{kind}"), &[("charset", "utf-8")]);
        header.raw("Content-Transfer-Encoding", encoding);
        Self::Text { kind, header, body }
    }

    fn media_type(&self) -> String {
        match self {
            Self::Text { kind, .. } => format!("text/{kind}"),
            Self::File { .. } => "application/octet-stream".to_owned(),
            Self::Several { kind, .. } => format!("multipart/{kind}"),
        }
    }

    /// The one part, or all of them in a `multipart/KIND`.
    pub(crate) fn joined(kind: &'static str, mut parts: Vec<Self>) -> Option<Self> {
        match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(Self::Several { kind, parts }),
        }
    }
}

/// A letter that is being written.
#[derive(Debug)]
pub(crate) struct Writer {
    stretches: Vec<Stretch>,
    bytes: Vec<u8>,
    size: u64,
    /// Makes boundaries that no part can hold.
    seed: String,
    boundaries: u32,
}

impl Writer {
    /// The seed is the message's id: the same letter is the same bytes at every attempt.
    pub(crate) fn new(seed: &str) -> Self {
        let seed = seed.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        Self { stretches: Vec::new(), bytes: Vec::new(), size: 0, seed, boundaries: 0 }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn part(&mut self, part: Part) {
        match part {
            Part::Text { header, body, .. } => {
                self.bytes(header.as_bytes());
                self.bytes(b"\r\n");
                self.bytes(&body);
            }
            Part::File { header, reference, size } => {
                self.bytes(header.as_bytes());
                self.bytes(b"\r\n");
                self.file(reference, size);
            }
            Part::Several { kind, parts } => self.several(kind, parts),
        }
    }

    fn several(&mut self, kind: &str, parts: Vec<Part>) {
        self.boundaries += 1;
        let boundary = format!("{MARK}{}_{}", self.boundaries, self.seed);
        let mut parameters = vec![("boundary", boundary.as_str())];
        // RFC 2387: what the other parts belong to.
        let root = parts.first().filter(|_| kind == "related").map(Part::media_type);
        parameters.extend(root.as_deref().map(|root| ("type", root)));
        let mut header = Header::default();
        header.parameters("Content-Type", &format!("multipart/{kind}"), &parameters);
        self.bytes(header.as_bytes());
        for part in parts {
            self.bytes(format!("\r\n--{boundary}\r\n").as_bytes());
            self.part(part);
        }
        self.bytes(format!("\r\n--{boundary}--\r\n").as_bytes());
    }

    fn file(&mut self, reference: String, size: Option<u32>) {
        self.flush();
        self.size += base64_size(size.unwrap_or_default());
        self.stretches.push(Stretch::File(reference));
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.size += self.bytes.len() as u64;
            self.stretches.push(Stretch::Bytes(std::mem::take(&mut self.bytes)));
        }
    }

    /// What was written, and how many bytes it is on the wire as far as the sizes of its files are known.
    pub(crate) fn finish(mut self) -> (Vec<Stretch>, u64) {
        self.flush();
        (self.stretches, self.size)
    }
}

/// Base64 in lines of 76 characters, each with its line break.
fn base64_size(bytes: u32) -> u64 {
    let characters = u64::from(bytes).div_ceil(3) * 4;
    characters + characters.div_ceil(76) * 2
}

/// CR, LF and CRLF as CRLF, with one at the end of what isn't empty.
fn break_lines(text: &str) -> String {
    let mut broken = String::with_capacity(text.len() + text.len() / 32 + 2);
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\n']) {
        let (line, after) = rest.split_at(at);
        broken.push_str(line);
        broken.push_str("\r\n");
        rest = after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    broken.push_str(rest);
    if !rest.is_empty() {
        broken.push_str("\r\n");
    }
    broken
}

/// As it is where every server hands it on unchanged, else the shorter of the two encodings.
fn encode(text: String) -> (&'static str, Vec<u8>) {
    if is_plain(&text) {
        return ("7bit", text.into_bytes());
    }
    let most = MIME.encoded_len(text.len());
    if qp::BODY.encoded_len_within(&text, most).is_some() {
        return ("quoted-printable", qp::BODY.encode(&text).into_bytes());
    }
    let mut body = MIME.encode(&text).into_bytes();
    if !body.ends_with(b"\r\n") {
        body.extend_from_slice(b"\r\n");
    }
    ("base64", body)
}

fn is_plain(text: &str) -> bool {
    let line = |line: &str| {
        let printable = line.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        // Mailboxes in one file end at `From `, and white space at the end of a line gets lost.
        printable && line.len() <= LINE && !line.ends_with([' ', '\t']) && !line.starts_with("From ")
    };
    !text.contains(MARK) && text.split("\r\n").all(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> (&'static str, String) {
        let (encoding, body) = encode(break_lines(text));
        (encoding, String::from_utf8(body).unwrap())
    }

    #[test]
    fn lines_break_as_the_network_has_it() {
        assert_eq!(break_lines("a\nb\r\nc\rd\n\ne"), "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n");
        assert_eq!(break_lines("a\r\n"), "a\r\n");
        assert_eq!(break_lines(""), "");
    }

    #[test]
    fn plain_text_stays_and_what_servers_change_is_encoded() {
        assert_eq!(encoded(".\n..\nHi"), ("7bit", ".\r\n..\r\nHi\r\n".to_owned()), "the gateway doubles dots");
        assert_eq!(encoded("From me\n"), ("quoted-printable", "From me\r\n".to_owned()));
        assert_eq!(encoded("space \nx").1, "space=20\r\nx\r\n");
        assert_eq!(encoded("--=_1_x").1, "--=3D_1_x\r\n");
        assert_eq!(encoded("café").1, "caf=C3=A9\r\n");
        assert_eq!(encoded("مرحبا بك").0, "base64");
        assert_eq!(encoded("a\u{7}b").1, "a=07b\r\n");
    }

    #[test]
    fn no_line_is_long() {
        let texts = ["x".repeat(5000), "é".repeat(5000), "word ".repeat(1000), "سلام ".repeat(1000)];
        for text in texts {
            let (_, body) = encoded(&text);
            assert!(body.split("\r\n").all(|line| line.len() <= 78), "{body}");
        }
    }

    #[test]
    fn the_size_of_a_file_is_known_before() {
        for size in [0, 1, 56, 57, 58, 1000, 5700] {
            let lines = MIME.encode(vec![0; size]);
            let whole = if lines.is_empty() || lines.ends_with("\r\n") { lines } else { format!("{lines}\r\n") };
            assert_eq!(base64_size(u32::try_from(size).unwrap()), whole.len() as u64, "{size}");
        }
    }
}

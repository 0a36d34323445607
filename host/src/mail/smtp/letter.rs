//! A letter on its way: stretches of bytes, and files that become base64 as they are read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use patchbay_sandbox::services::Denial;

use crate::blobs::{BlobError, Blobs};
use crate::domain::failure::Failure;
use crate::mail::Stretch;
use crate::mail::failing::{denied, unavailable};

/// Bytes that make a line of 76 characters.
const LINE_BYTES: usize = 57;
const LINE_CHARS: u64 = 76;
/// Bytes gathered before they are written.
const GATHERED: usize = 32 * 1024;

/// A letter, measured before anything is said.
pub(in crate::mail) struct Letter<'a> {
    stretches: &'a [Stretch],
    blobs: &'a Blobs,
    /// Bytes on the wire, but for doubled dots.
    pub(super) size: u64,
    pub(super) is_ascii: bool,
}

impl<'a> Letter<'a> {
    /// # Errors
    /// A file isn't there.
    pub(in crate::mail) async fn measure(stretches: &'a [Stretch], blobs: &'a Blobs) -> Result<Letter<'a>, Failure> {
        let mut letter = Letter { stretches, blobs, size: 0, is_ascii: true };
        for stretch in stretches {
            letter.size += match stretch {
                Stretch::Bytes(bytes) => {
                    letter.is_ascii &= bytes.is_ascii();
                    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
                }
                Stretch::File(id) => encoded_size(u64::from(blobs.info(id).await.map_err(|error| lost(&error))?.size)),
            };
        }
        Ok(letter)
    }

    /// The next bytes for the wire, until there are none. The last of them isn't the end of the letter: a dot is.
    pub(super) fn begin(&self) -> Pieces<'_> {
        Pieces { letter: self, next: 0, file: None, rest: Vec::new(), stuffer: Stuffer::default() }
    }
}

/// A file in base64, each line with its end.
fn encoded_size(bytes: u64) -> u64 {
    let characters = bytes.div_ceil(3) * 4;
    characters + characters.div_ceil(LINE_CHARS) * 2
}

fn lost(error: &BlobError) -> Failure {
    match error {
        BlobError::NotFound(_) => denied(Denial::NotGranted, format!("a file of the letter: {error}")),
        _ => unavailable("blob_store", error.to_string()),
    }
}

type FilePieces = futures::stream::BoxStream<'static, Result<bytes::Bytes, BlobError>>;

pub(super) struct Pieces<'a> {
    letter: &'a Letter<'a>,
    next: usize,
    /// The file that is being read.
    file: Option<FilePieces>,
    /// Of the file: less than a line.
    rest: Vec<u8>,
    stuffer: Stuffer,
}

impl Pieces<'_> {
    /// # Errors
    /// A file can't be read to its end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut out = Vec::with_capacity(GATHERED * 2);
        while out.len() < GATHERED {
            if let Some(file) = &mut self.file {
                match file.next().await {
                    Some(piece) => {
                        self.rest.extend_from_slice(&piece.map_err(|error| lost(&error))?);
                        let whole = self.rest.len() - self.rest.len() % LINE_BYTES;
                        let lines: Vec<u8> = self.rest.drain(..whole).collect();
                        self.encode(&lines, &mut out);
                    }
                    None => {
                        self.file = None;
                        let last = std::mem::take(&mut self.rest);
                        self.encode(&last, &mut out);
                    }
                }
                continue;
            }
            let Some(stretch) = self.letter.stretches.get(self.next) else { break };
            self.next += 1;
            match stretch {
                Stretch::Bytes(bytes) => self.stuffer.stuff(bytes, &mut out),
                Stretch::File(id) => self.file = Some(self.letter.blobs.stream(id).await.map_err(|error| lost(&error))?.1),
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }

    /// Base64 has no dots: its lines go as they are.
    fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for line in bytes.chunks(LINE_BYTES) {
            self.stuffer.stuff(STANDARD.encode(line).as_bytes(), out);
            self.stuffer.stuff(b"\r\n", out);
        }
    }

    /// What ends the letter: a dot on a line of its own.
    pub(super) fn end(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.stuffer.end_line(&mut out);
        out.extend_from_slice(b".\r\n");
        out
    }
}

/// Doubles dots at the beginning of lines, so that none ends the letter early. Each line ends with CR and LF: a lone one of the two
/// would be an end for some servers and none for others, and with a dot behind it another letter could hide in this one.
struct Stuffer {
    begins_line: bool,
    had_cr: bool,
}

impl Default for Stuffer {
    fn default() -> Self {
        Self { begins_line: true, had_cr: false }
    }
}

impl Stuffer {
    fn stuff(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.had_cr = false;
                    self.break_line(out);
                }
                b'\r' => {
                    self.close_cr(out);
                    self.had_cr = true;
                }
                other => {
                    self.close_cr(out);
                    if *other == b'.' && self.begins_line {
                        out.push(b'.');
                    }
                    out.push(*other);
                    self.begins_line = false;
                }
            }
        }
    }

    fn close_cr(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.had_cr) {
            self.break_line(out);
        }
    }

    fn break_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.begins_line = true;
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        self.close_cr(out);
        if !self.begins_line {
            self.break_line(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn written(stretches: &[Stretch], blobs: &Blobs) -> (u64, Vec<u8>) {
        let letter = Letter::measure(stretches, blobs).await.unwrap();
        let mut pieces = letter.begin();
        let mut out = Vec::new();
        while let Some(piece) = pieces.next().await.unwrap() {
            out.extend_from_slice(&piece);
        }
        out.extend_from_slice(&pieces.end());
        (letter.size, out)
    }

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        (folder, blobs)
    }

    async fn file(blobs: &Blobs, bytes: Vec<u8>) -> Stretch {
        let mut writer = blobs.create("application/pdf", u32::MAX).unwrap();
        writer.append(Bytes::from(bytes)).await.unwrap();
        Stretch::File(writer.finish().await.unwrap().id)
    }

    #[tokio::test]
    async fn no_line_of_a_letter_ends_it() {
        let (_folder, blobs) = blobs();
        for (given, sent) in [
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            ("..a", "...a\r\n.\r\n"),
            ("a.b\r\n.c.", "a.b\r\n..c.\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.\n", "a\r\n\r\n..\r\n.\r\n"),
            ("", ".\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
        ] {
            let (_, out) = written(&[Stretch::Bytes(given.into())], &blobs).await;
            assert_eq!(String::from_utf8(out).unwrap(), sent, "{given:?}");
            // Wherever it is cut, it is the same.
            for cut in 0..given.len() {
                let (first, second) = given.as_bytes().split_at(cut);
                let (_, out) = written(&[Stretch::Bytes(first.into()), Stretch::Bytes(second.into())], &blobs).await;
                assert_eq!(String::from_utf8(out).unwrap(), sent, "{given:?} cut at {cut}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_becomes_lines_of_base64() {
        let (_folder, blobs) = blobs();
        for length in [0, 1, 56, 57, 58, 114, 300_000] {
            let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let stretches =
                [Stretch::Bytes(b"head\r\n\r\n".to_vec()), file(&blobs, bytes.clone()).await, Stretch::Bytes(b"--b--\r\n".to_vec())];
            let (size, out) = written(&stretches, &blobs).await;
            let text = String::from_utf8(out).unwrap();
            assert_eq!(size, u64::try_from(text.len() - 3).unwrap(), "{length}");
            let body = text.strip_prefix("head\r\n\r\n").unwrap().strip_suffix("--b--\r\n.\r\n").unwrap();
            assert!(body.lines().all(|line| line.len() <= 76) && body.lines().rev().skip(1).all(|line| line.len() == 76));
            assert_eq!(STANDARD.decode(body.replace("\r\n", "")).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_told_before_anything_is_said() {
        let (_folder, blobs) = blobs();
        let gone = [Stretch::File("0".repeat(32))];
        assert_eq!(Letter::measure(&gone, &blobs).await.err().unwrap().code, "not_granted");
        let eight_bits = [Stretch::Bytes("é".into())];
        assert!(!Letter::measure(&eight_bits, &blobs).await.unwrap().is_ascii);
    }
}

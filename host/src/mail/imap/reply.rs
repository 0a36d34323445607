//! One answer off the wire: a line, and the literals in it. A letter's literal goes to a blob as it comes.

use std::io;

use crate::blobs::BlobWriter;
use crate::mail::wire::Wire;

use super::said::Said;

/// The UIDs of a folder of a million letters, found by one search.
const LINE_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one answer that are held, but for a letter.
const HELD_MAX: usize = 9 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

pub(super) enum Reply {
    Tagged(String, Said),
    Continue(String),
    /// OK, NO, BAD, BYE or PREAUTH that answers no command.
    Untagged(Said),
    /// Anything else, with its literals and its end.
    Data(Vec<u8>),
}

/// Where a letter goes.
pub(super) struct Body<'a> {
    pub(super) blob: &'a mut BlobWriter,
    /// Bytes that it may have: what the server said, and a little for one that counts differently.
    pub(super) most: u64,
    /// It came as a literal, and is in the blob.
    pub(super) is_there: bool,
}

impl Reply {
    pub(super) async fn read(wire: &mut Wire, mut body: Option<&mut Body<'_>>) -> io::Result<Reply> {
        let mut held = Vec::new();
        loop {
            let line = wire.line(LINE_MAX).await?;
            if held.is_empty()
                && let Some(reply) = Self::of_line(&line)
            {
                return Ok(reply);
            }
            if held.len() + line.len() > HELD_MAX {
                return Err(invalid("an answer that is too long"));
            }
            let Some((before, length)) = literal(&line) else {
                held.extend_from_slice(&line);
                held.extend_from_slice(b"\r\n");
                return Ok(Reply::Data(held));
            };
            held.extend_from_slice(before);
            match body.as_deref_mut().filter(|body| !body.is_there && is_letter(before)) {
                Some(body) => {
                    body.take(wire, length).await?;
                    // What is parsed afterwards has an empty one in its place.
                    held.extend_from_slice(b"{0}\r\n");
                }
                None => {
                    let room = u64::try_from(HELD_MAX.saturating_sub(held.len())).unwrap_or(0);
                    if length > room {
                        return Err(invalid("an answer that is too long"));
                    }
                    held.extend_from_slice(format!("{{{length}}}\r\n").as_bytes());
                    let mut left = usize::try_from(length).unwrap_or(usize::MAX);
                    while left > 0 {
                        let piece = wire.piece(left.min(PIECE)).await?;
                        left -= piece.len();
                        held.extend_from_slice(&piece);
                    }
                }
            }
        }
    }

    /// What is a whole answer by itself, whatever its end looks like.
    fn of_line(line: &[u8]) -> Option<Reply> {
        let text = String::from_utf8_lossy(line);
        if let Some(rest) = text.strip_prefix('+') {
            return Some(Reply::Continue(rest.trim().to_owned()));
        }
        let (tag, rest) = text.split_once(' ')?;
        let said = Said::parse(rest)?;
        Some(if tag == "*" { Reply::Untagged(said) } else { Reply::Tagged(tag.to_owned(), said) })
    }
}

impl Body<'_> {
    async fn take(&mut self, wire: &mut Wire, length: u64) -> io::Result<()> {
        if length > self.most {
            return Err(invalid("a letter that is larger than it was said to be"));
        }
        let mut left = length;
        while left > 0 {
            let piece = wire.piece(usize::try_from(left).unwrap_or(PIECE).min(PIECE)).await?;
            left -= u64::try_from(piece.len()).unwrap_or(left);
            self.blob.append(piece).await.map_err(io::Error::other)?;
        }
        self.is_there = true;
        Ok(())
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

/// What stands before a literal that the line ends with, and its bytes.
fn literal(line: &[u8]) -> Option<(&[u8], u64)> {
    let inner = line.strip_suffix(b"}")?;
    let at = memchr::memrchr(b'{', inner)?;
    let (before, number) = (inner.get(..at)?, inner.get(at + 1..)?);
    let digits = std::str::from_utf8(number).ok().filter(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))?;
    Some((before, digits.parse().ok()?))
}

fn is_letter(before: &[u8]) -> bool {
    let tail = before.get(before.len().saturating_sub(16)..).unwrap_or_default().to_ascii_uppercase();
    [&b"BODY[] "[..], b"BODY[HEADER] "].iter().any(|item| tail.ends_with(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_told_from_text_that_looks_like_one() {
        assert_eq!(literal(b"* 1 FETCH (BODY[] {12}"), Some((&b"* 1 FETCH (BODY[] "[..], 12)));
        for line in [&b"{}"[..], b"{a}", b"a {1", b"12}", b"{-1}", b"{99999999999999999999}"] {
            assert_eq!(literal(line), None);
        }
        assert!(matches!(Reply::of_line(b"* OK see {5}"), Some(Reply::Untagged(said)) if said.text == "see {5}"));
        assert!(matches!(Reply::of_line(b"P1 NO [LIMIT] x"), Some(Reply::Tagged(tag, said)) if tag == "P1" && said.word() == "LIMIT"));
        assert!(matches!(Reply::of_line(b"+ idling"), Some(Reply::Continue(text)) if text == "idling"));
        assert!(Reply::of_line(b"* 3 EXISTS").is_none() && Reply::of_line(b"").is_none());
    }

    #[test]
    fn only_a_letter_goes_to_its_blob() {
        assert!(is_letter(b"* 1 FETCH (UID 7 body[] ") && is_letter(b"BODY[HEADER] ") && !is_letter(b"BODY[TEXT] ") && !is_letter(b""));
    }
}

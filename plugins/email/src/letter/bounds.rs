//! Letters that are built to be expensive: counted before anything is built from them.

use std::collections::HashSet;

/// Parts of a letter.
const PARTS_MAX: usize = 500;
/// Multiparts inside one another: each has a boundary of its own.
const DEPTH_MAX: usize = 20;
/// Letters inside one another: each is a level of its own too.
const LETTERS_MAX: usize = 100;
/// Different boundaries: what is passed on brings its own.
const BOUNDARIES_MAX: usize = 200;
/// Bytes of a header that name a boundary.
const BOUNDARY_MAX: usize = 200;

/// Whether a letter keeps to what honest ones have.
pub(super) fn within(raw: &[u8]) -> bool {
    let mut boundaries: HashSet<&[u8]> = HashSet::new();
    let (mut parts, mut letters, mut depth) = (0, 0, 0_usize);
    for line in raw.split(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"--") {
            let name = rest.trim_ascii_end();
            if boundaries.contains(name) {
                parts += 1;
            } else if name.strip_suffix(b"--").is_some_and(|name| boundaries.contains(name)) {
                depth = depth.saturating_sub(1);
            }
        } else if let Some(boundary) = boundary(line)
            && boundaries.insert(boundary)
        {
            depth += 1;
        }
        if line.len() < 1000 && holds_letter(line) {
            letters += 1;
        }
        if parts > PARTS_MAX || letters > LETTERS_MAX || depth > DEPTH_MAX || boundaries.len() > BOUNDARIES_MAX {
            return false;
        }
    }
    true
}

/// What stands behind `boundary=` in a line that looks like a header's.
fn boundary(line: &[u8]) -> Option<&[u8]> {
    let at = find(line, b"boundary=")?;
    let value = line.get(at + b"boundary=".len()..)?;
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next()?,
        None => value.split(|byte| matches!(byte, b';' | b' ' | b'\t' | b'\r')).next()?,
    };
    (!value.is_empty() && value.len() <= BOUNDARY_MAX).then_some(value)
}

fn holds_letter(line: &[u8]) -> bool {
    find(line, b"message/rfc822").is_some() || find(line, b"message/global").is_some()
}

/// In whatever case, within the first kilobyte: base64 lines are 76 long, and a header's line is no longer than that.
fn find(line: &[u8], words: &[u8]) -> Option<usize> {
    let first = *words.first()?;
    let line = line.get(..line.len().min(1024))?;
    if line.len() < words.len() || !line.contains(words.last()?) {
        return None;
    }
    line.windows(words.len())
        .position(|window| window.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&first)) && window.eq_ignore_ascii_case(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_letters_pass() {
        assert!(within(b"Subject: x\r\n\r\nhello\r\n"));
        let dashes = format!("Subject: x\r\n\r\n{}", "--option\r\n------\r\n".repeat(2000));
        assert!(within(dashes.as_bytes()), "dashes are no parts");
        let files = format!("Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\n{}--a b--\r\n", "--a b\r\n\r\nx\r\n".repeat(500));
        assert!(within(files.as_bytes()));
        // A hundred letters passed on one after another: boundaries that are closed again nest in nothing.
        let digest =
            (0..100).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n--b{n}\r\n--b{n}--\r\n")).collect::<String>();
        assert!(within(digest.as_bytes()));
    }

    #[test]
    fn bombs_are_seen() {
        let many = format!("Content-Type: multipart/mixed; Boundary=x\r\n\r\n{}", "--x\n\n".repeat(501));
        assert!(!within(many.as_bytes()));
        let deep: String = (0..30).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
        assert!(!within(deep.as_bytes()));
        let letters = "Content-Type: MESSAGE/RFC822\r\n\r\n".repeat(101);
        assert!(!within(letters.as_bytes()));
    }
}

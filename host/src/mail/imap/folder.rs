//! Folders by name, and where one stands.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use patchbay_sandbox::services::Denial;

use super::{Doing, Session};
use crate::domain::failure::Failure;
use crate::mail::failing::{denied, rejected};

/// Where a folder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mail) struct Standing {
    pub(in crate::mail) validity: u32,
    pub(in crate::mail) next_uid: u32,
    /// Letters in it.
    pub(in crate::mail) exists: u32,
}

impl Session {
    /// Opens a folder to read, or also to change.
    pub(in crate::mail) async fn enter(&mut self, folder: &str, may_change: bool) -> Result<Standing, Failure> {
        let name = quoted(&utf7(folder)).ok_or_else(|| denied(Denial::NotGranted, "the name of a folder has control characters"))?;
        let command = if may_change { "SELECT" } else { "EXAMINE" };
        let notes = self.command(Doing::Folder, &format!("{command} {name}")).await;
        let notes = notes.map_err(|failure| Failure { message: format!("the folder “{folder}”: {}", failure.message), ..failure })?;
        let number = |word: &str| notes.said.iter().rev().find_map(|said| said.number(word));
        let exists = notes.data.iter().rev().find_map(|line| exists(line)).unwrap_or_default();
        let validity = number("UIDVALIDITY").ok_or_else(|| {
            rejected("uidvalidity_missing", format!("the folder “{folder}”: the server keeps no lasting numbers (UIDVALIDITY)"))
        })?;
        let next_uid = match number("UIDNEXT") {
            Some(next_uid) => next_uid,
            // An old server: the last letter tells.
            None if exists == 0 => 1,
            None => self.search("UID *").await?.into_iter().max().map_or(1, |last| last.saturating_add(1)),
        };
        Ok(Standing { validity, next_uid, exists })
    }
}

/// The number of `* n EXISTS`.
pub(super) fn exists(line: &[u8]) -> Option<u32> {
    match imap_proto::parser::parse_response(line) {
        Ok((_, imap_proto::Response::MailboxData(imap_proto::MailboxDatum::Exists(count)))) => Some(count),
        _ => None,
    }
}

/// As a quoted string; none where it can't be one.
pub(super) fn quoted(text: &str) -> Option<String> {
    let plain = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Modified UTF-7 (RFC 3501, 5.1.3): what isn't printable ASCII is base64 of UTF-16 between `&` and `-`.
fn utf7(name: &str) -> String {
    let base64 = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);
    let (mut out, mut other) = (String::new(), Vec::new());
    let flush = |out: &mut String, other: &mut Vec<u8>| {
        if !other.is_empty() {
            out.push('&');
            out.push_str(&base64.encode(&*other));
            out.push('-');
            other.clear();
        }
    };
    for c in name.chars() {
        match c {
            // They stay as they are and are refused: nothing but an attempt to say something else has them in a name.
            c if c.is_control() => out.push(c),
            '&' => {
                flush(&mut out, &mut other);
                out.push_str("&-");
            }
            ' '..='~' => {
                flush(&mut out, &mut other);
                out.push(c);
            }
            c => other.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes())),
        }
    }
    flush(&mut out, &mut other);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_rfc_has_them() {
        for (name, written) in [
            ("INBOX", "INBOX"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe & mehr", "Entw&APw-rfe &- mehr"),
            ("Отправленные", "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
            ("😀", "&2D3eAA-"),
            ("é&é", "&AOk-&-&AOk-"),
        ] {
            assert_eq!(utf7(name), written);
        }
    }

    #[test]
    fn a_name_never_ends_its_line() {
        assert_eq!(quoted(r#"a"b\c"#).as_deref(), Some(r#""a\"b\\c""#));
        for name in ["a\r\nP2 DELETE x", "a\n", "\0"] {
            assert_eq!(quoted(&utf7(name)), None, "{name:?}");
        }
        assert_eq!(quoted("pässword"), None);
    }

    #[test]
    fn the_count_is_read() {
        assert_eq!(exists(b"* 23 EXISTS\r\n"), Some(23));
        assert_eq!(exists(b"* 23 EXPUNGE\r\n"), None);
    }
}

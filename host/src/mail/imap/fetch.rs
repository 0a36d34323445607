//! Letters by UID.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imap_proto::{AttributeValue, MailboxDatum, Response};
use jiff::{Span, Timestamp, tz::TimeZone};
use tokio::time::Instant;

use super::folder::Standing;
use super::reply::Body;
use super::{Doing, Session};
use crate::blobs::{BlobWriter, Blobs};
use crate::domain::failure::Failure;
use crate::mail::failing::unavailable;
use crate::mail::{Folder, FolderQuery, Letter};
use patchbay_sandbox::services::BlobInfo;

/// Letters at once, whatever is asked for.
const LETTERS_MAX: usize = 50;
/// Bytes at once: behind a letter that reaches it no other begins.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A fetch that took so long begins no other letter.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Of a header.
const HEADER_MAX: u32 = 1024 * 1024;
/// Some servers count line ends differently.
const SLACK: u32 = 64 * 1024;
const MIME_TYPE: &str = "message/rfc822";

/// What a fetch works with.
pub(in crate::mail) struct Fetching<'a> {
    pub(in crate::mail) blobs: &'a Blobs,
    /// Bytes of the largest file that the gateway keeps.
    pub(in crate::mail) blob_max: u32,
    /// Told of each blob before it is written.
    pub(in crate::mail) made: &'a (dyn Fn(&str) + Send + Sync),
}

/// What is known of a letter before it is read.
#[derive(Debug, Clone, Copy)]
struct Outline {
    size: u32,
    received_at_ms: Option<f64>,
}

impl Session {
    /// The folder's letters behind a UID, each in a blob. What was read before the connection broke is answered; the rest comes next time.
    pub(in crate::mail) async fn fetch(&mut self, query: &FolderQuery, fetching: &Fetching<'_>) -> Result<Folder, Failure> {
        let began = Instant::now();
        let Standing { validity, next_uid, .. } = self.enter(&query.folder, false).await?;
        let mut folder = Folder { validity, next_uid, letters: Vec::new(), more: false };
        let Some(after) = query.after_uid else { return Ok(folder) };
        let Some(from) = after.checked_add(1).filter(|from| *from < next_uid) else { return Ok(folder) };
        let since = query.since_ms.and_then(since);
        let dated = since.map(|since| format!(" SINCE {}", date(since))).unwrap_or_default();
        // `n:*` is the last letter where there is none from n on.
        let mut uids: Vec<u32> = self.search(&format!("UID {from}:*{dated}")).await?.into_iter().filter(|uid| *uid > after).collect();
        let most = usize::try_from(query.max).unwrap_or(LETTERS_MAX).clamp(1, LETTERS_MAX);
        folder.more = uids.len() > most;
        uids.truncate(most);
        if uids.is_empty() {
            return Ok(folder);
        }
        let outlines = self.outlines(&uids).await?;
        let mut bytes = 0;
        for uid in uids {
            // Removed meanwhile, or told in a way that can't be read: asking for the letter itself tells which.
            let outline = outlines.get(&uid).copied().unwrap_or(Outline { size: 0, received_at_ms: None });
            if !folder.letters.is_empty() && (began.elapsed() > TIME_MAX || bytes >= BYTES_MAX) {
                folder.more = true;
                break;
            }
            let mut read = self.read_letter(uid, outline, query.max_bytes, fetching).await;
            if read.is_err() && self.is_usable {
                // The server refuses this letter on a connection that still works: its header has to do, or those behind it never come.
                read = self.read_letter(uid, Outline { size: u32::MAX, ..outline }, query.max_bytes, fetching).await;
            }
            match read {
                Ok(Some(letter)) => {
                    bytes += u64::from(letter.content.size);
                    folder.letters.push(letter);
                }
                Ok(None) => {}
                Err(failure) if folder.letters.is_empty() => return Err(failure),
                Err(failure) => {
                    tracing::info!(code = %failure.code, reason = %failure.message, "a fetch ended early; the rest comes with the next one");
                    folder.more = true;
                    break;
                }
            }
        }
        Ok(folder)
    }

    /// UIDs in their order.
    pub(super) async fn search(&mut self, query: &str) -> Result<BTreeSet<u32>, Failure> {
        let notes = self.command(Doing::Other, &format!("UID SEARCH {query}")).await?;
        let mut found = BTreeSet::new();
        for line in &notes.data {
            match imap_proto::parser::parse_response(line) {
                Ok((_, Response::MailboxData(MailboxDatum::Search(uids)))) => found.extend(uids),
                // Letters that are passed over now would never be asked for again.
                _ if line.get(..8).is_some_and(|head| head.eq_ignore_ascii_case(b"* SEARCH")) => {
                    return Err(unavailable("not_imap", "the answer to a search can't be read".to_owned()));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    async fn outlines(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, Outline>, Failure> {
        let notes = self.command(Doing::Other, &format!("UID FETCH {} (UID RFC822.SIZE INTERNALDATE)", set(uids))).await?;
        let mut outlines = BTreeMap::new();
        for line in &notes.data {
            let Ok((_, Response::Fetch(_, attributes))) = imap_proto::parser::parse_response(line) else { continue };
            let (mut uid, mut size, mut received_at_ms) = (None, None, None);
            for attribute in &attributes {
                match attribute {
                    AttributeValue::Uid(number) => uid = Some(*number),
                    AttributeValue::Rfc822Size(bytes) => size = Some(*bytes),
                    AttributeValue::InternalDate(text) => received_at_ms = internal_date(text),
                    _ => {}
                }
            }
            // What another session did to a letter is told too, by other attributes.
            if let (Some(uid), Some(size)) = (uid, size) {
                outlines.insert(uid, Outline { size, received_at_ms });
            }
        }
        Ok(outlines)
    }

    /// None of a letter that is gone.
    async fn read_letter(
        &mut self,
        uid: u32,
        outline: Outline,
        max_bytes: u32,
        fetching: &Fetching<'_>,
    ) -> Result<Option<Letter>, Failure> {
        // What a server says of a size may be an estimate: the bound that was asked for is the one that counts.
        let bound = max_bytes.min(fetching.blob_max);
        let whole = outline.size <= bound;
        let (section, most) = if whole { ("", bound.saturating_add(SLACK)) } else { ("HEADER", HEADER_MAX) };
        let stored = |error: crate::blobs::BlobError| unavailable("blob_store", error.to_string());
        let mut blob = fetching.blobs.create(MIME_TYPE, most).map_err(stored)?;
        (fetching.made)(&blob.info().id);
        let mut body = Body { blob: &mut blob, most: u64::from(most), is_there: false };
        let command = format!("UID FETCH {uid} (UID BODY.PEEK[{section}])");
        let notes = self.command_into(Doing::Other, &command, Some(&mut body)).await;
        let is_there = body.is_there;
        match notes {
            Ok(notes) if is_there || short(&notes.data, uid, &mut blob).await.map_err(stored)? => {
                let content: BlobInfo = blob.finish().await.map_err(stored)?;
                let Outline { size, received_at_ms } = outline;
                let size = size.max(content.size);
                Ok(Some(Letter { uid, received_at_ms, size, whole, content }))
            }
            Ok(_) => {
                discard(blob).await;
                Ok(None)
            }
            Err(failure) => {
                discard(blob).await;
                Err(failure)
            }
        }
    }

    /// Marks letters as seen. UIDs of another time mean nothing, and those of letters that are gone neither.
    pub(in crate::mail) async fn mark_seen(&mut self, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
        let standing = self.enter(folder, true).await?;
        if standing.validity != validity || uids.is_empty() {
            return Ok(());
        }
        self.command(Doing::Other, &format!("UID STORE {} +FLAGS.SILENT (\\Seen)", set(uids))).await.map(|_| ())
    }
}

async fn discard(blob: BlobWriter) {
    if let Err(error) = blob.abort().await {
        tracing::warn!(%error, "what was read of a letter stays in the store");
    }
}

/// A letter that came as a quoted string, as a very short one may.
async fn short(lines: &[Vec<u8>], uid: u32, blob: &mut BlobWriter) -> Result<bool, crate::blobs::BlobError> {
    for line in lines {
        let Ok((_, Response::Fetch(_, attributes))) = imap_proto::parser::parse_response(line) else { continue };
        let is_it = attributes.iter().any(|attribute| matches!(attribute, AttributeValue::Uid(number) if *number == uid));
        let data = attributes.into_iter().find_map(|attribute| match attribute {
            AttributeValue::BodySection { data, .. } => Some(data.map(Cow::into_owned).unwrap_or_default()),
            _ => None,
        });
        if let Some(data) = data.filter(|_| is_it) {
            blob.append(data.into()).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// `1:3,7`.
fn set(uids: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids.iter().copied().collect::<BTreeSet<u32>>() {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let written = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}:{last}") };
    ranges.iter().map(written).collect::<Vec<_>>().join(",")
}

/// The day that a search begins with: servers compare days, of a time zone of their own.
fn since(ms: f64) -> Option<Timestamp> {
    let at = Timestamp::from_millisecond(ms as i64).ok()?;
    at.checked_sub(Span::new().hours(14)).ok()
}

fn date(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = at.to_zoned(TimeZone::UTC).date();
    let month = usize::try_from(day.month()).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).unwrap_or(&"Jan");
    format!("{}-{month}-{}", day.day(), day.year())
}

/// `17-Jul-1996 02:44:25 -0700`, the day with a blank before it where it has one digit.
fn internal_date(text: &str) -> Option<f64> {
    let parsed = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    Some(parsed.to_timestamp().ok()?.as_millisecond() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_written_as_ranges() {
        assert_eq!(set(&[7, 1, 2, 3, 9, 10, 3]), "1:3,7,9:10");
        assert_eq!(set(&[u32::MAX]), "4294967295");
    }

    #[test]
    fn times_of_arrival_are_read() {
        assert_eq!(internal_date("17-Jul-1996 02:44:25 -0700"), Some(837_596_665_000.0));
        assert_eq!(internal_date(" 7-Jul-1996 02:44:25 +0000"), Some(836_707_465_000.0));
        assert_eq!(internal_date("yesterday"), None);
    }

    #[test]
    fn a_search_begins_with_a_day_that_holds_the_time_everywhere() {
        let day = |ms: f64| date(since(ms).unwrap());
        // 2026-11-22 05:00 UTC is still the 21st in Honolulu.
        assert_eq!(day(1_795_323_600_000.0), "21-Nov-2026");
        assert_eq!(day(1_795_323_600_000.0 + 12.0 * 3_600_000.0), "22-Nov-2026");
    }
}

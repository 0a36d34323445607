//! Which letters are meant.

use std::num::NonZeroU32;

use imap_next::imap_types::response::Data;
use imap_next::imap_types::search::SearchKey;
use imap_next::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet};

use super::{Outcome, Selected, Session, bad, count, done, no};
use crate::mail::world::Letter;

impl Session {
    pub(super) fn search(&mut self, keys: &[SearchKey<'static>], uid: bool) -> Outcome {
        let Some(selected) = &self.selected else { return bad("No mailbox selected") };
        let mut found = Vec::new();
        for (sequence, letter) in self.numbered(selected) {
            let fits: Option<Vec<bool>> = keys.iter().map(|key| fits(key, sequence, &letter, selected)).collect();
            match fits {
                None => return no("[CANNOT] The stand-in doesn't search for that"),
                Some(fits) if fits.iter().all(|fits| *fits) => found.extend(if uid { NonZeroU32::new(letter.uid) } else { Some(sequence) }),
                Some(_) => {}
            }
        }
        self.protocol.enqueue_data(Data::Search(found));
        done("Search completed")
    }
}

/// None where the key isn't one that the stand-in knows.
fn fits(key: &SearchKey<'_>, sequence: NonZeroU32, letter: &Letter, selected: &Selected) -> Option<bool> {
    let text = |wanted: &[u8], value: Option<String>| {
        value.is_some_and(|value| value.to_lowercase().contains(&String::from_utf8_lossy(wanted).to_lowercase()))
    };
    let day = i64::try_from(letter.at_ms / 1000).ok().and_then(|at| chrono::DateTime::from_timestamp(at, 0)).map(|at| at.date_naive());
    Some(match key {
        SearchKey::All => true,
        SearchKey::And(keys) => {
            let all: Option<Vec<bool>> = keys.as_ref().iter().map(|key| fits(key, sequence, letter, selected)).collect();
            all?.into_iter().all(|fits| fits)
        }
        SearchKey::Or(one, other) => fits(one, sequence, letter, selected)? || fits(other, sequence, letter, selected)?,
        SearchKey::Not(key) => !fits(key, sequence, letter, selected)?,
        SearchKey::Uid(set) => names(set, true, sequence, letter, selected),
        SearchKey::SequenceSet(set) => names(set, false, sequence, letter, selected),
        SearchKey::Seen => letter.flags.contains("\\Seen"),
        SearchKey::Unseen => !letter.flags.contains("\\Seen"),
        SearchKey::Undeleted => !letter.flags.contains("\\Deleted"),
        SearchKey::Since(since) => day? >= *since.as_ref(),
        SearchKey::Before(before) => day? < *before.as_ref(),
        SearchKey::Larger(size) => count(letter.bytes.len()) > *size,
        SearchKey::Smaller(size) => count(letter.bytes.len()) < *size,
        SearchKey::Header(name, value) => text(value.as_ref(), letter.header(&String::from_utf8_lossy(name.as_ref()))),
        SearchKey::Subject(value) => text(value.as_ref(), letter.header("subject")),
        SearchKey::From(value) => text(value.as_ref(), letter.header("from")),
        _ => return None,
    })
}

/// `n:*` names the last letter even where its number is below `n`.
pub(super) fn names(set: &SequenceSet, uid: bool, sequence: NonZeroU32, letter: &Letter, selected: &Selected) -> bool {
    let number = if uid { letter.uid } else { sequence.get() };
    let last = if uid { selected.known.last().copied().unwrap_or_default() } else { count(selected.known.len()) };
    let value = |named: &SeqOrUid| match named {
        SeqOrUid::Value(value) => value.get(),
        SeqOrUid::Asterisk => last,
    };
    set.0.as_ref().iter().any(|part| match part {
        Sequence::Single(named) => value(named) == number,
        Sequence::Range(from, to) => {
            let (from, to) = (value(from), value(to));
            (from.min(to)..=from.max(to)).contains(&number)
        }
    })
}

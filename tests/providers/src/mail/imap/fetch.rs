//! What a letter is told as.

use std::num::NonZeroU32;

use imap_next::imap_types::core::{AString, Literal, NString, Vec1};
use imap_next::imap_types::datetime::DateTime;
use imap_next::imap_types::fetch::{MacroOrMessageDataItemNames, MessageDataItem, MessageDataItemName, Section};
use imap_next::imap_types::response::Data;
use imap_next::imap_types::sequence::SequenceSet;

use super::{Outcome, Session, bad, count, done, flags_of, no};
use crate::mail::header;
use crate::mail::world::Letter;

impl Session {
    pub(super) fn fetch(&mut self, set: &SequenceSet, wanted: MacroOrMessageDataItemNames<'static>, uid: bool) -> Outcome {
        let Some(selected) = &self.selected else { return bad("No mailbox selected") };
        let (folder, read_only) = (selected.folder.clone(), selected.read_only);
        let mut wanted = match wanted {
            MacroOrMessageDataItemNames::Macro(short) => short.expand().into_iter().map(|item| owned(&item)).collect(),
            MacroOrMessageDataItemNames::MessageDataItemNames(items) => items,
        };
        if uid && !wanted.contains(&MessageDataItemName::Uid) {
            wanted.insert(0, MessageDataItemName::Uid);
        }
        let reads = wanted.iter().any(|item| {
            matches!(item, MessageDataItemName::BodyExt { peek: false, .. } | MessageDataItemName::Rfc822 | MessageDataItemName::Rfc822Text)
        });
        for (sequence, letter) in self.letters(set, uid) {
            let items: Option<Vec<_>> = wanted.iter().map(|item| told(&letter, item)).collect();
            let Some(items) = items.and_then(|items| Vec1::try_from(items).ok()) else {
                return no("[CANNOT] The stand-in tells no structures and envelopes");
            };
            if reads && !read_only {
                let mut world = self.server.world.lock();
                let kept = &mut world.folder(self.user.as_deref().unwrap_or_default(), &folder).letters;
                if let Some(kept) = kept.iter_mut().find(|kept| kept.uid == letter.uid) {
                    kept.flags.insert("\\Seen".to_owned());
                }
            }
            self.protocol.enqueue_data(Data::Fetch { seq: sequence, items });
        }
        done("Fetch completed")
    }
}

/// As an answer to `STORE`.
pub(super) fn flags(sequence: NonZeroU32, letter: &Letter, uid: bool) -> Data<'static> {
    let flags = MessageDataItem::Flags(flags_of(letter));
    let number = NonZeroU32::new(letter.uid).filter(|_| uid).map(MessageDataItem::Uid);
    let items = match number {
        Some(number) => Vec1::try_from(vec![number, flags.clone()]).unwrap_or_else(|_| Vec1::from(flags)),
        None => Vec1::from(flags),
    };
    Data::Fetch { seq: sequence, items }
}

fn owned(item: &MessageDataItemName<'_>) -> MessageDataItemName<'static> {
    use imap_next::imap_types::ToStatic as _;
    item.to_static()
}

fn told(letter: &Letter, item: &MessageDataItemName<'static>) -> Option<MessageDataItem<'static>> {
    let bytes = letter.bytes.as_ref();
    let end = header::end(bytes);
    // The empty line belongs to the header.
    let body = (end + 2).min(bytes.len());
    let (head, text) = (bytes.get(..body).unwrap_or_default(), bytes.get(body..).unwrap_or_default());
    Some(match item {
        MessageDataItemName::Uid => MessageDataItem::Uid(NonZeroU32::new(letter.uid)?),
        MessageDataItemName::Flags => MessageDataItem::Flags(flags_of(letter)),
        MessageDataItemName::InternalDate => MessageDataItem::InternalDate(time(letter)?),
        MessageDataItemName::Rfc822Size => MessageDataItem::Rfc822Size(count(bytes.len())),
        MessageDataItemName::Rfc822 => MessageDataItem::Rfc822(literal(bytes)?),
        MessageDataItemName::Rfc822Header => MessageDataItem::Rfc822Header(literal(head)?),
        MessageDataItemName::Rfc822Text => MessageDataItem::Rfc822Text(literal(text)?),
        MessageDataItemName::BodyExt { section, partial, .. } => {
            let whole = match section {
                None => bytes.to_vec(),
                Some(Section::Header(None)) => head.to_vec(),
                Some(Section::Text(None)) => text.to_vec(),
                Some(Section::HeaderFields(None, names)) => some_headers(bytes, names.as_ref()),
                Some(_) => return None,
            };
            let stretch = match partial {
                None => whole.as_slice(),
                Some((from, length)) => {
                    let from = usize::try_from(*from).ok()?.min(whole.len());
                    let to = from.saturating_add(usize::try_from(length.get()).ok()?).min(whole.len());
                    whole.get(from..to)?
                }
            };
            MessageDataItem::BodyExt { section: section.clone(), origin: partial.map(|(from, _)| from), data: literal(stretch)? }
        }
        _ => return None,
    })
}

fn some_headers(bytes: &[u8], names: &[AString<'_>]) -> Vec<u8> {
    let wanted = |name: &str| names.iter().any(|known| known.as_ref().eq_ignore_ascii_case(name.as_bytes()));
    let lines: String =
        header::all(bytes).into_iter().filter(|(name, _)| wanted(name)).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    (lines + "\r\n").into_bytes()
}

/// None where there is a NUL in it, which IMAP can't carry.
fn literal(bytes: &[u8]) -> Option<NString<'static>> {
    Literal::try_from(bytes.to_vec()).ok().map(NString::from)
}

fn time(letter: &Letter) -> Option<DateTime> {
    let seconds = i64::try_from(letter.at_ms / 1000).ok()?;
    DateTime::try_from(chrono::DateTime::from_timestamp(seconds, 0)?.fixed_offset()).ok()
}

//! How a text is coded and into how many messages the network cuts it: 3GPP TS 23.038 and 23.040.

use std::fmt;

/// The default alphabet but for the escape, which is no character. ASCII letters and digits are all in it.
const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// What stands behind an escape, and so takes two septets.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The alphabet of a whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Septets of the default alphabet and its extension.
    Gsm7,
    /// UTF-16 code units.
    Ucs2,
}

impl Encoding {
    /// The smallest that holds the text. One character outside of the default alphabet is enough for UCS-2.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(|character| septets(character).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Units of a message that stands alone.
    fn single(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units of one part of several: six octets of each tell which part it is.
    fn part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    fn units(self, character: char) -> usize {
        match self {
            // Only asked of texts that are in the alphabet.
            Self::Gsm7 => septets(character).unwrap_or(2),
            Self::Ucs2 => character.len_utf16(),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        })
    }
}

/// Septets of a character: none where the alphabet hasn't got it.
fn septets(character: char) -> Option<usize> {
    if character.is_ascii_alphanumeric() || DEFAULT.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

/// What a text costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// Of every part.
    pub encoding: Encoding,
    /// Unicode scalar values.
    pub chars: usize,
    /// Septets or UTF-16 code units, without what a part leaves empty at its end.
    pub units: usize,
    /// Messages that the network carries and bills.
    pub parts: usize,
    /// Units that the last part still takes.
    pub remaining_in_part: usize,
}

impl Segments {
    /// Counts a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let encoding = Encoding::of(text);
        let widths = || text.chars().map(|character| encoding.units(character));
        let (chars, units) = (text.chars().count(), widths().sum());
        let (parts, last, limit) = if units <= encoding.single() {
            (1, units, encoding.single())
        } else {
            let (parts, last) = pack(widths(), encoding.part());
            (parts, last, encoding.part())
        };
        Self { encoding, chars, units, parts, remaining_in_part: limit - last }
    }

    /// The same as fields, in the order in which they are shown.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, usize); 4] {
        [("chars", self.chars), ("units", self.units), ("parts", self.parts), ("remaining_in_part", self.remaining_in_part)]
    }
}

/// How many parts these characters fill, and what is in the last. A character that no longer fits moves to the next part as a whole:
/// neither an escape pair nor a surrogate pair is cut.
fn pack(widths: impl Iterator<Item = usize>, limit: usize) -> (usize, usize) {
    widths.fold((1, 0), |(parts, used), width| if used + width > limit { (parts + 1, width) } else { (parts, used + width) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(text: &str) -> (Encoding, usize, usize) {
        let segments = Segments::of(text);
        (segments.encoding, segments.units, segments.parts)
    }

    #[test]
    fn every_vector_of_the_standards_arithmetic() {
        use Encoding::{Gsm7, Ucs2};
        let (a, m, euro, smile) = ("a", "م", "€", "😀");
        for (text, expected) in [
            (a.repeat(160), (Gsm7, 160, 1)),
            (a.repeat(161), (Gsm7, 161, 2)),
            (a.repeat(306), (Gsm7, 306, 2)),
            (a.repeat(307), (Gsm7, 307, 3)),
            (euro.repeat(80), (Gsm7, 160, 1)),
            (euro.repeat(81), (Gsm7, 162, 2)),
            (a.repeat(159) + euro, (Gsm7, 161, 2)),
            (a.repeat(152) + euro + &a.repeat(152), (Gsm7, 306, 3)),
            (m.repeat(70), (Ucs2, 70, 1)),
            (m.repeat(71), (Ucs2, 71, 2)),
            (m.repeat(134), (Ucs2, 134, 2)),
            (smile.repeat(35), (Ucs2, 70, 1)),
            (smile.repeat(36), (Ucs2, 72, 2)),
            (m.repeat(66) + smile + &m.repeat(66), (Ucs2, 134, 3)),
            (a.repeat(66) + smile + "bbbbb", (Ucs2, 73, 2)),
            ("`".into(), (Ucs2, 1, 1)),
            ("ç".into(), (Ucs2, 1, 1)),
            ("Ç".into(), (Gsm7, 1, 1)),
            (a.repeat(1600), (Gsm7, 1600, 11)),
            (m.repeat(1600), (Ucs2, 1600, 24)),
        ] {
            assert_eq!(count(&text), expected, "{text}");
        }
    }

    #[test]
    fn the_alphabet_has_every_character_of_the_table_and_no_other() {
        let table = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
            ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
        assert_eq!(table.chars().count(), 127, "128 with the escape");
        let is = |width| ('\0'..=char::MAX).filter(move |character| septets(*character) == Some(width)).collect::<String>();
        let sorted = |text: &str| {
            let mut characters: Vec<char> = text.chars().collect();
            characters.sort_unstable();
            characters.into_iter().collect::<String>()
        };
        assert_eq!(is(1), sorted(table));
        assert_eq!(is(2), sorted("\u{c}^{}\\[~]|€"));
        for outside in ["\u{1b}", "\u{a0}", "’", "\t", "Α"] {
            assert_eq!(Encoding::of(outside), Encoding::Ucs2, "{outside:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_of_the_last_part() {
        let left = |text: &str| Segments::of(text).remaining_in_part;
        assert_eq!(left("Hello"), 155);
        assert_eq!(left(&"a".repeat(160)), 0);
        assert_eq!(left(&"a".repeat(161)), 153 - 8);
        assert_eq!(left(&("a".repeat(159) + "€")), 153 - 8, "the part before has one septet to spare, and it is lost");
        assert_eq!(left(&"م".repeat(71)), 67 - 4);
        assert_eq!(left(&("م".repeat(66) + "😀" + &"م".repeat(66))), 67 - 1);
    }

    /// A packer without a thought: the units in a row, each marked whether a cut before it is allowed.
    fn naive(text: &str) -> (usize, usize) {
        let gsm = Encoding::of(text) == Encoding::Gsm7;
        let mut may_cut = Vec::new();
        for character in text.chars() {
            may_cut.push(true);
            let second = if gsm { "\u{c}^{}\\[~]|€".contains(character) } else { u32::from(character) > 0xffff };
            may_cut.extend(second.then_some(false));
        }
        let (single, part) = if gsm { (160, 153) } else { (70, 67) };
        if may_cut.len() <= single {
            return (1, may_cut.len());
        }
        let (mut start, mut parts) = (0, 1);
        while may_cut.len() - start > part {
            let mut end = start + part;
            while !may_cut[end] {
                end -= 1;
            }
            (start, parts) = (end, parts + 1);
        }
        (parts, may_cut.len() - start)
    }

    proptest! {
        #[test]
        fn it_packs_as_a_naive_packer_does(text in "([a-c]|€|\\^){0,700}|([a-c]|م|😀|€){0,300}") {
            let segments = Segments::of(&text);
            let (parts, last) = naive(&text);
            let limit = match (segments.encoding, segments.parts) {
                (Encoding::Gsm7, 1) => 160,
                (Encoding::Gsm7, _) => 153,
                (Encoding::Ucs2, 1) => 70,
                (Encoding::Ucs2, _) => 67,
            };
            prop_assert_eq!((segments.parts, segments.remaining_in_part), (parts, limit - last));
            prop_assert_eq!(segments.chars, text.chars().count());
        }

        #[test]
        fn any_text_is_counted(text in any::<String>()) {
            let segments = Segments::of(&text);
            let units = match segments.encoding {
                Encoding::Gsm7 => text.chars().filter_map(septets).sum(),
                Encoding::Ucs2 => text.encode_utf16().count(),
            };
            prop_assert_eq!(segments.units, units);
            prop_assert!(segments.parts * segments.encoding.single() >= units);
        }
    }
}

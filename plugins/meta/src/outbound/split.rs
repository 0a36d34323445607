//! Texts that are longer than one message may be.

/// How a channel counts a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Characters.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
}

impl Measure {
    /// The length of a text.
    #[must_use]
    pub fn of(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Bytes => text.len(),
        }
    }

    /// Where, in bytes, the text's first `most` units end: always between characters.
    fn end(self, text: &str, most: usize) -> usize {
        match self {
            Self::Characters => text.char_indices().nth(most).map_or(text.len(), |(at, _)| at),
            Self::Bytes => text.floor_char_boundary(most),
        }
    }
}

/// Pieces of at most `most` units, cut where a paragraph, line, sentence or word ends, if one does in the second half; else between
/// characters. Nothing but the white space at a cut is lost.
#[must_use]
pub fn split(text: &str, measure: Measure, most: usize) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while measure.of(rest) > most {
        let mut end = measure.end(rest, most);
        if end == 0 {
            // No unit is smaller than a character.
            end = rest.chars().next().map_or(rest.len(), char::len_utf8);
        }
        let (head, _) = rest.split_at(end);
        let cut = ["\n\n", "\n", ". ", " "].iter().find_map(|mark| {
            let at = head.rfind(mark)? + mark.len();
            (at > end / 2).then_some(at)
        });
        let (piece, after) = rest.split_at(cut.unwrap_or_else(|| joined(head, end)));
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Not behind a joiner: the halves of a joined emoji would be two.
fn joined(head: &str, end: usize) -> usize {
    let kept = head.trim_end_matches('\u{200D}');
    let kept = if kept.len() < head.len() { kept.char_indices().next_back().map_or(end, |(at, _)| at) } else { end };
    if kept == 0 { end } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_one_piece() {
        assert_eq!(split("hello", Measure::Bytes, 5), ["hello"]);
        assert_eq!(split("مرحبا", Measure::Characters, 5), ["مرحبا"]);
    }

    #[test]
    fn a_cut_is_made_between_characters_and_best_between_words() {
        assert_eq!(split("one two three", Measure::Bytes, 8), ["one two", "three"]);
        assert_eq!(split("first line\nsecond line", Measure::Characters, 14), ["first line", "second line"]);
        let arabic = "ش".repeat(1200);
        let pieces = split(&arabic, Measure::Bytes, 1000);
        assert_eq!(pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [1000, 1000, 400]);
        assert_eq!(pieces.concat(), arabic);
        let emoji = "a😀".repeat(300);
        assert!(split(&emoji, Measure::Bytes, 1000).iter().all(|piece| piece.len() <= 1000));
        assert_eq!(split(&emoji, Measure::Bytes, 1000).concat(), emoji);
        assert_eq!(split("😀😀", Measure::Bytes, 1), ["😀", "😀"], "a limit that no character fits still ends");
    }
}

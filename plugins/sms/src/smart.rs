//! Typographer's characters as the default alphabet has them: one curly quote makes a text more than twice as dear.

/// What looks the same, or nearly. Nothing else is touched.
#[must_use]
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{2018}'..='\u{201b}' | '\u{2032}' => plain.push('\''),
            '\u{201c}'..='\u{201f}' | '\u{2033}' => plain.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
            '\u{2026}' => plain.push_str("..."),
            '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::Encoding;

    #[test]
    fn what_a_word_processor_writes_fits_the_alphabet_again() {
        let written = "“It’s 9 – 5…”\u{a0}‘ok’";
        assert_eq!((plain(written).as_str(), Encoding::of(written)), ("\"It's 9 - 5...\" 'ok'", Encoding::Ucs2));
        assert_eq!(Encoding::of(&plain(written)), Encoding::Gsm7);
    }

    #[test]
    fn other_writing_stays() {
        let written = "سعر العرض ٢٠ € 😀 `ç`";
        assert_eq!(plain(written), written);
    }
}

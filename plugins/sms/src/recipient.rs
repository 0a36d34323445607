//! One phone number in one form: E.164.

/// Digits of a number, its country code included.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Where the 0 that national numbers begin with is part of the number, also from abroad: Italy, San Marino, Congo, Côte d'Ivoire, Benin.
const ZERO_STAYS: [&str; 5] = ["39", "378", "242", "225", "229"];

/// An international number: `+` and its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient(String);

impl Recipient {
    /// Reads a number as people write it: `+20 100 138 3533`, `0020…`, `01001383533`. National numbers are of `country` (digits of its
    /// code).
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(written: &str, country: &str) -> Result<Self, String> {
        // Directional marks come along with numbers that are copied out of Arabic texts.
        let written = written.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'));
        let written = written.strip_prefix("tel:").unwrap_or(written);
        let (plus, rest) = written.strip_prefix('+').map_or((false, written), |rest| (true, rest));
        let mut digits = String::new();
        for character in rest.chars() {
            match digit(character) {
                Some(digit) => digits.push(digit),
                None if character.is_whitespace() || matches!(character, '-' | '(' | ')' | '.') => {}
                None => return Err("is a phone number: digits, with the country code and a + before it".to_owned()),
            }
        }
        let international = international(&digits, plus, country);
        if international.starts_with('0') {
            return Err("begins with 0 where the country code has to stand: write it as +20…".to_owned());
        }
        if !DIGITS.contains(&international.len()) {
            return Err(format!("has {} digits with its country code: a phone number has 8 to 15", international.len()));
        }
        Ok(Self(format!("+{international}")))
    }

    /// `+201001383533`.
    #[must_use]
    pub(crate) fn e164(&self) -> &str {
        &self.0
    }

    /// `201001383533`.
    #[must_use]
    pub(crate) fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }
}

/// The number's digits behind the country code's.
fn international(digits: &str, plus: bool, country: &str) -> String {
    let abroad = if plus { Some(digits) } else { digits.strip_prefix("00") };
    let national = |number: &str| {
        let number = if ZERO_STAYS.contains(&country) { number } else { number.strip_prefix('0').unwrap_or(number) };
        format!("{country}{number}")
    };
    match (abroad, digits.strip_prefix(country)) {
        // Both the country code and the 0 that stands in its place at home: +20 0100….
        (Some(abroad), _) => match abroad.strip_prefix(country).filter(|rest| rest.starts_with('0')) {
            Some(rest) => national(rest),
            None => abroad.to_owned(),
        },
        (None, Some(rest)) if rest.starts_with('0') => national(rest),
        (None, None) if digits.starts_with('0') => national(digits),
        (None, _) => digits.to_owned(),
    }
}

/// A digit, also an Arabic or Persian one.
fn digit(character: char) -> Option<char> {
    let value = match character {
        '0'..='9' => return Some(character),
        '\u{0660}'..='\u{0669}' => u32::from(character) - 0x0660,
        '\u{06f0}'..='\u{06f9}' => u32::from(character) - 0x06f0,
        _ => return None,
    };
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str, country: &str) -> Result<String, String> {
        Recipient::read(written, country).map(|recipient| recipient.digits().to_owned())
    }

    #[test]
    fn an_egyptian_number_has_one_form() {
        for written in [
            "01001383533",
            "00201001383533",
            "002 01001383533",
            "+201001383533",
            "+2001001383533",
            "002001001383533",
            "201001383533",
            "2001001383533",
            " +20 (100) 138-3533 ",
            "tel:+20-100-138-3533",
            "٠١٠٠١٣٨٣٥٣٣",
            "۰۱۰۰۱۳۸۳۵۳۳",
            "\u{202a}+20 100 138 3533\u{202c}",
        ] {
            assert_eq!(read(written, "20").as_deref(), Ok("201001383533"), "{written}");
        }
    }

    #[test]
    fn other_countries_numbers_are_left_alone() {
        for (written, country, expected) in [
            ("+14155550123", "20", "14155550123"),
            ("0014155550123", "20", "14155550123"),
            ("+966501234567", "20", "966501234567"),
            ("0501234567", "966", "966501234567"),
            ("00201001383533", "966", "201001383533"),
            ("06 1234 5678", "39", "390612345678"),
            ("+390612345678", "39", "390612345678"),
        ] {
            assert_eq!(read(written, country).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_and_says_why() {
        for written in ["", "+", "mona", "1234567", "+1234567", "1234567890123456", "+2010013835334444", "20100138x3533", "+20+1001383533"]
        {
            assert!(read(written, "20").is_err(), "{written}");
        }
        assert!(read("0123", "20").is_err_and(|why| why.contains("5 digits")));
        assert!(read("+0100138353", "20").is_err_and(|why| why.contains("country code")));
        assert!(read("a@b.example", "20").is_err_and(|why| why.contains("phone number")));
        assert!(read("+201001383533,+201001383534", "20").is_err(), "one receiver");
    }

    #[test]
    fn the_shortest_and_the_longest_pass() {
        assert_eq!(read("+12345678", "20").as_deref(), Ok("12345678"));
        assert_eq!(read("+123456789012345", "20").as_deref(), Ok("123456789012345"));
    }
}

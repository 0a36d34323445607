//! A recipient as Notify takes it: the digits of an international number, without a plus.

/// Digits of an international number, its country code included.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=15;

/// The digits of a number as people write it (`+20 100 138 3533`, `0020…`, `tel:+20…`) or as WhatsApp addresses it
/// (`201001383533@c.us`, `201001383533:12@s.whatsapp.net`). None where it is no number: it holds anything else, or fewer than 8 or more than
/// 15 digits.
#[must_use]
pub fn digits(written: &str) -> Option<String> {
    // Directional marks come along with numbers that are copied out of Arabic texts.
    let written = written.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'));
    let written = ["tel:", "whatsapp:"].iter().find_map(|scheme| written.strip_prefix(scheme)).unwrap_or(written);
    let number = match written.split_once('@') {
        // Behind the colon stands which of the person's devices.
        Some((user, "c.us" | "s.whatsapp.net")) => user.split_once(':').map_or(user, |(number, _)| number),
        Some(_) => return None,
        None => written,
    };
    let (plus, number) = match number.strip_prefix('+') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let mut digits = String::new();
    for character in number.chars() {
        match digit(character) {
            Some(digit) => digits.push(digit),
            None if character.is_whitespace() || matches!(character, '-' | '(' | ')' | '.') => {}
            None => return None,
        }
    }
    if !plus && let Some(international) = digits.strip_prefix("00") {
        digits = international.to_owned();
    }
    LENGTH.contains(&digits.len()).then_some(digits)
}

/// The digits of an international number: none also where it starts with 0, as numbers do at home, without their country code.
#[must_use]
pub fn international(written: &str) -> Option<String> {
    digits(written).filter(|digits| !digits.starts_with('0'))
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

    #[test]
    fn one_number_has_one_form() {
        for written in [
            "201001383533",
            "+201001383533",
            "00201001383533",
            " +20 (100) 138-3533 ",
            "tel:+201001383533",
            "whatsapp:+201001383533",
            "201001383533@c.us",
            "201001383533@s.whatsapp.net",
            "201001383533:12@s.whatsapp.net",
            "\u{202a}+20 100 138 3533\u{202c}",
            "٢٠١٠٠١٣٨٣٥٣٣",
            "۲۰۱۰۰۱۳۸۳۵۳۳",
        ] {
            assert_eq!(international(written).as_deref(), Some("201001383533"), "{written}");
        }
    }

    #[test]
    fn a_number_without_its_country_code_is_not_international() {
        assert_eq!((digits("01001383533").as_deref(), international("01001383533")), (Some("01001383533"), None));
    }

    #[test]
    fn what_is_no_number_has_none() {
        for written in
            ["", "+", "mona", "@c.us", "1234567", "1234567890123456", "98765@lid", "12036304@g.us", "20100138x3533", "a@b.example"]
        {
            assert_eq!(digits(written), None, "{written}");
        }
    }
}

//! Whole messages by which people end what they get, or want it again.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Start,
}

const STOP: [&str; 14] = [
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "optout",
    "revoke",
    "ايقاف",
    "اوقف",
    "وقف",
    "توقف",
    "الغاء",
    "الغاء الاشتراك",
];
const START: [&str; 6] = ["start", "unstop", "yes", "اشتراك", "ابدا", "نعم"];

pub(super) fn wish(text: &str) -> Option<Wish> {
    let word = plain(text);
    if STOP.contains(&word.as_str()) {
        Some(Wish::Stop)
    } else if START.contains(&word.as_str()) {
        Some(Wish::Start)
    } else {
        None
    }
}

/// Lower case, without what stands around it, one space between words; Arabic without vowel signs, and every alef as the bare one.
fn plain(text: &str) -> String {
    let letters: String = text
        .chars()
        .filter(|character| !matches!(character, '\u{640}' | '\u{64b}'..='\u{652}' | '\u{670}' | '\u{200b}'..='\u{200f}'))
        .map(|character| if matches!(character, 'أ' | 'إ' | 'آ' | 'ٱ') { 'ا' } else { character })
        .flat_map(char::to_lowercase)
        .collect();
    let words: Vec<&str> = letters.split_whitespace().collect();
    words.join(" ").trim_matches(|character: char| !character.is_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_message_is_the_word() {
        for text in ["STOP", " stop\n", "Stop.", "StopAll", "UNSUBSCRIBE", "cancel", "END", "quit", "OptOut", "REVOKE", "\u{200f}stop!"] {
            assert_eq!(wish(text), Some(Wish::Stop), "{text}");
        }
        for text in ["START", "unstop", "Yes"] {
            assert_eq!(wish(text), Some(Wish::Start), "{text}");
        }
        for text in ["", "please stop", "stop it", "stopped", "HELP", "INFO", "no", "!"] {
            assert_eq!(wish(text), None, "{text}");
        }
    }

    #[test]
    fn arabic_words_count_however_they_are_written() {
        for text in ["إيقاف", "ايقاف", "إيقافْ", "الغاء", "إلغاء", "الـغـاء", "إلغاء  الاشتراك", "أوقف."]
        {
            assert_eq!(wish(text), Some(Wish::Stop), "{text}");
        }
        for text in ["اشتراك", "ابدأ", "نعم"] {
            assert_eq!(wish(text), Some(Wish::Start), "{text}");
        }
        assert_eq!(wish("لا أريد إيقاف الخدمة"), None);
    }
}

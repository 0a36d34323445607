//! How many parts a text takes, and whether the language fits it.

const GSM: &str =
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Whether GSM's alphabet and its extension have all of it.
pub(crate) fn is_gsm(text: &str) -> bool {
    text.chars().all(|letter| GSM.contains(letter) || GSM_EXTENSION.contains(letter))
}

/// Parts as the operator counts them. (Pairs that would be cut by a part's end aren't moved: credit isn't that exact.)
pub(crate) fn parts(text: &str, arabic: bool) -> usize {
    let (units, single, each) = if arabic {
        (text.encode_utf16().count(), 70, 67)
    } else {
        (text.chars().map(|letter| if GSM_EXTENSION.contains(letter) { 2 } else { 1 }).sum(), 160, 153)
    };
    if units <= single { 1 } else { units.div_ceil(each) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_the_vectors() {
        let counted = |text: &str, times: usize, arabic| parts(&text.repeat(times), arabic);
        assert_eq!([160, 161, 306, 307].map(|times| counted("a", times, false)), [1, 2, 2, 3]);
        assert_eq!([80, 81].map(|times| counted("€", times, false)), [1, 2]);
        assert_eq!([70, 71, 134].map(|times| counted("م", times, true)), [1, 2, 2]);
        assert_eq!([35, 36].map(|times| counted("😀", times, true)), [1, 2]);
    }

    #[test]
    fn the_alphabet_has_what_gsm_has() {
        assert_eq!(GSM.chars().count(), 127, "128 but the escape");
        assert!(is_gsm("Ça coûte 5€".replace('û', "u").as_str()));
        assert!(!is_gsm("`") && !is_gsm("ç") && !is_gsm("م"));
    }
}

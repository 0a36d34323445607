//! "Little text": what becomes of a post's commentary. At the first reserved character that isn't escaped the rest is lost, and
//! nobody says so.

const RESERVED: &[char] = &['|', '{', '}', '@', '[', ']', '(', ')', '<', '>', '#', '*', '_', '~'];

/// The text as people see it, and what of the commentary is kept.
pub(crate) fn shown(commentary: &str) -> (String, &str) {
    let mut shown = String::new();
    let mut rest = commentary;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        if letter == '\\' {
            let Some(escaped) = after.chars().next() else { break };
            shown.push(escaped);
            rest = after.get(escaped.len_utf8()..).unwrap_or_default();
        } else if let Some((text, left)) = element(rest) {
            shown.push_str(&text);
            rest = left;
        } else if RESERVED.contains(&letter) {
            break;
        } else {
            shown.push(letter);
            rest = after;
        }
    }
    let kept = commentary.len().saturating_sub(rest.len());
    (shown, commentary.get(..kept).unwrap_or_default())
}

/// A mention `@[Name](urn:li:…)`, a hashtag `{hashtag|\#|word}`, or a `#word`: its text, and what follows.
fn element(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix("@[") {
        let (name, rest) = rest.split_once("](")?;
        let (urn, rest) = rest.split_once(')')?;
        let known = urn.starts_with("urn:li:organization:") || urn.starts_with("urn:li:person:");
        return known.then(|| (unescaped(name), rest));
    }
    if let Some(rest) = text.strip_prefix("{hashtag|") {
        let (body, rest) = rest.split_once('}')?;
        let (sign, word) = body.split_once('|')?;
        let sign = sign.strip_prefix('\\').unwrap_or(sign);
        return matches!(sign, "#" | "＃").then(|| (format!("#{}", unescaped(word)), rest));
    }
    let rest = text.strip_prefix('#')?;
    let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    (!word.is_empty()).then(|| (format!("#{word}"), rest))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::RESERVED;

    fn shown(commentary: &str) -> String {
        super::shown(commentary).0
    }

    #[test]
    fn what_is_kept_is_the_beginning() {
        assert_eq!(super::shown(r"a \(b\) (c)"), ("a (b) ".to_owned(), r"a \(b\) "));
    }

    #[test]
    fn the_rest_is_lost_at_the_first_reserved_character() {
        assert_eq!(shown("Price (new) now"), "Price ");
        for reserved in RESERVED.iter().filter(|letter| **letter != '#') {
            assert_eq!(shown(&format!("a{reserved} b")), "a", "{reserved}");
        }
        assert_eq!(shown("Nothing reserved, is it? 100% & more: /"), "Nothing reserved, is it? 100% & more: /");
    }

    #[test]
    fn what_is_escaped_is_kept() {
        assert_eq!(shown(r"Price \(new\) \#1 a\_b \\ \~"), r"Price (new) #1 a_b \ ~");
        assert_eq!(shown("ends with \\"), "ends with ");
    }

    #[test]
    fn mentions_and_hashtags_are_elements() {
        assert_eq!(shown("Hi @[Acme \\(UK\\)](urn:li:organization:1)!"), "Hi Acme (UK)!");
        assert_eq!(shown(r"{hashtag|\#|news} and #more."), "#news and #more.");
        assert_eq!(shown("@[x](mailto:y) z"), "");
        assert_eq!(shown("a # b"), "a ");
    }
}

//! LinkedIn's "little text", in which posts are written. A reserved character that isn't escaped cuts the post off there, and LinkedIn
//! says nothing.
//!
//! The rule: text is plain, so every reserved character is escaped. Three things are more than plain:
//! - a mention `@[Name](urn:li:organization:1)` stays one (also of a `person`); its name is escaped;
//! - a hashtag `#word`, at the start or behind what is neither letter nor digit, becomes `{hashtag|\#|word}`; a word has letters, digits
//!   and `_`, and at least one letter;
//! - `{hashtag|\#|word}` stays as it stands.

const RESERVED: [char; 15] = ['\\', '|', '{', '}', '@', '[', ']', '(', ')', '<', '>', '#', '*', '_', '~'];
const TEMPLATE: &str = "{hashtag|\\#|";

/// Plain text as LinkedIn wants it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        let found = match next {
            '@' => mention(rest),
            '#' if !before.is_some_and(|before: char| before.is_alphanumeric() || before == '_') => hashtag(rest),
            '{' => template(rest),
            _ => None,
        };
        let taken = match found {
            Some((length, written)) => {
                out.push_str(&written);
                length
            }
            None => {
                push(&mut out, next);
                next.len_utf8()
            }
        };
        before = rest.get(..taken).and_then(|taken| taken.chars().next_back());
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// What people see of it: the escapes, and the wrapping of mentions and hashtags, gone.
pub(crate) fn shown(little: &str) -> String {
    let little = little.replace(TEMPLATE, "\\#").replace("{hashtag|#|", "\\#");
    let mut out = String::with_capacity(little.len());
    let mut characters = little.chars();
    while let Some(next) = characters.next() {
        match next {
            '\\' => out.extend(characters.next()),
            // Unescaped, it is the end of a hashtag or the wrapping of a mention.
            '}' => {}
            other => out.push(other),
        }
    }
    out
}

fn push(out: &mut String, character: char) {
    if RESERVED.contains(&character) {
        out.push('\\');
    }
    out.push(character);
}

fn mention(text: &str) -> Option<(usize, String)> {
    let (name, rest) = text.strip_prefix("@[")?.split_once("](")?;
    let (urn, _) = rest.split_once(')')?;
    if name.is_empty() || name.contains(['[', ']', '\n']) || !crate::urn::is_author(urn) {
        return None;
    }
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !is_key(crate::urn::key(urn)) {
        return None;
    }
    let mut written = "@[".to_owned();
    name.chars().for_each(|c| push(&mut written, c));
    written.push_str("](");
    written.push_str(urn);
    written.push(')');
    Some(("@[](".len() + name.len() + urn.len() + 1, written))
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).filter(|word| word.chars().any(char::is_alphabetic)).unwrap_or_default()
}

fn hashtag(text: &str) -> Option<(usize, String)> {
    let word = word(text.strip_prefix('#')?);
    if word.is_empty() {
        return None;
    }
    let mut written = TEMPLATE.to_owned();
    word.chars().for_each(|c| push(&mut written, c));
    written.push('}');
    Some((1 + word.len(), written))
}

fn template(text: &str) -> Option<(usize, String)> {
    let rest = text.strip_prefix(TEMPLATE)?;
    let (inner, _) = rest.split_once('}')?;
    if word(&inner.replace('\\', "")).len() != inner.replace('\\', "").len() || inner.is_empty() {
        return None;
    }
    let length = TEMPLATE.len() + inner.len() + 1;
    Some((length, text.get(..length)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_character_is_escaped() {
        assert_eq!(escaped(r"\|{}@[]()<>#*_~"), r"\\\|\{\}\@\[\]\(\)\<\>\#\*\_\~");
        assert_eq!(escaped("50% off! (today) — a_b é 🎉"), r"50% off! \(today\) — a\_b é 🎉");
    }

    #[test]
    fn mentions_stay_and_their_names_are_escaped() {
        assert_eq!(escaped("Hi @[A (B)_](urn:li:organization:1)!"), r"Hi @[A \(B\)\_](urn:li:organization:1)!");
        for plain in
            ["@[A](http://x)", "@[](urn:li:person:1)", "@[A](urn:li:person:)", "@[A] (urn:li:person:1)", "@[A](urn:li:person:1", "a@b.c"]
        {
            assert!(escaped(plain).contains("\\@"), "{plain}");
        }
    }

    #[test]
    fn hashtags_work_and_numbers_and_anchors_are_none() {
        assert_eq!(escaped("#one (#two_x) é#no #1 c#"), r"{hashtag|\#|one} \({hashtag|\#|two\_x}\) é\#no \#1 c\#");
        assert_eq!(escaped("#مرحبا."), r"{hashtag|\#|مرحبا}.");
        assert_eq!(escaped(r"{hashtag|\#|kept} {hashtag|\#|a b}"), r"{hashtag|\#|kept} \{hashtag\|\\\#\|a b\}");
        assert_eq!(escaped("##x"), r"\#{hashtag|\#|x}");
    }

    #[test]
    fn what_people_see_is_what_was_written() {
        for text in ["plain", r"\|{@[]()<>#*_~", "a (b) #tag_x, c_d", "@[A (B)](urn:li:person:x_y) hi", "#a#b"] {
            assert_eq!(shown(&escaped(text)).replace('}', ""), text.replace('}', ""), "{text}");
        }
    }
}

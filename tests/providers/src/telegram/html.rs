//! `parse_mode` HTML, by the rules and with the errors of Telegram's server: a handful of tags, strictly nested, four
//! named character references, offsets of errors in bytes of the source, offsets of entities in UTF-16 units.

use serde_json::{Value, json};

/// The text without its tags, and what the tags became.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    pub(crate) entities: Vec<Value>,
}

const TAGS: &[&str] =
    &["a", "b", "strong", "i", "em", "s", "strike", "del", "u", "ins", "tg-spoiler", "tg-emoji", "span", "pre", "code", "blockquote"];

struct Open {
    tag: String,
    argument: String,
    expandable: bool,
    utf16: usize,
    at: usize,
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    out: Formatted,
    utf16: usize,
    open: Vec<Open>,
}

/// The error is the server's text, without the prefix `can't parse entities`.
pub(crate) fn parse(source: &str) -> Result<Formatted, String> {
    let mut parser = Parser { source, at: 0, out: Formatted::default(), utf16: 0, open: Vec::new() };
    while let Some(next) = parser.peek() {
        match next {
            '<' if parser.rest().starts_with("</") => parser.close_tag()?,
            '<' => parser.open_tag()?,
            '&' => {
                let (letter, length) = reference(parser.rest()).unwrap_or(('&', 1));
                parser.at += length;
                parser.push(letter);
            }
            letter => {
                parser.at += letter.len_utf8();
                parser.push(letter);
            }
        }
    }
    match parser.open.last() {
        Some(open) => Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.tag)),
        None => {
            // The outer entity first where two begin together.
            parser.out.entities.sort_by_key(|entity| (entity["offset"].as_u64(), std::cmp::Reverse(entity["length"].as_u64())));
            Ok(parser.out)
        }
    }
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, letter: char) {
        self.out.text.push(letter);
        self.utf16 += letter.len_utf16();
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let length = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        let taken = rest.get(..length).unwrap_or_default().to_owned();
        self.at += length;
        taken
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn open_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.at += 1;
        let tag = self.take_while(|letter| !letter.is_whitespace() && letter != '>').to_lowercase();
        if self.peek().is_none() {
            return Err(format!("Unclosed start tag at byte offset {begin}"));
        }
        if !TAGS.contains(&tag.as_str()) {
            return Err(format!("Unsupported start tag \"{tag}\" at byte offset {begin}"));
        }
        let mut open = Open { tag, argument: String::new(), expandable: false, utf16: self.utf16, at: self.out.text.len() };
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(format!("Unclosed start tag \"{}\" at byte offset {begin}", open.tag)),
                Some('>') => break,
                Some(_) => self.attribute(&mut open, begin)?,
            }
        }
        self.at += 1;
        if open.tag == "span" && open.argument != "spoiler" {
            return Err(format!("Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"));
        }
        self.open.push(open);
        Ok(())
    }

    fn attribute(&mut self, open: &mut Open, begin: usize) -> Result<(), String> {
        let name = self.take_while(|letter| !letter.is_whitespace() && letter != '=' && letter != '>');
        if name.is_empty() {
            return Err(format!("Empty attribute name in the tag \"{}\" at byte offset {begin}", open.tag));
        }
        self.skip_space();
        if open.tag == "blockquote" && name == "expandable" && self.peek() != Some('=') {
            open.expandable = true;
            return Ok(());
        }
        if self.peek() != Some('=') {
            return Err(format!("Expected equal sign in declaration of an attribute of the tag \"{}\" at byte offset {begin}", open.tag));
        }
        self.at += 1;
        self.skip_space();
        let value = match self.peek() {
            None => return Err(format!("Unclosed start tag \"{}\" at byte offset {begin}", open.tag)),
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(_) => {
                let token_at = self.at;
                let token = self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-').to_lowercase();
                if !self.peek().is_none_or(|letter| letter.is_whitespace() || letter == '>') {
                    return Err(format!("Unexpected end of name token at byte offset {token_at}"));
                }
                token
            }
        };
        if self.peek().is_none() {
            return Err(format!("Unclosed start tag at byte offset {begin}"));
        }
        match (open.tag.as_str(), name.as_str()) {
            ("a", "href") | ("tg-emoji", "emoji-id") => open.argument = value,
            ("code", "class") => open.argument = value.strip_prefix("language-").unwrap_or_default().to_owned(),
            ("span", "class") => open.argument = value.strip_prefix("tg-").unwrap_or_default().to_owned(),
            _ => {}
        }
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> String {
        self.at += 1;
        let raw = self.take_while(|letter| letter != quote);
        if self.peek().is_some() {
            self.at += 1;
        }
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        while let Some(letter) = rest.chars().next() {
            let (letter, length) = reference(rest).unwrap_or((letter, letter.len_utf8()));
            value.push(letter);
            rest = rest.get(length..).unwrap_or_default();
        }
        value
    }

    fn close_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.at += 2;
        let Some(open) = self.open.pop() else { return Err(format!("Unexpected end tag at byte offset {begin}")) };
        let tag = self.take_while(|letter| !letter.is_whitespace() && letter != '>').to_lowercase();
        self.skip_space();
        if self.peek() != Some('>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.at += 1;
        if !tag.is_empty() && tag != open.tag {
            return Err(format!("Unmatched end tag at byte offset {begin}, expected \"</{}>\", found \"</{tag}>\"", open.tag));
        }
        if self.utf16 > open.utf16 { self.add(open) } else { Ok(()) }
    }

    fn add(&mut self, open: Open) -> Result<(), String> {
        let mut entity = json!({"offset": open.utf16, "length": self.utf16 - open.utf16});
        let mut set = |name: &str, value: &str| entity[name] = value.into();
        match open.tag.as_str() {
            "b" | "strong" => set("type", "bold"),
            "i" | "em" => set("type", "italic"),
            "s" | "strike" | "del" => set("type", "strikethrough"),
            "u" | "ins" => set("type", "underline"),
            "tg-spoiler" | "span" => set("type", "spoiler"),
            "blockquote" => set("type", if open.expandable { "expandable_blockquote" } else { "blockquote" }),
            "tg-emoji" => {
                if !open.argument.parse().is_ok_and(|id: i64| id != 0) {
                    return Err("Invalid custom emoji identifier specified".into());
                }
                set("type", "custom_emoji");
                set("custom_emoji_id", &open.argument);
            }
            "a" => {
                let target = if open.argument.is_empty() { self.out.text.get(open.at..).unwrap_or_default() } else { &open.argument };
                if let Some(user) = target.strip_prefix("tg://user?id=").and_then(|id| id.parse::<i64>().ok()) {
                    set("type", "text_mention");
                    entity["user"] = json!({"id": user, "is_bot": false, "first_name": ""});
                } else if let Some(link) = link(target) {
                    set("type", "text_link");
                    set("url", &link);
                } else {
                    // The server drops what is no link, silently.
                    return Ok(());
                }
            }
            "code" | "pre" => {
                let language = if open.tag == "code" { open.argument } else { String::new() };
                return self.add_code(entity, open.tag == "pre", language);
            }
            _ => return Ok(()),
        }
        self.out.entities.push(entity);
        Ok(())
    }

    /// `<pre><code class="language-x">` is one entity.
    fn add_code(&mut self, mut entity: Value, pre: bool, language: String) -> Result<(), String> {
        let same = |last: &Value| last["offset"] == entity["offset"] && last["length"] == entity["length"];
        let inner = self.out.entities.last().filter(|last| same(last)).map(|last| (last["type"] == "code", last["type"] == "pre"));
        if let Some((is_code, is_pre)) = inner
            && ((pre && is_code) || (!pre && is_pre))
            && let Some(last) = self.out.entities.last_mut()
        {
            last["type"] = "pre".into();
            if !language.is_empty() {
                last["language"] = language.into();
            }
            return Ok(());
        }
        entity["type"] = if pre { "pre" } else { "code" }.into();
        if !language.is_empty() {
            // Kept until a <pre> around it claims it; a reader of `code` ignores it.
            entity["language"] = language.into();
        }
        self.out.entities.push(entity);
        Ok(())
    }
}

/// As the server keeps links: with a scheme and a path. None for what isn't one.
pub(crate) fn link(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("tg://") {
        return (!rest.is_empty()).then(|| text.to_owned());
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = url::Url::parse(&with_scheme).ok()?;
    let host = url.host_str()?;
    let known = matches!(url.scheme(), "http" | "https" | "ton" | "tonsite");
    (known && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')).then(|| url.to_string())
}

/// A character reference at the start of `text`: the character and the bytes it took.
fn reference(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('&')?;
    let (letter, length) = if let Some(number) = rest.strip_prefix('#') {
        let (digits, radix, before) = match number.strip_prefix('x') {
            Some(digits) => (digits, 16, 3),
            None => (number, 10, 2),
        };
        let length = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
        let code = u32::from_str_radix(digits.get(..length)?, radix).ok().filter(|code| *code != 0)?;
        (char::from_u32(code)?, before + length)
    } else {
        let length = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
        let letter = match rest.get(..length)? {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            _ => return None,
        };
        (letter, 1 + length)
    };
    let semicolon = usize::from(text.get(length..).is_some_and(|rest| rest.starts_with(';')));
    Some((letter, length + semicolon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_entities_counted_in_utf16_units() {
        let formatted = parse("😀 <b>bold <i>both</i></b> &lt;x&gt; <a href=\"https://a.example/?q=1&amp;r=2\">link</a>").unwrap();
        assert_eq!(formatted.text, "😀 bold both <x> link");
        assert_eq!(
            formatted.entities,
            [
                json!({"type": "bold", "offset": 3, "length": 9}),
                json!({"type": "italic", "offset": 8, "length": 4}),
                json!({"type": "text_link", "offset": 17, "length": 4, "url": "https://a.example/?q=1&r=2"}),
            ]
        );
    }

    #[test]
    fn code_inside_pre_is_one_entity_with_its_language() {
        let formatted = parse("<pre><code class=\"language-rust\">fn</code></pre>").unwrap();
        assert_eq!(formatted.entities, [json!({"type": "pre", "offset": 0, "length": 2, "language": "rust"})]);
    }

    #[test]
    fn errors_have_the_words_of_the_server() {
        for (source, error) in [
            ("a <hash>", "Unsupported start tag \"hash\" at byte offset 2"),
            ("é<b>x", "Can't find end tag corresponding to start tag \"b\""),
            ("<b>x</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""),
            ("x</b>", "Unexpected end tag at byte offset 1"),
            ("<b", "Unclosed start tag at byte offset 0"),
            ("<b>x</b", "Unclosed end tag at byte offset 4"),
            // The space ends a name that has not begun.
            ("1 < 2", "Unsupported start tag \"\" at byte offset 2"),
            ("<span>x</span>", "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"),
            ("<a href>x</a>", "Expected equal sign in declaration of an attribute of the tag \"a\" at byte offset 0"),
        ] {
            assert_eq!(parse(source).unwrap_err(), error, "{source}");
        }
    }
}

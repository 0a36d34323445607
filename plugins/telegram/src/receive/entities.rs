//! Formatting of a text → Telegram's HTML. Entities count in UTF-16 units, may nest, and come from outside: one that
//! overlaps its parent's end or the text's is clipped.

use std::cmp::Reverse;

use serde_json::Value;

use crate::json::Json as _;

/// The text with its formatting as HTML. Kinds that a text shows by itself (hashtags, mentions, links) stay text.
pub(super) fn html(text: &str, entities: &[Value]) -> String {
    let mut marks: Vec<Mark> = entities.iter().filter_map(Mark::of).collect();
    marks.sort_by_key(|mark| (mark.start, Reverse(mark.end)));
    let mut marks = marks.into_iter().peekable();
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    let mut html = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for character in text.chars() {
        close(&mut html, &mut open, at);
        while let Some(mark) = marks.next_if(|mark| mark.start <= at) {
            let end = open.last().map_or(mark.end, |(parent, _)| mark.end.min(*parent));
            if end > at {
                html.push_str(&mark.opening);
                open.push((end, mark.closing));
            }
        }
        escape(&mut html, character);
        at += character.len_utf16();
    }
    close(&mut html, &mut open, usize::MAX);
    html
}

fn close(html: &mut String, open: &mut Vec<(usize, &'static str)>, at: usize) {
    while let Some((_, closing)) = open.pop_if(|(end, _)| *end <= at || at == usize::MAX) {
        html.push_str(closing);
    }
}

pub(crate) fn escape(html: &mut String, character: char) {
    match character {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        other => html.push(other),
    }
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    text.chars().for_each(|character| escape(&mut html, character));
    html
}

struct Mark {
    start: usize,
    end: usize,
    opening: String,
    closing: &'static str,
}

impl Mark {
    fn of(entity: &Value) -> Option<Self> {
        let start = usize::try_from(entity.whole("offset")?).ok()?;
        let length = usize::try_from(entity.whole("length")?).ok()?;
        let attribute = |name: &str| escaped(entity.text(name).unwrap_or_default());
        let (opening, closing) = match entity.text("type")? {
            "bold" => ("<b>".to_owned(), "</b>"),
            "italic" => ("<i>".to_owned(), "</i>"),
            "underline" => ("<u>".to_owned(), "</u>"),
            "strikethrough" => ("<s>".to_owned(), "</s>"),
            "spoiler" => ("<tg-spoiler>".to_owned(), "</tg-spoiler>"),
            "code" => ("<code>".to_owned(), "</code>"),
            "pre" if entity.text("language").is_some() => {
                (format!("<pre><code class=\"language-{}\">", attribute("language")), "</code></pre>")
            }
            "pre" => ("<pre>".to_owned(), "</pre>"),
            "blockquote" => ("<blockquote>".to_owned(), "</blockquote>"),
            "expandable_blockquote" => ("<blockquote expandable>".to_owned(), "</blockquote>"),
            "text_link" => (format!("<a href=\"{}\">", attribute("url")), "</a>"),
            "text_mention" => (format!("<a href=\"tg://user?id={}\">", entity.get("user")?.id("id")?), "</a>"),
            "custom_emoji" => (format!("<tg-emoji emoji-id=\"{}\">", attribute("custom_emoji_id")), "</tg-emoji>"),
            _ => return None,
        };
        Some(Self { start, end: start.checked_add(length)?, opening, closing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(text: &str, entities: &[(&str, u32, u32)]) -> String {
        let entities: Vec<Value> =
            entities.iter().map(|(kind, offset, length)| json!({"type": kind, "offset": offset, "length": length})).collect();
        html(text, &entities)
    }

    #[test]
    fn offsets_count_utf16_units() {
        assert_eq!(render("😀 hi", &[("bold", 3, 2)]), "😀 <b>hi</b>");
        assert_eq!(render("a😀b", &[("italic", 1, 2)]), "a<i>😀</i>b");
    }

    #[test]
    fn entities_nest() {
        assert_eq!(render("one two", &[("italic", 4, 3), ("bold", 0, 7)]), "<b>one <i>two</i></b>");
        assert_eq!(render("x", &[("bold", 0, 1), ("italic", 0, 1)]), "<b><i>x</i></b>");
    }

    #[test]
    fn an_entity_that_leaves_its_parent_or_the_text_is_clipped() {
        assert_eq!(render("abcd", &[("bold", 0, 2), ("italic", 1, 9)]), "<b>a<i>b</i></b>cd");
        assert_eq!(render("ab", &[("bold", 1, 4_000_000_000)]), "a<b>b</b>");
        assert_eq!(render("ab", &[("bold", 9, 1)]), "ab");
    }

    #[test]
    fn text_and_attributes_are_escaped() {
        let link = json!({"type": "text_link", "offset": 0, "length": 3, "url": "https://e.org/?a=1&b=\"2\""});
        assert_eq!(html("<&>", &[link]), "<a href=\"https://e.org/?a=1&amp;b=&quot;2&quot;\">&lt;&amp;&gt;</a>");
    }
}

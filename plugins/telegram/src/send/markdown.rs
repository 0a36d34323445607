//! Markdown → Telegram's HTML, which knows no paragraphs, headings or lists: they become text that looks like them.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::receive::escape;

pub(super) fn html(markdown: &str) -> String {
    let mut page = Page::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
        page.add(event);
    }
    page.html.trim().to_owned()
}

#[derive(Default)]
struct Page {
    html: String,
    /// The next number of each list that is open; none for bullets.
    lists: Vec<Option<u64>>,
}

impl Page {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(code) => {
                self.html.push_str("<code>");
                self.text(&code);
                self.html.push_str("</code>");
            }
            Event::SoftBreak | Event::HardBreak => self.html.push('\n'),
            Event::Rule => self.block("———\n"),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.lists.is_empty() => self.block(""),
            Tag::Heading { .. } => self.block("<b>"),
            Tag::BlockQuote(_) => self.block("<blockquote>"),
            Tag::CodeBlock(CodeBlockKind::Fenced(language)) if !language.is_empty() => {
                self.block("<pre><code class=\"language-");
                self.text(language.split(' ').next().unwrap_or_default());
                self.html.push_str("\">");
            }
            Tag::CodeBlock(_) => self.block("<pre><code>"),
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block("");
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Emphasis => self.html.push_str("<i>"),
            Tag::Strong => self.html.push_str("<b>"),
            Tag::Strikethrough => self.html.push_str("<s>"),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.html.push_str("<a href=\"");
                self.text(&dest_url);
                self.html.push_str("\">");
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Strong => self.html.push_str("</b>"),
            TagEnd::BlockQuote(_) => {
                self.html.truncate(self.html.trim_end().len());
                self.html.push_str("</blockquote>");
            }
            TagEnd::CodeBlock => {
                self.html.truncate(self.html.trim_end().len());
                self.html.push_str("</code></pre>");
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Emphasis => self.html.push_str("</i>"),
            TagEnd::Strikethrough => self.html.push_str("</s>"),
            TagEnd::Link | TagEnd::Image => self.html.push_str("</a>"),
            _ => {}
        }
    }

    fn item(&mut self) {
        if !self.html.is_empty() && !self.html.ends_with('\n') {
            self.html.push('\n');
        }
        self.html.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.html.push_str(&format!("{number}. "));
                *number += 1;
            }
            _ => self.html.push_str("• "),
        }
    }

    /// A blank line before a block, but not at the beginning, and not inside of a quotation that has just begun.
    fn block(&mut self, opening: &str) {
        if !self.html.is_empty() && !self.html.ends_with("<blockquote>") {
            self.html.truncate(self.html.trim_end().len());
            self.html.push_str("\n\n");
        }
        self.html.push_str(opening);
    }

    fn text(&mut self, text: &str) {
        text.chars().for_each(|character| escape(&mut self.html, character));
    }
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn marks_become_tags_and_the_rest_is_escaped() {
        assert_eq!(
            html("**a** *b* ~~c~~ `d<e` & [f](https://g.org/?h=1&i=2)"),
            "<b>a</b> <i>b</i> <s>c</s> <code>d&lt;e</code> &amp; <a href=\"https://g.org/?h=1&amp;i=2\">f</a>"
        );
        assert_eq!(html("a <script>"), "a &lt;script&gt;");
    }

    #[test]
    fn blocks_become_lines() {
        assert_eq!(html("# Title\n\none\ntwo\n\n- a\n- b\n\n1. c\n2. d"), "<b>Title</b>\n\none\ntwo\n\n• a\n• b\n\n1. c\n2. d");
        assert_eq!(
            html("> quote\n\n```rust\nlet a = 1;\n```"),
            "<blockquote>quote</blockquote>\n\n<pre><code class=\"language-rust\">let a = 1;</code></pre>"
        );
    }
}

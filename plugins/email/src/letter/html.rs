//! HTML as text, for letters that have nothing else, and for answers that need both.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content nobody reads.
const UNREAD: &[&str] = &["head", "style", "script", "template", "title", "noscript", "svg", "math"];
/// Elements that begin a line of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tbody",
    "thead",
    "tr",
    "ul",
];
/// Elements with an empty line around them.
const PARAGRAPHS: &[&str] = &["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table"];
/// An entity's name with its `&` and `;`.
const ENTITY_MAX: usize = 34;

/// What a person reads of a page: lines where its blocks end, one empty line between paragraphs at most, nothing of scripts and styles.
pub(crate) fn to_text(html: &str) -> String {
    let mut page = Page { text: String::with_capacity(html.len() / 2), space: false, breaks: 0 };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        page.words(before);
        rest = page.element(tag);
    }
    page.words(rest);
    page.text
}

struct Page {
    text: String,
    /// White space stands between what is written and what comes.
    space: bool,
    /// Line ends that stand before what comes, 2 at most.
    breaks: usize,
}

impl Page {
    /// Takes the markup at the beginning of what is left, and answers what is behind it.
    fn element<'a>(&mut self, tag: &'a str) -> &'a str {
        if let Some(comment) = tag.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let inside = tag.get(1..).unwrap_or_default();
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            self.words("<");
            return inside;
        }
        let Some((body, rest)) = split_tag(inside) else { return "" };
        let closes = body.starts_with('/');
        let name = body.trim_start_matches('/');
        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_ascii_lowercase();
        if UNREAD.contains(&name.as_str()) && !closes && !body.ends_with('/') {
            return behind(rest, &name);
        }
        match name.as_str() {
            "br" => self.line_end(),
            "td" | "th" => self.space = true,
            "img" if !closes => {
                if let Some(words) = attribute(body, "alt") {
                    self.words(words);
                }
            }
            block if BLOCKS.contains(&block) => {
                self.part(if PARAGRAPHS.contains(&block) { 2 } else { 1 });
                if block == "li" && !closes {
                    self.words("- ");
                    self.space = true;
                }
            }
            _ => {}
        }
        rest
    }

    /// A line that ends here, once for each time it is said.
    fn line_end(&mut self) {
        self.breaks = (self.breaks + 1).min(2);
        self.space = false;
    }

    /// At least so many line ends before what comes.
    fn part(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
        self.space = false;
    }

    fn words(&mut self, raw: &str) {
        let mut rest = raw;
        while let Some(at) = rest.find('&') {
            let (before, entity) = rest.split_at(at);
            self.plain(before);
            let end = entity.bytes().take(ENTITY_MAX).position(|byte| byte == b';');
            let Some((token, after)) = end.and_then(|end| entity.split_at_checked(end + 1)) else {
                self.plain("&");
                rest = entity.get(1..).unwrap_or_default();
                continue;
            };
            let mut decoded = String::new();
            add_html_token(&mut decoded, token.as_bytes(), false);
            self.plain(&decoded);
            rest = after;
        }
        self.plain(rest);
    }

    fn plain(&mut self, words: &str) {
        for c in words.chars() {
            // What is there to be measured or hidden: zero-width spaces, soft hyphens, the marks of previews.
            if matches!(c, '\u{200b}' | '\u{ad}' | '\u{feff}' | '\u{34f}' | '\u{2060}') {
                continue;
            }
            if c.is_whitespace() {
                self.space = true;
                continue;
            }
            if self.text.is_empty() {
                self.breaks = 0;
            } else if self.breaks > 0 {
                self.text.extend(std::iter::repeat_n('\n', self.breaks));
            } else if self.space {
                self.text.push(' ');
            }
            (self.breaks, self.space) = (0, false);
            self.text.push(c);
        }
    }
}

/// A tag's inside, and what is behind it; a `>` in quotes doesn't end it.
fn split_tag(inside: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '>') => return Some((inside.get(..at)?, inside.get(at + 1..)?)),
            (None, '"' | '\'') if inside.get(..at).is_some_and(|before| before.trim_end().ends_with('=')) => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    // Quotes that never end: the first `>` it is.
    inside.split_once('>')
}

/// What is behind the end of an element; nothing where it has none.
fn behind<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|left| left.find("</")) {
        let start = from + at + 2;
        let left = rest.get(start..).unwrap_or_default();
        if left.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return left.split_once('>').map_or("", |(_, behind)| behind);
        }
        from = start;
    }
    // A head that is never closed hides no body.
    if name == "head" { rest } else { "" }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let at = tag.to_ascii_lowercase().find(&format!(" {name}="))?;
    let value = tag.get(at + name.len() + 2..)?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value.get(1..)?.split(quote).next()
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn a_page_reads_as_text() {
        let page = "<html><head><title>x</title><style type=\"text/css\">p{color:red}</style></head><body><p class='a>b'>Hello&nbsp;&amp; welcome</p>\
            <div>one<br/>two</div><ul><li>first</li><li>second</li></ul><script>alert(1)</script><!-- <p>no</p> --><table><tr><td>a</td><td>b</td></tr></table></body></html>";
        assert_eq!(to_text(page), "Hello & welcome\n\none\ntwo\n\n- first\n- second\n\na b");
    }

    #[test]
    fn oddities_lose_nothing() {
        assert_eq!(to_text("5 < 6 &unknown; &#1605;&#x645; &"), "5 < 6 &unknown; مم &");
        assert_eq!(to_text("<head><p>never closed</p>"), "never closed");
        assert_eq!(to_text("<p>open <b"), "open");
        assert_eq!(to_text("<img src=x alt=\"Logo\">Acme"), "LogoAcme");
        assert_eq!(to_text("a<br><br><br><br>b"), "a\n\nb");
        assert_eq!(to_text("<style>x"), "");
        assert_eq!(to_text("<p title=\"it's > fine\">x</p>"), "x");
        assert_eq!(to_text("<p title=\"never>x</p>"), "x");
        assert_eq!(to_text("مرحبا<br>بك"), "مرحبا\nبك");
    }
}

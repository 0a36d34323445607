//! A letter has a text whatever its HTML says, and HTML of its text where that is asked for.

use super::Draft;

pub(super) fn complete(draft: &mut Draft, html_from_text: bool) {
    match (&draft.text, &draft.html) {
        (None, Some(html)) => draft.text = text_of(html),
        (Some(text), None) if html_from_text => draft.html = Some(html_of(text)),
        _ => {}
    }
}

/// None where the HTML has pictures alone.
fn text_of(html: &str) -> Option<String> {
    let text = nanohtml2text::html2text(html);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The text as it stands, with its line breaks; each paragraph runs as its own letters do.
fn html_of(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8 + 64);
    html.push_str("<!doctype html><html><body><div dir=\"auto\" style=\"white-space: pre-wrap; unicode-bidi: plaintext\">");
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
    html.push_str("</div></body></html>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_of_html_with_its_links() {
        let html = "<html><head><style>p{}</style></head><body><p>Hello &amp; welcome</p><a href=\"https://x.test/\">open</a><script>x()</script></body></html>";
        assert_eq!(text_of(html).as_deref(), Some("Hello & welcome\r\n\r\nopen (https://x.test/)"));
        assert_eq!(text_of("<img src=\"cid:a\">"), None);
    }

    #[test]
    fn html_of_a_text_is_escaped() {
        assert!(html_of("<b>\"a\" & b</b>\nنص").contains(">&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;\nنص</div>"));
    }
}

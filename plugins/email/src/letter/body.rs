//! What a letter says, as text and as HTML.

use mail_parser::{MessagePart, MimeHeaders as _, PartType};

use super::{Letter, flowed, rescue};

/// Bytes of text that a message carries; what is longer is attached besides.
pub(crate) const TEXT_MAX: usize = 256 * 1024;
/// Bytes of HTML that a message carries.
pub(crate) const HTML_MAX: usize = 1024 * 1024;

/// A letter's bodies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bodies {
    /// Derived from the HTML where the letter has nothing else.
    pub(crate) text: Option<String>,
    /// As it came.
    pub(crate) html: Option<String>,
}

pub(super) fn bodies(letter: &Letter<'_>) -> Bodies {
    let message = &letter.message;
    let parts = |ids: &[u32]| ids.iter().filter_map(|id| letter.part(*id)).collect::<Vec<_>>();
    let mut texts: Vec<String> = parts(&message.text_body).into_iter().filter_map(text_of).collect();
    let html_parts = parts(&message.html_body);
    let mut pages: Vec<String> = Vec::new();
    if html_parts.iter().any(|part| matches!(part.body, PartType::Html(_))) {
        pages = html_parts.into_iter().filter_map(page_of).collect();
    }
    if texts.is_empty() && pages.is_empty() {
        for part in message.parts.iter().filter(|part| rescue::is_lost_body(part)) {
            let text = rescue::text(part, letter.raw).replace("\r\n", "\n").trim().to_owned();
            if part.is_content_type("text", "html") { pages.push(text) } else { texts.push(text) }
        }
    }
    let html = join(&pages);
    let text = join(&texts).or_else(|| html.as_deref().and_then(read_page));
    Bodies { text, html }
}

fn text_of(part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Text(text) => {
            let kind = part.content_type();
            let says =
                |name: &str, word: &str| kind.and_then(|kind| kind.attribute(name)).is_some_and(|value| value.eq_ignore_ascii_case(word));
            let text = if says("format", "flowed") { flowed::unflow(text, says("delsp", "yes")) } else { text.replace("\r\n", "\n") };
            Some(text.trim_end().trim_start_matches('\n').to_owned()).filter(|text| !text.is_empty())
        }
        PartType::Html(page) => read_page(page),
        _ => None,
    }
}

/// What a person reads of a page, without what is there to be measured: zero-width spaces, soft hyphens, the fillers of previews.
fn read_page(page: &str) -> Option<String> {
    let filler = |c: char| matches!(c, '\u{200b}' | '\u{ad}' | '\u{feff}' | '\u{34f}' | '\u{2060}');
    let text = nanohtml2text::html2text(page).replace("\r\n", "\n").replace(filler, "").replace('\u{a0}', " ");
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A letter may have text between pages: Apple Mail writes one, an image, another.
fn page_of(part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Html(page) => Some(page.trim().to_owned()).filter(|page| !page.is_empty()),
        PartType::Text(text) => Some(format!("<pre>{}</pre>", escape(text.trim_end()))).filter(|_| !text.trim().is_empty()),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn join(pieces: &[String]) -> Option<String> {
    let whole = pieces.join("\n");
    (!whole.is_empty()).then_some(whole)
}

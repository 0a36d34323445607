//! Images of sanitised HTML: where each is fetched from.
//!
//! The serialiser writes every `<` outside of tags as `&lt;`, and each attribute as ` name="value"` with `"` as `&quot;`: that is all one
//! has to know to find them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What becomes of an image's address.
pub(super) enum Place {
    Stays,
    /// To `data-src`, where nothing fetches it.
    Aside,
    At(String),
}

/// The same HTML with each image where `place` says, which is asked with its address.
pub(super) fn place_images(html: &str, mut place: impl FnMut(&str) -> Place) -> String {
    const SRC: &str = " src=\"";
    let mut placed = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((text, tag)) = split_at(rest, rest.find('<')) {
        placed.push_str(text);
        let (tag, after) = split_at(tag, end_of_tag(tag)).unwrap_or((tag, ""));
        rest = after;
        let src = tag.starts_with("<img ").then(|| start_of(tag, SRC)).flatten();
        let Some((before, src)) = split_at(tag, src) else {
            placed.push_str(tag);
            continue;
        };
        let value = src.get(SRC.len()..).unwrap_or_default();
        let (address, behind) = split_at(value, value.find('"')).unwrap_or((value, ""));
        placed.push_str(before);
        match place(&plain(address)) {
            Place::Stays => placed.push_str(src),
            Place::Aside => {
                placed.push_str(" data-src=\"");
                placed.push_str(value);
            }
            Place::At(url) => {
                placed.push_str(SRC);
                placed.push_str(&url.replace('&', "&amp;").replace('"', "&quot;"));
                placed.push_str(behind);
            }
        }
    }
    placed.push_str(rest);
    placed
}

/// Sanitised HTML with the images that came along with it, by `address_of` their content id. One that isn't there is fetched from nowhere.
pub fn with_images(html: &str, address_of: impl Fn(&str) -> Option<String>) -> String {
    if !html.contains("cid:") {
        return html.to_owned();
    }
    place_images(html, |address| match address.strip_prefix("cid:") {
        Some(id) => {
            let id = percent_decode_str(id).decode_utf8_lossy();
            address_of(id.trim().trim_start_matches('<').trim_end_matches('>')).map_or(Place::Aside, Place::At)
        }
        None => Place::Stays,
    })
}

fn split_at(text: &str, at: Option<usize>) -> Option<(&str, &str)> {
    text.split_at_checked(at?)
}

/// Behind the `>` that ends the tag: one in a value doesn't.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut in_value = false;
    let end = tag.bytes().position(|byte| {
        in_value ^= byte == b'"';
        byte == b'>' && !in_value
    });
    end.map(|end| end + 1)
}

/// Where the attribute begins: what looks like it in a value isn't it.
fn start_of(tag: &str, attribute: &str) -> Option<usize> {
    let mut found = 0;
    loop {
        let at = found + tag.get(found..)?.find(attribute)?;
        if tag.get(..at)?.bytes().filter(|byte| *byte == b'"').count().is_multiple_of(2) {
            return Some(at);
        }
        found = at + 1;
    }
}

/// The value without the serialiser's escapes.
fn plain(value: &str) -> Cow<'_, str> {
    if value.contains('&') {
        let unescaped = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}");
        return Cow::Owned(unescaped.replace("&amp;", "&"));
    }
    Cow::Borrowed(value)
}

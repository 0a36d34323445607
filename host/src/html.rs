//! HTML that strangers wrote, made safe to show: an allow-list of elements, attributes and styles, no script, nothing that is fetched
//! from elsewhere by looking at it. Start at [`sanitise`].
//!
//! What it costs is bounded before it is done: see [`cost`].

mod cost;
mod images;
mod style;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use ammonia::{Builder, Url, UrlRelative};
pub use images::with_images;
use images::{Place, place_images};

/// Bytes of a document that is made safe; a larger one isn't shown.
const BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an image that stands in the document itself.
const INLINE_IMAGE_MAX: usize = 64 * 1024;

/// A document that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safe {
    pub html: String,
    /// Images that stand elsewhere: their addresses are in `data-src`, so that nobody fetches them by looking.
    pub remote_images: u32,
}

/// The document as it may be shown; none of one that is too large, or made to cost much.
pub fn sanitise(html: &str) -> Option<Safe> {
    if html.len() > BYTES_MAX || !cost::is_bearable(html) {
        return None;
    }
    let clean = POLICY.clean(html).to_string();
    let mut remote_images = 0;
    let html = place_images(&clean, |address| {
        if address.starts_with("http:") || address.starts_with("https:") {
            remote_images += 1;
            Place::Aside
        } else {
            Place::Stays
        }
    });
    (html.len() <= 2 * BYTES_MAX).then_some(Safe { html, remote_images })
}

/// What is shown of it. Elements that aren't here go, and their content stays.
const TAGS: [&str; 73] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
];
/// These go with their content: it is no text.
const DROPPED: [&str; 23] = [
    "applet",
    "audio",
    "canvas",
    "embed",
    "frameset",
    "head",
    "iframe",
    "math",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "plaintext",
    "script",
    "select",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "video",
    "xml",
    "xmp",
];
/// Attributes of every element.
const ATTRIBUTES: [&str; 4] = ["dir", "lang", "style", "title"];
/// Attributes of some.
const OF_TAGS: [(&str, &[&str]); 15] = [
    ("a", &["href"]),
    ("col", &["align", "span", "valign", "width"]),
    ("colgroup", &["align", "span", "valign", "width"]),
    ("div", &["align"]),
    ("font", &["color", "face", "size"]),
    ("hr", &["align", "color", "noshade", "size", "width"]),
    ("img", &["align", "alt", "border", "height", "src", "width"]),
    ("ol", &["start", "type"]),
    ("p", &["align"]),
    ("table", &["align", "bgcolor", "border", "cellpadding", "cellspacing", "height", "width"]),
    ("tbody", &["align", "valign"]),
    ("td", &["align", "bgcolor", "colspan", "height", "nowrap", "rowspan", "valign", "width"]),
    ("th", &["align", "bgcolor", "colspan", "height", "nowrap", "rowspan", "valign", "width"]),
    ("thead", &["align", "valign"]),
    ("tr", &["align", "bgcolor", "height", "valign"]),
];

static POLICY: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut policy = Builder::empty();
    policy
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(DROPPED))
        .generic_attributes(HashSet::from(ATTRIBUTES))
        .tag_attributes(OF_TAGS.iter().map(|(tag, attributes)| (*tag, attributes.iter().copied().collect())).collect())
        // Each for its attribute alone: see `attribute`.
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid", "data"]))
        // There is no page that an address could be relative to.
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .filter_style_properties(HashSet::from(style::PROPERTIES))
        .strip_comments(true)
        .attribute_filter(attribute);
    policy
});

/// The value of an attribute that may stay; none where it has to go.
fn attribute<'v>(tag: &str, name: &str, value: &'v str) -> Option<Cow<'v, str>> {
    match (tag, name) {
        ("a", "href") => {
            let url = Url::parse(value).ok()?;
            matches!(url.scheme(), "http" | "https" | "mailto" | "tel").then(|| Cow::Owned(url.into()))
        }
        ("img", "src") => {
            let url = Url::parse(value).ok()?;
            match url.scheme() {
                "http" | "https" | "cid" => Some(Cow::Owned(url.into())),
                "data" => is_small_image(url.path()).then(|| Cow::Owned(url.into())),
                _ => None,
            }
        }
        (_, "href" | "src") => None,
        (_, "style") => Some(Cow::Owned(style::plain(value))),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// Whether a `data:` address, without its scheme, is of an image that is only pixels: an SVG is a document.
fn is_small_image(data: &str) -> bool {
    const PIXELS: [&str; 5] = ["image/png;base64", "image/gif;base64", "image/jpeg;base64", "image/jpg;base64", "image/webp;base64"];
    let Some((kind, pixels)) = data.split_once(',') else { return false };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    data.len() <= INLINE_IMAGE_MAX && PIXELS.contains(&kind.to_ascii_lowercase().as_str()) && pixels.bytes().all(is_base64)
}

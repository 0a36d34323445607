//! The `style` attribute: how text looks and how much room it takes, and nothing that leaves its place or fetches something.

/// The properties that stay. None of them may be one that stands over other things (`position`, `z-index`, `transform`).
pub(super) const PROPERTIES: [&str; 65] = [
    "background",
    "background-color",
    "border",
    "border-bottom",
    "border-bottom-color",
    "border-bottom-style",
    "border-bottom-width",
    "border-collapse",
    "border-color",
    "border-left",
    "border-left-color",
    "border-left-style",
    "border-left-width",
    "border-radius",
    "border-right",
    "border-right-color",
    "border-right-style",
    "border-right-width",
    "border-spacing",
    "border-style",
    "border-top",
    "border-top-color",
    "border-top-style",
    "border-top-width",
    "border-width",
    "clear",
    "color",
    "direction",
    "display",
    "float",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-variant",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-width",
    "min-width",
    "overflow-wrap",
    "padding",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "table-layout",
    "text-align",
    "text-decoration",
    "text-indent",
    "text-transform",
    "unicode-bidi",
    "vertical-align",
    "white-space",
    "width",
    "word-break",
    "word-spacing",
    "word-wrap",
];
/// Functions that make a colour.
const FUNCTIONS: [&str; 4] = ["rgb", "rgba", "hsl", "hsla"];

/// The declarations that are plain: no function but of colours, so that nothing is fetched and nothing computed, and nothing that draws
/// the element out of its place. What can hide a word from this look (an escape, a comment) makes the whole attribute empty. The
/// properties are looked at later, by a parser of CSS.
pub(super) fn plain(style: &str) -> String {
    if style.contains('\\') || style.contains("/*") {
        return String::new();
    }
    let declarations: Vec<&str> = style.split(';').filter(|declaration| is_plain(declaration)).collect();
    declarations.join(";").to_ascii_lowercase()
}

fn is_plain(declaration: &str) -> bool {
    let declaration = declaration.to_ascii_lowercase();
    let is_of_colour = |before: &str| FUNCTIONS.iter().any(|function| before.ends_with(function));
    let mut parts = declaration.split('(');
    // The last part is behind the last bracket.
    let opened: Vec<&str> = parts.by_ref().collect();
    let functions = opened.split_last().map(|(_, before)| before).unwrap_or_default();
    if !functions.iter().all(|before| is_of_colour(before)) {
        return false;
    }
    let Some((property, value)) = declaration.split_once(':') else { return true };
    let is_drawn_out = value.contains('-') && (property.contains("margin") || property.contains("indent") || property.contains("spacing"));
    !is_drawn_out
}

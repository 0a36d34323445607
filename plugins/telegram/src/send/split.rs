//! Texts that are longer than a message. Lengths are UTF-16 units, tags and all: whether Telegram or its double counts before
//! or after reading the tags, the part fits.

/// Most units of a message's text.
pub(super) const TEXT_MAX: usize = 4096;
/// Most units of a caption.
pub(super) const CAPTION_MAX: usize = 1024;
/// HTML's tags without an end, of those that people write.
const VOID: [&str; 5] = ["br", "hr", "img", "input", "wbr"];

pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Parts of at most `max` units, cut at a newline, else at a space, else anywhere. Characters, and in HTML tags and
/// character references, stay whole; a tag that is open at a cut is closed there and opened again.
pub(super) fn split(text: &str, html: bool, max: usize) -> Vec<String> {
    if units(text) <= max {
        return vec![text.to_owned()];
    }
    let tokens = fitting(tokens(text, html), max);
    let mut parts = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut start = 0;
    while start < tokens.len() {
        let prefix = open.clone();
        let end = cut(&tokens, start, &open, max);
        let Some(taken) = tokens.get(start..end) else { break };
        taken.iter().for_each(|token| track(&mut open, token));
        let mut part = prefix.concat();
        part.extend(taken.iter().copied());
        let blank = tokens.get(start..end).is_none_or(|taken| taken.iter().all(|token| is_tag(token) || token.trim().is_empty()));
        part = part.trim_end().to_owned();
        part.extend(open.iter().rev().map(|tag| closing(tag)));
        if !blank {
            parts.push(part);
        }
        start = end;
        // The newline or space that was cut at.
        if tokens.get(start).is_some_and(|token| matches!(*token, "\n" | " ")) {
            start += 1;
        }
    }
    parts
}

/// Where the part that begins at `start` ends.
fn cut(tokens: &[&str], start: usize, open: &[&str], max: usize) -> usize {
    let mut open = open.to_vec();
    let mut length: usize = open.iter().map(|tag| units(tag)).sum();
    let (mut newline, mut space, mut fitting) = (None, None, start);
    for (index, token) in tokens.iter().enumerate().skip(start) {
        let mut after = open.clone();
        track(&mut after, token);
        let closings: usize = after.iter().map(|tag| units(&closing(tag))).sum();
        length += units(token);
        if length + closings > max {
            // What doesn't fit may itself be where to cut.
            match *token {
                "\n" if index > start => newline = Some(index),
                " " if index > start => space = Some(index),
                _ => {}
            }
            // A part has to hold something, even where tags alone fill it. A cut early in the part would waste it.
            let worth = |place: &usize| *place > start + (fitting - start) / 2;
            let anywhere = fitting.max(start + 1);
            return newline.filter(worth).or(space.filter(worth)).or(newline).or(space).unwrap_or(anywhere);
        }
        open = after;
        fitting = index + 1;
        match *token {
            "\n" if index > start => newline = Some(index),
            " " if index > start => space = Some(index),
            _ => {}
        }
    }
    tokens.len()
}

/// Characters; in HTML also tags and character references, whole.
fn tokens(text: &str, html: bool) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '<' if html && rest.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')) => {
                rest.find('>').map(|end| end + 1)
            }
            '&' if html => rest.find(';').filter(|end| *end <= 10).map(|end| end + 1),
            _ => None,
        };
        let (token, after) = rest.split_at(end.unwrap_or(first.len_utf8()));
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Without the tags that leave no room for a character in a part that they are open in: the words matter more.
fn fitting<'a>(tokens: Vec<&'a str>, max: usize) -> Vec<&'a str> {
    let widest = tokens.iter().filter(|token| !is_tag(token)).map(|token| units(token)).max().unwrap_or_default();
    // What is open, and whether it was kept.
    let mut open: Vec<(&'a str, bool)> = Vec::new();
    let mut length = 0;
    let mut keeps = |token: &'a str| match Tag::of(token) {
        None => true,
        Some(Tag::Void) => length + units(token) <= max,
        Some(Tag::Opening) => {
            let kept = length + weight(token) + widest <= max;
            length += if kept { weight(token) } else { 0 };
            open.push((token, kept));
            kept
        }
        Some(Tag::Closing) => match open.iter().rposition(|(tag, _)| same(tag, token)) {
            Some(place) => {
                let (tag, kept) = open.remove(place);
                length -= if kept { weight(tag) } else { 0 };
                kept
            }
            // It closes nothing: Telegram has its word about it, if it fits.
            None => length + units(token) <= max,
        },
    };
    tokens.into_iter().filter(|token| keeps(token)).collect()
}

/// Units of a tag and of what closes it.
fn weight(tag: &str) -> usize {
    units(tag) + units(&closing(tag))
}

#[derive(Debug, Clone, Copy)]
enum Tag {
    Opening,
    Closing,
    /// Nothing closes it.
    Void,
}

impl Tag {
    fn of(token: &str) -> Option<Self> {
        if !is_tag(token) {
            return None;
        }
        let void = token.ends_with("/>") || VOID.iter().any(|void| name(token).eq_ignore_ascii_case(void));
        Some(match (void, token.starts_with("</")) {
            (true, _) => Self::Void,
            (_, true) => Self::Closing,
            _ => Self::Opening,
        })
    }
}

fn same(opening: &str, closing: &str) -> bool {
    name(opening).eq_ignore_ascii_case(name(closing))
}

fn name(tag: &str) -> &str {
    let tag = tag.trim_start_matches(['<', '/']);
    tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default()
}

fn is_tag(token: &str) -> bool {
    token.len() > 2 && token.starts_with('<') && token.ends_with('>')
}

fn track<'a>(open: &mut Vec<&'a str>, token: &'a str) {
    match Tag::of(token) {
        None | Some(Tag::Void) => {}
        Some(Tag::Opening) => open.push(token),
        Some(Tag::Closing) => {
            open.iter().rposition(|tag| same(tag, token)).map(|place| open.remove(place));
        }
    }
}

fn closing(tag: &str) -> String {
    format!("</{}>", name(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(split("hello", false, 5), ["hello"]);
    }

    #[test]
    fn a_cut_is_at_a_newline_else_at_a_space_else_anywhere() {
        assert_eq!(split("aaa bb\ncc dd", false, 9), ["aaa bb", "cc dd"]);
        assert_eq!(split("aaaa bbbb", false, 6), ["aaaa", "bbbb"]);
        assert_eq!(split("aaaaaaaa", false, 3), ["aaa", "aaa", "aa"]);
    }

    #[test]
    fn surrogate_pairs_stay_whole() {
        assert_eq!(split("😀😀😀", false, 3), ["😀", "😀", "😀"]);
    }

    #[test]
    fn tags_are_closed_at_a_cut_and_opened_again() {
        assert_eq!(split("<b>aaaa bbbb</b>", true, 12), ["<b>aaaa</b>", "<b>bbbb</b>"]);
        assert_eq!(split("<a href=\"x\">aa bb</a>", true, 19), ["<a href=\"x\">aa</a>", "<a href=\"x\">bb</a>"]);
        assert_eq!(split("aaa &amp; bbb", true, 9), ["aaa &amp;", "bbb"]);
    }

    #[test]
    fn a_tag_without_an_end_is_not_opened_again() {
        for void in ["<br>", "<br/>", "<BR />", "<tg-emoji emoji-id=\"5\"/>"] {
            let text = format!("a{void}{} {}", "b".repeat(40), "c".repeat(40));
            let parts = split(&text, true, 70);
            assert_eq!(parts, [format!("a{void}{}", "b".repeat(40)), "c".repeat(40)]);
        }
        assert_eq!(split("<b>aa<br>aa</b> bbbb", true, 18), ["<b>aa<br>aa</b>", "bbbb"]);
    }

    #[test]
    fn tags_too_long_for_a_part_are_left_out_and_every_part_fits() {
        let long = format!("<a href=\"https://e.org/{}\">{}</a>", "x".repeat(5000), "word ".repeat(1000));
        let nested = format!("{}{}{}", "<a href=\"x\">".repeat(400), "word ".repeat(1000), "</a>".repeat(400));
        let wide = format!("<a href=\"{}\">{}</a>", "y".repeat(4000), "<i>word</i> ".repeat(300));
        let less = "a < b and ".repeat(1000);
        for text in [long, nested, wide, less, "</b>".repeat(3000) + "x"] {
            let parts = split(&text, true, TEXT_MAX);
            assert!(!parts.is_empty() && parts.iter().all(|part| units(part) <= TEXT_MAX));
            let words = |text: &str| tokens(text, true).into_iter().filter(|token| !is_tag(token)).collect::<String>();
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(parts.iter().map(|part| bare(&words(part))).collect::<String>(), bare(&words(&text)));
        }
    }

    #[test]
    fn every_part_fits_and_no_word_is_lost() {
        let text = "<b>lorem <i>ipsum 😀 dolor</i> sit</b> amet\n".repeat(400);
        let parts = split(&text, true, TEXT_MAX);
        assert!(parts.len() > 3);
        assert!(parts.iter().all(|part| units(part) <= TEXT_MAX));
        let words = |text: &str| tokens(text, true).into_iter().filter(|token| !is_tag(token)).collect::<String>();
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&parts.iter().map(|part| words(part)).collect::<Vec<_>>().join(" ")), squeeze(&words(&text)));
    }
}

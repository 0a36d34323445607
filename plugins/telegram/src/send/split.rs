//! Texts that are longer than a message. Lengths are UTF-16 units, tags and all: whether Telegram or its double counts before
//! or after reading the tags, the part fits.

/// Most units of a message's text.
pub(super) const TEXT_MAX: usize = 4096;
/// Most units of a caption.
pub(super) const CAPTION_MAX: usize = 1024;

pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Parts of at most `max` units, cut at a newline, else at a space, else anywhere. Characters, and in HTML tags and
/// character references, stay whole; a tag that is open at a cut is closed there and opened again.
pub(super) fn split(text: &str, html: bool, max: usize) -> Vec<String> {
    if units(text) <= max {
        return vec![text.to_owned()];
    }
    let tokens = tokens(text, html);
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
            '<' if html => rest.find('>').map(|end| end + 1),
            '&' if html => rest.find(';').filter(|end| *end <= 10).map(|end| end + 1),
            _ => None,
        };
        let (token, after) = rest.split_at(end.unwrap_or(first.len_utf8()));
        tokens.push(token);
        rest = after;
    }
    tokens
}

fn is_tag(token: &str) -> bool {
    token.len() > 2 && token.starts_with('<') && token.ends_with('>')
}

fn track<'a>(open: &mut Vec<&'a str>, token: &'a str) {
    if !is_tag(token) {
        return;
    }
    if token.starts_with("</") {
        open.pop();
    } else {
        open.push(token);
    }
}

fn closing(tag: &str) -> String {
    let name = tag.trim_start_matches('<').split([' ', '>', '\n']).next().unwrap_or_default();
    format!("</{name}>")
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

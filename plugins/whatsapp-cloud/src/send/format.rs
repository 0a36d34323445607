//! Markdown and HTML → the marks that WhatsApp reads: `*bold*`, `_italic_`, `~struck~`, `` `code` ``. What it has no mark for
//! stays as words; a link's address follows its text.

use patchbay_plugin::messages::TextFormat;

/// The text as WhatsApp reads it.
pub(super) fn written(body: &str, format: TextFormat) -> String {
    match format {
        TextFormat::Plain => body.to_owned(),
        TextFormat::Markdown => markdown(body),
        TextFormat::Html => html(body),
    }
}

fn markdown(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut fenced = false;
    for (number, line) in body.lines().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            out.push_str("```");
        } else if fenced {
            out.push_str(line);
        } else if let Some(title) = heading(line) {
            out.push_str(&format!("*{}*", spans(title).replace('*', "")));
        } else {
            out.push_str(&spans(line));
        }
    }
    out
}

/// `## Title`
fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    let depth = line.len() - title.len();
    title.strip_prefix(' ').filter(|_| (1..=6).contains(&depth)).map(str::trim)
}

/// What stands within a line.
fn spans(line: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(first) = rest.chars().next() {
        let mut found = None;
        for (mark, ours) in [("**", "*"), ("__", "*"), ("~~", "~"), ("`", "`"), ("*", "_")] {
            if let Some((inner, after)) = enclosed(rest, mark) {
                let inner = if mark == "`" { inner.to_owned() } else { spans(inner) };
                found = Some((format!("{ours}{inner}{ours}"), after));
                break;
            }
        }
        match found.or_else(|| link(rest)) {
            Some((written, after)) => {
                out.push_str(&written);
                rest = after;
            }
            None => {
                // A backslash takes the meaning from what follows.
                let (taken, shown) = match (first, rest.chars().nth(1)) {
                    ('\\', Some(next)) if next.is_ascii_punctuation() => (1 + next.len_utf8(), next),
                    _ => (first.len_utf8(), first),
                };
                out.push(shown);
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
    }
    out
}

/// `**inner**after`; the marks touch the words.
fn enclosed<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let rest = text.strip_prefix(mark)?;
    let mut end = rest.find(mark)?;
    // Of `***` the first closes what stands within.
    while rest.get(end + 1..).is_some_and(|later| later.starts_with(mark)) {
        end += 1;
    }
    let (inner, after) = (rest.get(..end)?, rest.get(end + mark.len()..)?);
    (!inner.is_empty() && inner.trim() == inner).then_some((inner, after))
}

/// `[words](address)`
fn link(text: &str) -> Option<(String, &str)> {
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (address, after) = rest.split_once(')')?;
    (!words.contains('[')).then(|| (linked(&spans(words), address), after))
}

fn linked(words: &str, address: &str) -> String {
    if words == address || words.is_empty() { address.to_owned() } else { format!("{words} ({address})") }
}

fn html(body: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(body.len()), body);
    // The addresses of the links that are open.
    let mut links: Vec<(String, usize)> = Vec::new();
    while let Some(start) = rest.find(['<', '&']) {
        out.push_str(rest.get(..start).unwrap_or_default());
        rest = rest.get(start..).unwrap_or_default();
        let read = if rest.starts_with('<') { tag(rest, &mut out, &mut links) } else { entity(rest, &mut out) };
        let taken = read.unwrap_or_else(|| {
            out.push_str(rest.get(..1).unwrap_or_default());
            1
        });
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out.trim_matches('\n').to_owned()
}

/// Answers how many bytes it was; none where it is no tag.
fn tag(text: &str, out: &mut String, links: &mut Vec<(String, usize)>) -> Option<usize> {
    let end = text.find('>')?;
    let inner = text.get(1..end)?.trim_end_matches('/').trim();
    let (closing, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let name = inner.split_whitespace().next()?.to_ascii_lowercase();
    if !name.bytes().next()?.is_ascii_alphabetic() {
        return None;
    }
    match name.as_str() {
        "b" | "strong" => out.push('*'),
        "i" | "em" => out.push('_'),
        "s" | "del" | "strike" => out.push('~'),
        "code" => out.push('`'),
        "pre" => out.push_str("```"),
        "br" => out.push('\n'),
        "p" | "div" if closing => out.push('\n'),
        "li" if !closing => out.push_str("\n- "),
        "a" if !closing => links.push((attribute(inner, "href").unwrap_or_default(), out.len())),
        "a" => {
            if let Some((address, start)) = links.pop().filter(|(address, _)| !address.is_empty()) {
                let words = out.split_off(start.min(out.len()));
                out.push_str(&linked(&words, &address));
            }
        }
        _ => {}
    }
    Some(end + 1)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}="))?;
    let quote = rest.chars().next()?;
    let value = match quote {
        '"' | '\'' => rest.get(1..)?.split(quote).next()?,
        _ => rest.split_whitespace().next()?,
    };
    Some(value.replace("&amp;", "&"))
}

/// Answers how many bytes it was; none where it is none.
fn entity(text: &str, out: &mut String) -> Option<usize> {
    let end = text.find(';').filter(|end| *end <= 10)?;
    let name = text.get(1..end)?;
    let number = || {
        let code = name.strip_prefix('#')?;
        let code = match code.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => code.parse().ok()?,
        };
        char::from_u32(code)
    };
    let letter = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => number()?,
    };
    out.push(letter);
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_whatsapps_marks() {
        for (markdown, written) in [
            ("a **bold** and *slanted* and ~~gone~~ word", "a *bold* and _slanted_ and ~gone~ word"),
            ("**bold *both***", "*bold _both_*"),
            ("# Title\ntext", "*Title*\ntext"),
            ("[here](https://e.com) and [https://e.com](https://e.com)", "here (https://e.com) and https://e.com"),
            ("`a*b*` 2 * 3 * 4", "`a*b*` 2 * 3 * 4"),
            ("```rust\n**x**\n```", "```\n**x**\n```"),
            (r"\*not\* slanted_word_here", "*not* slanted_word_here"),
        ] {
            assert_eq!(super::written(markdown, TextFormat::Markdown), written);
        }
    }

    #[test]
    fn html_becomes_whatsapps_marks() {
        for (html, written) in [
            ("a <b>bold</b> &amp; <i>slanted</i><br/><s>gone</s>", "a *bold* & _slanted_\n~gone~"),
            (r#"<a href="https://e.com?a=1&amp;b=2">here</a>"#, "here (https://e.com?a=1&b=2)"),
            ("<p>one</p><p>two</p>", "one\ntwo"),
            ("1 < 2 &unknown; &#128095; <", "1 < 2 &unknown; 👟 <"),
        ] {
            assert_eq!(super::written(html, TextFormat::Html), written);
        }
    }

    #[test]
    fn anything_is_taken() {
        for odd in
            ["<", "<>", "</", "&", "&;", "&#;", "&#x110000;", "**", "***", "[](", "[a](", "😀*", "\\", "<é>", "`", "<a href=>x</a></a>"]
        {
            let _ = (written(odd, TextFormat::Markdown), written(odd, TextFormat::Html));
        }
    }
}

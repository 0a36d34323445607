//! Text whose lines flow (RFC 3676): a line that ends in a space goes on in the next.

/// Joined lines; `delsp`: the space at the end was only put there.
pub(super) fn unflow(text: &str, delsp: bool) -> String {
    let mut joined = String::with_capacity(text.len());
    // How many quotation marks stand before the line that goes on.
    let mut going_on: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = line.get(depth..).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let signature = content == "-- ";
        if going_on != Some(depth) || signature {
            if going_on.is_some() {
                end(&mut joined);
            }
            if depth > 0 {
                joined.extend(std::iter::repeat_n('>', depth));
                joined.push(' ');
            }
        }
        let flows = content.ends_with(' ') && !signature;
        let kept = if flows && delsp { content.strip_suffix(' ').unwrap_or(content) } else { content };
        joined.push_str(kept);
        going_on = flows.then_some(depth);
        if !flows {
            joined.push('\n');
        }
    }
    if going_on.is_some() {
        end(&mut joined);
    }
    joined
}

fn end(joined: &mut String) {
    joined.truncate(joined.trim_end_matches(' ').len());
    joined.push('\n');
}

#[cfg(test)]
mod tests {
    use super::unflow;

    #[test]
    fn lines_flow() {
        assert_eq!(unflow("one \r\ntwo\r\nthree\r\n", false), "one two\nthree\n");
        assert_eq!(unflow("> a \r\n> b\r\n>> c\r\nd", false), "> a b\n>> c\nd\n");
        assert_eq!(unflow(" >stuffed\r\n", false), ">stuffed\n");
        assert_eq!(unflow("日本 \r\n語\r\n", true), "日本語\n");
        assert_eq!(unflow("a \r\n-- \r\nMona", false), "a\n-- \nMona\n", "a signature never flows");
        assert_eq!(unflow("> a \r\nb\r\n", false), "> a\nb\n", "another depth ends the paragraph");
        assert_eq!(unflow("", false), "");
    }
}

//! Headers of a raw letter, as far as the stand-in looks at them.

/// Where the header ends: behind its last line, before the empty one.
pub(crate) fn end(letter: &[u8]) -> usize {
    if letter.starts_with(b"\r\n") {
        return 0;
    }
    letter.windows(4).position(|four| four == b"\r\n\r\n").map_or(letter.len(), |at| at + 2)
}

/// Each header with its lines unfolded, in order.
pub(crate) fn all(letter: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(letter.get(..end(letter)).unwrap_or_default()).into_owned();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    headers
}

/// The first of that name.
pub(crate) fn of(letter: &[u8], name: &str) -> Option<String> {
    all(letter).into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The address of `Mona <mona@ex.test>`.
pub(crate) fn address(value: &str) -> String {
    let inner = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(inner, _)| inner);
    inner.trim().to_owned()
}

/// The ids of `<a@b> <c@d>`, without their angle brackets.
pub(crate) fn ids(value: &str) -> Vec<String> {
    value.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(id, _)| id.trim().to_owned()).collect()
}

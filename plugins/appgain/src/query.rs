//! What stands in a query or in a form: `name=value&name=value`.

/// The fields, decoded.
pub fn fields(text: &str) -> impl Iterator<Item = (String, String)> {
    let fields = text.split('&').map(str::trim).filter(|field| !field.is_empty());
    fields.map(|field| field.split_once('=').unwrap_or((field, ""))).map(|(name, value)| (decoded(name), decoded(value)))
}

/// Percent-encoding undone, and `+` a space.
#[must_use]
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_its_fields() {
        let told: Vec<_> = fields("a=1&b=%C3%A9+x&c&=%&d=%4\n").collect();
        let wanted = [("a", "1"), ("b", "é x"), ("c", ""), ("", "%"), ("d", "%4")];
        assert_eq!(told, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(fields("").count(), 0);
    }
}

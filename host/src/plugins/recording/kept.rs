//! Bytes in a record: text where they are text, and no more of them than a record has room for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Of what a plugin hands over, a record holds the beginning: enough to tell whether it hands over the same again.
const ASKED_MAX: usize = 16 * 1024;

/// Bytes, or the beginning of them and their number. Two are equal as far as both of them know.
#[derive(Debug, Clone)]
pub struct Kept {
    bytes: Vec<u8>,
    length: usize,
}

impl Kept {
    pub fn whole(bytes: Vec<u8>) -> Kept {
        Kept { length: bytes.len(), bytes }
    }

    /// None where some of them are missing.
    pub fn to_vec(&self) -> Option<Vec<u8>> {
        (self.bytes.len() == self.length).then(|| self.bytes.clone())
    }

    pub fn length(&self) -> usize {
        self.length
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.length == other.length && self.bytes.iter().zip(&other.bytes).all(|(own, other)| own == other)
    }
}

/// In JSON: `{"text": …}` or `{"base64": …}`, and `length` where that isn't all.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = (self.bytes.len() < self.length).then_some(self.length);
        let written = match std::str::from_utf8(&self.bytes) {
            // A NUL is no text to every reader.
            Ok(text) if !text.contains('\0') => Written { text: Some(text.to_owned()), base64: None, length },
            _ => Written { text: None, base64: Some(STANDARD.encode(&self.bytes)), length },
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kept, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let bytes = match (written.text, written.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).map_err(|error| D::Error::custom(format!("base64: {error}")))?,
            _ => return Err(D::Error::custom("bytes are written as `text` or as `base64`")),
        };
        let length = written.length.unwrap_or(bytes.len());
        Ok(Kept { bytes, length })
    }
}

/// What is left of a record's room, in bytes.
pub struct Room(usize);

impl Room {
    pub fn of(bytes: usize) -> Room {
        Room(bytes)
    }

    /// For what isn't kept.
    pub fn unbounded() -> Room {
        Room(usize::MAX)
    }

    pub fn is_full(&self) -> bool {
        self.0 == 0
    }

    /// What the plugin handed over.
    pub fn asked(&mut self, bytes: &[u8]) -> Kept {
        let most = bytes.len().min(ASKED_MAX);
        self.take(most);
        Kept { bytes: bytes.get(..most).unwrap_or_default().to_vec(), length: bytes.len() }
    }

    /// What the host answered: a part of it would be of no use.
    pub fn answered(&mut self, bytes: &[u8]) -> Kept {
        let fits = bytes.len() <= self.0;
        self.take(bytes.len());
        Kept { bytes: if fits { bytes.to_vec() } else { Vec::new() }, length: bytes.len() }
    }

    /// A name, a path, a value: cut alike whatever room there is, so that two cut ones compare.
    pub fn text(&mut self, text: &str) -> String {
        let end = text.floor_char_boundary(ASKED_MAX);
        self.take(end);
        match text.split_at_checked(end) {
            Some((shown, rest)) if !rest.is_empty() => format!("{shown}… and {} bytes", rest.len()),
            _ => text.to_owned(),
        }
    }

    fn take(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_text_where_they_can_be_and_come_back() {
        let text = Kept::whole(b"plain".to_vec());
        assert_eq!(json!(text), json!({"text": "plain"}));
        let binary = Kept::whole(vec![0, 255]);
        assert_eq!(json!(binary), json!({"base64": "AP8="}));
        for kept in [text, binary] {
            let back: Kept = serde_json::from_value(json!(kept)).unwrap();
            assert_eq!(back.to_vec(), kept.to_vec());
        }
        assert!(serde_json::from_value::<Kept>(json!({"length": 3})).is_err());
    }

    #[test]
    fn what_has_no_room_is_told_by_its_length() {
        let mut room = Room::of(10);
        assert_eq!(room.answered(b"12345678").to_vec().unwrap(), b"12345678");
        let cut = room.answered(b"12345678");
        assert_eq!((cut.to_vec(), cut.length(), room.is_full()), (None, 8, true));
        let back: Kept = serde_json::from_value(json!(cut)).unwrap();
        assert_eq!((back.to_vec(), back.length()), (None, 8));
    }

    #[test]
    fn what_was_cut_compares_by_what_there_is() {
        let long = vec![7; ASKED_MAX + 1];
        let (cut, whole) = (Room::unbounded().asked(&long), Kept::whole(long.clone()));
        assert!(cut.to_vec().is_none() && cut == whole);
        let mut other = long.clone();
        other[0] = 8;
        assert!(cut != Kept::whole(other) && cut != Kept::whole(long[1..].to_vec()));
        assert_eq!(Room::of(1).text(&"é".repeat(ASKED_MAX)), Room::unbounded().text(&"é".repeat(ASKED_MAX)));
    }
}

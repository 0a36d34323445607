//! Which types of events somebody wants to hear.

use serde::{Deserialize, Serialize};

use super::event::EventType;

/// Types by name, and families of them like `message.*`; empty for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Selection(Vec<String>);

impl Selection {
    /// # Errors
    /// The first name that is neither a type nor a family.
    pub fn new(names: Vec<String>) -> Result<Selection, String> {
        match names.iter().find(|name| matching(name).next().is_none()) {
            Some(unknown) => Err(unknown.clone()),
            None => Ok(Selection(names)),
        }
    }

    /// The types' words; none for all.
    pub fn words(&self) -> Option<Vec<&'static str>> {
        if self.0.is_empty() {
            return None;
        }
        Some(EventType::WORDS.iter().copied().filter(|word| self.0.iter().any(|name| fits(name, word))).collect())
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// As it is stored: a family or type that a newer gateway knew is kept, and matches nothing here.
impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Selection, D::Error> {
        Vec::deserialize(deserializer).map(Selection)
    }
}

fn matching(name: &str) -> impl Iterator<Item = &'static str> {
    EventType::WORDS.iter().copied().filter(move |word| fits(name, word))
}

fn fits(name: &str, word: &str) -> bool {
    match name.strip_suffix(".*") {
        Some(family) => word.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
        None => name == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(names: &[&str]) -> Result<Selection, String> {
        Selection::new(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn a_family_is_all_types_below_it() {
        let words = selection(&["conversation.*", "account.status"]).unwrap().words().unwrap();
        assert_eq!(words, ["conversation.typing", "conversation.moved", "account.status"]);
        assert_eq!(selection(&[]).unwrap().words(), None);
    }

    #[test]
    fn what_names_no_type_is_told() {
        for unknown in ["message.recieved", "mess.*", "*", "message.", "message.*.*", ""] {
            assert_eq!(selection(&["message.sent", unknown]).unwrap_err(), unknown);
        }
    }
}

//! Text with placeholders: what it says depends on the account, its app and its secrets.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text with `{app:NAME}`, `{setting:NAME}` or `{secret:NAME}` in it; which of them may stand in it is its place's matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern(Vec<PatternPart>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PatternPart {
    Text(String),
    Placeholder(Placeholder),
}

/// What stands in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    pub source: PlaceholderSource,
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceholderSource {
    /// The app's `client_id`, or one of its settings.
    App,
    /// A setting of the account.
    Setting,
    Secret,
}

impl PlaceholderSource {
    const ALL: [Self; 3] = [Self::App, Self::Setting, Self::Secret];

    pub const fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Setting => "setting",
            Self::Secret => "secret",
        }
    }
}

impl Pattern {
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|part| match part {
            PatternPart::Placeholder(placeholder) => Some(placeholder),
            PatternPart::Text(_) => None,
        })
    }

    /// The text alone.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            PatternPart::Text(text) => Some(text.as_str()),
            PatternPart::Placeholder(_) => None,
        })
    }

    /// The text with each placeholder's value; none where one has none.
    pub fn fill(&self, mut value: impl FnMut(&Placeholder) -> Option<String>) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                PatternPart::Text(text) => Some(text.clone()),
                PatternPart::Placeholder(placeholder) => value(placeholder).filter(|value| !value.is_empty()),
            })
            .collect()
    }

    /// With the same harmless text for every placeholder: for looking at the rest.
    pub fn filled_with(&self, text: &str) -> String {
        self.fill(|_| Some(text.to_owned())).unwrap_or_default()
    }
}

/// `app:NAME}…`: the placeholder that a brace opens, and what follows it.
fn placeholder(text: &str) -> Option<(Placeholder, &str)> {
    let (inner, rest) = text.split_once('}')?;
    let (word, name) = inner.split_once(':')?;
    let source = PlaceholderSource::ALL.into_iter().find(|source| source.word() == word)?;
    Some((Placeholder { source, name: name.to_owned() }, rest))
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            match placeholder(after) {
                Some((found, after)) => {
                    if !plain.is_empty() {
                        parts.push(PatternPart::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(PatternPart::Placeholder(found));
                    rest = after;
                }
                None => {
                    plain.push('{');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(PatternPart::Text(plain));
        }
        Self(parts)
    }
}

impl FromStr for Pattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            PatternPart::Text(text) => f.write_str(text),
            PatternPart::Placeholder(Placeholder { source, name }) => write!(f, "{{{}:{name}}}", source.word()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::from(text.to_owned())
    }

    #[test]
    fn a_pattern_is_written_as_it_was_read() {
        for text in
            ["", "plain", "{app:client_id}|{secret:app_secret}", "https://a.example/{setting:version}/x", "{unknown:x}", "a{b", "{}"]
        {
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn it_says_nothing_while_a_placeholder_has_no_value() {
        let pattern = pattern("{app:client_id}|{secret:app_secret}");
        let known = |placeholder: &Placeholder| (placeholder.source == PlaceholderSource::App).then(|| "7".to_owned());
        assert_eq!(pattern.fill(known), None);
        assert_eq!(pattern.fill(|placeholder| Some(placeholder.name.clone())).as_deref(), Some("client_id|app_secret"));
        assert_eq!(pattern.fill(|_| Some(String::new())), None, "an empty value is none");
    }
}

//! What pages in browsers may ask of an account: files that travel with the plugin, and calls that it reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[browser]`: `GET /push/{account}/{file}`, and `POST`, `PUT`, `DELETE /push/{account}/{call}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserSpec {
    /// The setting that lists the origins whose pages may call; without one, or where it is empty, the gateway's own alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<String>,
    /// Names of calls: JSON that `parse-inbound` gets, with the name for a path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// Members of a call's JSON, at any depth, that open something: left out where a kept call is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private: Vec<String>,
    /// By the name that they have in the URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, BrowserFile>,
}

/// A text file, with placeholders that an account fills: see [`Slot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserFile {
    #[serde(rename = "type")]
    pub mime_type: String,
    /// The text. In `plugin.toml` it is the name of a file.
    pub file: String,
    /// Headers of the answer besides the gateway's own, in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// What stands in double braces in a file. Other braces are the file's own business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot<'a> {
    /// `{{account}}`: the account's id.
    Account,
    /// `{{base}}`: where the account's files and calls are, without a slash at the end.
    Base,
    /// `{{public_key:NAME}}`: the raw public key of that secret in base64url.
    PublicKey(&'a str),
    /// `{{setting:NAME}}`: the setting as JSON, `null` where it isn't set.
    Setting(&'a str),
}

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    Slot(Slot<'a>),
}

impl BrowserFile {
    /// The file, cut at its placeholders.
    pub fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let (mut rest, mut from) = (self.file.as_str(), 0);
        while let Some((before, after)) = rest.get(from..).and_then(|text| text.split_once("{{")) {
            let until = from + before.len();
            match slot(after) {
                Some((slot, behind)) => {
                    pieces.extend(rest.get(..until).filter(|text| !text.is_empty()).map(Piece::Text));
                    pieces.push(Piece::Slot(slot));
                    (rest, from) = (behind, 0);
                }
                // One brace on: `{{{base}}` has a placeholder.
                None => from = until + 1,
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.pieces().into_iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(slot),
            Piece::Text(_) => None,
        })
    }
}

/// The placeholder that the text goes on with, and what is behind it.
fn slot(text: &str) -> Option<(Slot<'_>, &str)> {
    let (slot, behind) = if let Some(behind) = text.strip_prefix("account") {
        (Slot::Account, behind)
    } else if let Some(behind) = text.strip_prefix("base") {
        (Slot::Base, behind)
    } else if let Some(behind) = text.strip_prefix("public_key:") {
        let (name, behind) = name_of(behind)?;
        (Slot::PublicKey(name), behind)
    } else {
        let (name, behind) = name_of(text.strip_prefix("setting:")?)?;
        (Slot::Setting(name), behind)
    };
    Some((slot, behind.strip_prefix("}}")?))
}

/// The name that the text begins with, and what is behind it.
fn name_of(text: &str) -> Option<(&str, &str)> {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(|end| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> BrowserFile {
        BrowserFile { mime_type: "text/javascript".to_owned(), file: text.to_owned(), headers: BTreeMap::new() }
    }

    #[test]
    fn known_words_in_double_braces_are_placeholders_and_all_else_is_text() {
        let text = "a{{account}}{{{base}}} {{x}} {{setting:icon}}{{public_key:k}}{{}}{{";
        let file = file(text);
        let pieces = file.pieces();
        assert_eq!(
            pieces,
            [
                Piece::Text("a"),
                Piece::Slot(Slot::Account),
                Piece::Text("{"),
                Piece::Slot(Slot::Base),
                Piece::Text("} {{x}} "),
                Piece::Slot(Slot::Setting("icon")),
                Piece::Slot(Slot::PublicKey("k")),
                Piece::Text("{{}}{{"),
            ]
        );
    }

    #[test]
    fn a_file_without_placeholders_is_one_piece() {
        for text in ["", "plain", "if (a) {{ b() }}", "é{{é", "{{base} }"] {
            let file = file(text);
            let whole: String = file.pieces().iter().map(|piece| if let Piece::Text(text) = piece { *text } else { "?" }).collect();
            assert_eq!(whole, text);
        }
    }
}

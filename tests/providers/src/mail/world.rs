//! Mailboxes with their folders and letters, passwords and tokens, and what was sent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::clock;
use crate::mail::{PASSWORD, TOKEN, header};

/// A letter in a folder.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its number in the folder.
    pub uid: u32,
    /// It came so many milliseconds after 1970 UTC.
    pub at_ms: u64,
    /// `\Seen` and others, as they were set.
    pub flags: BTreeSet<String>,
    /// As it came over the wire.
    pub bytes: Bytes,
}

impl Letter {
    /// The value of its first header of that name, unfolded; encoded words stay as they are.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        header::of(&self.bytes, name)
    }

    pub(crate) fn told(&self) -> Value {
        json!({"uid": self.uid, "at": clock::iso(self.at_ms), "flags": self.flags, "size": self.bytes.len(),
            "raw": String::from_utf8_lossy(&self.bytes)})
    }
}

/// A letter that was taken, with its envelope.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// The number of the connection that it came over.
    pub connection: u64,
    /// Who had logged in.
    pub user: Option<String>,
    /// Empty is the null reverse-path.
    pub sender: String,
    /// Those that weren't refused.
    pub recipients: Vec<String>,
    /// As it came, without the dots that SMTP adds.
    #[serde(serialize_with = "as_text")]
    pub letter: Bytes,
}

impl Sent {
    /// The value of the letter's first header of that name, unfolded; encoded words stay as they are.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        header::of(&self.letter, name)
    }
}

fn as_text<S: serde::Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) validity: u32,
    pub(crate) next_uid: u32,
    pub(crate) letters: Vec<Letter>,
}

impl Default for Folder {
    fn default() -> Self {
        Self { validity: 1_764_000_000, next_uid: 1, letters: Vec::new() }
    }
}

impl Folder {
    pub(crate) fn put(&mut self, bytes: Bytes) -> u32 {
        let uid = self.next_uid;
        self.next_uid += 1;
        self.letters.push(Letter { uid, at_ms: clock::now_ms(), flags: BTreeSet::new(), bytes });
        uid
    }

    /// UIDs anew, with a gap so that old ones mean other letters or none.
    pub(crate) fn renumber(&mut self) -> u32 {
        self.validity += 1;
        self.next_uid = 1;
        for letter in self.letters.iter_mut().rev() {
            letter.uid = self.next_uid;
            self.next_uid += 1;
        }
        self.letters.reverse();
        self.validity
    }
}

#[derive(Debug, Default)]
pub(crate) struct World {
    mailboxes: BTreeMap<String, BTreeMap<String, Folder>>,
    passwords: BTreeMap<String, String>,
    /// Access tokens that were handed out, with their mailboxes.
    pub(crate) tokens: BTreeMap<String, String>,
    /// Refresh tokens with their mailboxes.
    pub(crate) refreshes: BTreeMap<String, String>,
    /// Codes of logins with their mailboxes and challenges.
    pub(crate) codes: BTreeMap<String, (String, Option<String>)>,
    pub(crate) sent: Vec<Sent>,
    /// Recipients that were told to try again later.
    pub(crate) greylisted: BTreeSet<String>,
}

impl World {
    /// Every address has a mailbox, and its folders are there when somebody asks for them.
    pub(crate) fn folder(&mut self, address: &str, folder: &str) -> &mut Folder {
        let folder = if folder.eq_ignore_ascii_case("inbox") { "INBOX" } else { folder };
        self.mailboxes.entry(mailbox(address)).or_default().entry(folder.to_owned()).or_default()
    }

    pub(crate) fn folders(&self, address: &str) -> Vec<String> {
        let mut names: BTreeSet<String> =
            self.mailboxes.get(&mailbox(address)).into_iter().flat_map(|folders| folders.keys().cloned()).collect();
        names.insert("INBOX".to_owned());
        names.into_iter().collect()
    }

    pub(crate) fn told(&self) -> Value {
        self.mailboxes
            .iter()
            .map(|(address, folders)| {
                let counts = folders.iter().map(|(name, folder)| (name.clone(), folder.letters.len().into()));
                (address.clone(), Value::Object(counts.collect()))
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    pub(crate) fn set_password(&mut self, address: &str, password: &str) {
        self.passwords.insert(mailbox(address), password.to_owned());
    }

    pub(crate) fn knows_password(&self, address: &str, password: &str) -> bool {
        address.contains('@') && self.passwords.get(&mailbox(address)).map_or(PASSWORD, String::as_str) == password
    }

    pub(crate) fn knows_token(&self, address: &str, token: &str) -> bool {
        address.contains('@') && (token == TOKEN || self.tokens.get(token).is_some_and(|owner| *owner == mailbox(address)))
    }
}

/// Letters to `support+anything@acme.test` lie in the mailbox of `support@acme.test`; letter case doesn't matter.
pub(crate) fn mailbox(address: &str) -> String {
    let address = address.trim().trim_start_matches('<').trim_end_matches('>').to_lowercase();
    match address.split_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or(local)),
        None => address,
    }
}

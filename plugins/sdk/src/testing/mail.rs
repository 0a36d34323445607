//! A scripted mail server. Its routes are `SUBMIT target`, `FETCH target folder`, `SEEN target folder` and `PROBE target`.

use crate::blob::Blob;
use crate::failure::Failure;
use crate::mail::{Envelope, Folder, Letter, Probed, Query, Refusal, Stretch, Submitted};

use super::provider::Route;
use super::world::{Answer, World};

/// A letter as it was handed to the server.
#[derive(Debug, Clone, PartialEq)]
pub struct SentLetter {
    /// The mail target.
    pub target: String,
    /// Sender and recipients.
    pub envelope: Envelope,
    /// Its stretches, in order.
    pub stretches: Vec<Stretch>,
}

impl SentLetter {
    /// The letter as text, with `{blob-ref:…}` where the gateway puts a file.
    #[must_use]
    pub fn text(&self) -> String {
        let written = |stretch: &Stretch| match stretch {
            Stretch::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Stretch::File(reference) => format!("{{blob-ref:{reference}}}"),
        };
        self.stretches.iter().map(written).collect()
    }
}

/// What `fetch` finds.
#[derive(Debug, Clone, Default)]
pub struct ScriptedFolder {
    /// Its validity.
    pub validity: u32,
    /// What the next letter will have.
    pub next_uid: u32,
    /// Its letters.
    pub letters: Vec<ScriptedLetter>,
    /// There are further ones.
    pub more: bool,
}

/// A letter in a folder: whole, and with its own size, unless it says otherwise.
#[derive(Debug, Clone)]
pub struct ScriptedLetter {
    /// Its UID.
    pub uid: u32,
    /// When the server received it.
    pub received_at_ms: Option<f64>,
    /// The raw letter; its header alone, where `size` says that there is more.
    pub raw: Vec<u8>,
    /// Bytes of the whole letter, where these aren't all.
    pub size: Option<u32>,
}

impl ScriptedLetter {
    /// A whole letter.
    pub fn new(uid: u32, raw: impl Into<Vec<u8>>) -> Self {
        Self { uid, received_at_ms: None, raw: raw.into(), size: None }
    }

    fn into_letter(self) -> Result<Letter, Failure> {
        let content = Blob::new("message/rfc822");
        content.append(&self.raw)?;
        let size = self.size.unwrap_or_else(|| content.size());
        Ok(Letter { uid: self.uid, received_at_ms: self.received_at_ms, size, whole: self.size.is_none(), content })
    }
}

impl Route<'_> {
    /// The letter is taken but for these recipients.
    pub fn submitted(self, response: &str, refused: Vec<Refusal>) -> Self {
        self.script(Answer::Submitted(Submitted { response: response.to_owned(), refused }))
    }

    /// What is in the folder.
    pub fn folder(self, folder: ScriptedFolder) -> Self {
        self.script(Answer::Folder(folder))
    }

    /// The letters are marked as seen.
    pub fn seen(self) -> Self {
        self.script(Answer::Seen)
    }

    /// The login works.
    pub fn probed(self, greeting: &str, capabilities: &[&str]) -> Self {
        let capabilities = capabilities.iter().map(|capability| (*capability).to_owned()).collect();
        self.script(Answer::Probed(Probed { greeting: greeting.to_owned(), capabilities }))
    }

    /// The mail server, or the way to it, fails.
    pub fn fails(self, failure: Failure) -> Self {
        self.script(Answer::Fails(failure))
    }
}

#[expect(clippy::panic, reason = "a script that doesn't fit its route fails the test")]
impl World {
    pub(crate) fn submit(&mut self, target: &str, envelope: &Envelope, letter: &[Stretch]) -> Result<Submitted, Failure> {
        self.letters.push(SentLetter { target: target.to_owned(), envelope: envelope.clone(), stretches: letter.to_vec() });
        match self.scripted(&format!("SUBMIT {target}")) {
            Answer::Submitted(submitted) => Ok(submitted),
            Answer::Fails(failure) => Err(failure),
            other => panic!("SUBMIT {target} can't be answered with {other:?}"),
        }
    }

    pub(crate) fn fetch(&mut self, target: &str, query: &Query) -> Result<Folder, Failure> {
        self.queries.push(query.clone());
        let route = format!("FETCH {target} {}", query.folder);
        match self.scripted(&route) {
            Answer::Folder(ScriptedFolder { validity, next_uid, letters, more }) => {
                let letters = letters.into_iter().map(ScriptedLetter::into_letter).collect::<Result<_, _>>()?;
                Ok(Folder { validity, next_uid, letters, more })
            }
            Answer::Fails(failure) => Err(failure),
            other => panic!("{route} can't be answered with {other:?}"),
        }
    }

    pub(crate) fn mark_seen(&mut self, target: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
        self.seen.push((folder.to_owned(), validity, uids.to_vec()));
        match self.scripted(&format!("SEEN {target} {folder}")) {
            Answer::Seen => Ok(()),
            Answer::Fails(failure) => Err(failure),
            other => panic!("SEEN {target} {folder} can't be answered with {other:?}"),
        }
    }

    pub(crate) fn probe(&mut self, target: &str) -> Result<Probed, Failure> {
        match self.scripted(&format!("PROBE {target}")) {
            Answer::Probed(probed) => Ok(probed),
            Answer::Fails(failure) => Err(failure),
            other => panic!("PROBE {target} can't be answered with {other:?}"),
        }
    }

    fn scripted(&mut self, route: &str) -> Answer {
        let place = self.script.iter().position(|(scripted, _)| scripted == route);
        match place.and_then(|place| self.script.remove(place)) {
            Some((_, answer)) => answer,
            None => panic!("not scripted: {route}; scripted are {:?}", self.script),
        }
    }
}

//! The mail servers of one call, as the script has them: `SUBMIT target`, `FETCH target folder`, `SEEN target folder` and
//! `PROBE target`, each answered with a body of its own.

use std::collections::BTreeMap;

use patchbay_sandbox::{
    contract::types::{Detail, Failure, FieldProblem, Retry},
    services::{Envelope, Folder, FolderQuery, Letter, Probed, Refusal, Stretch, Submitted},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::provider::{Break, World};
use crate::{domain::failure::FailureClass, egress::Scanner};

/// A failure as the host's mail room would make it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    class: FailureClass,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    retry_after_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Failed { failure: Failed },
    Told(T),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmittedBody {
    response: String,
    /// By recipient.
    #[serde(default)]
    refused: BTreeMap<String, Failed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FolderBody {
    validity: u32,
    next_uid: u32,
    #[serde(default)]
    letters: Vec<LetterBody>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LetterBody {
    uid: u32,
    received_at_ms: Option<f64>,
    /// The raw letter; its header alone where `size` says that there is more.
    raw: String,
    size: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbedBody {
    greeting: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

impl World {
    pub(super) fn submit(&mut self, target: &str, envelope: &Envelope, letter: &[Stretch]) -> Result<Submitted, Failure> {
        let scanner = Scanner::new(self.secrets.iter().map(|(name, secret)| (name.as_str(), secret)));
        let bytes = letter.iter().filter_map(|stretch| if let Stretch::Bytes(bytes) = stretch { Some(bytes.as_slice()) } else { None });
        let leaked = bytes.into_iter().find_map(|bytes| scanner.find(bytes).map(str::to_owned));
        if let Some(name) = leaked {
            self.problems.push(format!("the letter holds the secret “{name}”"));
        }
        if envelope.recipients.is_empty() {
            self.problems.push("a letter to nobody".to_owned());
        }
        let body: SubmittedBody = self.told(target, &format!("SUBMIT {target}"), true)?;
        let refused = body.refused.into_iter().map(|(recipient, failed)| Refusal { recipient, failure: failed.into_failure() });
        Ok(Submitted { response: body.response, refused: refused.collect() })
    }

    pub(super) fn fetch(&mut self, target: &str, query: &FolderQuery) -> Result<Folder, Failure> {
        let body: FolderBody = self.told(target, &format!("FETCH {target} {}", query.folder), false)?;
        let letters = body.letters.into_iter().map(|letter| {
            let content = self.keep("message/rfc822", letter.raw.into_bytes());
            let (size, whole) = (letter.size.unwrap_or(content.size), letter.size.is_none());
            Letter { uid: letter.uid, received_at_ms: letter.received_at_ms, size, whole, content }
        });
        let letters = letters.collect();
        Ok(Folder { validity: body.validity, next_uid: body.next_uid, letters, more: body.more })
    }

    pub(super) fn mark_seen(&mut self, target: &str, folder: &str) -> Result<(), Failure> {
        self.told::<serde_json::Value>(target, &format!("SEEN {target} {folder}"), true).map(|_| ())
    }

    pub(super) fn probe(&mut self, target: &str) -> Result<Probed, Failure> {
        let body: ProbedBody = self.told(target, &format!("PROBE {target}"), false)?;
        Ok(Probed { greeting: body.greeting, capabilities: body.capabilities })
    }

    /// The script's answer; `changes` says that what broke after it left may have been done.
    fn told<T: DeserializeOwned>(&mut self, target: &str, route: &str, changes: bool) -> Result<T, Failure> {
        let number = self.asked.len();
        self.asked.push(route.to_owned());
        if !self.manifest.mail.contains_key(target) {
            self.problems.push(format!("{route} would be refused: the manifest has no mail target “{target}”"));
            return Err(failed(FailureClass::Fault, "unknown_target", "the manifest has no such mail target"));
        }
        match self.breaks {
            Some((broken, Break::Before)) if broken == number => {
                return Err(failed(FailureClass::Unavailable, "connect", "the connection timed out"));
            }
            Some((broken, Break::After)) if broken == number => {
                let class = if changes { FailureClass::Uncertain } else { FailureClass::Unavailable };
                return Err(failed(class, "broken", "no answer in time"));
            }
            _ => {}
        }
        let Some(place) = self.script.iter().position(|scripted| scripted.on == route) else {
            self.problems.push(format!("{route} was asked, and the script has no answer to it"));
            return Err(failed(FailureClass::Fault, "script", "no answer"));
        };
        match serde_json::from_value(self.script.remove(place).body) {
            Ok(Answer::Told(told)) => Ok(told),
            Ok(Answer::Failed { failure }) => Err(failure.into_failure()),
            Err(error) => {
                self.problems.push(format!("the script's answer to {route}: {error}"));
                Err(failed(FailureClass::Fault, "script", "no answer"))
            }
        }
    }
}

fn failed(class: FailureClass, code: &str, message: &str) -> Failure {
    Failed { class, code: code.to_owned(), message: message.to_owned(), retry_after_ms: None }.into_failure()
}

impl Failed {
    fn into_failure(self) -> Failure {
        let detail = Detail { code: self.code, message: self.message, extras: Vec::new() };
        match self.class {
            FailureClass::Invalid => Failure::Invalid(vec![FieldProblem { pointer: String::new(), message: detail.message }]),
            FailureClass::Unauthorized => Failure::Unauthorized(detail),
            FailureClass::Forbidden => Failure::Forbidden(detail),
            FailureClass::Limited => Failure::Limited(Retry { after_ms: self.retry_after_ms, detail }),
            FailureClass::Unavailable => Failure::Unavailable(Retry { after_ms: self.retry_after_ms, detail }),
            FailureClass::Uncertain => Failure::Uncertain(detail),
            FailureClass::Recipient => Failure::Recipient(detail),
            FailureClass::WindowClosed => Failure::WindowClosed(detail),
            FailureClass::Rejected => Failure::Rejected(detail),
            FailureClass::Unsupported => Failure::Unsupported(detail),
            // What the gateway alone says of a message, no mail server does.
            FailureClass::Fault | FailureClass::Expired | FailureClass::Cancelled => Failure::Fault(detail),
        }
    }
}

use serde_json::Value;

use crate::field::Field;
use crate::mail::Query;

use super::mail::SentLetter;
use super::world::{self, Answer, LogLine, Recorded};

/// A scripted provider, and the rest of the world of the test's thread.
#[derive(Debug)]
pub struct Provider(());

/// Where answers are scripted for.
#[derive(Debug)]
pub struct Route<'a> {
    route: &'a str,
}

impl Provider {
    /// An empty world: nothing scripted, nothing stored, no secrets.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes over the thread's world, which nobody expects of a default")]
    pub fn new() -> Self {
        world::reset();
        Self(())
    }

    /// The method, target and path of requests: `POST api /sendMessage`. Each answer given to it serves one request, in order.
    #[must_use]
    pub fn on<'a>(&self, route: &'a str) -> Route<'a> {
        Route { route }
    }

    /// Gives the account a secret. For signing keys: a PKCS #8 document.
    pub fn secret(&self, name: &str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        world::with(|world| world.secrets.insert(name.to_owned(), value));
    }

    /// A secret's value now: what a capture has lifted.
    #[must_use]
    pub fn secret_value(&self, name: &str) -> Option<Vec<u8>> {
        world::with(|world| world.secrets.get(name).cloned())
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        world::with(|world| world.requests.clone())
    }

    /// The letters handed to mail servers so far, oldest first.
    #[must_use]
    pub fn letters(&self) -> Vec<SentLetter> {
        world::with(|world| world.letters.clone())
    }

    /// What folders were asked for so far.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        world::with(|world| world.queries.clone())
    }

    /// What was marked as seen so far: the folder, its validity, the UIDs.
    #[must_use]
    pub fn seen(&self) -> Vec<(String, u32, Vec<u32>)> {
        world::with(|world| world.seen.clone())
    }

    /// The lines logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        world::with(|world| world.log.clone())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let left: Vec<String> = world::with(|world| world.script.iter().map(|(route, _)| route.clone()).collect());
        world::reset();
        if !std::thread::panicking() {
            assert!(left.is_empty(), "scripted and never asked for: {left:?}");
        }
    }
}

impl Route<'_> {
    /// A JSON answer.
    pub fn answer(self, status: u16, body: &Value) -> Self {
        self.answer_bytes(status, "application/json", body.to_string())
    }

    /// An answer of any media type; it goes to a blob where the request asks for that.
    pub fn answer_bytes(self, status: u16, mime_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.answer_with(status, &[("content-type", mime_type)], body)
    }

    /// An answer with these headers.
    pub fn answer_with(self, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| Field::new(*name, *value)).collect();
        self.script(Answer::Response { status, headers, body: body.into() })
    }

    /// The provider isn't reached: nothing is sent.
    pub fn not_sent(self, reason: &str) -> Self {
        self.script(Answer::NotSent(reason.to_owned()))
    }

    /// The connection breaks after the request was sent.
    pub fn broken(self, reason: &str) -> Self {
        self.script(Answer::Broken(reason.to_owned()))
    }

    pub(super) fn script(self, answer: Answer) -> Self {
        world::with(|world| world.script.push_back((self.route.to_owned(), answer)));
        self
    }
}

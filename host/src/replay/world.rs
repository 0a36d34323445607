//! The host as it was: answers in the recorded order, and stops where the plugin asks anything else.

use std::{
    collections::VecDeque,
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use patchbay_sandbox::{
    contract::types::Failure,
    services::{
        BlobInfo, CryptoProblem, Envelope, Folder, FolderQuery, HashAlgorithm, HttpProblem, HttpRequest, HttpResponse, KvEntry, KvProblem,
        LogLevel, Probed, Services, SignAlgorithm, Stretch, Submitted,
    },
};
use serde_json::json;
use tokio::sync::Notify;

use crate::plugins::{
    convert,
    recording::{Answer, Asked, CallRecord, Exchange, Kept, Line, Room},
};

/// Characters of a question that are shown.
const SHOWN: usize = 2_000;

/// Where a run leaves its record, and how. Exchanges are counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Divergence {
    /// Something else was asked then.
    Other { number: usize, recorded: Asked, asked: Asked },
    /// The recorded call had ended by then.
    Beyond { number: usize, asked: Asked },
    /// The record had no room for more.
    LeftOut { number: usize, asked: Asked },
    /// The record had no room for that answer.
    Cut { number: usize, asked: Asked },
    /// The answer is to another question: somebody has changed the record.
    Damaged { number: usize, asked: Asked },
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Divergence::Other { number, recorded, asked } => {
                write!(f, "exchange {number} differs\n  recorded: {}\n  asked:    {}", shown(recorded), shown(asked))
            }
            Divergence::Beyond { number, asked } => {
                write!(f, "the plugin went on past the end of the recorded call, and asked (exchange {number})\n  {}", shown(asked))
            }
            Divergence::LeftOut { number, asked } => {
                write!(f, "the record had no room for what follows; the plugin asked (exchange {number})\n  {}", shown(asked))
            }
            Divergence::Cut { number, asked } => {
                write!(f, "the answer to exchange {number} was too large to be recorded\n  asked: {}", shown(asked))
            }
            Divergence::Damaged { number, asked } => {
                write!(f, "the record is damaged: exchange {number} has the answer to another question\n  asked: {}", shown(asked))
            }
        }
    }
}

fn shown(asked: &Asked) -> String {
    let json = json!(asked).to_string();
    format!("{} {}", asked.name(), json.chars().take(SHOWN).collect::<String>())
}

/// Clones are the same one.
#[derive(Clone)]
pub(super) struct World(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    stuck: Notify,
}

struct State {
    left: VecDeque<Exchange>,
    told: Told,
    left_out: bool,
}

/// What a run has shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Exchanges that went as recorded.
    pub(super) answered: usize,
    pub(super) divergence: Option<Divergence>,
    /// The plugin waits for what never came.
    pub(super) waits: bool,
    pub(super) log: Vec<Line>,
}

/// What an answer is to the question at hand.
enum Fit<T> {
    Is(T),
    /// It had no room.
    Cut,
    Misfit,
}

impl<T> Fit<T> {
    fn of(whole: Option<T>) -> Fit<T> {
        whole.map_or(Fit::Cut, Fit::Is)
    }
}

impl World {
    pub(super) fn new(record: &CallRecord) -> World {
        let state = State { left: record.exchanges.clone().into(), told: Told::default(), left_out: record.left_out > 0 };
        World(Arc::new(Inner { state: Mutex::new(state), stuck: Notify::new() }))
    }

    pub(super) fn services(&self) -> Box<dyn Services> {
        Box::new(self.clone())
    }

    /// Ends when the run can't go on.
    pub(super) async fn is_stuck(&self) {
        self.0.stuck.notified().await;
    }

    pub(super) fn told(&self) -> Told {
        self.state().told.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorded answer, read; none where the run can't go on.
    fn answer<T>(&self, asked: Asked, read: impl FnOnce(Answer) -> Fit<T>) -> Option<T> {
        let answer = self.state().answer(asked, read);
        if answer.is_none() {
            self.0.stuck.notify_one();
        }
        answer
    }

    async fn answer_or_wait<T>(&self, asked: Asked, read: impl FnOnce(Answer) -> Fit<T>) -> T {
        match self.answer(asked, read) {
            Some(answer) => answer,
            None => pending().await,
        }
    }
}

impl State {
    fn answer<T>(&mut self, asked: Asked, read: impl FnOnce(Answer) -> Fit<T>) -> Option<T> {
        // A guest that computes goes on for a moment after it has diverged.
        if self.told.divergence.is_some() {
            return None;
        }
        let number = self.told.answered + 1;
        let divergence = match self.left.pop_front() {
            None if self.left_out => Divergence::LeftOut { number, asked },
            None => Divergence::Beyond { number, asked },
            Some(Exchange { asked: recorded, .. }) if recorded != asked => Divergence::Other { number, recorded, asked },
            Some(Exchange { answer: None, .. }) => {
                self.told.waits = true;
                return None;
            }
            Some(Exchange { answer: Some(answer), .. }) => match read(answer) {
                Fit::Is(answer) => {
                    self.told.answered = number;
                    return Some(answer);
                }
                Fit::Cut => Divergence::Cut { number, asked },
                Fit::Misfit => Divergence::Damaged { number, asked },
            },
        };
        self.told.divergence = Some(divergence);
        None
    }
}

fn bytes(answer: Answer) -> Fit<Vec<u8>> {
    match answer {
        Answer::Bytes(kept) => Fit::of(kept.to_vec()),
        _ => Fit::Misfit,
    }
}

fn signed(answer: Answer) -> Fit<Result<Vec<u8>, CryptoProblem>> {
    match answer {
        Answer::Signed(Ok(kept)) => Fit::of(kept.to_vec().map(Ok)),
        Answer::Signed(Err(problem)) => Fit::Is(Err(problem)),
        _ => Fit::Misfit,
    }
}

/// What a guest that has diverged is told until it is stopped.
fn unknown(secret: &str) -> CryptoProblem {
    CryptoProblem::UnknownSecret(secret.to_owned())
}

#[async_trait]
impl Services for World {
    fn wall_clock(&mut self) -> Option<Duration> {
        let read = |answer| match answer {
            Answer::Time(micros) => Fit::Is(micros.map(Duration::from_micros)),
            _ => Fit::Misfit,
        };
        self.answer(Asked::WallClock, read).flatten()
    }

    fn log(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.state().told.log.push(Line { level, message: message.to_owned(), fields: fields.to_vec() });
    }

    async fn kv_get(&mut self, key: &str) -> Option<KvEntry> {
        let asked = Asked::KvGet { key: Room::unbounded().text(key) };
        let read = |answer| match answer {
            Answer::Entry(None) => Fit::Is(None),
            Answer::Entry(Some(entry)) => Fit::of(entry.value.to_vec().map(|value| Some(KvEntry { value, version: entry.version }))),
            _ => Fit::Misfit,
        };
        self.answer_or_wait(asked, read).await
    }

    async fn kv_set(&mut self, key: &str, value: Vec<u8>, ttl: Option<Duration>, expected: Option<u32>) -> Result<u32, KvProblem> {
        let asked =
            Asked::KvSet { key: Room::unbounded().text(key), value: Kept::whole(value), ttl_s: ttl.map(|ttl| ttl.as_secs()), expected };
        let read = |answer| if let Answer::Written(written) = answer { Fit::Is(written) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await
    }

    async fn kv_delete(&mut self, key: &str) {
        let asked = Asked::KvDelete { key: Room::unbounded().text(key) };
        let read = |answer| if answer == Answer::Done { Fit::Is(()) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await;
    }

    async fn http(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
        let asked = Asked::http(&mut Room::unbounded(), &request);
        let read = |answer| match answer {
            Answer::Response(Ok(response)) => Fit::of(response.given().map(Ok)),
            Answer::Response(Err(problem)) => Fit::Is(Err(problem)),
            _ => Fit::Misfit,
        };
        self.answer_or_wait(asked, read).await
    }

    fn digest(&mut self, algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
        self.answer(Asked::Digest { algorithm, data: Kept::whole(data.to_vec()) }, bytes).unwrap_or_default()
    }

    fn has_secret(&mut self, secret: &str) -> bool {
        let read = |answer| if let Answer::Known(known) = answer { Fit::Is(known) } else { Fit::Misfit };
        self.answer(Asked::HasSecret { secret: Room::unbounded().text(secret) }, read).unwrap_or_default()
    }

    fn hmac(&mut self, secret: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        let asked = Asked::Hmac { secret: Room::unbounded().text(secret), algorithm, data: Kept::whole(data.to_vec()) };
        self.answer(asked, signed).unwrap_or_else(|| Err(unknown(secret)))
    }

    fn sign(&mut self, secret: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
        let asked = Asked::Sign { secret: Room::unbounded().text(secret), algorithm, data: Kept::whole(data.to_vec()) };
        self.answer(asked, signed).unwrap_or_else(|| Err(unknown(secret)))
    }

    fn public_key(&mut self, secret: &str) -> Result<Vec<u8>, CryptoProblem> {
        let asked = Asked::PublicKey { secret: Room::unbounded().text(secret) };
        self.answer(asked, signed).unwrap_or_else(|| Err(unknown(secret)))
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        self.answer(Asked::Random { length }, bytes).unwrap_or_else(|| vec![0; length])
    }

    async fn mail_submit(&mut self, target: &str, envelope: Envelope, letter: Vec<Stretch>) -> Result<Submitted, Failure> {
        let asked = Asked::mail_submit(&mut Room::unbounded(), target, &envelope, &letter);
        let read = |answer| match answer {
            Answer::Submitted(answer) => Fit::Is(answer.map(|taken| taken.given()).map_err(convert::failure_out)),
            _ => Fit::Misfit,
        };
        self.answer_or_wait(asked, read).await
    }

    async fn mail_fetch(&mut self, target: &str, query: FolderQuery) -> Result<Folder, Failure> {
        let asked = Asked::MailFetch { target: Room::unbounded().text(target), query };
        let read = |answer| if let Answer::Folder(folder) = answer { Fit::Is(folder.map_err(convert::failure_out)) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await
    }

    async fn mail_mark_seen(&mut self, target: &str, folder: &str, validity: u32, uids: Vec<u32>) -> Result<(), Failure> {
        let mut room = Room::unbounded();
        let asked = Asked::MailMarkSeen { target: room.text(target), folder: room.text(folder), validity, uids };
        let read = |answer| if let Answer::Marked(marked) = answer { Fit::Is(marked.map_err(convert::failure_out)) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await
    }

    async fn mail_probe(&mut self, target: &str) -> Result<Probed, Failure> {
        let asked = Asked::MailProbe { target: Room::unbounded().text(target) };
        let read = |answer| if let Answer::Probed(probed) = answer { Fit::Is(probed.map_err(convert::failure_out)) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await
    }

    async fn blob_create(&mut self, mime_type: &str) -> Result<BlobInfo, String> {
        let asked = Asked::BlobCreate { mime_type: Room::unbounded().text(mime_type) };
        let read = |answer| if let Answer::Blob(blob) = answer { Fit::Is(blob) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await
    }

    async fn blob_append(&mut self, id: &str, chunk: Vec<u8>) -> Result<(), String> {
        let asked = Asked::BlobAppend { id: Room::unbounded().text(id), chunk: Kept::whole(chunk) };
        let read = |answer| if let Answer::Appended(appended) = answer { Fit::Is(appended) } else { Fit::Misfit };
        self.answer_or_wait(asked, read).await
    }

    async fn blob_read(&mut self, id: &str, offset: u32, max: u32) -> Result<Vec<u8>, String> {
        let asked = Asked::BlobRead { id: Room::unbounded().text(id), offset, max };
        let read = |answer| match answer {
            Answer::Read(Ok(kept)) => Fit::of(kept.to_vec().map(Ok)),
            Answer::Read(Err(reason)) => Fit::Is(Err(reason)),
            _ => Fit::Misfit,
        };
        self.answer_or_wait(asked, read).await
    }
}

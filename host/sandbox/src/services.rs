//! What a plugin may ask of the world during one call. The host implements [`Services`] once for each call, knowing the
//! account; the sandbox counts, bounds and converts, and hands the request over.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::contract::types::Failure;

/// A header, query or form field. Repeats are allowed and the order is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// A stored value and the version a compare-and-set names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    pub value: Vec<u8>,
    pub version: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvProblem {
    /// Somebody else wrote: the version that stands now.
    Conflict(u32),
    Quota,
    TooLarge,
}

/// A request to one of the manifest's egress targets. It holds no credential: the target says which is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub target: String,
    pub method: String,
    /// Appended to the target's base.
    pub path: String,
    pub query: Vec<Field>,
    pub headers: Vec<Field>,
    pub body: HttpBody,
    pub timeout: Option<Duration>,
    /// The response body goes to a blob instead of the guest's memory.
    pub into_blob: bool,
    pub capture: Vec<Capture>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpBody {
    Empty,
    Bytes(Vec<u8>),
    /// A blob's id.
    Blob(String),
    /// A blob's id and the range of it; without a length, up to the end.
    Piece {
        id: String,
        offset: u32,
        length: Option<u32>,
    },
    Form(Vec<Field>),
    Multipart(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub mime_type: Option<String>,
    pub content: PartContent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartContent {
    Bytes(Vec<u8>),
    /// A blob's id.
    Blob(String),
}

/// A JSON pointer of the response body whose string becomes the named secret and is blanked in what the plugin gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub pointer: String,
    pub secret: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<Field>,
    pub body: HttpResponseBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpResponseBody {
    Bytes(Vec<u8>),
    Blob(BlobInfo),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    UnknownTarget,
    NotGranted,
    BlockedAddress,
    CredentialMissing,
    TooLarge,
    Quota,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpProblem {
    Denied(Denial),
    /// DNS, connect or TLS failed: nothing was sent.
    NotSent(String),
    /// Bytes left, then it broke: the provider may have acted.
    Broken(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignAlgorithm {
    Es256,
    Rs256,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CryptoProblem {
    UnknownSecret(String),
    WrongKey(String),
}

/// Who a letter is from and who gets it, as SMTP sees it. No sender is the null reverse-path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub sender: Option<String>,
    pub recipients: Vec<String>,
}

/// A stretch of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    Bytes(Vec<u8>),
    /// A blob's id: it stands there in base64, in lines of 76.
    File(String),
}

/// The server took the letter.
#[derive(Debug, Clone)]
pub struct Submitted {
    pub response: String,
    pub refused: Vec<Refusal>,
}

/// A recipient whom the server refused while it took others.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub recipient: String,
    pub failure: Failure,
}

/// Which letters of a folder are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FolderQuery {
    pub folder: String,
    /// The UIDs behind this one; none asks for no letter.
    pub after_uid: Option<u32>,
    /// Milliseconds since 1970 UTC: received then or later.
    pub since_ms: Option<f64>,
    pub max: u32,
    /// Of a letter with more bytes only the header is read.
    pub max_bytes: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    pub uid: u32,
    pub received_at_ms: Option<f64>,
    /// Bytes of the whole letter.
    pub size: u32,
    pub whole: bool,
    pub content: BlobInfo,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Folder {
    pub validity: u32,
    pub next_uid: u32,
    pub letters: Vec<Letter>,
    pub more: bool,
}

/// What a mail server tells of itself after the login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    pub greeting: String,
    pub capabilities: Vec<String>,
}

/// Bytes that the host keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobInfo {
    pub id: String,
    pub mime_type: String,
    /// Bytes.
    pub size: u32,
}

/// One call's view of the world. Every method is called by the one guest the call runs, never concurrently; the
/// sandbox has already checked counts and sizes against the call's limits.
#[async_trait]
pub trait Services: Send {
    /// Told where the call runs in an instance that was kept: how many calls this one has answered before, which its memory may
    /// remember.
    fn kept_instance(&mut self, _calls: u32) {}
    /// The time since 1970 UTC that a runtime's clock (WASI) shows; none leaves it to the machine's.
    fn wall_clock(&mut self) -> Option<Duration> {
        None
    }

    fn log(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]);

    async fn kv_get(&mut self, key: &str) -> Option<KvEntry>;
    /// `expected`: none writes always, `Some(0)` only where absent, `Some(v)` compares and sets. Answers the new version.
    async fn kv_set(&mut self, key: &str, value: Vec<u8>, ttl: Option<Duration>, expected: Option<u32>) -> Result<u32, KvProblem>;
    async fn kv_delete(&mut self, key: &str);

    async fn http(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpProblem>;

    fn digest(&mut self, algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8>;
    fn has_secret(&mut self, secret: &str) -> bool;
    fn hmac(&mut self, secret: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem>;
    fn sign(&mut self, secret: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem>;
    fn public_key(&mut self, secret: &str) -> Result<Vec<u8>, CryptoProblem>;
    /// Bytes that nobody can guess; a runtime's own random numbers (WASI) come from here too.
    fn random(&mut self, length: usize) -> Vec<u8>;

    async fn mail_submit(&mut self, target: &str, envelope: Envelope, letter: Vec<Stretch>) -> Result<Submitted, Failure>;
    async fn mail_fetch(&mut self, target: &str, query: FolderQuery) -> Result<Folder, Failure>;
    async fn mail_mark_seen(&mut self, target: &str, folder: &str, validity: u32, uids: Vec<u32>) -> Result<(), Failure>;
    async fn mail_probe(&mut self, target: &str) -> Result<Probed, Failure>;

    /// Opens an empty blob to append to. The error is text for the plugin's log.
    async fn blob_create(&mut self, mime_type: &str) -> Result<BlobInfo, String>;
    async fn blob_append(&mut self, id: &str, chunk: Vec<u8>) -> Result<(), String>;
    async fn blob_read(&mut self, id: &str, offset: u32, max: u32) -> Result<Vec<u8>, String>;
}

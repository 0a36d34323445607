//! TEMPORARY until int6 is merged
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub sender: Option<String>,
    pub recipients: Vec<String>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    Bytes(Vec<u8>),
    File(String),
}
#[derive(Debug, Clone, PartialEq)]
pub struct FolderQuery {
    pub folder: String,
    pub after_uid: Option<u32>,
    pub since_ms: Option<f64>,
    pub max: u32,
    pub max_bytes: u32,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    pub uid: u32,
    pub received_at_ms: Option<f64>,
    pub size: u32,
    pub whole: bool,
    pub content: patchbay_sandbox::services::BlobInfo,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    pub validity: u32,
    pub next_uid: u32,
    pub letters: Vec<Letter>,
    pub more: bool,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub greeting: String,
    pub capabilities: Vec<String>,
}

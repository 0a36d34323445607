//! Files: what bots have uploaded and what updates speak of, to be fetched by `getFile` and the file URL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use ring::digest;
use serde_json::{Value, json};

use crate::telegram::answer::Refusal;
use crate::telegram::params::hex;
use crate::telegram::pictures;

/// `getFile` refuses more: 20 MB.
const DOWNLOAD_MAX: u64 = 20 * 1024 * 1024;

/// What a file was sent as: it can't be sent as another type by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Photo,
    Video,
    Animation,
    Audio,
    Voice,
    VideoNote,
    Document,
    Sticker,
    Thumbnail,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Photo,
        Self::Video,
        Self::Animation,
        Self::Audio,
        Self::Voice,
        Self::VideoNote,
        Self::Document,
        Self::Sticker,
        Self::Thumbnail,
    ];

    /// The parameter that carries it.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Animation => "animation",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::VideoNote => "video_note",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Thumbnail => "thumbnail",
        }
    }

    /// The server's word for it in errors.
    fn word(self) -> &'static str {
        match self {
            Self::Photo => "Photo",
            Self::Video => "Video",
            Self::Animation => "Animation",
            Self::Audio => "Audio",
            Self::Voice => "VoiceNote",
            Self::VideoNote => "VideoNote",
            Self::Document => "Document",
            Self::Sticker => "Sticker",
            Self::Thumbnail => "Thumbnail",
        }
    }

    /// How ids of this type begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Photo => "AgACAgQAAxk",
            Self::Video => "BAACAgQAAxk",
            Self::Animation => "CgACAgQAAxk",
            Self::Audio => "CQACAgQAAxk",
            Self::Voice => "AwACAgQAAxk",
            Self::VideoNote => "DQACAgQAAxk",
            Self::Document => "BQACAgQAAxk",
            Self::Sticker => "CAACAgQAAxk",
            Self::Thumbnail => "AAMCBAADGQE",
        }
    }

    fn folder_and_extension(self) -> (&'static str, &'static str) {
        match self {
            Self::Photo => ("photos", "jpg"),
            Self::Video => ("videos", "mp4"),
            Self::Animation => ("animations", "mp4"),
            Self::Audio => ("music", "mp3"),
            Self::Voice => ("voice", "oga"),
            Self::VideoNote => ("video_notes", "mp4"),
            Self::Document => ("documents", "bin"),
            Self::Sticker => ("stickers", "webp"),
            Self::Thumbnail => ("thumbnails", "jpg"),
        }
    }
}

#[derive(Debug, Clone)]
enum Content {
    Kept(Bytes),
    /// Of a file that an update speaks of: made when it is fetched.
    MadeUp,
}

#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    pub(crate) kind: Kind,
    pub(crate) unique_id: String,
    pub(crate) size: u64,
    pub(crate) name: Option<String>,
    pub(crate) mime_type: Option<String>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    path: String,
    content: Content,
}

#[derive(Debug, Default)]
pub(crate) struct Files {
    by_id: RwLock<HashMap<String, StoredFile>>,
    by_path: RwLock<HashMap<String, String>>,
    sequence: AtomicU64,
}

/// What a new file is known by.
pub(crate) struct NewFile<'a> {
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
    pub(crate) name: Option<&'a str>,
    pub(crate) mime_type: Option<&'a str>,
}

impl Files {
    /// Keeps bytes and gives them an id.
    pub(crate) fn keep(&self, file: &NewFile<'_>) -> (String, StoredFile) {
        let NewFile { kind, bytes, name, mime_type } = file;
        let sha256 = hex(digest::digest(&digest::SHA256, bytes).as_ref());
        let (width, height) = pictures::dimensions(bytes).unwrap_or((0, 0));
        let number = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let prefix: String = sha256.chars().take(15).collect();
        let stored = StoredFile {
            kind: *kind,
            unique_id: format!("AQAD{prefix}"),
            size: bytes.len() as u64,
            name: name.map(ToOwned::to_owned),
            mime_type: mime_type.map(ToOwned::to_owned),
            width,
            height,
            path: self.path(*kind, number, *name),
            content: Content::Kept(bytes.clone()),
        };
        let file_id = format!("{}{number:06}{}", kind.prefix(), sha256.get(..40).unwrap_or_default());
        self.insert(&file_id, stored.clone());
        (file_id, stored)
    }

    fn path(&self, kind: Kind, number: u64, name: Option<&str>) -> String {
        let (folder, extension) = kind.folder_and_extension();
        let named = name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
        let named = named.filter(|extension| extension.len() <= 8 && extension.bytes().all(|letter| letter.is_ascii_alphanumeric()));
        format!("{folder}/file_{number}.{}", named.unwrap_or(extension))
    }

    fn insert(&self, file_id: &str, stored: StoredFile) {
        self.by_path.write().insert(stored.path.clone(), file_id.to_owned());
        self.by_id.write().insert(file_id.to_owned(), stored);
    }

    /// Every file of an update can be fetched, with made-up bytes of the size that it tells.
    pub(crate) fn learn(&self, update: &Value) {
        match update {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let kind = Kind::ALL.into_iter().find(|kind| kind.field() == name);
                self.learn_file(kind.unwrap_or(Kind::Document), value);
                self.learn(value);
            }),
            Value::Array(values) => values.iter().for_each(|value| {
                self.learn_file(Kind::Photo, value);
                self.learn(value);
            }),
            _ => {}
        }
    }

    fn learn_file(&self, kind: Kind, value: &Value) {
        let (Some(file_id), Some(unique_id)) = (value["file_id"].as_str(), value["file_unique_id"].as_str()) else { return };
        if self.by_id.read().contains_key(file_id) {
            return;
        }
        let side = |name: &str| value[name].as_u64().and_then(|side| u32::try_from(side).ok()).unwrap_or_default();
        let (width, height) = (side("width"), side("height"));
        let number = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let name = value["file_name"].as_str().or(match (value["is_animated"].as_bool(), value["is_video"].as_bool()) {
            (Some(true), _) => Some("sticker.tgs"),
            (_, Some(true)) => Some("sticker.webm"),
            _ => None,
        });
        let mut stored = StoredFile {
            kind,
            unique_id: unique_id.to_owned(),
            size: value["file_size"].as_u64().unwrap_or_default(),
            name: value["file_name"].as_str().map(ToOwned::to_owned),
            mime_type: value["mime_type"].as_str().map(ToOwned::to_owned),
            width,
            height,
            path: self.path(kind, number, name),
            content: Content::MadeUp,
        };
        if stored.size == 0 {
            stored.size = made_up(&stored).len() as u64;
        }
        self.insert(file_id, stored);
    }

    /// A file by an id from this server. None is no id of ours.
    pub(crate) fn find(&self, file_id: &str) -> Option<StoredFile> {
        self.by_id.read().get(file_id).cloned()
    }

    /// Refuses to send a file as what it isn't.
    pub(crate) fn check_kind(stored: &StoredFile, wanted: Kind) -> Result<(), Refusal> {
        let same = stored.kind == wanted || (stored.kind == Kind::Thumbnail && wanted == Kind::Photo);
        if same { Ok(()) } else { Err(Refusal::bad(&format!("can't use file of type {} as {}", stored.kind.word(), wanted.word()))) }
    }

    /// `getFile`.
    pub(crate) fn describe(&self, file_id: &str) -> Result<Value, Refusal> {
        let Some(file) = self.find(file_id) else {
            let known_shape =
                file_id.len() >= 20 && file_id.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-'));
            let text = if known_shape { "wrong file_id or the file is temporarily unavailable" } else { "invalid file_id" };
            return Err(Refusal::bad(text));
        };
        if file.size > DOWNLOAD_MAX {
            return Err(Refusal::bad("file is too big"));
        }
        Ok(json!({"file_id": file_id, "file_unique_id": file.unique_id, "file_size": file.size, "file_path": file.path}))
    }

    /// The bytes behind a file URL.
    pub(crate) fn read(&self, path: &str) -> Option<Bytes> {
        let file_id = self.by_path.read().get(path)?.clone();
        let file = self.find(&file_id).filter(|file| file.size <= DOWNLOAD_MAX)?;
        Some(match &file.content {
            Content::Kept(bytes) => bytes.clone(),
            Content::MadeUp => made_up(&file),
        })
    }
}

/// A beginning that says what it is, and zeros up to the size told.
fn made_up(file: &StoredFile) -> Bytes {
    let mut bytes = match file.kind {
        Kind::Photo | Kind::Thumbnail => pictures::png(file.width.clamp(1, 320), file.height.clamp(1, 320)),
        Kind::Sticker => b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0".to_vec(),
        Kind::Video | Kind::Animation | Kind::VideoNote => b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec(),
        Kind::Audio => b"ID3\x04\0\0\0\0\0\0".to_vec(),
        Kind::Voice => b"OggS\0\x02".to_vec(),
        Kind::Document => format!("{} of the stand-in\n", file.name.as_deref().unwrap_or("A document")).into_bytes(),
    };
    let size = usize::try_from(file.size).unwrap_or_default();
    if bytes.len() < size {
        bytes.resize(size, 0);
    }
    bytes.into()
}

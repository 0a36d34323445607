//! A file of a letter: attached, or shown by the HTML.

use patchbay_plugin::messages::{Media, MediaKind, Source};
use patchbay_plugin::{Failure, Fields as _};

/// Characters of a file's name.
const NAME_MAX: usize = 200;
/// Bytes of a Content-ID.
const CONTENT_ID_MAX: usize = 200;

#[derive(Debug, Clone)]
pub(crate) struct File {
    source: Source,
    pub(crate) name: String,
    pub(crate) mime_type: String,
    pub(crate) size: Option<u32>,
    /// Without its brackets: the HTML shows it as `cid:…`.
    pub(crate) content_id: Option<String>,
    /// Where it stands in the message.
    pub(crate) pointer: String,
}

impl File {
    /// A file, or the field that is wrong and why.
    pub(super) fn of(media: &Media, number: usize, pointer: &str) -> Result<Self, (String, String)> {
        if let Source::ProviderRef(_) = media.source {
            return Err((format!("{pointer}/provider_ref"), "means nothing here: give a media_id or a url".to_owned()));
        }
        let content_id = match media.extras.value("content_id").map(str::trim).filter(|id| !id.is_empty()) {
            Some(id) => Some(content_id(id).ok_or_else(|| {
                let words = "is at most 200 ASCII characters without white space and brackets, as the HTML names it: logo for cid:logo";
                (format!("{pointer}/extras/content_id"), words.to_owned())
            })?),
            None => None,
        };
        let mime_type = mime_type(media);
        let name = media.file_name.as_deref().map(file_name).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("attachment-{number}{}", ending(&mime_type)));
        Ok(Self { source: media.source.clone(), name, mime_type, size: media.size, content_id, pointer: pointer.to_owned() })
    }

    /// The same, not shown by the HTML.
    pub(super) fn attached(self) -> Self {
        Self { content_id: None, ..self }
    }

    /// The gateway's own reference. It has fetched what was given by URL before a letter is written.
    pub(crate) fn reference(&self) -> Result<&str, Failure> {
        match &self.source {
            Source::BlobRef(reference) => Ok(reference),
            Source::Url(_) => {
                Err(Failure::invalid(format!("{}/url", self.pointer), "wasn't fetched: upload the file, and give its media_id"))
            }
            Source::ProviderRef(_) => Err(Failure::invalid(format!("{}/provider_ref", self.pointer), "means nothing here")),
        }
    }
}

fn content_id(id: &str) -> Option<String> {
    let id = id.trim_start_matches('<').trim_end_matches('>');
    let plain = id.len() <= CONTENT_ID_MAX
        && id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'(' | b')' | b',' | b';' | b'\\'));
    (plain && !id.is_empty()).then(|| id.to_owned())
}

/// Without folders and what no file system takes, its ending kept.
fn file_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let base: String = base.chars().filter(|character| !character.is_control()).collect();
    let base = base.trim().trim_matches('.');
    let length = base.chars().count();
    if length <= NAME_MAX {
        return base.to_owned();
    }
    match base.rsplit_once('.').filter(|(_, ending)| ending.len() <= 10) {
        Some((stem, ending)) => format!("{}.{ending}", stem.chars().take(NAME_MAX - 11).collect::<String>()),
        None => base.chars().take(NAME_MAX).collect(),
    }
}

/// `type/subtype`. What has to be written out as text by itself, a letter or a multipart, goes as plain bytes.
fn mime_type(media: &Media) -> String {
    let known = media.mime_type.as_deref().unwrap_or_default();
    let essence = known.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty() && text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match essence.split_once('/') {
        Some(("message" | "multipart", _)) => "application/octet-stream".to_owned(),
        Some((kind, subtype)) if token(kind) && token(subtype) => essence,
        _ => match media.kind {
            MediaKind::Image => "image/jpeg",
            MediaKind::Video | MediaKind::Animation => "video/mp4",
            MediaKind::Audio | MediaKind::Voice => "audio/mpeg",
            MediaKind::Document => "application/octet-stream",
        }
        .to_owned(),
    }
}

/// `.pdf` of `application/pdf`, where the subtype is an ending.
fn ending(mime_type: &str) -> String {
    let subtype = mime_type.rsplit('/').next().unwrap_or_default();
    match subtype {
        "mpeg" => ".mp3".to_owned(),
        "plain" => ".txt".to_owned(),
        short if (2..=4).contains(&short.len()) && short.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!(".{short}"),
        _ => String::new(),
    }
}

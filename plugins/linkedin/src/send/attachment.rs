//! Files of a post: which kind LinkedIn takes them for, and whether they go together.

use patchbay_plugin::messages::{Media, MediaKind, Source};
use patchbay_plugin::{Failure, Fields as _};

const MEGABYTE: u32 = 1024 * 1024;
const IMAGES_MAX: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Video,
    Document,
}

/// A file of a post.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attachment {
    pub(super) kind: Kind,
    pub(super) file: File,
    /// For those who can't see it.
    pub(super) alt_text: Option<String>,
    pub(super) title: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum File {
    /// At LinkedIn already: its URN.
    Known(String),
    /// The gateway has it.
    Kept { blob_ref: String, mime_type: Option<String>, size: Option<u32> },
}

impl Kind {
    /// The collection of the API, and the field of its answers that names the file.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Image => ("images", "image"),
            Self::Video => ("videos", "video"),
            Self::Document => ("documents", "document"),
        }
    }

    fn of(media: &Media, at: &str) -> Result<Self, Failure> {
        let mime_type = media.mime_type.as_deref().unwrap_or_default();
        match media.kind {
            MediaKind::Image => Ok(Self::Image),
            // LinkedIn plays GIFs, which are images to it.
            MediaKind::Animation if mime_type.starts_with("video/") => Ok(Self::Video),
            MediaKind::Animation => Ok(Self::Image),
            MediaKind::Video => Ok(Self::Video),
            MediaKind::Document => Ok(Self::Document),
            MediaKind::Audio | MediaKind::Voice => {
                Err(Failure::invalid(format!("{at}/kind"), "LinkedIn takes images, videos and documents"))
            }
        }
    }

    fn takes(self, mime_type: &str) -> bool {
        match self {
            Self::Image => matches!(mime_type, "image/jpeg" | "image/jpg" | "image/png" | "image/gif"),
            Self::Video => matches!(mime_type, "video/mp4" | "video/quicktime"),
            Self::Document => {
                matches!(mime_type, "application/pdf" | "application/msword" | "application/vnd.ms-powerpoint")
                    || mime_type.starts_with("application/vnd.openxmlformats-officedocument.wordprocessingml")
                    || mime_type.starts_with("application/vnd.openxmlformats-officedocument.presentationml")
            }
        }
    }

    fn limits(self) -> (&'static str, u32) {
        match self {
            Self::Image => ("JPEG, PNG or GIF of at most 20 MB", 20),
            Self::Video => ("MP4 of at most 500 MB", 500),
            Self::Document => ("PDF, Word or PowerPoint of at most 100 MB", 100),
        }
    }
}

/// All files of a post: 1 to 20 images, or one video, or one document. `at` is where the list stands.
pub(super) fn all(media: &[Media], at: &str) -> Result<Vec<Attachment>, Failure> {
    let attachments = media.iter().enumerate().map(|(index, media)| one(media, &format!("{at}/{index}"))).collect::<Result<Vec<_>, _>>()?;
    let first = attachments.first().map(|attachment| attachment.kind);
    if let Some(other) = attachments.iter().position(|attachment| Some(attachment.kind) != first) {
        return Err(Failure::invalid(format!("{at}/{other}"), "a post has images, or one video, or one document"));
    }
    if first != Some(Kind::Image) && attachments.len() > 1 {
        return Err(Failure::invalid(format!("{at}/1"), "a post has one video or one document"));
    }
    if attachments.len() > IMAGES_MAX {
        return Err(Failure::invalid(format!("{at}/{IMAGES_MAX}"), "a post has at most 20 images"));
    }
    Ok(attachments)
}

pub(super) fn one(media: &Media, at: &str) -> Result<Attachment, Failure> {
    let kind = Kind::of(media, at)?;
    let (words, most_mb) = kind.limits();
    let mime_type = media.mime_type.as_deref().map(|mime| mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let file = match &media.source {
        Source::ProviderRef(urn) if crate::urn::kind(urn) == kind.names().1 => File::Known(urn.clone()),
        Source::ProviderRef(_) => {
            return Err(Failure::invalid(format!("{at}/provider_ref"), format!("is a URN such as urn:li:{}:C4…", kind.names().1)));
        }
        Source::Url(_) => {
            return Err(Failure::invalid(format!("{at}/url"), "the gateway couldn't fetch it: upload it with POST /rest/v1/media"));
        }
        Source::BlobRef(reference) => {
            if mime_type.as_deref().is_some_and(|mime| !kind.takes(mime)) {
                return Err(Failure::invalid(format!("{at}/mime_type"), format!("LinkedIn takes {words}")));
            }
            if media.size.is_some_and(|size| size > most_mb * MEGABYTE) {
                return Err(Failure::invalid(format!("{at}/media_id"), format!("LinkedIn takes {words}")));
            }
            if kind == Kind::Video && media.size.is_none() {
                return Err(Failure::invalid(format!("{at}/size"), "the size of a video has to be known"));
            }
            File::Kept { blob_ref: reference.clone(), mime_type, size: media.size }
        }
    };
    let written = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let alt_text = written(media.extras.value("alt_text")).or_else(|| written(media.caption.as_deref()));
    let title = written(media.extras.value("title")).or_else(|| written(media.file_name.as_deref()));
    Ok(Attachment { kind, file, alt_text, title })
}
